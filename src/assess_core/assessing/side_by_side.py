"""The second half of the pipeline: tasks have been executed side by side, and every result is in the journal.

What runs is what was installed (`pipeline.sync`): a task names the installed plugin that it was planned with, the fleet
serves that one, and each task keeps what it has from the beginning to its end.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from assess_core.assessing.execute import execute
from assess_core.assessing.fleet import Fleet, Use
from assess_core.assessing.plan import Task, Unrunnable, callees_of
from assess_core.assessing.recording import Recorder
from assess_core.assessing.subjects import Found, find, of_those_named
from assess_core.assessing.values import Context, Executed
from assess_core.errors import AssessError, CutShortError, PluginFault
from assess_core.journal import OvertakenError
from assess_core.observe.context import about
from assess_core.results import Result, ResultOutcome, Run, WaitingVersion, WaiverStanding

_log = logging.getLogger(__name__)


async def assess(
    tasks: Sequence[Task | Unrunnable],
    *,
    fleet: Fleet,
    recorder: Recorder,
    context: Context,
    due_at: datetime | None = None,
) -> Run:
    """All tasks have been executed side by side, and each was committed to the journal as it ended.

    Args:
        tasks: planned with what the fleet serves now: it is taken before anything is waited for.
        fleet: who runs what.
        recorder: where results go.
        context: what all results share.
        due_at: the time they were due, which their ids are made from; now, unless given.

    Raises:
        ConfigError: subjects were named, and one of them is nobody's; nothing was executed.
        StoreError: the journal could not take a result. What was committed before stays.
        CutShortError: one of them was ended before it was over. What was committed before stays.
    """
    uses = [fleet.take(callees_of([task])) for task in tasks]
    started_at = context.clock()

    due = due_at or started_at

    async def one(task: Task | Unrunnable, use: Use, found: Found | PluginFault | None) -> Executed:
        with about(context.run_id(task.assessment, due), task.assessment):
            executed = await execute(
                task, hosts=use.hosts, context=context, due_at=due, keep=recorder.keep, found=found
            )
            recorded = await _recorded(executed, use, recorder)
        use.release()
        return recorded

    try:
        came: Sequence[Found | PluginFault | None] = [None] * len(tasks)
        chosen: Sequence[int] = range(len(tasks))
        if any(isinstance(task, Task) and task.subjects for task in tasks):
            # Whose they are, and whether they are anybody's, nobody knows before all providers have answered.
            came = await _asked(tasks, uses, context, due)
            chosen = of_those_named(tasks, came)
        ended = await asyncio.gather(*(one(tasks[i], uses[i], came[i]) for i in chosen), return_exceptions=True)
    finally:
        for use in uses:  # also of what was cancelled before it began
            use.release()
    executed = _all_committed(ended)
    return combine(
        context.runtime,
        executed,
        started_at=started_at,
        ended_at=max(started_at, context.clock()),
        waiting=context.waiting,
        waivers=context.waivers.standings(
            started_at,
            results=(result for one in executed for result in one.results),
            notice_d=context.waiver_notice_d,
        ),
    )


async def _asked(
    tasks: Sequence[Task | Unrunnable], uses: Sequence[Use], context: Context, due_at: datetime
) -> list[Found | PluginFault | None]:
    """What the provider of each came to; None of what cannot be executed."""

    async def ask(task: Task | Unrunnable, use: Use) -> Found | None:
        if isinstance(task, Unrunnable):
            return None
        with about(context.run_id(task.assessment, due_at), task.assessment):
            return await find(task, hosts=use.hosts, context=context)

    came = await asyncio.gather(*(ask(*pair) for pair in zip(tasks, uses, strict=True)), return_exceptions=True)
    answers: list[Found | PluginFault | None] = []
    for each in came:
        if isinstance(each, BaseException) and not isinstance(each, PluginFault):
            raise each
        answers.append(each)
    return answers


async def _recorded(executed: Executed, use: Use, recorder: Recorder) -> Executed:
    """It is in the journal, as far as it may be believed by what is known when it gets there.

    Another process may write to the journal for long, and what was found may be revoked meanwhile.
    """
    while True:
        why = use.distrusted
        believed = _distrusted(executed, why) if why else executed
        recording = asyncio.create_task(recorder.record(believed, partial(_still, use, why)))
        try:
            await asyncio.shield(recording)
        except asyncio.CancelledError:
            # A thread goes on with it: whoever is told that this is over may rely on it.
            await asyncio.wait([recording])
            raise
        except OvertakenError:
            continue
        return believed


def _still(use: Use, why: str) -> bool:
    return use.distrusted == why


def _distrusted(executed: Executed, why: str) -> Executed:
    """The same, when what it was found with must not be believed: errors in place of answers, and a problem."""
    problem = "; ".join(filter(None, (executed.run.problem, why)))
    results = tuple(_error(result, why) for result in executed.results)
    return replace(executed, run=replace(executed.run, problem=problem), results=results)


def _error(result: Result, why: str) -> Result:
    if result.outcome in (ResultOutcome.ERROR, ResultOutcome.TIMEOUT):
        return result
    return replace(result, outcome=ResultOutcome.ERROR, reason=why, expected=None, actual=None, waiver=None)


def _all_committed(ended: Sequence[Executed | BaseException]) -> list[Executed]:
    """What every task ended in, when all have had their turn and could be committed; else the first error.

    What is no error of the journal's, nor of a runtime that was stopped, is a bug of ours, and comes before those.
    """
    errors = [outcome for outcome in ended if isinstance(outcome, BaseException)]
    errors.sort(key=lambda error: isinstance(error, AssessError))
    for hidden in errors[1:]:
        if isinstance(hidden, CutShortError) or str(hidden) == str(errors[0]):
            continue
        _log.error("another assessment failed, too: %s", hidden, exc_info=hidden, extra={"action": "run-failed"})
    if errors:
        raise errors[0]
    return [outcome for outcome in ended if isinstance(outcome, Executed)]


def combine(
    runtime: str,
    executed: Sequence[Executed],
    *,
    started_at: datetime,
    ended_at: datetime,
    waiting: tuple[WaitingVersion, ...] = (),
    waivers: tuple[WaiverStanding, ...] = (),
) -> Run:
    """Several assessments of one occasion as one value: what formats render and the exit code is taken from."""
    return Run(
        runtime=runtime,
        started_at=started_at,
        ended_at=ended_at,
        assessments=tuple(one.run for one in executed),
        results=tuple(result for one in executed for result in one.results),
        waiting=waiting,
        waivers=waivers,
    )
