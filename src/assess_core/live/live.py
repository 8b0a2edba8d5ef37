"""A runtime that goes on running: it follows its configuration and its registry, and drops no assessment for it.

    live = Live(lambda: load(path), state)
    await live.start()
    run = await live.assess({"host"}, due_at=due)     # any number at the same time
    await live.stop(within_s=60)

What changes is brought up beside what runs, and takes its place when it stands: configuration, registry, folders of
plugins, what other processes pinned, rolled back or synced. Whatever goes wrong with that - a configuration that is
none, a folder that was tampered with, a version that does not start - leaves what runs as it is, and the log says so.
What was revoked is not given to assessments any more; revoked with `kill`, it is ended where it runs.

`Live` has the lock and the public verbs; what they do lies beside it: `following`, `doubts` (starting at once),
`revoking`, `watching`, `ending`, `saying`, and `underway`, which they share. Everything public is for one event loop.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from assess_core.assessing.fleet import Fleet
from assess_core.assessing.plan import Task, Unrunnable, callees_of
from assess_core.assessing.recording import Together
from assess_core.assessing.side_by_side import assess
from assess_core.assessing.values import Context
from assess_core.config import Config, unknown_name
from assess_core.errors import AssessError, ConfigError, CutShortError
from assess_core.host.standing import Standing
from assess_core.journal import Journal
from assess_core.live.doubts import Doubts
from assess_core.live.ending import LastWork, end
from assess_core.live.following import Followed, Following, Reloaded
from assess_core.live.revoking import Revoking
from assess_core.live.underway import NOT_RUNNING, Underway
from assess_core.live.watching import Watching
from assess_core.results import Run, Why
from assess_core.runtime import NotifyEvent
from assess_core.store import InstalledPlugin
from assess_registry.client import ProjectName

_log = logging.getLogger(__name__)

POLL_S = 1.0
"""Between two looks for changes; a change counts at the second that sees it."""

Value = TypeVar("Value")


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
        self._underway = Underway(load, state)
        self._doubts = Doubts(self._underway)
        self._revoking = Revoking(self._underway, self._doubts)
        self._watching = Watching(self._underway, poll_s=poll_s, rng=rng)
        self._following = Following(self._underway, self._watching, self._revoking, self._doubts)
        self._lock = asyncio.Lock()
        """Of who follows a change."""
        self._running: set[asyncio.Future[None]] = set()
        self._work: set[asyncio.Task[Any]] = set()
        """What follows a change; the end gives it up."""
        self._begun = False
        self._refusal = ""
        self._has_failed = False
        self._closing: asyncio.Task[None] | None = None
        self._last: list[LastWork] = []
        self._first: asyncio.Task[None] | None = None
        """The first time that all is brought to what is configured, if what was installed serves meanwhile."""

    def on_followed(self, tell: Followed) -> None:
        """This is told of each configuration that is followed, the first one included, in the moment it is."""
        self._following.tell(tell)

    def before_closing(self, work: LastWork) -> None:
        """At the end this is waited for, within bounds: when nothing runs any more, and the journal is still open."""
        self._last.append(work)

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
        async with self._lock:
            underway, loop = self._underway, asyncio.get_running_loop()
            await underway.beside(underway.open)
            underway.fleet = underway.runtime.fleet()
            config = underway.runtime.config
            if at_once and await self._following.serve_installed(config):
                done = Reloaded()
                self._first = loop.create_task(self._follow_first())
                self._give_up_at_the_end(self._first)
            else:
                if at_once:
                    _log.info("what is configured is installed first", extra={"action": "installing-first"})
                done = await self._following.follow(config)
            self._give_up_at_the_end(loop.create_task(self._watching.go_on(self.reload, failed=self._failed)))
            return done

    async def _follow_first(self) -> None:
        try:
            async with self._lock:
                await self._following.or_as_before(self._underway.followed)
        except Exception as error:
            self._failed(error)
        finally:
            self._first = None

    async def reload(self) -> Reloaded:
        """The registry was asked, what it revoked is acted on; configuration and versions are followed as they are now.

        Something that is wrong with the configuration leaves the last one that was good: that is followed instead.

        Raises:
            AssessError: it is not running, or was stopped meanwhile.
        """
        done = await self._unless_closed(self._reload)
        self._refusal, self._has_failed = done.refused, False
        return done

    async def _reload(self) -> Reloaded:
        async with self._lock:
            return await self._following.reload()

    async def assess(
        self,
        ids: Collection[str] = (),
        *,
        due_at: datetime | None = None,
        run_id: str = "",
        attempt: int = 1,
        why: Why = "request",
        problem: str = "",
        notify: NotifyEvent = lambda _assessment, _event: None,
    ) -> Run:
        """These assessments, or all, have been executed and recorded, with the versions that they began with.

        Args:
            ids: which; all that are enabled unless given.
            due_at: the time they were due, which the ids of their runs are made from; now, unless given.
            run_id: of the one that is named, if it was decided before; else it is made from that time.
            attempt: how often they were begun for that time, this time included.
            why: they are done: `schedule`, `request` or `again`.
            problem: why they are not done, but recorded with this as their problem, whether there are such assessments
                or not; mostly nothing.
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
                context,
                notify=notify,
                is_stopped=lambda: self._closing is not None,
                run_ids=dict.fromkeys(ids, run_id) if run_id else {},
                attempt=attempt,
                why=why,
            )
            return await assess(
                tasks,
                fleet=fleet,
                recorder=Together(self._underway.runtime.journal.writer()),
                context=context,
                due_at=due_at,
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
            planned, fleet = self._underway.planned, self._underway.fleet
            if planned is None or fleet is None or self._underway.stopping:
                raise CutShortError(NOT_RUNNING)
            if problem:
                return [_not_done(name, planned.by_id.get(name), problem) for name in ids], fleet, planned.context
            if unknown := [name for name in ids if name not in planned.by_id]:
                known = tuple(planned.by_id)
                raise ConfigError(*(unknown_name("assessment", name, known, where="assess") for name in unknown))
            tasks = [planned.by_id[name] for name in dict.fromkeys(ids or planned.by_id)]
            used = {callee.installed.env_key for callee in callees_of(tasks)}
            doubted = self._doubts.of(used)
            if self._doubts.are_open(used):
                await self._doubts.settle(used)
            elif self._first is not None and (doubted or any(isinstance(task, Unrunnable) for task in tasks)):
                await asyncio.wait([self._first])  # what is not installed yet is being, and the registry is asked
            elif doubted:
                await self._revoking.act_on(self._doubts.believe(doubted))
            else:
                return tasks, fleet, planned.context

    async def stop(self, within_s: float = 60.0) -> None:
        """Nothing runs any more: what runs may end within this time; what had not by then is ended, and not recorded.

        Idempotent. Whoever asks for it while it is being done waits for the same end.
        """
        self._underway.stopping = True
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
        return self._underway.runtime.journal

    @property
    def refused(self) -> str:
        """Why the configuration as it is now is not what is followed; empty when it is."""
        return self._refusal

    @property
    def has_failed(self) -> bool:
        """Whether that is so for a bug of ours."""
        return self._has_failed

    @property
    def stale(self) -> frozenset[ProjectName]:
        """What serves by a word of the registry that is older than it should be, or was not asked for yet."""
        planned = self._underway.planned
        return planned.context.stale if planned is not None else frozenset()

    @property
    def standing(self) -> Mapping[ProjectName, tuple[InstalledPlugin, Standing]]:
        """What serves each distribution, and how its processes stand."""
        fleet = self._underway.fleet
        serving = fleet.serving if fleet is not None else {}
        return {name: (each.installed, each.supervisor.standing) for name, each in serving.items()}

    async def _unless_closed(self, work: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
        """What comes of this, in a task of its own: the end gives that up, and not its caller's.

        Raises:
            AssessError: it is not done, or was given up.
        """
        if self._closing is not None:
            raise AssessError(NOT_RUNNING)
        task = asyncio.get_running_loop().create_task(work())
        self._give_up_at_the_end(task)
        try:
            return await task
        except asyncio.CancelledError:
            ours = asyncio.current_task()
            if self._closing is None or (ours is not None and ours.cancelling()):
                raise
            raise AssessError("this runtime was stopped meanwhile") from None

    def _failed(self, error: Exception) -> None:
        """A bug of ours: loud, in the log and in what is said of this runtime; what serves goes on."""
        self._refusal, self._has_failed = f"a bug of assess: {type(error).__name__}: {error}", True
        message = "following a change failed, and what runs goes on as it was"
        asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})

    def _give_up_at_the_end(self, task: asyncio.Task[Any]) -> None:
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _close(self) -> None:
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._end())
        await asyncio.shield(self._closing)

    async def _end(self) -> None:
        await end(self._underway, following=tuple(self._work), running=self._running, last=self._last)
        self._watching.end()


def _not_done(assessment: str, task: Task | Unrunnable | None, problem: str) -> Unrunnable:
    """What is recorded of it; also of one that is not configured, which somebody asked for."""
    provider = task.provider.name if isinstance(task, Task) else task.provider if task is not None else ""
    return Unrunnable(assessment=assessment, provider=provider, problem=problem)
