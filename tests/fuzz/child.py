"""The worker's end, fuzzed: whatever the runtime answers, a plugin gets what `Host` promises, or the worker ends.

The child trusts the runtime; this is about it ending in a clear word when the runtime is not what it seems, and never
waiting for what will not come.
"""

import contextlib
import io
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

from assess_plugin.models import ActionInput, ActionOutput, CheckResult, HostError, Outcome
from assess_plugin.wire import Channel, WireError
from assess_plugin.worker.serve import _serve
from tests.fuzz.talk import Source, examples, frames

_TEMPLATES = examples("parent")
_OF_A_CALL = [message for message in _TEMPLATES if message["type"] not in ("isolate", "hello", "load")]
_EXECUTE = next(message for message in _TEMPLATES if message["type"] == "execute")
DEADLINE_S = 10.0


class _Plugin:
    """Asks for one thing after the other, as the bytes decide."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def assess_execute(self, input: ActionInput) -> ActionOutput:
        host = input.host
        uses = (
            lambda: host.run(["true"]).stdout,
            lambda: host.open("/in/file").close(),
            lambda: host.stat("/in/file").mode,
            lambda: host.evidence("log", b"data"),
            lambda: host.connect("127.0.0.1", 1).close(),
            lambda: host.secret("token"),
            lambda: host.log("a line"),
            lambda: host.progress(1, 2),
        )
        for _ in range(self._source.below(6)):
            with contextlib.suppress(HostError, OSError):  # what Host promises
                self._source.one_of(uses)()
        results = [CheckResult(check_id=check, outcome=Outcome.PASS) for check in input.checks]
        return ActionOutput(results=tuple(results))


class Child:
    """A target, as `parent.Parent` is one."""

    def seeds(self) -> Iterator[bytes]:
        """Inputs to begin with."""
        for number in range(len(_OF_A_CALL)):
            yield bytes((1, number % 8, 15, number, 0, 0))

    def run(self, data: bytes) -> None:
        """One conversation."""
        source = Source(data)
        plugin = _Plugin(Source(source.take(8)))
        ours, theirs = socket.socketpair()
        listening = threading.Thread(target=_drain, args=(theirs,))
        listening.start()
        try:
            for frame in frames(Source(b"\x0f\x00\x00\x00"), [_EXECUTE], at_most=1):
                theirs.sendall(frame)
            for frame in frames(source, _OF_A_CALL):
                theirs.send(frame)
            theirs.shutdown(socket.SHUT_WR)
            ours.settimeout(DEADLINE_S)
            self._serve(ours, plugin)
        finally:
            ours.close()
            listening.join(DEADLINE_S)
            theirs.close()

    def _serve(self, ours: socket.socket, plugin: _Plugin) -> None:
        channel = Channel(ours)
        errors, sys.stderr = sys.stderr, io.StringIO()  # tracebacks of what the plugin raised
        try:
            _serve(channel, {_EXECUTE["entry"]: plugin, "other": SimpleNamespace()}, "1.2")
        except WireError as error:
            if "timed out" in str(error):
                raise AssertionError("the worker waits for what will not come") from error
        finally:
            sys.stderr = errors
            for descriptor in channel._descriptors:
                os.close(descriptor)


def _drain(theirs: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while theirs.recv(1 << 16):
            pass


@contextmanager
def child() -> Iterator[Child]:
    """The target, for as long as it is needed."""
    yield Child()
