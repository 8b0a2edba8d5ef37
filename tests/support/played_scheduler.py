"""A scheduler whose time a test makes pass, and that can be killed between any two things it does."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Generic, Protocol, TypeVar

from assess_core.errors import AssessError, CutShortError, StoreError
from assess_core.results import Run
from assess_core.schedule import Asked, Claim, Cursor, Due, Every, Row, Rule, ScheduleStore, Skip, Spec
from assess_core.schedule.scheduler import Ended, Scheduler
from tests.support.schedule_store import MemoryStore

BEGIN = datetime(2027, 1, 1, tzinfo=UTC)

RECORDED: Run = object()  # type: ignore[assignment]  # the scheduler asks of a run only whether it is one


class KilledError(Exception):
    """The process ended, right after something was on the disk."""


class DamageError(StoreError):
    """What the journal's is: nothing more can be written there."""


class Disk(ScheduleStore, Protocol):
    """What is on the disk, for tests to look at."""

    full: bool
    deadly: bool
    """Whether the process ends as soon as the next claim is written."""

    @property
    def cursors(self) -> Mapping[str, Cursor]: ...
    @property
    def rows(self) -> Mapping[str, Row]: ...
    @property
    def asked(self) -> Mapping[str, Asked]: ...
    @property
    def runs(self) -> Mapping[str, object]: ...
    @property
    def told(self) -> list[tuple[Skip, datetime]]: ...
    def record(self, due: Due) -> None: ...
    def request(self, asked: Asked) -> Asked: ...


DiskT = TypeVar("DiskT", bound=Disk)


class MortalStore(MemoryStore):
    """One in whose process everything may end as soon as a claim is written."""

    def __init__(self) -> None:
        super().__init__()
        self.deadly = False

    def claim(self, claim: Claim) -> frozenset[str]:
        recorded = super().claim(claim)
        if self.deadly:
            self.deadly = False
            raise KilledError
        return recorded


class Played(Generic[DiskT]):
    """A machine: a clock that can be set, a disk, and at most one scheduler.

    Args:
        store: what is on the disk.
    """

    def __init__(self, store: DiskT) -> None:
        self.store = store
        self.now = BEGIN
        self.passed_s = 0.0
        self.running: dict[str, tuple[Due, asyncio.Future[Ended]]] = {}
        self.begun: list[tuple[datetime, Due]] = []
        """What began, and when; of all processes."""
        self.on_begin: Callable[[Due], None] = lambda _due: None
        self.scheduler: Scheduler | None = None
        self._loop = asyncio.new_event_loop()
        self._serving: asyncio.Task[None] | None = None
        self._asleep = asyncio.Event()
        self._wake = asyncio.Event()

    @property
    def is_up(self) -> bool:
        return self._serving is not None

    def up(self, rules: Collection[Rule], *, now: bool = False) -> None:
        """A process begins, and has looked once."""
        assert not self.is_up
        self.scheduler = Scheduler(
            self.store,
            self._run,
            clock=lambda: self.now,
            passed_s=lambda: self.passed_s,
            sleep=self._sleep,
            beyond_repair=(DamageError,),
        )
        self._loop.run_until_complete(self.scheduler.load(rules, now=now))
        self._serving = self._loop.create_task(self.scheduler.serve())
        self._until_asleep()

    def pass_time(self, seconds: float) -> None:
        """All at once, as it is after a suspend; the scheduler looks afterwards."""
        self.now += timedelta(seconds=seconds)
        self.passed_s += seconds
        self.look()

    def set_clock(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.look()

    def look(self) -> None:
        """The scheduler wakes, decides, and sleeps again; or the process ended meanwhile."""
        if self.is_up:
            self._asleep.clear()
            self._wake.set()
            self._until_asleep()

    def replace(self, rules: Collection[Rule]) -> None:
        assert self.scheduler is not None
        self.scheduler.replace(rules)
        self.look()

    def end(self, run_id: str) -> None:
        """The run is over, and recorded."""
        due, future = self.running.pop(run_id)
        self.store.record(due)
        future.set_result(RECORDED)
        self.look()

    def fail(self, run_id: str, error: AssessError | None = None) -> None:
        """The run could not be carried out; with a `StoreError`, not recorded."""
        self.running.pop(run_id)[1].set_result(error or AssessError("no such assessment"))
        self.look()

    def kill(self) -> None:
        """At once, whatever it was doing; a run may still be in the journal that nobody heard of."""
        assert self._serving is not None
        self._serving.cancel()
        self._gone()

    def stop(self) -> None:
        """In order: what runs is cut short."""
        assert self.scheduler is not None
        assert self._serving is not None
        self.scheduler.stop()
        for _, future in self.running.values():
            future.set_result(CutShortError("ended by a stop"))
        self.running.clear()
        self._wake.set()
        self._loop.run_until_complete(self._served_with_waking())
        self._gone()

    def close(self) -> None:
        if self.is_up:
            self.kill()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    async def _served_with_waking(self) -> None:
        assert self._serving is not None
        while not self._serving.done():
            self._wake.set()
            await asyncio.wait([self._serving], timeout=0.001)
        self._serving.result()

    def _until_asleep(self) -> None:
        assert self._serving is not None
        self._loop.run_until_complete(self._sleeps_or_is_gone(self._serving))
        if self._serving.done():
            error = self._serving.exception()
            self._gone()
            if not isinstance(error, KilledError):
                assert error is not None
                raise error

    async def _sleeps_or_is_gone(self, serving: asyncio.Task[None]) -> None:
        while not serving.done():
            asleep = asyncio.ensure_future(self._asleep.wait())
            await asyncio.wait([asleep, serving], return_when=asyncio.FIRST_COMPLETED)
            asleep.cancel()
            for _ in range(4):  # what it began has begun, and has ended if it does at once
                await asyncio.sleep(0)
            if self._asleep.is_set():
                return

    def _gone(self) -> None:
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        if pending := asyncio.all_tasks(self._loop):
            self._loop.run_until_complete(asyncio.wait(pending))
        self.running.clear()
        self._asleep.clear()
        self._wake.clear()
        self._serving = self.scheduler = None

    async def _sleep(self, woken: asyncio.Event, seconds: float) -> None:
        if seconds <= 0:
            return
        self._asleep.set()
        waits = [asyncio.ensure_future(woken.wait()), asyncio.ensure_future(self._wake.wait())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for each in waits:
            each.cancel()
        self._asleep.clear()
        self._wake.clear()

    async def _run(self, due: Due) -> Ended:
        self.begun.append((self.now, due))
        self.on_begin(due)
        if due.problem:
            self.store.record(due)
            return RECORDED
        future: asyncio.Future[Ended] = self._loop.create_future()
        self.running[due.run_id] = due, future
        return await future


def every(seconds: int, *, name: str = "host", **rest: object) -> Rule:
    """A rule of this period."""
    period = timedelta(seconds=seconds)
    spec = Spec(f"every {seconds}s", "", Every(period))
    return Rule(runtime="r", assessment=name, spec=spec, **rest)  # type: ignore[arg-type]
