"""One `assess up` at a time on one state directory: `<state>/up.lock`, which the kernel frees when we die.

A lock may outlive its process by a moment: a child between its fork and its exec has a copy of the descriptor. Right
after a kill -9 it was still held 50 of 120 times, for up to 237 ms. So whoever finds it taken tries again for a while
before he says that another one runs. The file stays; what stands in it is for people.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from assess_core.errors import ConfigError, StoreError

NAME = "up.lock"

TRIED_S = 2.0
"""For so long it is tried."""

AGAIN_S = 0.02

_MAX_BYTES = 200

_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


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
    path = state / NAME
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o644)
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        deadline = time.monotonic() + within_s
        while not _taken(descriptor, fcntl.LOCK_EX):
            if time.monotonic() >= deadline:
                raise RunsAlreadyError(
                    f"assess up runs already on {state}: {_holder(descriptor) or 'by whom is not known'}; "
                    "stop that one, or give another --state-dir"
                )
            sleep(AGAIN_S)
        _write(descriptor, f"pid {os.getpid()} since {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}\n")
        try:
            yield
        finally:
            _write(descriptor, "")
    finally:
        os.close(descriptor)  # frees the lock


def who_is_up(state: Path) -> str:
    """Which process is inside, as `pid 123 since ...`; empty when none is.

    Raises:
        StoreError: it cannot be told.
    """
    path = state / NAME
    try:
        descriptor = os.open(path, os.O_RDONLY | _FLAGS)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        return "" if _taken(descriptor, fcntl.LOCK_SH) else _holder(descriptor) or "a process of an unknown number"
    finally:
        os.close(descriptor)


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
    if path.is_symlink() or path.is_dir():
        return ConfigError(f"{path}: expected a lock, which is a file of its own; find out who made it, and remove it")
    return StoreError(f"{path}: cannot be used: {error.strerror}; is this the user whose state directory it is?")
