"""The second half of the pipeline: tasks have been executed side by side, and every result is in the journal.

What runs is what was installed (`pipeline.sync`): a task names the installed plugin that it was planned with, and
nothing else is started for it.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

from assess_core.admission import rights_of
from assess_core.execute import Context, Evidence, Executed, execute
from assess_core.host import HostConfig, Supervisor
from assess_core.journal import Journal
from assess_core.plan import Callee, Task, Unrunnable
from assess_core.report import combine, commit
from assess_core.results import Run
from assess_registry.client import ProjectName


async def assess(tasks: Sequence[Task | Unrunnable], *, host: HostConfig, journal: Journal, context: Context) -> Run:
    """All tasks have been executed side by side, and each was committed to the journal as it ended.

    Raises:
        StoreError: the journal could not take a result. What was committed before stays.
    """
    started_at = context.clock()
    async with AsyncExitStack() as stack:
        hosts: dict[ProjectName, Supervisor] = {}
        for callee in _distributions(tasks):
            rights = None if callee.grant is None else rights_of(callee.grant)
            hosts[callee.installed.distribution] = supervisor = Supervisor(callee.installed, host, rights=rights)
            stack.push_async_callback(supervisor.stop)

        async def keep(evidence: Evidence) -> None:
            await asyncio.to_thread(journal.keep, evidence)

        async def one(task: Task | Unrunnable) -> Executed:
            executed = await execute(task, hosts=hosts, context=context, due_at=started_at, keep=keep)
            await asyncio.to_thread(commit, executed, journal=journal)
            return executed

        ended = await asyncio.gather(*(one(task) for task in tasks), return_exceptions=True)
    executed = _all_committed(ended)
    return combine(
        context.runtime,
        executed,
        started_at=started_at,
        ended_at=max(started_at, context.clock()),
        waiting=context.waiting,
    )


def _all_committed(ended: Sequence[Executed | BaseException]) -> list[Executed]:
    """What every task ended in; the first error, when all tasks have had their turn and one could not be committed."""
    for outcome in ended:
        if isinstance(outcome, BaseException):
            raise outcome
    return [outcome for outcome in ended if isinstance(outcome, Executed)]


def _distributions(tasks: Sequence[Task | Unrunnable]) -> tuple[Callee, ...]:
    """An entry point of each distribution that is used."""
    found = {
        callee.installed.distribution: callee
        for task in tasks
        if isinstance(task, Task)
        for callee in (task.provider, task.plugin)
    }
    return tuple(found.values())
