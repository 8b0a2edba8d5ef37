"""What is kept of schedules, on a real disk, killed before any statement: each due time has one fate."""

import contextlib
import itertools
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest

from assess_core.errors import StoreError
from assess_core.journal import AlreadyRecordedError, Journal, JournalDamagedError
from assess_core.journal.documents import microseconds
from assess_core.results import run_id
from assess_core.schedule import Asked, Claim, Cursor, Due, Kept, Row, ScheduleStore, Skip, State
from tests.support.kills import steps
from tests.support.results import NOON, make_assessment, make_result

MINUTE = timedelta(minutes=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal.open(path) as opened:
        yield opened


def at(minute: int) -> datetime:
    return NOON + minute * MINUTE


def cursor(minute: int, *, assessment: str = "host", spec: str = "every 1m") -> Cursor:
    return Cursor(assessment=assessment, spec=spec, at=at(minute))


def due(minute: int, *, assessment: str = "host", **changes: Any) -> Due:
    fields: dict[str, Any] = {
        "run_id": run_id("web-01", assessment, at(minute)),
        "assessment": assessment,
        "due_at": at(minute),
        "start_at": at(minute) + timedelta(seconds=7),
        "claimed_at": at(minute) + timedelta(seconds=7, microseconds=123),
    }
    return Due(**(fields | changes))


def row(minute: int, state: State = "running", **changes: Any) -> Row:
    return Row(due=due(minute, **changes), state=state)


def skip(first: int, last: int | None = None, why: Any = "overlap", *, assessment: str = "host") -> Skip:
    return Skip(assessment=assessment, first_at=at(first), last_at=at(first if last is None else last), why=why)


def claim(minute: int, **parts: Any) -> Claim:
    return Claim(at=at(minute), **parts)


def record(journal: Journal, minute: int, **changes: Any) -> None:
    run = make_assessment(run_id=run_id("web-01", "host", at(minute)), due_at=at(minute), **changes)
    journal.record(run, [make_result(run_id=run.run_id)], {})


def test_it_is_a_store_of_schedules(journal: Journal) -> None:
    store: ScheduleStore = journal.schedules()
    assert store.kept() == Kept()
    assert journal._writer is None, "who only reads needs no thread"
    store.claim(claim(1))
    assert journal._writer is None, "nor does a claim of nothing"


def test_what_is_claimed_comes_back_after_a_restart(journal: Journal, path: Path) -> None:
    other = cursor(1, assessment="web", spec="30 2 * * * Europe/Berlin")
    states = get_args(State)
    rows = tuple(row(n, state, attempt=n + 1, why="request") for n, state in enumerate(states))
    made = claim(5, cursors=(cursor(2), other), rows=rows, skips=(skip(3, 4, "missed"), skip(5)))
    assert journal.schedules().claim(made) == frozenset()
    journal.close()
    with Journal.open(path) as again:
        store = again.schedules()
        assert store.kept() == Kept(cursors=(cursor(2), other), rows=rows)
        assert store.skips("host", 10) == ((skip(5), at(5)), (skip(3, 4, "missed"), at(5)))
        assert store.skips("host", 1) == ((skip(5), at(5)),)
        assert store.skips("web", 10) == ()


@pytest.mark.parametrize(
    ("us", "is_time"),
    [(microseconds(at(2)), True), (microseconds(datetime(9000, 1, 1, tzinfo=UTC)), False), (-(2**63), False)],
)
@pytest.mark.parametrize("what", ["due SET start_us", "schedules SET cursor_us"])
def test_a_time_that_nobody_wrote_is_damage(what: str, us: int, *, is_time: bool, journal: Journal, path: Path) -> None:
    journal.schedules().claim(Claim(at=at(1), cursors=(cursor(1),), rows=(row(1),)))
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE {what} = ?", (us,))
    if is_time:
        assert journal.schedules().kept().rows
        return
    with pytest.raises(JournalDamagedError, match="holds a time that is none"):
        journal.schedules().kept()


def test_a_claim_changes_what_is_there_and_leaves_the_rest(journal: Journal) -> None:
    store = journal.schedules()
    store.claim(
        claim(2, cursors=(cursor(2), cursor(1, assessment="web")), rows=(row(0), row(1, "queued"), row(2, "held")))
    )
    store.claim(
        claim(
            3,
            cursors=(cursor(3, spec="every 1h"),),
            forgotten=("web",),
            rows=(row(1, "running", attempt=2), row(3)),
            dropped=(due(2).run_id, "no such run"),
        )
    )
    assert store.kept() == Kept(
        cursors=(cursor(3, spec="every 1h"),), rows=(row(0), row(1, "running", attempt=2), row(3))
    )
    assert store.claim(claim(4)) == frozenset()


def test_a_run_that_is_recorded_is_no_longer_due_and_never_due_again(journal: Journal) -> None:
    store = journal.schedules()
    store.claim(claim(1, cursors=(cursor(1),), rows=(row(0), row(1))))
    record(journal, 0)
    assert store.kept().rows == (row(1),)
    # the clock was set back over it
    assert store.claim(claim(2, cursors=(cursor(2),), rows=(row(0), row(2)))) == {due(0).run_id}
    assert store.kept() == Kept(cursors=(cursor(2),), rows=(row(1), row(2)))


def test_a_run_that_cannot_be_recorded_stays_due(journal: Journal) -> None:
    store = journal.schedules()
    store.claim(claim(0, cursors=(cursor(0),), rows=(row(0),)))
    with pytest.raises(ValueError, match="belongs to run"):
        journal.record(make_assessment(run_id=due(0).run_id), [make_result(run_id="another")], {})
    assert store.kept().rows == (row(0),)
    record(journal, 0)
    store.claim(claim(1, rows=(row(1),)))
    with pytest.raises(AlreadyRecordedError):
        record(journal, 0, subjects=9)
    assert store.kept().rows == (row(1),)


def test_skips_that_follow_each_other_for_one_reason_are_one(journal: Journal) -> None:
    store = journal.schedules()
    for minute in range(3, 10):
        store.claim(claim(minute, cursors=(cursor(minute),), skips=(skip(minute),)))
    assert store.skips("host", 10) == ((skip(3, 9), at(9)),)


@pytest.mark.parametrize(
    "second",
    [
        claim(6, cursors=(cursor(6),), skips=(skip(6, why="misfire"),)),
        claim(6, cursors=(cursor(6, assessment="web"),), skips=(skip(6, assessment="web"),)),
        claim(6, cursors=(cursor(6),), skips=(skip(2),)),
    ],
    ids=["another reason", "another assessment", "an earlier one"],
)
def test_other_skips_are_not(journal: Journal, second: Claim) -> None:
    store = journal.schedules()
    store.claim(claim(5, cursors=(cursor(5),), skips=(skip(5),)))
    store.claim(second)
    assert len([*store.skips("host", 10), *store.skips("web", 10)]) == 2


def test_a_run_between_skips_separates_them(journal: Journal) -> None:
    store = journal.schedules()
    store.claim(claim(5, cursors=(cursor(5),), skips=(skip(5),)))
    store.claim(claim(6, cursors=(cursor(6),), rows=(row(6),)))
    store.claim(claim(7, cursors=(cursor(7),), skips=(skip(7),)))
    assert [each[0] for each in store.skips("host", 10)] == [skip(7), skip(5)]


def test_what_was_missed_between_two_that_maintenance_held_has_one_reason(journal: Journal) -> None:
    store = journal.schedules()
    store.claim(claim(1, cursors=(cursor(1),), rows=(row(1, "held"),)))
    told = (skip(2, 4, "missed"), skip(1, why="maintenance"), skip(5, why="maintenance"))
    store.claim(claim(5, cursors=(cursor(5),), dropped=(due(1).run_id,), skips=told))
    assert [each[0] for each in store.skips("host", 10)] == list(reversed(told))
    store.claim(claim(6, cursors=(cursor(6),), skips=(skip(6, why="maintenance"),)))
    assert store.skips("host", 1)[0][0] == skip(5, 6, "maintenance")


def test_what_another_process_asks_for_is_answered_once(journal: Journal, path: Path) -> None:
    store = journal.schedules()
    asked = [
        Asked(run_id=run_id("web-01", name, NOON), assessment=name, at=NOON, by="uid 0") for name in ("host", "web")
    ]
    with Journal.open(path) as other:
        other.ask(asked)
        other.ask(asked)
    assert store.requests() == tuple(asked)
    taken = Due(run_id=asked[0].run_id, assessment="host", due_at=NOON, start_at=NOON, why="request", claimed_at=NOON)
    store.claim(claim(1, rows=(Row(due=taken, state="running"),), answered=(asked[0].run_id,)))
    assert store.requests() == (asked[1],)
    assert store.kept().rows == (Row(due=taken, state="running"),)


@pytest.mark.parametrize("state", [None, "queued", "held", "running"])
def test_who_asks_while_another_request_waits_is_told_the_id_of_that(state: State | None, journal: Journal) -> None:
    first, second = (
        Asked(run_id=run_id("web-01", "host", NOON + after), assessment="host", at=NOON + after, by="uid 0")
        for after in (timedelta(0), timedelta(seconds=1))
    )
    other = replace(second, run_id=run_id("web-01", "web", NOON), assessment="web")
    store = journal.schedules()
    assert journal.ask([first]) == (first,)
    if state is not None:
        taken = Due(run_id=first.run_id, assessment="host", due_at=NOON, start_at=NOON, why="request", claimed_at=NOON)
        store.claim(claim(1, rows=(Row(due=taken, state=state),), answered=(first.run_id,)))
    told = [each.run_id for each in journal.ask([second, other])]
    # what has begun already may not see what the second one wants to be looked at
    assert told == [second.run_id if state == "running" else first.run_id, other.run_id]


def test_without_a_claim_nothing_is_written_and_an_error_leaves_nothing(journal: Journal) -> None:
    store = journal.schedules()
    store.claim(claim(0, cursors=(cursor(0),)))
    bad = claim(1, cursors=(cursor(1),), rows=(Row(due=due(1), state="unheard of"),))  # type: ignore[arg-type]
    with pytest.raises(sqlite3.IntegrityError):
        store.claim(bad)
    assert store.kept() == Kept(cursors=(cursor(0),))
    journal.close()
    with pytest.raises(StoreError, match="takes nothing more"):
        store.claim(claim(1, cursors=(cursor(1),)))


def fates(path: Path) -> tuple[int, dict[int, list[str]]]:
    """Up to which minute all was decided, and what became of each minute; read without a line of ours."""
    connection = sqlite3.connect(path)
    try:
        found: dict[int, list[str]] = {}
        for name, statement in (
            ("run", "SELECT due_us, due_us FROM runs"),
            ("due", "SELECT due_us, due_us FROM due"),
            ("skip", "SELECT first_us, last_us FROM skips"),
        ):
            for first, last in connection.execute(statement):
                for us in range(first, last + 1, MINUTE // timedelta(microseconds=1)):
                    found.setdefault((us - microseconds(NOON)) // 60_000_000, []).append(name)
        (until,) = connection.execute("SELECT max(cursor_us) FROM schedules").fetchone()
        return -1 if until is None else (until - microseconds(NOON)) // 60_000_000, found
    finally:
        connection.close()


def test_killed_before_any_statement_each_due_time_has_one_fate(tmp_path: Path) -> None:
    numbers = itertools.count()
    path = tmp_path

    def prepare() -> None:
        nonlocal path
        path = tmp_path / str(next(numbers)) / "journal.db"
        Journal.open(path).close()

    def work() -> None:
        with Journal.open(path) as journal:
            store, writer = journal.schedules(), journal.writer()
            for minute in range(0, 12, 4):
                store.claim(claim(minute, cursors=(cursor(minute),), rows=(row(minute),)))
                store.claim(claim(minute + 1, cursors=(cursor(minute + 1),), skips=(skip(minute + 1),)))
                store.claim(claim(minute + 2, cursors=(cursor(minute + 2),), skips=(skip(minute + 2),)))
                store.claim(claim(minute + 3, cursors=(cursor(minute + 3),), rows=(row(minute + 3, "queued"),)))
                run = make_assessment(run_id=due(minute).run_id, due_at=at(minute))
                writer.record(run, [make_result(run_id=run.run_id)], {}).result(30)
                store.claim(claim(minute + 3, rows=(row(minute + 3),)))
                record(journal, minute + 3)

    seen = set()
    for _ in steps(work, prepare, every=3):
        until, found = fates(path)
        assert set(found) == set(range(until + 1))
        assert {len(each) for each in found.values()} <= {1}
        seen.add(until)
    assert len(seen) > 5
    until, found = fates(path)
    assert until == 11
