"""`assess up`: everything together, from the start until somebody stops it.

    code = await Service(source, state, tell=Notify(os.environ)).run()

1. What is installed serves by what is remembered (`Live.start(at_once=True)`). A configuration that is none ends it
   here, unless the one that was followed last may stand in.
2. What was begun and not recorded is begun again, what was missed is decided, and the service manager hears READY.
3. Schedules, reloads, the registry: `Scheduler` and `Live` do that; what is followed changes for both in one moment.
4. Asked to stop, it begins nothing more. What runs may end, for a while; what is ended then stays due and runs at the
   next start. What was found is on disk, no process is left, and the lock is free.

A second signal shortens the while to nothing and changes nothing of the order.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from assess_core.config import Config, ObserveConfig
from assess_core.configured import rules_of
from assess_core.delivery.values import Action
from assess_core.errors import EXIT_DAMAGED, AssessError, ConfigError, CutShortError
from assess_core.formats.sentences import number
from assess_core.host.aside import aside
from assess_core.journal import JournalDamagedError
from assess_core.journal.identity import IDENTITY, Identity
from assess_core.live.following import Reloaded
from assess_core.live.live import Live
from assess_core.observe.context import about
from assess_core.observe.crash import Crashes
from assess_core.results import ResultOutcome, Run
from assess_core.schedule import Due
from assess_core.schedule.decide import Rule
from assess_core.schedule.scheduler import Ended, Scheduler
from assess_core.up.going import Going
from assess_core.up.guarded import Guarded
from assess_core.up.last_good import Source
from assess_core.up.notify import Notify
from assess_core.up.observing import Observing
from assess_core.up.reminding import Reminders
from assess_core.up.showing import Now, Showing
from assess_core.up.signals import Signals
from assess_core.up.upkeep import Upkeep
from assess_registry.client import RegistryError, TrustError

_log = logging.getLogger(__name__)

LAST_JOBS_S = 5.0
"""For the scheduler to hear of what was cut short."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What a command line may want of it.

    Attributes:
        now: everything is due once at the start.
        last_good: what was followed last stands in for a configuration that is none.
        stop_within_s: instead of `runtime.stop_within_s`.
    """

    now: bool = False
    last_good: bool = False
    stop_within_s: float | None = None


class Service:
    """One runtime that is up.

    Args:
        source: its configuration file.
        state: its state directory, which nobody else is up on (`up_lock`).
        tell: the service manager.
        crashes: where faults of ours are written down.
        build: what `assess_build_info` says.
        tell_observed: told what `observe` says, whenever another configuration is followed.
    """

    def __init__(
        self,
        source: Source,
        state: Path,
        *,
        tell: Notify,
        crashes: Crashes,
        build: Mapping[str, str],
        options: Options = Options(),
        tell_observed: Callable[[ObserveConfig], None] = lambda _: None,
    ) -> None:
        self._source = source
        self._state = state
        self._tell = tell
        self._options = options
        self._tell_observed = tell_observed
        self._signals = Signals()
        self._now = Now(live=self._made())
        self._showing = Showing(self._now, tell=tell)
        self._observing = Observing(build=build, crashes=crashes, shown=self._showing)
        self._serving: asyncio.Task[None] | None = None
        self._upkeep: Upkeep | None = None
        self._reminders = Reminders(lambda: self._now.config)
        self._beside: set[asyncio.Task[Any]] = set()

    async def run(self) -> int:
        """It was up until it was stopped; the exit code.

        Raises:
            ConfigError, TrustError: it cannot begin like this.
            StoreError: the state directory cannot be used, or its journal is damaged.
        """
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._fault)
        _log.info("starting on %s", self._state, extra={"action": "up-started"})
        with self._signals.heard(loop, reload=self._reload, tell=self._showing.log):
            beat = loop.create_task(self._showing.beat())
            try:
                if await self._begun():
                    await self._served()
            finally:
                self._now.phase = "stopping"
                await self._end()
                beat.cancel()
                await self._observing.close()
                self._tell.close()
        if self._now.failed is not None:
            raise self._now.failed
        await aside(Identity(self._state / IDENTITY).tell_heads)
        _log.info("stopped", extra={"action": "up-stopped"})
        return self._signals.exit_code

    # --- start

    async def _begun(self) -> bool:
        """Whether it is up; it may have been stopped meanwhile."""
        starting = asyncio.get_running_loop().create_task(self._start())
        stopping = asyncio.get_running_loop().create_task(self._signals.stop.wait())
        await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if self._signals.stop.is_set() and not starting.done():
            await self._now.live.stop(0)  # gives up the start
            with suppress(AssessError, RegistryError, asyncio.CancelledError):
                await starting
            return False
        await starting
        return True

    async def _start(self) -> None:
        try:
            done = await self._now.live.start(at_once=True)
        except (ConfigError, TrustError) as error:
            if isinstance(error, TrustError) and error.step != "configuration":
                raise
            done = await self._started_by_last_good(error)
        self._require_something(done)
        journal = self._now.live.journal
        self._upkeep = Upkeep(journal, keep_days=self._keep_days)
        self._later(self._kept_up(self._upkeep, await aside(self._upkeep.begin)))
        self._later(self._reminders.run())
        loop = asyncio.get_running_loop()
        store = Guarded(journal.schedules(), partial(self._fail_soon, loop))
        self._now.scheduler = Scheduler(
            store, self._run_one, witness=self._observing.metrics, beyond_repair=(JournalDamagedError,)
        )
        await self._now.scheduler.load(self._rules(), now=self._options.now)

    async def _started_by_last_good(self, error: ConfigError | TrustError) -> Reloaded:
        """It begins with what was followed last, if that may stand in.

        Raises:
            ConfigError, TrustError: it may not, or there is none.
        """
        good = await aside(self._source.last_good) if self._options.last_good else None
        if good is None or self._signals.stop.is_set():
            raise error
        _log.error(
            "the configuration that was followed last stands in for one that is none: %s",
            error,
            extra={"action": "config-refused"},
        )
        self._now.degraded = str(error)
        self._source.instead(good)
        self._now.live = self._made()
        return await self._now.live.start(at_once=True)

    def _made(self) -> Live:
        live = Live(self._source.load, self._state)
        live.on_followed(self._follow)
        live.before_closing(self._schedules_left)
        return live

    def _require_something(self, done: Reloaded) -> None:
        """Something serves, or at least nothing was refused.

        Raises:
            TrustError: all there is was refused.
        """
        refusals = [line.refusal for line in done.synced if line.action is Action.REFUSED and line.refusal is not None]
        if refusals and not self._now.live.standing:
            raise refusals[0]

    # --- what it does all the time

    async def _served(self) -> None:
        scheduler = self._now.scheduler
        assert scheduler is not None  # noqa: S101  begun
        self._now.phase = "up"
        self._tell(READY=1, STATUS=self._showing.status())
        _log.info("ready: %s", self._showing.status(), extra={"action": "up-ready"})
        self._later(aside(Identity(self._state / IDENTITY).tell_heads))
        self._serving = asyncio.get_running_loop().create_task(scheduler.serve())
        stopping = asyncio.get_running_loop().create_task(self._signals.stop.wait())
        await asyncio.wait([self._serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if self._serving.done():
            try:
                self._serving.result()  # it serves until it is stopped: a bug of ours, which is loud
            except JournalDamagedError as damaged:
                self._fail(damaged)

    async def _schedules_left(self) -> None:
        """How all that was begun has ended is on the disk, as far as it can be."""
        if self._serving is not None:
            await asyncio.wait([self._serving], timeout=LAST_JOBS_S)
        if self._upkeep is not None and self._now.failed is None:
            await aside(self._upkeep.end)

    async def _kept_up(self, upkeep: Upkeep, why: str) -> None:
        try:
            await upkeep.run(why)
        except JournalDamagedError as damaged:
            self._fail(damaged)

    def _keep_days(self) -> int:
        assert self._now.config is not None  # noqa: S101  told before anything else
        return self._now.config.results.keep_days

    async def _run_one(self, due: Due) -> Ended:
        """What became of one due time."""
        with about(due.run_id, due.assessment):
            began = time.monotonic()
            again = f", attempt {due.attempt}" if due.attempt > 1 else ""
            _log.debug("begins%s", again, extra={"action": "run-started"})
            going = Going()
            telling = asyncio.get_running_loop().create_task(going.tell())
            try:
                run = await self._now.live.assess(
                    (due.assessment,),
                    due_at=due.due_at,
                    run_id=due.run_id,
                    attempt=due.attempt,
                    why=due.why,
                    problem=due.problem,
                    notify=going,
                )
            except CutShortError as cut:
                _log.info("ended before it was over, and runs again at the next start", extra={"action": "run-cut"})
                self._observing.metrics.run_lost(due.assessment, "cut")
                return cut
            except JournalDamagedError as damaged:
                self._fail(damaged)
                return damaged
            except (AssessError, RegistryError) as error:
                _log.error("not carried out: %s", error, extra={"action": "run-failed"})
                self._observing.metrics.run_lost(due.assessment, "failed")
                return error if isinstance(error, AssessError) else AssessError(str(error))
            except Exception as error:
                self._observing.bug(error, f"the run of {due.assessment}")
                self._observing.metrics.run_lost(due.assessment, "failed")
                return AssessError(f"a bug of assess: {type(error).__name__}: {error}")
            finally:
                telling.cancel()
            self._count(due.assessment, run, time.monotonic() - began)
            return run

    def _count(self, assessment: str, run: Run, took_s: float) -> None:
        complete = not run.shortcomings()
        if complete:
            _log.info("%s in %.1f s", _summary(run), took_s, extra={"action": "run-ended"})
        else:  # told by itself where nobody listens to what is well
            _log.warning("incomplete: %s in %.1f s", _summary(run), took_s, extra={"action": "run-ended"})
        outcomes = {outcome.value: count for outcome, count in run.counts.items() if count}
        self._observing.metrics.run_ended(assessment, complete=complete, outcomes=outcomes, seconds=took_s)

    def _fail_soon(self, loop: asyncio.AbstractEventLoop, error: BaseException) -> None:
        """As `_fail`, from another thread."""
        loop.call_soon_threadsafe(self._fail, error)

    def _fail(self, error: BaseException) -> None:
        """It cannot go on."""
        if self._now.failed is None:
            self._now.failed = error
            _log.critical("%s", error, extra={"action": "journal-damaged"})
        self._signals.to_stop("it cannot go on", exit_code=EXIT_DAMAGED)

    def _follow(self, config: Config, _tasks: object) -> None:
        """In the moment in which it is followed."""
        before, self._now.config = self._now.config, config
        if self._now.scheduler is not None:
            self._now.scheduler.replace(self._rules())  # the same ones, too: time zones may be others by now
        if config != before or self._now.degraded:
            self._later(self._keep_good(config))
        if config == before:
            return
        if before is not None:
            _log.info("the configuration changed, and is followed", extra={"action": "config-followed"})
        self._tell_observed(config.observe)
        self._later(self._observing.follow(config.observe))
        self._reminders.tell()
        self._observing.metrics.forget({each.id for each in config.assessments})

    def _rules(self) -> tuple[Rule, ...]:
        assert self._now.config is not None  # noqa: S101  told before anything else
        return rules_of(self._now.config)

    async def _keep_good(self, config: Config) -> None:
        """A copy of it lies in the state directory, if the file says that still."""
        try:
            if await aside(partial(self._source.keep, config)):
                self._now.degraded = ""
        except (OSError, RegistryError) as error:
            _log.warning(
                "the configuration could not be kept for another start: %s", error, extra={"action": "config-not-kept"}
            )

    # --- what others ask

    def _reload(self) -> None:
        if self._now.phase == "up":
            self._later(self._reloaded())

    async def _reloaded(self) -> None:
        self._tell.reloading()
        with suppress(AssessError):  # it is being stopped
            await self._now.live.reload()
        if self._now.phase == "up":
            self._tell(READY=1, STATUS=self._showing.status())

    def _fault(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Nobody waits for what failed."""
        error, message = context.get("exception"), str(context.get("message", "the loop"))
        if isinstance(error, BaseException):
            self._observing.bug(error, message)
        else:
            _log.error("%s", message, extra={"action": "loop-said"})

    # --- end

    async def _end(self) -> None:
        """No run, no process, nothing that is not on disk."""
        self._tell(STOPPING=1, STATUS="stopping")
        within_s = self._stop_within_s()
        if self._now.scheduler is not None:
            self._now.scheduler.stop()
            running = sum(len(each.running) for each in self._now.scheduler.standing())
            if running and within_s and not self._signals.hurry.is_set():
                _log.info(
                    "waiting up to %g s for %s to end; a second signal ends them now, to run at the next start",
                    within_s,
                    number(running, "run"),
                    extra={"action": "up-waits"},
                )
        loop = asyncio.get_running_loop()
        stopping = loop.create_task(self._now.live.stop(within_s))
        hurried = loop.create_task(self._signals.hurry.wait())
        await asyncio.wait([stopping, hurried], return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            await self._now.live.stop(0)
        hurried.cancel()
        await stopping
        for task in self._beside:
            task.cancel()
        if self._beside:
            await asyncio.wait(self._beside, timeout=LAST_JOBS_S)

    def _stop_within_s(self) -> float:
        if self._now.failed is not None:
            return 0.0
        if self._options.stop_within_s is not None:
            return self._options.stop_within_s
        return self._now.config.runtime.stop_within_s if self._now.config is not None else 0.0

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)


def _summary(run: Run) -> str:
    counted = ", ".join(f"{run.counts[each]} {_WORDS[each]}" for each in ResultOutcome if run.counts[each])
    problems = "; ".join(one.problem for one in run.assessments if one.problem)
    return "; ".join(filter(None, (counted or "nothing was assessed", problems)))


_WORDS = {
    ResultOutcome.PASS: "passing",
    ResultOutcome.FAIL: "failing",
    ResultOutcome.NOT_APPLICABLE: "not applicable",
    ResultOutcome.SKIPPED: "skipped",
    ResultOutcome.ERROR: "in error",
    ResultOutcome.TIMEOUT: "timed out",
}
