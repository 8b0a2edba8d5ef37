"""Findings in an order that never changes, and no more of one kind than somebody reads."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from assess_registry.audit.values import Finding

MAX_ALIKE = 50
"""Findings of one id and severity in one entry; what follows from the rest is the same as from these."""


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """By entry, line and id; the last of too many that are alike says how many were left out."""
    alike: dict[tuple[str, str, str], list[Finding]] = defaultdict(list)
    for finding in sorted(set(findings), key=place):
        alike[finding.entry, finding.id, finding.severity].append(finding)
    kept = [finding for group in alike.values() for finding in _shortened(group)]
    return tuple(sorted(kept, key=place))


def _shortened(group: list[Finding]) -> list[Finding]:
    if len(group) <= MAX_ALIKE:
        return group
    left_out = len(group) - MAX_ALIKE + 1
    last = replace(group[MAX_ALIKE - 1], message=f"{left_out} findings of this kind from this line on")
    return [*group[: MAX_ALIKE - 1], last]


def place(finding: Finding) -> tuple[str, int, str, str]:
    """What findings are in the order of, wherever they are shown."""
    return finding.entry, finding.line or 0, finding.id, finding.message
