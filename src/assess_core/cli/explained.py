"""What is said of one assessment: how it is to run, what became of it, and what comes next, from one value.

found = explained(entry, config, journal, up=who_is_up(state), now=utc_now())
document(found)         # for programs, in UTC
lines(found)            # for people, in the zone of its schedule
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from types import MappingProxyType
from typing import Any

from assess_core.clock import timestamp
from assess_core.config import AssessmentConfig, Config
from assess_core.configured import rules_of
from assess_core.formats.json_document import narrowed_document
from assess_core.journal import Journal, Listed
from assess_core.schedule import WHYS, Row, Rule, Skip, State, zone_of
from assess_core.schedule.preview import Upcoming, coming

COUNT = 5
"""Times that are said of what comes and of what was skipped."""

_WAITS: Mapping[State, str] = MappingProxyType(
    {
        "running": "running",
        "queued": "waits for the run before it",
        "held": "waits for the end of maintenance",
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What there is to say of an assessment that is enabled.

    Attributes:
        up: who is up on the state directory; empty when nobody is.
        due: what was decided and has not ended.
        last: its newest run.
        complete_at: when the newest whole complete one ended.
    """

    rule: Rule
    up: str
    due: tuple[Row, ...]
    last: Listed | None
    complete_at: datetime | None
    skipped: tuple[Skip, ...]
    coming: tuple[Upcoming, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Explained:
    """One assessment.

    Attributes:
        zone: what its schedule is written in.
        told: None if it is not enabled.
    """

    entry: AssessmentConfig
    zone: tzinfo
    told: Told | None


def explained(entry: AssessmentConfig, config: Config, journal: Journal, *, up: str, now: datetime) -> Explained:
    """As of now, by what is configured and what the journal has."""
    zone = zone_of(entry.tz or config.runtime.tz)
    rule = next((rule for rule in rules_of(config) if rule.assessment == entry.id), None)
    if rule is None:
        return Explained(entry=entry, zone=zone, told=None)
    kept = journal.schedules().kept()
    told = Told(
        rule=rule,
        up=up,
        due=tuple(row for row in kept.rows if row.due.assessment == entry.id),
        last=next(iter(journal.listed(limit=1, assessment=entry.id)), None),
        complete_at=journal.completed_at([entry.id]).get(entry.id),
        skipped=tuple(skip for skip, _ in journal.skips(entry.id, COUNT)),
        coming=coming(rule, kept, now, count=COUNT, shown_in=zone),
    )
    return Explained(entry=entry, zone=zone, told=told)


def document(found: Explained) -> dict[str, Any]:
    """For programs."""
    entry, told = found.entry, found.told
    facts: dict[str, Any] = {"id": entry.id, "plugin": entry.plugin, "provider": entry.provider}
    facts |= {"enabled": entry.enabled, "schedule": entry.schedule or None}
    if told is None:
        return facts | {"next": [], "due": [], "last_run": None, "last_complete_at": None, "skipped": []}
    rule = told.rule
    return facts | {
        "tz": rule.spec.zone or None if rule.spec is not None else None,
        "jitter_s": rule.offset.total_seconds(),
        "overlap": rule.overlap,
        "misfire": rule.misfire,
        "grace_s": rule.grace.total_seconds(),
        "retries": entry.retries,
        "maintenance": [window.id for window in rule.windows],
        "up": told.up or None,
        "due": [
            {"run_id": row.due.run_id, "due_at": timestamp(row.due.due_at), "state": row.state, "why": row.due.why}
            for row in told.due
        ],
        "last_run": _last(told.last) if told.last is not None else None,
        "last_complete_at": _moment(told.complete_at),
        "skipped": [
            {"first_at": timestamp(skip.first_at), "last_at": timestamp(skip.last_at), "why": skip.why}
            for skip in told.skipped
        ],
        "next": [
            {"due_at": timestamp(each.due_at), "start_at": _moment(each.start_at), "notes": list(each.notes)}
            for each in told.coming
        ],
    }


def _last(listed: Listed) -> dict[str, Any]:
    run = listed.run
    return {
        "run_id": run.run_id,
        "due_at": timestamp(run.due_at),
        "complete": listed.complete,
        "narrowed": narrowed_document(run.narrowed),
    }


def _moment(moment: datetime | None) -> str | None:
    return timestamp(moment) if moment is not None else None


def lines(found: Explained) -> Iterator[tuple[str, str]]:
    """For people: names and what is said of them."""
    entry, told = found.entry, found.told
    yield "assessment", entry.id
    yield "plugin", f"{entry.plugin}, subjects by {entry.provider}"
    if told is None:
        yield "schedule", "not enabled: it does not run"
        return
    yield from _how_it_runs(entry, told)
    yield "assess up", told.up or "not running: nothing begins by itself"
    yield from _what_became_of_it(told, found.zone)
    for each in told.coming:
        yield "next", "; ".join((_shown(each.start_at or each.due_at, found.zone), *each.notes))


def _how_it_runs(entry: AssessmentConfig, told: Told) -> Iterator[tuple[str, str]]:
    rule = told.rule
    zone = rule.spec.zone if rule.spec is not None else ""
    yield "schedule", ", ".join(filter(None, (entry.schedule or "when somebody asks for it", zone)))
    if rule.offset:
        yield "jitter", f"begins {rule.offset.total_seconds():.0f} s later than it is due, on this runtime"
    yield "overlap", rule.overlap
    yield "misfire", f"{rule.misfire}, later than {rule.grace.total_seconds():g} s"
    if rule.windows:
        yield "maintenance", ", ".join(window.id for window in rule.windows)


def _what_became_of_it(told: Told, zone: tzinfo) -> Iterator[tuple[str, str]]:
    if told.last is None:
        yield "last run", "none"
    else:
        run = told.last.run
        word = "complete" if told.last.complete else "incomplete"
        word += ", narrowed" if run.narrowed is not None else ""
        yield "last run", f"{_shown(run.due_at, zone)}, {word}, {run.run_id[:12]}"
        if run.narrowed is not None or not told.last.complete:
            at = told.complete_at
            yield "complete", f"ended {_shown(at, zone)}, the last one that was whole" if at else "never, as a whole"
    for row in told.due:
        state = _WAITS[row.state] if told.up else "begins at the next start of assess up"
        yield "due", f"{_shown(row.due.due_at, zone)}, {state}, {row.due.run_id[:12]}"
    for skip in told.skipped:
        until = f" to {_shown(skip.last_at, zone)}" if skip.last_at != skip.first_at else ""
        yield "not run", f"{_shown(skip.first_at, zone)}{until}: {WHYS[skip.why]}"


def _shown(moment: datetime, zone: tzinfo) -> str:
    """In the zone that the schedule is written in, with its offset."""
    return moment.astimezone(zone).isoformat(sep=" ", timespec="seconds")
