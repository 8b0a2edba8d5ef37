"""When things are due: what is written, what it means, and the last of what was missed."""

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assess_core.schedule import (
    Cron,
    Every,
    Window,
    forget_zones,
    latest,
    offset,
    open_at,
    over_at,
    parse_duration,
    parse_schedule,
    parse_zone,
    upcoming,
    usual_jitter,
)
from assess_core.schedule.ahead import Ahead
from tests.support.examples import examples

NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)
SECONDS = st.integers(0, 10**7).map(lambda seconds: NEW_YEAR + timedelta(seconds=seconds))


def test_every_counts_from_1970_and_needs_no_beginning() -> None:
    due = parse_schedule("every 15m").times.after(NEW_YEAR + timedelta(minutes=14, seconds=59, microseconds=1))
    assert due == NEW_YEAR + timedelta(minutes=15)
    assert parse_schedule("every 15m").times.after(NEW_YEAR) == NEW_YEAR + timedelta(minutes=15)
    assert Every(timedelta(days=7)).after(NEW_YEAR) == datetime(2027, 1, 7, tzinfo=UTC)  # 1970 began on a Thursday
    assert Every(timedelta(hours=1)).after(datetime.max.replace(tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("zone", "text", "since", "due"),
    [
        # cronsim by itself loses these two
        ("Australia/Lord_Howe", "0 0 0 * * *", "2026-10-03T12:00:00+00:00", "2026-10-03T13:30:00+00:00"),
        ("Australia/Lord_Howe", "*/30 0 * * *", "2026-10-03T13:30:00+00:00", "2026-10-03T14:00:00+00:00"),
        # and of this names 00:00, which was before
        ("Antarctica/Troll", "0 * * * *", "2026-10-25T02:30:00+00:00", "2026-10-25T03:00:00+00:00"),
        ("Europe/Berlin", "0 0 29 2 *", "2026-10-25T02:30:00+00:00", "2028-02-28T23:00:00+00:00"),
    ],
)
def test_what_was_wrong_where_clocks_change(zone: str, text: str, since: str, due: str) -> None:
    assert Cron(text, zone).after(datetime.fromisoformat(since)) == datetime.fromisoformat(due)


def test_zones_may_be_read_again() -> None:
    cron = Cron("0 12 * * *", "Europe/Berlin")
    before = cron.after(NEW_YEAR)
    forget_zones()
    assert cron.after(NEW_YEAR) == before == datetime(2027, 1, 1, 11, tzinfo=UTC)


@settings(max_examples=examples(60), deadline=None)
@given(
    text=st.sampled_from(("every 7s", "every 1h", "*/5 * * * *", "30 2 * * *", "0 0 1 * *")),
    since=SECONDS,
    span=st.integers(0, 4000),
    micro=st.integers(0, 999_999),
)
def test_the_latest_is_the_last_of_all(text: str, since: datetime, span: int, micro: int) -> None:
    times, until = parse_schedule(text).times, since + timedelta(seconds=span, microseconds=micro)
    dues = []
    for due in upcoming(times, since):
        if due > until:
            break
        dues.append(due)
    assert latest(times, since, until) == (dues[-1] if dues else None)


@settings(max_examples=examples(60), deadline=None)
@given(text=st.sampled_from(("every 7s", "every 1h", "*/5 * * * *")), moments=st.lists(SECONDS, max_size=8))
def test_what_is_remembered_of_the_future_is_what_would_be_answered(text: str, moments: list[datetime]) -> None:
    times = parse_schedule(text).times
    ahead = Ahead(times)
    for moment in moments:
        ahead.look(moment)
        for asked in (moment, moment - timedelta(seconds=1), *islice(upcoming(times, moment), 3)):
            assert ahead.after(asked) == times.after(asked)


@settings(max_examples=examples(200), deadline=None)
@given(st.text(st.sampled_from("0123456789*/,-#LWSUNMOJAevry hdms@?\n\t é²"), max_size=30))
def test_any_text_is_a_schedule_or_refused_in_a_sentence(text: str) -> None:
    spec, said = None, ""
    try:
        spec = parse_schedule(text)
    except ValueError as error:
        said = str(error)
    assert bool(said) == (spec is None)
    assert spec is None or spec.times.after(NEW_YEAR) is not None


@pytest.mark.parametrize(
    "text", ["0 0 30 2 *", "0 0 * 2 MON#5", "60 * * * *", "* * * *", "@daily", "every", "every 1.5h"]
)
def test_what_is_never_due_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"never due|not a cron|expected"):
        parse_schedule(text)


def test_durations_and_zones() -> None:
    assert [parse_duration(text).total_seconds() for text in ("0s", "90s", "15m", "4h", "366d")] == [
        *(0, 90, 900, 14_400),
        366 * 86_400,
    ]
    for wrong in ("367d", "5", "m", "-5m", "5 m", "1.5h", "٣s", "9999999999s"):
        with pytest.raises(ValueError, match="expected a number"):
            parse_duration(wrong)
    assert parse_zone("Europe/Berlin") == "Europe/Berlin"
    for wrong in ("Europe", "/etc/passwd", "../x", "right/UTC", "localtime", "Europe/Berlin\n", "", "x" * 10_000):
        with pytest.raises(ValueError, match="not a time zone"):
            parse_zone(wrong)


@given(name=st.text(max_size=20), bound=st.integers(1, 10**9))
def test_jitter_is_less_than_its_bound_and_always_the_same(name: str, bound: int) -> None:
    limit = timedelta(microseconds=bound)
    assert timedelta(0) <= offset("web-01", name, limit) < limit
    assert offset("web-01", name, limit) == offset("web-01", name, limit)


def test_runtimes_begin_apart() -> None:
    found = {offset(f"web-{number}", "host", timedelta(minutes=5)) for number in range(100)}
    assert len(found) == 100
    assert offset("web-01", "host", timedelta(0)) == timedelta(0)
    assert usual_jitter(parse_schedule("every 10s")) == timedelta(seconds=1)
    assert usual_jitter(parse_schedule("every 1d")) == timedelta(minutes=5)
    assert usual_jitter(parse_schedule("0 0 * * *")) == timedelta(0)


def test_windows_open_and_close_and_the_strictest_counts() -> None:
    weekly = Window(id="w", word="after", opens=Cron("0 22 * * SAT"), duration=timedelta(hours=4))
    saturday = datetime(2027, 1, 2, 22, tzinfo=UTC)
    assert weekly.end_at(saturday - timedelta(microseconds=1)) is None
    assert weekly.end_at(saturday) == saturday + timedelta(hours=4)
    assert weekly.end_at(saturday + timedelta(hours=4)) is None
    once = Window(id="o", word="skip", begins=saturday, ends=saturday + timedelta(hours=1))
    found = open_at((weekly, once), saturday)
    assert found is not None
    assert found.window.id == "o"
    assert over_at((weekly, once), saturday) == saturday + timedelta(hours=4)
    assert over_at((), saturday) == saturday


def test_windows_that_never_leave_a_gap_are_looked_at_again() -> None:
    always = Window(id="w", word="after", opens=Cron("0 * * * *"), duration=timedelta(hours=2))
    assert over_at((always,), NEW_YEAR) > NEW_YEAR + timedelta(days=1)
