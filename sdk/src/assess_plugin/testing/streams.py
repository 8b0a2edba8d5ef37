"""Connections that are written down while they are used, and such that only repeat what was written down.

Either way the plugin holds one end of a connection on this machine's loopback, which behaves like any of its own. A
connection whose bytes are new each time, as TLS makes them, can be recorded and not repeated: record what is behind it.
"""

import contextlib
import socket
import threading
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Sequence
from typing import Literal, TypedDict

_CHUNK = 64 * 1024
_END_S = 5.0
"""How long the end of a recorded connection is waited for."""


class Event(TypedDict):
    """Bytes that went one way until some went the other."""

    way: Literal["sent", "received"]
    data: str


class Stream:
    """The threads that carry one connection."""

    def __init__(self, *threads: threading.Thread, ends: Sequence[socket.socket]) -> None:
        self._threads, self._ends = threads, ends
        for thread in threads:
            thread.start()

    def end(self) -> None:
        """Nothing is carried any more."""
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(_END_S)
        for end in self._ends:
            end.close()


def relay(there: socket.socket, events: list[Event], hide: Callable[[bytes], bytes]) -> tuple[socket.socket, Stream]:
    """A connection whose other end is `there`, and what carries it; `events` tells what goes through, after `hide`."""
    here, ours = _pair()
    lock = threading.Lock()

    def carry(source: socket.socket, target: socket.socket, way: Literal["sent", "received"]) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                with lock:
                    _note(events, way, hide(data))
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    carriers = (
        threading.Thread(target=carry, args=(ours, there, "sent"), daemon=True),
        threading.Thread(target=carry, args=(there, ours, "received"), daemon=True),
    )
    return here, Stream(*carriers, ends=(ours, there))


def play(events: Sequence[Event], peer: str, differences: list[str]) -> socket.socket:
    """A connection whose other end does again what was written down; what it is sent instead goes to `differences`."""
    here, ours = _pair()

    def answer() -> None:
        with ours, contextlib.suppress(OSError):
            for event in events:
                data = a2b_base64(event["data"])
                if event["way"] == "received":
                    ours.sendall(data)
                elif (got := _read(ours, len(data))) != data:
                    differences.append(f"{peer} was sent {got[:200]!r} where {data[:200]!r} was recorded")
                    return
            with contextlib.suppress(OSError):
                ours.shutdown(socket.SHUT_WR)
            _read(ours, _CHUNK)  # until the plugin has done with it

    threading.Thread(target=answer, daemon=True).start()
    return here


def _note(events: list[Event], way: Literal["sent", "received"], data: bytes) -> None:
    if events and events[-1]["way"] == way:
        data = a2b_base64(events.pop()["data"]) + data
    events.append({"way": way, "data": b2a_base64(data, newline=False).decode("ascii")})


def _read(source: socket.socket, count: int) -> bytes:
    taken = bytearray()
    while len(taken) < count and (got := source.recv(count - len(taken))):
        taken += got
    return bytes(taken)


def _pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        here = socket.create_connection(server.getsockname(), timeout=_END_S)
        ours, caller = server.accept()
        while caller != here.getsockname():  # anybody on this machine may have been quicker
            ours.close()
            ours, caller = server.accept()
    here.settimeout(None)
    return here, ours
