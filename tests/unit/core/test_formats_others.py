"""JSONL, SARIF, JUnit, OCSF, CSV and HTML: each valid by its own grammar, and no better than the run was."""

import csv
import json
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from typing import Any
from xml.etree import ElementTree as Xml

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assess_core.formats import json_document, render
from assess_core.formats.csv_table import COLUMNS
from assess_core.results import SEVERITIES, ResultOutcome, Run, Severity
from tests.support.checkout import ROOT
from tests.support.results import WAIVER, hostile_run, make_assessment, make_result, make_run, runs

FAIL_ON = st.sampled_from([None, *SEVERITIES])
SCHEMA = json.loads((ROOT / "tests" / "vendor" / "sarif" / "sarif-2.1.0-rtm.5.json").read_text())
# Its pattern for languages has a bracket too many, which strict engines refuse; no run of ours names one.
for _name in ("run", "toolComponent"):
    del SCHEMA["definitions"][_name]["properties"]["language"]["pattern"]


def sarif(run: Run, fail_on: Severity | None = "low") -> dict[str, Any]:
    (said,) = json.loads(render("sarif", run, fail_on=fail_on))["runs"]
    whole: dict[str, Any] = said
    return whole


def junit(run: Run) -> Xml.Element:
    return Xml.fromstring(render("junit", run, fail_on="low").encode())


def ocsf(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in render("ocsf", run, fail_on="low").splitlines()]


class Page(HTMLParser):
    """The tags of a page and what stands in each row of its table."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.classes: Counter[str] = Counter()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes |= {name for name, _ in attrs}
        if tag in {"td", "p"}:
            self.classes[dict(attrs).get("class") or ""] += 1

    def handle_data(self, data: str) -> None:
        self.text += data


def page(run: Run) -> Page:
    return Page(render("html", run, fail_on="low"))


def rows(run: Run) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(render("csv", run, fail_on="low"))))


@settings(max_examples=25, deadline=None)
@given(runs(), FAIL_ON)
def test_each_counts_what_the_run_counts(run: Run, fail_on: Severity | None) -> None:
    counts = {outcome.value: count for outcome, count in run.counts.items() if count}
    incomplete = bool(run.shortcomings())
    head, *lines = map(json.loads, render("jsonl", run, fail_on=fail_on).splitlines())
    assert head["run"] == json_document.document(run, fail_on=fail_on)["run"]
    assert Counter(each["outcome"] for each in lines) == counts
    said = sarif(run, fail_on)
    assert Counter(each["properties"]["outcome"] for each in said["results"]) == counts
    assert Counter(each["kind"] for each in said["results"])["pass"] == counts.get("pass", 0)
    assert said["invocations"][0]["executionSuccessful"] is not incomplete
    assert said["invocations"][0]["exitCode"] == run.exit_code(fail_on)
    suites = junit(run)
    cases = suites.findall("testsuite/testcase")
    green = [case for case in cases if all(case.find(bad) is None for bad in ("failure", "error", "skipped"))]
    assert len(green) == counts.get("pass", 0)
    assert len(cases) == len(run.results) + len(run.shortcomings())
    assert int(suites.attrib["failures"]) == counts.get("fail", 0)
    assert (int(suites.attrib["errors"]) > 0) is incomplete
    found = [event for event in ocsf(run) if event["unmapped"]["outcome"] != "incomplete"]
    assert Counter(event["unmapped"]["outcome"] for event in found) == counts
    assert sum(event["compliance"]["status"] == "Pass" for event in ocsf(run)) == counts.get("pass", 0)
    assert (len(ocsf(run)) > len(found)) is incomplete
    classes = page(run).classes
    assert {outcome: classes[outcome] for outcome in counts} == counts
    assert (classes["incomplete"] > 0) is incomplete
    table = rows(run)
    assert Counter(row["outcome"] for row in table if row["outcome"] != "incomplete") == counts
    assert any(row["outcome"] == "incomplete" for row in table) is incomplete


@settings(max_examples=25, deadline=None)
@given(runs())
def test_sarif_keeps_to_its_schema(run: Run) -> None:
    jsonschema_rs.validate(SCHEMA, json.loads(render("sarif", run, fail_on="low")))


def test_control_the_schema_refuses_what_is_no_sarif() -> None:
    log = json.loads(render("sarif", make_run(), fail_on="low"))
    log["runs"][0]["results"][0]["kind"] = "skipped"
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validate(SCHEMA, log)


def test_hostile_text_breaks_none_of_them() -> None:
    run = hostile_run()
    jsonschema_rs.validate(SCHEMA, json.loads(render("sarif", run, fail_on="low")))
    assert len(junit(run).findall("testsuite/testcase")) == len(run.results) + len(run.shortcomings())
    table = rows(run)
    assert list(table[0]) == list(COLUMNS)
    assert len(table) == len(run.results) + len(run.shortcomings())
    assert "<script>" not in render("junit", run, fail_on="low")
    assert len(ocsf(run)) == len(run.results) + len(run.shortcomings())
    shown = page(run)
    assert set(shown.tags) == {
        "html", "head", "meta", "title", "style", "body", "h1", "p", "table", "tr", "th", "td", "br", "span"
    }  # fmt: skip
    assert shown.attributes == {"lang", "charset", "http-equiv", "content", "name", "class"}
    assert "<script>alert(1)</script>" in shown.text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1", "\uff1d1"])
def test_a_cell_is_never_a_formula(text: str) -> None:
    result = make_result(outcome=ResultOutcome.FAIL, reason=text, actual=text, title=text, remediation=text)
    (row,) = rows(make_run(results=(result,)))
    for cell in row.values():
        assert not cell.lstrip().startswith(("=", "+", "-", "@", "\uff1d"))
    (row,) = rows(make_run(results=(replace(result, reason="3 - 1 = 2"),)))
    assert row["reason"] == "3 - 1 = 2"


@pytest.mark.parametrize(
    "text", ["a;=1+1", "a; =1+1", 'a;"=1+1"', "a;;@SUM(A1)", "a,b;+1", "a|-1", "a;\uff1d1", ";=;="]
)
def test_a_cell_is_none_where_spreadsheets_split_at_semicolons_either(text: str) -> None:
    result = make_result(outcome=ResultOutcome.FAIL, reason=text, actual=text, title=text)
    result = replace(result, attempts=3, earlier=(text, "=1+1"))
    for delimiter in (";", "|"):
        lines = render("csv", make_run(results=(result,)), fail_on="low").splitlines()
        for cell in (cell for row in csv.reader(lines, delimiter=delimiter) for cell in row):
            assert not cell.strip(' "').startswith(("=", "+", "-", "@", "\uff1d")), cell
    (row,) = rows(make_run(results=(replace(result, reason="a;b = 1; c"),)))
    assert row["reason"] == "a;b = 1; c", "the control: what is no formula is as it was"


def test_a_waived_failure_is_one_in_each_of_them_and_says_who_answers_for_it() -> None:
    failed = make_result(outcome=ResultOutcome.FAIL, reason="it is 0")
    for result in (failed, replace(failed, waiver=WAIVER)):
        run = make_run(results=(result,))
        waived = result.waiver is not None
        (said,) = sarif(run)["results"]
        assert (said["kind"], said["level"]) == ("fail", "warning")
        assert ("suppressions" in said) is waived
        (failure,) = junit(run).findall("testsuite/testcase/failure")
        assert ("waived until 2027-03-31 by ops@example.org" in str(failure.text)) is waived
        (row,) = rows(run)
        assert row["outcome"] == "fail"
        assert (row["waived_by"], row["waived_until"]) == (("ops@example.org", "2027-03-31") if waived else ("", ""))
        (event,) = ocsf(run)
        assert event["compliance"]["status"] == "Fail"
        assert (event["unmapped"]["waiver"] is not None) is waived
        shown = page(run)
        assert shown.classes["fail"] == 1
        assert ("waived until 2027-03-31 by ops@example.org, and still a failure" in shown.text) is waived
        line = json.loads(render("jsonl", run, fail_on="low").splitlines()[1])
        assert (line["outcome"], line["waiver"] is not None) == ("fail", waived)
    (suppression,) = said["suppressions"]
    assert suppression == {
        "kind": "external",
        "status": "accepted",
        "justification": "waived until 2027-03-31 by ops@example.org, and still a failure: legacy agent, CHG-1182",
    }


def test_a_run_that_assessed_nothing_is_green_in_none_of_them() -> None:
    for run in (make_run(assessments=(), results=()), make_run(assessments=(make_assessment(problem="why"),))):
        assert int(junit(run).attrib["errors"]) == 1
        assert rows(run)[0]["outcome"] == "incomplete"
        assert ocsf(run)[0]["compliance"]["status"] == "Unknown"
        assert page(run).classes["incomplete"] == 1
        assert not sarif(run)["invocations"][0]["executionSuccessful"]
        assert json.loads(render("jsonl", run, fail_on="low").splitlines()[0])["run"]["exit"] == 4
