"""Tries come in rounds: while some subjects wait to be asked again, others are assessed, and nobody holds a place.

Errors and timeouts may be asked again (`repeating` has the rules), findings never.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from assess_core.assessing.call_results import (
    MAX_RUN_EVIDENCE_BYTES,
    Call,
    Quota,
    nothing_done,
    recorded,
    without_evidence,
)
from assess_core.assessing.lanes import side_by_side
from assess_core.assessing.plan import Task
from assess_core.assessing.repeating import is_open, may_repeat, wait_s
from assess_core.assessing.values import Context, Hosts, Keep, Reached
from assess_core.errors import CutShortError, FaultKind, PluginFault
from assess_core.journal import BusyError, EvidenceFullError, NoRoomError
from assess_core.results import Result, ResultOutcome
from assess_plugin.models import ActionInput, ActionOutput, Subject
from assess_registry.client import CheckSpec

LOOK_S = 1.0
"""How long a wait for the next try may go on after the runtime was stopped."""


async def answers_of(
    task: Task, subjects: Sequence[Subject], *, run: str, hosts: Hosts, context: Context, keep: Keep
) -> tuple[Result, ...]:
    """The results of each subject, each for all checks of the task, in its order.

    Raises:
        CutShortError: the runtime was stopped meanwhile.
    """
    under_way = _UnderWay(
        task=task,
        hosts=hosts,
        context=context,
        run=run,
        keep=keep,
        quota=Quota(MAX_RUN_EVIDENCE_BYTES),
        tally=_Tally(len(subjects)),
    )
    answers = await side_by_side(under_way.ask, subjects, at_once=context.subjects_at_once)
    for retry in range(1, task.retries + 1):
        again = [index for index, answer in enumerate(answers) if answer.open]
        if not again:
            break
        await wait(task, retry, context)
        came = await side_by_side(
            under_way.ask_again, [answers[index] for index in again], at_once=context.subjects_at_once
        )
        for index, answer in zip(again, came, strict=True):
            answers[index] = answer
    return tuple(result for answer in answers for result in answer.results)


async def wait(task: Task, retry: int, context: Context) -> None:
    """It is time for the retry of this number.

    Raises:
        CutShortError: the runtime was stopped meanwhile.
    """
    left = wait_s(retry, task.retry_after_s, context.random)
    while left > 0:
        if context.is_stopped():
            raise _cut_short(task)
        await context.sleep(min(left, LOOK_S))
        left -= LOOK_S


def require_not_stopped(task: Task, fault: PluginFault, context: Context) -> None:
    """What we ended ourselves says nothing about the subject: it is no result, and done again another time."""
    if fault.kind is FaultKind.STOPPED and context.is_stopped():
        raise _cut_short(task) from fault


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    """What is known of a subject so far.

    Attributes:
        results: one for each check of the task.
        open: the checks that may be asked again.
    """

    subject: Subject
    results: tuple[Result, ...]
    open: frozenset[str]


class _Tally:
    """Counts what was asked about once."""

    def __init__(self, found: int) -> None:
        self._found = found
        self._done = self._failing = 0

    def reached(self, results: Sequence[Result]) -> Reached:
        """One subject more."""
        self._done += 1
        self._failing += sum(result.outcome is ResultOutcome.FAIL for result in results)
        return Reached(done=self._done, found=self._found, failing=self._failing)


@dataclass(frozen=True, kw_only=True, slots=True)
class _UnderWay:
    """One assessment, under way."""

    task: Task
    hosts: Hosts
    context: Context
    run: str
    keep: Keep
    quota: Quota
    tally: _Tally

    async def ask(self, subject: Subject) -> _Answer:
        """All checks of the task on this subject."""
        results, may = await _assess(self, self.task.checks, subject)
        self.context.notify(self.task.assessment, self.tally.reached(results))
        return _Answer(subject=subject, results=tuple(results), open=_open(results) if may else frozenset())

    async def ask_again(self, answer: _Answer) -> _Answer:
        """The checks that are open; what the others said stands."""
        checks = tuple(spec for spec in self.task.checks if spec.id in answer.open)
        results, may = await _assess(self, checks, answer.subject)
        now = {result.check: result for result in results}
        merged = tuple(
            _after(before, now[before.check]) if before.check in now else before for before in answer.results
        )
        return _Answer(subject=answer.subject, results=merged, open=_open(results) if may else frozenset())


def _open(results: Sequence[Result]) -> frozenset[str]:
    return frozenset(result.check for result in results if is_open(result.outcome, result.reason))


def _after(before: Result, result: Result) -> Result:
    """The later result, with what came of the times before."""
    return replace(result, attempts=before.attempts + 1, earlier=(*before.earlier, before.reason))


async def _assess(under_way: _UnderWay, checks: tuple[CheckSpec, ...], subject: Subject) -> tuple[list[Result], bool]:
    """The results of one call for these checks, and whether what they leave open may be asked again."""
    task, context = under_way.task, under_way.context
    started_at = context.clock()
    came: ActionOutput | PluginFault
    host = under_way.hosts[task.plugin.installed.distribution]
    try:
        report = await host.execute(
            task.plugin.name,
            ActionInput(
                subject=subject,
                checks=tuple(spec.id for spec in checks),
                settings=task.plugin.settings,
            ),
            timeout_s=task.timeout_s,
            on_event=lambda event: context.notify(task.assessment, event),
            whose=task.assessment,
        )
    except PluginFault as fault:
        require_not_stopped(task, fault, context)
        record, came = fault.record or nothing_done(started_at, context.clock()), fault
    else:
        record, came = report, report.output
        # The worker is free: let it be given its next call before this one's results are made, or it waits for them.
        await asyncio.sleep(0)
    may = not isinstance(came, PluginFault) or may_repeat(came)
    call = Call(task=task, checks=checks, subject=subject, context=context, run=under_way.run, record=record)
    if not under_way.quota.take(record):
        beyond = (
            f"evidence of one assessment may have {MAX_RUN_EVIDENCE_BYTES >> 20} MiB in one run; that of this call is "
            "beyond and was not kept"
        )
        return without_evidence(call, beyond), False  # there is no more room later
    results, evidence = recorded(call, came)
    if evidence:
        try:
            await under_way.keep(evidence)
        except (EvidenceFullError, NoRoomError, BusyError) as error:  # the last two: too much waits for the disk
            return without_evidence(call, f"the evidence of this call was not kept: {error}"), False
    return results, may


def _cut_short(task: Task) -> CutShortError:
    return CutShortError(
        f"assessment {task.assessment!r} was ended before it was over: the runtime was stopped; nothing of it was "
        "recorded"
    )
