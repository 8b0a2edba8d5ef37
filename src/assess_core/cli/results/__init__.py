"""`assess results`: what earlier runs found, from the journal, and whether it is what was found."""

from assess_core.cli.results.group import command

__all__ = ["command"]
