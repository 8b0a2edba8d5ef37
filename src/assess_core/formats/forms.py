"""Which forms there are. Each is one module with a pure `render`; the run decides what is said, the form only how."""

from assess_core.formats import csv_table, html, json_document, jsonl, junit, ocsf, oscal, sarif, table
from assess_core.results import Run, Severity

FORMATS: tuple[str, ...] = ("table", "json", "jsonl", "oscal", "sarif", "junit", "ocsf", "csv", "html")
"""The default first."""

WIDTH = 80
"""Columns of a table where nobody says how wide the terminal is."""


def render(form: str, run: Run, *, fail_on: Severity | None, colour: bool = False, width: int = WIDTH) -> str:
    """The run in this form, ending with a line break.

    Args:
        form: one of `FORMATS`.
        run: what was assessed.
        fail_on: from which severity on a failed check counts as a finding; None never.
        colour: whether a table may use terminal colours; other forms have none.
        width: columns of a table.

    Raises:
        ValueError: there is no such form.
    """
    match form:
        case "table":
            return table.render(run, fail_on=fail_on, colour=colour, width=width)
        case "json":
            return json_document.render(run, fail_on=fail_on)
        case "jsonl":
            return jsonl.render(run, fail_on=fail_on)
        case "oscal":
            return oscal.render(run)
        case "sarif":
            return sarif.render(run, fail_on=fail_on)
        case "junit":
            return junit.render(run)
        case "ocsf":
            return ocsf.render(run)
        case "csv":
            return csv_table.render(run)
        case "html":
            return html.render(run, fail_on=fail_on)
        case _:
            raise ValueError(f"{form!r} is not one of {', '.join(FORMATS)}")
