"""What a runtime that is up shows of itself: counts, health and bugs, while and where it is configured.

    observing = Observing(build={"version": "0.1.0"}, crashes=crashes, shown=service)
    await observing.follow(config.observe)       # listens from now on; again after each change
    observing.metrics.run_ended(...)
    await observing.close()

`Shown` is whoever knows how things stand. Nothing of what was found is told here: any user of the machine may ask.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Protocol

from assess_core.config import ObserveConfig
from assess_core.observe.crash import Crashes
from assess_core.observe.endpoint import Answer, Answers, Endpoint, listen_at
from assess_core.observe.metrics import CONTENT_TYPE, Metrics, Standing

_log = logging.getLogger(__name__)

AGAIN_S = 10.0
"""Between two tries to listen where another program does."""


class Shown(Protocol):
    """Whoever knows how things stand."""

    def ailment(self) -> str:
        """Why this process does not work and should be restarted; empty while it works."""

    def unready(self) -> str:
        """Why it does not carry out what is due; empty while it does."""

    async def look(self) -> Standing:
        """The numbers of this moment."""


class Observing:
    """For one service, on its loop."""

    def __init__(self, *, build: Mapping[str, str], crashes: Crashes, shown: Shown) -> None:
        self.metrics = Metrics(build)
        self._crashes = crashes
        self._shown = shown
        self._listen = ""
        self._listening: asyncio.Task[None] | None = None

    def bug(self, error: BaseException, where: str) -> None:
        """It can only be a fault of ours: it is counted, and written down."""
        self.metrics.crashed()
        self._crashes.report(error, where=where)

    async def follow(self, observe: ObserveConfig) -> None:
        """It listens where this says from now on, or nowhere."""
        if observe.listen == self._listen:
            return
        await self.close()
        self._listen = observe.listen
        if observe.listen:
            self._listening = asyncio.get_running_loop().create_task(self._answer(observe.listen))

    async def close(self) -> None:
        """It listens no more."""
        task, self._listening, self._listen = self._listening, None, ""
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _answer(self, listen: str) -> None:
        """Until it is cancelled; as soon as nobody else has the port."""
        answers: Answers = {
            "/healthz": partial(_word, self._shown.ailment),
            "/readyz": partial(_word, self._shown.unready),
            "/metrics": self._numbers,
        }
        while True:
            try:
                async with Endpoint(answers).on(listen_at(listen)) as at:
                    _log.info("metrics are at %s:%d", at.host, at.port, extra={"action": "endpoint", "port": at.port})
                    await asyncio.Event().wait()
            except OSError as error:
                _log.error("cannot listen on %s: %s", listen, error, extra={"action": "endpoint-failed"})
            await asyncio.sleep(AGAIN_S)

    async def _numbers(self) -> Answer:
        standing = await self._shown.look()
        return Answer(status=200, body=self.metrics.text(standing), content_type=CONTENT_TYPE)


async def _word(why_not: Callable[[], str]) -> Answer:
    why = why_not()
    return Answer(status=503 if why else 200, body=f"{why or 'ok'}\n".encode())
