"""What comes next, and why then: for people. Pure.

    for each in preview(rule, since=cursor, count=5):
        print(each.start_at, *each.notes)

What it says holds if nothing happens until then: a run that goes on into the next due time is not foreseen.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice

from cronsim import CronSim

from assess_core.schedule.decide import Rule
from assess_core.schedule.store import Kept
from assess_core.schedule.times import SECOND, Cron, upcoming, zone_of
from assess_core.schedule.windows import open_at, over_at


@dataclass(frozen=True, kw_only=True, slots=True)
class Upcoming:
    """One due time that is to come.

    Attributes:
        start_at: when its run begins; None if it will have none.
        notes: why then and not otherwise, a sentence each.
    """

    due_at: datetime
    start_at: datetime | None
    notes: tuple[str, ...] = ()


def preview(rule: Rule, *, since: datetime, count: int, shown_in: tzinfo = UTC) -> tuple[Upcoming, ...]:
    """The next due times after this moment, and what will become of them.

    Args:
        rule: of the assessment.
        since: its cursor, or now.
        count: at most so many.
        shown_in: the zone of times within notes.
    """
    if rule.spec is None:
        return ()
    return tuple(_upcoming(rule, due, shown_in) for due in islice(upcoming(rule.spec.times, since), count))


def coming(rule: Rule, kept: Kept, now: datetime, *, count: int, shown_in: tzinfo = UTC) -> tuple[Upcoming, ...]:
    """As `preview`, from where an earlier look left it, if that was by this schedule; else it begins now.

    What is due already, and waits for its jitter, comes, too.
    """
    key = rule.spec.key if rule.spec is not None else None
    decided = (each.at for each in kept.cursors if (each.assessment, each.spec) == (rule.assessment, key))
    since = max(next(decided, now), now - rule.offset)
    return preview(rule, since=since, count=count, shown_in=shown_in)


def _upcoming(rule: Rule, due: datetime, shown_in: tzinfo) -> Upcoming:
    notes = list(_of_the_clock(rule, due))
    start: datetime | None = due + rule.offset
    if rule.offset:
        notes.append(f"{rule.offset.total_seconds():.0f} s later than due: the jitter of this runtime")
    found = open_at(rule.windows, due + rule.offset)
    if found is not None:
        until = f"{found.ends_at.astimezone(shown_in):%Y-%m-%d %H:%M}"
        if found.window.word == "skip":
            start = None
            notes.append(f"not run: maintenance '{found.window.id}' until {until}")
        else:
            start = over_at(rule.windows, due + rule.offset)
            notes.append(f"held by maintenance '{found.window.id}' until {until}, then one run for all of it")
    return Upcoming(due_at=due, start_at=start, notes=tuple(notes))


def _of_the_clock(rule: Rule, due: datetime) -> Iterator[str]:
    """What is odd about this time of a clock that is set in the night."""
    times = rule.spec.times if rule.spec is not None else None
    if not isinstance(times, Cron):
        return
    zone = zone_of(times.zone)
    local, before = due.astimezone(zone), (due - SECOND).astimezone(zone)
    skipped = local.replace(tzinfo=None) - before.replace(tzinfo=None) - SECOND
    if skipped > timedelta(0) and times.is_time_of_day:
        meant = next(CronSim(times.text, before.replace(tzinfo=None)), None)
        if meant is not None and meant < local.replace(tzinfo=None):
            yield f"{meant:%H:%M} does not exist on {meant:%Y-%m-%d} in {times.zone}: {local:%H:%M}"
    if local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset() and not skipped:
        which = "second" if local.fold else "first"
        only = ", and this is due once" if times.is_time_of_day else ""
        yield f"{local:%H:%M} comes twice on {local:%Y-%m-%d} in {times.zone}: the {which} time{only}"
