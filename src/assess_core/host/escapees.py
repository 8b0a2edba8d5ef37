"""Processes that left the session of a worker or a command, found by what they cannot easily shed.

A process that calls `setsid` after a double fork is in no group of ours and has init for a parent. It still has,
unless it took pains, the environment of what it descends from in its memory, and in that a variable whose value was
used once: a worker's `TMPDIR`, a command's `ASSESS_COMMAND`. Of a worker, it may be known by its working directory
below the scratch directory, too. Confinement makes sure that there is no such process; this is what holds without it.
(PR_SET_CHILD_SUBREAPER would name them surely, but is a property of the whole process that embeds us.)
"""

import asyncio
import contextlib
import os
import queue
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ROUNDS = 10
"""A process that forks while it is looked for is found in the next round."""

_ENVIRONMENT_BYTES = 128 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """What is common to a process and all that descend from it, and to nobody else.

    Attributes:
        session: its number; the process itself, which has the same, is ended elsewhere.
        variable: `NAME=value` in their environment, of a value used once.
        directory: one of their own, or None.
    """

    session: int
    variable: str
    directory: Path | None = None


class _Process(NamedTuple):
    """One process, though its number may be another's later."""

    pid: int
    started: int
    """Ticks of the clock since the machine was started (proc(5))."""


async def escapees_killed(mark: Mark) -> int:
    """No process with that mark is left alive that we may see; how many were.

    Those who ask while others are being looked for are served by one more look through all processes, together.
    """
    done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    _asked.put((mark, done))
    if _looking.acquire(blocking=False):
        threading.Thread(target=_look_for_all, name="assess-escapees", daemon=True).start()
    return await done


_asked: queue.SimpleQueue[tuple[Mark, asyncio.Future[int]]] = queue.SimpleQueue()
_looking = threading.Lock()
"""Held by the one thread that serves who has asked."""


def _look_for_all() -> None:
    while True:
        try:
            while batch := _all_asked():
                outcome = _outcome([mark for mark, _ in batch])
                for index, (_, done) in enumerate(batch):
                    with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits any more
                        done.get_loop().call_soon_threadsafe(_settle, done, outcome, index)
        finally:
            _looking.release()
        # Whoever asked between our last look and the release saw the lock held.
        if _asked.empty() or not _looking.acquire(blocking=False):
            return


def _all_asked() -> list[tuple[Mark, asyncio.Future[int]]]:
    found = []
    with contextlib.suppress(queue.Empty):
        while True:
            found.append(_asked.get_nowait())
    return found


def _outcome(marks: Sequence[Mark]) -> list[int] | Exception:
    try:
        return kill_escapees(marks)
    except Exception as error:  # whose it is, whoever asked is to know of it, and not to wait for ever
        return error


def _settle(done: asyncio.Future[int], outcome: list[int] | Exception, index: int) -> None:
    if done.done():
        return
    if isinstance(outcome, Exception):
        done.set_exception(outcome)
    else:
        done.set_result(outcome[index])


def kill_escapees(marks: Sequence[Mark]) -> list[int]:
    """As `escapees_killed`, for each of them.

    A process that was killed is still to be seen until it is taken off the processor: it is met again in the next
    round, and counted once.
    """
    killed: dict[_Process, int] = {}
    for _ in range(ROUNDS):
        found = dict(each for pid in _processes() if (each := _kill(pid, marks)) is not None)
        if not found.keys() - killed.keys():
            break
        killed |= found
    counts = Counter(killed.values())
    return [counts[index] for index in range(len(marks))]


def _processes() -> Iterator[int]:
    own = os.getpid()
    with os.scandir("/proc") as entries:
        for entry in entries:
            if entry.name.isdecimal() and int(entry.name) not in (own, 1):
                yield int(entry.name)


def _kill(pid: int, marks: Sequence[Mark]) -> tuple[_Process, int] | None:
    """Which it was, and whose, by the place of its mark; None if it is nobody's, or gone."""
    whose = _whose(pid, marks)
    if whose is None:
        return None
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    try:
        if _whose(pid, marks) != whose:  # the number may have changed hands before the descriptor held it
            return None
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return None
    finally:
        os.close(descriptor)
    return whose


def _whose(pid: int, marks: Sequence[Mark]) -> tuple[_Process, int] | None:
    try:
        # `pid (name) state ppid pgrp session ...`: the name may hold anything, also parentheses (proc(5))
        fields = _read(f"/proc/{pid}/stat", 4096).rpartition(b")")[2].split()
        if fields[0] in (b"Z", b"X") or any(pid == mark.session for mark in marks):
            return None
        process, session = _Process(pid, int(fields[19])), int(fields[3])
        for index, mark in enumerate(marks):
            if mark.session == session:
                return process, index
        # Compared as bytes, without a Path for each: this is done for each process of the machine at each end.
        variables = b"\0" + _read(f"/proc/{pid}/environ", _ENVIRONMENT_BYTES) + b"\0"
        directory = b""
        for index, mark in enumerate(marks):
            if b"\0" + os.fsencode(mark.variable) + b"\0" in variables:
                return process, index
            if mark.directory is not None:
                directory = directory or os.readlink(f"/proc/{pid}/cwd".encode()) + b"/"  # noqa: PTH115
                if directory.startswith(os.fsencode(mark.directory) + b"/"):
                    return process, index
    except (OSError, ValueError):  # gone, or another user's: not one of ours
        pass
    return None


def _read(path: str, size: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, size)
    finally:
        os.close(descriptor)
