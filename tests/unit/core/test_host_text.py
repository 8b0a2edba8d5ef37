"""Text from a plugin is fit for a terminal, and a death has the right name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assess_core.errors import FaultKind
from assess_core.host.death import GONE, Cause, Death
from assess_core.host.text import clean_line, clean_lines, sentence


@given(st.text())
def test_a_clean_line_prints_and_cleaning_it_changes_nothing(text: str) -> None:
    line = clean_line(text)
    assert line.isprintable()
    assert clean_line(line) == line


@given(st.text())
def test_clean_lines_hold_nothing_but_what_prints_and_line_ends(text: str) -> None:
    assert clean_lines(text).replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain é", "plain é"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://evil\x1b\\link", "link"),
        ("\x1bP+q\x1b\\after", "after"),
        ("\x1bcreset", "reset"),
        ("over\rwritten", "over written"),
        ("a\u202eb\u2066c", r"a\u202eb\u2066c"),
        ("back\x08\x08space", r"back\x08\x08space"),
        ("\x9b31m", r"\x9b31m"),
        ("\x1b\x1b[31m[0m", r"\x1b[0m"),
    ],
)
def test_escapes_are_taken_out_and_the_rest_is_shown(text: str, line: str) -> None:
    assert clean_line(text) == line
    assert clean_lines(text) == line.replace("over written", "over\nwritten")


def test_lines_stay_apart_and_keep_their_blanks() -> None:
    assert clean_lines("Traceback:\n\tat\x1b[0m  line 1  \r\nend\n") == "Traceback:\n    at  line 1\nend"


def test_a_sentence_ends_once() -> None:
    killed = death(exit_code=-9).fault(plugin="it", phase="execute", record=None)
    assert sentence(str(killed)).endswith("out of memory?")
    assert sentence("it exited with code 3") == "it exited with code 3."
    assert sentence("It must not.") == "It must not."


def death(cause: Cause = GONE, exit_code: int | None = 0, *, by_itself: bool = True) -> Death:
    return Death(cause=cause, exit_code=exit_code, by_itself=by_itself, log_tail="tail")


@pytest.mark.parametrize(
    ("died", "kind", "message"),
    [
        (death(exit_code=0), FaultKind.EXITED, "exited with code 0"),
        (death(exit_code=-9), FaultKind.SIGNALLED, "killed by SIGKILL"),
        (death(exit_code=-40), FaultKind.SIGNALLED, "killed by signal 40"),
        (death(exit_code=-15, by_itself=False), FaultKind.PROTOCOL, "closed the pipe, lived on"),
        (death(exit_code=None, by_itself=False), FaultKind.PROTOCOL, "closed the pipe, lived on"),
        (death(Cause(kind=FaultKind.TIMEOUT, message="slow"), -9, by_itself=False), FaultKind.TIMEOUT, "slow"),
    ],
)
def test_a_death_is_classified(died: Death, kind: FaultKind, message: str) -> None:
    fault = died.fault(plugin="it", phase="execute", record=None)
    assert (fault.kind, fault.plugin, fault.phase, fault.log_tail) == (kind, "it", "execute", "tail")
    assert message in str(fault)
    assert died.fault(plugin="it", phase="load", record=None).kind is FaultKind.START
