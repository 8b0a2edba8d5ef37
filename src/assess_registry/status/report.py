"""An `audit.json` as a page shows it: typed, bounded, and of one wheel.

The document was held to its digest before, so it is the one that reviewers saw. Its texts are still a stranger's: they
quote the wheel.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MAX_FINDINGS = 200
"""Shown on a page, worst first as the report has them; the rest is in the report."""

MAX_ROWS = 200
COMPATIBILITY = "compatibility"
OUTCOMES = ("passed", "failed", "skipped")


@dataclass(frozen=True, kw_only=True, slots=True)
class FindingWords:
    """One finding of the audit."""

    id: str
    severity: str
    verdict: str
    reason: str
    place: str
    message: str
    advice: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ExaminationWords:
    """One check of the audit: what it is called, by which tool it looked, and what it could not look at."""

    name: str
    tool: str
    incomplete: tuple[str, ...]
    findings: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """Where the author's tests ran, as tox said.

    Attributes:
        outcome: `passed`, `failed` or `skipped`.
        is_this_wheel: whether tox had installed the very wheel that is published.
    """

    name: str
    python: str
    api: str
    outcome: str
    is_this_wheel: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportWords:
    """The audit's report on one wheel."""

    verdict: str
    as_of: str
    reasons: tuple[str, ...]
    findings: tuple[FindingWords, ...]
    examinations: tuple[ExaminationWords, ...]
    environments: tuple[Environment, ...]
    advisories: str


def report_words(document: Any, sha256: str) -> ReportWords:
    """What the document says of the wheel with this digest.

    Raises:
        ValueError: it is no report, or has none on this wheel.
    """
    try:
        reports = document.get("reports", [document])
        found = [each for each in reports if each["wheel"]["sha256"] == sha256]
        if len(found) != 1:
            raise ValueError(f"it has {len(found)} reports on this wheel")
        return _words(found[0])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("it is no report of an audit") from error


def _words(report: Mapping[str, Any]) -> ReportWords:
    checks = report["checks"][:MAX_ROWS]
    return ReportWords(
        verdict=_text(report["verdict"]),
        as_of=_text(report["as_of"]),
        reasons=tuple(_text(each) for each in report["reasons"][:MAX_ROWS]),
        findings=tuple(_finding(each) for each in report["findings"]),
        examinations=tuple(_examination(each) for each in checks),
        environments=tuple(_environments(checks)),
        advisories=_text(report["advisories"]),
    )


def _finding(finding: Mapping[str, Any]) -> FindingWords:
    entry, line = _text(finding["entry"]), finding["line"]
    return FindingWords(
        id=_text(finding["id"]),
        severity=_text(finding["severity"]),
        verdict=_text(finding["verdict"]),
        reason=_text(finding["reason"]),
        place=f"{entry}:{int(line)}" if line is not None else entry,
        message=_text(finding["message"]),
        advice=_text(finding["advice"]),
    )


def _examination(check: Mapping[str, Any]) -> ExaminationWords:
    return ExaminationWords(
        name=_text(check["name"]),
        tool=_text(check["tool"]),
        incomplete=tuple(_text(each) for each in check["incomplete"][:MAX_ROWS]),
        findings=int(check["findings"]),
    )


def _environments(checks: list[Mapping[str, Any]]) -> Iterator[Environment]:
    facts: Mapping[str, Any] = next((check["facts"] for check in checks if check["name"] == COMPATIBILITY), {})
    for row in facts.get("environments", [])[:MAX_ROWS]:
        outcome = _text(row["outcome"])
        yield Environment(
            name=_text(row["environment"]),
            python=_text(row["python"]),
            api=_text(row["api"]),
            # What is neither is not made to look like one of them.
            outcome=outcome if outcome in OUTCOMES else f"unknown: {outcome}",
            is_this_wheel=row["is_this_wheel"] is True,
        )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {value!r:.80}")
    return value
