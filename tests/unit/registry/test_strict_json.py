"""One document has one meaning for every reader, or is refused."""

import re

import pytest

from assess_registry.strict_json import parse_json

DEPTH = 5


def nested(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


@pytest.mark.parametrize(
    ("data", "said", "control"),
    [
        (b'{"a": 1, "a": 2}', "key 'a' occurs twice", b'{"a": 1, "b": 2}'),
        (b'{"a": {"b": 1, "\\u0062": 2}}', "key 'b' occurs twice", b'{"a": {"b": 1, "\\u0063": 2}}'),
        (b"[NaN]", "NaN is not JSON", b'["NaN"]'),
        (b"[-Infinity]", "-Infinity is not JSON", b"[-1]"),
        (b"[1e999]", "number 1e999 is too large", b"[1e99]"),
        (nested(DEPTH + 1), "nested deeper than 5 levels", nested(DEPTH)),
        (b"[" * 200_000, "nested deeper than 5 levels", b"[]"),
        (b'\xef\xbb\xbf{"a": 1}', "BOM", b'{"a": 1}'),
        ('{"a": 1}'.encode("utf-16"), "utf-8", b'{"a": 1}'),
        (b'{"a": 1} {}', "Extra data", b'{"a": 1} '),
        (b" " * 100 + b"1", "101 bytes, more than 100", b" " * 99 + b"1"),
    ],
)
def test_what_readers_could_understand_differently_is_refused(data: bytes, said: str, control: bytes) -> None:
    most = 100 if said.startswith("101") else None
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_json(data, max_depth=DEPTH, max_bytes=most)
    parse_json(control, max_depth=DEPTH, max_bytes=most)


def test_values_are_those_of_the_document() -> None:
    assert parse_json(b'{"a": [1, 2.5, null, true, "\\u00e9"]}', max_depth=DEPTH) == {"a": [1, 2.5, None, True, "é"]}
