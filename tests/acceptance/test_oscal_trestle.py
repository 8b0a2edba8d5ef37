"""Our OSCAL documents, judged by somebody else's program: compliance-trestle, named by `ASSESS_TRESTLE`."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assess_core.formats import render
from assess_core.results import ResultOutcome, Run
from tests.support.results import hostile_run, make_assessment, make_result, make_run

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]

VALID, INVALID = 0, 4
"""Exit codes of `trestle validate`."""


@pytest.fixture(scope="module")
def trestle() -> str:
    program = os.environ.get("ASSESS_TRESTLE")
    if program:
        return program
    if os.environ.get("ASSESS_TEST_REQUIRE") == "all":
        pytest.fail("ASSESS_TRESTLE does not name a trestle (compliance-trestle), and nothing may be skipped")
    pytest.skip("ASSESS_TRESTLE does not name a trestle (compliance-trestle)")


@pytest.fixture(scope="module")
def validate(trestle: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], tuple[int, str]]:
    workspace = tmp_path_factory.mktemp("trestle")
    subprocess.run([trestle, "init", "--local"], cwd=workspace, check=True, capture_output=True, timeout=120)

    def validated(name: str, text: str) -> tuple[int, str]:
        folder = workspace / "assessment-results" / name
        folder.mkdir(parents=True)
        Path(folder, "assessment-results.json").write_text(text)
        done = subprocess.run(
            [trestle, "validate", "-t", "assessment-results", "-n", name],
            cwd=workspace,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stdout + done.stderr

    return validated


RUNS = {
    "every-outcome-and-hostile-text": hostile_run(),
    "nothing-at-all": make_run(assessments=(), results=()),
    "nothing-applicable": make_run(
        results=(make_result(outcome=ResultOutcome.NOT_APPLICABLE, reason="no sshd here", controls=()),)
    ),
    "two-assessments-of-one-check": make_run(
        assessments=(make_assessment(), make_assessment(assessment="b")),
        results=(make_result(), make_result(assessment="b", outcome=ResultOutcome.FAIL)),
    ),
}


@pytest.mark.parametrize("name", RUNS)
def test_every_document_is_accepted(name: str, validate: Callable[[str, str], tuple[int, str]]) -> None:
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
def test_a_broken_copy_is_refused(
    change: Callable[[Any], None], validate: Callable[[str, str], tuple[int, str]]
) -> None:
    code, said = validate(f"broken{change.__name__}", _broken(change, make_run()))
    assert code == INVALID, said
    code, said = validate(f"whole{change.__name__}", _broken(lambda _: None, make_run()))
    assert code == VALID, said
