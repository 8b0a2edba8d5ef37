"""The report as a comment: whatever a wheel says stays inside its fence."""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assess_registry.audit.render import render
from assess_registry.audit.render.markdown import MAX_CHARS
from assess_registry.audit.values import Report
from tests.support.audit_reports import APPROVED, FLAGGED, REJECTED, report_saying


def fenced(text: str) -> tuple[str, str]:
    """Heading and content of a comment that is one heading and one fenced block, as CommonMark reads it."""
    match = re.fullmatch(r"# ([^\n]+)\n\n(`{3,})text\n(.*?)\n\2`*\n(.*)", text, re.DOTALL)
    assert match is not None, text
    assert match[4] == "", "something stands behind the fence"
    assert match[2] not in match[3]
    return match[1], match[3]


@pytest.mark.parametrize("report", [APPROVED, FLAGGED, REJECTED], ids=["approved", "flagged", "rejected"])
def test_the_first_line_is_a_title_that_names_these_bytes(report: Report) -> None:
    heading, content = fenced(render("markdown", report))
    assert heading == f"{report.verdict.capitalize()}: {report.filename} sha256:{report.sha256}"
    assert content.splitlines()[0].startswith(report.verdict.upper())


@pytest.mark.parametrize(
    "text",
    ["```", "````\n# x", "@everyone", "fixes #1", "<img src=x onerror=alert(1)>", "[a](javascript:x)", "~~~", "`" * 99],
)
def test_markdown_in_a_wheel_is_text(text: str) -> None:
    _, content = fenced(render("markdown", report_saying(text)))
    assert text.split("\n", maxsplit=1)[0] in content


@settings(max_examples=40, deadline=None)
@given(st.text("`~#@<[]()\n\\ x\x1b\u202e", min_size=1, max_size=60))
def test_nothing_gets_out_of_the_fence(text: str) -> None:
    fenced(render("markdown", report_saying(text)))


def test_a_filename_cannot_be_markup_either() -> None:
    heading, _ = fenced(render("markdown", replace(FLAGGED, filename="a\n`@x`<b>.whl")))
    assert heading.startswith("Flagged: a???x??b?.whl sha256:")


def test_a_giant_report_is_cut_at_a_line_and_says_so() -> None:
    many = replace(FLAGGED, reasons=tuple(f"reason {number} " + "x" * 200 for number in range(1000)))
    text = render("markdown", many)
    _, content = fenced(text)
    assert len(text) < MAX_CHARS + 500
    assert content.splitlines()[-1] == "… the report goes on; the other forms have all of it"
