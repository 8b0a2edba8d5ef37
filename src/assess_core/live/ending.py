"""The end of a runtime: nothing runs, what was found is recorded, nothing is open; each step within bounds.

1. what follows changes is given up  2. no registry is waited for  3. the processes end, and assessments record what
they have  4. who asked for it writes its last  5. what is open is closed
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any

from assess_core.host.aside import aside
from assess_core.live.underway import Underway

_log = logging.getLogger(__name__)

LAST_WORDS_S = 30.0
"""For assessments to record what they have, once their plugins were ended; and for what the state is written by."""

HAND_OVER_S = 0.5
"""For assessments that are over to hand what they found to the journal, before it takes nothing more."""

LastWork = Callable[[], Coroutine[Any, Any, None]]


async def end(
    underway: Underway,
    *,
    following: Collection[asyncio.Task[Any]],
    running: Collection[asyncio.Future[None]],
    last: Sequence[LastWork],
) -> None:
    """Nothing of it is left.

    Args:
        underway: what there is of it.
        following: what follows changes.
        running: assessments; each leaves it when it is over.
        last: waited for when nothing runs any more, and the journal is still open.
    """
    for task in following:
        task.cancel()
    if following:
        await asyncio.wait(following)
    # No process is made from here on: what would have been is given up, and nothing new is begun.
    if underway.opened is not None:
        underway.opened.vouching.abandon()
    if underway.fleet is not None:
        await underway.fleet.stop()
        await _record(underway, running)
        underway.fleet = None
    for work in last:
        await asyncio.wait([asyncio.get_running_loop().create_task(work())], timeout=LAST_WORDS_S)
    if not (await asyncio.wait([underway.leave()], timeout=LAST_WORDS_S))[0]:
        _log.warning(
            "stopped, while %s is still being written to by what was begun before; it ends by itself",
            underway.state,
            extra={"action": "sync-left"},
        )


async def _record(underway: Underway, running: Collection[asyncio.Future[None]]) -> None:
    if running:
        await asyncio.wait(tuple(running), timeout=HAND_OVER_S)
    if running and underway.opened is not None:
        # What waits for room on the disk is tried once more, and then given up.
        closing = asyncio.get_running_loop().create_task(aside(underway.opened.journal.writer().close))
        await asyncio.wait(tuple(running), timeout=LAST_WORDS_S)
        closing.cancel()  # it goes on in its thread
