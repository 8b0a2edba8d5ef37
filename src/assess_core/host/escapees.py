"""Processes that left the session of a worker or a command, found by what they cannot easily shed.

A process that calls `setsid` after a double fork is in no group of ours and has init for a parent. It still has,
unless it took pains, the environment of what it descends from in its memory, and in that a variable whose value was
used once: a worker's `TMPDIR`, a command's `ASSESS_COMMAND`. Of a worker, it may be known by its working directory
below the scratch directory, too. Confinement makes sure that there is no such process; this is what holds without it.
(PR_SET_CHILD_SUBREAPER would name them surely, but is a property of the whole process that embeds us.)
"""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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


def kill_escapees(mark: Mark) -> int:
    """No process with that mark is left alive that we may see; how many were."""
    killed = 0
    for _ in range(ROUNDS):
        found = sum(_kill(pid, mark) for pid in _processes())
        killed += found
        if not found:
            break
    return killed


def _processes() -> Iterator[int]:
    own = os.getpid()
    with os.scandir("/proc") as entries:
        for entry in entries:
            if entry.name.isdecimal() and int(entry.name) not in (own, 1):
                yield int(entry.name)


def _kill(pid: int, mark: Mark) -> bool:
    if not _belongs(pid, mark):
        return False
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if not _belongs(pid, mark):  # the number may have changed hands before the descriptor held it
            return False
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    finally:
        os.close(descriptor)
    return True


def _belongs(pid: int, mark: Mark) -> bool:
    try:
        # `pid (name) state ppid pgrp session ...`: the name may hold anything, also parentheses (proc(5))
        state, _, _, its_session = _read(f"/proc/{pid}/stat", 4096).rpartition(b")")[2].split()[:4]
        if state in (b"Z", b"X") or pid == mark.session:
            return False
        if int(its_session) == mark.session:
            return True
        if os.fsencode(mark.variable) in _read(f"/proc/{pid}/environ", _ENVIRONMENT_BYTES).split(b"\0"):
            return True
        return mark.directory is not None and Path(f"/proc/{pid}/cwd").readlink().is_relative_to(mark.directory)
    except (OSError, ValueError):  # gone, or another user's: not one of ours
        return False


def _read(path: str, size: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, size)
    finally:
        os.close(descriptor)
