"""A row a result, for spreadsheets (RFC 4180). What a spreadsheet would take for a formula begins with an apostrophe.

A shortcoming of the run is a row, too, with the outcome `incomplete`, and what it was narrowed to one with `narrowed`:
a sheet of passes must not look like all of it.
"""

import csv
import re
from collections.abc import Mapping
from io import StringIO

from assess_core.clock import timestamp
from assess_core.formats.order import worst_first
from assess_core.formats.sentences import narrowed_lines
from assess_core.results import Result, Run
from assess_registry.client import plain

COLUMNS: tuple[str, ...] = (
    "outcome",
    "severity",
    "check",
    "title",
    "subject",
    "subject_type",
    "subject_title",
    "reason",
    "expected",
    "actual",
    "remediation",
    "waived_until",
    "waived_by",
    "waived_because",
    "attempts",
    "earlier",
    "controls",
    "assessment",
    "distribution",
    "version",
    "plugin",
    "isolation",
    "registry",
    "started_at",
    "runtime",
    "run_id",
    "result_id",
    "finding_id",
)

INCOMPLETE = "incomplete"
NARROWED = "narrowed"
"""Stand where a result's outcome stands, and are none."""

_SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20"
"""How formulas begin; the full-width four count where Japanese and Chinese are typed (OWASP, "CSV Injection")."""

_FORMULA = tuple(_SIGNS)
_NEXT_CELL = re.compile(rf'([;|][\s"]*)(?=[{re.escape(_SIGNS)}])')
"""Where the comma parts decimals, a spreadsheet splits at `;`, in the midst of a cell, and that one begins there."""


def render(run: Run) -> str:
    """The run as CSV, what is missing from it first, then the worst."""
    text = StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for sentence in run.shortcomings():
        writer.writerow(_safe({"outcome": INCOMPLETE, "reason": sentence, "runtime": run.runtime}))
    for line in narrowed_lines(run):
        writer.writerow(_safe({"outcome": NARROWED, "reason": line, "runtime": run.runtime}))
    for result in sorted(run.results, key=worst_first):
        writer.writerow(_safe(_row(result)))
    return text.getvalue()


def _row(result: Result) -> Mapping[str, str]:
    waiver = result.waiver
    return {
        "outcome": result.outcome.value,
        "severity": result.severity,
        "check": result.check,
        "title": result.title,
        "subject": result.subject.id,
        "subject_type": result.subject.type,
        "subject_title": result.subject.title,
        "reason": result.reason,
        "expected": result.expected or "",
        "actual": result.actual or "",
        "remediation": result.remediation,
        "waived_until": waiver.expires.isoformat() if waiver else "",
        "waived_by": waiver.owner if waiver else "",
        "waived_because": waiver.reason if waiver else "",
        "attempts": str(result.attempts),
        "earlier": "; ".join(result.earlier),
        "controls": " ".join(result.controls),
        "assessment": result.assessment,
        "distribution": result.plugin.distribution,
        "version": result.plugin.version,
        "plugin": result.plugin.name,
        "isolation": result.isolation,
        "registry": result.registry,
        "started_at": timestamp(result.started_at),
        "runtime": result.runtime,
        "run_id": result.run_id,
        "result_id": result.result_id,
        "finding_id": result.finding_id,
    }


def _safe(row: Mapping[str, str]) -> dict[str, str]:
    """Each cell on one line, harmless for terminals and spreadsheets."""
    return {name: _cell(plain(value)) for name, value in row.items()}


def _cell(text: str) -> str:
    text = _NEXT_CELL.sub(r"\1'", text)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
