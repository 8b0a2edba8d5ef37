"""A run as text: for people, for programs, for auditors."""

from assess_core.formats.forms import FORMATS, render

__all__ = ["FORMATS", "render"]
