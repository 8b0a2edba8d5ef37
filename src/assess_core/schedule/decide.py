"""The law of schedules: every due time has exactly one fate. Pure; reads no clock, and keeps nothing.

    decision = decide(rule, agenda, now)

What is due is the last due time since the cursor; the ones before it are missed, and told of as a range, so that a
month of `every 1s` is one. Then, in this order: too late, and not to be caught up with? Is a window open, at the moment
it was to begin or now? Does the run before it go on? The cursor moves to what was decided, never beyond.

What has been decided and has no fate yet is on the `Agenda`: running, waiting for the run before it, or held by
maintenance. Of those that wait for the same thing one stays, the latest; but a run that somebody asked for, and was
told the id of, is never given up for one whose time just came, nor for a window. If it cannot be done, because of
another that was asked for before, say, it becomes a run all the same: one that is recorded with that as its problem.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from assess_core.results import run_id
from assess_core.schedule.spec import Spec
from assess_core.schedule.store import Due, Row, Skip, SkipWhy
from assess_core.schedule.times import SECOND, Times, latest
from assess_core.schedule.windows import Window, open_at, over_at

Overlap = Literal["skip", "queue", "parallel"]
Misfire = Literal["run_once", "skip"]

MAX_PARALLEL = 8
"""Runs of one assessment at a time where they may overlap; a runtime that cannot keep up would begin ever more."""

MAX_ATTEMPTS = 3
"""Deaths of the process within one run after which it is not begun again: it may have been what killed it."""

SET_BACK = timedelta(hours=3)
"""A clock that was set back by less waits until it is where it was, as cron does; by more, and it begins anew there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """When an assessment is due, and what then.

    Attributes:
        runtime: name of this runtime; a part of the ids of runs.
        spec: None if it runs only when somebody asks.
        offset: how much later than due it begins, on this runtime.
        grace: lateness that does not count.
        windows: those that hold it.
    """

    runtime: str
    assessment: str
    spec: Spec | None = None
    offset: timedelta = timedelta(0)
    overlap: Overlap = "skip"
    misfire: Misfire = "run_once"
    grace: timedelta = timedelta(seconds=60)
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Agenda:
    """What has been decided of one assessment, and how far.

    Attributes:
        cursor: every due time up to it was decided.
        again: were running when the process died, or could not be recorded; to be begun again when there is room.
        running: begun, or just being begun.
        waiting: for those that are running.
        held: until maintenance is over, or until it was to begin.
    """

    cursor: datetime
    again: tuple[Due, ...] = ()
    running: tuple[Due, ...] = ()
    waiting: Due | None = None
    held: Due | None = None

    def rows(self) -> dict[str, Row]:
        """All of it that is kept, by run id."""
        rows = {due.run_id: Row(due=due, state="running") for due in (*self.again, *self.running)}
        if self.waiting is not None:
            rows[self.waiting.run_id] = Row(due=self.waiting, state="queued")
        if self.held is not None:
            rows[self.held.run_id] = Row(due=self.held, state="held")
        return rows

    def without(self, run_id: str) -> "Agenda":
        """The same without this run, wherever it was."""
        return replace(
            self,
            again=tuple(due for due in self.again if due.run_id != run_id),
            running=tuple(due for due in self.running if due.run_id != run_id),
            waiting=None if self.waiting is not None and self.waiting.run_id == run_id else self.waiting,
            held=None if self.held is not None and self.held.run_id == run_id else self.held,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What a look at one assessment came to.

    Attributes:
        agenda: as it is afterwards.
        starts: what begins now; all of it is in `agenda.running`.
        skips: due times that have no run.
        reopened: the clock was set back by more than is waited for, to here; None if it was not.
    """

    agenda: Agenda
    starts: tuple[Due, ...] = ()
    skips: tuple[Skip, ...] = ()
    reopened: datetime | None = None


def decide(
    rule: Rule, agenda: Agenda, now: datetime, *, asked: Sequence[Due] = (), times: Times | None = None
) -> Decision:
    """What becomes of everything that was due by now.

    Args:
        rule: for this assessment.
        agenda: as the last look left it, less what has ended since.
        now: what the clock says.
        asked: what somebody asked for since.
        times: answers as `rule.spec.times` does, if something answers faster.
    """
    look = _Look(rule=rule, now=now, agenda=agenda)
    set_back = agenda.cursor > now + SET_BACK
    if set_back:
        look.agenda = replace(agenda, cursor=now)
    fresh = look.due(times or (rule.spec.times if rule.spec else None))
    look.begin_again()
    look.take_from_the_queue()
    for due in (*((fresh,) if fresh is not None else ()), *asked):
        look.arrive(due)
    look.release()
    return Decision(
        agenda=look.agenda, starts=tuple(look.starts), skips=tuple(look.skips), reopened=now if set_back else None
    )


@dataclass(kw_only=True, slots=True)
class _Look:
    """One look at one assessment, while it goes on."""

    rule: Rule
    now: datetime
    agenda: Agenda
    starts: list[Due] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)

    def due(self, times: Times | None) -> Due | None:
        """The last due time since the cursor, which moves there; None if nothing is due, or it is too late for it."""
        rule, cursor = self.rule, self.agenda.cursor
        last = latest(times, cursor, self.now - rule.offset) if times is not None else None
        if times is None or last is None:
            return None
        first = times.after(cursor)
        if first is not None and first != last:
            until = latest(times, first - SECOND, last - SECOND) or first
            self.skip(first, until, "missed")
        self.agenda = replace(self.agenda, cursor=last)
        if rule.misfire == "skip" and self.now - last - rule.offset > rule.grace:
            self.skip(last, last, "misfire")
            return None
        return Due(
            run_id=run_id(rule.runtime, rule.assessment, last),
            assessment=rule.assessment,
            due_at=last,
            start_at=last + rule.offset,
            claimed_at=self.now,
        )

    def begin_again(self) -> None:
        """What a process died with begins again, as much of it as there is room for; the rest when that has ended."""
        interrupted, self.agenda = self.agenda.again, replace(self.agenda, again=())
        for due in interrupted:
            if not due.problem and not has_room(self.rule, self.agenda):
                self.agenda = replace(self.agenda, again=(*self.agenda.again, due))
            elif due.problem or not self.kept_out(due, self.now):
                self.start(due)

    def take_from_the_queue(self) -> None:
        """What waited for the run before it begins if that is over."""
        waiting = self.agenda.waiting
        if waiting is not None and has_room(self.rule, self.agenda):
            self.agenda = replace(self.agenda, waiting=None)
            if not self.kept_out(waiting, self.now):
                self.start(waiting)

    def arrive(self, due: Due) -> None:
        """It is kept out by maintenance, or placed among what runs; one that is there already stays as it is."""
        if due.run_id in self.agenda.rows():  # the clock was set back over it, or somebody asked at a due time
            return
        if due.why == "schedule" and due.start_at > self.now and self.agenda.held is None:
            self.agenda = replace(self.agenda, held=due)  # of a schedule that was edited; it waits for its jitter
            return
        moments = (due.start_at, self.now) if due.start_at < self.now else (self.now,)
        if any(self.kept_out(due, moment) for moment in moments):
            return
        held = self.agenda.held
        if held is not None:  # no window is open any more: of what was due meanwhile and now, one runs
            stays, goes = _the_one_that_stays(held, due)
            self.agenda = replace(self.agenda, held=None)
            if goes is not None:
                self.give_up(goes, "maintenance", stays)
            due = stays
        self.place(due)

    def release(self) -> None:
        """What maintenance held is placed, if all of it is over."""
        held = self.agenda.held
        if held is None or held_until(held, self.now) > self.now:
            return
        if open_at(self.rule.windows, self.now) is None:
            self.agenda = replace(self.agenda, held=None)
            self.place(held)

    def kept_out(self, due: Due, moment: datetime) -> bool:
        """Whether a window that is open at this moment keeps it from beginning; then it is held, or given up."""
        found = open_at(self.rule.windows, moment)
        leaves_out = found is not None and found.window.word == "skip" and due.why == "schedule"
        if found is None or (not leaves_out and moment != self.now):
            return False
        if leaves_out:
            self.give_up(due, "maintenance")
            return True
        stays, goes = _the_one_that_stays(self.agenda.held, due)
        self.agenda = replace(self.agenda, held=stays)
        if goes is not None:
            self.give_up(goes, "maintenance", stays)
        return True

    def place(self, due: Due) -> None:
        """It begins, or waits for the run before it, or is given up."""
        if has_room(self.rule, self.agenda):
            self.start(due)
        elif self.rule.overlap == "queue" or due.why == "request":
            stays, goes = _the_one_that_stays(self.agenda.waiting, due)
            self.agenda = replace(self.agenda, waiting=stays)
            if goes is not None:
                self.give_up(goes, "overlap" if goes is due else "replaced", stays)
        else:
            self.give_up(due, "overlap")

    def start(self, due: Due) -> None:
        self.starts.append(due)
        self.agenda = replace(self.agenda, running=(*self.agenda.running, due))

    def give_up(self, due: Due, why: SkipWhy, stays: Due | None = None) -> None:
        """It has no run of its own; if somebody was told its id, one that says which other run stands for it."""
        if due.why == "request" and stays is not None:
            text = f"not done: run {stays.run_id}, which waits as this one would, does the same"
            self.start(replace(due, problem=text))
        else:
            self.skip(due.due_at, due.due_at, why)

    def skip(self, first: datetime, last: datetime, why: SkipWhy) -> None:
        self.skips.append(Skip(assessment=self.rule.assessment, first_at=first, last_at=last, why=why))


def has_room(rule: Rule, agenda: Agenda) -> bool:
    """Whether what runs leaves room for another; what is only being recorded takes none."""
    running = sum(not due.problem for due in agenda.running)
    return not running or (rule.overlap == "parallel" and running < MAX_PARALLEL)


def held_until(held: Due, now: datetime) -> datetime:
    """When what maintenance holds may begin, as far as that is no matter of windows.

    A clock that was set back over what was due is waited for. What somebody asked for waits for no clock: whoever asks
    again is told of this one.
    """
    return max(now, held.start_at) if held.why == "schedule" else now


def _the_one_that_stays(there: Due | None, new: Due) -> tuple[Due, Due | None]:
    """Of two that wait for the same thing: the one that does, and the one that is given up for it."""
    if there is None:
        return new, None
    return (there, new) if there.why == "request" else (new, there)


def next_look_at(rule: Rule, agenda: Agenda, now: datetime, times: Times | None = None) -> datetime | None:
    """When there will be something to decide, if nothing ends and nobody asks; None if never."""
    asked = times or (rule.spec.times if rule.spec else None)
    due = asked.after(agenda.cursor) if asked is not None else None
    moments = [due + rule.offset] if due is not None else []
    if (agenda.again or agenda.waiting is not None) and has_room(rule, agenda):
        moments.append(now)
    if agenda.held is not None:
        moments.append(over_at(rule.windows, held_until(agenda.held, now)))
    if agenda.cursor > now + SET_BACK:
        moments.append(now)
    return min(moments, default=None)
