"""Outcomes, identifiers, counts and exit codes."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assess_core import results as r
from assess_core.clock import timestamp
from assess_core.results import Result, ResultOutcome, Run
from assess_plugin.models import Outcome
from assess_registry import client
from tests.support.results import NOON, WAIVER, make_assessment, make_result, make_run, outcomes, runs

FAIL_ON = st.sampled_from([None, *r.SEVERITIES])


@pytest.mark.parametrize("outcome", [each for each in ResultOutcome if each is not ResultOutcome.FAIL])
def test_nothing_but_a_failure_can_be_waived(outcome: ResultOutcome) -> None:
    assert make_result(outcome=ResultOutcome.FAIL, waiver=WAIVER).waiver == WAIVER
    with pytest.raises(ValueError, match="cannot be waived: only a failure can"):
        make_result(outcome=outcome, reason="why", waiver=WAIVER)


def test_every_word_of_a_plugin_has_the_same_word_here() -> None:
    assert [ResultOutcome.from_plugin(outcome).value for outcome in Outcome] == [outcome.value for outcome in Outcome]
    assert {o.value for o in ResultOutcome} - {o.value for o in Outcome} == {"timeout"}


def test_severities_are_those_of_a_manifest() -> None:
    assert r.SEVERITIES == client.SEVERITIES


def test_no_outcome_is_falsy_or_equal_to_pass() -> None:
    assert all(ResultOutcome)
    assert [o for o in ResultOutcome if o == "pass"] == [ResultOutcome.PASS]


@pytest.mark.parametrize("outcome", ["pass", "passed", None, 0, Outcome.PASS])
def test_an_outcome_must_be_a_result_outcome(outcome: object) -> None:
    with pytest.raises(TypeError, match="must be a ResultOutcome"):
        replace(make_result(), outcome=outcome)  # type: ignore[arg-type]


@pytest.mark.parametrize("outcome", sorted(set(ResultOutcome) - r.VERDICTS))
def test_an_outcome_that_is_no_verdict_needs_a_reason(outcome: ResultOutcome) -> None:
    with pytest.raises(ValueError, match="needs a reason"):
        make_result(outcome=outcome, reason=" ")
    assert make_result(outcome=outcome, reason="why").outcome is outcome


def test_unknown_severities_naive_times_and_blank_problems_are_refused() -> None:
    with pytest.raises(ValueError, match="severity of 'check-a' must be one of info, low"):
        make_result(severity="dire")
    with pytest.raises(ValueError, match="no time zone"):
        make_result(started_at=NOON.replace(tzinfo=None))
    with pytest.raises(ValueError, match="no time zone"):
        make_assessment(due_at=NOON.replace(tzinfo=None))
    with pytest.raises(ValueError, match="is blank"):
        make_assessment(problem="  ")


def test_identifiers_are_stable() -> None:
    run = r.run_id("web-01", "host", datetime(2026, 11, 21, 5, 10, tzinfo=UTC))
    assert run == "2413d008-2974-5794-bce3-00b0920c037c"
    assert r.result_id(run, "host:web-01", "sshd") == "33c7e5cf-5234-5269-aca6-4dc2f7878e3d"
    assert r.finding_id("host:web-01", "sshd") == "99c1b5aa-993e-59c7-91d9-06765e1a1f1a"


def test_a_run_id_does_not_depend_on_the_zone_a_due_time_is_written_in() -> None:
    berlin = NOON.astimezone(timezone(timedelta(hours=2)))
    assert r.run_id("a", "b", berlin) == r.run_id("a", "b", NOON)
    assert r.run_id("a", "b", NOON) != r.run_id("a", "b", NOON + timedelta(microseconds=1))


@settings(max_examples=25)
@given(st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4))
def test_identifiers_are_equal_only_for_equal_parts(left: list[str], right: list[str]) -> None:
    assert (r.identify("x", *left) == r.identify("x", *right)) == (left == right)


@settings(max_examples=25)
@given(st.text(st.sampled_from("a\ud800\udc00é"), max_size=5))
def test_any_text_can_be_identified(text: str) -> None:
    assert r.finding_id(text, text) == r.finding_id(text, text)


def test_timestamps_are_rfc_3339_in_utc() -> None:
    moment = datetime(2026, 11, 21, 6, 10, 0, 123456, tzinfo=timezone(timedelta(hours=1)))
    assert timestamp(moment) == "2026-11-21T05:10:00.123Z"
    with pytest.raises(ValueError, match="no time zone"):
        timestamp(datetime(2026, 1, 1))  # noqa: DTZ001


@settings(max_examples=25)
@given(runs())
def test_counts_have_every_outcome_and_lose_no_result(run: Run) -> None:
    assert list(run.counts) == list(ResultOutcome)
    assert sum(run.counts.values()) == len(run.results)
    assert all(run.counts[o] == sum(x.outcome == o for x in run.results) for o in ResultOutcome)


@settings(max_examples=25)
@given(runs(), FAIL_ON)
def test_a_clean_exit_means_that_nothing_failed_or_broke(run: Run, fail_on: r.Severity | None) -> None:
    if run.exit_code(fail_on) != 0:
        return
    assert run.assessments
    assert not any(x.outcome in r.BROKEN for x in run.results)
    for assessment in run.assessments:
        assert assessment.problem is None
        assert any(x.run_id == assessment.run_id and x.outcome in r.VERDICTS for x in run.results)
    if fail_on is not None:
        failed = [x for x in run.results if x.outcome is ResultOutcome.FAIL]
        assert all(r.severity_rank(x.severity) < r.severity_rank(fail_on) for x in failed)


@settings(max_examples=25)
@given(runs(), outcomes(set(ResultOutcome) - {ResultOutcome.PASS}), FAIL_ON)
def test_turning_a_pass_into_anything_else_never_improves_a_run(
    run: Run, outcome: ResultOutcome, fail_on: r.Severity | None
) -> None:
    passed = next((x for x in run.results if x.outcome is ResultOutcome.PASS), None)
    if passed is None:
        return
    worse = tuple(replace(x, outcome=outcome, reason="because") if x is passed else x for x in run.results)
    assert replace(run, results=worse).exit_code(fail_on) >= run.exit_code(fail_on)


@settings(max_examples=25)
@given(runs(), FAIL_ON)
def test_fail_on_none_switches_off_3_alone(run: Run, fail_on: r.Severity | None) -> None:
    code = run.exit_code(fail_on)
    assert run.exit_code(None) == (0 if code == 3 else code)


@settings(max_examples=25)
@given(runs())
def test_incomplete_outranks_findings_at_every_threshold(run: Run) -> None:
    incomplete = bool(run.shortcomings())
    assert {run.exit_code(fail_on) == 4 for fail_on in (None, *r.SEVERITIES)} == {incomplete}


def _code(*results: Result, fail_on: r.Severity | None = "low") -> int:
    return make_run(results=results).exit_code(fail_on)


def test_exit_codes_by_example() -> None:
    passed, failed = make_result(), make_result(check="check-b", outcome=ResultOutcome.FAIL, severity="medium")
    error = make_result(check="check-c", outcome=ResultOutcome.ERROR, reason="not reported")
    idle = make_result(outcome=ResultOutcome.NOT_APPLICABLE, reason="no sshd here")
    assert _code(passed) == 0
    assert _code(passed, failed) == 3
    assert _code(passed, failed, fail_on="medium") == 3
    assert _code(passed, failed, fail_on="high") == 0
    assert _code(passed, failed, error) == 4
    assert _code(passed, error, fail_on=None) == 4
    assert _code() == 4
    assert _code(idle) == 4
    assert _code(idle, make_result(check="check-b")) == 0
    assert _code(replace(passed, run_id="another")) == 4


def test_every_shortcoming_is_said() -> None:
    done, broken, idle = (make_assessment(assessment=name) for name in ("done", "broken", "idle"))
    broken = replace(broken, problem="provider 'local-host' raised KeyError")
    slow = make_result(assessment="done", outcome=ResultOutcome.TIMEOUT, reason="over 2 s", check="check-b")
    run = make_run(assessments=(done, broken, idle), results=(make_result(assessment="done"), slow))
    assert run.shortcomings() == (
        "assessment 'broken' could not be done: provider 'local-host' raised KeyError",
        "assessment 'idle' reached no pass and no fail on 1 subject(s)",
        "1 result(s) ended as timeout",
    )
    partial = replace(done, problem="provider 'local-host' raised KeyError")
    run = make_run(assessments=(partial,), results=(make_result(assessment="done"),))
    assert run.shortcomings() == ("assessment 'done' is not whole: provider 'local-host' raised KeyError",)
    assert make_run(assessments=(), results=()).shortcomings() == ("nothing was assessed: there is no assessment",)


@given(st.lists(st.text(), max_size=4))
def test_ids_are_name_based_uuids(parts: list[str]) -> None:
    assert r.identify("result", *parts) == str(uuid5(r.NAMESPACE, json.dumps(["result", *parts])))
