"""Running a granted command: a fixed environment, bounded in time and output, gone when it is over.

The command runs with the runtime's own rights, so nothing about it comes from the plugin but the arguments that the
manifest's pattern admits. Its environment holds one thing more than is fixed, by which its daemons are found when it is
over: a marker, different each time.
"""

import asyncio
import logging
import os
import resource
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assess_core.host.escapees import Mark, escapees_killed
from assess_core.host.gate import Gate
from assess_core.host.process import ChildProcess, spawn
from assess_plugin.wire import COMMAND_ENVIRONMENT, MAX_OUTPUT_BYTES

logger = logging.getLogger(__name__)

COMMAND_LIMITS: Mapping[int, int] = {
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_DATA: 2 << 30,
    resource.RLIMIT_FSIZE: 1 << 30,
    resource.RLIMIT_NOFILE: 1024,
    resource.RLIMIT_NPROC: 4096,
}
"""Of each of its processes; bytes where it is a size. NPROC counts all processes of the user, and binds no root."""

KILL_AFTER_S = 1.0
MARKER = "ASSESS_COMMAND"
_READ_SIZE = 64 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandEnd:
    """How a command ended. `truncated`: it was killed for writing more than `MAX_OUTPUT_BYTES`."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    truncated: bool


class Overdue(Exception):
    """The command did not end in time and was killed."""


async def run_command(program: str, argv: Sequence[str], *, timeout_s: float) -> CommandEnd:
    """The command has ended and nothing of it is left that can be found, also when this is cancelled.

    Raises:
        Overdue: it took longer than `timeout_s`.
        OSError: it could not be started.
    """
    loop = asyncio.get_running_loop()
    full = asyncio.Event()
    out, their_out = _Capture.pipe(loop, full)
    err, their_err = _Capture.pipe(loop, full)
    process: ChildProcess | None = None
    marker = secrets.token_hex(16)
    try:
        try:
            with Gate() as gate:
                process = spawn(
                    gate.argv(program, argv),
                    loop=loop,
                    cwd=Path("/"),
                    environment={**COMMAND_ENVIRONMENT, MARKER: marker},
                    stdout=their_out,
                    stderr=their_err,
                    gate=gate,
                    limits=COMMAND_LIMITS,
                )
        finally:
            os.close(their_out)
            os.close(their_err)
        await _wait(process, full, timeout_s)
    finally:
        if process is not None:
            await asyncio.shield(_finish(process, program, marker))
        stdout, stderr = out.close(), err.close()
    code = process.reap()
    return CommandEnd(exit_code=-9 if code is None else code, stdout=stdout, stderr=stderr, truncated=full.is_set())


async def _wait(process: ChildProcess, full: asyncio.Event, timeout_s: float) -> None:
    waits = [asyncio.ensure_future(process.exited.wait()), asyncio.ensure_future(full.wait())]
    try:
        done, _ = await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            raise Overdue(f"did not end within {timeout_s:g} s and was killed")
    finally:
        for wait in waits:
            wait.cancel()


async def _finish(process: ChildProcess, program: str, marker: str) -> None:
    await process.end(KILL_AFTER_S)
    # Before reaping: until then the session's number cannot be anyone else's.
    mark = Mark(session=process.pid, variable=f"{MARKER}={marker}")
    escaped = await escapees_killed(mark)
    if escaped:
        logger.warning(
            "Killed %d processes that command %s had left behind.",
            escaped,
            program,
            extra={"action": "escapees-killed"},
        )
    process.reap()


class _Capture:
    """One pipe of the command, read as it comes."""

    def __init__(self, descriptor: int, loop: asyncio.AbstractEventLoop, full: asyncio.Event) -> None:
        self._descriptor = descriptor
        self._loop = loop
        self._full = full
        self._data = bytearray()
        self._open = True
        os.set_blocking(descriptor, False)
        loop.add_reader(descriptor, self._readable)

    @classmethod
    def pipe(cls, loop: asyncio.AbstractEventLoop, full: asyncio.Event) -> "tuple[_Capture, int]":
        ours, theirs = os.pipe2(os.O_CLOEXEC)
        return cls(ours, loop, full), theirs

    def close(self) -> bytes:
        """All that was written, as far as it is in the pipe: a daemon left behind may hold the other end for ever."""
        if self._open:
            while self._read():
                pass
            self._open = False
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
        return bytes(self._data)

    def _readable(self) -> None:
        if not self._read():
            self._loop.remove_reader(self._descriptor)

    def _read(self) -> bool:
        try:
            data = os.read(self._descriptor, _READ_SIZE)
        except BlockingIOError:
            return False
        self._data += data[: MAX_OUTPUT_BYTES - len(self._data)]
        if len(self._data) >= MAX_OUTPUT_BYTES:
            self._full.set()
            return False
        return bool(data)
