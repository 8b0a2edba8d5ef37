"""Known vulnerabilities of Python projects, kept in one local file, asked without a network."""

from assess_registry.audit.advisories.database import (
    DATABASE_NAME,
    MIN_ADVISORIES,
    AdvisoryDatabase,
    import_advisories,
)
from assess_registry.audit.advisories.values import Advisory

__all__ = ["DATABASE_NAME", "MIN_ADVISORIES", "Advisory", "AdvisoryDatabase", "import_advisories"]
