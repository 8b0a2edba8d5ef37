"""Our OSCAL documents, judged by somebody else's program: compliance-trestle, named by `ASSESS_TRESTLE`."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from assess_core.formats import render
from assess_core.results import ResultOutcome, Run
from tests.acceptance.conftest import Validate
from tests.support.checkout import Checkout
from tests.support.results import WAIVER, hostile_run, make_assessment, make_result, make_run, make_standing

VALID, INVALID = 0, 4
"""Exit codes of `trestle validate`."""


RUNS = {
    "every-outcome-and-hostile-text": hostile_run(),
    "nothing-at-all": make_run(assessments=(), results=()),
    "nothing-applicable": make_run(
        results=(make_result(outcome=ResultOutcome.NOT_APPLICABLE, reason="no sshd here", controls=()),)
    ),
    "waived-and-asked-again": make_run(
        results=(
            make_result(outcome=ResultOutcome.FAIL, waiver=WAIVER, attempts=2, earlier=("it took too long",)),
            make_result(check="check-b", outcome=ResultOutcome.FAIL),
        ),
        waivers=(make_standing(state="expiring"), make_standing(check="check-c", state="expired")),
    ),
    "two-assessments-of-one-check": make_run(
        assessments=(make_assessment(), make_assessment(assessment="b")),
        results=(make_result(), make_result(assessment="b", outcome=ResultOutcome.FAIL)),
    ),
}


@pytest.mark.parametrize("name", RUNS)
def test_every_document_is_accepted(name: str, validate: Validate) -> None:
    code, said = validate(name, render("oscal", RUNS[name], fail_on="low"))
    assert (code, "VALID: Model" in said) == (VALID, True), said


def _broken(change: Callable[[Any], None], run: Run) -> str:
    document = json.loads(render("oscal", run, fail_on="low"))
    change(document["assessment-results"])
    return json.dumps(document)


def _state_error(document: Any) -> None:
    document["results"][0]["findings"][0]["target"]["status"]["state"] = "error"


def _empty_array(document: Any) -> None:
    document["results"][0]["findings"][0]["related-observations"] = []


def _double_uuid(document: Any) -> None:
    document["results"][0]["observations"][0]["uuid"] = document["uuid"]


@pytest.mark.parametrize("change", [_state_error, _empty_array, _double_uuid])
def test_a_broken_copy_is_refused(change: Callable[[Any], None], validate: Validate) -> None:
    code, said = validate(f"broken{change.__name__}", _broken(change, make_run()))
    assert code == INVALID, said
    code, said = validate(f"whole{change.__name__}", _broken(lambda _: None, make_run()))
    assert code == VALID, said


def test_what_make_run_local_wrote_is_accepted_and_a_broken_copy_is_refused(ran: Checkout, validate: Validate) -> None:
    text = (ran.path / ".assess/results/assessment-results.json").read_text()
    code, said = validate("real", text)
    assert (code, "VALID: Model" in said) == (VALID, True), said
    document = json.loads(text)
    assert len(document["assessment-results"]["results"][0]["observations"]) >= 24
    _state_error(document["assessment-results"])
    code, said = validate("real-broken", json.dumps(document))
    assert code == INVALID, said
