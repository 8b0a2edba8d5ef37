"""Processes that left a worker's session, found by what they cannot easily shed.

A process that calls `setsid` after a double fork is in no group of ours and has init for a parent. It still has,
unless it took pains, the worker's environment in its memory - `TMPDIR` is the worker's scratch directory, a name used
once - or its working directory below it. Confinement makes sure that there is no such process; this is what holds
without it. (PR_SET_CHILD_SUBREAPER would name them surely, but is a property of the whole process that embeds us.)
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

ROUNDS = 10
"""A process that forks while it is looked for is found in the next round."""

_ENVIRONMENT_BYTES = 128 * 1024


def kill_escapees(session: int, scratch: Path) -> int:
    """No process of the session, or marked by the scratch directory, is left alive that we may see; how many were."""
    killed = 0
    for _ in range(ROUNDS):
        found = sum(_kill(pid, session, scratch) for pid in _processes())
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


def _kill(pid: int, session: int, scratch: Path) -> bool:
    if not _belongs(pid, session, scratch):
        return False
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if not _belongs(pid, session, scratch):  # the number may have changed hands before the descriptor held it
            return False
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    finally:
        os.close(descriptor)
    return True


def _belongs(pid: int, session: int, scratch: Path) -> bool:
    try:
        # `pid (name) state ppid pgrp session ...`: the name may hold anything, also parentheses (proc(5))
        state, _, _, its_session = _read(f"/proc/{pid}/stat", 4096).rpartition(b")")[2].split()[:4]
        if state in (b"Z", b"X") or pid == session:
            return False
        if int(its_session) == session:
            return True
        marker = b"TMPDIR=" + os.fsencode(scratch)
        if marker in _read(f"/proc/{pid}/environ", _ENVIRONMENT_BYTES).split(b"\0"):
            return True
        return Path(f"/proc/{pid}/cwd").readlink().is_relative_to(scratch)
    except (OSError, ValueError):  # gone, or another user's: not one of ours
        return False


def _read(path: str, size: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, size)
    finally:
        os.close(descriptor)
