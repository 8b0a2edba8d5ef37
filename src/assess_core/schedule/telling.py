"""What people hear of schedules: how an assessment stands, and lines of the log."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from assess_core.schedule.decide import held_until
from assess_core.schedule.entry import Entry
from assess_core.schedule.store import Due, Row, Skip, SkipWhy
from assess_core.schedule.windows import over_at

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """How one assessment stands.

    Attributes:
        schedule: as it is written; empty if it runs only when somebody asks.
        next_due_at: when it is due next; None if never.
        next_start_at: when that begins: by its jitter later.
        running: ids of the runs that go on.
        waiting: id of the run that waits for them.
        held_until: when what maintenance holds may begin.
    """

    assessment: str
    schedule: str
    next_due_at: datetime | None
    next_start_at: datetime | None
    running: tuple[str, ...] = ()
    waiting: str | None = None
    held_until: datetime | None = None

    def __str__(self) -> str:
        said = [self.schedule or "on request"]
        if self.next_start_at is not None:
            said.append(f"next at {self.next_start_at:%Y-%m-%d %H:%M:%S}Z")
        if self.running:
            said.append(f"{len(self.running)} running")
        if self.waiting is not None:
            said.append("one waits for that")
        if self.held_until is not None:
            said.append(f"held by maintenance until {self.held_until:%Y-%m-%d %H:%M:%S}Z")
        return f"{self.assessment}: {', '.join(said)}"


def planned(entry: Entry, now: datetime) -> Planned:
    """How it stands."""
    rule, agenda = entry.rule, entry.agenda
    due = entry.ahead.after(agenda.cursor) if entry.ahead is not None else None
    return Planned(
        assessment=entry.name,
        schedule=rule.spec.text if rule is not None and rule.spec is not None else "",
        next_due_at=due,
        next_start_at=due + rule.offset if due is not None and rule is not None else None,
        running=tuple(each.run_id for each in agenda.running),
        waiting=agenda.waiting.run_id if agenda.waiting is not None else None,
        held_until=over_at(rule.windows, held_until(agenda.held, now))
        if agenda.held is not None and rule is not None
        else None,
    )


def say_skipped(skip: Skip) -> None:
    """Why something does not run."""
    many = skip.first_at != skip.last_at
    when = f"from {shown(skip.first_at)} to {shown(skip.last_at)}" if many else f"at {shown(skip.first_at)}"
    _log.info(
        "%s: what was due %s is not run: %s",
        skip.assessment,
        when,
        WHYS[skip.why],
        extra={"action": "due-skipped", "assessment": skip.assessment, "why": skip.why},
    )


def say_waits(row: Row) -> None:
    """What something waits for."""
    _log.info(
        "%s: what was due at %s waits for %s",
        row.due.assessment,
        shown(row.due.due_at),
        "the end of maintenance" if row.state == "held" else "the run before it",
        extra={"action": "due-queued", "assessment": row.due.assessment, "run_id": row.due.run_id},
    )


def say_begun(due: Due) -> None:
    """What begins not for the first time, or is recorded without that."""
    about = {"assessment": due.assessment, "run_id": due.run_id}
    when = f"{due.assessment}: what was {'due' if due.why == 'schedule' else 'asked for'} at {shown(due.due_at)}"
    if due.problem:
        _log.warning("%s is recorded as it is: %s", when, due.problem, extra={"action": "run-not-done", **about})
    elif due.attempt > 1:
        text = "%s and did not end is begun again, for the %d. time"
        _log.warning(text, when, due.attempt, extra={"action": "run-again", **about})


WHYS: Mapping[SkipWhy, str] = {
    "missed": "it was missed, and a later one is due, too",
    "misfire": "it is too late",
    "overlap": "the run before it goes on",
    "replaced": "a later one waits for the run before it",
    "maintenance": "maintenance",
    "removed": "it is not configured any more",
    "failed": "it could not be carried out",
}


def shown(moment: datetime) -> str:
    """To the second, in UTC."""
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"
