"""The child's end of the pipe."""

import _socket
import array
import json
import multiprocessing.connection
import os
import socket
from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from assess_plugin import CheckResult, Evidence, Outcome, Subject, wire
from tests.support.examples import examples

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
TAKEN = {"type": "taken", "call": 1, "id": 2}


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, wire.Channel]]:
    """The parent's socket, and the child's channel at its other end."""
    ours, theirs = socket.socketpair()
    inner = _socket.socket(fileno=theirs.detach())
    with ours:
        yield ours, wire.Channel(inner)
    inner.close()


def result(**more: Any) -> CheckResult:
    return CheckResult(check_id="a", outcome=Outcome.FAIL, **more)


@given(reason=TEXT, actual=st.none() | TEXT, name=TEXT, remediation=st.none() | TEXT)
def test_a_result_written_by_hand_is_what_json_would_write(
    reason: str, actual: str | None, name: str, remediation: str | None
) -> None:
    evidence = (Evidence(name=name, media_type="text/plain"),)
    said = result(reason=reason, actual=actual, evidence=evidence, remediation=remediation)
    assert json.loads(wire.result_json(said)) == {
        "check_id": "a",
        "outcome": "fail",
        "reason": reason,
        "expected": None,
        "actual": actual,
        "evidence": [{"name": name, "media_type": "text/plain"}],
        **({} if remediation is None else {"remediation": remediation}),
    }


def test_a_frame_is_what_multiprocessing_reads_and_writes(pair: tuple[socket.socket, wire.Channel]) -> None:
    parent, child = pair
    connection = multiprocessing.connection.Connection(parent.detach())
    child.send(wire.encode({"type": "log", "message": "é"}))
    assert connection.recv_bytes() == '{"type":"log","message":"é"}'.encode()
    connection.send_bytes(json.dumps(TAKEN).encode())
    assert child.receive() == TAKEN
    connection.close()
    assert child.receive() is None


class Cut:
    """A socket that yields its data in pieces of one size."""

    def __init__(self, data: bytes, piece: int) -> None:
        self._pieces = [data[start : start + piece] for start in range(0, len(data), piece)]

    def recvmsg_into(self, buffers: list[bytearray], _: int) -> tuple[int, list[Any], int, None]:
        piece = self._pieces.pop(0) if self._pieces else b""
        taken = piece[: len(buffers[0])]
        if taken != piece:
            self._pieces.insert(0, piece[len(taken) :])
        buffers[0][: len(taken)] = taken
        return len(taken), [], 0, None


@settings(deadline=None, max_examples=examples(60))
@given(sizes=st.lists(st.integers(0, 300), max_size=6), piece=st.integers(1, 700))
@example(sizes=[3 * wire.READ_SIZE, 5, wire.READ_SIZE - 80], piece=10_007)
@example(sizes=[3 * wire.READ_SIZE, 5], piece=1 << 20)
def test_messages_survive_any_cutting(sizes: list[int], piece: int) -> None:
    refusal = {"type": "refused", "call": 1, "id": 1, "kind": "os", "errno": 2}
    sent = [{**refusal, "message": "x" * size} for size in sizes]
    child = wire.Channel(cast(_socket.socket, Cut(b"".join(map(wire.encode, sent)), piece)))
    got = []
    while (message := child.receive()) is not None:
        got.append(message)
    assert got == sent


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), "\ud800", {"\udc00": 1}, b"bytes", object(), {1, 2}, [[float("-inf")]]]
)
def test_what_json_cannot_say_is_refused_when_it_is_written(value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        wire.encode({"type": "log", "message": value})


def test_a_cycle_is_refused() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(ValueError, match="Circular"):
        wire.encode({"type": "log", "message": cycle})


def test_a_frame_may_have_the_limit_and_no_byte_more() -> None:
    room = wire.MAX_FRAME - len(wire.encode({"m": ""})) + wire.HEADER
    assert len(wire.encode({"m": "x" * room})) == wire.MAX_FRAME + wire.HEADER
    with pytest.raises(wire.TooLargeError):
        wire.encode({"m": "x" * (room + 1)})


def test_a_long_reply_is_divided_and_its_parts_are_the_whole() -> None:
    items = [json.dumps(str(number) + "é" * 50_000) for number in range(40)]
    frames = wire.reply_frames("executed", 7, "results", items)
    parts = [json.loads(frame[wire.HEADER :]) for frame in frames]
    assert [part["more"] for part in parts] == [True] * (len(parts) - 1) + [False]
    assert [json.dumps(item, ensure_ascii=False) for part in parts for item in part["results"]] == [
        json.dumps(json.loads(item), ensure_ascii=False) for item in items
    ]
    assert {(part["type"], part["call"]) for part in parts} == {("executed", 7)}
    assert len(wire.reply_frames("executed", 7, "results", [])) == 1


def test_an_item_that_no_frame_holds_is_refused() -> None:
    with pytest.raises(wire.TooLargeError):
        wire.reply_frames("evaluated", 1, "subjects", ["1", json.dumps("x" * wire.MAX_FRAME)])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"1",
        b"{",
        b"\xff",
        b'{"type": 1}',
        b'{"type": []}',
        b'{"type": "loaded"}',
        b'{"type": "taken", "call": 1}',
        b'{"type": "taken", "call": "1", "id": 1}',
        b'{"type": "opened", "call": 1, "id": 1, "x": 1}',
        b'{"type":"execute","call":1,"entry":"e","subject":{},"checks":[{}],"settings":{}}',
    ],
)
def test_what_is_no_message_of_the_parents_is_refused(body: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.decode(body)


@pytest.mark.parametrize("header", [b"\xff\xff\xff\xff", b"\x00\x10\x00\x01", b"\x7f\xff\xff\xff"])
def test_a_length_beyond_the_limit_is_refused(pair: tuple[socket.socket, wire.Channel], header: bytes) -> None:
    parent, child = pair
    parent.sendall(header)
    with pytest.raises(wire.WireError, match="limit"):
        child.receive()


def test_an_end_in_the_middle_of_a_message_is_no_end(pair: tuple[socket.socket, wire.Channel]) -> None:
    parent, child = pair
    parent.sendall(wire.encode(TAKEN)[:-1])
    parent.close()
    with pytest.raises(wire.WireError, match="middle"):
        child.receive()


def test_a_descriptor_comes_with_its_message(pair: tuple[socket.socket, wire.Channel]) -> None:
    parent, child = pair
    read, write = os.pipe()
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [read]))]
    parent.sendmsg([wire.encode({"type": "opened", "call": 1, "id": 1})], rights)
    os.close(read)
    assert child.receive() == {"type": "opened", "call": 1, "id": 1}
    received = child.descriptor()
    os.write(write, b"through")
    assert os.read(received, 10) == b"through"
    os.close(received)
    os.close(write)
    with pytest.raises(wire.WireError, match="did not come"):
        child.descriptor()


def test_labels_must_be_text() -> None:
    subject = Subject(id="a", type="component", title="a", labels={"n": 1})  # type: ignore[dict-item]
    with pytest.raises(TypeError, match="labels of 'a' must map text to text, got 'n': 1"):
        wire.subject_json(subject)
    assert json.loads(wire.subject_json(Subject(id="a", type="component", title="é")))["title"] == "é"
