"""The signing side of TUF: a registry's current word, made and renewed by those who hold its keys."""

from assess_registry.config import Expiry
from assess_registry.repository.create import create_repository
from assess_registry.repository.expiry import RoleExpiry
from assess_registry.repository.roles import BINS, Signers
from assess_registry.repository.store import CommitReport, Repository

__all__ = ["BINS", "CommitReport", "Expiry", "Repository", "RoleExpiry", "Signers", "create_repository"]
