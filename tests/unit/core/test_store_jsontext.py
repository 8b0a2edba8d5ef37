"""A record that is nested too deeply is a damaged one: of one plugin, and not the end of every command."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from assess_core.errors import StoreError
from assess_core.store import interpreters, untouched
from assess_core.store.active import decode_pointer
from assess_core.store.choices import Choices, decode_choices, encode_choices
from assess_core.store.consents import Consents, decode_consents, encode_consents
from assess_core.store.jsontext import json_of
from assess_core.store.layout import Layout
from assess_core.store.records import decode_record
from assess_core.store.upgrade import LAYOUT
from assess_core.store.wheels import StoredFile, decode_files, encode_files
from assess_registry.client import parse_sha256

DEEP = b"[" * 200_000
FILE = StoredFile(path="a.py", sha256=parse_sha256("1" * 64), size=3, executable=False, generated=False)


def test_json_is_read_and_what_is_nested_too_deeply_is_a_value_error() -> None:
    assert json_of(b'{"a": [[[1]]]}') == {"a": [[[1]]]}
    with pytest.raises(ValueError, match="nested too deeply"):
        json_of(DEEP)


@pytest.mark.parametrize(
    "decode",
    [
        decode_pointer,
        decode_choices,
        decode_consents,
        decode_files,
        untouched._decode,
        lambda data: decode_record(data, env_key="1" * 64, environment=Path("/nowhere")),
    ],
)
def test_no_record_that_is_nested_too_deeply_is_anything_else_than_damaged(decode: Callable[[bytes], object]) -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        decode(DEEP)


def test_records_as_they_are_written_are_read() -> None:
    """The control of the one above."""
    assert decode_choices(encode_choices(Choices())) == Choices()
    assert decode_consents(encode_consents(Consents())) == Consents()
    assert decode_files(encode_files([FILE])) == (FILE,)


@pytest.mark.parametrize("wrong", [b'{"schema": 1}', b'{"schema": 1, "files": [["a.py", "%s", 1e999, false, false]]}'])
def test_a_list_of_files_that_is_none_is_a_value_error(wrong: bytes) -> None:
    assert json.loads(encode_files([FILE]))["schema"] == 1
    with pytest.raises(ValueError, match="expected"):
        decode_files(wrong.replace(b"%s", b"1" * 64))


def test_a_layout_that_is_nested_too_deeply_is_said_to_be_none(tmp_path: Path) -> None:
    root = tmp_path / "state"
    root.mkdir(mode=0o700)
    (root / "layout.json").write_text(json.dumps({"layout": LAYOUT}))
    (root / "layout.json").chmod(0o600)
    assert Layout(root=root).check() == LAYOUT
    (root / "layout.json").write_bytes(DEEP)
    with pytest.raises(StoreError, match="expected"):
        Layout(root=root).check()


def test_interpreters_that_are_remembered_nested_too_deeply_are_asked_again(tmp_path: Path) -> None:
    memory = tmp_path / "interpreters.json"
    memory.write_text(json.dumps({"schema": interpreters.SCHEMA, "interpreters": {}}))
    assert interpreters._decoded(memory) == {}
    memory.write_bytes(DEEP)
    assert interpreters._decoded(memory) == {}
