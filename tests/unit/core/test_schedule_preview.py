"""What comes next is said with why."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from assess_core.schedule import Cursor, Kept, Rule, Window, parse_schedule
from assess_core.schedule.preview import Upcoming, coming, preview

BERLIN = ZoneInfo("Europe/Berlin")


def rule(text: str, **rest: object) -> Rule:
    spec = parse_schedule(text, "Europe/Berlin")
    return Rule(runtime="r", assessment="host", spec=spec, **rest)  # type: ignore[arg-type]


def first(text: str, since: datetime, **rest: object) -> Upcoming:
    return preview(rule(text, **rest), since=since, count=1, shown_in=BERLIN)[0]


def test_a_time_that_clocks_skip_is_explained() -> None:
    found = first("30 2 * * *", datetime(2027, 3, 27, 12, tzinfo=UTC))
    assert found.due_at == datetime(2027, 3, 28, 1, tzinfo=UTC)
    assert found.notes == ("02:30 does not exist on 2027-03-28 in Europe/Berlin: 03:00",)
    assert first("0 3 * * *", datetime(2027, 3, 27, 12, tzinfo=UTC)).notes == ()
    assert first("*/30 * * * *", datetime(2027, 3, 28, 0, 59, tzinfo=UTC)).notes == ()


def test_a_time_that_comes_twice_is_explained() -> None:
    before = datetime(2027, 10, 30, 12, tzinfo=UTC)
    assert first("30 2 * * *", before).notes == (
        "02:30 comes twice on 2027-10-31 in Europe/Berlin: the first time, and this is due once",
    )
    times = preview(rule("30 * * * *"), since=datetime(2027, 10, 31, 0, tzinfo=UTC), count=3)
    assert [len(each.notes) for each in times] == [1, 1, 0]
    assert "the second time" in times[1].notes[0]


def test_jitter_and_maintenance_are_explained() -> None:
    begins, ends = datetime(2027, 1, 1, 0, tzinfo=UTC), datetime(2027, 1, 1, 3, tzinfo=UTC)
    window = Window(id="patching", word="after", begins=begins, ends=ends)
    found = first("0 2 * * *", datetime(2026, 12, 31, 12, tzinfo=UTC), offset=timedelta(seconds=41), windows=(window,))
    assert (found.due_at, found.start_at) == (begins + timedelta(hours=1), ends)
    assert found.notes == (
        "41 s later than due: the jitter of this runtime",
        "held by maintenance 'patching' until 2027-01-01 04:00, then one run for all of it",
    )
    skips = Window(id="patching", word="skip", begins=begins, ends=ends)
    left_out = first("0 2 * * *", datetime(2026, 12, 31, 12, tzinfo=UTC), windows=(skips,))
    assert left_out.start_at is None
    assert left_out.notes == ("not run: maintenance 'patching' until 2027-01-01 04:00",)


def test_what_was_decided_does_not_come_again_and_what_waits_for_its_jitter_does() -> None:
    now, minute = datetime(2027, 1, 1, 12, 3, tzinfo=UTC), timedelta(minutes=1)
    late = rule("every 1h", offset=5 * minute)

    def next_due(kept_by: str, decided: datetime) -> datetime:
        kept = Kept(cursors=(Cursor(assessment="host", spec=kept_by, at=decided),))
        return coming(late, kept, now, count=1)[0].due_at

    noon = now - 3 * minute
    assert next_due("every 1h", noon - timedelta(hours=1)) == noon
    assert next_due("every 1h", noon) == noon + timedelta(hours=1)
    assert next_due("every 2h", noon - timedelta(hours=1)) == noon + timedelta(hours=1), "of another schedule"
    assert coming(late, Kept(), now, count=1)[0].due_at == noon + timedelta(hours=1)
