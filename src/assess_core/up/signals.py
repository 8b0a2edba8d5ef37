"""What signals ask of a program that stays up: to stop, to stop at once, to look again, to say how it stands.

    signals = Signals()
    with signals.heard(loop, reload=..., tell=...):
        await signals.stop.wait()

TERM and INT stop it, and the second of them at once. HUP reloads - unless it comes because the terminal that it was
started from is gone, which stops it. Handled by the loop, in the main thread, which owns it.
"""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from assess_core.up.held_back import let_through

_log = logging.getLogger(__name__)

INTERRUPTED = 130

ONE_S = 0.25
"""Within it, two signals are one: timeout(1) sends each to its child, and to its group, which the child is in."""


class Signals:
    """What was asked of it so far.

    Attributes:
        stop: to end, in order.
        hurry: to end now, in the same order.
        exit_code: of a program that ended because of it.
    """

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.hurry = asyncio.Event()
        self.exit_code = 0
        self._asked_at_s = 0.0
        self._terminal = _has_terminal()

    @contextmanager
    def heard(
        self, loop: asyncio.AbstractEventLoop, *, reload: Callable[[], None], tell: Callable[[], None]
    ) -> Iterator[None]:
        """Inside, signals ask; afterwards they are ignored, for what is left is to end."""
        handlers: dict[signal.Signals, Callable[[], None]] = {
            signal.SIGTERM: lambda: self.to_stop("SIGTERM"),
            signal.SIGINT: lambda: self.to_stop("SIGINT", exit_code=INTERRUPTED),
            signal.SIGHUP: lambda: self._hung_up(reload),
            signal.SIGUSR1: tell,
        }
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        let_through()
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_IGN)

    def to_stop(self, why: str, *, exit_code: int = 0) -> None:
        """It is to end; asked a second time, now."""
        now_s = time.monotonic()
        if not self.stop.is_set():
            self._asked_at_s = now_s
            self.exit_code = exit_code
            self.stop.set()
            _log.info("stopping: %s", why, extra={"action": "up-stopping"})
        elif not self.hurry.is_set() and now_s - self._asked_at_s >= ONE_S:
            self.hurry.set()
            _log.warning("stopping now: %s a second time", why, extra={"action": "up-hurried"})

    def _hung_up(self, reload: Callable[[], None]) -> None:
        if self._terminal and not _has_terminal():
            self.to_stop("its terminal is gone")
        else:
            reload()


def _has_terminal() -> bool:
    """Whether there is a terminal that this belongs to."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
