"""Much to do, a few at a time."""

import asyncio

import pytest

from assess_core.assessing.lanes import side_by_side


def test_order_is_kept_and_no_more_run_at_once_than_may() -> None:
    running: list[int] = []
    most: list[int] = []

    async def one(number: int) -> int:
        running.append(number)
        most.append(len(running))
        for _ in range(number % 3):
            await asyncio.sleep(0)
        running.remove(number)
        return -number

    assert asyncio.run(side_by_side(one, range(50), at_once=4)) == [-number for number in range(50)]
    assert max(most) == 4


def test_fewer_items_than_lanes_and_none() -> None:
    async def one(number: int) -> int:
        return number

    assert asyncio.run(side_by_side(one, [7], at_once=4)) == [7]
    assert asyncio.run(side_by_side(one, [], at_once=4)) == []


def test_after_an_error_nothing_is_begun_what_was_ends_and_the_first_is_raised() -> None:
    begun: list[int] = []
    ended: list[int] = []

    async def one(number: int) -> None:
        begun.append(number)
        await asyncio.sleep(0)
        if number in {1, 2}:
            raise RuntimeError(f"number {number}")
        await asyncio.sleep(0)
        ended.append(number)

    with pytest.raises(RuntimeError, match="number 1"):
        asyncio.run(side_by_side(one, range(50), at_once=3))
    assert begun == [0, 1, 2]
    assert ended == [0]


def test_cancelled_it_cancels_what_runs_and_begins_nothing() -> None:
    begun: list[int] = []

    async def one(number: int) -> None:
        begun.append(number)
        await asyncio.Event().wait()

    async def cancelled() -> None:
        task = asyncio.create_task(side_by_side(one, range(50), at_once=3))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(cancelled())
    assert begun == [0, 1, 2]
