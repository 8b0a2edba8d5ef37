"""Values of the contract: what exists may be sent."""

from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from assess_plugin import (
    ActionInput,
    ActionOutput,
    CheckResult,
    EvaluateInput,
    EvaluateResult,
    HostError,
    Outcome,
    Subject,
)
from assess_plugin.models import MAX_ID, MAX_TEXT, NEEDS_REASON, NO_HOST, SUBJECT_TYPES

SUBJECT = Subject(id="host:a", type="inventory-item", title="a")


def result(**changes: Any) -> CheckResult:
    return CheckResult(**{"check_id": "a", "outcome": Outcome.PASS, "reason": "because"} | changes)


def test_no_outcome_is_a_default_none_is_falsy_and_timeout_is_the_parents_alone() -> None:
    assert {outcome.value for outcome in Outcome} == {"pass", "fail", "not-applicable", "skipped", "error"}
    assert all(Outcome)
    with pytest.raises(TypeError, match="outcome"):
        CheckResult(check_id="a")  # type: ignore[call-arg]


@pytest.mark.parametrize("outcome", ["pass", 0, None, True, "PASS"])
def test_an_outcome_is_an_outcome(outcome: Any) -> None:
    with pytest.raises(TypeError, match="outcome of 'a' must be an Outcome"):
        result(outcome=outcome)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_only_what_speaks_for_itself_needs_no_reason(outcome: Outcome) -> None:
    if outcome in NEEDS_REASON:
        with pytest.raises(ValueError, match=f"{outcome.value} result of 'a' needs a reason"):
            result(outcome=outcome, reason=" ")
    else:
        assert result(outcome=outcome, reason="").outcome is outcome


def test_fail_and_pass_alone_need_none() -> None:
    assert set(Outcome) - set(NEEDS_REASON) == {Outcome.PASS, Outcome.FAIL}


@pytest.mark.parametrize("check_id", ["", "x" * (MAX_ID + 1), "a\nb", "\x1b[2J", 7, None])
def test_an_id_is_short_and_printable(check_id: Any) -> None:
    with pytest.raises(ValueError, match="check_id must be"):
        result(check_id=check_id)


@pytest.mark.parametrize("name", ["reason", "expected", "actual", "remediation"])
def test_a_text_is_text_of_bounded_length(name: str) -> None:
    assert getattr(result(**{name: "x" * MAX_TEXT}), name) == "x" * MAX_TEXT
    with pytest.raises(ValueError, match=f"{name} of 'a' has {MAX_TEXT + 1} characters"):
        result(**{name: "x" * (MAX_TEXT + 1)})
    with pytest.raises(TypeError, match=f"{name} of 'a' must be a string, got int"):
        result(**{name: 7})


def test_a_subject_has_one_of_oscals_types() -> None:
    assert SUBJECT.type in SUBJECT_TYPES
    with pytest.raises(ValueError, match="'host'"):
        Subject(id="a", type="host", title="a")  # type: ignore[arg-type]


def test_outputs_hold_values_of_their_own_only() -> None:
    assert ActionOutput(results=(result(),)).results == (result(),)
    with pytest.raises(TypeError):
        ActionOutput(results=({"check_id": "a"},))  # type: ignore[arg-type]
    assert EvaluateResult(subjects=(SUBJECT,)).subjects == (SUBJECT,)
    with pytest.raises(TypeError):
        EvaluateResult(subjects=("host:a",))  # type: ignore[arg-type]


def test_a_subject_is_found_once() -> None:
    with pytest.raises(ValueError, match="reported twice: host:a"):
        EvaluateResult(subjects=(SUBJECT, SUBJECT))


def test_what_could_not_be_found_is_said_in_words() -> None:
    assert EvaluateResult(subjects=(), problems=("why",)).problems == ("why",)
    for wrong in (" ", "x" * 5000):
        with pytest.raises(ValueError, match="problem"):
            EvaluateResult(subjects=(), problems=(wrong,))
    with pytest.raises(TypeError, match="a problem of EvaluateResult must be a string"):
        EvaluateResult(subjects=(), problems=(1,))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="101 problems, more than 100"):
        EvaluateResult(subjects=(), problems=("why",) * 101)


@pytest.mark.parametrize("kind", [CheckResult, Subject, ActionInput, ActionOutput, EvaluateInput, EvaluateResult])
def test_values_are_frozen_and_have_no_room_for_more(kind: type) -> None:
    assert fields(kind)
    assert not hasattr(kind, "__dict__") or "__slots__" in vars(kind)
    with pytest.raises(FrozenInstanceError):
        setattr(object.__new__(kind), fields(kind)[0].name, 1)


def test_outside_a_worker_there_is_no_host() -> None:
    given = ActionInput(subject=SUBJECT, checks=())
    with pytest.raises(HostError, match=r"host\.open was used outside a worker"):
        given.host.open("/etc/passwd")
    assert repr(NO_HOST) == "NO_HOST"
