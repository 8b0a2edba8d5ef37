"""When the next worker may start, and when none does: the rules alone, with a clock and dice of the test's own."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assess_core.errors import FaultKind
from assess_core.host.death import GONE, STOPPED, Cause, Death, hint_of, overstayed
from assess_core.host.standing import MOST_DEATHS, Ended, Policy, Record

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
ENDLESS = Policy(deaths=1 << 30, starts=1 << 30)


def record(policy: Policy = ENDLESS, rng: float = 0.5) -> Record:
    return Record(policy, rng=lambda: rng)


def test_each_death_doubles_the_wait_until_a_minute() -> None:
    held = record()
    waits = [held.died(start=False, began_at=float(number), now=float(number)) for number in range(12)]
    assert waits[:9] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2]
    assert waits[9:] == [60.0] * 3


@given(st.integers(1, 300), st.floats(0, 1))
def test_the_wait_is_never_more_than_half_off_and_never_without_end(deaths: int, rolled: float) -> None:
    held = record(rng=rolled)
    for number in range(deaths):
        wait = held.died(start=False, began_at=float(number), now=float(number))
    assert wait is not None
    steady = min(60.0, 0.2 * 2 ** min(deaths - 1, 64))
    assert steady * 0.5 <= wait <= steady * 1.5


def test_fifty_that_died_together_do_not_come_back_together() -> None:
    dice = iter(number / 50 for number in range(50))
    waits = {Record(Policy(), rng=lambda: next(dice)).died(start=False, began_at=0, now=0) for _ in range(50)}
    assert len(waits) == 50


@given(st.lists(st.floats(0, 400), min_size=1, max_size=20))
def test_five_deaths_within_ten_minutes_are_too_many_and_no_others(gaps: list[float]) -> None:
    held, now, times = record(Policy(starts=1 << 30)), 0.0, []
    for gap in gaps:
        now += gap
        times.append(now)
        too_many = len(times) >= 5 and now - times[-5] <= 600
        assert (held.died(start=False, began_at=now, now=now) is None) == too_many


def test_a_call_that_went_well_is_the_end_of_all_that_was_held_against_it() -> None:
    held = record(Policy())
    for round_ in range(20):
        for death in range(4):
            began_at = now = round_ * 10 + death
            assert held.died(start=False, began_at=began_at, now=now) is not None
        assert held.deaths == 4
        held.served()
        assert held.deaths == 0
        assert held.died(start=False, began_at=round_ * 10 + 9, now=round_ * 10 + 9) == pytest.approx(0.2)
        held.served()


def test_three_starts_in_a_row_are_too_many_and_a_worker_that_served_between_them_makes_them_none() -> None:
    held = record(Policy(deaths=100))
    starts = [held.died(start=True, began_at=now - 1, now=now) is None for now in (1.0, 3.0, 5.0)]
    assert starts == [False, False, True]
    held = record(Policy(deaths=100))
    deaths = [(True, 1.0), (True, 3.0), (False, 5.0), (True, 7.0), (True, 9.0)]
    assert all(held.died(start=start, began_at=now - 1, now=now) is not None for start, now in deaths)


def test_starts_that_failed_side_by_side_count_once() -> None:
    held = record(Policy())
    assert [held.died(start=True, began_at=0.0, now=1.0 + number / 10) is None for number in range(8)] == [False] * 8
    assert (held.deaths, held.failed_starts) == (1, 1)
    assert held.died(start=True, began_at=5.0, now=6.0) is not None
    assert held.died(start=True, began_at=7.0, now=8.0) is None, "but these came one after the other"


@pytest.mark.parametrize(("apart_s", "deaths"), [(0.001, 1), (0.2, 1), (6.0, 8)])
def test_workers_that_lived_side_by_side_and_died_together_count_once(apart_s: float, deaths: int) -> None:
    held = record()
    for number in range(8):
        held.died(start=False, began_at=0.0, now=100 + number * apart_s)
    assert held.deaths == deaths


@pytest.mark.parametrize(("began_at", "quarantined"), [(0.0, False), (100.0, True)])
def test_one_event_is_no_quarantine_and_five_one_after_the_other_are(began_at: float, *, quarantined: bool) -> None:
    held = record(Policy())
    ends = [held.died(start=False, began_at=began_at + number, now=101.0 + number) is None for number in range(5)]
    assert ends == [False] * 4 + [quarantined]


def test_what_follows_those_that_died_together_counts_again() -> None:
    held, now = record(Policy()), 100.0
    rounds = []
    for _ in range(5):
        began_at, now = now, now + 1.0
        rounds.append(
            [held.died(start=False, began_at=began_at, now=now + number / 100) is None for number in range(5)]
        )
    assert rounds[:4] == [[False] * 5] * 4
    assert rounds[4][0], "the fifth time"


def test_a_start_that_came_to_no_process_is_waited_after_and_never_too_many() -> None:
    held = record(Policy())
    assert [held.refused() for _ in range(4)] == [0.2, 0.4, 0.8, 1.6]
    assert all(held.refused() <= 60 for _ in range(100))
    assert held.died(start=True, began_at=1.0, now=2.0) == 60.0, "its own count begins with it"
    held.served()
    assert held.refused() == pytest.approx(0.2)


def test_who_looks_at_the_plugin_is_patient() -> None:
    held = record(Policy.patient())
    for number in range(3 * MOST_DEATHS):
        assert held.died(start=bool(number % 2), began_at=number, now=number) == 0.0


@pytest.mark.parametrize(
    ("kind", "phase", "counts"),
    [
        (FaultKind.EXITED, "idle", True),
        (FaultKind.SIGNALLED, "execute", True),
        (FaultKind.PROTOCOL, "evaluate", True),
        (FaultKind.LIMIT, "execute", True),
        (FaultKind.START, "load", True),
        (FaultKind.TIMEOUT, "execute", False),
        (FaultKind.TIMEOUT, "shutdown", False),
        (FaultKind.EXITED, "shutdown", False),
    ],
)
def test_what_is_held_against_a_plugin(kind: FaultKind, phase: str, *, counts: bool) -> None:
    ended = Ended(at=NOON, kind=kind, phase=phase, message="m", hint="h", log_tail="", by_itself=True)
    assert ended.counts is counts


def died(cause: Cause, phase: str, exit_code: int | None = 0, *, by_itself: bool = True) -> Ended | None:
    return Death(cause=cause, exit_code=exit_code, by_itself=by_itself, log_tail="tail").ended(phase=phase, at=NOON)


@pytest.mark.parametrize(
    ("cause", "phase", "exit_code", "by_itself", "kind", "message"),
    [
        (GONE, "idle", 3, True, FaultKind.EXITED, "its process exited with code 3"),
        (GONE, "idle", None, True, FaultKind.EXITED, "its process exited by itself"),
        (GONE, "start", 3, True, FaultKind.START, "its process exited with code 3"),
        (GONE, "shutdown", 3, True, FaultKind.EXITED, "its process exited with code 3"),
        (GONE, "shutdown", -11, True, FaultKind.SIGNALLED, "its process was killed by SIGSEGV"),
        (overstayed(5), "shutdown", -9, False, FaultKind.TIMEOUT, "it had not ended 5 s after it was asked to"),
        (
            Cause(kind=None, cut_off=12),
            "execute",
            -6,
            True,
            FaultKind.SIGNALLED,
            "its process was killed by SIGABRT in the middle of a message, of which 12 bytes had come",
        ),
        (
            Cause(kind=None, cut_off=12),
            "execute",
            -9,
            False,
            FaultKind.PROTOCOL,
            "it broke the protocol and was killed: it closed the pipe after 12 bytes of a message",
        ),
    ],
)
def test_an_end_is_remembered_with_its_phase_and_what_to_do(
    cause: Cause, phase: str, exit_code: int | None, by_itself: bool, kind: FaultKind, message: str
) -> None:
    ended = died(cause, phase, exit_code, by_itself=by_itself)
    assert ended is not None
    assert (ended.kind, ended.phase, ended.log_tail, ended.at) == (kind, phase, "tail", NOON)
    assert ended.message.startswith(message)
    assert ended.hint == hint_of(kind, phase) != ""


def test_the_document_says_what_to_do_about_each_kind_of_end() -> None:
    text = (Path(__file__).parents[3] / "docs" / "wire.md").read_text()
    section = text.partition("## What ends a worker")[2].partition("\n## ")[0]
    rows = [
        [cell.strip().replace("`", "") for cell in row.split("|")[1:-1]] for row in section.splitlines() if "|" in row
    ]
    hints = {kind: hint for _, kind, hint in rows[2:]}
    assert all(f"`{kind.value}`" in section for kind in FaultKind)
    told = {kind.value: hint_of(kind, "execute").replace("`", "") for kind in FaultKind}
    assert {kind: hint for kind, hint in hints.items() if kind not in ("stopped", "quarantined", "revoked")} == {
        kind: hint for kind, hint in told.items() if hint
    }


def test_who_was_stopped_revoked_or_went_when_asked_is_not_among_the_dead() -> None:
    assert died(STOPPED, "execute", -15) is None
    assert died(Cause(kind=FaultKind.REVOKED, message="revoked"), "idle", -9) is None
    assert died(GONE, "shutdown", 0) is None
    assert died(GONE, "idle", 0) is not None, "but nobody had asked this one"
