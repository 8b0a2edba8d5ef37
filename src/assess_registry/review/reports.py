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

SCHEMA = 1


def reports_document(reports: Iterable[Report]) -> bytes:
    """The reports as `audit.json`; the same reports in any order give the same bytes."""
    texts = [render("json", each) for each in sorted(reports, key=lambda each: each.filename)]
    if len(texts) == 1:
        return texts[0].encode()
    document = {"schema": SCHEMA, "reports": [json.loads(text) for text in texts]}
    return (json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False) + "\n").encode()


def verdict_and_day(data: bytes, sha256: str) -> tuple[str, date]:
    """What an `audit.json` says of the wheel with this digest: the verdict, and the day it is of.

    Raises:
        ValueError: it is no such document, or has no report on the wheel.
    """
    try:
        document: Any = json.loads(data)
        reports = document.get("reports", [document])
        found = [each for each in reports if each["wheel"]["sha256"] == sha256]
        if len(found) != 1:
            raise ValueError(f"{len(found)} reports on the wheel")
        return str(found[0]["verdict"]), date.fromisoformat(found[0]["as_of"])
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a report: {error!r}") from error
