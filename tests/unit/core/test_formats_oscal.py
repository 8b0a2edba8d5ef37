"""OSCAL: its grammars, its references, and what our outcomes become in its words."""

import copy
import re
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assess_core.formats.oscal import document, faults, render
from assess_core.formats.oscal.words import control, markup, props, token, value
from assess_core.results import ResultOutcome, Run
from tests.support.examples import examples
from tests.support.results import (
    DIGEST,
    HOSTILE,
    WAIVER,
    hostile_run,
    make_assessment,
    make_result,
    make_run,
    runs,
    with_evidence,
)

TOKEN = re.compile(r"[A-Za-z_][A-Za-z0-9._-]*\Z")
VALUE = re.compile(r"\S(.*\S)?\Z")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")


def content(run: Run) -> Any:
    return document(run)["assessment-results"]


def finding_of(outcome: ResultOutcome) -> Any:
    found = content(make_run(results=(make_result(check="check-b"), make_result(outcome=outcome, reason="why"))))
    return next((f for f in found["results"][0]["findings"] if f["target"]["target-id"] == "check-a"), None)


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (ResultOutcome.PASS, {"state": "satisfied", "reason": "pass"}),
        (ResultOutcome.FAIL, {"state": "not-satisfied", "reason": "fail"}),
        (ResultOutcome.SKIPPED, {"state": "not-satisfied", "reason": "other", "remarks": "skipped: why"}),
        (ResultOutcome.ERROR, {"state": "not-satisfied", "reason": "other", "remarks": "error: why"}),
        (ResultOutcome.TIMEOUT, {"state": "not-satisfied", "reason": "other", "remarks": "timeout: why"}),
    ],
)
def test_only_a_pass_is_satisfied(outcome: ResultOutcome, status: dict[str, str]) -> None:
    finding = finding_of(outcome)
    assert finding["target"]["status"] == status
    assert ("related-risks" in finding) == (outcome is ResultOutcome.FAIL)
    assert finding["uuid"] == make_result().finding_id


def test_what_is_not_applicable_is_observed_and_is_no_finding() -> None:
    assert finding_of(ResultOutcome.NOT_APPLICABLE) is None
    run = make_run(results=(make_result(), make_result(check="b", outcome=ResultOutcome.NOT_APPLICABLE, reason="none")))
    result = content(run)["results"][0]
    assert len(result["observations"]) == 2
    assert len(result["findings"]) == 1


def test_a_check_that_two_assessments_share_is_one_finding_and_the_failure_decides() -> None:
    both = (make_assessment(), make_assessment(assessment="b"))
    failed = make_result(assessment="b", outcome=ResultOutcome.FAIL)
    for other in ResultOutcome:
        run = make_run(assessments=both, results=(make_result(outcome=other, reason="why"), failed))
        finding = content(run)["results"][0]["findings"][0]
        assert finding["target"]["status"]["reason"] == "fail"
        assert len(finding["related-observations"]) == 2


def test_an_incomplete_run_does_not_read_like_a_clean_one() -> None:
    for run in (
        make_run(assessments=(), results=()),
        make_run(results=()),
        make_run(assessments=(make_assessment(problem="the plugin did not start"),)),
    ):
        last = content(run)["results"][0]["findings"][-1]
        assert last["target"]["target-id"] == "complete-run"
        assert last["target"]["status"]["state"] == "not-satisfied"
    assert all(f["target"]["target-id"] != "complete-run" for f in content(make_run())["results"][0]["findings"])


def test_controls_are_selected_by_framework_as_tokens() -> None:
    controls = ("nist-800-53:AC-6(2)", "nist-800-53:cm-6", "cis-debian-12:1.5.4")
    selections = content(make_run(results=(make_result(controls=controls),)))["results"][0]["reviewed-controls"]
    assert [
        (selection["props"][0]["value"], [one["control-id"] for one in selection["include-controls"]])
        for selection in selections["control-selections"]
    ] == [("cis-debian-12", ["cis-debian-12-1.5.4"]), ("nist-800-53", ["ac-6.2", "cm-6"])]


def test_evidence_is_a_resource_with_its_digest() -> None:
    results = (make_result(evidence=with_evidence(DIGEST)), make_result(check="b", evidence=with_evidence(DIGEST)))
    found = content(make_run(results=results))
    resource = found["back-matter"]["resources"][-1]
    assert resource["rlinks"][0]["hashes"] == [{"algorithm": "SHA-256", "value": DIGEST}]
    assert resource["rlinks"][0]["href"].startswith("ni:///sha-256;u7u7")
    links = [item["href"] for one in found["results"][0]["observations"] for item in one["relevant-evidence"]]
    assert links == [f"#{resource['uuid']}"] * 2
    assert len(found["back-matter"]["resources"]) == 2


def _walk(item: Any, key: str = "") -> Any:
    yield key, item
    children = (
        item.items() if isinstance(item, dict) else ((key, one) for one in item) if isinstance(item, list) else ()
    )
    for name, child in children:
        yield from _walk(child, name)


@pytest.mark.parametrize("run", [hostile_run(), make_run(), make_run(assessments=(), results=())])
def test_every_value_keeps_to_its_grammar(run: Run) -> None:
    for key, item in _walk(document(run)):
        assert item not in ([], "", None), key
        match key:
            case "uuid":
                assert UUID(item).version == 5
            case "target-id" | "control-id":
                assert TOKEN.match(item)
            case "value":
                assert VALUE.match(item)
            case "start" | "end" | "collected" | "last-modified":
                assert TIME.match(item)
    assert faults(document(run)) == ()


@settings(max_examples=25, deadline=None)
@given(runs())
def test_no_reference_leads_nowhere(run: Run) -> None:
    assert faults(document(run)) == ()


def test_dangling_references_double_uuids_and_malformed_hashes_are_found() -> None:
    good = document(make_run(results=(make_result(outcome=ResultOutcome.FAIL, evidence=with_evidence(DIGEST)),)))
    result = good["assessment-results"]["results"][0]
    uuid = result["observations"][0]["uuid"]
    assert faults(good) == ()

    dangling = copy.deepcopy(good)
    del dangling["assessment-results"]["results"][0]["observations"]
    assert faults(dangling) == (f"uuid {uuid} is referred to and not there",)

    without_resources = copy.deepcopy(good)
    del without_resources["assessment-results"]["back-matter"]
    assert len(faults(without_resources)) == 2

    double = copy.deepcopy(good)
    double["assessment-results"]["results"][0]["observations"] *= 2
    assert faults(double) == (f"uuid {uuid} is there 2 times",)

    odd = copy.deepcopy(good)
    odd["assessment-results"]["back-matter"]["resources"][-1]["rlinks"][0]["hashes"][0]["value"] = "B" * 64
    assert faults(odd) == (f"'{'B' * 64}' is no sha256",)


def test_a_document_with_faults_is_not_handed_out() -> None:
    bad = make_run(results=(make_result(evidence=with_evidence("AB" * 32)),))
    with pytest.raises(RuntimeError, match="is no sha256"):
        render(bad)
    assert render(make_run(results=(make_result(evidence=with_evidence("ab" * 32)),)))


def test_equal_runs_give_equal_bytes_and_other_runs_other_documents() -> None:
    assert render(hostile_run()) == render(hostile_run())
    later = replace(make_run(), ended_at=make_run().ended_at.replace(year=2027))
    assert content(later)["uuid"] != content(make_run())["uuid"]


@settings(max_examples=examples(50))
@given(st.text(max_size=10) | st.sampled_from(["1.1.1", "", "-", "ac-6(2)", HOSTILE]))
def test_words_keep_to_their_grammars(text: str) -> None:
    assert TOKEN.match(token(text, "check"))
    assert all(TOKEN.match(part) for part in control(text))
    assert value(text) == "" or VALUE.match(value(text))
    assert set(re.sub(r"\\.", "", markup(text))).isdisjoint("<>[]{}`*~^\\")


def test_words_by_example() -> None:
    assert token("1.1.1", "cis") == "cis-1.1.1"
    assert token("sshd-root", "check") == "sshd-root"
    assert control("nist-800-53:AC-6(2)") == ("nist-800-53", "ac-6.2")
    assert markup("<b>[x](y) {{ insert }}") == r"\<b\>\[x\](y) \{\{ insert \}\}"
    assert props(a_b="x", empty="", missing=None, yes=True)["props"] == [
        {"name": "a-b", "ns": "urn:assess-runtime:oscal", "value": "x"},
        {"name": "yes", "ns": "urn:assess-runtime:oscal", "value": "true"},
    ]
    assert props(empty=" ") == {}


def test_a_waived_failure_is_a_risk_that_is_accepted_until_a_day_and_a_finding_that_is_not_satisfied() -> None:
    failed = make_result(outcome=ResultOutcome.FAIL)
    waived = replace(failed, waiver=WAIVER)
    for result, status in ((failed, "open"), (waived, "deviation-approved")):
        (said,) = document(make_run(results=(result,)))["assessment-results"]["results"]
        (risk,) = said["risks"]
        assert risk["status"] == status
        assert said["findings"][0]["target"]["status"] == {"state": "not-satisfied", "reason": "fail"}
        assert ("deadline" in risk) is ("risk-log" in risk) is (status != "open")
    assert risk["deadline"] == "2027-03-31T23:59:59.999Z"
    (entry,) = risk["risk-log"]["entries"]
    assert {"name": "type", "value": "dr-approved"} in entry["props"]
    assert entry["status-change"] == "deviation-approved"
    assert entry["title"] == "Waived by ops@example.org"


def test_a_risk_is_accepted_only_if_each_failure_of_it_is() -> None:
    results = tuple(
        make_result(assessment=name, outcome=ResultOutcome.FAIL, waiver=waiver)
        for name, waiver in (("host", WAIVER), ("other", None))
    )
    run = make_run(results=results, assessments=(make_assessment(), make_assessment(assessment="other")))
    (risk,) = document(run)["assessment-results"]["results"][0]["risks"]
    assert risk["status"] == "open"
