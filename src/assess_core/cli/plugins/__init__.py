"""`assess plugins`: what is installed, what serves, and whether it still is what was audited."""

from assess_core.cli.plugins.group import command

__all__ = ["command"]
