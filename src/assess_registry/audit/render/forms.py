"""One door to all forms of a report.

render("table", report, colour=True, width=100)
"""

from typing import Literal, get_args

from assess_registry.audit.render.html import render_html
from assess_registry.audit.render.json_report import render_json
from assess_registry.audit.render.markdown import render_markdown
from assess_registry.audit.render.sarif import render_sarif
from assess_registry.audit.render.terminal import render_terminal
from assess_registry.audit.values import Report

Form = Literal["table", "json", "sarif", "html", "markdown"]

FORMS: tuple[Form, ...] = get_args(Form)


def render(form: Form, report: Report, *, colour: bool = False, width: int = 80) -> str:
    """The report in this form, ending with a line break; colour and width are for `table` alone."""
    match form:
        case "table":
            return render_terminal(report, colour=colour, width=width)
        case "json":
            return render_json(report)
        case "sarif":
            return render_sarif(report)
        case "html":
            return render_html(report)
        case "markdown":
            return render_markdown(report)
