"""Every due time has exactly one fate, whatever happens: time, kills, stops, full disks, clocks that are set, edits.

The real scheduler, with time that a test makes pass; a disk that outlives it. After each step the fates are counted by
what is on the disk alone: runs that are recorded, ranges that were skipped, rows that are due still.
"""

import bisect
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from assess_core.errors import AssessError, StoreError
from assess_core.results import run_id
from assess_core.schedule import Asked, Cron, Due, Rule, Spec, Times, Window, open_at
from assess_core.schedule.decide import MAX_PARALLEL, SET_BACK
from assess_core.schedule.windows import Word
from tests.support.examples import examples
from tests.support.naive_cron import changes, due_times
from tests.support.played_scheduler import BEGIN, Disk, MortalStore, Played
from tests.support.schedule_journal import MortalJournal

WORDS: tuple[Word, ...] = ("after", "skip")


@dataclass(frozen=True)
class Grid:
    """Due at these times, as odd as anybody likes."""

    dues: tuple[datetime, ...]

    def after(self, moment: datetime) -> datetime | None:
        index = bisect.bisect_right(self.dues, moment)
        return self.dues[index] if index < len(self.dues) else None


class Law(RuleBasedStateMachine):
    """One assessment on one machine; `draw_times` and `steps` are what its subclasses have of their own."""

    steps = st.integers(0, 900)

    def draw_times(self, data: st.DataObject, since: datetime) -> tuple[Times, tuple[datetime, ...]]:
        """When it is due, and all due times of that."""
        gaps = data.draw(st.lists(st.integers(1, 400), min_size=3, max_size=25))
        at, dues = since.replace(microsecond=0), []
        for gap in gaps:
            at += timedelta(seconds=gap)
            dues.append(at)
        return Grid(tuple(dues)), tuple(dues)

    def begin_at(self, data: st.DataObject) -> datetime:
        return BEGIN

    def new_disk(self) -> Disk:
        return MortalStore()

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        self.played = Played(self.new_disk())
        self.played.now = self.begin_at(data)
        self.played.on_begin = self.it_begins
        self.asked: dict[str, datetime] = {}
        self.edits = 0
        self.open_to = self.played.now
        """Up to here nothing is asked but that nothing runs twice: another schedule, or a clock that was set back."""
        self.owed: set[datetime] = set()
        """Due by schedules that count no more, on a clock that was not set back since."""
        self.draw_rule(data)
        self.played.up([self.rule])

    def draw_rule(self, data: st.DataObject) -> None:
        self.edits += 1
        self.times, self.dues = self.draw_times(data, self.played.now)
        self.rule = Rule(
            runtime="r",
            assessment="host",
            spec=self.spec(),
            offset=timedelta(seconds=data.draw(st.sampled_from((0, 0, 17, 50)))),
            overlap=data.draw(st.sampled_from(("skip", "queue", "parallel"))),
            misfire=data.draw(st.sampled_from(("run_once", "skip"))),
            grace=timedelta(seconds=data.draw(st.sampled_from((1, 60, 300)))),
            windows=self.draw_windows(data),
        )

    def spec(self) -> Spec:
        return Spec(f"edit {self.edits}", "", self.times)

    def draw_windows(self, data: st.DataObject) -> tuple[Window, ...]:
        found = []
        for number in range(data.draw(st.sampled_from((0, 0, 1, 2)))):
            begins = self.played.now + timedelta(seconds=data.draw(st.integers(-100, 3000)))
            ends = begins + timedelta(seconds=data.draw(st.integers(1, 2000)))
            word: Word = data.draw(st.sampled_from(WORDS))
            found.append(Window(id=f"w{number}", word=word, begins=begins, ends=ends))
        return tuple(found)

    def it_begins(self, due: Due) -> None:
        assert due.run_id not in self.played.store.runs, "begins although it is recorded"
        if due.problem:
            return
        assert open_at(self.rule.windows, self.played.now) is None, "begins while maintenance goes on"
        running = len(self.played.running)
        if due.attempt == 1 and due.why == "schedule":
            assert running < {"parallel": MAX_PARALLEL}.get(self.rule.overlap, 1), "begins beside another"

    # --- what happens

    @rule(data=st.data())
    def time_passes(self, data: st.DataObject) -> None:
        self.played.pass_time(data.draw(self.steps))

    @precondition(lambda self: self.played.running)
    @rule(data=st.data(), fails=st.sampled_from((None, None, None, AssessError("no such"), StoreError("no room"))))
    def a_run_ends(self, data: st.DataObject, *, fails: AssessError | None) -> None:
        due = data.draw(st.sampled_from(sorted(self.played.running)))
        if fails is not None:
            self.played.fail(due, fails)
        else:
            self.played.end(due)

    @precondition(lambda self: self.played.is_up)
    @rule()
    def it_is_killed(self) -> None:
        self.played.kill()

    @precondition(lambda self: self.played.is_up)
    @rule()
    def it_is_killed_as_soon_as_it_has_written(self) -> None:
        self.played.store.deadly = True

    @precondition(lambda self: self.played.is_up)
    @rule()
    def it_is_stopped(self) -> None:
        self.played.store.deadly = False
        self.played.stop()

    @precondition(lambda self: not self.played.is_up)
    @rule()
    def it_starts(self) -> None:
        self.played.up([self.rule])

    @rule(full=st.booleans())
    def the_disk_fills(self, *, full: bool) -> None:
        self.played.store.full = full
        if not full:
            self.played.pass_time(31)  # it has been tried again by then

    @rule(seconds=st.integers(-3 * 3600, 3600))
    def the_clock_is_set(self, seconds: int) -> None:
        self.reopen(self.played.now + timedelta(seconds=seconds))
        self.played.set_clock(seconds)

    @rule(hours=st.integers(4, 30))
    def the_clock_is_set_back_by_much(self, hours: int) -> None:
        self.reopen(self.played.now - timedelta(hours=hours))
        self.played.set_clock(-hours * 3600)

    @rule()
    def somebody_asks(self) -> None:
        at = self.played.now.replace(microsecond=0) + timedelta(microseconds=500_000 + len(self.asked))
        asked = Asked(run_id=run_id("r", "host", at), assessment="host", at=at)
        if asked.run_id not in self.asked:
            told = self.played.store.request(asked)
            self.asked[told.run_id] = told.at

    @precondition(lambda self: self.played.is_up and not self.played.store.full)
    @rule(data=st.data())
    def it_is_edited(self, data: st.DataObject) -> None:
        self.played.store.deadly = False
        self.edited(data)
        self.played.replace([self.rule])

    @precondition(lambda self: self.played.is_up)
    @rule(data=st.data())
    def it_is_edited_while_the_disk_is_full(self, data: st.DataObject) -> None:
        self.played.store.deadly, self.played.store.full = False, True
        self.played.pass_time(data.draw(self.steps))
        self.edited(data)
        self.played.replace([self.rule])
        self.the_disk_fills(full=False)

    def edited(self, data: st.DataObject) -> None:
        """What was due until now is owed, and what is due from now on is of another schedule."""
        self.owed |= {due for due in self.dues if self.open_to < due <= self.played.now}
        self.open_to = max(self.open_to, self.cursor, self.played.now)
        self.draw_rule(data)

    def reopen(self, now: datetime) -> None:
        """The clock says this: if that is long before what was decided, it is decided again."""
        if now < self.played.now:
            self.owed.clear()
        if self.cursor > now + SET_BACK:
            self.open_to = max(self.open_to, self.cursor)

    # --- what holds

    @property
    def cursor(self) -> datetime:
        cursor = self.played.store.cursors.get("host")
        return cursor.at if cursor is not None else self.open_to

    @invariant()
    def each_due_time_up_to_the_cursor_has_one_fate(self) -> None:
        if not hasattr(self, "played"):
            return
        self.reopen(self.played.now)  # it has not looked yet: it is down, or the disk is full
        store = self.played.store
        skips = [skip for skip, _ in store.told]
        for due in self.dues:
            if due <= self.open_to:
                continue
            name = run_id("r", "host", due)
            covered = [skip.why for skip in skips if skip.first_at <= due <= skip.last_at]
            fates = (["run"] if name in store.runs else []) + (["due"] if name in store.rows else []) + covered
            assert len(fates) == (due <= self.cursor), (due, fates, self.cursor)

    @invariant()
    def what_was_due_before_an_edit_has_a_fate(self) -> None:
        if not hasattr(self, "played"):
            return
        store = self.played.store
        for due in self.owed:
            name = run_id("r", "host", due)
            told = any(skip.first_at <= due <= skip.last_at for skip, _ in store.told)
            assert name in store.runs or name in store.rows or told, due

    @invariant()
    def each_request_has_one_fate(self) -> None:
        store = self.played.store
        for name, at in self.asked.items():
            skips = [skip for skip, _ in store.told if skip.first_at == skip.last_at == at]
            assert (name in store.asked) + (name in store.runs) + (name in store.rows) == 1, "somebody looks for its id"
            assert skips == [], "its fate is a run"

    @invariant()
    def nothing_late_is_forgotten(self) -> None:
        if self.played.is_up and not self.played.store.full and self.cursor <= self.played.now + SET_BACK:
            late = [due for due in self.dues if self.open_to < due <= self.played.now - self.rule.offset]
            assert all(due <= self.cursor for due in late)

    @invariant()
    def what_runs_is_kept(self) -> None:
        assert set(self.played.running) <= set(self.played.store.rows)

    @invariant()
    def what_could_begin_has_begun(self) -> None:
        if not self.played.is_up or self.played.store.full or self.played.running:
            return
        if self.played.scheduler is not None and self.played.scheduler._unrecorded:
            return  # it counts as running until it begins again
        waits = [row for row in self.played.store.rows.values() if row.state != "held"]
        assert waits == [], "nothing runs, and something waits for that"
        if open_at(self.rule.windows, self.played.now) is None:
            held = [row.due for row in self.played.store.rows.values()]
            # one that is to begin later than now was held before the clock was set back, and that is waited for
            assert not [due for due in held if due.start_at <= self.played.now], "maintenance is over, one is held"

    def teardown(self) -> None:
        if hasattr(self, "played"):
            self.played.close()


class LawOfRequests(Law):
    """Somebody asks again and again, of an assessment that comes and goes, and windows leave out what is due."""

    steps = st.sampled_from((1, 5, 20, 59, 61, 400))

    def draw_windows(self, data: st.DataObject) -> tuple[Window, ...]:
        begins = self.played.now + timedelta(seconds=data.draw(st.integers(-100, 200)))
        ends = begins + timedelta(seconds=data.draw(st.integers(1, 400)))
        return (Window(id="w", word=data.draw(st.sampled_from(WORDS)), begins=begins, ends=ends),)

    @rule()
    def somebody_asks_again(self) -> None:
        self.somebody_asks()

    @precondition(lambda self: self.played.is_up)
    @rule()
    def it_is_removed(self) -> None:
        self.played.store.deadly = False
        self.owed.clear()  # told of as removed; a later process does not know any more of what was before
        self.dues = ()
        self.played.replace([])

    @precondition(lambda self: self.played.is_up and not self.played.store.full)
    @rule(data=st.data())
    def it_is_there_again(self, data: st.DataObject) -> None:
        self.it_is_edited(data)


ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca")
TEXTS = ("30 2 * * *", "0 2,3 * * *", "0 0 * * *", "15 * * * *", "0 */2 * * *", "*/30 0-4 * * *", "0 30 1,2 * * *")
DAYS = timedelta(days=5)


@cache
def around(zone: str, change: datetime, text: str) -> tuple[datetime, ...]:
    return tuple(due_times(text, zone, change - DAYS, change + 2 * DAYS))


@cache
def of_a_year(zone: str) -> list[datetime]:
    return changes(zone, 2027)


class LawWhereClocksChange(Law):
    """Ten days around a change of the clock, in steps of minutes to a day; what is due is the reference's to say."""

    steps = st.sampled_from((1, 60, 600, 1800, 3600, 7200, 20_000, 86_400))

    def begin_at(self, data: st.DataObject) -> datetime:
        self.zone = data.draw(st.sampled_from(ZONES))
        self.change = data.draw(st.sampled_from(of_a_year(self.zone)))
        return self.change - timedelta(hours=data.draw(st.integers(1, 100)))

    def draw_times(self, data: st.DataObject, since: datetime) -> tuple[Times, tuple[datetime, ...]]:
        text = data.draw(st.sampled_from(TEXTS))
        end = self.change + 2 * DAYS
        self.text = text
        dues = around(self.zone, self.change, text)
        return _Until(Cron(text, self.zone), end), tuple(due for due in dues if since < due <= end)

    def spec(self) -> Spec:
        return Spec(self.text, self.zone, self.times)  # as it is kept, so that a later process can read it

    @precondition(lambda self: not self.played.store.full)
    @rule(data=st.data(), kill=st.booleans())
    def it_is_edited_while_it_is_down(self, data: st.DataObject, *, kill: bool) -> None:
        self.played.store.deadly = False
        if self.played.is_up:
            (self.played.kill if kill else self.played.stop)()
        self.played.pass_time(data.draw(self.steps))
        self.edited(data)
        self.played.up([self.rule])


@dataclass(frozen=True)
class _Until:
    """Due until then only, as the reference does not look any further."""

    times: Times
    end: datetime

    def after(self, moment: datetime) -> datetime | None:
        due = self.times.after(moment)
        return due if due is not None and due <= self.end else None


class LawInTheJournal(Law):
    """The same on a real disk: what is told of fates is what the journal's tables say."""

    def new_disk(self) -> MortalJournal:
        self.directory = tempfile.TemporaryDirectory()
        self.journal = MortalJournal(Path(self.directory.name) / "journal.db")
        return self.journal

    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "journal"):
            self.journal.close()
            self.directory.cleanup()


@pytest.mark.parametrize(
    ("law", "most"), [(Law, 200), (LawOfRequests, 60), (LawWhereClocksChange, 60), (LawInTheJournal, 30)]
)
def test_each_due_time_has_one_fate(law: type[Law], most: int) -> None:
    run_state_machine_as_test(
        law,
        settings=settings(
            max_examples=examples(most), stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
