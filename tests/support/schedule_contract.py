"""What every `ScheduleStore` does. Subclasses say how one is made, and how a run is recorded beside it."""

from abc import abstractmethod
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from assess_core.schedule import Asked, Claim, Cursor, Due, Row, ScheduleStore, Skip

NOON = datetime(2027, 3, 28, 12, 0, 0, 123_456, tzinfo=UTC)


def due(number: int, assessment: str = "host", *, attempt: int = 1) -> Due:
    at = NOON.replace(microsecond=0) + timedelta(minutes=number)
    start = at + timedelta(microseconds=999_999)
    return Due(
        run_id=f"{assessment}-{number}",
        assessment=assessment,
        due_at=at,
        start_at=start,
        attempt=attempt,
        claimed_at=start + timedelta(microseconds=1),
    )


class ScheduleStoreContract:
    """Tests of one adapter; `store` and `record` are its own."""

    @abstractmethod
    def store(self) -> ScheduleStore:
        """The one store of this test; the same each time."""

    @abstractmethod
    def record(self, recorded: Due) -> None:
        """A run of this id is recorded, as the runtime does it."""

    @abstractmethod
    def ask(self, asked: Asked) -> None:
        """As `assess run --queued` does it."""

    def test_nothing_is_kept_at_first(self) -> None:
        kept = self.store().kept()
        assert (kept.cursors, kept.rows, self.store().requests()) == ((), (), ())
        assert self.store().skips("host", 10) == ()

    def test_what_is_claimed_is_kept_to_the_microsecond(self) -> None:
        cursor = Cursor(assessment="host", spec="every 15m", at=NOON)
        row = Row(due=replace(due(1, attempt=3), why="request"), state="held")
        skip = Skip(assessment="host", first_at=NOON, last_at=NOON + timedelta(days=1), why="missed")
        assert self.store().claim(Claim(at=NOON, cursors=(cursor,), rows=(row,), skips=(skip,))) == frozenset()
        assert self.store().kept().cursors == (cursor,)
        assert self.store().kept().rows == (row,)
        assert self.store().skips("host", 10) == ((skip, NOON),)
        assert self.store().skips("other", 10) == ()

    def test_cursors_and_rows_are_put_in_place_of_others(self) -> None:
        first = Cursor(assessment="host", spec="every 15m", at=NOON)
        second = Cursor(assessment="host", spec="every 5m", at=NOON + timedelta(hours=1))
        self.store().claim(Claim(at=NOON, cursors=(first,), rows=(Row(due=due(1), state="queued"),)))
        begun = Row(due=due(1, attempt=2), state="running")
        self.store().claim(Claim(at=NOON, cursors=(second,), rows=(begun,)))
        assert (self.store().kept().cursors, self.store().kept().rows) == ((second,), (begun,))
        self.store().claim(Claim(at=NOON, forgotten=("host", "other"), dropped=("host-1", "host-9")))
        assert (self.store().kept().cursors, self.store().kept().rows) == ((), ())

    def test_rows_come_in_the_order_of_their_due_times(self) -> None:
        rows = tuple(Row(due=due(number), state="running") for number in (3, 1, 2))
        self.store().claim(Claim(at=NOON, rows=rows))
        assert [row.due.run_id for row in self.store().kept().rows] == ["host-1", "host-2", "host-3"]

    def test_a_recorded_run_is_due_no_more_and_nothing_else_is_gone(self) -> None:
        self.store().claim(Claim(at=NOON, rows=tuple(Row(due=due(number), state="running") for number in (1, 2))))
        self.record(due(1))
        assert [row.due.run_id for row in self.store().kept().rows] == ["host-2"]

    def test_what_is_recorded_is_not_due_again_and_the_rest_of_the_claim_is(self) -> None:
        self.store().claim(Claim(at=NOON, rows=(Row(due=due(1), state="running"),)))
        self.record(due(1))
        again = Claim(at=NOON, rows=tuple(Row(due=due(number), state="running") for number in (1, 2)))
        assert self.store().claim(again) == {"host-1"}
        assert [row.due.run_id for row in self.store().kept().rows] == ["host-2"]

    def test_requests_wait_in_order_until_they_are_answered(self) -> None:
        first = Asked(run_id="b", assessment="host", at=NOON, by="ada")
        second = Asked(run_id="a", assessment="web", at=NOON + timedelta(microseconds=1))
        self.ask(first)
        self.ask(second)
        assert self.store().requests() == (first, second)
        self.store().claim(Claim(at=NOON, answered=("b",)))
        assert self.store().requests() == (second,)

    def test_the_newest_skips_come_first_and_no_more_than_asked_for(self) -> None:
        at = [NOON + timedelta(minutes=number) for number in range(5)]
        for moment in at:
            skip = Skip(assessment="host", first_at=moment, last_at=moment, why="overlap")
            self.store().claim(Claim(at=moment, skips=(skip,)))
        assert [when for _, when in self.store().skips("host", 2)] == [at[4], at[3]]

    def test_a_request_that_is_not_run_has_a_skip_of_its_own(self) -> None:
        at = NOON.replace(microsecond=0)
        cursor = Cursor(assessment="host", spec="every 1m", at=at)
        skip = Skip(assessment="host", first_at=at, last_at=at, why="maintenance")
        self.store().claim(Claim(at=NOON, cursors=(cursor,), skips=(skip,)))
        later = at + timedelta(seconds=90, microseconds=5)  # the due time between is not decided yet: it has jitter
        asked = Skip(assessment="host", first_at=later, last_at=later, why="maintenance")
        self.store().claim(Claim(at=later, skips=(asked,)))
        assert [skip for skip, _ in self.store().skips("host", 9)] == [asked, skip]

    def test_what_was_skipped_beyond_where_the_clock_was_set_back_to_is_decided_again(self) -> None:
        at = NOON.replace(microsecond=0)
        cursor = Cursor(assessment="host", spec="every 1m", at=at)
        hour, half = timedelta(hours=1), timedelta(minutes=30)
        asked_at = at + 2 * hour + timedelta(microseconds=7)
        skips = (
            Skip(assessment="host", first_at=at - hour, last_at=at, why="missed"),
            Skip(assessment="host", first_at=at + timedelta(minutes=1), last_at=at + hour, why="missed"),
            Skip(assessment="host", first_at=at + 2 * hour, last_at=at + 2 * hour, why="overlap"),
            Skip(assessment="host", first_at=asked_at, last_at=asked_at, why="overlap"),
        )
        other = Skip(assessment="other", first_at=at + hour, last_at=at + hour, why="missed")
        self.store().claim(Claim(at=NOON, cursors=(cursor,), skips=(*skips, other)))
        back = replace(cursor, at=at + half)
        again = Skip(assessment="host", first_at=at + hour, last_at=at + hour, why="removed")
        self.store().claim(Claim(at=NOON, cursors=(back,), skips=(again,), reopened=(back,)))
        cut = replace(skips[1], last_at=at + half)
        assert [skip for skip, _ in self.store().skips("host", 9)] == [again, skips[3], cut, skips[0]]
        assert [skip for skip, _ in self.store().skips("other", 9)] == [other]
