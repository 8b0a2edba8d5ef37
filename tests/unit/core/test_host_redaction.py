"""A secret is found in what a plugin says, in every way in which programs write it down."""

import base64
import html
import json
import re
import threading
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from assess_core.host import redaction
from assess_core.host.redaction import Redactor
from assess_plugin.models import MAX_TEXT

SECRETS = ("hunter2!", "pa ss/wo+rd&<é>\"'%", "sk-0123456789abcdefABCDEF", "üñîçødé", "back\\slash\n2")

WRITTEN: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 behind one byte": lambda text: base64.b64encode(b"u" + text.encode() + b"rest").decode(),
    "base64 behind two": lambda text: base64.b64encode(b"u:" + text.encode() + b"rest").decode(),
    "base64 behind many": lambda text: base64.b64encode(b"user:" + text.encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(b"user:x" + text.encode()).decode(),
    "percent": quote,
    "percent, all": lambda text: quote(text, safe=""),
    "percent, small": lambda text: re.sub("%..", lambda found: found[0].lower(), quote(text, safe="")),
    "form": quote_plus,
    "JSON": json.dumps,
    "JSON in UTF-8": lambda text: json.dumps(text, ensure_ascii=False),
    "HTML": html.escape,
    "HTML text": lambda text: html.escape(text, quote=False),
    "Python": repr,
    "Python bytes": lambda text: repr(text.encode()),
    "hexadecimal": lambda text: text.encode().hex(),
    "HEXADECIMAL": lambda text: text.encode().hex().upper(),
    "upper case": str.upper,
    "lower case": str.lower,
    "base64 in lines": lambda text: wrapped(base64.b64encode(b"Q" * 50 + text.encode() + b"rest").decode(), 76),
    "base64 in lines of DOS": lambda text: wrapped(base64.b64encode(b"Q" * 46 + text.encode()).decode(), 64, "\r\n"),
    "base64 in lines in JSON": lambda text: json.dumps(
        wrapped(base64.b64encode(b"Q" * 50 + text.encode()).decode(), 76)
    ),
    "hexadecimal in lines": lambda text: wrapped((b"Q" * 27 + text.encode()).hex(), 60),
}


def wrapped(text: str, width: int, end: str = "\n") -> str:
    return end.join(text[start : start + width] for start in range(0, len(text), width))


def core(written: str) -> str:
    """Enough of it to give it away: what is left of base64 at both ends belongs to the neighbours as well."""
    bare = written.strip("\"'=")
    return bare[4:-4] if len(bare) > 16 else bare


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("how", WRITTEN)
def test_a_secret_is_found_however_it_is_written(how: str, secret: str) -> None:
    redactor = Redactor()
    said = f"before {WRITTEN[how](secret)} after"
    assert redactor.text(said) == said, "the control: nothing is marked"
    redactor.mark("db", secret)
    left = redactor.text(said)
    assert left.startswith("before ")
    assert left.endswith(" after")
    assert "[secret db]" in left
    assert secret not in left
    assert core(WRITTEN[how](secret)) not in left
    assert redactor.data(said.encode()) == left.encode()


def test_bytes_of_other_encodings_are_searched_too() -> None:
    redactor = Redactor()
    redactor.mark("db", "hunter2!")
    for encoding in ("utf-16-le", "utf-16-be"):
        assert redactor.data("x hunter2! y".encode(encoding)).find("hunter".encode(encoding)) < 0


def test_each_secret_is_replaced_by_its_own_name_and_the_longest_first() -> None:
    redactor = Redactor()
    redactor.mark("short", "hunter2")
    redactor.mark("long", "hunter2hunter2")
    assert redactor.text("hunter2hunter2 hunter2") == "[secret long] [secret short]"


def test_values_are_searched_through_and_through() -> None:
    redactor = Redactor()
    redactor.mark("db", "hunter2!")
    use = {"run": ["curl", "-u", "me:hunter2!"], "exit_code": 0, "nested": {"hunter2!": ("hunter2!", None, True)}}
    assert redactor.value(use) == {
        "run": ["curl", "-u", "me:[secret db]"],
        "exit_code": 0,
        "nested": {"[secret db]": ["[secret db]", None, True]},
    }


def test_the_rest_of_a_secret_whose_beginning_was_dropped_is_cut() -> None:
    redactor = Redactor()
    assert redactor.cut(b"ter2! and more") == b"ter2! and more"
    redactor.mark("db", "hunter2!")
    assert redactor.cut(b"ter2! and more") == b" and more"
    assert redactor.cut(b"nothing of it") == b"nothing of it"


def test_the_beginning_of_a_secret_that_was_clipped_is_cut() -> None:
    redactor = Redactor()
    redactor.mark("db", "hunter2!")
    start = "y" * (MAX_TEXT - 6)
    assert redactor.text(start + "hunter") == redactor.line(start + "hunter") == start
    assert redactor.text(start[1:] + "HUNTER" + "…") == start[1:] + "…", "as results are clipped"
    assert redactor.text(start + "hunger") == start + "hunger"
    assert redactor.text(start[1:] + "hunter") == start[1:] + "hunter", "the control: it is whole"


def test_what_is_a_secret_once_its_escape_sequences_are_gone_is_found() -> None:
    redactor = Redactor()
    coloured = "at hunt\x1b[0mer2! again"
    assert (redactor.line(coloured), redactor.lines(coloured.encode())) == ("at hunter2! again",) * 2, "the control"
    redactor.mark("db", "hunter2!")
    assert (redactor.line(coloured), redactor.lines(coloured.encode())) == ("at [secret db] again",) * 2


def test_secrets_that_overlap_are_replaced_as_one() -> None:
    redactor = Redactor()
    redactor.mark("one", "abcdefgh")
    assert redactor.text("<abcdefghijkl>") == "<[secret one]ijkl>", "the control"
    redactor.mark("other", "efghijkl")
    assert redactor.text("<abcdefghijkl>") == "<[secret one]>"


@pytest.mark.parametrize("bound", ["_SEARCHED", "_MAPPED"])
@pytest.mark.parametrize("end", ["", "\n"])
def test_a_secret_is_found_across_the_pieces_that_are_searched(
    bound: str, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redaction, bound, 16)
    redactor = Redactor()
    redactor.mark("db", "hunter2!")
    for before in range(40):
        said = b"." * before + f"{end}hun{end}ter2!{end}".encode() + b"." * 20 + b"hunter2!"
        expected = b"." * before + f"{end}[secret db]{end}".encode() + b"." * 20 + b"[secret db]"
        assert redactor.data(said) == expected


def test_a_backslash_before_a_secret_hides_nothing_of_it() -> None:
    redactor = Redactor()
    redactor.mark("db", "nathan99")
    assert redactor.text("C:\\nathan99 a\\nathan98") == "C:\\[secret db] a\\nathan98"


def test_a_search_that_nobody_waits_for_stops() -> None:
    redactor, abandoned = Redactor(), threading.Event()
    redactor.mark("db", "hunter2!")
    assert redactor.data(b"<hunter2!>", abandoned) == b"<[secret db]>", "the control"
    abandoned.set()
    with pytest.raises(redaction.AbandonedError):
        redactor.data(b"<hunter2!>", abandoned)


def test_a_form_that_is_found_within_a_character_breaks_nothing() -> None:
    redactor = Redactor()
    redactor.mark("db", "¿abcde")  # in UTF-16 it begins with what a character of UTF-8 ends with
    assert redactor.text("ÿabcde ¿abcde") == "\N{REPLACEMENT CHARACTER}[secret db] [secret db]"


def test_what_has_no_secret_in_it_stays_as_it_is() -> None:
    redactor = Redactor()
    redactor.mark("db", "hunter2!")
    data = bytes(range(256)) * 10
    assert redactor.data(data) == data
    assert redactor.text("\ud800 hunter2 \ufffd") == "\ud800 hunter2 \ufffd"
