"""What a runtime that is up shows of itself: counts, health and bugs, while and where it is configured.

    observing = Observing(build={"version": "0.1.0"}, crashes=crashes, shown=service)
    await observing.follow(config.observe)       # listens from now on; again after each change
    observing.metrics.run_ended(...)
    await observing.close()

`Shown` is whoever knows how things stand. Nothing of what was found is told here: any user of the machine may ask.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

from assess_core.config import ObserveConfig
from assess_core.errors import AssessError
from assess_core.host.aside import aside
from assess_core.observe.crash import Crashes
from assess_core.observe.endpoint import Answer, Answers, Endpoint, listen_at
from assess_core.observe.metrics import CONTENT_TYPE, Metrics, Standing

_log = logging.getLogger(__name__)

AGAIN_S = 10.0
"""Between two tries to listen where another program does."""

FRESH_S = 1.0
"""How old numbers may be that are told: so whoever asks without end costs no more than one who asks each second."""

REST = 4.0
"""Numbers are told for so many times as long as it took to make them, too: 10,000 assessments' take a second."""


class Shown(Protocol):
    """Whoever knows how things stand."""

    def ailment(self) -> str:
        """Why this process does not work and should be restarted; empty while it works."""

    def unready(self) -> str:
        """Why it does not carry out what is due; empty while it does."""

    async def look(self) -> Standing | None:
        """The numbers of this moment; None while there are none yet, or no more."""


class Observing:
    """For one service, on its loop."""

    def __init__(self, *, build: Mapping[str, str], crashes: Crashes, shown: Shown) -> None:
        self.metrics = Metrics(build)
        self._crashes = crashes
        self._shown = shown
        self._listen = ""
        self._listening: asyncio.Task[None] | None = None
        self._following = asyncio.Lock()
        self._numbers: asyncio.Task[Answer] | None = None
        self._fresh_until_s = float("-inf")

    def bug(self, error: BaseException, where: str) -> None:
        """It can only be a fault of ours: it is counted, and written down."""
        self.metrics.crashed()
        self._crashes.report(error, where=where)

    async def follow(self, observe: ObserveConfig) -> None:
        """It listens where this says from now on, or nowhere."""
        async with self._following:  # two changes at once are followed in their order
            if observe.listen == self._listen:
                return
            await self._close()
            self._listen = observe.listen
            if observe.listen:
                self._listening = asyncio.get_running_loop().create_task(self._answer(observe.listen))

    async def close(self) -> None:
        """It listens no more."""
        async with self._following:
            await self._close()

    async def _close(self) -> None:
        task, self._listening, self._listen = self._listening, None, ""
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _answer(self, listen: str) -> None:
        """Until it is cancelled; as soon as nobody else has the port."""
        answers: Answers = {
            "/healthz": self.health,
            "/readyz": self.readiness,
            "/metrics": self.numbers,
        }
        while True:
            try:
                async with Endpoint(answers).on(listen_at(listen)) as at:
                    _log.info("metrics are at %s:%d", at.host, at.port, extra={"action": "endpoint", "port": at.port})
                    await asyncio.Event().wait()
            except OSError as error:
                _log.error("cannot listen on %s: %s", listen, error, extra={"action": "endpoint-failed"})
            await asyncio.sleep(AGAIN_S)

    async def health(self) -> Answer:
        """Of `/healthz`."""
        ails, lacks = self._shown.ailment(), self._shown.unready()
        # What a restart does not mend is said, and is no reason for one.
        return _word(ails, otherwise=f"it works; {lacks}" if lacks else "ok")

    async def readiness(self) -> Answer:
        """Of `/readyz`."""
        return _word(self._shown.unready(), otherwise="ok")

    async def numbers(self) -> Answer:
        """Of `/metrics`: all who ask while they are made, and for a while afterwards, get the same."""
        if self._numbers is None or (self._numbers.done() and time.monotonic() >= self._fresh_until_s):
            self._numbers = asyncio.get_running_loop().create_task(self._made())
        return await asyncio.shield(self._numbers)  # whoever goes away does not end it for the others

    async def _made(self) -> Answer:
        began_s = time.monotonic()
        try:
            if (standing := await self._shown.look()) is None:
                self._fresh_until_s = began_s
                return _word(self._shown.unready() or "there are no numbers", otherwise="")
            body = await aside(self.metrics.copy().text, standing)
        except AssessError as error:
            _log.warning("the numbers cannot be told: %s", error, extra={"action": "endpoint-failed"})
            return _word("the journal does not tell", otherwise="")
        now_s = time.monotonic()
        self._fresh_until_s = now_s + max(FRESH_S, REST * (now_s - began_s))
        return Answer(status=200, body=body, content_type=CONTENT_TYPE)


def _word(why_not: str, *, otherwise: str) -> Answer:
    return Answer(status=503 if why_not else 200, body=f"{why_not or otherwise}\n".encode())
