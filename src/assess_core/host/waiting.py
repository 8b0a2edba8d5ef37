"""Calls that wait for a worker of one distribution: each until its turn comes, it is told why not, or it expires."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from assess_core.errors import PluginFault
from assess_core.host.turns import Turn, Turns

Claimed = TypeVar("Claimed")


@dataclass(kw_only=True, slots=True)
class Wait:
    """A call that may have to wait.

    Attributes:
        name, phase: what is to be called.
        expires_at: of the loop's clock; not 0 once there was nobody who could have served it.
        timer: set while there is nobody.
    """

    name: str
    phase: str
    timeout_s: float
    expires_at: float = 0.0
    timer: asyncio.TimerHandle | None = None

    def forget(self) -> None:
        """It does not wait any more, or is told soon."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class Line(Generic[Claimed]):
    """Those that wait, in the order in which they came; whose turn it is says `Turns`."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._waiting: dict[Turn[Claimed], Wait] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, turn: Turn[Claimed], wait: Wait) -> None:
        """It waits."""
        self._waiting[turn] = wait

    def leave(self, turn: Turn[Claimed]) -> None:
        """It does not wait any more, for whatever reason."""
        self._turns.withdraw(turn)
        wait = self._waiting.pop(turn, None)
        if wait is not None:
            wait.forget()

    def fail_first(self, error: Exception) -> None:
        """The first is told this."""
        turn = next((turn for turn in self._waiting if not turn.granted.done()), None)
        if turn is not None:
            self._fail(turn, error)

    def fail_all(self, fault: Callable[[Wait], PluginFault | None]) -> None:
        """Each is told what there is to tell it."""
        for turn, wait in tuple(self._waiting.items()):
            error = fault(wait)
            if error is not None:
                self._fail(turn, error)

    def expire(self, fault: Callable[[Wait], PluginFault | None]) -> None:
        """From now on there is nobody to serve them: each waits no longer than its own time, then it is told.

        Whoever is told nothing goes on waiting.
        """
        loop = asyncio.get_running_loop()
        for turn, wait in self._waiting.items():
            if wait.timer is None:
                wait.expires_at = wait.expires_at or loop.time() + wait.timeout_s
                wait.timer = loop.call_at(wait.expires_at, self._expire, turn, fault)

    def _expire(self, turn: Turn[Claimed], fault: Callable[[Wait], PluginFault | None]) -> None:
        wait = self._waiting[turn]
        wait.forget()
        error = fault(wait)
        if error is not None:
            self._fail(turn, error)

    def _fail(self, turn: Turn[Claimed], error: Exception) -> None:
        self._turns.withdraw(turn)
        if not turn.granted.done():
            turn.granted.set_exception(error)
