"""How bad it is to have a revoked wheel: a severity, or `kill`, at which what runs of it is ended where it runs.

Every severity keeps the wheel from being installed and from starting an assessment. `kill` also ends the processes that
serve one. Clients from before `kill` read no file that holds it, and so run nothing that its registry vouches for.
"""

from typing import Literal

from assess_registry.manifest import SEVERITIES, Severity, parse_severity

RevocationSeverity = Severity | Literal["kill"]

KILL: Literal["kill"] = "kill"

REVOCATION_SEVERITIES: tuple[RevocationSeverity, ...] = (*SEVERITIES, KILL)
"""In rising order."""


def parse_revocation_severity(text: str) -> RevocationSeverity:
    """One of the severities of a revocation.

    Raises:
        ValueError: it is none.
    """
    return KILL if text == KILL else parse_severity(text)


def outranks(later: RevocationSeverity, earlier: RevocationSeverity) -> bool:
    """Whether a later word of a revocation may take an earlier one's place: `kill` alone may, once."""
    return later == KILL and earlier != KILL
