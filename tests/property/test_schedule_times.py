"""Cron where clocks change: what is due is what a reference finds that looks at every minute."""

from datetime import datetime, timedelta
from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from assess_core.schedule import Cron, latest
from tests.support.naive_cron import changes, due_times

ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # by half an hour
    "Africa/Casablanca",  # for a month, in which it goes the other way
    "America/Santiago",  # at midnight
    "Asia/Beirut",  # at midnight, the other way
    "America/Havana",
    "Africa/Cairo",
    "Antarctica/Troll",  # by two hours
)
FIXED = (
    *(
        "30 2 * * *",
        "0 2,3 * * *",
        "0 0 * * *",
        "30 0 * * *",
        "0 1-4 * * *",
        "15,45 1 * * *",
        "59 23 * * *",
        "0 0 1 * *",
    ),
    *("10 1 * * SUN", "0 3 L * *", "0 12 31 * MON", "45 1 * * *", "0 3 LW * *", "0 4 * * 0L", "15 2 * * SUN#1"),
    *("0 0 1-15 * SUN", "7-59/13 0-23/2 * * *"),
)
WILD = (
    *("*/15 * * * *", "15 * * * *", "*/30 0 * * *", "*/20 2 * * *", "0 */2 * * *", "5 * * * SUN", "* 0 * * *"),
    *("*/7 1-2 * * *", "0 0 0 * * *", "30 30 2 * * *", "0 */15 * * * *", "0 0 2,3 * * *", "0 30 1 * * *"),
    *("0 0 */2 * * *", "15,45 0,30 0 * * *", "0 15 2 * * SUN"),
)
AROUND = timedelta(days=2)


@cache
def windows(zone: str) -> list[datetime]:
    return changes(zone, 2026)


@cache
def reference(text: str, zone: str, change: datetime) -> list[datetime]:
    return due_times(text, zone, change - AROUND, change + AROUND)


@pytest.mark.parametrize("zone", ZONES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_due_times_around_a_change_are_those_of_the_reference(zone: str, data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(FIXED + WILD))
    change = data.draw(st.sampled_from(windows(zone)))
    expected = reference(text, zone, change)
    cron, found, moment = Cron(text, zone), [], change - AROUND
    while (due := cron.after(moment)) is not None and due <= change + AROUND:
        found.append(due)
        moment = due
    assert found == expected
    for _ in range(10):
        since = change - AROUND + timedelta(seconds=data.draw(st.integers(0, 4 * 86_400)))
        later = [due for due in expected if due > since]
        assert not later or cron.after(since) == later[0]
        until = since + timedelta(seconds=data.draw(st.integers(0, 2 * 86_400)))
        if until <= change + AROUND:
            assert latest(cron, since, until) == max((due for due in later if due <= until), default=None)


@settings(max_examples=40, deadline=None)
@given(zone=st.sampled_from(ZONES), text=st.sampled_from(FIXED + WILD), micro=st.integers(0, 999_999), data=st.data())
@example(zone="Antarctica/Troll", text="*/15 * * * *", micro=0, data=None)
def test_what_is_next_is_later_even_within_an_hour_that_comes_twice(
    zone: str, text: str, micro: int, data: st.DataObject | None
) -> None:
    for change in windows(zone):
        seconds = data.draw(st.integers(-10_800, 10_800)) if data is not None else 1800
        moment = change + timedelta(seconds=seconds, microseconds=micro)
        due = Cron(text, zone).after(moment)
        assert due is not None
        assert due > moment
        assert due.microsecond == 0
