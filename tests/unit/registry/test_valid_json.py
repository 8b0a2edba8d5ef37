"""What is printed for programs is valid JSON, whatever it holds."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assess_registry.console import print_json
from assess_registry.valid_json import valid
from tests.support.examples import examples

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec=None)), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=examples(50), deadline=None)
@given(ANYTHING)
def test_anything_becomes_what_every_reader_takes_and_what_is_valid_stays(value: Any) -> None:
    made = valid(value)
    text = json.dumps(made, allow_nan=False, ensure_ascii=False)
    text.encode()  # no lone surrogate
    assert json.loads(text) == made
    assert valid(made) == made


def test_what_is_printed_is_valid_and_nothing_in_it_reaches_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a\udc80": "\x1b[2J\u202e\udc80", "many": 2**70, "nan": float("nan"), "list": ("x", None)})
    out = capsys.readouterr().out
    assert out.isascii()
    assert "\x1b" not in out
    assert json.loads(out) == {
        "schema": 1,
        "a\ufffd": "\x1b[2J\u202e\ufffd",
        "many": hex(2**70),
        "nan": "nan",
        "list": ["x", None],
    }
