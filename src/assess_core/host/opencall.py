"""One call while it is open: every message of it is taken, every request answered, until the reply is whole.

`Call` counts and keeps what comes, `Broker` does what is asked for; here is what lies between them and the pipe. One
request at a time: a worker that sends a second one, or its reply, before the first is answered breaks docs/wire.md.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from assess_core.host import messages as wire
from assess_core.host.broker import Broker
from assess_core.host.call import Call, ViolationError
from assess_core.host.handshake import MESSAGES


class HookRaisedError(Exception):
    """The reply is that the hook raised; the message says what, as the worker puts it."""


class OpenCall:
    """A call that was sent and has not been replied to.

    Args:
        send: takes an answer and the descriptor that goes with it.
        time_left_s: until the call's deadline.
        on_bug: told of an exception that is ours: the request it came of stays without an answer.
    """

    def __init__(
        self,
        call: Call,
        broker: Broker,
        *,
        send: Callable[[bytes, int | None], None],
        time_left_s: Callable[[], float],
        on_bug: Callable[[BaseException], None],
    ) -> None:
        self.call = call
        self._broker = broker
        self._send = send
        self._time_left_s = time_left_s
        self._on_bug = on_bug
        self._request: asyncio.Task[None] | None = None

    @property
    def sockets(self) -> set[int]:
        """Inodes of the connections that were handed over."""
        return self._broker.sockets

    def take(self, message: wire.FromWorker, size: int) -> bool:
        """Whether that was the reply, or the last part of it.

        Raises:
            ViolationError: the message was not due, or one too many.
            HookRaisedError: it was the reply, and there are no results.
        """
        if isinstance(message, MESSAGES):
            raise ViolationError(f"sent {type(message).__name__.lower()} during a call")
        self.call.count(message.call, size)
        match message:
            case wire.Executed() | wire.Evaluated():
                whole = self.call.add(message)
                if whole:
                    self._require_answered()
                return whole
            case wire.Incomplete():
                self.call.fall_short(message)
            case wire.Raised():
                self._require_answered()
                raise HookRaisedError(message.reason)
            case wire.Log() | wire.Progress():
                self.call.notice(message, size)
            case _:
                self._take_request(message)
        return False

    async def cut_short(self) -> None:
        """A request that is under way is on record as cut short, and nothing is done for it any more."""
        if self._request is not None:
            self._request.cancel()
            await asyncio.wait([self._request])

    def _require_answered(self) -> None:
        if self._request is not None:
            raise ViolationError("replied before its request was answered")

    def _take_request(self, message: wire.Request) -> None:
        if self._request is not None:
            raise ViolationError("sent a request before its last one was answered")
        answer = self.call.request(message)
        if answer is None and not isinstance(message, wire.Evidence):
            self._start(self._serve(message))
        elif answer is not None and self.call.unclean:
            self._start(self._answer(answer, None))
        elif answer is not None:
            self._send(wire.encode(answer), None)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._request = asyncio.get_running_loop().create_task(work)
        self._request.add_done_callback(self._served)

    async def _serve(self, message: wire.Use) -> None:
        await self._answer(*await self._broker.answer(message, time_left_s=self._time_left_s()))

    async def _answer(self, answer: wire.ToWorker, descriptor: int | None) -> None:
        if self.call.unclean:  # after evidence or a secret, whose answers come without a descriptor
            await self.call.clean()
        self._request = None
        self._send(wire.encode(answer), descriptor)

    def _served(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_bug(error)
