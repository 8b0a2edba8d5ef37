import pytest

from assess_registry.text import plain, plain_lines, table


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("a\x1b[31mred", r"a\x1b[31mred"),
        ("over\rwrite", r"over\rwrite"),
        ("two\nlines", r"two\nlines"),
        ("c1\x9b2J", r"c1\x9b2J"),
        ("bidi\u202eexe", r"bidi\u202eexe"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("line\u2028break", r"line\u2028break"),
        ("lone\ud800", r"lone\ud800"),
    ],
)
def test_what_moves_the_cursor_or_hides_is_shown_as_an_escape(hostile: str, shown: str) -> None:
    assert plain(hostile) == shown


@pytest.mark.parametrize("text", ["plain words", "Größe, naïve", "日本語", "emoji 🎉"])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert plain(text) == text


def test_long_text_is_cut_visibly() -> None:
    assert plain("x" * 50, max_chars=10) == "x" * 9 + "…"
    assert plain("x" * 10, max_chars=10) == "x" * 10


def test_lines_of_our_own_survive_and_hostile_characters_do_not() -> None:
    assert plain_lines("first\n\x1b[2Jsecond") == "first\n\\x1b[2Jsecond"


def test_a_table_keeps_one_row_a_line_whatever_its_cells_say() -> None:
    lines = table(("NAME", "WHAT"), [("a", "x\ny"), ("longer", "")]).split("\n")
    assert lines == ["NAME    WHAT", "a       x\\ny", "longer"]
