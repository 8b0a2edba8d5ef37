"""Results, made so that none of them can say more than was seen.

A check ends in one of three ways: it knows (`verdict`), it does not concern this host (`not_applicable`), or it cannot
tell (`cannot_tell`). Whatever a check raises becomes an `error` in `assess_plugin.Checks`; a `PermissionError` becomes
`skipped`.

Names, values and file contents come from the host; they pass through `shown` or `listed` on their way into a text.
"""

from collections.abc import Sequence

from assess_host_baseline.formats.text import shown
from assess_plugin import CheckResult, Evidence, Outcome

MAX_LISTED = 5
"""Items named in a reason; all of them are in the evidence."""


def verdict(
    check_id: str, *, ok: bool, reason: str, expected: str, actual: str, evidence: tuple[Evidence, ...] = ()
) -> CheckResult:
    """`pass` or `fail`: what was expected was seen, or something else was."""
    return CheckResult(
        check_id=check_id,
        outcome=Outcome.PASS if ok else Outcome.FAIL,
        reason=reason,
        expected=expected,
        actual=actual,
        evidence=evidence,
    )


def not_applicable(check_id: str, reason: str) -> CheckResult:
    """The check has nothing to say about this host."""
    return CheckResult(check_id=check_id, outcome=Outcome.NOT_APPLICABLE, reason=reason)


def cannot_tell(check_id: str, reason: str) -> CheckResult:
    """The check concerns this host, and what it needs to know could not be had."""
    return CheckResult(check_id=check_id, outcome=Outcome.SKIPPED, reason=reason)


def listed(items: Sequence[str]) -> str:
    """The first few items for a reason, and how many more there are: `a, b and 3 more`."""
    named = ", ".join(shown(item) for item in items[:MAX_LISTED])
    return named if len(items) <= MAX_LISTED else f"{named} and {len(items) - MAX_LISTED} more"
