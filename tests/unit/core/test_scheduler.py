"""What is due becomes a run, once, whatever ends in between."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from assess_core.errors import AssessError, StoreError
from assess_core.results import run_id
from assess_core.schedule import Asked, Claim, Due, Row, Rule, State, Window
from assess_core.schedule.scheduler import AGAIN_S, FOLLOWED_WITHIN_S, TICK_S
from tests.support.played_scheduler import BEGIN, DamageError, MortalStore, every
from tests.support.played_scheduler import Played as AnyPlayed

Played = AnyPlayed[MortalStore]


def at(seconds: float) -> str:
    """The id of the run that was due then."""
    return run_id("r", "host", BEGIN + timedelta(seconds=seconds))


@pytest.fixture
def played() -> Iterator[Played]:
    machine = Played(MortalStore())
    yield machine
    machine.close()


def begun(played: Played) -> list[tuple[float, int]]:
    """Due times and attempts of what began, in order."""
    return [((due.due_at - BEGIN).total_seconds(), due.attempt) for _, due in played.begun]


def skipped(played: Played) -> list[tuple[float, float, str]]:
    return [
        ((skip.first_at - BEGIN).total_seconds(), (skip.last_at - BEGIN).total_seconds(), skip.why)
        for skip, _ in played.store.told
    ]


def test_each_due_time_begins_once_and_in_time(played: Played) -> None:
    played.up([every(60)])
    for second in range(1, 181):
        played.pass_time(1)
        if second % 60 == 0:
            played.end(at(second))
    assert begun(played) == [(60, 1), (120, 1), (180, 1)]
    assert [moment for moment, _ in played.begun] == [due.due_at for _, due in played.begun]
    assert (skipped(played), played.store.rows) == ([], {})


def test_nothing_is_due_that_was_due_before_it_was_configured(played: Played) -> None:
    played.now += timedelta(seconds=59)
    played.up([every(60)])
    assert begun(played) == []
    played.pass_time(1)
    assert begun(played) == [(60, 1)]


def test_a_clock_that_was_ahead_for_a_while_leaves_no_due_time_with_two_fates(played: Played) -> None:
    played.up([every(900)])
    played.pass_time(900)
    played.end(at(900))
    played.set_clock(86_400)
    played.end(at(86_400 + 900))
    day = [(1800, 86_400, "missed")]
    assert skipped(played) == day
    played.set_clock(-86_400)
    played.pass_time(900)
    played.end(at(1800))
    assert skipped(played) == []
    assert begun(played) == [(900, 1), (87_300, 1), (1800, 1)]


def test_what_waits_for_its_jitter_runs_although_its_schedule_was_edited(played: Played) -> None:
    played.up([every(30, offset=timedelta(seconds=20))])
    played.pass_time(31)
    played.replace([every(3600)])
    assert begun(played) == []
    played.pass_time(18)
    assert begun(played) == []
    played.pass_time(1)
    assert begun(played) == [(30, 1)]
    played.end(at(30))
    played.pass_time(3600 - 50)
    assert begun(played) == [(30, 1), (3600, 1)]  # control: the new one counts from the edit on
    assert (skipped(played), list(played.store.rows)) == ([], [at(3600)])


def test_what_waits_for_its_jitter_and_was_removed_is_told_of(played: Played) -> None:
    played.up([every(30, offset=timedelta(seconds=20))])
    played.pass_time(31)
    played.replace([])
    played.pass_time(60)
    assert (begun(played), skipped(played)) == ([], [(30, 30, "removed")])


def test_what_a_full_disk_kept_from_beginning_is_one_run_although_its_schedule_was_edited_twice(
    played: Played,
) -> None:
    played.up([every(60)])
    played.store.full = True
    played.pass_time(200)
    played.replace([every(7)])
    played.pass_time(20)
    played.replace([every(3600)])
    played.store.full = False
    played.pass_time(40)
    assert begun(played) == [(218, 1)]
    assert skipped(played) == [(60, 120, "missed"), (204, 211, "missed"), (180, 180, "replaced")]


@pytest.mark.parametrize("misfire", ["run_once", "skip"])
def test_what_was_missed_while_it_was_down_has_a_fate_although_its_schedule_was_edited(
    played: Played, misfire: str
) -> None:
    played.up([every(60)])
    played.pass_time(1)
    played.kill()
    played.now += timedelta(seconds=1000)
    played.up([every(3600, misfire=misfire, grace=timedelta(seconds=30))])
    missed = [(60, 900, "missed")]
    if misfire == "skip":
        assert (begun(played), skipped(played)) == ([], [*missed, (960, 960, "misfire")])
    else:
        assert (begun(played), skipped(played)) == ([(960, 1)], missed)


@pytest.mark.parametrize("state", ["queued", "running"])
def test_what_somebody_asked_for_is_never_too_late(played: Played, state: State) -> None:
    late: dict[str, object] = {"misfire": "skip", "grace": timedelta(seconds=60)}
    for why in ("request", "schedule"):
        due = Due(run_id=why, assessment=why, due_at=BEGIN, start_at=BEGIN, why=why, claimed_at=BEGIN)
        played.store.claim(Claim(at=BEGIN, rows=(Row(due=due, state=state),)))
    played.now += timedelta(seconds=90)
    played.up([every(3600, name="request", **late), every(3600, name="schedule", **late)])
    assert [(due.run_id, due.problem) for _, due in played.begun if not due.problem] == [("request", "")]


def test_a_run_that_could_not_be_recorded_begins_again_and_nothing_beside_it(played: Played) -> None:
    played.up([every(60)])
    played.pass_time(60)
    for wait_s in AGAIN_S:
        played.fail(at(60), StoreError("64 MiB wait"))
        played.pass_time(wait_s - 1)
        assert not played.running
        played.pass_time(1)
        assert list(played.running) == [at(60)]
        assert list(played.store.rows) == [at(60)]
    assert {why for _, _, why in skipped(played)} == {"missed", "overlap"}  # each due time meanwhile has a fate
    played.end(at(60))
    assert played.store.rows == {}
    assert {due_at for due_at, _ in begun(played)} == {60}


def test_a_run_that_could_not_be_recorded_and_may_not_begin_any_more_has_one_fate(played: Played) -> None:
    window = Window(id="w", word="skip", begins=BEGIN + timedelta(seconds=62), ends=BEGIN + timedelta(seconds=100))
    played.up([every(60, windows=(window,))])
    played.pass_time(60)
    played.fail(at(60), StoreError("64 MiB wait"))
    played.pass_time(6)
    assert (played.store.rows, skipped(played)) == ({}, [(60, 60, "maintenance")])


def test_a_run_that_is_recorded_after_all_does_not_begin_again(played: Played) -> None:
    played.up([every(60)])
    played.pass_time(60)
    played.store.record(played.running[at(60)][0])
    played.fail(at(60), StoreError("recorded already"))
    played.pass_time(10)
    assert (begun(played), played.store.rows, played.running) == ([(60, 1)], {}, {})
    played.pass_time(50)
    assert begun(played) == [(60, 1), (120, 1)]


def test_what_could_not_be_recorded_is_due_at_the_next_start_and_was_no_death(played: Played) -> None:
    played.up([every(60)])
    played.pass_time(60)
    played.fail(at(60), StoreError("64 MiB wait"))
    played.stop()
    played.up([every(60)])
    assert begun(played) == [(60, 1), (60, 1)]


def test_what_a_process_died_with_begins_again_one_after_the_other_where_nothing_may_overlap(played: Played) -> None:
    played.up([every(60, overlap="parallel")])
    for _ in range(3):
        played.pass_time(60)
    played.kill()
    played.up([every(60, overlap="skip")])
    for due in (60, 120, 180):
        assert list(played.running) == [at(due)]
        played.end(at(due))
    assert played.store.rows == {}
    assert skipped(played) == []


def test_what_was_missed_runs_once_and_is_told_of_as_one(played: Played) -> None:
    played.up([every(60)])
    played.pass_time(86_400)
    assert begun(played) == [(86_400, 1)]
    assert skipped(played) == [(60, 86_340, "missed")]


def test_what_is_too_late_may_be_left_alone(played: Played) -> None:
    rule = every(60, misfire="skip", grace=timedelta(seconds=5))
    played.up([rule])
    played.pass_time(65)
    assert begun(played) == [(60, 1)]
    played.end(at(60))
    played.pass_time(60.5)
    assert begun(played) == [(60, 1)]
    assert skipped(played) == [(120, 120, "misfire")]


def test_jitter_moves_the_beginning_and_not_the_due_time(played: Played) -> None:
    played.up([every(60, offset=timedelta(seconds=7))])
    played.pass_time(66)
    assert begun(played) == []
    played.pass_time(1)
    assert begun(played) == [(60, 1)]
    assert played.begun[0][1].start_at == BEGIN + timedelta(seconds=67)


@pytest.mark.parametrize(
    ("overlap", "expected", "told"),
    [
        ("skip", [60], [(120, 120, "overlap"), (180, 180, "overlap")]),
        ("queue", [60, 180], [(120, 120, "replaced")]),
        ("parallel", [60, 120, 180], []),
    ],
)
def test_what_is_due_while_it_runs(
    played: Played, overlap: str, expected: list[int], told: list[tuple[float, float, str]]
) -> None:
    played.up([every(60, overlap=overlap)])
    for _ in range(3):
        played.pass_time(60)
    played.end(at(60))
    assert [due for due, _ in begun(played)] == expected
    assert skipped(played) == told


def test_no_more_than_eight_run_at_a_time(played: Played) -> None:
    played.up([every(60, overlap="parallel")])
    for _ in range(9):
        played.pass_time(60)
    assert len(played.running) == 8
    assert skipped(played) == [(540, 540, "overlap")]


def test_a_killed_process_has_lost_and_doubled_nothing(played: Played) -> None:
    played.up([every(60, overlap="queue")])
    played.pass_time(60)
    played.pass_time(60)
    played.kill()
    played.now += timedelta(seconds=90)
    played.up([every(60, overlap="queue")])
    assert begun(played) == [(60, 1), (60, 2)]
    played.end(at(60))
    assert begun(played) == [(60, 1), (60, 2), (180, 1)]  # the one that waited was due before it
    assert skipped(played) == [(120, 120, "replaced")]


def test_killed_between_its_claim_and_its_beginning_it_begins_at_the_next_start(played: Played) -> None:
    played.up([every(60)])
    played.store.deadly = True
    played.pass_time(60)
    assert not played.is_up
    assert begun(played) == []
    played.up([every(60)])
    assert begun(played) == [(60, 2)]


def test_what_ends_its_process_each_time_is_recorded_instead(played: Played) -> None:
    played.up([every(3600)])
    played.pass_time(3600)
    for _ in range(3):
        played.kill()
        played.up([every(3600)])
    assert [due.attempt for _, due in played.begun] == [1, 2, 3, 4]
    assert "3 times" in played.begun[-1][1].problem
    assert played.store.runs[at(3600)].problem
    assert played.store.rows == {}


def test_an_orderly_stop_is_no_attempt(played: Played) -> None:
    played.up([every(3600)])
    played.pass_time(3600)
    for _ in range(5):
        played.stop()
        played.up([every(3600)])
    assert [due.attempt for _, due in played.begun] == [1] * 6


def test_a_run_that_was_interrupted_and_is_too_late_by_its_policy_is_recorded_as_that(played: Played) -> None:
    rule = every(3600, misfire="skip")
    played.up([rule])
    played.pass_time(3600)
    played.kill()
    played.now += timedelta(seconds=61)
    played.up([rule])
    assert played.store.runs[at(3600)].problem.startswith("interrupted")


def test_a_full_disk_begins_nothing_and_loses_nothing(played: Played) -> None:
    played.up([every(60)])
    played.store.full = True
    played.pass_time(60)
    played.pass_time(30)
    assert begun(played) == []
    played.store.full = False
    for _ in range(4):
        played.pass_time(1)
    assert begun(played) == [(60, 1)]
    assert skipped(played) == []


def test_a_damaged_disk_ends_it(played: Played) -> None:
    played.up([every(60)])
    played.store.damage = DamageError("pages of it are damaged")
    with pytest.raises(DamageError):
        played.pass_time(60)
    assert (begun(played), played.is_up) == ([], False)


def test_a_clock_that_was_set_back_a_little_is_waited_for(played: Played) -> None:
    played.up([every(60)])
    played.pass_time(60)
    played.end(at(60))
    played.set_clock(-3600)
    played.pass_time(60)
    assert begun(played) == [(60, 1)]
    played.pass_time(3600)
    assert begun(played) == [(60, 1), (120, 1)]


def test_a_clock_that_was_set_back_by_much_begins_anew_and_runs_nothing_twice(played: Played) -> None:
    played.up([every(3600)])
    for _ in range(5):
        played.pass_time(3600)
        played.end(played.begun[-1][1].run_id)
    played.set_clock(-4 * 3600)
    for _ in range(5):
        played.pass_time(3600)
        for running in list(played.running):
            played.end(running)
    assert [due for due, _ in begun(played)] == [3600 * hour for hour in range(1, 7)]


def test_a_run_that_goes_on_while_the_clock_is_set_back_over_it_is_not_begun_again(played: Played) -> None:
    played.up([every(3600, overlap="parallel")])
    for _ in range(5):
        played.pass_time(3600)
    played.set_clock(-4 * 3600)
    for _ in range(4):
        played.pass_time(3600)
    assert [due for due, _ in begun(played)] == [3600 * hour for hour in range(1, 6)]
    played.pass_time(3600)
    assert len(begun(played)) == 6


def test_what_somebody_asks_for_runs_beside_the_schedule_and_waits_its_turn(played: Played) -> None:
    played.up([every(60)])
    played.pass_time(60)
    played.store.request(Asked(run_id="asked", assessment="host", at=played.now, by="ada"))
    played.pass_time(2)
    assert [due.run_id for _, due in played.begun] == [at(60)]
    assert played.store.asked == {}
    played.pass_time(60)  # and is not given up for what is due meanwhile
    played.end(at(60))
    assert [due.run_id for _, due in played.begun] == [at(60), "asked"]
    assert skipped(played) == [(120, 120, "overlap")]


def test_what_is_asked_for_and_not_configured_yet_waits_for_that(played: Played) -> None:
    played.store.request(Asked(run_id="asked", assessment="other", at=BEGIN))
    played.up([every(600)])
    played.pass_time(FOLLOWED_WITHIN_S - 1)
    assert set(played.store.asked) == {"asked"}
    played.replace([every(600), replace(every(600, name="other"), spec=None)])
    played.pass_time(TICK_S)
    assert [(due.run_id, due.problem) for _, due in played.begun] == [("asked", "")]
    assert (played.store.asked, played.store.told) == ({}, [])


def test_what_is_asked_for_and_never_configured_is_recorded_as_that(played: Played) -> None:
    played.store.request(Asked(run_id="asked", assessment="other", at=BEGIN))
    played.up([every(600)])
    for _ in range(3):
        played.pass_time(FOLLOWED_WITHIN_S / 2)
    assert "follows no configuration" in played.store.runs["asked"].problem
    assert (played.store.asked, played.store.rows, played.store.told) == ({}, {}, [])


@pytest.mark.parametrize("waits", ["queued", "held", "running"])
def test_what_was_asked_for_and_is_configured_no_more_is_recorded_as_that(waits: str, played: Played) -> None:
    window = Window(id="w", word="after", begins=BEGIN, ends=BEGIN + timedelta(seconds=30 if waits == "held" else 1))
    played.up([every(10, windows=(window,))])
    played.pass_time(10)
    played.store.request(Asked(run_id="asked", assessment="host", at=played.now))
    played.pass_time(2)
    if waits == "running":
        played.end(at(10))
    assert played.store.rows["asked"].state == waits
    if waits == "running":
        played.kill()
        played.up([])
    else:
        played.replace([])
    assert "follows no configuration" in played.store.runs["asked"].problem
    assert "asked" not in played.store.rows


@pytest.mark.parametrize("waits", ["for the run before it", "for the end of maintenance"])
def test_of_two_that_ask_for_the_same_the_second_has_a_run_that_says_which_one_stands_for_it(
    waits: str, played: Played
) -> None:
    ends = 90 if waits == "for the end of maintenance" else 1
    window = Window(id="w", word="after", begins=BEGIN, ends=BEGIN + timedelta(seconds=ends))
    played.up([every(60, windows=(window,))])
    played.pass_time(60)
    for name in ("first", "second"):
        played.store.request(Asked(run_id=name, assessment="host", at=played.now))
        played.pass_time(2)
    assert "run first" in played.store.runs["second"].problem
    assert [skip.why for skip, _ in played.store.told] == ["maintenance"] * (ends == 90)
    if ends == 90:
        played.pass_time(40)
    else:
        played.end(at(60))
    played.end("first")
    assert played.store.runs["first"].problem == ""


def test_what_somebody_asked_for_is_held_by_a_window_that_leaves_out_what_is_due(played: Played) -> None:
    window = Window(id="w", word="skip", begins=BEGIN + timedelta(seconds=90), ends=BEGIN + timedelta(seconds=190))
    played.up([every(60, windows=(window,))])
    played.pass_time(60)
    played.end(at(60))
    played.pass_time(40)
    played.store.request(Asked(run_id="asked", assessment="host", at=played.now))
    played.pass_time(50)
    assert played.store.rows["asked"].state == "held"
    played.pass_time(41)
    assert [(due.run_id, due.problem) for _, due in played.begun] == [(at(60), ""), ("asked", "")]
    assert skipped(played) == [(120, 120, "maintenance"), (180, 180, "maintenance")]


def test_what_somebody_asked_for_and_fails_is_recorded_as_that(played: Played) -> None:
    played.up([every(600)])
    played.store.request(Asked(run_id="asked", assessment="host", at=played.now))
    played.pass_time(2)
    played.fail("asked", AssessError("the wheel is gone"))
    assert "the wheel is gone" in played.store.runs["asked"].problem
    assert (played.store.rows, played.store.told) == ({}, [])


def test_everything_is_due_at_once_if_that_is_wanted(played: Played) -> None:
    played.up([every(60), replace(every(60, name="other"), spec=None)], now=True)
    assert sorted(due.assessment for _, due in played.begun) == ["host", "other"]


def test_another_schedule_begins_now_and_a_removed_one_ends(played: Played) -> None:
    played.up([every(60, overlap="queue"), every(80, name="other")])
    played.pass_time(70)
    played.pass_time(50)
    assert len(played.running) == 2
    played.replace([every(8, name="other")])
    assert [(skip.assessment, skip.why) for skip, _ in played.store.told] == [("host", "removed")]
    assert set(played.store.cursors) == {"other"}
    played.end(at(60))  # what had begun may end
    for run in list(played.running):
        played.end(run)
    played.pass_time(7)
    assert len(played.begun) == 2
    played.pass_time(1)
    assert [(due.due_at - BEGIN).total_seconds() for _, due in played.begun[2:]] == [128]


def test_a_run_that_could_not_be_carried_out_is_told_of_and_its_like_go_on(played: Played) -> None:
    played.up([every(60)])
    played.pass_time(60)
    played.fail(at(60))
    assert (skipped(played), played.store.rows) == ([(60, 60, "failed")], {})
    played.pass_time(60)
    assert begun(played) == [(60, 1), (120, 1)]


def test_maintenance_holds_what_is_due_and_lets_one_of_it_run_afterwards(played: Played) -> None:
    window = Window(id="w", word="after", begins=BEGIN + timedelta(seconds=90), ends=BEGIN + timedelta(seconds=250))
    played.up([every(60, windows=(window,))])
    for _ in range(4):
        played.pass_time(60)
        for run in list(played.running):
            played.end(run)
    assert begun(played) == [(60, 1)]
    played.pass_time(9)
    assert begun(played) == [(60, 1)]
    played.kill()
    played.up([every(60, windows=(window,))])
    played.pass_time(1)
    assert begun(played) == [(60, 1), (240, 1)]
    assert skipped(played) == [(120, 120, "maintenance"), (180, 180, "maintenance")]


def test_maintenance_that_is_not_caught_up_with_leaves_nothing_to_run(played: Played) -> None:
    window = Window(id="w", word="skip", begins=BEGIN + timedelta(seconds=90), ends=BEGIN + timedelta(seconds=190))
    played.up([every(60, windows=(window,), overlap="parallel")])
    for _ in range(4):
        played.pass_time(60)
    assert begun(played) == [(60, 1), (240, 1)]
    assert [why for *_, why in skipped(played)] == ["maintenance"] * 2


def test_of_what_was_due_during_maintenance_and_is_due_now_one_runs(played: Played) -> None:
    window = Window(id="w", word="after", begins=BEGIN + timedelta(seconds=90), ends=BEGIN + timedelta(seconds=190))
    played.up([every(60, windows=(window,), overlap="queue")])
    played.pass_time(120)
    played.pass_time(120)  # nobody looked when it was over
    assert begun(played) == [(240, 1)]
    assert skipped(played) == [(60, 60, "missed"), (180, 180, "missed"), (120, 120, "maintenance")]


def test_what_somebody_asked_for_is_not_given_up_for_what_is_due_during_maintenance(played: Played) -> None:
    window = Window(id="w", word="after", begins=BEGIN, ends=BEGIN + timedelta(seconds=190))
    played.up([every(60, windows=(window,))])
    played.store.request(Asked(run_id="asked", assessment="host", at=played.now))
    for _ in range(4):
        played.pass_time(59)
    assert [due.run_id for _, due in played.begun] == ["asked"]


def test_what_maintenance_holds_does_not_begin_before_it_is_due_when_the_clock_is_set_back(played: Played) -> None:
    window = Window(id="w", word="after", begins=BEGIN, ends=BEGIN + timedelta(seconds=190))
    rule = every(60, windows=(window,))
    played.up([rule])
    played.pass_time(61)
    played.set_clock(-120)
    played.kill()
    played.up([rule])
    played.pass_time(179)  # a minute before the beginning, and two and a half later
    assert begun(played) == []
    played.pass_time(70)
    assert begun(played) == [(180, 1)]


def test_what_somebody_asked_for_waits_for_maintenance_alone_when_the_clock_is_set_back(played: Played) -> None:
    """Else whoever asks again is told the id of a run that begins when the clock gets there, a year later."""
    window = Window(id="w", word="after", begins=BEGIN - timedelta(days=2), ends=BEGIN + timedelta(days=2))
    rule = Rule(runtime="web-01", assessment="host", windows=(window,))
    played.up([rule])
    played.store.request(Asked(run_id="asked", assessment="host", at=played.now))
    played.pass_time(2)
    assert played.scheduler is not None
    (standing,) = played.scheduler.standing()
    assert standing.held_until == window.ends
    played.set_clock(-86400)
    played.pass_time(2)
    assert begun(played) == []
    played.replace([replace(rule, windows=())])
    (standing,) = played.scheduler.standing()
    assert (standing.held_until, [due.run_id for _, due in played.begun]) == (None, ["asked"])


def test_a_window_that_is_taken_away_holds_nothing_any_more(played: Played) -> None:
    window = Window(id="w", word="after", begins=BEGIN, ends=BEGIN + timedelta(days=9))
    rule = every(60, windows=(window,))
    played.up([rule])
    played.pass_time(60)
    assert begun(played) == []
    played.replace([replace(rule, windows=())])
    assert begun(played) == [(60, 1)]


def test_a_thousand_at_one_moment_are_one_transaction(played: Played) -> None:
    rules: list[Rule] = [every(60, name=f"host-{number}") for number in range(1000)]
    played.up(rules)
    before = played.store.claims
    played.pass_time(60)
    assert (len(played.running), played.store.claims - before) == (1000, 1)


def test_standing_says_what_comes_next(played: Played) -> None:
    played.up([every(60, offset=timedelta(seconds=5), overlap="queue"), replace(every(60, name="asked"), spec=None)])
    played.pass_time(65)
    played.pass_time(60)
    asked, host = played.scheduler.standing() if played.scheduler else ()
    assert (asked.next_start_at, str(asked)) == (None, "asked: on request")
    assert (host.running, host.waiting) == ((at(60),), at(120))
    assert host.next_start_at == BEGIN + timedelta(seconds=185)
    assert str(host) == "host: every 60s, next at 2027-01-01 00:03:05Z, 1 running, one waits for that"
