"""The loop that applies the law: one heap, one turn after the other, one transaction a turn.

    scheduler = Scheduler(journal.schedules(), run)
    await scheduler.load(rules_of(config))        # what an earlier process left
    serving = asyncio.create_task(scheduler.serve())
    ...
    scheduler.stop()                              # nothing more begins
    await serving                                 # when all that it began has ended, and how is on the disk

A turn: 1. the rules that count now; 2. what has ended; 3. what was asked for; 4. everything that is due is decided and
claimed, on the disk, in one transaction; 5. then it begins; 6. then, while there is time, what comes next is asked. A
claim that fails leaves everything as it was, nothing begins, and it is tried again.

Everything public is for one event loop. The disk is waited for by one thread; only `serve` decides, so that nothing
changes between a decision and its claim but what ends, and that waits for the next turn.
"""

import asyncio
import heapq
import logging
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import Protocol, TypeVar

from assess_core.clock import Clock, utc_now
from assess_core.errors import AssessError, CutShortError, StoreError
from assess_core.results import Run
from assess_core.schedule.decide import SET_BACK, Agenda, Rule
from assess_core.schedule.entry import Change, Entry, skip_of
from assess_core.schedule.store import Asked, Claim, Due, Row, ScheduleStore
from assess_core.schedule.taking import asked_for, assessments_of, claim_of, take_up, wanted
from assess_core.schedule.telling import Planned, planned, say_begun, say_skipped, say_waits
from assess_core.schedule.times import EPOCH, forget_zones

_log = logging.getLogger(__name__)

TICK_S = 1.0
"""The longest sleep: so that a clock that was set, a machine that was suspended, and requests are seen."""

SLICE_S = 0.02
"""Of work in one go; runs that go on need the loop, too."""

BATCH = 1000
"""Assessments decided in one transaction, and so begun together."""

BATCH_S = 0.25
"""After which a batch is claimed even if it is smaller: the first of ten thousand need not wait for the last."""

RETRY_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Between tries to claim, when the disk is full or does not answer."""

AGAIN_S = (5.0, 30.0, 120.0, 600.0)
"""Until a run that could not be recorded begins again: it takes as long as it takes, and may do so for ever."""

FOLLOWED_WITHIN_S = 60.0
"""For so long a request waits for a configuration that has its assessment: whoever asks may have just written it."""

DRIFT = timedelta(seconds=30)
"""Of the clock against time that passes, beyond which it was set, or the machine was suspended."""

Ended = Run | CutShortError | AssessError
"""What became of a run: it is recorded; it was ended by a stop, and is due still; it could not be carried out."""

Value = TypeVar("Value")


class Witness(Protocol):
    """Who counts."""

    def started(self, lateness_s: float) -> None:
        """A run began so long after it was to begin."""

    def skipped(self, assessment: str, why: str, count: int = 1) -> None:
        """Due times that have no run; a range of missed ones counts once."""

    def clock_stepped(self) -> None:
        """The machine's clock was set."""


async def _woken_or_later(woken: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(woken.wait(), seconds)


class Scheduler:
    """Begins what is due, each due time once, whatever ends in between.

    Args:
        store: what outlives this process.
        run: carries one due time out, and returns when its run is recorded, or what became of it instead. One that has
            a `problem` is not to be carried out but recorded with that.
        clock: the time, aware.
        passed_s: seconds that pass, wherever the clock is set.
        sleep: returns when the event is set, or after these seconds.
        witness: is told what it counts.
        beyond_repair: errors of the store after which it is of no use to try again; `serve` ends with them.
    """

    def __init__(
        self,
        store: ScheduleStore,
        run: Callable[[Due], Awaitable[Ended]],
        *,
        clock: Clock = utc_now,
        passed_s: Callable[[], float] = monotonic,
        sleep: Callable[[asyncio.Event, float], Awaitable[None]] = _woken_or_later,
        witness: Witness | None = None,
        beyond_repair: tuple[type[StoreError], ...] = (),
    ) -> None:
        self._store = store
        self._run = run
        self._clock = clock
        self._passed_s = passed_s
        self._sleep = sleep
        self._witness = witness
        self._beyond_repair = beyond_repair
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="assess-schedule")
        self._entries: dict[str, Entry] = {}
        self._heap: list[tuple[datetime, str]] = []
        self._touched: dict[str, None] = {}
        """What is looked at in the next turn, whatever the time; in order."""
        self._incoming: tuple[Rule, ...] | None = None
        self._wanted: list[Due] = []
        """Asked for in this process, not claimed yet."""
        self._jobs: set[asyncio.Task[None]] = set()
        self._over: list[tuple[Due, Ended]] = []
        self._unrecorded: dict[str, tuple[float, Due]] = {}
        """Ended, and could not be recorded; when they begin again, in `passed_s`. Until then they count as running."""
        self._tries: dict[str, int] = {}
        """How often, by run id."""
        self._unknown: dict[str, float] = {}
        """Asked for, by run id, of an assessment that there is not; since when, in `passed_s`."""
        self._left: list[Due] = []
        """Cut short by a stop: due still."""
        self._woken = asyncio.Event()
        self._stopping = False
        self._failures = 0
        self._try_at_s = self._asked_at_s = float("-inf")
        self._newest: datetime | None = None
        self._drift: timedelta | None = None
        self.trouble = ""
        """Why nothing can begin; empty while it can."""
        self.woke_at_s = float("-inf")
        """When the last turn began, in `passed_s`; one that is long ago is a fault."""

    async def load(self, rules: Collection[Rule], *, now: bool = False) -> None:
        """What an earlier process left is known; `serve` decides what becomes of it.

        Args:
            rules: one for each assessment.
            now: each is due once as soon as it serves.

        Raises:
            StoreError: it cannot be read.
        """
        kept = await self._on_disk(self._store.kept)
        at = self._clock()
        by_name = {rule.assessment: rule for rule in rules}
        for name in dict.fromkeys([*by_name, *(row.due.assessment for row in kept.rows), *assessments_of(kept)]):
            self._entries[name] = Entry(name=name, rule=None, ahead=None, agenda=Agenda(cursor=at))
        for cursor in kept.cursors:
            entry = self._entries[cursor.assessment]
            entry.kept_cursor, entry.agenda = cursor, replace(entry.agenda, cursor=cursor.at)
        for row in kept.rows:
            take_up(self._entries[row.due.assessment], row, by_name.get(row.due.assessment), at)
        for name, entry in self._entries.items():
            entry.follow(by_name.get(name), at)
            self._touched[name] = None
        if now:
            self._wanted += [wanted(rule, at) for rule in rules]

    def replace(self, rules: Collection[Rule]) -> None:
        """These count from the next turn on. What runs goes on; what waits and is configured no more is given up."""
        self._incoming = tuple(rules)
        self._woken.set()

    def stop(self) -> None:
        """Nothing more begins; `serve` returns when all that it began has ended."""
        self._stopping = True
        self._woken.set()

    def standing(self) -> tuple[Planned, ...]:
        """How each assessment stands, by name."""
        at = self._clock()
        return tuple(planned(entry, at) for _, entry in sorted(self._entries.items()) if entry.rule is not None)

    async def serve(self) -> None:
        """It served until it was stopped, all that it began has ended, and how is on the disk, if it can be.

        Raises:
            StoreError: one of those that are beyond repair.
        """
        try:
            while not self._stopping:
                self._woken.clear()
                self.woke_at_s = self._passed_s()
                await self._turn()
                if not self._stopping:
                    await self._sleep(self._woken, self._pause_s())
            await self._leave()
        finally:
            self._disk.shutdown(wait=False)

    # --- a turn

    async def _turn(self) -> None:
        now = self._clock()
        self._heed_the_clock(now)
        self._follow(now)
        self._end()
        if self._passed_s() < self._try_at_s:
            return
        try:
            asked = await self._asked(now)
            for names in self._batches(now, asked):
                await self._decide(names, asked)
                if self._stopping:
                    return
        except self._beyond_repair:
            raise
        except StoreError as error:
            wait_s = RETRY_S[min(self._failures, len(RETRY_S) - 1)]
            self._failures += 1
            self.trouble = str(error)
            self._try_at_s = self._passed_s() + wait_s
            _log.error(
                "nothing can begin, as what is due cannot be written down; again in %g s: %s",
                wait_s,
                error,
                extra={"action": "journal-full"},
            )
        else:
            self._failures, self.trouble = 0, ""

    def _follow(self, now: datetime) -> None:
        """1. The rules that count now."""
        if self._incoming is None:
            return
        rules = {rule.assessment: rule for rule in self._incoming}
        self._incoming = None
        forget_zones()  # the machine's may be newer; nothing that was decided depends on it
        for name in dict.fromkeys([*rules, *self._entries]):
            entry = self._entries.get(name)
            if entry is None:
                entry = self._entries[name] = Entry(name=name, rule=None, ahead=None, agenda=Agenda(cursor=now))
            if entry.rule != rules.get(name) or entry.rule is None or entry.goes_by_a_zone:
                entry.follow(rules.get(name), now)
                self._touched[name] = None

    def _end(self) -> None:
        """2. What has ended."""
        over, self._over = self._over, []
        for due, ended in over:
            entry = self._entries[due.assessment]
            if isinstance(ended, StoreError):
                self._keep_unrecorded(due, ended)
                continue
            self._tries.pop(due.run_id, None)
            stays = isinstance(ended, CutShortError)
            entry.ended(due, failed=_sentence(ended) if isinstance(ended, AssessError) and not stays else "")
            self._touched[due.assessment] = None
            if stays:
                self._left.append(due)
        now_s = self._passed_s()
        for _, due in [each for each in self._unrecorded.values() if each[0] <= now_s]:
            del self._unrecorded[due.run_id]
            self._entries[due.assessment].again(due)
            self._touched[due.assessment] = None

    def _keep_unrecorded(self, due: Due, error: StoreError) -> None:
        """It has no fate yet: it goes on being due, and what may not overlap with it does not."""
        tries = self._tries[due.run_id] = self._tries.get(due.run_id, 0) + 1
        wait_s = AGAIN_S[min(tries, len(AGAIN_S)) - 1]
        self._unrecorded[due.run_id] = self._passed_s() + wait_s, due
        _log.error(
            "%s: its run could not be recorded, and begins again in %g s: %s",
            due.assessment,
            wait_s,
            error,
            extra={"action": "run-failed", "assessment": due.assessment, "run_id": due.run_id},
        )

    async def _asked(self, now: datetime) -> dict[str, list[Due]]:
        """3. What was asked for, by assessment."""
        asked: dict[str, list[Due]] = defaultdict(list)
        for due in self._wanted:
            asked[due.assessment].append(due)
        if self._passed_s() - self._asked_at_s >= TICK_S:
            self._asked_at_s = self._passed_s()
            requests = await self._on_disk(self._store.requests)
            waiting = {request.run_id for request in requests}
            self._unknown = {name: since for name, since in self._unknown.items() if name in waiting}
            for request in requests:
                if not self._may_be_followed_yet(request):
                    asked[request.assessment].append(asked_for(request, now))
        return asked

    def _may_be_followed_yet(self, request: Asked) -> bool:
        """Whether there is no such assessment, and may be one soon."""
        entry = self._entries.get(request.assessment)
        if entry is not None and entry.rule is not None:
            return False
        now_s = self._passed_s()
        return now_s - self._unknown.setdefault(request.run_id, now_s) < FOLLOWED_WITHIN_S

    def _batches(self, now: datetime, asked: Collection[str]) -> Iterator[tuple[str, ...]]:
        """4. Assessments that are to be looked at, some at a time, those that were to begin first first."""
        names = dict.fromkeys(asked)
        while names or self._touched or (self._heap and self._heap[0][0] <= now):
            while len(names) < BATCH and self._heap and self._heap[0][0] <= now:
                at, name = heapq.heappop(self._heap)
                entry = self._entries.get(name)
                if entry is not None and entry.look_at == at:
                    entry.look_at = None
                    names[name] = None
            while len(names) < BATCH and self._touched:
                name = next(iter(self._touched))
                del self._touched[name]
                names[name] = None
            yield tuple(names)
            names = {}

    async def _decide(self, names: Sequence[str], asked: Mapping[str, Sequence[Due]]) -> None:
        left = deque(names)
        try:
            while left and not self._stopping:
                await self._decide_some(left, asked)
        finally:
            self._touched |= dict.fromkeys(left)  # it could not be claimed, or it is the end

    async def _decide_some(self, left: deque[str], asked: Mapping[str, Sequence[Due]]) -> None:
        """The first of these, as many as there is time for, are decided, claimed and begun, and are left no more."""
        now, begun_s, slices = self._clock(), self._passed_s(), _Slices(self._passed_s)
        changes: dict[str, Change] = {}
        for name in left:
            changes[name] = self._entry(name, now).look(now, asked.get(name, ()))
            await slices.pause()
            if self._passed_s() - begun_s > BATCH_S:
                break
        answered = tuple(due.run_id for name in changes for due in asked.get(name, ()))
        claim = claim_of(now, changes.values(), answered)
        recorded = await self._on_disk(partial(self._store.claim, claim)) if claim else frozenset[str]()
        for _ in changes:
            left.popleft()
        self._wanted = [due for due in self._wanted if due.run_id not in answered]
        starts = [due for name, change in changes.items() for due in self._entries[name].settle(change, recorded)]
        for due in starts:
            self._begin(due)
        self._tell(changes.values())
        await self._plan(changes, slices)

    def _begin(self, due: Due) -> None:
        """5. It begins."""
        if self._stopping:  # meanwhile
            self._left.append(due)
            return
        if self._witness is not None and due.why == "schedule":
            self._witness.started((self._clock() - due.start_at).total_seconds())
        say_begun(due)
        job = asyncio.get_running_loop().create_task(self._carry_out(due))
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    async def _carry_out(self, due: Due) -> None:
        ended: Ended
        try:
            ended = await self._run(due)
        except asyncio.CancelledError:
            ended = CutShortError("ended by a stop")
        except AssessError as error:
            ended = error
        except Exception as error:
            _log.exception(
                "%s: a fault of ours",
                due.assessment,
                extra={"action": "bug", "assessment": due.assessment, "run_id": due.run_id},
            )
            ended = AssessError(str(error))
        self._over.append((due, ended))
        self._woken.set()

    async def _plan(self, names: Iterable[str], slices: "_Slices") -> None:
        """6. What comes next is asked, now that nobody waits for it."""
        for name in names:
            entry = self._entries[name]
            if entry.is_over:
                del self._entries[name]
                continue
            before = entry.look_at
            entry.plan(self._clock())
            if entry.look_at is not None and entry.look_at != before:
                heapq.heappush(self._heap, (entry.look_at, name))
            await slices.pause()

    # --- the end

    async def _leave(self) -> None:
        """All that it began has ended; what was cut short is due at the next start, and is no attempt that failed."""
        while self._jobs:
            self._woken.clear()
            await self._sleep(self._woken, TICK_S)
        self._end()
        self._left += [due for _, due in self._unrecorded.values()]
        lost = [(due, why) for entry in self._entries.values() for due, why in entry.lost]
        claim = Claim(
            at=self._clock(),
            rows=tuple(Row(due=replace(due, attempt=due.attempt - 1), state="running") for due in self._left),
            dropped=tuple(due.run_id for due, _ in lost),
            skips=tuple(skip_of(due, why) for due, why in lost),
        )
        if claim:
            try:
                await self._on_disk(partial(self._store.claim, claim))
            except StoreError as error:  # they are due all the same; a death is counted that was none
                _log.error("what was cut short could not be noted: %s", error, extra={"action": "journal-full"})

    # --- what it is made of

    def _entry(self, name: str, now: datetime) -> Entry:
        if name not in self._entries:
            self._entries[name] = Entry(name=name, rule=None, ahead=None, agenda=Agenda(cursor=now))
        return self._entries[name]

    def _heed_the_clock(self, now: datetime) -> None:
        """A clock that was set is told of; where it was set back by much, all is looked at again."""
        drift = now - EPOCH - timedelta(seconds=self._passed_s())
        if self._drift is not None and abs(drift - self._drift) > DRIFT:
            step_s = (drift - self._drift).total_seconds()
            _log.warning(
                "the clock was set by %+.0f s, or the machine slept", step_s, extra={"action": "clock-stepped"}
            )
            if self._witness is not None:
                self._witness.clock_stepped()
        self._drift = drift
        if self._newest is not None and self._newest - now > SET_BACK:
            self._touched |= dict.fromkeys(self._entries)
            self._newest = now
        self._newest = now if self._newest is None else max(self._newest, now)

    def _pause_s(self) -> float:
        """Until there is something to do; at most a tick."""
        if self._try_at_s > self._passed_s():
            return min(TICK_S, self._try_at_s - self._passed_s())
        if self._touched:
            return 0.0
        left_s = (self._heap[0][0] - self._clock()).total_seconds() if self._heap else TICK_S
        return min(TICK_S, max(0.0, left_s))

    def _tell(self, changes: Iterable[Change]) -> None:
        for change in changes:
            for skip in change.skips:
                say_skipped(skip)
                if self._witness is not None:
                    self._witness.skipped(skip.assessment, skip.why)
            for row in change.rows:
                if row.state != "running":
                    say_waits(row)

    async def _on_disk(self, work: Callable[[], Value]) -> Value:
        return await asyncio.get_running_loop().run_in_executor(self._disk, work)


def _sentence(error: AssessError) -> str:
    return str(error).strip() or type(error).__name__


class _Slices:
    """Work in slices: between them others have their turn."""

    def __init__(self, passed_s: Callable[[], float]) -> None:
        self._passed_s = passed_s
        self._begun_s = passed_s()

    async def pause(self) -> None:
        """Now, if this slice took long enough."""
        if self._passed_s() - self._begun_s >= SLICE_S:
            await asyncio.sleep(0)
            self._begun_s = self._passed_s()
