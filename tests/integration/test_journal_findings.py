"""When a check failed: what opens a finding, what closes it, and what leaves it as it is."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assess_core.journal import Journal
from assess_core.results import ResultOutcome, Seen, finding_id, run_id
from tests.support.results import NOON, SUBJECT, make_assessment, make_result

FINDING = finding_id(SUBJECT.id, "check-a")
FAIL, PASS, ABSENT = ResultOutcome.FAIL, ResultOutcome.PASS, ResultOutcome.NOT_APPLICABLE


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "journal.db") as opened:
        yield opened


def play(journal: Journal, *outcomes: tuple[int, ResultOutcome]) -> Seen | None:
    """Runs that began so many hours after noon, recorded in this order; what is known of the finding then."""
    for hour, outcome in outcomes:
        at = NOON + timedelta(hours=hour)
        run = run_id("web-01", "host", at)
        journal.record(
            make_assessment(run_id=run, due_at=at, started_at=at, ended_at=at),
            [make_result(run_id=run, outcome=outcome, reason="so it is", started_at=at)],
            {},
        )
    return journal.seen([FINDING]).get(FINDING)


def hours(seen: Seen | None) -> tuple[float | None, ...]:
    assert seen is not None
    times = (seen.first_at, seen.failing_since, seen.last_at)
    return tuple(None if at is None else (at - NOON).total_seconds() / 3600 for at in times)


def test_what_never_failed_is_not_known(journal: Journal) -> None:
    assert play(journal, (0, PASS), (1, ABSENT), (2, ResultOutcome.ERROR)) is None


def test_a_failure_opens_and_the_next_one_goes_on(journal: Journal) -> None:
    assert hours(play(journal, (0, FAIL))) == (0, 0, 0)
    assert hours(play(journal, (1, FAIL))) == (0, 0, 1)


@pytest.mark.parametrize("outcome", [PASS, ABSENT])
def test_a_verdict_closes_and_the_next_failure_begins_anew(journal: Journal, outcome: ResultOutcome) -> None:
    assert hours(play(journal, (0, FAIL), (1, outcome))) == (0, None, 0)
    assert hours(play(journal, (2, FAIL), (3, FAIL))) == (0, 2, 3)


@pytest.mark.parametrize("outcome", [ResultOutcome.ERROR, ResultOutcome.TIMEOUT, ResultOutcome.SKIPPED])
def test_what_says_nothing_of_the_subject_changes_nothing(journal: Journal, outcome: ResultOutcome) -> None:
    assert hours(play(journal, (0, FAIL), (1, outcome))) == (0, 0, 0)
    assert hours(play(journal, (2, PASS), (3, outcome))) == (0, None, 0)


def test_a_run_that_began_earlier_and_ended_later_changes_nothing_but_the_first(journal: Journal) -> None:
    assert hours(play(journal, (5, FAIL), (3, PASS))) == (5, 5, 5)
    assert hours(play(journal, (6, PASS), (4, FAIL))) == (4, None, 5)


AHEAD = 1_000_000
"""Hours: by a clock that was wrong."""


def test_what_was_judged_while_the_clock_was_ahead_does_not_freeze_what_is_judged_now(journal: Journal) -> None:
    assert hours(play(journal, (0, FAIL), (AHEAD, PASS), (1, FAIL))) == (0, 1, 1)
    assert hours(play(journal, (2, FAIL))) == (0, 1, 2)
    assert hours(play(journal, (AHEAD + 1, FAIL), (3, PASS))) == (0, None, AHEAD + 1)
    assert hours(play(journal, (AHEAD + 2, FAIL), (4, FAIL))) == (0, 4, 4)


def test_no_run_was_complete_in_the_future(journal: Journal) -> None:
    play(journal, (0, PASS))
    assert journal.completed_at(["host", "other"]) == {"host": NOON}
    play(journal, (AHEAD, PASS))
    before = datetime.now(UTC)
    assert before <= journal.completed_at(["host"])["host"] <= datetime.now(UTC)


def test_a_run_that_is_recorded_again_changes_nothing(journal: Journal) -> None:
    play(journal, (0, FAIL), (1, PASS))
    assert hours(play(journal, (0, FAIL))) == (0, None, 0)


def test_many_are_asked_for_at_once(journal: Journal) -> None:
    play(journal, (0, FAIL))
    assert set(journal.seen([FINDING, *(str(number) for number in range(1200))])) == {FINDING}
