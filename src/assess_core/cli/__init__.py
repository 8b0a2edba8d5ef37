"""The command `assess`: argv in, one function called, text out, exit code."""

from assess_core.cli.app import main

__all__ = ["main"]
