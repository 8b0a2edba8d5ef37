"""A service's journal: what a kill left is read as a whole, what is old goes each day, and damage ends it."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from assess_core.journal import Journal, JournalDamagedError, Signer
from assess_core.journal.identity import Identity
from assess_core.results import run_id
from assess_core.up.upkeep import CHECKED_EACH, EACH_S, FIRST_S, Upkeep
from tests.support.results import NOON, make_assessment, make_result


class Enough(Exception):
    """So many times were slept through."""


class Clock:
    """Time that passes while somebody sleeps, and only then."""

    def __init__(self, sleeps: int) -> None:
        self.now = NOON
        self._left = sleeps
        self.passed_s = 0.0
        self.steps: dict[int, timedelta] = {}
        """By how much the clock is set, and during which sleep."""
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        if not self._left:
            raise Enough
        self._left -= 1
        self.slept.append(seconds)
        self.passed_s += seconds
        self.now += timedelta(seconds=seconds) + self.steps.get(len(self.slept), timedelta())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path, tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(path, signer=Signer(Identity(tmp_path / "identity"), lambda: "web-01")) as opened:
        yield opened


def upkeep(journal: Journal, clock: Clock, keep_days: Callable[[], int] = lambda: 10) -> Upkeep:
    return Upkeep(
        journal,
        keep_days=keep_days,
        clock=lambda: clock.now,
        sleep=clock.sleep,
        passed_s=lambda: clock.passed_s,
    )


def actions(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [action for record in caplog.records if (action := getattr(record, "action", "")) != "chain-head"]


def ran(journal: Journal, clock: Clock, why: str = "", keep_days: int = 10) -> None:
    with pytest.raises(Enough):
        asyncio.run(upkeep(journal, clock, lambda: keep_days).run(why))


def test_what_is_old_goes_each_day(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for day in reversed(range(12)):
        at = NOON - timedelta(days=day)
        run = make_assessment(run_id=run_id("web-01", "host", at), due_at=at, started_at=at, ended_at=at)
        journal.record(run, [make_result(run_id=run.run_id)], {})
    clock = Clock(sleeps=4)
    ran(journal, clock)
    assert clock.slept == [FIRST_S, EACH_S, EACH_S, EACH_S]
    assert len(journal.runs()) == 12 - 2 - 3
    assert actions(caplog) == ["retention"] * 4


def _daily(journal: Journal, days: int) -> None:
    for day in reversed(range(days)):
        at = NOON - timedelta(days=day)
        run = make_assessment(run_id=run_id("web-01", "host", at), due_at=at, started_at=at, ended_at=at)
        journal.record(run, [make_result(run_id=run.run_id)], {})


@pytest.mark.parametrize("restarts", [False, True])
def test_a_clock_that_is_set_far_forward_removes_nothing(
    journal: Journal, caplog: pytest.LogCaptureFixture, *, restarts: bool
) -> None:
    _daily(journal, 9)
    ran(journal, Clock(sleeps=1))
    clock = Clock(sleeps=1)
    clock.now += timedelta(days=1100)
    for _ in range(3 if restarts else 1):
        clock._left = 1
        ran(journal, clock)
        at = clock.now  # what is found meanwhile does not make it right
        journal.record(make_assessment(run_id=f"{at}", due_at=at, started_at=at, ended_at=at), [], {})
    assert len(journal.runs()) == 9 + (3 if restarts else 1)
    assert set(actions(caplog)) == {"clock-doubted"}


def test_a_clock_that_is_set_right_again_was_never_believed(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    _daily(journal, 9)
    clock = Clock(sleeps=4)
    clock.steps = {2: timedelta(days=1100), 3: timedelta(days=-1100)}
    ran(journal, clock)
    assert len(journal.runs()) == 9 - 2  # of these days, as ever
    assert actions(caplog) == ["clock-doubted"]


def test_a_clock_that_goes_on_like_that_for_a_day_is_believed(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    _daily(journal, 9)
    clock = Clock(sleeps=1)
    clock.steps = {1: timedelta(days=60)}  # it was switched off for so long
    ran(journal, clock)
    assert len(journal.runs()) == 9
    ran(journal, clock := _later(clock, sleeps=2))
    assert len(journal.runs()) == 1
    caplog.clear()
    ran(journal, _later(clock, sleeps=1))
    assert actions(caplog) == []


def _later(clock: Clock, sleeps: int) -> Clock:
    """Of another process."""
    later = Clock(sleeps)
    later.now = clock.now
    return later


def test_once_a_week_it_is_read_as_a_whole(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    ran(journal, Clock(sleeps=2 * CHECKED_EACH))
    assert actions(caplog).count("journal-sound") == 1


def test_after_a_kill_it_is_read_as_a_whole_and_after_a_stop_it_is_not(
    journal: Journal, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    keeping = upkeep(journal, Clock(0))
    ran(journal, Clock(0), keeping.begin())  # never read before
    assert actions(caplog) == ["journal-checking", "journal-sound"]
    keeping.end()
    assert keeping.begin() == ""
    caplog.clear()
    ran(journal, Clock(0), keeping.begin())  # without an end
    assert actions(caplog) == ["journal-checking", "journal-sound"]


def test_damage_ends_it(journal: Journal, path: Path) -> None:
    for n in range(50):
        run = make_assessment(run_id=f"run-{n}")
        journal.record(run, [make_result(run_id=run.run_id, reason="x" * 3000)], {})
    journal._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2 // 4096 * 4096)
        file.write(b"\xff" * 8 * 4096)
    with pytest.raises(JournalDamagedError, match="Can be read: "):
        asyncio.run(upkeep(journal, Clock(0)).run("it was killed"))


def test_what_cannot_be_done_today_is_tried_tomorrow(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    with Journal.open(journal._database.path) as other:
        other._connection.execute("BEGIN IMMEDIATE")
        journal._connection.execute("PRAGMA busy_timeout = 1")
        ran(journal, Clock(sleeps=3))
        assert actions(caplog) == ["retention-failed"] * 3
        upkeep(journal, Clock(0)).end()
        assert actions(caplog)[-1] == "journal-not-closed"
        other._connection.execute("ROLLBACK")
    caplog.clear()
    ran(journal, Clock(sleeps=1))
    assert actions(caplog) == []
