"""When to follow: what is looked at for changes, how often, and how often the registry is asked without one.

Looking is done beside everything else, and holds up nothing when a disk does not answer.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from assess_core.clock import utc_now
from assess_core.config import Config
from assess_core.host.aside import aside
from assess_core.live.changes import Changes, Topic, places_of
from assess_core.live.underway import Underway

_log = logging.getLogger(__name__)

LOOK_S = 5.0
"""For all places to say how they are; mostly a few milliseconds."""

JITTER = 0.1
"""Of the time between two questions to the registry: a thousand machines started together do not ask together."""

STEP_S = 60.0
"""Of a clock that was set, or of a machine that slept: what the registry said is good for a time, and is asked anew."""

Value = TypeVar("Value")


class Watching:
    """The places that are followed, and the clock of the registry.

    Args:
        poll_s: between two looks for changes.
        rng: gives numbers from 0 to 1.
    """

    def __init__(self, underway: Underway, *, poll_s: float, rng: Callable[[], float]) -> None:
        self._underway = underway
        self._poll_s = poll_s
        self._rng = rng
        self._changes = Changes()
        self._looking: asyncio.Task[Any] | None = None
        self._stuck = False

    async def expect(self, config: Config) -> None:
        """What this configuration goes by is as it is to be; what changes from now on is a change."""
        await self._look(partial(self._changes.watch, self._places(config)))

    async def go_on(
        self, reload: Callable[[], Coroutine[Any, Any, object]], *, failed: Callable[[Exception], None]
    ) -> None:
        """Each change is followed, and the registry asked in time; until it is cancelled.

        Args:
            reload: follows.
            failed: told of a bug of ours, which is no reason to stop following for the months to come.
        """
        loop = asyncio.get_running_loop()
        due, clock = loop.time() + self._until_refresh_s(), _ahead(loop)
        while True:
            await asyncio.sleep(self._poll_s)
            try:
                topics = await self._look(self._changes.look) or frozenset()
                fleet = self._underway.serving
                if Topic.STATE in topics or fleet.has_unkept:
                    await fleet.resume_lifted()
                if topics:
                    _log.info("changed: %s", ", ".join(sorted(topics)), extra={"action": "changed"})
                if topics or loop.time() >= due or abs(_ahead(loop) - clock) > STEP_S:
                    try:
                        await reload()
                    finally:  # also when it fails: the registry is not asked each second for that
                        due, clock = loop.time() + self._until_refresh_s(), _ahead(loop)
            except Exception as error:
                failed(error)

    def end(self) -> None:
        """Nothing is looked at any more; a disk that does not answer is left to itself."""
        if self._looking is not None:
            self._looking.cancel()

    def _until_refresh_s(self) -> float:
        settings = self._underway.runtime.config.registry
        every = settings.refresh_s if settings is not None else 300.0
        return every * (1 - JITTER + 2 * JITTER * self._rng())

    def _places(self, config: Config) -> frozenset[tuple[Topic, Path]]:
        fleet, own = self._underway.fleet, self._underway.runtime.interpreter.path
        running = fleet.running if fleet is not None else ()
        interpreters = {own, *(plugin.interpreter.path for plugin in running)}
        return places_of(config, state=self._underway.state, interpreters=interpreters)

    async def _look(self, work: Callable[[], Value]) -> Value | None:
        """What is seen; None when a place does not answer: what does not have to do with it goes on.

        One at a time, in threads that nobody waits for when the process ends.
        """
        while self._looking is not None and not self._looking.done():
            if not await self._answers(self._looking):
                return None
        self._looking = looking = asyncio.get_running_loop().create_task(aside(work))
        return looking.result() if await self._answers(looking) else None

    async def _answers(self, looking: asyncio.Task[Any]) -> bool:
        done, _ = await asyncio.wait([looking], timeout=LOOK_S)
        if not done and not self._stuck:
            _log.error(
                "something that is followed lies on a disk that does not answer: changes on disk are not noticed until "
                "it does, and the registry is asked as ever",
                extra={"action": "looking-stuck"},
            )
        self._stuck = not done
        return bool(done)


def _ahead(loop: asyncio.AbstractEventLoop) -> float:
    """How far the wall clock is ahead of the loop's, which nobody sets and which stands while the machine sleeps."""
    return utc_now().timestamp() - loop.time()
