"""`assess waive`: failures that somebody answers for."""

from assess_core.cli.waive.group import command

__all__ = ["command"]
