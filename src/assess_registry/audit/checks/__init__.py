"""What an audit looks at, one module each, in the order in which reports list them.

Each has `NAME` and `examine(subject, context) -> Examination`; none imports another.
"""

from assess_registry.audit.checks import (
    bandit,
    compatibility,
    licence,
    manifest,
    naming,
    native,
    permissions,
    sbom,
    secrets,
    size,
    vulnerabilities,
    wasm,
)
from assess_registry.audit.context import Check

CHECKS: tuple[Check, ...] = (
    size,
    naming,
    manifest,
    permissions,
    native,
    wasm,
    licence,
    bandit,
    secrets,
    vulnerabilities,
    sbom,
    compatibility,
)
"""Literal, so that a check cannot be lost without a line of this file being lost."""

READING_CODE: tuple[Check, ...] = (permissions, native, wasm, bandit, secrets)
"""Those that read every file, and read the files of dependencies, too."""
