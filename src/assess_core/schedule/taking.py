"""What an earlier process left, what somebody asks for, and what one turn writes: each as the loop needs it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from assess_core.results import run_id
from assess_core.schedule.decide import MAX_ATTEMPTS, Rule
from assess_core.schedule.entry import Change, Entry
from assess_core.schedule.store import Asked, Claim, Cursor, Due, Kept, Row, Skip


def claim_of(now: datetime, changes: Iterable[Change], answered: tuple[str, ...]) -> Claim:
    """All of these changes, as one."""
    cursors: list[Cursor] = []
    forgotten: list[str] = []
    rows: list[Row] = []
    dropped: list[str] = []
    skips: list[Skip] = []
    reopened: list[Cursor] = []
    for change in changes:
        if change.cursor is not None:
            cursors.append(change.cursor)
        if change.decision.reopened is not None and change.cursor is not None:
            reopened.append(replace(change.cursor, at=change.decision.reopened))
        if change.forgotten:
            forgotten.append(change.name)
        rows += change.rows
        dropped += change.dropped
        skips += change.skips
    return Claim(
        at=now,
        cursors=tuple(cursors),
        forgotten=tuple(forgotten),
        rows=tuple(rows),
        dropped=tuple(dropped),
        skips=tuple(skips),
        answered=answered,
        reopened=tuple(reopened),
    )


def assessments_of(kept: Kept) -> Iterator[str]:
    """Those of which something is kept; some twice."""
    yield from (cursor.assessment for cursor in kept.cursors)
    yield from (row.due.assessment for row in kept.rows)


def take_up(entry: Entry, row: Row, rule: Rule | None, now: datetime) -> None:
    """What an earlier process has left of this due time is on the entry's agenda."""
    entry.kept_rows[row.due.run_id] = row
    agenda, due = entry.agenda, row.due
    late = (
        rule is not None
        and due.why == "schedule"  # what somebody asked for is never too late
        and rule.misfire == "skip"
        and now - due.start_at > rule.grace
    )
    if row.state == "held" and agenda.held is None:
        entry.agenda = replace(agenda, held=due)
    elif row.state == "queued" and late:
        entry.lost += ((due, "misfire"),)
    elif row.state == "queued" and agenda.waiting is None:
        entry.agenda = replace(agenda, waiting=due)
    else:
        due = replace(due, attempt=due.attempt + 1) if row.state == "running" else due
        entry.agenda = replace(agenda, again=(*agenda.again, replace(due, problem=_problem(due, late=late))))


def _problem(due: Due, *, late: bool) -> str:
    """Why it is not begun again; empty if it is."""
    if due.attempt > MAX_ATTEMPTS:
        return f"ended the runtime, or was ended with it, {MAX_ATTEMPTS} times; it is not tried again"
    if late and due.attempt > 1:
        return "interrupted: the runtime ended meanwhile, and it is too late to begin again"
    return ""


def asked_for(asked: Asked, now: datetime) -> Due:
    """What somebody wants is due now."""
    return Due(
        run_id=asked.run_id,
        assessment=asked.assessment,
        due_at=asked.at,
        start_at=asked.at,
        why="request",
        claimed_at=now,
    )


def wanted(rule: Rule, now: datetime) -> Due:
    """As if somebody asked for it."""
    return asked_for(Asked(run_id=run_id(rule.runtime, rule.assessment, now), assessment=rule.assessment, at=now), now)
