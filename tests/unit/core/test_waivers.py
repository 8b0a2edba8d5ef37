"""A waiver is for one pair, to the end of one day, and says nothing where nothing was found."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from assess_core.results import ResultOutcome
from assess_core.results.waivers import MAX_D, Waiver, Waivers, expiry_problem
from tests.support.results import make_result

LAST = date(2027, 3, 31)
END = datetime(2027, 4, 1, tzinfo=UTC)
WAIVER = Waiver(check="check-a", subject="host:web-01", owner="ops@example.org", reason="CHG-1182", expires=LAST)
BEFORE = END - timedelta(days=100)


@pytest.mark.parametrize(
    ("check", "subject", "waived"),
    [
        ("check-a", "host:web-01", True),
        ("check", "host:web-01", False),
        ("check-a2", "host:web-01", False),
        ("Check-a", "host:web-01", False),
        ("check-*", "host:web-01", False),
        ("check-a", "host:web-0", False),
        ("check-a", "host:web-011", False),
        ("check-a", "HOST:web-01", False),
        ("check-a", "web-01", False),
        ("host:web-01", "check-a", False),
    ],
)
def test_only_the_exact_pair_is_waived(check: str, subject: str, *, waived: bool) -> None:
    assert (Waivers([WAIVER]).of(check, subject, at=BEFORE) is not None) is waived


def test_no_pattern_is_one() -> None:
    for pattern in ("*", "check-*", "check-?", ".*"):
        waivers = Waivers([Waiver(check=pattern, subject="*", owner="o", reason="r", expires=LAST)])
        assert waivers.of("check-a", "host:web-01", at=BEFORE) is None


@pytest.mark.parametrize(
    ("at", "state"),
    [
        (BEFORE, "active"),
        (END - timedelta(days=14, microseconds=1), "active"),
        (END - timedelta(days=14), "expiring"),
        (END - timedelta(microseconds=1), "expiring"),
        (END, "expired"),
        (END + timedelta(days=1000), "expired"),
        (datetime(2027, 3, 31, 23, 59, tzinfo=timezone(timedelta(hours=-5))), "expired"),
        (datetime(2027, 4, 1, 4, 0, tzinfo=timezone(timedelta(hours=5))), "expiring"),
    ],
)
def test_it_holds_to_the_end_of_its_last_day_in_utc(at: datetime, state: str) -> None:
    assert WAIVER.state(at) == state
    assert WAIVER.holds(at) is (state != "expired")
    assert (Waivers([WAIVER]).of("check-a", "host:web-01", at=at) is None) is (state == "expired")


def test_the_notice_is_what_the_configuration_says() -> None:
    assert WAIVER.state(END - timedelta(days=30), notice_d=30) == "expiring"
    assert WAIVER.state(END - timedelta(days=30), notice_d=29) == "active"
    assert WAIVER.state(END - timedelta(microseconds=1), notice_d=0) == "active"


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ((), "active"),
        ((ResultOutcome.FAIL,), "active"),
        ((ResultOutcome.PASS,), "unused"),
        ((ResultOutcome.NOT_APPLICABLE,), "unused"),
        ((ResultOutcome.PASS, ResultOutcome.FAIL), "active"),
        ((ResultOutcome.SKIPPED,), "active"),
        ((ResultOutcome.ERROR,), "active"),
        ((ResultOutcome.TIMEOUT, ResultOutcome.PASS), "active"),
    ],
)
def test_it_is_unused_only_where_something_was_found_and_was_no_failure(
    outcomes: tuple[ResultOutcome, ...], state: str
) -> None:
    results = [make_result(outcome=outcome, reason="why") for outcome in outcomes]
    other = make_result(check="check-b")
    (standing,) = Waivers([WAIVER]).standings(BEFORE, results=[*results, other])
    assert (standing.state, standing.waiver.owner) == (state, "ops@example.org")
    (standing,) = Waivers([WAIVER]).standings(END, results=results)
    assert standing.state == "expired"


def test_a_day_that_can_be_given_is_to_come_and_within_two_years() -> None:
    now = datetime(2026, 11, 22, 1, tzinfo=UTC)
    today = now.date()
    assert expiry_problem(today, now) is None
    assert expiry_problem(today + timedelta(days=MAX_D), now) is None
    assert expiry_problem(today - timedelta(days=1), now) == "2026-11-21 is over; give a day that is still to come"
    assert "more than two years away" in str(expiry_problem(today + timedelta(days=MAX_D + 1), now))
    assert "more than two years away" in str(expiry_problem(date.max, now))
