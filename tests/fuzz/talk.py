"""Bytes become talk: messages of docs/wire.md, whole, bent or broken, as the bytes decide.

Every input means something, so that neither hypothesis nor a fuzzer wastes its time on what is refused at once; and
the same bytes are the same talk for ever, so that what was found can be tried again.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).parents[2] / "docs/wire.md"
_EXAMPLE = re.compile(r"<!-- (\w+) -->\n```json\n(.*?)```", re.DOTALL)

_VALUES: Sequence[Any] = (
    None,
    True,
    False,
    0,
    1,
    2,
    -1,
    2**31,
    2**53 + 1,
    2**63,
    2**64,
    10**400,
    0.5,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "a",
    "b",
    "c",
    "pass",
    "skipped",
    "\x00",
    "\x1b[2J",
    "\ud800",
    "e" * 200,
    "e" * 5000,
    "/",
    "/proc/self/environ",
    "../..",
    "AAAA",
    "A",
    [],
    ["a"],
    ["a", "a"],
    [[[[[[[[[]]]]]]]]],
    {},
    {"a": "b"},
    {"check_id": "a", "outcome": "pass", "reason": "", "expected": None, "actual": None, "evidence": []},
    [{"check_id": "a", "outcome": "pass", "reason": "", "expected": None, "actual": None, "evidence": []}],
    [{"check_id": "b", "outcome": "fail", "reason": "x", "expected": "1", "actual": "2", "evidence": []}],
    [{"check_id": "c", "outcome": "pass", "reason": "", "expected": None, "actual": None, "evidence": []}],
    [{"id": "s", "type": "user", "title": "s", "labels": {}, "props": {}}],
)


class Source:
    """Decisions, one after the other; when the bytes are at an end, each is the first there is."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """Bytes that have decided nothing yet."""
        return max(0, len(self._data) - self._at)

    def below(self, bound: int) -> int:
        """A whole number from 0."""
        return (self.take(1) or b"\0")[0] % bound

    def one_of(self, things: Sequence[Any]) -> Any:
        """One of them."""
        return things[self.below(len(things))]

    def take(self, count: int) -> bytes:
        """The next bytes, as they are."""
        taken = self._data[self._at : self._at + count]
        self._at += count
        return taken


def examples(sender: str) -> list[dict[str, Any]]:
    """The document's messages of the parent, or of the child."""
    return [json.loads(body) for who, body in _EXAMPLE.findall(DOCUMENT.read_text()) if who == sender]


def frames(source: Source, templates: Sequence[dict[str, Any]], *, at_most: int = 24) -> Iterator[bytes]:
    """What one end says, in pieces as they are written to the socket."""
    request = 0
    for _ in range(at_most):
        if not source.left:
            return
        how = source.below(16)
        if how == 0:
            yield source.take(1 + source.below(64))  # whatever it is
            continue
        message = json.loads(json.dumps(source.one_of(templates)))
        if "call" in message:
            message["call"] = 1
        if "id" in message:
            request += 1
            message["id"] = request
        if isinstance(message.get("check"), str):
            message["check"] = "a"
        for _ in range(source.below(3)):
            _bend(message, source)
        body = json.dumps(message, ensure_ascii=source.below(2) == 0).encode("utf-8", "surrogatepass")
        if how == 1:
            body = body[: source.below(255)]
        elif how == 2:
            body += source.take(3)
        length = len(body) + (source.one_of((1, -1, 1 << 20, -(1 << 31) // 2)) if how == 3 else 0)
        frame = length.to_bytes(4, "big", signed=True) + body
        cut = source.below(len(frame)) if how == 4 else 0
        yield from (frame[:cut], frame[cut:]) if cut else (frame,)


def _bend(message: dict[str, Any], source: Source) -> None:
    name = source.one_of(sorted(message))
    match source.below(8):
        case 0:
            del message[name]
            message.setdefault("type", "executed")
        case 1:
            message["surplus"] = source.one_of(_VALUES)
        case _:
            message[name] = source.one_of(_VALUES)
