"""OSCAL assessment results, version 1.2.1."""

from assess_core.formats.oscal.document import document, render
from assess_core.formats.oscal.references import faults

__all__ = ["document", "faults", "render"]
