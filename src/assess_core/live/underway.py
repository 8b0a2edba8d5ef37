"""What one runtime has under way: what it follows, what that is served with, and the thread that waits for it.

The parts of `live` share it. What is followed, planned and served changes in one moment of the loop, with nothing
waited for in between; what waits for a network, a disk or a lock is done in one thread, one thing at a time (`beside`).
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from assess_core.assessing.fleet import Fleet
from assess_core.assessing.plan import Task, Unrunnable
from assess_core.assessing.values import Context
from assess_core.config import Config
from assess_core.errors import AssessError
from assess_core.runtime import Runtime

NOT_RUNNING = "this runtime is not running"

Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """What the fleet serves, and what to do with it."""

    tasks: tuple[Task | Unrunnable, ...]
    context: Context
    by_id: Mapping[str, Task | Unrunnable] = field(init=False)

    def __post_init__(self) -> None:
        # Looked up for each of a thousand that are due together.
        object.__setattr__(self, "by_id", {task.assessment: task for task in self.tasks})


class Underway:
    """What there is of it now; nothing at all before it was opened, and after it was left.

    Attributes:
        load: the configuration as it is now; raises `ConfigError` or `TrustError`. Called in a thread.
        state: the state directory.
        opened: the runtime, from its beginning to its end.
        fleet: its processes; None again as soon as they have ended.
        good: the configuration that is followed, whatever is just being tried.
        planned: what the next assessment begins with.
        stopping: nothing new is begun.
    """

    def __init__(self, load: Callable[[], Config], state: Path) -> None:
        self.load = load
        self.state = state
        self.opened: Runtime | None = None
        self.fleet: Fleet | None = None
        self.good: Config | None = None
        self.planned: Planned | None = None
        self.stopping = False
        self._sync = ThreadPoolExecutor(1, thread_name_prefix="assess-sync")

    @property
    def runtime(self) -> Runtime:
        """The runtime.

        Raises:
            AssessError: it does not run.
        """
        if self.opened is None:
            raise AssessError(NOT_RUNNING)
        return self.opened

    @property
    def serving(self) -> Fleet:
        """Its processes.

        Raises:
            AssessError: it does not run.
        """
        if self.fleet is None:
            raise AssessError(NOT_RUNNING)
        return self.fleet

    @property
    def followed(self) -> Config:
        """The configuration that is followed; the one that it was opened with, before any is."""
        return self.good if self.good is not None else self.runtime.config

    async def beside(self, work: Callable[[], Value]) -> Value:
        """What this returns, done in the thread for it after everything that was begun there before."""
        return await asyncio.get_running_loop().run_in_executor(self._sync, work)

    def after_all(self, work: Callable[[], object]) -> None:
        """This is done in that thread, and not waited for; whatever is begun there next comes after it."""
        self._sync.submit(work)

    def open(self) -> None:
        """There is a runtime, and it writes. In the thread, so that it is left also if nobody waits for it any more."""
        self.opened = Runtime(self.load(), state=self.state)
        self.opened.journal.writer()

    def leave(self) -> "asyncio.Future[None]":
        """Done once nothing is open; nothing is begun in the thread after it."""
        left: Future[None] = self._sync.submit(self._leave)
        self._sync.shutdown(wait=False)
        return asyncio.wrap_future(left)

    def _leave(self) -> None:
        runtime, self.opened = self.opened, None
        if runtime is not None:
            runtime.__exit__(None, None, None)
