"""A plugin that takes the pipe from its worker and breaks docs/wire.md; the first check's id says how.

Settings are not needed: every attack has a control here, `decent`, that goes the same way and keeps to the protocol.
"""

import json
import os
import signal
from typing import Any

from assess_plugin import ActionInput, hookimpl

ROUNDS = 200_000
"""Messages of a flood; more than any budget."""


@hookimpl
def assess_execute(input: ActionInput) -> Any:
    host: Any = input.host
    globals()[input.checks[0].replace("-", "_")](input.checks[0], host._channel._sock)
    signal.pause()


def _frame(message: Any) -> bytes:
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return len(body).to_bytes(4, "big", signed=True) + body


def _reply(check: str, **more: Any) -> bytes:
    result: dict[str, Any] = {
        "check_id": check,
        "outcome": "pass",
        "reason": "",
        "expected": None,
        "actual": None,
        "evidence": [],
    }
    return _frame({"type": "executed", "call": 1, "results": [result | more], "more": False})


def decent(check: str, pipe: Any) -> None:
    pipe.sendall(_reply(check))


def dribbles(check: str, pipe: Any) -> None:
    """The decent reply, a byte at a time: slow is not wrong."""
    for byte in _reply(check):
        pipe.sendall(bytes([byte]))


def half_frame(check: str, pipe: Any) -> None:
    pipe.sendall(_reply(check)[:-1])


def half_frame_and_close(check: str, pipe: Any) -> None:
    pipe.sendall(_reply(check)[:-1])
    os.close(pipe.fileno())


def closes(check: str, pipe: Any) -> None:
    os.close(pipe.fileno())


def lying_length(check: str, pipe: Any) -> None:
    pipe.sendall((0x7FFFFFFF).to_bytes(4, "big"))


def negative_length(check: str, pipe: Any) -> None:
    pipe.sendall((-1).to_bytes(4, "big", signed=True) + (1 << 40).to_bytes(8, "big"))


def oversize(check: str, pipe: Any) -> None:
    pipe.sendall(((1 << 20) + 1).to_bytes(4, "big"))


def largest(check: str, pipe: Any) -> None:
    """Exactly the limit is allowed."""
    reply = _reply(check)[4:]
    pipe.sendall(_frame(reply + b" " * ((1 << 20) - len(reply))))


def empty_frame(check: str, pipe: Any) -> None:
    pipe.sendall(bytes(4))


def garbage(check: str, pipe: Any) -> None:
    pipe.sendall(_frame(b"\x80\x04\x95pickle"))


def deep_json(check: str, pipe: Any) -> None:
    pipe.sendall(_frame(b'{"type":"executed","call":1,"more":false,"results":' + b"[" * 100_000))


def nan(check: str, pipe: Any) -> None:
    pipe.sendall(_frame(b'{"type":"progress","call":1,"done":NaN,"total":1,"note":""}'))


def huge_number(check: str, pipe: Any) -> None:
    pipe.sendall(_frame(b'{"type":"progress","call":1,"done":1e999,"total":1,"note":""}'))


def lone_surrogate(check: str, pipe: Any) -> None:
    pipe.sendall(_reply(check, reason="\ud800"))


def invents_outcome(check: str, pipe: Any) -> None:
    pipe.sendall(_reply(check, outcome="timeout"))


def zero_outcome(check: str, pipe: Any) -> None:
    pipe.sendall(_reply(check, outcome=0))


def long_text(check: str, pipe: Any) -> None:
    pipe.sendall(_reply(check, outcome="fail", reason="x" * 4097))


def unknown_type(check: str, pipe: Any) -> None:
    pipe.sendall(_frame({"type": "exec", "call": 1}))


def unknown_field(check: str, pipe: Any) -> None:
    pipe.sendall(_frame({"type": "log", "call": 1, "level": "info", "message": "", "to": "everyone"}))


def welcome_again(check: str, pipe: Any) -> None:
    pipe.sendall(_frame({"type": "welcome", "protocol": 1, "api": "1.0", "nonce": "", "python": ""}))


def wrong_call(check: str, pipe: Any) -> None:
    pipe.sendall(_reply(check).replace(b'"call": 1', b'"call": 2'))


def evaluated_instead(check: str, pipe: Any) -> None:
    pipe.sendall(_frame({"type": "evaluated", "call": 1, "subjects": [], "more": False}))


def request(check: str, pipe: Any) -> None:
    """A decent request, the answer read and left alone, and the decent reply."""
    pipe.sendall(_request(1, check))
    pipe.recv(65536)
    pipe.sendall(_reply(check))


def wrong_request_id(check: str, pipe: Any) -> None:
    pipe.sendall(_request(2, check))


def wrong_check(check: str, pipe: Any) -> None:
    pipe.sendall(_request(1, "not-asked-for"))


def two_requests(check: str, pipe: Any) -> None:
    pipe.sendall(_request(1, check) + _request(2, check))


def reply_before_answer(check: str, pipe: Any) -> None:
    pipe.sendall(_request(1, check) + _reply(check))


def two_replies(check: str, pipe: Any) -> None:
    pipe.sendall(_reply(check) * 2)


def flood_of_logs(check: str, pipe: Any) -> None:
    pipe.sendall(_frame({"type": "log", "call": 1, "level": "info", "message": ""}) * ROUNDS)


def flood_of_parts(check: str, pipe: Any) -> None:
    part = _frame(_reply(check)[4:].replace(b"false", b"true"))
    for _ in range(1000):
        pipe.sendall(part * 1000)


def flood_of_requests(check: str, pipe: Any) -> None:
    """Asks and never reads an answer."""
    number = 0
    while True:
        number += 1
        pipe.sendall(_frame({**_evidence(check), "id": number}))


def _request(number: int, check: str) -> bytes:
    return _frame({"type": "stat", "call": 1, "id": number, "check": check, "path": "/etc/passwd"})


def _evidence(check: str) -> dict[str, Any]:
    return {
        "type": "evidence",
        "call": 1,
        "check": check,
        "name": "n",
        "media_type": "text/plain",
        "data": "",
        "more": True,
    }
