"""What of a schedule outlives the process, and what has to be true of whoever keeps it.

The law is: every due time up to an assessment's cursor was decided, once. It is a run, a `Due` that is about to be one,
or part of a `Skip`. So a cursor never moves without what was decided, nor the other way round: a `Claim` is on the disk
as a whole, or not at all. A `Due` is removed by the transaction that records its run, and by nothing else but a claim.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, Protocol

Why = Literal["schedule", "request"]
"""What made it due: its time came, or somebody asked."""

State = Literal["running", "queued", "held"]
"""Begun, or about to be; waiting for the run before it; waiting for the end of maintenance."""

SkipWhy = Literal["missed", "misfire", "overlap", "replaced", "maintenance", "removed", "failed"]
"""Why a due time has no run of its own.

`missed`: a later one was due, too, when somebody looked. `misfire`: too late. `overlap`: the run before it went on.
`replaced`: it waited for the run before it, and a later one waits now. `maintenance`: a window was open, and it is not
to be caught up with, or a later one is. `removed`: it is not configured any more. `failed`: it could be neither carried
out nor recorded, and the log says why.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cursor:
    """Up to when an assessment's due times were decided.

    Attributes:
        spec: `Spec.key` of the schedule they are of; another schedule begins anew.
    """

    assessment: str
    spec: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """A due time that is to become a run.

    Attributes:
        run_id: of that run, made from the due time; in a journal once.
        due_at: when it was due, or asked for.
        start_at: when it was to begin: later than that by its jitter.
        attempt: 1 for the first; one more each time that its process died. What an orderly stop has cut short is kept
            with one less, as the next start adds one.
        claimed_at: when it was decided.
        problem: why it is not to be carried out any more but recorded, with this as its problem; not kept.
    """

    run_id: str
    assessment: str
    due_at: datetime
    start_at: datetime
    why: Why = "schedule"
    attempt: int = 1
    claimed_at: datetime
    problem: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A `Due` as it is kept."""

    due: Due
    state: State


@dataclass(frozen=True, kw_only=True, slots=True)
class Skip:
    """Every due time of the assessment from the first to the last, both included, that has no other fate."""

    assessment: str
    first_at: datetime
    last_at: datetime
    why: SkipWhy


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """Somebody wants an assessment to run now, and was told this run's id."""

    run_id: str
    assessment: str
    at: datetime
    by: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """What one look decided; written as a whole, or not at all.

    Attributes:
        cursors: put in place of those of the same assessments.
        forgotten: assessments whose cursors are removed.
        rows: put, in place of those of the same run ids.
        dropped: run ids whose rows are removed.
        skips: added.
        answered: run ids of requests that are removed.
        reopened: the clock was set back to there: what had been skipped of due times after it is decided again, so that
            those skips are removed before others are added. Requests, which are due at no whole second, are not.
    """

    at: datetime
    cursors: tuple[Cursor, ...] = ()
    forgotten: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    dropped: tuple[str, ...] = ()
    skips: tuple[Skip, ...] = ()
    answered: tuple[str, ...] = ()
    reopened: tuple[Cursor, ...] = ()

    def __bool__(self) -> bool:
        return any((self.cursors, self.forgotten, self.rows, self.dropped, self.skips, self.answered, self.reopened))


def shortened(skip: Skip, at: datetime) -> Skip | None:
    """What is left of a skip when all due times after this moment are decided again; None if nothing."""
    if skip.last_at <= at or skip.first_at.microsecond:
        return skip
    return replace(skip, last_at=at) if skip.first_at <= at else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """All that is kept: one cursor for an assessment, rows in the order of their due times."""

    cursors: tuple[Cursor, ...] = ()
    rows: tuple[Row, ...] = ()


class ScheduleStore(Protocol):
    """Where that is kept. Called by one thread at a time, not always the same, and not by the one of the event loop."""

    def kept(self) -> Kept:
        """All that is kept.

        Raises:
            StoreError: it cannot be read.
        """

    def claim(self, claim: Claim) -> frozenset[str]:
        """The claim is on the disk.

        Returns:
            run ids among `claim.rows` of which a run is recorded already (the clock was set back over them): their rows
            were not put, and what was there of them is gone. They are not to be run again.

        Raises:
            StoreError: nothing of it was written; it may be tried again.
        """

    def requests(self) -> tuple[Asked, ...]:
        """What was asked for and not answered, oldest first.

        Raises:
            StoreError: it cannot be read.
        """

    def skips(self, assessment: str, limit: int) -> tuple[tuple[Skip, datetime], ...]:
        """The newest skips of an assessment, newest first, and when each was decided.

        Raises:
            StoreError: it cannot be read.
        """
