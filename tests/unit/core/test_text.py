"""Hostile text, made harmless."""

from hypothesis import given, settings
from hypothesis import strategies as st

from assess_core.text import plain, plain_lines
from tests.support.results import HOSTILE

ANY_TEXT = st.text(st.characters(codec=None) | st.sampled_from("\x1b\x9b\u202e\ud800\r\n\t "), max_size=20)


def test_escapes_bidi_controls_and_line_breaks_are_shown_not_obeyed() -> None:
    assert plain("a\x1b[31mb\u202ec\r\n d\u2028e\t\x07") == r"a\x1b[31mb\u202ec d e \x07"
    assert plain("Prüfung 検査 ok") == "Prüfung 検査 ok"


@settings(max_examples=50)
@given(ANY_TEXT)
def test_plain_text_is_printable_encodable_and_stays_as_it_is(text: str) -> None:
    shown = plain(text)
    assert shown.isprintable()
    assert shown.encode().decode() == shown
    assert plain(shown) == shown


def test_lines_stay_lines() -> None:
    assert plain_lines("\none\x1b\ntwo  2\n\n") == "one\\x1b\ntwo 2"
    assert "\x1b" not in plain_lines(HOSTILE)
