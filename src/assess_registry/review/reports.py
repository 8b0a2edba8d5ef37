"""`audit.json` of a release: the report on its wheel, or the reports on its wheels where it has several.

    {"schema": 1, "wheel": {...}, "verdict": "approved", ...}          one wheel: docs/audit-report.schema.json
    {"schema": 1, "reports": [{"schema": 1, "wheel": ...}, ...]}       several, in the order of their filenames

A release has one `audit.json`, which every one of its verdicts names by digest.
"""

import json
from collections.abc import Iterable
from datetime import date
from typing import Any

from assess_registry.audit.render import render
from assess_registry.audit.values import Report
from assess_registry.strict_json import parse_json

SCHEMA = 1
MAX_DEPTH = 32
"""Of nesting; whoever can write into a submission can leave a document there that nobody's reader survives."""


def reports_document(reports: Iterable[Report]) -> bytes:
    """The reports as `audit.json`; the same reports in any order give the same bytes."""
    texts = [render("json", each) for each in sorted(reports, key=lambda each: each.filename)]
    if len(texts) == 1:
        return texts[0].encode()
    document = {"schema": SCHEMA, "reports": [json.loads(text) for text in texts]}
    return (json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False) + "\n").encode()


def without_verdict(reason: str, verdict: str) -> str:
    """The reason, where the verdict has just been said: of a flagged wheel `Flagged: it is odd` is `it is odd`."""
    return reason.removeprefix(f"{verdict.capitalize()}: ")


def reasons_of(data: bytes, sha256: str) -> tuple[str, ...]:
    """Why the wheel with this digest was not simply approved, by an `audit.json`.

    Raises:
        ValueError: it is no such document, or has no report on the wheel.
    """
    try:
        return tuple(str(each) for each in _report(data, sha256)["reasons"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a report: {error!r}") from error


def verdict_and_day(data: bytes, sha256: str) -> tuple[str, date]:
    """What an `audit.json` says of the wheel with this digest: the verdict, and the day it is of.

    Raises:
        ValueError: it is no such document, or has no report on the wheel.
    """
    try:
        found = _report(data, sha256)
        return str(found["verdict"]), date.fromisoformat(found["as_of"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a report: {error!r}") from error


def _report(data: bytes, sha256: str) -> Any:
    document = parse_json(data, max_depth=MAX_DEPTH)
    try:
        found = [each for each in document.get("reports", [document]) if each["wheel"]["sha256"] == sha256]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a report: {error!r}") from error
    if len(found) != 1:
        raise ValueError(f"{len(found)} reports on the wheel")
    return found[0]
