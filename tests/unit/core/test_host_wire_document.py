"""docs/wire.md is the contract: its examples are messages of both ends, and its numbers are those of the code."""

import json
import os
import re
import typing
from pathlib import Path

import msgspec
import pytest

from assess_core.assessing.call_results import MAX_RUN_EVIDENCE_BYTES
from assess_core.host import HostConfig, messages, prepared, starting
from assess_plugin import wire

DOCUMENT = Path(__file__).parents[3] / "docs" / "wire.md"
TEXT = DOCUMENT.read_text()
FENCED = re.compile(r"<!-- (\w+) -->\n```json\n(.*?)```", re.DOTALL)
EXAMPLES = [(sender, json.loads(body)) for sender, body in FENCED.findall(TEXT)]
OF_PARENT = [message for sender, message in EXAMPLES if sender == "parent"]
OF_CHILD = [message for sender, message in EXAMPLES if sender == "child"]


def tags(union: object) -> set[str]:
    return {kind.__struct_config__.tag for kind in typing.get_args(union)}


def test_every_message_has_an_example() -> None:
    assert {message["type"] for message in OF_PARENT} == tags(messages.ToWorker)
    assert {message["type"] for message in OF_CHILD} == tags(messages.FromWorker)


@pytest.mark.parametrize("message", OF_PARENT, ids=lambda message: message["type"])
def test_the_parent_writes_and_the_child_reads_its_examples(message: dict[str, object]) -> None:
    typed = msgspec.json.decode(json.dumps(message), type=messages.ToWorker)
    frame = messages.encode(typed)
    assert wire.decode(frame[4:]) == message
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4


@pytest.mark.parametrize("message", OF_CHILD, ids=lambda message: message["type"])
def test_the_child_writes_and_the_parent_reads_its_examples(message: dict[str, object]) -> None:
    decoded = messages.decode(memoryview(wire.encode(message))[4:])
    assert json.loads(msgspec.json.encode(decoded)) == message


@pytest.mark.parametrize("message", OF_CHILD, ids=lambda message: message["type"])
def test_no_field_is_optional_and_none_is_ignored(message: dict[str, object]) -> None:
    for name in message:
        with pytest.raises(messages.MessageError):
            messages.decode(json.dumps({key: value for key, value in message.items() if key != name}).encode())
    with pytest.raises(messages.MessageError):
        messages.decode(json.dumps({**message, "surprise": 1}).encode())


@pytest.mark.parametrize("message", OF_PARENT, ids=lambda message: message["type"])
def test_the_child_ignores_nothing_either(message: dict[str, object]) -> None:
    for name in message:
        with pytest.raises(wire.WireError):
            wire.decode(json.dumps({key: value for key, value in message.items() if key != name}).encode())
    with pytest.raises(wire.WireError):
        wire.decode(json.dumps({**message, "surprise": 1}).encode())


def test_the_numbers_are_those_of_the_code() -> None:
    config = HostConfig(kits=lambda _: Path(), scratch_root=Path())
    assert f"above {wire.MAX_FRAME:,}" in TEXT
    assert f"| {wire.MAX_NOTICES:,} and {wire.MAX_NOTICE_BYTES >> 20} MiB |" in TEXT
    assert f"| requests | {wire.MAX_REQUESTS:,} |" in TEXT
    assert f"| commands | {wire.MAX_COMMANDS:,} |" in TEXT
    assert f"| connections | {wire.MAX_CONNECTIONS}; {wire.CONNECTIONS_PER_S} a second" in TEXT
    assert f"| evidence | {wire.MAX_EVIDENCE_BYTES >> 20} MiB, {wire.MAX_EVIDENCE_NAMES} names |" in TEXT
    assert f"| everything the child sends | {wire.MAX_CALL_BYTES >> 20} MiB |" in TEXT
    assert f"| a command's output | {wire.MAX_OUTPUT_BYTES >> 20} MiB |" in TEXT
    assert f"| {MAX_RUN_EVIDENCE_BYTES >> 20:,} MiB | the call it came in fails" in TEXT
    assert f"at most {wire.EVIDENCE_CHUNK >> 10} KiB" in TEXT
    assert f"`start_timeout_s`, {config.start_timeout_s:g} s" in TEXT
    assert f"`stop_timeout_s`, {config.stop_timeout_s:g} s" in TEXT
    assert f"`kill_after_s`, {config.kill_after_s:g} s" in TEXT


def test_how_many_start_at_once_and_how_long_a_parent_lives_is_what_the_documents_say() -> None:
    isolation = (DOCUMENT.parent / "isolation.md").read_text()
    assert f"serves at most {prepared.MOST_STARTS} starts and ends after a minute without one" in isolation
    assert prepared.IDLE_S == 60.0
    assert "At most twice as many starts as there are processors are under way at a time" in TEXT
    assert 2 * (os.cpu_count() or 1) == starting.AT_ONCE
    assert starting.OVERDUE_S == 1.0
    assert prepared.SPAWNED_FIRST == 1
