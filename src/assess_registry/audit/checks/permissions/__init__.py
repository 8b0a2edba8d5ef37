"""What the plugin's code does itself or asks of its host, held against what its manifest permits."""

from assess_registry.audit.checks.permissions.check import NAME, examine

__all__ = ["NAME", "examine"]
