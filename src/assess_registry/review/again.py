"""What is published, audited again: what do today's advisories, policy and tools find that its own audit did not?

Only releases of the signed catalogue count, by the bytes that it names; what was revoked is gone already. What an audit
found once was looked at by reviewers and is no news. Neither is the code of `assess-plugin` in a closure that was ours
when it was audited: after an upgrade it may not be known any more, and nobody's plugin became another by that.
Advisories about it count.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from assess_registry.audit.dependencies import NAME as DEPENDENCIES
from assess_registry.audit.dependencies import SAME_AS
from assess_registry.audit.dry_run import published_wheels
from assess_registry.audit.pipeline import Terms, audit
from assess_registry.audit.values import Judged, Report, Verdict
from assess_registry.errors import TrustError
from assess_registry.index.tree import Tree
from assess_registry.review.published import published_file, releases_of, repository_of

_OF_THE_LOOK = ("check-incomplete", "check-crashed")
"""Findings that are about the looking and not about the wheel."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What a published report says of its wheel.

    Attributes:
        findings: check, id, entry and message of each.
        own: filename and digest of each wheel in its closure that was a copy of the runtime's own.
    """

    findings: frozenset[tuple[str, str, str, str]]
    own: frozenset[tuple[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Again:
    """One published wheel, audited today.

    Attributes:
        report: today's.
        news: what is flagged or rejected today, and its published report does not have.
        unseen: what could not be looked at today, one sentence each.
    """

    report: Report
    news: tuple[Judged, ...]
    unseen: tuple[str, ...]

    @property
    def is_affected(self) -> bool:
        """Whether somebody has to look."""
        return bool(self.news)


def audit_again(root: Path, terms: Terms) -> Iterator[Again]:
    """Every wheel that the signed catalogue names and nobody has revoked, in the order of names.

    Raises:
        TrustError: step `metadata`: what is published is not what was signed.
        ConfigError: there is no registry.
    """
    known = _published(root)
    for wheel in published_wheels(root):
        if wheel.filename not in known:
            continue
        before, sha256 = known[wheel.filename]
        report = audit(wheel.data, wheel.filename, closure=wheel.closure, terms=terms)
        if report.sha256 != sha256:
            raise TrustError(
                "not the bytes that were signed",
                step="file",
                thing=wheel.filename,
                expected=f"sha256:{sha256}",
                got=f"sha256:{report.sha256}",
                next_step="put the published wheel back from a copy, and find out who changed it",
            )
        yield Again(report=report, news=_news(report, before), unseen=_unseen(report))


def _published(root: Path) -> dict[str, tuple[Known, str]]:
    """Filename -> what its report says, and its digest."""
    tree, found = Tree(root), dict[str, tuple[Known, str]]()
    for project, release in releases_of(repository_of(root)):
        if release.revoked is None:
            document = json.loads(published_file(tree, project, release.version, release.audit))
            for wheel in release.wheels:
                found[wheel.filename] = (_known(document, wheel.sha256), wheel.sha256)
    return found


def _known(document: Any, sha256: str) -> Known:
    reports = [each for each in document.get("reports", [document]) if each["wheel"]["sha256"] == sha256]
    checks = [check for report in reports for check in report["checks"]]
    facts = [wheel for check in checks if check["name"] == DEPENDENCIES for wheel in check["facts"].get("wheels", ())]
    return Known(
        findings=frozenset(
            (each["check"], each["id"], each["entry"], each["message"])
            for report in reports
            for each in report["findings"]
        ),
        own=frozenset((each["filename"], each["sha256"]) for each in facts if SAME_AS in each),
    )


def _news(report: Report, before: Known) -> tuple[Judged, ...]:
    own = {filename for filename, sha256 in before.own if (filename, sha256) in _looked_at(report)}
    return tuple(
        judged
        for judged in report.judged
        if judged.verdict is not Verdict.APPROVED
        and judged.finding.id not in _OF_THE_LOOK
        and (judged.check, judged.finding.id, judged.finding.entry, judged.finding.message) not in before.findings
        and not (judged.check == DEPENDENCIES and judged.finding.entry.partition(":")[0] in own)
    )


def _looked_at(report: Report) -> set[tuple[str, str]]:
    """Filename and digest of the wheels of its closure as they are today."""
    facts = (each.facts for each in report.examinations if each.check == DEPENDENCIES)
    wheels: Iterable[Any] = (wheel for found in facts for wheel in cast("Iterable[Any]", found.get("wheels", ())))
    return {(wheel["filename"], wheel["sha256"]) for wheel in wheels}


def _unseen(report: Report) -> tuple[str, ...]:
    return tuple(f"{each.check}: {reason}" for each in report.examinations for reason in each.incomplete)
