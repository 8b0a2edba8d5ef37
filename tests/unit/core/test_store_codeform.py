"""Bytecode is compared with its source without being loaded."""

import importlib.util
import marshal
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assess_core.store.codeform import HEADER_BYTES, code_digest, same_code
from tests.support.examples import examples

SOURCE = b'''
"""Text with \xc3\xa9, beyond ASCII."""
LONE = "\\ud800"
NUMBERS = (1, -1, 2**31, -(2**70), 1.5, -0.0, 1j, True, None, ...)
NAMES = {"a", "b"} | frozenset(("x", b"x"))


class Thing:
    def method(self, a, /, b=1, *args, c, **rest):
        try:
            d = [a for a in args if a in {"p", "q", "r"}]
        except* ValueError:
            self.slice = lambda: NUMBERS[1:2]
'''


def pyc(source: bytes, *, filename: str = "/somewhere/else.py", optimize: int = 0) -> bytes:
    code = compile(source, filename, "exec", dont_inherit=True, optimize=optimize)
    return importlib.util.MAGIC_NUMBER + bytes(HEADER_BYTES - 4) + marshal.dumps(code)


def test_the_bytecode_of_a_source_is_accepted_whatever_file_name_it_records() -> None:
    assert same_code(pyc(SOURCE), SOURCE, optimize=0)
    assert same_code(pyc(SOURCE, filename="b.py"), SOURCE, optimize=0)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"1.5", b"2.5"),
        (b"-(2**70)", b"-(2**71)"),
        (b"True", b"1"),
        (b'{"p"', b'{"P"'),
        (b'b"x"', b'"x"'),
        (b"[1:2]", b"[1:3]"),
        (b"a in args", b"a in rest"),
        (b"b=1", b"b=2"),
        (b"class Thing", b"class Other"),
    ],
)
def test_bytecode_of_a_source_that_differs_in_one_place_is_refused(old: bytes, new: bytes) -> None:
    assert SOURCE.count(old) >= 1
    assert not same_code(pyc(SOURCE.replace(old, new)), SOURCE, optimize=0)


def test_sharing_of_equal_values_does_not_show() -> None:
    text = "".join(["a", "bcd efg"])
    shared, apart = (text, text), ("".join(["a", "bcd efg"]), "".join(["ab", "cd efg"]))
    assert marshal.dumps(shared) != marshal.dumps(apart)
    assert code_digest(marshal.dumps(shared)) == code_digest(marshal.dumps(apart))


def test_optimization_levels_are_told_apart() -> None:
    source = b'"""Doc."""\nassert False\n'
    assert same_code(pyc(source, optimize=2), source, optimize=2)
    assert not same_code(pyc(source, optimize=2), source, optimize=0)


def test_a_tuple_is_not_what_its_parts_would_be_in_another_grouping() -> None:
    assert code_digest(marshal.dumps((("a", "b"), "c"))) != code_digest(marshal.dumps((("a",), "b", "c")))
    assert code_digest(marshal.dumps(("u1:2:ab",))) != code_digest(marshal.dumps(("ab",)))


def test_bytecode_of_another_python_and_of_a_source_that_does_not_compile_is_refused() -> None:
    good = pyc(SOURCE)
    assert not same_code(b"\0\0\r\n" + good[4:], SOURCE, optimize=0)
    assert not same_code(good, b"def :", optimize=0)
    assert not same_code(b"", SOURCE, optimize=0)


HOSTILE = {
    "nothing": b"",
    "cut short": marshal.dumps(("a", "b"))[:-1],
    "something behind it": marshal.dumps("a") + b"N",
    "deep": b")\x01" * 100_000 + b"N",
    "refers to itself": b"\xa9\x01r" + struct.pack("<i", 0),
    "refers to nothing": b"r" + struct.pack("<i", 7),
    "refers backwards": b"\xa9\x01r" + struct.pack("<i", -1),
    "huge tuple": b"(" + struct.pack("<i", 2**31 - 1),
    "negative size": b"s" + struct.pack("<i", -5) + b"abcde",
    "huge integer": b"l" + struct.pack("<i", -(2**31)),
    "a type marshal does not have": b"\x01",
    "no utf-8": b"?",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_data_is_refused_without_being_loaded(name: str) -> None:
    with pytest.raises(ValueError):
        code_digest(HOSTILE[name])


def test_shared_values_cost_no_work_for_each_use() -> None:
    value: Any = ("".join(["a", "b"]),)
    for _ in range(200):
        value = (value, value)  # 2**200 strings, if references were followed
    data = marshal.dumps(value)
    assert len(data) < 5000
    assert code_digest(data) != code_digest(marshal.dumps((value,)))


@given(st.binary(max_size=200))
@settings(max_examples=examples(200), deadline=None)
def test_any_bytes_are_a_digest_or_refused_and_never_anything_else(data: bytes) -> None:
    try:
        answer = code_digest(data)
    except ValueError as error:
        answer = str(error).encode()
    assert answer
