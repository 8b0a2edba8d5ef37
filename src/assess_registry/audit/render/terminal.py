"""The report for a person at a terminal: the verdict first, then why, then the findings, worst first.

Everything that came out of a wheel goes through `plain`: no escape sequence, no line break and no reordering of it
reaches the terminal.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from assess_registry.audit.render.order import counts, groups, incomplete, place
from assess_registry.audit.values import Judged, Report, Verdict
from assess_registry.text import plain

MAX_SHOWN = 30
"""Findings described one by one; nobody reads more in a minute, and the other forms have them all."""

MAX_SAME = 5
"""Places listed of one finding that occurs at many."""

_MAX_CHARS = 500
_MIN_WIDTH = 40
_COLOURS = {Verdict.APPROVED: "32", Verdict.FLAGGED: "33", Verdict.REJECTED: "31"}


def render_terminal(report: Report, *, colour: bool, width: int) -> str:
    """The report as lines of at most `width` columns, long paths and digests aside."""
    lines = _lines(report, _Writer(colour=colour, width=max(width, _MIN_WIDTH)))
    return "".join(f"{line}\n" for line in lines)


class _Writer:
    """How text of the report becomes lines."""

    def __init__(self, *, colour: bool, width: int) -> None:
        self._colour, self._width = colour, width

    def painted(self, text: str, verdict: Verdict) -> str:
        return f"\x1b[1;{_COLOURS[verdict]}m{text}\x1b[0m" if self._colour else text

    def wrapped(self, text: str, *, first: str = "", rest: str | None = None) -> list[str]:
        return textwrap.wrap(
            plain(text, max_chars=_MAX_CHARS),
            self._width,
            initial_indent=first,
            subsequent_indent=" " * len(first) if rest is None else rest,
            break_long_words=False,
            break_on_hyphens=False,
        )


def _lines(report: Report, write: _Writer) -> Iterator[str]:
    yield f"{write.painted(report.verdict.upper(), report.verdict)}  {plain(report.filename, max_chars=_MAX_CHARS)}"
    yield from write.wrapped(f"{report.project} {report.version}, {report.size:,} bytes")
    yield from write.wrapped(f"sha256 {report.sha256}")
    if report.reasons:
        yield from ("", "Why:")
        for reason in report.reasons:
            yield from write.wrapped(reason, first="  - ")
    yield from _findings(report, write)
    if reasons := _by_reason(report):
        yield from ("", "Not looked at:")
        for reason, checks in reasons.items():
            yield from write.wrapped(f"{', '.join(checks)}: {reason}", first="  - ")
    yield ""
    yield from write.wrapped(f"checks: {', '.join(_checks(report)) or 'none'}", rest="  ")
    yield from write.wrapped(f"advisories: {report.advisories}", rest="  ")
    yield from write.wrapped(f"policy: sha256 {report.policy_sha256}", rest="  ")
    yield f"as of: {report.as_of}"


def _findings(report: Report, write: _Writer) -> Iterator[str]:
    yield from ("", f"Findings: {counts(report)}")
    gaps = set(incomplete(report))  # a finding about one is told below, among the others
    grouped = [group for group in groups(report) if (group[0].check, group[0].finding.message) not in gaps]
    shown = [group for group in grouped if group[0].verdict is not Verdict.APPROVED][:MAX_SHOWN]
    for group in shown:
        yield ""
        yield from _group(group, write)
    if rest := sum(map(len, grouped[len(shown) :])):
        # Groups are worst first, so those that are approved all stand behind those that are shown.
        yield from (
            "",
            *write.wrapped(f"and {rest} more, not worse than these: the other forms list them all", first="  "),
        )


def _group(group: Sequence[Judged], write: _Writer) -> Iterator[str]:
    judged = group[0]
    finding = judged.finding
    heading = f"{write.painted(judged.verdict, judged.verdict)} {finding.severity} {plain(finding.id, max_chars=100)}"
    yield f"  {heading} ({plain(judged.check, max_chars=100)})"
    for each in group[:MAX_SAME]:
        if where := place(each):
            yield from write.wrapped(where, first="    at ")
    if len(group) > MAX_SAME:
        yield f"    and at {len(group) - MAX_SAME} other places"
    yield from write.wrapped(finding.message, first="    ")
    if finding.advice:
        yield from write.wrapped(finding.advice, first="    -> ")
    yield from write.wrapped(f"{judged.reason}; rule: {finding.rule}", first="    ")


def _by_reason(report: Report) -> Mapping[str, Sequence[str]]:
    reasons: dict[str, list[str]] = {}
    for check, reason in incomplete(report):
        reasons.setdefault(reason, []).append(check)
    return reasons


def _checks(report: Report) -> Iterator[str]:
    for examination in report.examinations:
        found, gaps = len(examination.findings), examination.incomplete
        state = "incomplete" if gaps else f"{found} found" if found else "ok"
        tool = f" by {examination.tool}" if examination.tool else ""
        yield f"{examination.check}{tool} {state}"
