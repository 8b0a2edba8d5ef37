"""The runtime's end, fuzzed: whatever a worker says, its call ends in a report that is right or in a fault.

The worker's talk is the runtime's own, over a real socket pair and a real loop. What is not talk - the process, its
directory, its limits - has stand-ins, so that a conversation takes less than a millisecond.
"""

import asyncio
import contextlib
import os
import platform
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from assess_core.errors import PluginFault
from assess_core.host import CallReport
from assess_core.host.death import Cause, Death
from assess_core.host.worker import Worker
from assess_plugin.models import ActionInput, Subject
from assess_plugin.wire import encode
from tests.fuzz.talk import Source, examples, frames
from tests.support.installed import host_config, make_installed

CHECKS = ("a", "b")
DEADLINE_S = 10.0
"""Beyond it a conversation hangs: nothing in it takes time."""

_TEMPLATES = examples("child")
_START = frozenset(("isolated", "unisolated", "welcome", "loaded", "unloadable"))
_OF_A_CALL = [message for message in _TEMPLATES if message["type"] not in _START] + [
    {
        "type": "executed",
        "call": 1,
        "more": False,
        "results": [
            {"check_id": check, "outcome": "pass", "reason": "", "expected": None, "actual": None, "evidence": []}
            for check in CHECKS
        ],
    }
]


class _Process:
    def __init__(self) -> None:
        self.pid = os.getpid()
        self.exited = asyncio.Event()

    def on_exit(self, told: Any) -> None:
        """It never does."""

    def arm(self) -> None:
        """Nobody is there."""

    def signal_group(self, number: int) -> None:
        """Nobody is there."""

    async def wait(self, timeout_s: float) -> None:
        """Nobody is waited for."""


class _Log:
    redactor: Any = None

    def text(self) -> str:
        """It has said nothing."""
        return ""


class _Watch:
    def __init__(self, *_: Any, **__: Any) -> None:
        """Nothing is watched."""

    def begin(self, **_: Any) -> None:
        """Nothing is watched."""

    rest = close = begin

    def peak_bytes(self, **_: Any) -> int:
        """Nothing is watched."""
        return 0

    def is_halted(self) -> bool:
        """Nothing is watched."""
        return False


async def _end_worker(launched: Any, scratch: Path, cause: Cause, **_: Any) -> Death:
    return Death(cause=cause, exit_code=-9, by_itself=False, log_tail="")


class Parent:
    """A target: `run` is called with bytes, and raises `AssertionError` for what must not be."""

    def __init__(self) -> None:
        self._closing = ExitStack()
        self._root = Path(tempfile.mkdtemp(prefix="assess-fuzz-"))
        self._closing.callback(shutil.rmtree, self._root)
        self._loop = asyncio.new_event_loop()
        self._closing.callback(self._loop.close)
        self._installed = make_installed(
            self._root, {"m": ""}, plugins={"it": "m"}, checks=CHECKS, permissions=f'read = ["{self._root}/in"]'
        )
        (self._root / "in").mkdir()
        self._config = host_config(self._root, isolation="off")
        self._theirs: list[socket.socket] = []
        scratch = self._root / "scratch"
        stands_in = patch.multiple(
            "assess_core.host.body",
            launch=self._launch,
            end_worker=_end_worker,
            make_scratch=lambda *_: scratch,
            remove_scratch=lambda *_: None,
        )
        self._closing.enter_context(stands_in)
        self._closing.enter_context(patch("assess_core.host.worker.Watch", _Watch))

    def close(self) -> None:
        """Nothing of it is left."""
        self._closing.close()

    def seeds(self) -> Iterator[bytes]:
        """Inputs to begin with."""
        for number in range(len(_OF_A_CALL)):
            yield bytes((1, 15, number, 0, 0))

    def run(self, data: bytes) -> None:
        """One conversation."""
        self._loop.run_until_complete(self._converse(Source(data)))

    async def _launch(self, *_: Any, **__: Any) -> Any:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        self._theirs.append(theirs)
        return SimpleNamespace(process=_Process(), socket=ours, log=_Log())

    async def _converse(self, source: Source) -> None:
        worker = await Worker.start(self._installed, self._config)
        with self._theirs.pop() as theirs:
            fuzzed_start = source.below(8) == 0
            loading = asyncio.ensure_future(worker.load())
            if fuzzed_start:
                await _say(theirs, source, _TEMPLATES)
            else:
                await _start(worker, theirs)
            if not fuzzed_start:
                await _outcome(loading)
                call = asyncio.ensure_future(worker.execute("it", _INPUT, timeout_s=DEADLINE_S * 2))
                await _say(theirs, source, _OF_A_CALL)
                theirs.close()
                _judge(await _outcome(call), self._root)
            else:
                theirs.close()
                await _outcome(loading)
        await asyncio.wait_for(worker.stop(), DEADLINE_S)


_INPUT = ActionInput(
    subject=Subject(id="s", type="user", title="s"),
    checks=CHECKS,
    settings={},
    host=SimpleNamespace(),
)


async def _start(worker: Worker, theirs: socket.socket) -> None:
    await asyncio.sleep(0)
    hello = _heard(theirs)
    nonce, api = (hello.partition(f'"{name}":"'.encode())[2].partition(b'"')[0].decode() for name in ("nonce", "api"))
    protocol = int(hello.partition(b'"protocol":')[2].partition(b",")[0])
    welcome = {"type": "welcome", "protocol": protocol, "api": api, "nonce": nonce, "python": platform.python_version()}
    theirs.send(encode(welcome) + encode({"type": "loaded", "entries": ["it"]}))


async def _say(theirs: socket.socket, source: Source, templates: list[dict[str, Any]]) -> None:
    for frame in frames(source, templates):
        with contextlib.suppress(OSError):  # full, or closed by the runtime, which may
            theirs.send(frame)
        for _ in range(source.below(4)):
            await asyncio.sleep(0)
        _heard(theirs)


def _heard(theirs: socket.socket) -> bytes:
    try:
        heard, descriptors, _, _ = socket.recv_fds(theirs, 1 << 20, 16)
    except OSError:
        return b""
    for descriptor in descriptors:
        os.close(descriptor)
    return heard


async def _outcome(work: "asyncio.Future[Any]") -> Any:
    """The report or the fault; anything else is a defect, and so is neither."""
    try:
        return await asyncio.wait_for(work, DEADLINE_S)
    except PluginFault as fault:
        return fault
    except TimeoutError as error:
        raise AssertionError("the conversation hangs") from error


def _judge(outcome: CallReport | PluginFault, root: Path) -> None:
    """Whatever was said: results are of the checks that were asked for, and nothing is ascribed to any other."""
    record = outcome.record if isinstance(outcome, PluginFault) else outcome
    assert record is not None
    if isinstance(outcome, CallReport):
        assert tuple(result.check_id for result in outcome.output.results) == CHECKS
        for result in outcome.output.results:
            assert all(evidence.name in outcome.evidence for evidence in result.evidence)
    assert {use.check for use in record.provenance} <= {None, *CHECKS}
    for use in record.provenance:
        opened = use.what.get("open")
        assert opened is None or "error" in use.what or str(opened).startswith(f"{root}/in")
    for piece in record.evidence.values():
        assert piece.check in (None, *CHECKS)


@contextmanager
def parent() -> Iterator[Parent]:
    """The target, for as long as it is needed."""
    target = Parent()
    try:
        yield target
    finally:
        target.close()
