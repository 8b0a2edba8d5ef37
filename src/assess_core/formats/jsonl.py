"""A JSON document a line: first the run, then each result, as in the JSON form; for programs that read as it comes.

The first line is the run because a list of results alone does not show what was not assessed.
"""

import json
from typing import Any

from assess_core.formats.json_document import document
from assess_core.results import Run, Severity
from assess_registry.client import valid


def render(run: Run, *, fail_on: Severity | None) -> str:
    """`{"schema": 1, "run": {...}}`, then a result a line, in ASCII."""
    whole = document(run, fail_on=fail_on)
    head = {"schema": whole["schema"], "run": whole["run"]}
    return "".join(_line(each) for each in (head, *whole["results"]))


def _line(value: Any) -> str:
    return json.dumps(valid(value), allow_nan=False, separators=(",", ":")) + "\n"
