"""When a worker may start or go: a few at a time, so that fifty at once keep neither each other nor the loop waiting.

    slot = await slot_to_start()
    place = await beside(make, give_back)   # what waits for a disk, in a thread of its own
    ...                                     # its process is made, it loads
    slot.over()                             # or after OVERDUE_S: who hangs in a start holds nobody up

    await gone(remove_scratch, scratch)     # at the end of a worker, likewise

Whose calls come first is another question: `turns.py`.
"""

import asyncio
import os
import threading
from collections.abc import Callable
from typing import TypeVar

from assess_core.host.aside import aside

AT_ONCE = 2 * (os.cpu_count() or 1)
"""Starts in one loop, and ends."""

OVERDUE_S = 1.0
"""A start that takes longer lets the next begin: it waits for something, or will be killed for it."""

Value = TypeVar("Value")

_slots: dict[asyncio.AbstractEventLoop, tuple[asyncio.Semaphore, asyncio.Semaphore]] = {}
"""Of each loop: for starts, for ends."""


class Slot:
    """The right to start or to end one worker, until it is over; that it is may be said more than once."""

    def __init__(self, semaphore: asyncio.Semaphore, loop: asyncio.AbstractEventLoop) -> None:
        self._semaphore: asyncio.Semaphore | None = semaphore
        self._overdue = loop.call_later(OVERDUE_S, self.over)

    def over(self) -> None:
        """The next may start."""
        self._overdue.cancel()
        if self._semaphore is not None:
            self._semaphore.release()
            self._semaphore = None


async def slot_to_start() -> Slot:
    """In the order in which it was asked for."""
    return await _slot(_of_this_loop()[0])


async def gone(remove: Callable[[Value], None], what: Value) -> None:
    """It is removed, in a thread of its own."""
    slot = await _slot(_of_this_loop()[1])
    try:
        await aside(remove, what)
    finally:
        slot.over()


async def beside(make: Callable[[], Value], give_back: Callable[[Value], None]) -> Value:
    """What `make` returns, in a thread of its own; if nobody waits for it any more, it is given back there."""
    deciding = threading.Lock()
    wanted, unclaimed = True, list[Value]()

    def work() -> Value:
        value = make()
        with deciding:
            if wanted:
                unclaimed.append(value)
                return value
        give_back(value)
        return value

    try:
        return await aside(work)
    except asyncio.CancelledError:
        with deciding:
            wanted = False
        for value in unclaimed:
            threading.Thread(target=give_back, args=(value,), name="given-back", daemon=True).start()
        raise


async def _slot(semaphore: asyncio.Semaphore) -> Slot:
    await semaphore.acquire()
    return Slot(semaphore, asyncio.get_running_loop())


def _of_this_loop() -> tuple[asyncio.Semaphore, asyncio.Semaphore]:
    for known in [each for each in list(_slots) if each.is_closed()]:
        _slots.pop(known, None)
    return _slots.setdefault(asyncio.get_running_loop(), (asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(AT_ONCE)))
