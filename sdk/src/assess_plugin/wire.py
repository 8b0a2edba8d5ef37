"""The child's end of the pipe: frames, and the messages of docs/wire.md as plain dicts.

Both ends import the constants here. The child uses the standard library's `json`, because everything it imports
before the plugin is start-up time and memory of every worker. `_socket` is the C half of `socket`, at a tenth of the
import cost.

    channel = Channel(_socket.socket(fileno=3))
    message = channel.receive()
    channel.send({"type": "loaded", "entries": []})
"""

import json
import sys
from _socket import CMSG_SPACE, SCM_RIGHTS, SOL_SOCKET, socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from assess_plugin.models import CheckResult, Evidence, Subject

PROTOCOL = 2
"""Version of docs/wire.md."""

MAX_FRAME = 1 << 20
"""Bytes of one message's body."""

READ_SIZE = 64 * 1024
"""Bytes read at once, into one buffer made once (a fresh 256 KiB buffer costs 20 us a read)."""

EVIDENCE_CHUNK = 512 * 1024
"""Bytes of evidence in one message; base64 makes them 683 KiB."""

MAX_NOTICES = 2_000
MAX_NOTICE_BYTES = 1 << 20
MAX_REQUESTS = 20_000
MAX_EVIDENCE_BYTES = 16 << 20
MAX_EVIDENCE_NAMES = 200
MAX_CALL_BYTES = 64 << 20
MAX_OUTPUT_BYTES = 8 << 20
"""Of a command; one that writes more is killed."""

MAX_STDERR_BYTES = 64 * 1024
"""Of a command; what is more is cut."""

MAX_CONNECTIONS = 500
"""Of one call."""

CONNECTIONS_PER_S = 20
"""On average, after as many at once; asking faster waits."""

MAX_COMMANDS = 2_000
"""Of one call."""

COMMAND_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
COMMAND_ENVIRONMENT: Mapping[str, str] = {"LANG": "C.UTF-8", "PATH": COMMAND_PATH}
"""All of a command's environment, whoever runs it."""

PROBLEMS_AT_ONCE = 25
"""What a provider could not find, in one message: even if each character becomes an escape, they fit."""

HEADER = 4

Message = dict[str, Any]

_FIELDS: Mapping[str, Mapping[str, type | tuple[type, ...]]] = {
    "isolate": {"required": bool, "profile": dict},
    "hello": {"protocol": int, "api": str, "nonce": str},
    "load": {"entries": list},
    "execute": {"call": int, "entry": str, "subject": dict, "checks": list, "settings": dict},
    "evaluate": {"call": int, "entry": str, "selector": dict, "runtime": str, "labels": dict, "settings": dict},
    "ran": {
        "call": int,
        "id": int,
        "exit_code": int,
        "stdout": str,
        "stderr": str,
        "truncated": bool,
        "spilled": (int, type(None)),
    },
    "opened": {"call": int, "id": int},
    "connected": {"call": int, "id": int, "family": str},
    "revealed": {"call": int, "id": int, "value": str},
    "status": {"call": int, "id": int, "mode": int, "uid": int, "gid": int, "size": int},
    "taken": {"call": int, "id": int},
    "refused": {"call": int, "id": int, "kind": str, "errno": (int, type(None)), "message": str},
    "shutdown": {},
}

_decode_json = json.JSONDecoder().raw_decode
"""Without what `json.loads` looks for first: another encoding, white space around."""

_quote: Callable[[str], str] = json.encoder.encode_basestring
_encode_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class WireError(Exception):
    """The other end broke docs/wire.md, or is gone."""


class TooLargeError(ValueError):
    """A message does not fit one frame."""


def encode(message: Message) -> bytes:
    """The message as one frame, header included.

    Raises:
        TooLargeError: its body is larger than `MAX_FRAME`.
        ValueError: it holds NaN, an infinity, a cycle, or text with a lone surrogate.
        TypeError: it holds something that JSON has no word for.
    """
    return _frame(_encode_json(message))


def decode(body: bytes | bytearray | memoryview) -> Message:
    """The parent's message in a frame's body, its fields present, no others, each of its type.

    Raises:
        WireError: it is none of the parent's messages.
    """
    try:
        text = str(body, "utf-8")
        message, end = _decode_json(text)
    except ValueError as error:
        raise WireError(f"not JSON: {error}") from error
    if end != len(text):
        raise WireError(f"not one JSON value: {text[end : end + 200]!r} follows it")
    kind = message.get("type") if isinstance(message, dict) else None
    fields = _FIELDS.get(kind) if isinstance(kind, str) else None
    if fields is None:
        raise WireError(f"not a message of protocol {PROTOCOL}: {str(message)[:200]}")
    if len(message) != len(fields) + 1:
        raise WireError(f"{kind} has the fields {sorted(message)}, expected {sorted(fields)} and type")
    for name, types in fields.items():
        if not isinstance(message.get(name, ...), types):
            raise WireError(f"{kind}.{name} is {message.get(name, 'missing')!r}"[:200])
    if kind == "execute" and not {str}.issuperset(map(type, message["checks"])):
        raise WireError(f"execute.checks is {message['checks']!r}"[:200])
    checked: Message = message
    return checked


def result_json(result: CheckResult) -> str:
    """A check's result as it is sent; its texts were checked by `CheckResult` itself.

    Written out by hand: a reply is mostly results, and this takes a third of what `json` takes for them.

    Raises:
        TypeError: its evidence holds something other than what `host.evidence` returned.
    """
    evidence = ""
    if result.evidence:
        if not all(type(item) is Evidence for item in result.evidence):
            got = repr(result.evidence)[:300]
            raise TypeError(f"evidence of {result.check_id!r} must be what host.evidence returned, got {got}")
        pieces = [f'{{"name":{_quote(e.name)},"media_type":{_quote(e.media_type)}}}' for e in result.evidence]
        evidence = ",".join(pieces)
    expected, actual = result.expected, result.actual
    # absent where there is none, so that a plugin of API 1.0 is answered for in the words of 1.0
    remediation = "" if result.remediation is None else f',"remediation":{_quote(result.remediation)}'
    return (
        f'{{"check_id":{_quote(result.check_id)},"outcome":"{result.outcome}","reason":{_quote(result.reason)},'
        f'"expected":{"null" if expected is None else _quote(expected)},'
        f'"actual":{"null" if actual is None else _quote(actual)},"evidence":[{evidence}]{remediation}}}'
    )


def subject_json(subject: Subject) -> str:
    """A subject as it is sent.

    Raises:
        TypeError: a label or prop is not text.
    """
    return _encode_json(
        {
            "id": subject.id,
            "type": subject.type,
            "title": subject.title,
            "labels": text_map(f"labels of {subject.id!r}", subject.labels),
            "props": text_map(f"props of {subject.id!r}", subject.props),
        }
    )


def text_map(what: str, given: Mapping[Any, Any]) -> dict[str, str]:
    """A plain dict of texts, from a mapping that should be one."""
    for name, value in given.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"{what} must map text to text, got {name!r}: {value!r}"[:500])
    return dict(given)


def reply_frames(kind: str, call: int, field: str, items: list[str]) -> list[bytes]:
    """A reply whose list `field` holds `items`, already JSON, in as many frames as it needs; the last says no `more`.

    Raises:
        TooLargeError: one item alone is larger than a frame.
        UnicodeEncodeError: an item holds a lone surrogate.
    """
    frames: list[bytes] = []
    pending = [items]
    while pending:
        part = pending.pop()
        more = "true" if pending else "false"
        try:
            frames.append(_frame(f'{{"type":"{kind}","call":{call},"more":{more},"{field}":[{",".join(part)}]}}'))
        except TooLargeError:
            if len(part) < 2:
                raise
            half = len(part) // 2
            pending += [part[half:], part[:half]]
    return frames


def incomplete_frames(call: int, problems: Sequence[str]) -> list[bytes]:
    """What a provider could not find, in as many messages as it needs; none where it found all.

    Raises:
        ValueError: one holds a lone surrogate.
    """
    parts = [problems[start : start + PROBLEMS_AT_ONCE] for start in range(0, len(problems), PROBLEMS_AT_ONCE)]
    return [encode({"type": "incomplete", "call": call, "problems": list(part)}) for part in parts]


def _frame(text: str) -> bytes:
    body = text.encode()  # JSON with its characters as they are: UTF-8 is where a lone surrogate shows itself
    if len(body) > MAX_FRAME:
        raise TooLargeError(f"a message of {len(body)} bytes is larger than the limit of {MAX_FRAME}")
    return len(body).to_bytes(HEADER, "big", signed=True) + body


class Channel:
    """The child's end: blocking, one reader, whole messages.

    Not safe for two threads at once; whoever shares it holds a lock.
    """

    def __init__(self, sock: socket) -> None:
        self._sock = sock
        self._buffer = bytearray(READ_SIZE)
        self._view = memoryview(self._buffer)
        self._start = self._end = 0
        self._descriptors: list[int] = []

    def send(self, *frames: bytes) -> None:
        """Write frames that `encode` made, all in one call to the kernel.

        Raises:
            WireError: the parent is gone.
        """
        try:
            self._sock.sendall(frames[0] if len(frames) == 1 else b"".join(frames))
        except OSError as error:
            raise WireError(f"the runtime is gone: {error}") from error

    def receive(self) -> Message | None:
        """The next message; None when the parent has closed its end.

        Raises:
            WireError: the parent sent something that is not a message, or was cut off inside one.
        """
        if self._start == self._end:
            self._start, self._end = 0, self._fill()
            if not self._end:
                return None
        if self._end - self._start >= HEADER:
            length = self._length(self._buffer[self._start : self._start + HEADER])
            end = self._start + HEADER + length
            if end <= self._end:  # the common case: the whole message came in one read
                body, self._start = self._view[self._start + HEADER : end], end
                return decode(body)
        length = self._length(self._take(HEADER))
        return decode(self._take(length))

    def descriptor(self) -> int:
        """The descriptor that came with the last message.

        Raises:
            WireError: none came.
        """
        if not self._descriptors:
            raise WireError("a descriptor was announced and did not come")
        return self._descriptors.pop(0)

    @staticmethod
    def _length(header: bytearray) -> int:
        length = int.from_bytes(header, "big", signed=True)
        if not 0 <= length <= MAX_FRAME:
            raise WireError(f"a frame of {length} bytes; the limit is {MAX_FRAME}")
        return length

    def _take(self, size: int) -> bytearray:
        taken = self._buffer[self._start : min(self._end, self._start + size)]
        self._start += len(taken)
        while len(taken) < size:
            got = self._fill()
            if not got:
                raise WireError("the runtime closed the pipe in the middle of a message")
            self._start, self._end = min(got, size - len(taken)), got
            taken += self._view[: self._start]
        return taken

    def _fill(self) -> int:
        try:
            count, ancillary, _, _ = self._sock.recvmsg_into([self._buffer], CMSG_SPACE(4))
        except OSError as error:
            raise WireError(f"the runtime is gone: {error}") from error
        for level, kind, data in ancillary:
            if level == SOL_SOCKET and kind == SCM_RIGHTS:
                self._descriptors += [int.from_bytes(data[i : i + 4], sys.byteorder) for i in range(0, len(data), 4)]
        return count
