"""Subjects, tries and waivers of one assessment, by a supervisor whose plugins say what is written down."""

import asyncio
from dataclasses import replace
from datetime import date
from typing import Any, cast

import pytest

from assess_core.assessing.execute import execute
from assess_core.assessing.plan import Selection
from assess_core.assessing.values import Executed, Hosts
from assess_core.errors import CutShortError, FaultKind
from assess_core.host import CallReport
from assess_core.results import EXIT_CLEAN, EXIT_FINDINGS, EXIT_INCOMPLETE, Narrowed, ResultOutcome, Run
from assess_core.results.waivers import Waiver, Waivers
from assess_plugin.models import ActionInput, Outcome
from tests.support.scripted import (
    DISTRIBUTION,
    NOW,
    Clock,
    Found,
    Said,
    Scripted,
    keep_nothing,
    scripted_context,
    scripted_run,
    scripted_task,
    spec,
)

ONE = (Found(subjects=("host:a",)),)
PASS, FAIL, ERROR, SKIPPED = Outcome.PASS, Outcome.FAIL, Outcome.ERROR, Outcome.SKIPPED
BOTH = (spec("a"), spec("b"))


def outcomes(executed: Executed) -> dict[str, str]:
    return {f"{result.subject.id}/{result.check}": result.outcome.value for result in executed.results}


def code(executed: Executed) -> int:
    run = Run(runtime="web-01", started_at=NOW, ended_at=NOW, assessments=(executed.run,), results=executed.results)
    return run.exit_code("low")


def test_only_what_ended_in_an_error_is_asked_again_and_what_was_said_stands() -> None:
    tries: list[Said] = [{"a": FAIL, "b": ERROR}, {"a": PASS, "b": PASS}]
    script = Scripted(found=ONE, said={"host:a": tries})
    executed = scripted_run(script, scripted_task(BOTH, retries=3))
    assert script.asked["host:a"] == [("a", "b"), ("b",)]
    assert outcomes(executed) == {"host:a/a": "fail", "host:a/b": "pass"}
    a, b = executed.results
    assert (a.attempts, a.earlier) == (1, ())
    assert (b.attempts, b.earlier) == (2, ("try 1: error",))
    assert code(executed) == EXIT_FINDINGS


@pytest.mark.parametrize("outcome", [PASS, FAIL, SKIPPED, Outcome.NOT_APPLICABLE, None])
def test_what_was_answered_is_not_asked_again(outcome: Outcome | None) -> None:
    script = Scripted(found=ONE, said={"host:a": [{"a": outcome}, {"a": PASS}]})
    scripted_run(script, scripted_task(BOTH[:1], retries=5))
    assert len(script.asked["host:a"]) == 1


@pytest.mark.parametrize("kind", list(FaultKind))
def test_a_call_that_failed_is_asked_again_unless_that_is_final(kind: FaultKind) -> None:
    final = kind in {
        FaultKind.PROTOCOL, FaultKind.REPLY, FaultKind.STOPPED, FaultKind.QUARANTINED, FaultKind.REVOKED
    }  # fmt: skip
    script = Scripted(found=ONE, said={"host:a": [kind, {"a": PASS, "b": FAIL}]})
    executed = scripted_run(script, scripted_task(BOTH, retries=1))
    word = "timeout" if kind is FaultKind.TIMEOUT else "error"
    expected = {"host:a/a": word, "host:a/b": word} if final else {"host:a/a": "pass", "host:a/b": "fail"}
    assert outcomes(executed) == expected
    assert {result.attempts for result in executed.results} == {1 if final else 2}


def test_without_retries_nothing_is_asked_twice_and_with_them_no_more_often_than_they_say() -> None:
    for retries in (0, 1, 5):
        clock = Clock()
        script = Scripted(found=ONE, said={"host:a": [FaultKind.TIMEOUT]})
        task = scripted_task(BOTH, retries=retries, retry_after_s=10.0)
        executed = scripted_run(script, task, scripted_context(clock))
        assert len(script.asked["host:a"]) == retries + 1
        assert sum(clock.slept) == 10 * (2**retries - 1)
        assert all(seconds <= 1 for seconds in clock.slept)
        assert {(result.outcome, result.attempts, len(result.earlier)) for result in executed.results} == {
            (ResultOutcome.TIMEOUT, retries + 1, retries)
        }
        assert code(executed) == EXIT_INCOMPLETE


def test_others_are_assessed_while_some_wait_to_be_asked_again() -> None:
    """With one at a time and the first failing: it is asked again when all others have had their turn, and once."""
    names = tuple(f"host:{number}" for number in range(5))
    script = Scripted(
        found=(Found(subjects=names),),
        said={name: [FaultKind.EXITED, {"a": PASS}] if name == names[0] else [{"a": PASS}] for name in names},
    )
    clock = Clock()
    context = scripted_context(clock, subjects_at_once=1)
    executed = scripted_run(script, scripted_task(BOTH[:1], retries=2, retry_after_s=10), context)
    assert list(script.asked) == list(names)
    assert sum(clock.slept) == 10
    assert [result.subject.id for result in executed.results] == list(names)


def test_a_wait_ends_soon_when_the_runtime_is_stopped() -> None:
    clock = Clock()
    script = Scripted(found=ONE, said={"host:a": [FaultKind.EXITED]})
    context = scripted_context(clock, is_stopped=lambda: len(clock.slept) >= 3)
    with pytest.raises(CutShortError, match="nothing of it was recorded"):
        scripted_run(script, scripted_task(BOTH, retries=5, retry_after_s=3600), context)
    assert len(clock.slept) == 3


def test_a_provider_that_failed_is_asked_again() -> None:
    script = Scripted(found=(FaultKind.TIMEOUT, FaultKind.RAISED, *ONE), said={"host:a": [{"a": PASS, "b": PASS}]})
    executed = scripted_run(script, scripted_task(BOTH, retries=2))
    assert (script.evaluated, executed.run.problem, code(executed)) == (3, None, EXIT_CLEAN)
    script = replace(script, evaluated=0)
    executed = scripted_run(script, scripted_task(BOTH, retries=1))
    assert (script.evaluated, code(executed)) == (2, EXIT_INCOMPLETE)
    assert executed.run.problem == "no subjects: plugin 'it' failed in evaluate (raised): it failed"
    script = Scripted(found=(FaultKind.REVOKED, *ONE), said={})
    assert code(scripted_run(script, scripted_task(BOTH, retries=5))) == EXIT_INCOMPLETE
    assert script.evaluated == 1


def test_what_a_provider_could_not_find_makes_the_run_incomplete_and_the_rest_is_assessed() -> None:
    partly = Found(subjects=("host:a",), problems=("line 7: no id",))
    script = Scripted(found=(partly, *ONE), said={"host:a": [{"a": PASS, "b": PASS}]})
    executed = scripted_run(script, scripted_task(BOTH, retries=5))
    assert executed.run.problem == "not all subjects were found: line 7: no id"
    assert (len(executed.results), executed.run.subjects, code(executed)) == (2, 1, EXIT_INCOMPLETE)
    assert script.evaluated == 1  # a second reply may be without what the first one found
    whole = Scripted(found=ONE, said={"host:a": [{"a": PASS, "b": PASS}]})
    assert code(scripted_run(whole, scripted_task(BOTH))) == EXIT_CLEAN


@pytest.mark.parametrize("subjects", [("host:a",), ("nowhere",)])
def test_a_run_says_what_its_task_was_narrowed_to_also_where_nothing_was_assessed(subjects: tuple[str, ...]) -> None:
    narrowed = Selection(subjects=subjects).narrowed
    task = replace(scripted_task(BOTH), subjects=subjects, narrowed=narrowed)
    both = Found(subjects=("host:a", "host:b"))
    executed = scripted_run(Scripted(found=(both,), said={"host:a": [{"a": PASS, "b": PASS}]}), task)
    assert executed.run.narrowed == Narrowed(subjects=subjects)
    assert executed.run.subjects == (subjects == ("host:a",))
    assert code(executed) == (EXIT_CLEAN if executed.run.subjects else EXIT_INCOMPLETE)
    whole = scripted_run(Scripted(found=ONE, said={"host:a": [{"a": PASS, "b": PASS}]}), scripted_task(BOTH))
    assert (whole.run.narrowed, Selection(assessments=("host",)).narrowed) == (None, None)


def test_of_many_problems_some_are_said_and_the_rest_counted() -> None:
    found = Found(subjects=(), problems=tuple(f"line {number}" for number in range(25)))
    executed = scripted_run(Scripted(found=(found,), said={}), scripted_task(BOTH))
    said = str(executed.run.problem)
    assert said.startswith("provider 'it' found no subject for this selector; not all subjects were found: line 0; ")
    assert said.endswith("line 19; and 5 more")


def test_a_failure_is_waived_and_stays_one() -> None:
    waiver = Waiver(check="a", subject="host:a", owner="ops", reason="CHG-1", expires=date(2027, 1, 1))
    said: dict[str, list[Said]] = {name: [{"a": FAIL, "b": FAIL}] for name in ("host:a", "host:b")}
    script = Scripted(found=(Found(subjects=tuple(said)),), said=said)
    executed = scripted_run(script, scripted_task(BOTH), scripted_context(waivers=Waivers([waiver])))
    assert [bool(result.waiver) for result in executed.results] == [True, False, False, False]
    assert executed.results[0].waiver == waiver.ref
    assert {result.outcome for result in executed.results} == {ResultOutcome.FAIL}
    assert code(executed) == EXIT_FINDINGS
    for outcome in (PASS, ERROR, SKIPPED, Outcome.NOT_APPLICABLE):
        script = Scripted(found=ONE, said={"host:a": [{"a": outcome}]})
        (result,) = scripted_run(script, scripted_task(BOTH[:1]), scripted_context(waivers=Waivers([waiver]))).results
        assert (result.outcome.value, result.waiver) == (outcome.value, None)


def test_thousands_of_subjects_are_assessed_a_window_at_a_time() -> None:
    names = tuple(f"host:{number}" for number in range(1000))
    script = Scripted(found=(Found(subjects=names),), said={name: [{"a": PASS}] for name in names})
    executed = scripted_run(script, scripted_task(BOTH[:1]), scripted_context(subjects_at_once=32))
    assert script.most == 32
    assert [result.subject.id for result in executed.results] == list(names)


def test_two_assessments_of_many_subjects_go_on_side_by_side() -> None:
    order: list[str] = []

    class Noting(Scripted):
        async def execute(self, name: str, input: ActionInput, **more: Any) -> CallReport:
            order.append(input.subject.id.partition(":")[0])
            return await super().execute(name, input, **more)

    async def one(prefix: str, count: int) -> None:
        names = tuple(f"{prefix}:{number}" for number in range(count))
        script = Noting(found=(Found(subjects=names),), said={each: [{"a": PASS}] for each in names})
        await execute(
            scripted_task(BOTH[:1], assessment=prefix),
            hosts=cast(Hosts, {DISTRIBUTION: script}),
            context=scripted_context(subjects_at_once=8),
            due_at=NOW,
            keep=keep_nothing,
        )

    async def both() -> None:
        await asyncio.gather(one("many", 2000), one("few", 20))

    asyncio.run(both())
    assert max(index for index, each in enumerate(order) if each == "few") < 100
