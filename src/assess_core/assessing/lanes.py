"""Much to do, a few things at a time, in order: what would be a task for each takes memory for each."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Came = TypeVar("Came")


async def side_by_side(do: Callable[[Item], Awaitable[Came]], items: Sequence[Item], *, at_once: int) -> list[Came]:
    """What each of them came to, in their order; begun in their order, so many at a time.

    The first error is raised when what had been begun is over; nothing more is begun after it.
    """
    came: dict[int, Came] = {}
    left = iter(enumerate(items))
    failed: list[BaseException] = []

    async def lane() -> None:
        for index, item in left:
            if failed:
                return
            try:
                came[index] = await do(item)
            except Exception as error:  # raised below, once: the other lanes end what they have begun
                failed.append(error)
                return

    await asyncio.gather(*(lane() for _ in range(min(at_once, len(items)))))
    if failed:
        raise failed[0]
    return [came[index] for index in range(len(items))]
