"""A runtime that goes on running: it follows its configuration and its registry, and drops no assessment for it.

    live = Live(lambda: load(path), state)
    await live.start()
    run = await live.assess({"host"}, due_at=due)     # any number at the same time
    await live.stop(within_s=60)

What changes is brought up beside what runs, and takes its place when it stands: configuration, registry, folders of
plugins, what other processes pinned, rolled back or synced. Whatever goes wrong with that - a configuration that is
none, a folder that was tampered with, a version that does not start - leaves what runs as it is, and the log says so.
What was revoked is not given to assessments any more; revoked with `kill`, it is ended where it runs.

Everything public is for one event loop. What waits for a network, a disk or a lock is done in one thread, one thing at
a time (`_sync`); looking for changes is done beside it, and holds up nothing when a disk does not answer.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from assess_core.assessing.execute import Context
from assess_core.assessing.fleet import Fleet, Served, sorted_out
from assess_core.assessing.plan import Task, Unrunnable, callees_of, without
from assess_core.assessing.recording import Together
from assess_core.assessing.side_by_side import assess
from assess_core.config import Config, unknown_name
from assess_core.configured import calls_at_once
from assess_core.delivery.values import Action, Synced
from assess_core.errors import AssessError, ConfigError, CutShortError
from assess_core.host.aside import aside
from assess_core.host.identities import forget_accounts
from assess_core.host.standing import Standing
from assess_core.journal import Journal
from assess_core.live.changes import Changes, Topic, places_of
from assess_core.results import Run, Why
from assess_core.runtime import NotifyEvent, Runtime
from assess_core.store import InstalledPlugin
from assess_registry.client import ConfigError as RegistryConfigError
from assess_registry.client import ProjectName, RegistryError, RevokedError, TrustError

_log = logging.getLogger(__name__)

POLL_S = 1.0
"""Between two looks for changes; a change counts at the second that sees it."""

LOOK_S = 5.0
"""For all places to say how they are; mostly a few milliseconds."""

JITTER = 0.1
"""Of the time between two questions to the registry: a thousand machines started together do not ask together."""

LAST_WORDS_S = 30.0
"""For assessments to record what they have, once their plugins were ended; and for what the state is written by."""

HAND_OVER_S = 0.5
"""For assessments that are over to hand what they found to the journal, before it takes nothing more."""

MAX_SAID = 100
"""Mistakes that are remembered as said: the text of one may be another one at each look."""

_NOT_RUNNING = "this runtime is not running"

Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reloaded:
    """What came of following a change.

    Attributes:
        synced: what became of each plugin.
        refused: why the configuration as it is now is not followed; empty when it is.
        faults: why what is installed does not run, by distribution; what ran before does, where it may.
    """

    synced: tuple[Synced, ...] = ()
    refused: str = ""
    faults: Mapping[ProjectName, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Planned:
    """What the fleet serves, and what to do with it."""

    tasks: tuple[Task | Unrunnable, ...]
    context: Context
    by_id: Mapping[str, Task | Unrunnable] = field(init=False)

    def __post_init__(self) -> None:
        # Looked up for each of a thousand that are due together.
        object.__setattr__(self, "by_id", {task.assessment: task for task in self.tasks})


Followed = Callable[[Config, Sequence[Task | Unrunnable]], None]
"""Takes what is followed from now on; waits for nothing."""


class _RefusedError(AssessError):
    """It is not followed, and what runs goes on."""


class Live:
    """One configuration, at work on one state directory, until it is stopped.

    Args:
        load: the configuration as it is now; raises `ConfigError` or `TrustError`. Called in a thread.
        state: the state directory; a configuration that names another one is followed in all else.
        poll_s: between two looks for changes.
        rng: gives numbers from 0 to 1.
    """

    def __init__(
        self,
        load: Callable[[], Config],
        state: Path,
        *,
        poll_s: float = POLL_S,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self._load = load
        self._state = state
        self._poll_s = poll_s
        self._rng = rng
        self._sync = ThreadPoolExecutor(1, thread_name_prefix="assess-sync")
        self._looking: asyncio.Task[Any] | None = None
        self._changes = Changes()
        self._following = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None
        self._runtime: Runtime | None = None
        self._fleet: Fleet | None = None
        self._good: Config | None = None
        """What is followed, whatever is just being tried."""
        self._planned: _Planned | None = None
        self._said: deque[str] = deque(maxlen=MAX_SAID)
        self._told: set[tuple[str, Action, str]] = set()
        self._heeded: dict[str, bool] = {}
        """Environments that are used still and must not be: whether they were ended for it."""
        self._running: set[asyncio.Future[None]] = set()
        self._work: set[asyncio.Task[Any]] = set()
        """What follows a change; the end gives it up."""
        self._begun = self._stopping = self._stuck = False
        self._refusal = ""
        self._closing: asyncio.Task[None] | None = None
        self._tell_followed: list[Followed] = []
        self._before_closing: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self._first: asyncio.Task[None] | None = None
        """The first time that all is brought to what is configured, if what was installed serves meanwhile."""
        self._unasked: dict[str, InstalledPlugin] = {}
        """What serves since the start although nobody has looked yet whether it was revoked, by environment."""
        self._doubted: dict[str, tuple[InstalledPlugin, TrustError]] = {}
        """What may not serve by what is remembered, which may be told anew."""
        self._vouching: asyncio.Task[None] | None = None

    def on_followed(self, tell: Followed) -> None:
        """This is told of each configuration that is followed, the first one included, in the moment it is."""
        self._tell_followed.append(tell)

    def before_closing(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """At the end this is waited for, within bounds: when nothing runs any more, and the journal is still open."""
        self._before_closing.append(work)

    async def start(self, *, at_once: bool = False) -> Reloaded:
        """What is configured is installed, started and watched; plugins that could not be are in what is returned.

        Args:
            at_once: wait for neither registry nor processes where anything is installed: that serves, each process
                from its first call on, and is brought to what is configured beside it. Nothing that was revoked
                serves, by what is remembered of the registry, and every result says `stale` until it was asked. An
                assessment of something that is not installed yet waits for that.

        Raises:
            ConfigError, TrustError, StoreError: it cannot begin like this; nothing was started.
            AssessError: it was stopped before it had begun, or is started a second time.
        """
        if self._begun:
            raise AssessError("this runtime was started before: make another one")
        self._begun = True
        try:
            return await self._unless_closed(partial(self._begin, at_once))
        except BaseException:
            await self._close()
            raise

    async def _begin(self, at_once: bool) -> Reloaded:
        async with self._following:
            await self._beside(self._open)
            self._fleet = self._started.fleet()
            loop = asyncio.get_running_loop()
            if at_once and await self._serve_installed(self._started.config):
                done = Reloaded()
                self._first = loop.create_task(self._follow_first())
                self._work.add(self._first)
                self._first.add_done_callback(self._work.discard)
            else:
                if at_once:
                    _log.info("what is configured is installed first", extra={"action": "installing-first"})
                done = await self._follow(self._started.config)
            self._watching = loop.create_task(self._watch())
            return done

    async def _serve_installed(self, config: Config) -> bool:
        """What is installed and asked for serves by what is remembered; False when nothing is that fits."""
        runtime, fleet = self._started, self._serving
        await self._look(partial(self._changes.watch, self._places(config)))
        await self._beside(runtime.vouching.require_root)
        installed = await self._beside(runtime.installed)
        if not installed:
            return False
        try:
            tasks, unasked = await self._beside(partial(runtime.plan_installed, installed))
        except ConfigError:  # perhaps it does fit what is published
            return False
        fleet.host = await self._beside(runtime.host)
        made, missing = sorted_out(await fleet.make(callees_of(tasks), started=False))
        tasks = without(tasks, missing)
        context = await self._beside(partial(runtime.context, tasks, ()))
        self._unasked = {plugin.env_key: plugin for plugin in unasked}
        stale = frozenset(plugin.distribution for plugin in unasked)
        fleet.swap(made)
        self._take_up(config, _Planned(tasks=tasks, context=replace(context, stale=stale)))
        return True

    async def _follow_first(self) -> None:
        try:
            async with self._following:
                await self._followed(self._followed_now)
        except Exception:
            # A bug of ours: loud, and what serves goes on.
            _log.exception("following a change failed", extra={"action": "follow-failed"})
        finally:
            self._first = None

    async def reload(self) -> Reloaded:
        """The registry was asked, what it revoked is acted on; configuration and versions are followed as they are now.

        Something that is wrong with the configuration leaves the last one that was good: that is followed instead.

        Raises:
            AssessError: it is not running, or was stopped meanwhile.
        """
        done = await self._unless_closed(self._reload)
        self._refusal = done.refused
        return done

    async def _reload(self) -> Reloaded:
        async with self._following:
            rootless = await self._ask()
            await self._heed()  # before anything new is fetched, which may take long
            good = self._followed_now
            try:
                config = await self._beside(self._load)
            except (AssessError, RegistryError, OSError) as error:
                return replace(await self._followed(good), refused=self._refused(error))
            done = await self._followed(config)
            if not done.refused:
                if config.registry == good.registry and rootless:
                    return replace(done, refused=rootless)
                self._said.clear()
            elif config != good:
                return replace(await self._followed(good), refused=done.refused)
            return done

    async def assess(
        self,
        ids: Collection[str] = (),
        *,
        due_at: datetime | None = None,
        attempt: int = 1,
        why: Why = "request",
        problem: str = "",
        notify: NotifyEvent = lambda _assessment, _event: None,
    ) -> Run:
        """These assessments, or all, have been executed and recorded, with the versions that they began with.

        Args:
            ids: which; all that are enabled unless given.
            due_at: the time they were due, which the ids of their runs are made from; now, unless given.
            attempt: how often they were begun for that time, this time included.
            why: they are done: `schedule`, `request` or `again`.
            problem: why they are not done, but recorded with this as their problem; mostly nothing.
            notify: takes the assessment's id and what its plugin said.

        Raises:
            ConfigError: there is no such assessment.
            StoreError: the journal could not take a result, or has one of that time already.
            CutShortError: it was stopped, or is being, before one of them was over; nothing of that was recorded.
        """
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._running.add(over)
        try:
            tasks, fleet, context = await self._allowed(ids, problem)  # until the fleet is taken nothing is waited for
            context = replace(
                context, notify=notify, is_stopped=lambda: self._closing is not None, attempt=attempt, why=why
            )
            return await assess(
                tasks, fleet=fleet, recorder=Together(self._started.journal.writer()), context=context, due_at=due_at
            )
        finally:
            self._running.discard(over)
            over.set_result(None)

    async def _allowed(self, ids: Collection[str], problem: str) -> tuple[list[Task | Unrunnable], Fleet, Context]:
        """What is to be done, now that it may be.

        Raises:
            ConfigError, CutShortError: as `assess`.
        """
        while True:
            planned, fleet = self._planned, self._fleet
            if planned is None or fleet is None or self._stopping:
                raise CutShortError(_NOT_RUNNING)
            if unknown := [name for name in ids if name not in planned.by_id]:
                known = tuple(planned.by_id)
                raise ConfigError(*(unknown_name("assessment", name, known, where="assess") for name in unknown))
            tasks = [planned.by_id[name] for name in dict.fromkeys(ids or planned.by_id)]
            if problem:
                return [_not_done(task, problem) for task in tasks], fleet, planned.context
            used = {callee.installed.env_key for callee in callees_of(tasks)}
            doubted = used & self._doubted.keys()
            if used & self._unasked.keys():
                await self._vouched_for(used)
            elif self._first is not None and (doubted or any(isinstance(task, Unrunnable) for task in tasks)):
                await asyncio.wait([self._first])  # what is not installed yet is being, and the registry is asked
            elif doubted:
                await self._act_on([self._doubted.pop(key) for key in doubted])
            else:
                return tasks, fleet, planned.context

    async def _vouched_for(self, env_keys: Collection[str]) -> None:
        """Of each of these it is known whether it may serve by what is remembered of the registry.

        Not in the thread that may be waiting for the registry.
        """
        loop = asyncio.get_running_loop()
        while self._vouching is not None and not self._vouching.done():
            await asyncio.wait([self._vouching])
        asked = [self._unasked[key] for key in env_keys if key in self._unasked]
        if not asked or self._stopping:
            return

        async def ask() -> None:
            refused = await aside(partial(self._started.vouching.refusals_by_memory, asked))
            # What follows a change may have asked meanwhile, and what it found is newer.
            self._doubted |= {pair[0].env_key: pair for pair in refused if pair[0].env_key in self._unasked}
            for plugin in asked:
                self._unasked.pop(plugin.env_key, None)

        self._vouching = loop.create_task(ask())
        await asyncio.shield(self._vouching)

    async def stop(self, within_s: float = 60.0) -> None:
        """Nothing runs any more: what runs may end within this time; what had not by then is ended, and not recorded.

        Idempotent. Whoever asks for it while it is being done waits for the same end.
        """
        self._stopping = True
        if self._first is not None:  # what waits for it is not begun any more
            self._first.cancel()
        if self._running:
            await asyncio.wait(tuple(self._running), timeout=within_s)
        await self._close()

    @property
    def journal(self) -> Journal:
        """Where results go, for as long as it runs.

        Raises:
            AssessError: it does not run.
        """
        return self._started.journal

    @property
    def refused(self) -> str:
        """Why the configuration as it is now is not what is followed; empty when it is."""
        return self._refusal

    @property
    def stale(self) -> frozenset[ProjectName]:
        """What serves by a word of the registry that is older than it should be, or was not asked for yet."""
        return self._planned.context.stale if self._planned is not None else frozenset()

    @property
    def standing(self) -> Mapping[ProjectName, tuple[InstalledPlugin, Standing]]:
        """What serves each distribution, and how its processes stand."""
        serving = self._fleet.serving if self._fleet is not None else {}
        return {name: (each.installed, each.supervisor.standing) for name, each in serving.items()}

    # --- following

    async def _followed(self, config: Config) -> Reloaded:
        """As `_follow`; whatever is wrong leaves what runs."""
        try:
            return await self._follow(config)
        except BaseException as error:
            # Not waited for, since this may have been cancelled; whatever comes next in that thread comes after it.
            self._sync.submit(self._started.reconfigure, self._followed_now)
            if isinstance(error, AssessError | RegistryError | OSError):
                return Reloaded(refused=self._refused(error))
            raise

    async def _follow(self, config: Config) -> Reloaded:
        """What this configuration asks for serves from now on, as far as it could be brought up.

        Raises:
            ConfigError, TrustError, StoreError: not to be followed; then nothing changed of what serves.
        """
        runtime, fleet = self._started, self._serving
        # Before anything is read: what changes while it is read is a change.
        await self._look(partial(self._changes.watch, self._places(config)))
        await self._beside(partial(runtime.reconfigure, config))
        if self._good is not None and config.registry != self._good.registry:
            await self._beside(runtime.vouching.require_root)
        forget_accounts()
        synced = await self._beside(partial(runtime.sync, notify=_notice))
        self._tell(synced)
        if self._planned is not None and (tampered := _refused_folders(config, synced)):
            raise _RefusedError(*tampered)
        await self._heed()
        host, fleet.host = fleet.host, await self._beside(runtime.host)
        try:
            tasks, made, faults = await self._brought(synced)
            context = await self._beside(partial(runtime.context, tasks, synced))
        except BaseException:
            fleet.host = host
            fleet.swap(fleet.serving)  # ends what was made for nothing
            raise
        # From here on nothing is waited for: who begins has the old plan with the old versions, or both are new.
        fleet.swap(made)
        fleet.turns.limit = calls_at_once(config.runtime)
        self._forget_doubts()
        self._take_up(config, _Planned(tasks=tasks, context=context))
        await self._look(partial(self._changes.watch, self._places(config)))  # with the interpreters that serve now
        for name, why in faults.items():
            _log.error("%s", why, extra={"action": "start-refused", "distribution": name})
        return Reloaded(synced=synced, faults=faults)

    def _take_up(self, config: Config, planned: _Planned) -> None:
        """This is followed from now on, by all in the same moment."""
        self._planned = planned
        self._good = config
        for tell in self._tell_followed:
            tell(config, planned.tasks)

    async def _brought(
        self, synced: tuple[Synced, ...]
    ) -> tuple[tuple[Task | Unrunnable, ...], dict[ProjectName, Served], dict[ProjectName, str]]:
        """What to do, who serves it, and why what was installed does not; nothing is handed out yet.

        For what does not start, what serves now goes on, if it still may.
        """
        runtime, fleet = self._started, self._serving
        usable = list(await self._beside(partial(runtime.usable, synced)))
        tried: set[str] = set()
        faults: dict[ProjectName, str] = {}
        while True:
            tasks = await self._beside(partial(runtime.plan, synced, usable=tuple(usable), faults=dict(faults)))
            made, missing = sorted_out(await fleet.make(callees_of(tasks)))
            if not missing:
                return tasks, made, faults
            for name, why in missing.items():
                faults.setdefault(name, why)
                tried |= {plugin.env_key for plugin in usable if plugin.distribution == name}
                usable = [plugin for plugin in usable if plugin.distribution != name]
                before = fleet.serving.get(name)
                if before is None or before.installed.env_key in tried:
                    continue
                if await self._beside(partial(runtime.vouching.may_stay, before.installed)):
                    usable.append(before.installed)

    async def _heed(self) -> None:
        """What is revoked by what is known of the registry now is given to nobody, and ended if that is to be."""
        refusals = await self._beside(partial(self._refusals, self._serving.alive))
        found = [pair for pair in refusals if self._heeded.get(pair[0].env_key) != _kills(pair[1])]
        self._heeded = {installed.env_key: _kills(error) for installed, error in refusals}
        self._forget_doubts()
        await self._act_on(found)

    def _forget_doubts(self) -> None:
        self._unasked.clear()
        self._doubted.clear()

    async def _act_on(self, found: Sequence[tuple[InstalledPlugin, TrustError]]) -> None:
        fleet = self._serving
        if not found:
            return
        if self._planned is not None:
            used = callees_of(self._planned.tasks)
            why = {installed.env_key: _reason(error) for installed, error in found}
            missing = {
                each.installed.distribution: why[each.installed.env_key]
                for each in used
                if each.installed.env_key in why
            }
            self._planned = replace(self._planned, tasks=without(self._planned.tasks, missing))
        for installed, error in found:
            if not _kills(error):  # dropped, those that nobody has would be asked to go, and given time for it
                fleet.drop(installed.env_key)
        for installed, error in found:
            action = "revoked-killed" if _kills(error) else "revoked-retired"
            _log.error("%s", error, extra={"action": action, "distribution": installed.distribution})
        await asyncio.gather(
            *(fleet.kill(installed.env_key, _reason(error)) for installed, error in found if _kills(error))
        )

    async def _ask(self) -> str:
        """By a word of half a minute ago, what another process installed since would be taken back.

        Returns why the registry's root is none, which is a mistake in the configuration; mostly nothing.
        """
        try:
            silent = await self._beside(self._started.vouching.ask)
        except (AssessError, RegistryError, OSError) as error:
            return self._refused(error)
        if silent is not None:
            _log.warning("the registry's word is not to be had: %s", silent, extra={"action": "registry-silent"})
        return ""

    def _refusals(self, running: tuple[InstalledPlugin, ...]) -> list[tuple[InstalledPlugin, TrustError]]:
        found = ((plugin, self._started.vouching.known_refusal_of(plugin)) for plugin in running)
        return [(plugin, refusal) for plugin, refusal in found if refusal is not None]

    def _tell(self, synced: tuple[Synced, ...]) -> None:
        """What was done about each plugin, and what went wrong with it: once for as long as that is so."""
        wrong = {(line.distribution, line.action, line.reason) for line in synced if line.reason}
        for line in synced:
            what = (line.distribution, line.action, line.reason)
            if what in wrong - self._told:
                extra = {"action": f"sync-{line.action}", "distribution": line.distribution}
                _log.warning("%s: %s: %s", *what, extra=extra)
            elif line.action in (Action.INSTALLED, Action.UPGRADED, Action.REMOVED):
                extra = {"action": f"sync-{line.action}", "distribution": line.distribution}
                _log.info("%s %s: %s", line.distribution, line.version or line.previous, line.action, extra=extra)
        self._told = wrong

    def _refused(self, error: Exception) -> str:
        """Why what runs goes on as it was; logged once for as long as that is so."""
        said = str(error)
        if said not in self._said:
            self._said.append(said)
            ours = isinstance(error, ConfigError | RegistryConfigError | TrustError | _RefusedError)
            action = "config-refused" if ours else "reload-failed"
            _log.error("what runs goes on as it was: %s", said, extra={"action": action})
        return said

    # --- watching

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + self._until_refresh_s()
        while True:
            await asyncio.sleep(self._poll_s)
            try:
                topics = await self._look(self._changes.look) or frozenset()
                if Topic.STATE in topics or self._serving.has_unkept:
                    await self._serving.resume_lifted()
                if topics:
                    _log.info("changed: %s", ", ".join(sorted(topics)), extra={"action": "changed"})
                if topics or loop.time() >= due:
                    await self.reload()
                    due = loop.time() + self._until_refresh_s()
            except Exception:
                # A bug of ours: loud, and no reason to stop following for the months to come.
                _log.exception("following a change failed", extra={"action": "follow-failed"})

    def _until_refresh_s(self) -> float:
        settings = self._started.config.registry
        every = settings.refresh_s if settings is not None else 300.0
        return every * (1 - JITTER + 2 * JITTER * self._rng())

    def _places(self, config: Config) -> frozenset[tuple[Topic, Path]]:
        running = self._fleet.running if self._fleet is not None else ()
        interpreters = {self._started.interpreter.path, *(plugin.interpreter.path for plugin in running)}
        return places_of(config, state=self._state, interpreters=interpreters)

    # --- what belongs to it

    @property
    def _started(self) -> Runtime:
        if self._runtime is None:
            raise AssessError(_NOT_RUNNING)
        return self._runtime

    @property
    def _followed_now(self) -> Config:
        return self._good if self._good is not None else self._started.config

    @property
    def _serving(self) -> Fleet:
        if self._fleet is None:
            raise AssessError(_NOT_RUNNING)
        return self._fleet

    async def _beside(self, work: Callable[[], Value]) -> Value:
        return await asyncio.get_running_loop().run_in_executor(self._sync, work)

    async def _look(self, work: Callable[[], Value]) -> Value | None:
        """What is seen; None when a place does not answer: what does not have to do with it goes on.

        One at a time, in threads that nobody waits for when the process ends.
        """
        while self._looking is not None and not self._looking.done():
            if not await self._answers(self._looking):
                return None
        self._looking = looking = asyncio.get_running_loop().create_task(aside(work))
        return looking.result() if await self._answers(looking) else None

    async def _answers(self, looking: asyncio.Task[Any]) -> bool:
        done, _ = await asyncio.wait([looking], timeout=LOOK_S)
        if not done and not self._stuck:
            _log.error(
                "something that is followed lies on a disk that does not answer: changes on disk are not noticed until "
                "it does, and the registry is asked as ever",
                extra={"action": "looking-stuck"},
            )
        self._stuck = not done
        return bool(done)

    async def _unless_closed(self, work: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
        """What comes of this, in a task of its own: the end gives that up, and not its caller's.

        Raises:
            AssessError: it is not done, or was given up.
        """
        if self._closing is not None:
            raise AssessError(_NOT_RUNNING)
        task = asyncio.get_running_loop().create_task(work())
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        try:
            return await task
        except asyncio.CancelledError:
            ours = asyncio.current_task()
            if self._closing is None or (ours is not None and ours.cancelling()):
                raise
            raise AssessError("this runtime was stopped meanwhile") from None

    async def _close(self) -> None:
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._end())
        await asyncio.shield(self._closing)

    async def _end(self) -> None:
        following = {*self._work, *((self._watching,) if self._watching is not None else ())}
        for task in following:
            task.cancel()
        if following:
            await asyncio.wait(following)
        # No process is made from here on: what would have been is given up, and nothing new is begun.
        if self._runtime is not None:
            self._runtime.vouching.abandon()
        if self._fleet is not None:
            await self._fleet.stop()
            if self._running:
                await asyncio.wait(tuple(self._running), timeout=HAND_OVER_S)
            if self._running and self._runtime is not None:
                # What waits for room on the disk is tried once more, and then given up.
                closing = asyncio.get_running_loop().create_task(aside(self._runtime.journal.writer().close))
                await asyncio.wait(tuple(self._running), timeout=LAST_WORDS_S)
                closing.cancel()  # it goes on in its thread
            self._fleet = None
        for work in self._before_closing:
            await asyncio.wait([asyncio.get_running_loop().create_task(work())], timeout=LAST_WORDS_S)
        left = asyncio.get_running_loop().run_in_executor(self._sync, self._leave)
        self._sync.shutdown(wait=False)
        if self._looking is not None:
            self._looking.cancel()
        if not (await asyncio.wait([left], timeout=LAST_WORDS_S))[0]:
            _log.warning(
                "stopped, while %s is still being written to by what was begun before; it ends by itself",
                self._state,
                extra={"action": "sync-left"},
            )

    def _open(self) -> None:
        # In the thread that does this, so that it is closed also if nobody waits for it any more.
        self._runtime = Runtime(self._load(), state=self._state)
        self._runtime.journal.writer()

    def _leave(self) -> None:
        runtime, self._runtime = self._runtime, None
        if runtime is not None:
            runtime.__exit__(None, None, None)


def _not_done(task: Task | Unrunnable, problem: str) -> Unrunnable:
    provider = task.provider.name if isinstance(task, Task) else task.provider
    return Unrunnable(assessment=task.assessment, provider=provider, problem=problem)


def _notice(sentence: str) -> None:
    _log.info("%s", sentence, extra={"action": "syncing"})


def _kills(error: TrustError) -> bool:
    return isinstance(error, RevokedError) and error.kills


def _reason(error: TrustError) -> str:
    return f"revoked: {error.reason}" if isinstance(error, RevokedError) else error.what


def _refused_folders(config: Config, synced: tuple[Synced, ...]) -> list[str]:
    """Why a folder of plugins cannot be used. Nobody knows then what it stands for, so what runs of it goes on."""
    theirs = {str(name) for entry in config.plugins if entry.dir is not None for name in (entry.dir, entry.name)}
    refused = [line for line in synced if line.action is Action.REFUSED and line.distribution in theirs]
    # The registry's word is no fault of the folder: what it has revoked does not go on.
    return [line.reason for line in refused if not isinstance(line.refusal, RevokedError)]
