"""A plugin's project, from a name: it builds, passes its own tests and its own audit before anybody has changed it.

report = scaffold("acme-patch-level", to=Path("plugins"))
"""

from assess_registry.scaffolding.create import ScaffoldReport, scaffold

__all__ = ["ScaffoldReport", "scaffold"]
