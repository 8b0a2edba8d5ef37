"""The command `assess-registry`: argv in, exit code out."""

from assess_registry.cli.app import main

__all__ = ["main"]
