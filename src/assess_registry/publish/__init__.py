"""Wheels into an index, and out of it again, each by one locked transaction."""

from assess_registry.index.folder import WheelFolder
from assess_registry.publish.keys_only import PublishReport, publish

__all__ = ["PublishReport", "WheelFolder", "publish"]
