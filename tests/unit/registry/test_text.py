"""Hostile text, made harmless."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assess_registry.text import plain, plain_lines, table
from tests.support.examples import examples
from tests.support.results import HOSTILE

ANY_TEXT = st.text(st.characters(codec=None) | st.sampled_from("\x1b\x9b\u202e\ud800\r\n\t "), max_size=20)


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("a\x1b[31mred", r"a\x1b[31mred"),
        ("over\rwrite", "over write"),
        ("two\nlines", "two lines"),
        ("c1\x9b2J", r"c1\x9b2J"),
        ("bidi\u202eexe", r"bidi\u202eexe"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("line\u2028break", "line break"),
        ("lone\ud800", r"lone\ud800"),
        ("bell\x07", r"bell\x07"),
        ("blank letter\u3164", r"blank letter\u3164"),
        ("blank pattern\u2800", r"blank pattern\u2800"),
        ("joined\u034f", r"joined\u034f"),
        ("selected\ufe0f", r"selected\ufe0f"),
        ("smuggled\U000e0101", r"smuggled\U000e0101"),
    ],
)
def test_what_moves_the_cursor_or_hides_is_shown_or_becomes_a_blank(hostile: str, shown: str) -> None:
    assert plain(hostile) == shown


@pytest.mark.parametrize("text", ["plain words", "Größe, naïve", "日本語", "emoji 🎉", "한글", "⠁⠃"])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert plain(text) == text


@settings(max_examples=examples(50))
@given(ANY_TEXT)
def test_plain_text_is_printable_encodable_and_stays_as_it_is(text: str) -> None:
    shown = plain(text)
    assert shown.isprintable()
    assert shown.encode().decode() == shown
    assert plain(shown) == shown


def test_long_text_is_cut_visibly() -> None:
    assert plain("x" * 50, max_chars=10) == "x" * 9 + "…"
    assert plain("x" * 10, max_chars=10) == "x" * 10


def test_lines_and_their_indentation_survive_and_hostile_characters_do_not() -> None:
    assert plain_lines("\n\nfirst  \n  \x1b[2Jsecond\ttab\n\n") == "first\n  \\x1b[2Jsecond\\ttab"
    assert "\x1b" not in plain_lines(HOSTILE)


def test_a_table_cuts_its_cells_unless_it_is_to_be_decided_upon() -> None:
    rows = [("x" * 600, "end")]
    assert table(("A", "B"), rows).splitlines()[1] == "x" * 499 + "…  end"
    assert table(("A", "B"), rows, whole=True).splitlines()[1] == "x" * 600 + "  end"


def test_a_table_keeps_one_row_a_line_whatever_its_cells_say() -> None:
    lines = table(("NAME", "WHAT", "NEVER"), [("a", "x\ny", ""), ("longer", "", "")]).splitlines()
    assert lines == ["NAME    WHAT", "a       x y", "longer"]
    assert table(("NAME",), []) == ""
