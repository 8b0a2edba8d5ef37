"""The signing side of TUF: a registry's current word, made and renewed by those who hold its keys."""

from assess_registry.repository.roles import BINS, Expiry
from assess_registry.repository.store import CommitReport, Repository, create_repository

__all__ = ["BINS", "CommitReport", "Expiry", "Repository", "create_repository"]
