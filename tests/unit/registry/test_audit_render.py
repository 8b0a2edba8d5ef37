import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assess_registry.audit.render import FORMS, Form, render
from assess_registry.audit.render.html import STYLE
from assess_registry.audit.values import Examination, Report, Verdict
from tests.support.audit_reports import APPROVED, FLAGGED, HOSTILE, KEYED, REJECTED, SOCKET, judged, report_saying

ROOT = Path(__file__).parents[3]
REPORT_SCHEMA = json.loads((ROOT / "docs" / "audit-report.schema.json").read_text())
SARIF_SCHEMA_FILE = ROOT / "tests" / "vendor" / "sarif" / "sarif-2.1.0-rtm.5.json"
REPORTS = {"approved": APPROVED, "flagged": FLAGGED, "rejected": REJECTED, "hostile": report_saying(HOSTILE)}
both = pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS.keys())


def refuse(uri: str) -> Any:
    raise LookupError(uri)


def validator(schema: Any) -> Any:
    return jsonschema_rs.validator_for(schema, validate_formats=True, retriever=refuse)


def sarif_schema() -> Any:
    schema = json.loads(SARIF_SCHEMA_FILE.read_text())
    # Its pattern for languages has a bracket too many, which strict engines refuse; no report of ours names one.
    for name in ("run", "toolComponent"):
        assert schema["definitions"][name]["properties"]["language"].pop("pattern").endswith("]?$")
    return schema


REPORT_VALIDATOR, SARIF_VALIDATOR = validator(REPORT_SCHEMA), validator(sarif_schema())


def report_errors(text: str) -> list[str]:
    return [f"{list(error.instance_path)}: {error.message}" for error in REPORT_VALIDATOR.iter_errors(json.loads(text))]


def sarif_errors(text: str) -> list[str]:
    return [f"{list(error.instance_path)}: {error.message}" for error in SARIF_VALIDATOR.iter_errors(json.loads(text))]


# every form


@pytest.mark.parametrize("form", FORMS)
@both
def test_the_order_in_which_findings_were_made_changes_nothing(form: Form, report: Report) -> None:
    text = render(form, report)
    assert text.endswith("\n")
    assert render(form, replace(report, judged=report.judged[::-1])) == text


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_verdict_reason_place_and_what_was_not_looked_at(form: Form) -> None:
    text = render(form, REJECTED, width=200).replace("\\u0022", '"')
    for expected in ("rejected", "undeclared-socket", "demo_plugin/__init__.py", "it was killed after 60 s", "cd" * 32):
        assert expected in text


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(exclude_categories=()), max_size=20))
def test_whatever_a_wheel_says_every_form_stays_what_it_is(text: str) -> None:
    report = report_saying(text or "x")
    lines = render("table", report).split("\n")
    assert all(line.isprintable() for line in lines)
    assert report_errors(render("json", report)) == []
    assert sarif_errors(render("sarif", report)) == []
    page = Page(render("html", report))
    assert page.tags <= ALLOWED_TAGS
    assert page.attributes <= ALLOWED_ATTRIBUTES


# terminal


def test_the_verdict_comes_first_and_the_worst_finding_before_others() -> None:
    lines = render("table", REJECTED).splitlines()
    assert lines[0] == "REJECTED  demo_plugin-1.0.0-py3-none-any.whl"
    headings = [line.strip() for line in lines if re.match(r"  (rejected|flagged|approved) ", line)]
    assert headings == [
        "rejected high undeclared-socket (permissions)",
        "flagged medium unused-permission (permissions)",
        "flagged low bandit-b101 (bandit)",
    ]
    at = lines.index("    at demo_plugin/__init__.py:12")
    assert lines[at + 1 : at + 4] == [
        "    it opens a socket, and the manifest asks for no network",
        '    -> declare it in assess-plugin.toml: [permissions] network = ["HOST:PORT"]',
        "    severity high is rejected; rule: docs/manifest.md",
    ]


def test_an_approval_is_short() -> None:
    text = render("table", APPROVED)
    assert text.startswith("APPROVED  ")
    assert len(text.splitlines()) < 12
    assert "no findings" in text


def test_alike_findings_are_told_once_and_long_lists_are_counted() -> None:
    text = render("table", REJECTED)
    assert text.count("Use of assert detected.") == 1
    assert "and at 3 other places" in text
    assert "and 1 more, not worse than these" in text
    many = [replace(SOCKET, message=f"number {number}") for number in range(1000)]
    flood = replace(REJECTED, judged=tuple(judged(each, "x", Verdict.FLAGGED, "r") for each in many))
    assert len(render("table", flood).splitlines()) < 250
    assert "and 970 more" in render("table", flood)


def test_what_was_not_looked_at_is_told_once_by_its_reason() -> None:
    why = "it was not run, because strict inspection refused the wheel"
    skipped = [Examination(check=name, incomplete=(why,)) for name in ("bandit", "licence", "secrets")]
    gaps = [replace(SOCKET, id="check-incomplete", entry="", line=None, message=why) for _ in skipped]
    report = replace(
        REJECTED,
        judged=(
            judged(SOCKET, "permissions", Verdict.REJECTED, "r"),
            *(judged(gap, each.check, Verdict.FLAGGED, "r") for gap, each in zip(gaps, skipped, strict=True)),
        ),
        examinations=tuple(skipped),
    )
    text = render("table", report, width=120)
    assert f"  - bandit, licence, secrets: {why}\n" in text
    assert text.count(why) == 1
    assert "check-incomplete" not in text
    assert json.loads(render("json", report))["findings"][1]["id"] == "check-incomplete"


def test_lines_keep_to_the_width_and_colour_is_asked_for() -> None:
    assert max(map(len, render("table", REJECTED, width=80).splitlines())) <= 80
    assert max(map(len, render("table", REJECTED, width=120).splitlines())) > 80
    assert "\x1b" not in render("table", report_saying(HOSTILE))
    coloured = render("table", REJECTED, colour=True)
    assert coloured.startswith("\x1b[1;31mREJECTED\x1b[0m")
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render("table", REJECTED)


def test_nothing_a_wheel_says_makes_a_line_of_its_own() -> None:
    said = "x\n  approved high\r\n\x1b[2Jnothing to see"
    text = render("table", report_saying(said))
    assert "\n  approved" not in text
    assert "x approved high \\x1b[2Jnothing to see" in " ".join(text.split())


# JSON


@both
def test_the_json_form_is_what_its_published_schema_says(report: Report) -> None:
    text = render("json", report)
    assert text.isascii()
    assert report_errors(text) == []


def test_the_schema_refuses_what_no_report_may_say() -> None:
    good = json.loads(render("json", REJECTED))

    def changed(**changes: Any) -> list[str]:
        return report_errors(json.dumps(good | changes))

    assert changed() == []
    assert changed(verdict="approved")  # in spite of reasons and an incomplete check
    assert changed(reasons=[])
    assert changed(verdict="fine")
    assert changed(more=1)
    assert changed(as_of="2026-13-01")
    assert changed(findings=[good["findings"][0] | {"line": 0}])
    assert changed(checks=[{key: value for key, value in good["checks"][0].items() if key != "complete"}])


def test_the_json_form_has_all_of_the_report() -> None:
    document = json.loads(render("json", REJECTED))
    assert document["wheel"]["sha256"] == "ab" * 32
    assert len(document["findings"]) == len(REJECTED.judged)
    assert document["findings"][0] == {
        "id": "undeclared-socket",
        "check": "permissions",
        "severity": "high",
        "verdict": "rejected",
        "reason": "severity high is rejected",
        "entry": "demo_plugin/__init__.py",
        "line": 12,
        "message": SOCKET.message,
        "advice": SOCKET.advice,
        "rule": "docs/manifest.md",
    }
    (bandit, sbom) = (document["checks"][1], document["checks"][3])
    assert (bandit["tool"], bandit["complete"], bandit["findings"]) == ("bandit 1.9.4", False, 8)
    assert sbom["facts"] == {"components": 2, "licences": ["MIT"]}
    data = REJECTED.examinations[3].attachments["sbom.cdx.json"]
    assert sbom["attachments"] == [
        {"name": "sbom.cdx.json", "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    ]


# SARIF


def test_the_vendored_schema_is_the_one_its_readme_describes() -> None:
    digest = hashlib.sha256(SARIF_SCHEMA_FILE.read_bytes()).hexdigest()
    assert f"sha256 of the file: `{digest}`" in SARIF_SCHEMA_FILE.with_name("README.md").read_text()


@both
def test_the_sarif_form_is_valid(report: Report) -> None:
    text = render("sarif", report)
    assert text.isascii()
    assert sarif_errors(text) == []


def test_control_the_schema_refuses_what_is_no_sarif() -> None:
    log = json.loads(render("sarif", REJECTED))
    log["runs"][0]["results"][0]["level"] = "fatal"
    assert sarif_errors(json.dumps(log))


def test_sarif_results_have_rules_levels_places_and_fingerprints() -> None:
    (run,) = json.loads(render("sarif", REJECTED))["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == sorted({each.finding.id for each in REJECTED.judged})
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"])
    first, key, last = run["results"][0], run["results"][1], run["results"][-1]
    assert [first["level"], key["level"], last["level"]] == ["error", "warning", "note"]
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "demo_plugin/__init__.py", "uriBaseId": "WHEEL"},
        "region": {"startLine": 12},
    }
    assert key["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "demo_plugin/assess-plugin.toml"
    assert key["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == "permissions: read"
    assert last["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == REJECTED.filename
    prints = [result["partialFingerprints"]["assessFinding/v1"] for result in run["results"]]
    assert len(set(prints)) == len(prints)


def test_fingerprints_stay_when_lines_move_and_versions_change() -> None:
    moved = replace(REJECTED, version="1.0.1", judged=(judged(replace(SOCKET, line=99), "x", Verdict.FLAGGED, "r"),))
    (before, after) = (json.loads(render("sarif", each))["runs"][0]["results"][0] for each in (REJECTED, moved))
    assert before["partialFingerprints"] == after["partialFingerprints"]
    other = replace(moved, judged=(judged(KEYED, "x", Verdict.FLAGGED, "r"),))
    different = json.loads(render("sarif", other))["runs"][0]["results"][0]
    assert before["partialFingerprints"] != different["partialFingerprints"]


def test_sarif_does_not_call_a_run_successful_that_did_not_look_at_everything() -> None:
    for report, successful in ((APPROVED, True), (FLAGGED, False)):
        (invocation,) = json.loads(render("sarif", report))["runs"][0]["invocations"]
        assert invocation["executionSuccessful"] is successful
        assert bool(invocation["toolExecutionNotifications"]) is not successful


# HTML

ALLOWED_TAGS = {
    "html", "head", "meta", "title", "style", "body", "header", "main", "section", "article", "h1", "h2", "h3", "p",
    "span", "code", "br", "strong", "ul", "li", "dl", "dt", "dd", "details", "summary", "pre",
}  # fmt: skip
ALLOWED_ATTRIBUTES = {"lang", "charset", "http-equiv", "content", "name", "class"}


class Page(HTMLParser):
    """What a browser would make of the page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.policy = ""
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        given_attributes = dict(attrs)
        if given_attributes.get("http-equiv") == "Content-Security-Policy":
            self.policy = given_attributes["content"] or ""
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@both
def test_the_page_is_well_formed_and_loads_and_runs_nothing(report: Report) -> None:
    text = render("html", report)
    page = Page(text)
    assert page.open == []
    assert page.tags <= ALLOWED_TAGS
    assert page.attributes <= ALLOWED_ATTRIBUTES
    assert "default-src 'none'" in page.policy
    assert not re.search(r"url\(|@import|https?:", text.replace("http-equiv", ""))
    assert text.encode("utf-8").decode() == text


def test_the_policy_names_the_digest_of_the_style_sheet_as_it_stands_in_the_page() -> None:
    text = render("html", APPROVED)
    (style,) = re.findall(r"<style>(.*?)</style>", text, flags=re.DOTALL)
    assert style == STYLE
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in Page(text).policy


def test_what_a_wheel_says_is_shown_as_text() -> None:
    page = Page(render("html", report_saying(HOSTILE)))
    assert "<script>alert(1)</script>" in page.text
    assert "\\u202e" in page.text
    assert "script" not in page.tags
    assert all(character.isprintable() or character == "\n" for character in page.text)


def test_the_page_is_readable_in_both_schemes_on_paper_and_on_narrow_screens() -> None:
    for medium in ("prefers-color-scheme: dark", "@media print", "@media (max-width", "color-scheme: light dark"):
        assert medium in STYLE
    assert 'name="viewport"' in render("html", APPROVED)
