"""One `assess up` at a time on one state directory: locks of it and of `up.lock` in it, which the kernel frees.

The directory's counts: a file may be removed under whoever has locked it, and then the next one locks another file.
`up.lock` says who is inside; it is locked, too, since that is all that earlier versions know of.

A lock may outlive its process by a moment: a child between its fork and its exec has a copy of the descriptor. Right
after a kill -9 it was still held 50 of 120 times, for up to 237 ms. So whoever finds it taken tries again for a while
before he says that another one runs. The file stays.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from assess_core.clock import utc_now
from assess_core.errors import ConfigError, StoreError

NAME = "up.lock"

TRIED_S = 2.0
"""For so long it is tried."""

AGAIN_S = 0.02

_MAX_BYTES = 200

_UNKNOWN = "a process of an unknown number"

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class RunsAlreadyError(StoreError):
    """Another `assess up` runs on this state directory."""


@contextmanager
def only_one(state: Path, *, within_s: float = TRIED_S, sleep: Callable[[float], None] = time.sleep) -> Iterator[None]:
    """Inside, no other process is inside for this state directory, which is made if it is not there.

    Raises:
        RunsAlreadyError: another one is, and stays; the message says which.
        ConfigError: what lies there is no lock.
        StoreError: it cannot be made or opened.
    """
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(state, error) from error
    with _opened(state, _DIRECTORY) as directory, _opened(state / NAME, os.O_RDWR | os.O_CREAT | _FILE) as file:
        deadline = time.monotonic() + within_s
        while not (_directory_taken(directory, fcntl.LOCK_EX) and _taken(file, fcntl.LOCK_EX)):
            if time.monotonic() >= deadline:
                raise RunsAlreadyError(
                    f"assess up runs already on {state}: {_holder(file) or 'by whom is not known'}; "
                    "stop that one, or give another --state-dir"
                )
            sleep(AGAIN_S)
        _write(file, f"pid {os.getpid()} since {utc_now():%Y-%m-%dT%H:%M:%SZ}\n")
        try:
            yield
        finally:
            _write(file, "")


def who_is_up(state: Path) -> str:
    """Which process is inside, as `pid 123 since ...`; empty when none is.

    Raises:
        StoreError: it cannot be told.
    """
    is_up = False
    try:
        with _opened(state, _DIRECTORY) as directory:
            is_up = not _directory_taken(directory, fcntl.LOCK_SH)
        with _opened(state / NAME, os.O_RDONLY | _FILE) as file:
            if _taken(file, fcntl.LOCK_SH) and not is_up:
                return ""
            return _holder(file) or _UNKNOWN
    except FileNotFoundError:
        return _UNKNOWN if is_up else ""


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    """Open it; leaving the block frees what was locked by this descriptor."""
    try:
        descriptor = os.open(path, flags, 0o644)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _directory_taken(descriptor: int, kind: int) -> bool:
    try:
        return _taken(descriptor, kind)
    except OSError:  # a network's file system locks nothing that is open for reading alone: there the file's counts
        return True


def _taken(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> str:
    text = os.pread(descriptor, _MAX_BYTES, 0).decode("ascii", "replace")
    return "".join(character for character in text if character.isprintable())


def _write(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    try:
        os.pwrite(descriptor, text.encode(), 0)
    except OSError:  # who holds it is for people, and a full disk must not keep it from starting
        os.ftruncate(descriptor, 0)


def _unusable(path: Path, error: OSError) -> StoreError | ConfigError:
    if path.name == NAME and (path.is_symlink() or path.is_dir()):
        return ConfigError(f"{path}: expected a lock, which is a file of its own; find out who made it, and remove it")
    return StoreError(f"{path}: cannot be used: {error.strerror}; is this the user whose state directory it is?")
