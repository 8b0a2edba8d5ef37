"""The workers of one distribution: a queue in front of them, and a new one for one that died.

    supervisor = Supervisor(installed, config, workers=2)
    await supervisor.start()
    report = await supervisor.execute("host-baseline", input, timeout_s=60)
    await supervisor.stop()

Calls are served in the order in which they came. A call's deadline begins when a worker takes it: waiting is not the
plugin's fault. A call that fails takes at most its own worker with it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from assess_core.errors import ConfigError, FaultKind, PluginFault
from assess_core.host.config import HostConfig
from assess_core.host.rights import Rights
from assess_core.host.values import CallReport, EvaluateReport, OnEvent
from assess_core.host.worker import Worker
from assess_core.store import EntryKind, InstalledPlugin
from assess_plugin.models import ActionInput, EvaluateInput

Report = TypeVar("Report", CallReport, EvaluateReport)


class Supervisor:
    """Runs calls of one installed plugin, at most `workers` at a time; `rights` are all it asks for unless given."""

    def __init__(
        self, installed: InstalledPlugin, config: HostConfig, *, workers: int = 1, rights: Rights | None = None
    ) -> None:
        if workers < 1:
            raise ConfigError(f"{installed.distribution}: workers must be at least 1, got {workers}")
        self._installed = installed
        self._config = config
        self._rights = rights
        self._names = {(entry.kind, str(entry.name)): None for entry in installed.entries}  # a set that keeps its order
        self._slots: asyncio.Queue[_Slot] = asyncio.Queue()
        self._all = [_Slot() for _ in range(workers)]
        for slot in self._all:
            self._slots.put_nowait(slot)
        self._calls: set[asyncio.Task[object]] = set()
        self._stopping = False

    async def start(self) -> None:
        """All workers are ready. Without it, each starts at its first call.

        Raises:
            PluginFault: one could not be started; none is left.
        """
        slots = [await self._slots.get() for _ in self._all]
        try:
            outcomes = await asyncio.gather(*(self._ready(slot) for slot in slots), return_exceptions=True)
        finally:
            for slot in slots:
                self._slots.put_nowait(slot)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                await self._end_workers()
                raise outcome

    async def execute(
        self, name: str, input: ActionInput, *, timeout_s: float, on_event: OnEvent | None = None
    ) -> CallReport:
        """Let a plugin assess a subject: one result for each check asked for, what is missing filled with errors.

        Raises:
            PluginFault: the plugin failed the call; nothing it said counts.
            ConfigError: the distribution has no plugin of this name.
        """
        self._require(name, "plugin")
        return await self._submit(
            name, "execute", lambda worker: worker.execute(name, input, timeout_s=timeout_s, on_event=on_event)
        )

    async def evaluate(
        self, name: str, input: EvaluateInput, *, timeout_s: float, on_event: OnEvent | None = None
    ) -> EvaluateReport:
        """Let a provider find subjects.

        Raises:
            PluginFault, ConfigError: as for `execute`.
        """
        self._require(name, "provider")
        return await self._submit(
            name, "evaluate", lambda worker: worker.evaluate(name, input, timeout_s=timeout_s, on_event=on_event)
        )

    async def stop(self) -> None:
        """No process, descriptor or directory of it is left; open calls and queued ones fail."""
        self._stopping = True
        await self._end_workers()
        if self._calls:
            await asyncio.wait(self._calls)

    async def _submit(self, name: str, phase: str, call: Callable[[Worker], Awaitable[Report]]) -> Report:
        if self._stopping:
            raise self._stop_fault(name, phase)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  a coroutine runs in a task
        slot = await self._slots.get()
        self._calls.add(task)
        try:
            if self._stopping:
                raise self._stop_fault(name, phase)
            return await call(await self._ready(slot))
        finally:
            self._calls.discard(task)
            self._slots.put_nowait(slot)

    async def _ready(self, slot: "_Slot") -> Worker:
        if self._stopping:
            raise self._stop_fault(self._installed.distribution, "start")
        if slot.worker is None or not slot.worker.usable:
            begun = slot.begun = asyncio.Event()
            try:
                # in its slot before it is ready, so that stop sees it
                slot.worker = await Worker.start(self._installed, self._config, self._rights)
            finally:
                begun.set()
            await slot.worker.load()
        return slot.worker

    async def _end_workers(self) -> None:
        for slot in self._all:
            await slot.begun.wait()
        workers = [slot.worker for slot in self._all if slot.worker is not None]
        await asyncio.gather(*(worker.stop() for worker in workers))

    def _require(self, name: str, kind: EntryKind) -> None:
        if (kind, name) not in self._names:
            names = [known for of_kind, known in self._names if of_kind == kind]
            raise ConfigError(
                f"{self._installed.distribution} {self._installed.version} has no {kind} {name!r}; "
                f"it has {', '.join(names) or 'none'}"
            )

    def _stop_fault(self, name: str, phase: str) -> PluginFault:
        message = f"{self._installed.distribution} is being stopped"
        return PluginFault(message, plugin=name, phase=phase, kind=FaultKind.STOPPED)


class _Slot:
    """Room for one worker; in the queue while no call uses it."""

    def __init__(self) -> None:
        self.worker: Worker | None = None
        self.begun = asyncio.Event()
        """Unset while a process is being made for it, which is nobody's to end yet."""
        self.begun.set()
