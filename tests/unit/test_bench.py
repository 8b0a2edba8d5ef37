"""The parts of the benchmarks that can be wrong without anybody noticing: statistics, tables, the document."""

import pytest
from bench.document import MarkerError, replaced
from bench.machine import QUIET, wait_until_quiet
from bench.rows import Goal, Report, Row, figure, paragraphs, table
from bench.stats import Sample, Unit, difference, excess, ratio
from hypothesis import given
from hypothesis import strategies as st


def sample(*values: float, unit: Unit = "ms") -> Sample:
    return Sample(unit=unit, values=values)


def test_a_sample_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        sample()


def test_median_and_quartiles() -> None:
    taken = sample(5, 1, 4, 2, 3)
    assert taken.median == 3
    assert taken.spread == (2, 4)


def test_of_few_values_the_spread_is_the_range() -> None:
    assert sample(3, 1, 2).spread == (1, 3)
    assert sample(7).spread == (7, 7)


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=30))
def test_the_median_lies_within_the_spread_and_the_spread_within_the_values(values: list[float]) -> None:
    taken = sample(*values)
    low, high = taken.spread
    assert min(values) <= low <= taken.median <= high <= max(values)


def test_ratios_are_taken_round_by_round() -> None:
    # A machine that becomes ten times slower half way through changes no ratio.
    assert ratio(sample(1, 10, 10), sample(2, 20, 20)) == sample(0.5, 0.5, 0.5, unit="x")


def test_excess_and_difference() -> None:
    assert excess(sample(110), sample(100)).median == pytest.approx(10)
    assert difference(sample(110, 5), sample(100, 7)) == sample(10, -2)


def test_samples_that_were_not_taken_alternately_have_no_ratio() -> None:
    with pytest.raises(ValueError, match="not taken alternately"):
        ratio(sample(1, 2), sample(1))


def test_samples_of_different_units_have_no_ratio() -> None:
    with pytest.raises(ValueError, match="not a ratio"):
        ratio(sample(1), sample(1, unit="us"))


@pytest.mark.parametrize(
    ("goal", "measured", "met"),
    [
        (Goal(limit=1, unit="x"), 1.0, True),
        (Goal(limit=1, unit="x"), 1.01, False),
        (Goal(limit=5, unit="x", at_least=True), 5.0, True),
        (Goal(limit=5, unit="x", at_least=True), 4.99, False),
    ],
)
def test_a_goal_is_met_by_the_median(goal: Goal, measured: float, met: bool) -> None:
    assert goal.met(sample(0, measured, 1000, unit="x")) is met


def test_a_goal_in_another_unit_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="the goal is in x"):
        Goal(limit=1, unit="x").met(sample(1))


def test_goals_are_said_in_words() -> None:
    assert str(Goal(limit=5, unit="x", at_least=True)) == ">= 5x"
    assert str(Goal(limit=100, unit="ms")) == "<= 100 ms"
    assert str(Goal(limit=0.25, unit="x", text="<= 1/4")) == "<= 1/4"


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        (0.256, "x", "0.26x"),
        (12.34, "us", "12.3 us"),
        (100.0, "ms", "100 ms"),
        (17264.4, "/s", "17,264/s"),
        (5.0, "x", "5x"),
        (-3.14159, "%", "-3.14 %"),
        (0.0, "s", "0 s"),
    ],
)
def test_figures_have_three_digits_and_a_unit(value: float, unit: Unit, written: str) -> None:
    assert figure(value, unit) == written


def test_a_table_has_a_line_a_row_with_the_verdict_last() -> None:
    slow = Row(
        what="start", ours=sample(4, 5, 6), peer="bare", theirs=sample(1, 1, 1), measured=sample(4, 5, 6, unit="x"),
        goal=Goal(limit=3, unit="x"),
    )  # fmt: skip
    light = Row(what="weight", ours=sample(13, unit="MiB"), goal=Goal(limit=16, unit="MiB"))
    untold = Row(what="untold", ours=sample(1))
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table((slow, light, untold)).splitlines()]
    assert lines[2] == ["start", "5 ms (4 to 6)", "bare: 1 ms (1 to 1)", "<= 3x", "5x (4 to 6)", "**missed**"]
    assert lines[3] == ["weight", "13 MiB", "", "<= 16 MiB", "", "met"]
    assert lines[4] == ["untold", "1 ms", "", "", "", ""]
    assert len({len(line) for line in lines}) == 1


def test_a_report_may_be_without_notes() -> None:
    assert Report(rows=()).notes == ()


def test_notes_are_paragraphs_with_values() -> None:
    assert paragraphs("\nOne\nand {count}.\n\nTwo.\n", count=3) == ("One and 3.", "Two.")


DOCUMENT = """# Benchmarks

Written by hand.

<!-- bench:one -->
old
<!-- /bench:one -->

Why it is so.

<!-- bench:two -->
other
<!-- /bench:two -->
"""


def test_only_what_stands_between_the_markers_is_replaced() -> None:
    assert replaced(DOCUMENT, "one", "new\n") == DOCUMENT.replace("old", "new")


def test_replacing_twice_is_replacing_once() -> None:
    once = replaced(DOCUMENT, "two", "| a | b |")
    assert replaced(once, "two", "| a | b |") == once


def test_a_new_part_comes_last() -> None:
    assert replaced(DOCUMENT, "three", "new") == f"{DOCUMENT}\n<!-- bench:three -->\nnew\n<!-- /bench:three -->\n"


def test_the_first_part_makes_the_document() -> None:
    assert replaced("", "one", "new") == "<!-- bench:one -->\nnew\n<!-- /bench:one -->\n"


@pytest.mark.parametrize(
    "broken",
    [
        DOCUMENT.replace("<!-- /bench:one -->", ""),
        DOCUMENT.replace("<!-- bench:one -->", ""),
        DOCUMENT + "<!-- bench:one -->",
        "<!-- /bench:one -->\n<!-- bench:one -->",
    ],
)
def test_markers_that_are_no_pair_are_left_alone(broken: str) -> None:
    with pytest.raises(MarkerError, match="bench:one"):
        replaced(broken, "one", "new")


def test_waiting_ends_when_the_machine_is_quiet() -> None:
    loads = iter([2.0, QUIET + 0.1, QUIET - 0.1, QUIET - 0.1])
    slept: list[float] = []
    assert wait_until_quiet(60, load=lambda: next(loads), sleep=slept.append) == QUIET - 0.1
    assert len(slept) == 2


def test_waiting_ends_when_its_time_is_up() -> None:
    slept: list[float] = []
    assert wait_until_quiet(12, load=lambda: 3.0, sleep=slept.append) == 3.0
    assert 10 <= sum(slept) <= 15
