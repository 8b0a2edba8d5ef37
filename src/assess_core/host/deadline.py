"""When what is under way must be over: one deadline after the other, on a timer that is not made anew for each.

    deadline = Deadline(loop, on_overrun)
    deadline.begin(60.0)                # a call
    deadline.over()
    deadline.close()

Calls are many and short, their deadlines far away: a timer of its own for each is two operations on the loop's heap,
and a heap of cancelled ones. So the timer stays until it is due, and looks then whether it is meant.
"""

import asyncio
from collections.abc import Callable

_NEVER = float("inf")


class Deadline:
    """Of one worker, for what it does at the time.

    Args:
        on_overrun: told, with the seconds there had been, on the loop's thread.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, on_overrun: Callable[[float], None]) -> None:
        self._loop = loop
        self._on_overrun = on_overrun
        self._timeout_s = 0.0
        self._at = self._armed_for = _NEVER
        self._timer: asyncio.TimerHandle | None = None

    @property
    def left_s(self) -> float:
        """Until it passes."""
        return self._at - self._loop.time()

    def begin(self, timeout_s: float) -> None:
        """From now on there is so much time."""
        self._timeout_s = timeout_s
        self._at = self._loop.time() + timeout_s
        if self._at < self._armed_for:
            self._arm()

    def over(self) -> None:
        """What was under way is done."""
        self._at = _NEVER

    def close(self) -> None:
        """Nobody is told of anything any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._at, self._armed_for = None, _NEVER, -_NEVER
        self._on_overrun = _nobody  # whom it keeps in a circle of references otherwise

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed_for = self._at
        self._timer = self._loop.call_at(self._at, self._due)

    def _due(self) -> None:
        was_for, self._armed_for, self._timer = self._armed_for, _NEVER, None
        if self._at <= was_for:
            self._on_overrun(self._timeout_s)
        elif self._at < _NEVER:
            self._arm()


def _nobody(_timeout_s: float) -> None:
    """It is closed."""
