"""Work in a thread of its own, which nobody but its caller waits for.

The loop's executor has few threads, and all plugins share them: what one plugin can make last long has no place there.

    await aside(redactor.data, megabytes)
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


async def aside(function: Callable[..., Value], *arguments: object) -> Value:
    """What the function returns or raises; who is cancelled meanwhile leaves it to itself."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Value] = loop.create_future()

    def settle(set_outcome: Callable[..., None], outcome: object) -> None:
        if not done.done():
            set_outcome(outcome)

    def work() -> None:
        outcome: tuple[Callable[..., None], object]
        try:
            outcome = done.set_result, function(*arguments)
        except BaseException as error:  # the caller's, whatever it is
            outcome = done.set_exception, error
        with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits any more
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=work, name="aside", daemon=True).start()
    return await done
