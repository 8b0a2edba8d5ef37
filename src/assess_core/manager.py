"""Plugins of several packages behind one synchronous face.

    with PluginManager(ManagerConfig(plugins=(installed,), host=host)) as manager:
        output = manager.execute("host-baseline", ActionInput(...))

One process for each package (`workers` for more), started and stopped all at once. The asyncio loop that watches them
runs in a thread of its own, so any thread may call; nothing else about the supervisors is exposed.

For programs that embed plugins, and for the tests that hold them side by side: no command uses it, since those have a
loop of their own (`assessing/fleet.py`).
"""

import asyncio
import threading
from collections.abc import Collection, Coroutine, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar

from assess_core.errors import AssessError, ConfigError, PluginFault
from assess_core.host import CallReport, EvaluateReport, HostConfig, OnEvent, Policy, Supervisor
from assess_core.host.rights import Rights
from assess_core.store import EntryKind, InstalledPlugin
from assess_plugin.models import ActionInput, ActionOutput, EvaluateInput
from assess_registry.client import ProjectName

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class ManagerConfig:
    """What to run and how.

    Attributes:
        plugins: each distribution once.
        workers: processes for each distribution.
        rights: what each distribution may do; one that is not there may do all that its manifest asks for.
        policy: when a worker that died is followed by another.
    """

    plugins: tuple[InstalledPlugin, ...]
    host: HostConfig
    workers: int = 1
    rights: Mapping[ProjectName, Rights] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)


class PluginManager:
    """Starts, calls and stops plugins; usable between `start` and `stop`, or as a context manager.

    Raises:
        ConfigError: a distribution comes twice, or two have a plugin or provider of the same name.
    """

    def __init__(self, config: ManagerConfig) -> None:
        self._config = config
        self._owners = _owners(config.plugins)
        self._supervisors: dict[str, Supervisor] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> tuple[PluginFault, ...]:
        """Every plugin that can be started is ready; returns the faults of the others, which a call tries again."""
        if self._thread is not None:
            raise AssessError("this plugin manager has been started already")
        loop = self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=_run, args=(loop,), name="assess-plugins", daemon=True)
        self._thread.start()
        try:
            return self._wait(self._start())
        except BaseException:
            self.stop()
            raise

    def execute(self, name: str, input: ActionInput) -> ActionOutput:
        """Let a plugin assess a subject, for as long as its manifest says.

        Raises:
            PluginFault: the plugin failed the call.
            ConfigError: there is no plugin of this name.
        """
        return self.call(name, input).output

    def call(
        self, name: str, input: ActionInput, *, timeout_s: float | None = None, on_event: OnEvent | None = None
    ) -> CallReport:
        """The same, with everything that is known of the call; `on_event` is told on the manager's thread."""
        owner = self._owner(name, "plugin")
        limit = owner.manifest.limits.timeout_s if timeout_s is None else timeout_s
        supervisor = self._supervisor(owner)
        return self._wait(supervisor.execute(name, input, timeout_s=limit, on_event=on_event))

    def evaluate(
        self, name: str, input: EvaluateInput, *, timeout_s: float | None = None, on_event: OnEvent | None = None
    ) -> EvaluateReport:
        """Let a provider find subjects.

        Raises:
            PluginFault, ConfigError: as for `execute`.
        """
        owner = self._owner(name, "provider")
        limit = owner.manifest.limits.timeout_s if timeout_s is None else timeout_s
        supervisor = self._supervisor(owner)
        return self._wait(supervisor.evaluate(name, input, timeout_s=limit, on_event=on_event))

    def stop(self) -> None:
        """No process, thread or directory of it is left; open calls fail. Idempotent."""
        if self._thread is None or self._loop is None:
            return
        try:
            self._wait(self._stop())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._thread = self._loop = None

    def __enter__(self) -> Self:
        """Started; a plugin that could not be is no reason to keep the others waiting."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Stopped."""
        self.stop()

    async def _start(self) -> tuple[PluginFault, ...]:
        given = self._config
        self._supervisors = {
            each.distribution: Supervisor(
                each, given.host, given.rights.get(each.distribution), workers=given.workers, policy=given.policy
            )
            for each in given.plugins
        }
        starts = (supervisor.start() for supervisor in self._supervisors.values())
        outcomes = await asyncio.gather(*starts, return_exceptions=True)
        faults = [outcome for outcome in outcomes if outcome is not None]
        for fault in faults:
            if not isinstance(fault, PluginFault):
                raise fault
        return tuple(fault for fault in faults if isinstance(fault, PluginFault))

    async def _stop(self) -> None:
        await asyncio.gather(*(supervisor.stop() for supervisor in self._supervisors.values()))
        await asyncio.get_running_loop().shutdown_default_executor()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            work.close()
            raise AssessError("this plugin manager is not running: call start(), or use it in a `with` statement")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _supervisor(self, owner: InstalledPlugin) -> Supervisor:
        try:
            return self._supervisors[owner.distribution]
        except KeyError:
            message = "this plugin manager is not running: call start(), or use it in a `with` statement"
            raise AssessError(message) from None

    def _owner(self, name: str, kind: EntryKind) -> InstalledPlugin:
        owner = self._owners.get((kind, name))
        if owner is None:
            names = sorted(known for of_kind, known in self._owners if of_kind == kind)
            raise ConfigError(f"no installed package has a {kind} {name!r}; there are {', '.join(names) or 'none'}")
        return owner


def _owners(plugins: tuple[InstalledPlugin, ...]) -> Mapping[tuple[EntryKind, str], InstalledPlugin]:
    owners: dict[tuple[EntryKind, str], InstalledPlugin] = {}
    seen: dict[str, InstalledPlugin] = {}
    problems = []
    for installed in plugins:
        other = seen.setdefault(installed.distribution, installed)
        if other is not installed:
            problems.append(
                f"{installed.distribution} is listed twice: {other.version} and {installed.version}; keep one"
            )
            continue
        for entry in installed.entries:
            owner = owners.setdefault((entry.kind, entry.name), installed)
            if owner is not installed:
                both = f"{owner.distribution} {owner.version} and {installed.distribution} {installed.version}"
                problems.append(f"{both} both have a {entry.kind} {entry.name!r}; one name, one plugin")
    if problems:
        raise ConfigError(*problems)
    return owners


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.run_until_complete(_end_all(asyncio.all_tasks(loop)))  # what serves all workers of a loop ends with it
        loop.close()


async def _end_all(tasks: Collection[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
