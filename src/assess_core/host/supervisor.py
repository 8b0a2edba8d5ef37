"""The workers of one distribution: calls take turns in front of them, and a new one follows one that ended.

    supervisor = Supervisor(installed, config, workers=2)
    await supervisor.start()
    report = await supervisor.execute("host-baseline", input, timeout_s=60, whose="host")
    await supervisor.stop()          # or kill(): revoked

A call's deadline begins when a worker takes it: waiting is not the plugin's fault. A call that fails takes at most its
own worker with it. A worker that died is followed by another after a while that doubles with each death, and by none
once there were too many (`Policy`): then the distribution is in quarantine, which fails every call at once and is on
disk for the next runtime, until it is lifted or another version is there.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, TypeVar

from assess_core.clock import utc_now
from assess_core.errors import ConfigError, FaultKind, PluginFault
from assess_core.host.body import start_fault
from assess_core.host.config import HostConfig
from assess_core.host.death import STOPPED, Cause, hint_of
from assess_core.host.probation import Probation
from assess_core.host.quarantine import Quarantines
from assess_core.host.rights import Rights
from assess_core.host.standing import KEPT_ENDS, Ended, Policy, Standing, State
from assess_core.host.text import sentence
from assess_core.host.turns import Turn, Turns
from assess_core.host.values import CallReport, EvaluateReport, OnEvent
from assess_core.host.waiting import Line, Wait
from assess_core.host.worker import Worker
from assess_core.store import EntryKind, InstalledPlugin, Trials
from assess_plugin.models import ActionInput, EvaluateInput

logger = logging.getLogger(__name__)

Report = TypeVar("Report", CallReport, EvaluateReport)


class Supervisor:
    """Runs calls of one installed plugin, at most `workers` at a time.

    Args:
        rights: of its workers; all that its manifest asks for unless given.
        turns: shared by those whose calls are bounded together; none are bounded unless given.
        policy: when a worker that died is followed by another.
        quarantines: where it is remembered that none is; nowhere unless given.
        trials: where it is remembered whether it has answered a call since it took another's place.
    """

    def __init__(
        self,
        installed: InstalledPlugin,
        config: HostConfig,
        rights: Rights | None = None,
        *,
        workers: int = 1,
        turns: Turns | None = None,
        policy: Policy = Policy(),  # noqa: B008  frozen
        quarantines: Quarantines | None = None,
        trials: Trials | None = None,
    ) -> None:
        if workers < 1:
            raise ConfigError(f"{installed.distribution}: workers must be at least 1, got {workers}")
        self._installed = installed
        self._config = config
        self._rights = rights
        self._size = workers
        self._turns = turns or Turns(workers)
        self._names = {(entry.kind, str(entry.name)): None for entry in installed.entries}  # a set that keeps its order
        self._workers: set[Worker] = set()
        self._idle: deque[Worker] = deque()
        self._starting: set[asyncio.Task[Exception | None]] = set()
        self._line: Line[Worker] = Line(self._turns)
        self._calls = 0
        self._no_call: asyncio.Future[None] | None = None
        self._aside: set[asyncio.Task[None]] = set()
        self._keeps_ready = False
        self._refusal: Cause | None = None
        self._probation = Probation(installed, policy, quarantines, trials)
        self._ends: deque[Ended] = deque(maxlen=KEPT_ENDS)
        self._timer: asyncio.TimerHandle | None = None
        self._gone = self._restarts = 0
        self._state, self._since_s = self._state_now(), time.time()

    # --- what is asked of it

    async def start(self) -> None:
        """All workers are ready, and each that ends is followed by another. Without it, one starts when it is needed.

        Raises:
            PluginFault: one could not be started; none is left.
        """
        self._admit(self._installed.distribution, "start")
        self._keeps_ready = True
        for _ in range(self._size - len(self._workers) - len(self._starting)):
            self._start_another()
        starting = tuple(self._starting)
        if starting:
            await asyncio.wait(starting)
        failed = [error for task in starting if not task.cancelled() and (error := task.result()) is not None]
        if failed:
            self._keeps_ready = False
            await self._end_workers(STOPPED)
            raise failed[0]
        self._admit(self._installed.distribution, "start")

    async def execute(
        self, name: str, input: ActionInput, *, timeout_s: float, on_event: OnEvent | None = None, whose: str = ""
    ) -> CallReport:
        """Let a plugin assess a subject: one result for each check asked for, what is missing filled with errors.

        `whose` names the assessment that it is for: those take turns.

        Raises:
            PluginFault: the plugin failed the call; nothing it said counts.
            ConfigError: the distribution has no plugin of this name.
        """
        self._require(name, "plugin")
        self._admit(name, "execute")
        return await self._submit(
            lambda worker: worker.execute(name, input, timeout_s=timeout_s, on_event=on_event),
            lambda: Wait(name=name, phase="execute", timeout_s=timeout_s),
            whose,
        )

    async def evaluate(
        self, name: str, input: EvaluateInput, *, timeout_s: float, on_event: OnEvent | None = None, whose: str = ""
    ) -> EvaluateReport:
        """Let a provider find subjects.

        Raises:
            PluginFault, ConfigError: as for `execute`.
        """
        self._require(name, "provider")
        self._admit(name, "evaluate")
        return await self._submit(
            lambda worker: worker.evaluate(name, input, timeout_s=timeout_s, on_event=on_event),
            lambda: Wait(name=name, phase="evaluate", timeout_s=timeout_s),
            whose,
        )

    async def stop(self) -> None:
        """No process, descriptor or directory of it is left; open calls and queued ones fail. Idempotent."""
        message = f"{self._installed.distribution} is being stopped"
        await self._close(Cause(kind=FaultKind.STOPPED, message=message), STOPPED)

    async def kill(self, reason: str, kind: FaultKind = FaultKind.REVOKED) -> None:
        """It has stopped, at once; calls that were open, queued ones and those to come fail with this reason."""
        cause = Cause(kind=kind, message=reason)
        await self._close(cause, cause)

    def resume(self) -> None:
        """Nothing is held against it any more: it is started again when it is needed. What is on disk stays there."""
        self._probation.forgive()
        self._tend()

    async def resume_if_lifted(self) -> None:
        """If it was quarantined, and that is not on disk any more, where it was kept, it is resumed.

        If it could not be kept, there was nothing to lift: that is tried again.
        """
        if self._probation.is_unkept:
            await self._probation.keep()
        elif self._probation.quarantine is not None and await self._probation.is_lifted():
            self.resume()

    def look_at_trial(self) -> None:
        """It may have been put on trial anew since it was made: of a version that came back."""
        self._probation.look_at_trial()

    @property
    def is_unkept(self) -> bool:
        """Whether it is quarantined and nobody could lift that yet, since it is not on disk."""
        return self._probation.is_unkept

    @property
    def standing(self) -> Standing:
        """How it stands now."""
        return Standing(
            state=self._state,
            since=datetime.fromtimestamp(self._since_s, UTC),
            deaths=self._probation.deaths,
            restarts=self._restarts,
            next_start_at=self._probation.next_start_at if self._state is State.BACKING_OFF else None,
            quarantine=self._probation.quarantine,
        )

    @property
    def ended(self) -> tuple[Ended, ...]:
        """How its last workers ended that were not simply stopped, oldest first; at most `KEPT_ENDS`."""
        return tuple(self._ends)

    # --- turns: `Turns` asks whether there is room, and claims it for whoever is next

    @property
    def has_room(self) -> bool:
        """Whether a worker waits for a call."""
        while self._idle and not self._idle[0].usable:  # it is ending
            self._idle.popleft()
        return bool(self._idle)

    def claim(self) -> Worker:
        """A worker that waits, for a call that is made now."""
        worker = self._idle.popleft()
        if self._state is not State.BUSY:
            self._moved()
        return worker

    async def _submit(
        self, call: Callable[[Worker], Awaitable[Report]], wait: Callable[[], Wait], whose: str
    ) -> Report:
        # Counted are calls, not tasks: what a task does after its call may take long, and may be to wait for our end.
        self._calls += 1
        try:
            worker = self._turns.at_once(self) or await self._claimed(wait(), whose)
            try:
                report = await call(worker)
            finally:
                self._release(worker)
            self._probation.served()
            if self._probation.is_on_trial:  # before anybody relies on its answer
                await self._probation.pass_trial()
            return report
        finally:
            self._calls -= 1
            if self._no_call is not None and not self._calls:
                self._no_call.set_result(None)
                self._no_call = None

    async def _claimed(self, wait: Wait, whose: str) -> Worker:
        turn = self._turns.ask(whose=whose, of=self)
        while not (worker := await self._granted(turn, wait)).usable:  # it died after it was claimed
            self._release(worker)
            if (fault := self._refused(wait)) is not None:  # meanwhile all that waited were told so
                raise fault
            turn = self._turns.ask(whose=whose, of=self, first=True)
        return worker

    async def _granted(self, turn: Turn[Worker], wait: Wait) -> Worker:
        if not turn.granted.done():
            self._line.add(turn, wait)
            self._let_expire()
            self._tend()
        try:
            return await turn.granted
        except asyncio.CancelledError:
            if turn.granted.done() and not turn.granted.cancelled() and turn.granted.exception() is None:
                self._release(turn.granted.result())
            raise
        finally:
            self._line.leave(turn)

    def _release(self, worker: Worker) -> None:
        if worker.usable and worker in self._workers:
            self._idle.append(worker)
            if self._probation.quarantine is not None:
                self._dismiss(worker)
        self._turns.give_back()
        self._tend()

    def _let_expire(self) -> None:
        """Calls that wait because nobody is there to serve them wait no longer than their own time."""
        if not self._workers and asyncio.get_running_loop().time() < self._probation.not_before:
            self._line.expire(self._expired)

    def _expired(self, wait: Wait) -> PluginFault | None:
        if self._workers or self._starting:  # it is served soon, or is told of that start
            return None
        return self._probation.expired(plugin=wait.name, phase=wait.phase, timeout_s=wait.timeout_s)

    # --- workers: started when somebody waits for one, or always

    def _tend(self) -> None:
        """As many workers are on their way as are missing, as far as nothing is held against it."""
        self._moved()
        if len(self._workers) == self._size or self._refusal is not None or self._probation.quarantine is not None:
            return
        serving = len(self._workers) - len(self._idle)
        needed = min(self._size, serving + len(self._line))
        missing = (self._size if self._keeps_ready else needed) - len(self._workers)
        missing -= len(self._starting)
        if missing <= 0:
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self._probation.not_before:
            if self._timer is None:
                self._timer = loop.call_at(self._probation.not_before, self._tend_later)
            return
        tried = self._probation.deaths > 0
        for _ in range(1 if tried else missing):  # one tries, the others wait for what becomes of it
            if not (tried and self._starting):
                self._start_another()

    def _tend_later(self) -> None:
        self._timer = None
        self._tend()

    def _start_another(self) -> None:
        if self._gone:
            self._gone -= 1
            self._restarts += 1
        task = asyncio.get_running_loop().create_task(self._start_one())
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)
        self._moved()

    async def _start_one(self) -> Exception | None:
        began_at = asyncio.get_running_loop().time()
        worker: Worker | None = None
        try:
            # In place of one that died none is forked: it may have died of a wrong guess at where its memory lies, and
            # those of one prepared parent have it at the same places.
            spawned = self._probation.last is not None
            worker = await Worker.start(
                self._installed, self._config, self._rights, on_ended=self._take_end, spawned=spawned
            )
            await worker.load()
        except Exception as error:
            self._no_longer_starting()
            self._line.fail_first(error)
            if not isinstance(error, PluginFault):
                self._take_bug(worker, error)
            elif worker is None:
                self._take_refusal(error)
            elif worker.ended is not None:
                self._hold_against(worker.ended, start=True, began_at=began_at)
            self._tend()
            return error
        self._no_longer_starting()
        if worker.usable:
            self._workers.add(worker)
            self._idle.append(worker)
            if self._probation.quarantine is not None:
                self._dismiss(worker)
        self._turns.stir()
        self._tend()
        return None

    def _no_longer_starting(self) -> None:
        self._starting -= {task for task in self._starting if task is asyncio.current_task()}

    def _take_bug(self, worker: Worker | None, error: Exception) -> None:
        """Ours, or a machine's that has no thread left: who waited got it as it is, and the next start may go well."""
        message = f"it could not be started: {type(error).__name__}: {error}"
        self._take_refusal(start_fault(self._installed, message), error)
        if worker is not None:
            self._beside(worker.stop())

    def _take_refusal(self, fault: PluginFault, bug: Exception | None = None) -> None:
        """There was not even a process, for which nothing of the plugin is to blame."""
        ended = Ended(
            at=utc_now(),
            kind=fault.kind,
            phase=fault.phase,
            message=fault.message,
            hint=hint_of(fault.kind, fault.phase),
            log_tail=fault.log_tail,
            by_itself=False,
        )
        self._ends.append(ended)
        self._probation.refused(ended, now=asyncio.get_running_loop().time())
        self._let_expire()
        logger.warning(
            "No worker of %s was started: %s",
            self._installed.distribution,
            sentence(fault.message),
            exc_info=bug,
            extra={"action": "worker-not-started"},
        )

    def _take_end(self, worker: Worker) -> None:
        self._gone += 1
        self._workers.discard(worker)
        with contextlib.suppress(ValueError):
            self._idle.remove(worker)
        ended = worker.ended
        if ended is not None:
            self._ends.append(ended)
            if ended.counts and ended.phase not in ("start", "load"):  # whoever starts it is told of those
                self._hold_against(ended, start=False, began_at=worker.made_at)
        self._tend()

    def _hold_against(self, ended: Ended, *, start: bool, began_at: float) -> None:
        now = asyncio.get_running_loop().time()
        if self._probation.died(ended, start=start, began_at=began_at, now=now):
            self._beside(self._probation.keep())
            self._take_quarantine()
            return
        self._let_expire()
        if self._probation.has_uncounted:
            self._beside(self._count())

    async def _count(self) -> None:
        if await self._probation.count():
            self._take_quarantine()
            await self._probation.keep()

    def _take_quarantine(self) -> None:
        self._moved()
        self._line.fail_all(self._refused)
        for worker in tuple(self._idle):
            self._dismiss(worker)

    def _dismiss(self, worker: Worker) -> None:
        """It waits for no call any more, and is asked to go."""
        self._idle.remove(worker)
        self._workers.discard(worker)
        self._beside(worker.stop())

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Done while nobody waits for it, but before it has stopped."""
        task = asyncio.get_running_loop().create_task(work)
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)

    # --- the end

    async def _close(self, refusal: Cause, cause: Cause) -> None:
        if self._refusal is None:
            self._refusal = refusal
        if self._timer is not None:
            self._timer.cancel()
        self._moved()
        self._line.fail_all(self._refused)
        await self._end_workers(cause)
        while self._calls or self._aside:
            if self._calls and self._no_call is None:
                self._no_call = asyncio.get_running_loop().create_future()
            await asyncio.wait({*self._aside, *filter(None, [self._no_call])})

    async def _end_workers(self, cause: Cause) -> None:
        starting = tuple(self._starting)
        for task in starting:
            task.cancel()
        if starting:
            await asyncio.wait(starting)
        await asyncio.gather(*(worker.stop(cause) for worker in tuple(self._workers)))

    # --- what is said

    def _require(self, name: str, kind: EntryKind) -> None:
        if (kind, name) not in self._names:
            names = [known for of_kind, known in self._names if of_kind == kind]
            raise ConfigError(
                f"{self._installed.distribution} {self._installed.version} has no {kind} {name!r}; "
                f"it has {', '.join(names) or 'none'}"
            )

    def _admit(self, name: str, phase: str) -> None:
        """A new call is welcome.

        Raises:
            PluginFault: it is not.
        """
        if (fault := self._fault(name, phase)) is not None:
            raise fault

    def _refused(self, wait: Wait) -> PluginFault | None:
        return self._fault(wait.name, wait.phase)

    def _fault(self, name: str, phase: str) -> PluginFault | None:
        """Why nothing more is done, for calls that wait as for new ones."""
        if self._refusal is not None:
            kind = self._refusal.kind or FaultKind.STOPPED
            return PluginFault(self._refusal.message, plugin=name, phase=phase, kind=kind)
        return self._probation.fault(plugin=name, phase=phase)

    def _moved(self) -> None:
        """Something may have changed its state."""
        state = self._state_now()
        if state is not self._state:
            self._state, self._since_s = state, time.time()

    def _state_now(self) -> State:
        if self._refusal is not None:
            return State.STOPPED
        if self._probation.quarantine is not None:
            return State.QUARANTINED
        if len(self._workers) > len(self._idle):
            return State.BUSY
        if self._workers:
            return State.READY
        if self._starting:
            return State.STARTING
        return State.BACKING_OFF if self._timer is not None or self._line else State.STOPPED
