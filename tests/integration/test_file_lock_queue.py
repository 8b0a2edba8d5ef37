"""In a long queue nobody gives up as long as it moves; behind somebody who is stuck everybody does, and says who."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from assess_registry.client import LockTimeoutError, file_lock

PATIENCE_S = 1.0


@contextmanager
def taken(path: Path, *, turns: int) -> Iterator[None]:
    """The lock is held all the time, by one after another as far as who waits can see, and then let go."""
    begun, done = threading.Event(), threading.Event()

    def hold() -> None:
        with file_lock(path, timeout_s=1):
            begun.set()
            for number in range(turns):
                time.sleep(PATIENCE_S / 10)
                path.write_text(f"process {number}")
            if not turns:
                done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    begun.wait(60)
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_who_is_patient_waits_as_long_as_the_queue_moves(tmp_path: Path) -> None:
    began = time.monotonic()
    with taken(tmp_path / "lock", turns=25), file_lock(tmp_path / "lock", timeout_s=PATIENCE_S, patient=True):
        assert time.monotonic() - began > 2 * PATIENCE_S


def test_who_is_not_does_not(tmp_path: Path) -> None:
    with taken(tmp_path / "lock", turns=25):
        lock = file_lock(tmp_path / "lock", timeout_s=PATIENCE_S)
        with pytest.raises(LockTimeoutError):
            lock.__enter__()


def test_behind_one_who_is_stuck_nobody_waits_for_ever(tmp_path: Path) -> None:
    with taken(tmp_path / "lock", turns=0):
        lock = file_lock(tmp_path / "lock", timeout_s=PATIENCE_S, patient=True)
        with pytest.raises(LockTimeoutError, match=f"process {os.getpid()}"):
            lock.__enter__()
