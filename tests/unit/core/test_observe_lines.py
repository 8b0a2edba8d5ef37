"""Log records as lines, and what is said too often."""

import json
import logging

import pytest

from assess_core.observe.context import about, what_about
from assess_core.observe.lines import Lines, document, trace_of
from assess_core.observe.repeats import ALIKE, TOLD, WINDOW_S, Repeats


def record(
    message: str = "all is well", *arguments: object, level: int = logging.INFO, **extra: object
) -> logging.LogRecord:
    made = logging.LogRecord("assess_core.live.live", level, "/src/live.py", 12, message, arguments, None)
    made.created = 1795342503.12
    vars(made).update(extra)
    return made


def test_people_read_the_time_in_utc_the_level_and_the_run() -> None:
    with about("3f2a81c0-7777", "host"):
        said = record("%d of %s", 2, "60", level=logging.WARNING, about=what_about())
    assert Lines("text").format(said) == "2026-11-22T10:15:03.120Z warning: 2 of 60 (host, run 3f2a81c0)"
    assert Lines("text").format(record()) == "2026-11-22T10:15:03.120Z all is well"


def test_a_journal_gets_a_priority_on_each_line_and_no_time() -> None:
    try:
        raise ValueError("no\nsuch thing")
    except ValueError as error:
        said = record("failed", level=logging.ERROR, exc_info=(ValueError, error, error.__traceback__))
    lines = Lines("priority").format(said).splitlines()
    assert lines[0] == "<3>failed"
    assert len(lines) > 3
    assert all(line.startswith("<3>") for line in lines)
    assert lines[-1] == "<3>    such thing"


def test_programs_get_one_ascii_object_with_what_came_along() -> None:
    with about("3f2a", "host"):
        said = record("käse", action="sync-failed", distribution="demo", count=3, path=["a"], about=what_about())
    line = Lines("json").format(said)
    assert line.isascii()
    assert json.loads(line) == {
        "at": "2026-11-22T10:15:03.120Z",
        "level": "info",
        "action": "sync-failed",
        "message": "käse",
        "logger": "assess_core.live.live",
        "run_id": "3f2a",
        "assessment": "host",
        "distribution": "demo",
        "count": 3,
        "path": "['a']",
    }


@pytest.mark.parametrize("style", ["text", "json"])
def test_no_text_makes_a_line_of_its_own_or_moves_a_cursor(style: str) -> None:
    hostile = "ok\n2026-11-22T10:15:03Z all plugins pass\x1b[2K\r\u202eevil"
    line = Lines("text" if style == "text" else "json").format(record("%s", hostile, distribution=hostile))
    assert "\n" not in line
    assert "\x1b" not in line
    assert "\r" not in line
    assert "\u202e" not in line
    assert "all plugins pass" in line, "the control: it is told, as part of its own line"


def test_arguments_that_do_not_fit_lose_nothing_else() -> None:
    assert "not all arguments converted" in Lines("text").format(record("done", 1))


def test_what_came_with_a_name_of_ours_does_not_replace_it() -> None:
    assert document(record(level_="x", at="never"))["at"] == "2026-11-22T10:15:03.120Z"


def test_outside_a_run_a_record_belongs_to_none() -> None:
    with about("3f2a", "host"):
        pass
    assert what_about() is None
    assert "run_id" not in document(record(about=what_about()))


def test_the_same_is_told_a_few_times_a_minute_and_then_counted() -> None:
    repeats = Repeats()
    said = [repeats.admits(record("gone"), "gone") for _ in range(TOLD + 7)]
    assert said == [True] * TOLD + [False] * 7
    assert repeats.admits(record("other"), "other"), "the control: another message"
    assert repeats.over(1795342503.12 + WINDOW_S - 1) == []
    (summary,) = repeats.over(1795342503.12 + WINDOW_S)
    assert summary.getMessage() == "gone (7 times more within a minute)"
    assert repeats.admits(record("gone"), "gone"), "it begins anew"


def test_messages_that_vary_are_counted_by_their_place() -> None:
    repeats = Repeats()
    told = sum(repeats.admits(record(f"gone {n}"), f"gone {n}") for n in range(ALIKE + 50))
    assert told == ALIKE
    (summary,) = repeats.over(1795342503.12 + WINDOW_S)
    assert summary.getMessage().endswith("(50 more like it within a minute)")


def test_a_clock_that_is_set_back_holds_nothing_back() -> None:
    repeats = Repeats()
    for _ in range(TOLD + 1):
        repeats.admits(record("gone"), "gone")
    assert len(repeats.over(1795342503.12 - 3600)) == 1


def test_of_a_traceback_that_is_too_long_the_end_is_kept() -> None:
    """There stands what went wrong."""
    text = "Traceback:\n" + "\x1b\n" * 40_000 + "ValueError: this one"
    for max_chars in (100, 16_000):
        kept = trace_of(text, max_chars=max_chars)
        assert kept.startswith("Traceback:\n")
        assert kept.endswith("ValueError: this one")
        assert len(kept) < max_chars + 50
        assert "\x1b" not in kept
    assert trace_of("a\nb", max_chars=100) == "a\nb", "the control: a short one is whole"
