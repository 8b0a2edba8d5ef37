"""Somebody who kills a runtime's workers at random, and the runtime once.

    with Killer(process.pid, every_s=(0.05, 0.2), seed=7) as killer:
        ...
    killer.killed       # how many of what

Each is held by a descriptor before it is looked at again and signalled: a number that changed hands in between would
be somebody else's process.
"""

import contextlib
import os
import random
import signal
import threading
from collections import Counter
from types import TracebackType
from typing import Self

from tests.support.nothing_left import children_of, name_of

PREPARED = "prepared"
"""In the command line of the process that workers are forked from."""


class Killer:
    """SIGKILL to a random child of a process, again and again, from a thread; mostly a worker.

    Args:
        parent: of those that are killed.
        every_s: shortest and longest time between two kills.
        seed: makes choices the same again, as far as processes are.
        spare_prepared: kill workers only, and not what they are forked from.
    """

    def __init__(
        self, parent: int, *, every_s: tuple[float, float] = (0.05, 0.2), seed: int = 0, spare_prepared: bool = False
    ) -> None:
        self.killed: Counter[str] = Counter()
        self._parent, self._every_s, self._spare = parent, every_s, spare_prepared
        self._random = random.Random(seed)
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, name="killer")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._enough.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._enough.wait(self._random.uniform(*self._every_s)):
            victims = children_of(self._parent)
            self._random.shuffle(victims)
            for pid in victims:
                if kind := kill_one(pid, parent=self._parent, spare_prepared=self._spare):
                    self.killed[kind] += 1
                    break


def kill_one(pid: int, *, parent: int, spare_prepared: bool = False) -> str:
    """Kill a child of this process: what it was, `worker` or `prepared`; nothing when it is none (any more)."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return ""
    try:
        if pid not in children_of(parent):
            return ""
        name = name_of(pid)
        kind = PREPARED if f"{PREPARED}.py" in name else "worker"
        if not name or (spare_prepared and kind == PREPARED):
            return ""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            return kind
        return ""
    finally:
        os.close(descriptor)
