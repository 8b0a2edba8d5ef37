"""Many writers, one transaction: a thread takes what waits, commits it together, and then tells each how it ended.

A commit waits for the disk, and costs the same for one record as for fifty. So whatever has come meanwhile goes into
the next one, each piece inside a savepoint of its own: one that is refused does not take the others with it. A full
disk does, because SQLite then gives up the whole transaction; the same pieces are tried again, each alone, so that
those that fit are written.

    recorded = writer.record(run, results, evidence)     # a concurrent.futures.Future, set after the commit
    await asyncio.wrap_future(recorded)

What cannot be recorded because there is no room, or because another process keeps writing, waits in memory and is tried
again until it is in, or until `close` has waited long enough. Everything else that fails says so at once: whoever asked
knows better whether it is still wanted.

The thread has a connection of its own. Readers never wait for it, not even those of this process.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from assess_core.errors import NoRoomError, StoreError
from assess_core.journal import evidence as pieces
from assess_core.journal.database import BusyError, Connection, Database, savepoint, spoils
from assess_core.journal.evidence import Evidence
from assess_core.journal.runs import Vouch, always, make_record, unsigned, write
from assess_core.results import AssessmentRun, Result

GROUP = 64
"""The most pieces in one transaction (1,000 records of 3 results: 3.1 s alone, 0.2 s in groups of 50)."""

GROUP_BYTES = 8 << 20
"""After so many a transaction takes no more, so that others' and readers' pages are not put off for long."""

WAITING_BYTES = 64 << 20
"""What may wait in memory for room on the disk; what does not fit any more is lost, and said to be."""

RESULT_BYTES = 1500
"""About what a result takes, encoded."""

AGAIN_S = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""After how long it is tried again to write what could not be; from then on always the last."""

GRACE_S = 40.0
"""How long `close` waits for a transaction that is under way; it may wait for another process's (`BUSY_TIMEOUT_S`)."""

Work = Callable[[Connection], Any]
_T = TypeVar("_T")

_log = logging.getLogger(__name__)


@dataclass(kw_only=True, slots=True, eq=False)
class _Job:
    """One piece of work for a transaction.

    Attributes:
        prepare: gives what is done inside; it is called before, once, and takes as long as it likes.
        holds: whether it is still so, asked once more right before the commit.
        patient: it waits for room, instead of failing.
    """

    prepare: Callable[[], Work]
    size: int
    patient: bool
    holds: Callable[[], bool]
    future: Future[Any] = field(default_factory=Future)
    since_s: float = field(default_factory=time.monotonic)
    work: Work | None = None


@dataclass(frozen=True, slots=True)
class _Done:
    value: Any


_Outcome = _Done | BaseException


class _NotTogetherError(Exception):
    """Something that held inside the transaction did not at its end."""


class Writer:
    """Writes what others hand it, in the order in which they do, on a thread of its own. See `Journal.writer`.

    Args:
        database: opened for it alone.
        keeper: who takes evidence in.
        again_s: after how long it is tried again to write what could not be.
        vouch: called in the transaction that writes a run.
    """

    def __init__(
        self,
        database: Database,
        *,
        keeper: pieces.Keeper | None = None,
        again_s: Sequence[float] = AGAIN_S,
        vouch: Vouch = unsigned,
    ) -> None:
        self._database = database
        self._keeper = keeper or pieces.Keeper()
        self._vouch = vouch
        self._again_s = again_s
        self._changed = threading.Condition()  # guards all that follows
        self._queue: deque[_Job] = deque()
        self._waiting: deque[_Job] = deque()
        self._taken: tuple[_Job, ...] = ()
        self._failures = 0
        self._given_up = False
        self._next_s = 0.0
        self._closing = False
        self._until_s = 0.0
        self._why = ""
        # It ends with the process: a disk that hangs would keep it alive for ever.
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self._thread.start()

    def record(
        self,
        run: AssessmentRun,
        results: Sequence[Result],
        evidence: Evidence,
        *,
        holds: Callable[[], bool] = always,
    ) -> "Future[int]":
        """As `Journal.record`; it waits for room on the disk, and for other processes."""

        def prepare() -> Work:
            record = make_record(run, results, evidence, holds=holds)
            return partial(write, record=record, at_us=_now_us(), keeper=self._keeper, vouch=self._vouch)

        size = RESULT_BYTES * (1 + len(results)) + _size(evidence)
        return self._submitted(_Job(prepare=prepare, size=size, patient=True, holds=holds))

    def keep(self, evidence: Evidence) -> "Future[None]":
        """As `Journal.keep`; it waits as `record` does: what a run found is not lost for a disk that is full now."""

        def prepare() -> Work:
            return partial(self._keeper.keep, evidence=pieces.make_pieces(evidence), at_us=_now_us())

        return self._submitted(_Job(prepare=prepare, size=_size(evidence), patient=True, holds=always))

    def submit(self, work: Callable[[Connection], _T], *, size: int = 0) -> "Future[_T]":
        """What this returns, once what it wrote is on the disk.

        It may be called twice, the second time after everything of the first was undone; so it changes nothing but the
        journal.
        """
        return self._submitted(_Job(prepare=lambda: work, size=size, patient=False, holds=always))

    @property
    def oldest_s(self) -> float:
        """For how long the oldest piece has waited for its turn, or for the disk to answer; 0 if there is none.

        What waits for room is not counted: it is told of by `trouble`.
        """
        with self._changed:
            begun = [job.since_s for job in (*self._taken, *self._queue)]
        return time.monotonic() - min(begun) if begun else 0.0

    @property
    def trouble(self) -> str:
        """Why results that were found are not in the journal yet; empty when all are."""
        with self._changed:
            return self._why if self._failures else ""

    def close(self, *, within_s: float = 0.0) -> bool:
        """Everything that was handed over is written, or has failed, and nothing more is taken. Idempotent.

        Args:
            within_s: for how long what waits for room is still tried.

        Returns:
            Whether the thread has ended; if not, the disk does not answer, and nothing can be done about it.
        """
        with self._changed:
            if not self._closing:
                self._closing, self._until_s = True, time.monotonic() + within_s
                self._next_s = 0.0
                self._changed.notify()
        self._thread.join(within_s + GRACE_S)
        return not self._thread.is_alive()

    def _submitted(self, job: _Job) -> "Future[Any]":
        with self._changed:
            if self._closing:
                raise StoreError(f"journal {self._database.path}: it is being closed, and takes nothing more")
            self._queue.append(job)
            self._changed.notify()
        return job.future

    def _run(self) -> None:
        try:
            while jobs := self._next():
                before = len(self._waiting)
                self._write([job for job in jobs if self._prepared(job)])
                self._looked(grown=len(self._waiting) > before)
        finally:
            self._left()
            self._database.close()

    def _left(self) -> None:
        """Nobody waits for what this thread will not write any more: if it ends by our fault, there is something."""
        with self._changed:
            self._closing = True
            left = [job for job in (*self._taken, *self._queue, *self._waiting) if not job.future.done()]
            self._taken = ()
            self._queue.clear()
            self._waiting.clear()
        for job in left:
            error = StoreError(f"journal {self._database.path}: nothing more is written to it: its writer has ended")
            job.future.set_exception(error)

    def _next(self) -> tuple[_Job, ...]:
        """What is written next, as soon as there is something; nothing when it is time to end."""
        with self._changed:
            while True:
                now = time.monotonic()
                if self._queue:
                    return self._take(self._queue)
                if self._waiting and (now >= self._next_s or (self._closing and now >= self._until_s)):
                    return self._take(self._waiting)
                if self._closing and not self._waiting:
                    return ()
                self._changed.wait(self._wait_s(now))

    def _wait_s(self, now: float) -> float | None:
        if not self._waiting:
            return None
        return max(0.0, (min(self._next_s, self._until_s) if self._closing else self._next_s) - now)

    def _take(self, queue: deque[_Job]) -> tuple[_Job, ...]:
        jobs, size = [queue.popleft()], 0
        while queue and len(jobs) < GROUP and (size := size + jobs[-1].size) + queue[0].size <= GROUP_BYTES:
            jobs.append(queue.popleft())
        self._taken = tuple(jobs)
        return self._taken

    def _prepared(self, job: _Job) -> bool:
        """Whether there is something to be written: it was not given up, and is not wrong in itself."""
        if job.work is not None:
            return True
        if not job.future.set_running_or_notify_cancel():
            return False
        try:
            job.work = job.prepare()
        except BaseException as error:
            job.future.set_exception(error)
            return False
        return True

    def _write(self, jobs: Sequence[_Job]) -> None:
        """Each of them is written or has failed, or waits for room."""
        if not jobs:
            return
        try:
            outcomes = self._together(jobs)
        except BusyError as error:  # also of each alone: it would only wait as long again, once for each
            outcomes = [error] * len(jobs)
        except Exception as error:
            if len(jobs) > 1:  # one of them, or all together, did not fit; or something did not hold any more
                for job in jobs:
                    self._write([job])
                return
            outcomes = [error]
        for job, outcome in zip(jobs, outcomes, strict=True):
            self._told(job, outcome)

    def _together(self, jobs: Sequence[_Job]) -> Sequence[_Outcome]:
        """What came of each, after a commit of all that did not fail."""
        with self._database.transaction() as connection:
            outcomes = [_one(connection, job) for job in jobs]
            for job, outcome in zip(jobs, outcomes, strict=True):
                # It was asked inside, too. Others have been written since, and it may be long until all of them are.
                if len(jobs) > 1 and isinstance(outcome, _Done) and not job.holds():
                    raise _NotTogetherError
        return outcomes

    def _told(self, job: _Job, outcome: _Outcome) -> None:
        if isinstance(outcome, _Done):
            job.future.set_result(outcome.value)
        elif not (job.patient and isinstance(outcome, NoRoomError | BusyError) and self._waits(job, outcome)):
            job.future.set_exception(outcome)

    def _waits(self, job: _Job, error: StoreError) -> bool:
        """Whether it waits, to be tried again."""
        with self._changed:
            if self._closing and time.monotonic() >= self._until_s:
                self._given_up = True
                return False
            if sum(each.size for each in self._waiting) + job.size > WAITING_BYTES:
                return False
            self._waiting.append(job)
            self._why = str(error)
        return True

    def _looked(self, *, grown: bool) -> None:
        """What was taken is done with; when what waits is tried again."""
        with self._changed:
            self._taken = ()
            failures, self._failures = self._failures, self._failures + 1 if grown else self._failures
            if grown:
                self._next_s = time.monotonic() + self._again_s[min(failures, len(self._again_s) - 1)]
            elif not self._waiting:
                self._failures = 0
        if grown and not failures:
            text = "%s; results wait in memory until they can be written"
            _log.error(text, self._why, extra={"action": "journal-full"})
        elif failures and not self._failures and not self._given_up:
            _log.warning("the journal takes results again: none waits any more", extra={"action": "journal-not-full"})


def _one(connection: Connection, job: _Job) -> _Outcome:
    """What came of one piece of work; of one that failed nothing is there."""
    assert job.work is not None  # noqa: S101  prepared before
    try:
        with savepoint(connection):
            return _Done(job.work(connection))
    except Exception as error:
        if spoils(error):
            raise  # explained, and tried again alone
        return error


def _size(evidence: Evidence) -> int:
    return sum(len(data) for _, data in evidence.values())


def _now_us() -> int:
    return time.time_ns() // 1000
