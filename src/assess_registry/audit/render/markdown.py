"""The report as a comment or an issue of a code host: one heading, and the terminal's report in a fenced block.

Inside a fence nothing of what a wheel says is read as Markdown: no link, no image, no `@name` that calls somebody, no
`fixes #1` that closes something. A fence is longer than every run of backticks in it, so nothing gets out.

The first line is the title, and the same for the same bytes with the same verdict: `# Flagged: NAME sha256:…`.
"""

import re

from assess_registry.audit.render.terminal import render_terminal
from assess_registry.audit.values import Report

MAX_CHARS = 60_000
"""What is kept of the report; code hosts take 65,536 characters of a comment."""

_WIDTH = 100
_MAX_NAME = 150
_PLAIN = re.compile(r"[^A-Za-z0-9._+-]")
_CUT = "… the report goes on; the other forms have all of it\n"


def render_markdown(report: Report) -> str:
    """The report as Markdown."""
    text = render_terminal(report, colour=False, width=_WIDTH)
    if len(text) > MAX_CHARS:
        text = text[: MAX_CHARS - len(_CUT)].rpartition("\n")[0] + "\n" + _CUT
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    fence = max(fence, "```", key=len)
    name = _PLAIN.sub("?", report.filename)[:_MAX_NAME]
    return f"# {report.verdict.capitalize()}: {name} sha256:{report.sha256}\n\n{fence}text\n{text}{fence}\n"
