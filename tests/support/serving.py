"""What runs for months, as tests and benchmarks drive it: many plugins up, and assessments of them when they are due.

async with serving(fleet) as served:
    await served("fleet-07", due_at)
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from assess_core.admission import rights_of
from assess_core.config import load
from assess_core.execute import Context, Evidence, execute
from assess_core.host import Supervisor
from assess_core.plan import Task
from assess_core.report import commit
from assess_core.runtime import Runtime, utc_now
from assess_registry.client import ProjectName

Serve = Callable[[str, datetime], Awaitable[None]]
"""An assessment's id and when it is due: it has ended, and its outcome is in the journal."""


@asynccontextmanager
async def serving(path: Path, state: Path) -> AsyncIterator[Serve]:
    """Every plugin that the configuration wants is up, and what is asked for is assessed and recorded."""
    with Runtime(load(path), state=state) as runtime:
        tasks = {task.assessment: task for task in runtime.plan(())}
        hosts: dict[ProjectName, Supervisor] = {}
        context = Context(
            runtime=runtime.config.runtime.id,
            labels={},
            registry="production",
            clock=utc_now,
            notify=lambda _assessment, _event: None,
        )
        for task in tasks.values():
            assert isinstance(task, Task)
            grant = task.plugin.grant
            hosts[task.plugin.installed.distribution] = Supervisor(
                task.plugin.installed, runtime.host(), rights=None if grant is None else rights_of(grant)
            )

        async def keep(evidence: Evidence) -> None:
            await asyncio.to_thread(runtime.journal.keep, evidence)

        async def serve(name: str, due_at: datetime) -> None:
            executed = await execute(tasks[name], hosts=hosts, context=context, due_at=due_at, keep=keep)
            await asyncio.to_thread(commit, executed, journal=runtime.journal)

        try:
            yield serve
        finally:
            await asyncio.gather(*(host.stop() for host in hosts.values()))
