"""A run as OCSF 1.3 events, a line each: a Compliance Finding (class 2003) for every result, for event stores.

    pass        status Pass
    fail        status Fail, waived or not; who answers for it is in `unmapped.waiver`
    all else    status Unknown: nobody knows, and `status_detail` says why; not-applicable is Other

A shortcoming of the run is an event of its own, of status Unknown, so that no store sees passes alone.
"""

import json
from collections.abc import Iterator
from typing import Any

from assess_core.formats.json_document import waiver_document
from assess_core.formats.order import worst_first
from assess_core.results import Result, ResultOutcome, Run, Severity, identify
from assess_registry.client import plain, valid

VERSION = "1.3.0"
CLASS, CATEGORY, CREATE = 2003, 2, 1

_STATUS = {
    ResultOutcome.PASS: (1, "Pass"),
    ResultOutcome.FAIL: (3, "Fail"),
    ResultOutcome.NOT_APPLICABLE: (99, "Other"),
}
_UNKNOWN = (0, "Unknown")
_SEVERITIES: dict[Severity, tuple[int, str]] = {
    "info": (1, "Informational"),
    "low": (2, "Low"),
    "medium": (3, "Medium"),
    "high": (4, "High"),
    "critical": (5, "Critical"),
}


def render(run: Run) -> str:
    """An event a line, in ASCII."""
    return "".join(json.dumps(valid(event), allow_nan=False, separators=(",", ":")) + "\n" for event in events(run))


def events(run: Run) -> Iterator[dict[str, Any]]:
    """What `render` writes, what is missing from the run first."""
    at_ms = int(run.ended_at.timestamp() * 1000)
    for number, sentence in enumerate(run.shortcomings()):
        yield {
            **_event(at_ms, _SEVERITIES["high"]),
            "compliance": {"standards": ["assess"], "control": "complete-run", "status_id": 0, "status": "Unknown"},
            "finding_info": {
                "uid": identify("ocsf-shortcoming", run.runtime, str(at_ms), str(number)),
                "title": "The run is incomplete",
                "desc": plain(sentence),
            },
            "status_detail": plain(sentence),
            "unmapped": {"outcome": "incomplete", "runtime": plain(run.runtime)},
        }
    for result in sorted(run.results, key=worst_first):
        yield _finding(result)


def _event(at_ms: int, severity: tuple[int, str]) -> dict[str, Any]:
    return {
        "activity_id": CREATE,
        "activity_name": "Create",
        "category_uid": CATEGORY,
        "category_name": "Findings",
        "class_uid": CLASS,
        "class_name": "Compliance Finding",
        "type_uid": CLASS * 100 + CREATE,
        "type_name": "Compliance Finding: Create",
        "time": at_ms,
        "severity_id": severity[0],
        "severity": severity[1],
        "status_id": 1,
        "status": "New",
        "metadata": {"version": VERSION, "product": {"name": "assess", "vendor_name": "assess"}},
    }


def _finding(result: Result) -> dict[str, Any]:
    status_id, status = _STATUS.get(result.outcome, _UNKNOWN)
    standards = sorted({plain(each.rpartition(":")[0]) or "assess" for each in result.controls}) or ["assess"]
    return {
        **_event(int(result.started_at.timestamp() * 1000), _SEVERITIES[result.severity]),
        "compliance": {
            "standards": standards,
            "control": plain(result.check),
            "requirements": [plain(each) for each in result.controls],
            "status_id": status_id,
            "status": status,
        },
        "finding_info": {
            "uid": result.finding_id,
            "title": plain(result.title) or plain(result.check),
            "desc": plain(result.reason),
            "types": [result.subject.type],
        },
        "resources": [
            {"uid": plain(result.subject.id), "name": plain(result.subject.title), "type": result.subject.type}
        ],
        "remediation": {"desc": plain(result.remediation)},
        "status_detail": plain(result.reason),
        "unmapped": {
            "outcome": result.outcome.value,
            "result_id": result.result_id,
            "run_id": result.run_id,
            "runtime": plain(result.runtime),
            "attempts": result.attempts,
            "waiver": waiver_document(result.waiver) if result.waiver is not None else None,
        },
    }
