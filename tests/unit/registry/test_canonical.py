import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assess_registry.canonical import Members, decode, encode, parse_text, parse_time, write_time
from tests.support.examples import examples

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
LEAVES = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | TEXTS
NAMES = st.text('abé\U0001f600\\"\n', max_size=4)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=8
)
AT = datetime(2026, 11, 21, 5, 10, tzinfo=UTC)


@settings(max_examples=examples(50))
@given(VALUES)
def test_every_value_has_one_spelling_that_is_read_back(value: Any) -> None:
    data = encode(value)
    assert decode(data, max_bytes=len(data)) == value
    assert encode(decode(data, max_bytes=len(data))) == data
    if data:
        with pytest.raises(ValueError, match="at most"):
            decode(data, max_bytes=len(data) - 1)


@settings(max_examples=examples(50))
@given(VALUES, st.sampled_from(["indent", "blanks", "ascii", "order", "break"]))
def test_any_other_spelling_of_it_is_refused(value: Any, how: str) -> None:
    compact: dict[str, Any] = {"separators": (",", ":"), "ensure_ascii": False, "sort_keys": True}
    ways: dict[str, dict[str, Any]] = {"indent": {"indent": 1}, "blanks": {"separators": (", ", ": ")}}
    ways |= {"ascii": {"ensure_ascii": True}, "order": {"sort_keys": False}, "break": {}}
    data = json.dumps(value, **(compact | ways[how])).encode() + (b"\n" if how == "break" else b"")
    if data == encode(value):
        assert decode(data, max_bytes=len(data)) == value
    else:
        with pytest.raises(ValueError, match="one spelling"):
            decode(data, max_bytes=len(data))


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"b":2,"a":1}',
        b"1.0",
        b"1e2",
        b"-0",
        b"01",
        b"NaN",
        b"Infinity",
        b'"\\u00e9"',
        b'"\\/"',
        b'"\\ud800"',
        b'"\xed\xa0\x80"',
        b"\xef\xbb\xbf1",
        b"1 ",
        b"",
        b"{",
        b"9" * 5000,
        b"[" * 100_000 + b"]" * 100_000,
        "1".encode("utf-16"),
    ],
)
def test_what_readers_take_differently_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode(data, max_bytes=1 << 20)


@pytest.mark.parametrize("value", [float("nan"), "\ud800", b"x", {1, 2}])
def test_what_is_no_json_is_not_written(value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        encode(value)


# --- times and texts ----------------------------------------------------------------------------------------------


@given(
    ago=st.timedeltas(min_value=timedelta(days=-9000), max_value=timedelta(days=9000)),
    hours=st.integers(min_value=-12, max_value=14),
)
def test_a_moment_has_one_spelling(ago: timedelta, hours: int) -> None:
    at = (AT - ago).astimezone(timezone(timedelta(hours=hours)))
    assert parse_time(write_time(at)) == at
    assert write_time(at) == write_time(at.astimezone(UTC))


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "2026-11-21", "2026-11-21T05:10Z", "2026-11-21 05:10:00Z", "2026-11-21T05:10:00z"),
        *("2026-11-21T05:10:00", "2026-11-21T05:10:00+00:00Z", "2026-11-21T05:10:00.5Z", "2026-11-21T05:10:00.000000Z"),
        *("20261121T051000Z", "2026-11-21T24:00:00Z", "2026-02-30T00:00:00Z", " 2026-11-21T05:10:00Z", "2026-W47-6Z"),
    ],
)
def test_a_time_in_any_other_spelling_is_refused(text: str) -> None:
    assert parse_time("2026-11-21T05:10:00Z") == AT
    with pytest.raises(ValueError, match="expected a time in UTC"):
        parse_time(text)


@pytest.mark.parametrize("text", ["", " ", "a\nb", "a\tb", "a\u202eb", "a\u200bb", "\x1b[31m", "x" * 501, "\ud800"])
def test_a_text_that_hides_something_is_refused(text: str) -> None:
    assert parse_text("naïve · 100 % \U0001f600") == "naïve · 100 % \U0001f600"
    with pytest.raises(ValueError, match="printable"):
        parse_text(text)


# --- members ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"n": 1, "s": "x"}, "here: items: missing"),
        ({"n": 1, "s": "x", "items": [], "more": 1}, "here: ['more']: no such member"),
        ([], "here: expected an object, got []"),
        ({"n": True, "s": "x", "items": []}, "here.n: expected 1 to 3, got True"),
        ({"n": 4, "s": "x", "items": []}, "here.n: expected 1 to 3, got 4"),
        ({"n": "1", "s": "x", "items": []}, "here.n: expected a whole number, got '1'"),
        ({"n": 1, "s": 1, "items": []}, "here.s: expected a string, got 1"),
        ({"n": 1, "s": "x", "items": {}}, "here.items: expected an array, got {}"),
        ({"n": 1, "s": "x", "items": ["a", 1]}, "here.items[1]: expected a string, got 1"),
        ({"n": 1, "s": "x", "items": ["a", "a", "a"]}, "here.items: expected at most 2 items, got 3"),
    ],
)
def test_a_member_that_is_wrong_is_named_with_its_path(value: object, says: str) -> None:
    def read(given_: object) -> tuple[int, str, tuple[str, ...]]:
        members = Members.of(given_, "here", required=("n", "s", "items"))
        strings = members.strings("items", str, max_items=2)
        return members.integer("n", low=1, high=3), members.text("s"), strings

    assert read({"n": 1, "s": "x", "items": ["a"]}) == (1, "x", ("a",))
    with pytest.raises(ValueError) as refused:  # the words are compared below
        read(value)
    assert str(refused.value) == says


@pytest.mark.parametrize(("expected", "value"), [(1, True), (1, 1.0), (1, "1"), (False, 0), ("a", "b"), (1, None)])
def test_a_constant_is_of_its_very_type(expected: object, value: object) -> None:
    Members.of({"k": expected}, "here", required=("k",)).exactly("k", expected)
    with pytest.raises(ValueError, match=r"here\.k: expected"):
        Members.of({"k": value}, "here", required=("k",)).exactly("k", expected)
