"""When a worker may start or go: a few at a time, so that fifty at once keep neither each other nor the loop waiting.

    slot = await slot_to_start()
    place = await beside(make, give_back)   # what waits for a disk, in a thread of its own
    ...                                     # its process is made, it loads
    slot.over()                             # or after OVERDUE_S: who hangs in a start holds nobody up

    slot = await slot_to_leave()            # a worker is asked to go, and has gone: over()

    await gone(remove_scratch, scratch)     # at the end of a worker, likewise

Whose calls come first is another question: `turns.py`.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from assess_core.host.aside import aside

AT_ONCE = 2 * (os.cpu_count() or 1)
"""Starts in one loop, removals, and workers that are asked to go."""

OVERDUE_S = 1.0
"""A start that takes longer lets the next begin: it waits for something, or will be killed for it."""

LEAVING_S = 0.1
"""As much for a worker that was asked to go: all of them asked at once have work at once, and the loop waits its turn
among them for a core (measured, fifty on two: 150 ms)."""

GIVING_BACK_S = 1.0
"""A disk that does not answer holds up nobody who stops longer than this."""

Value = TypeVar("Value")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Slots:
    """Of one loop."""

    starts: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    removals: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    leavings: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))


_slots: dict[asyncio.AbstractEventLoop, _Slots] = {}


class Slot:
    """The right to start or to end one worker, until it is over; that it is may be said more than once."""

    def __init__(self, semaphore: asyncio.Semaphore, loop: asyncio.AbstractEventLoop, overdue_s: float) -> None:
        self._semaphore: asyncio.Semaphore | None = semaphore
        self._overdue = loop.call_later(overdue_s, self.over)

    def over(self) -> None:
        """The next may start."""
        self._overdue.cancel()
        if self._semaphore is not None:
            self._semaphore.release()
            self._semaphore = None


async def slot_to_start() -> Slot:
    """In the order in which it was asked for."""
    return await _slot(_of_this_loop().starts, OVERDUE_S)


async def slot_to_leave() -> Slot:
    """For a worker that is asked to go, in the order in which it was asked for."""
    return await _slot(_of_this_loop().leavings, LEAVING_S)


async def gone(remove: Callable[[Value], None], what: Value) -> None:
    """It is removed, in a thread of its own."""
    slot = await _slot(_of_this_loop().removals, OVERDUE_S)
    try:
        await aside(remove, what)
    finally:
        slot.over()


async def beside(make: Callable[[], Value], give_back: Callable[[Value], None]) -> Value:
    """What `make` returns, in a thread of its own; if nobody waits for it any more, it is given back there.

    Who is cancelled meanwhile waits for that, for `GIVING_BACK_S` at most: whoever stops a start finds nothing of it.
    """
    deciding = threading.Lock()
    wanted, unclaimed = True, list[Value]()

    def work() -> Value:
        value = make()
        with deciding:
            if wanted:
                unclaimed.append(value)
                return value
        _given_back(give_back, value)
        return value

    making = asyncio.ensure_future(aside(work))
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        with deciding:
            wanted = False
        rest: asyncio.Future[Any] = making
        if unclaimed:
            rest = asyncio.ensure_future(aside(_given_back, give_back, unclaimed[0]))
        rest.add_done_callback(_heard)
        await asyncio.wait([rest], timeout=GIVING_BACK_S)
        raise


def _given_back(give_back: Callable[[Value], None], value: Value) -> None:
    try:
        give_back(value)
    except OSError as error:
        _log.warning("What a start had got could not be given back: %s", error, extra={"action": "scratch-left"})


def _heard(rest: asyncio.Future[Any]) -> None:
    """What was not made after all has nobody to tell."""
    if not rest.cancelled():
        rest.exception()


async def _slot(semaphore: asyncio.Semaphore, overdue_s: float) -> Slot:
    await semaphore.acquire()
    return Slot(semaphore, asyncio.get_running_loop(), overdue_s)


def _of_this_loop() -> _Slots:
    for known in [each for each in list(_slots) if each.is_closed()]:
        _slots.pop(known, None)
    return _slots.setdefault(asyncio.get_running_loop(), _Slots())
