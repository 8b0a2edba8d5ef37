"""A few start at a time, nobody holds the others up for long, and what nobody waits for any more is given back."""

import asyncio
import threading
import time

import pytest

from assess_core.host import starting
from assess_core.host.starting import Slot, beside, gone, slot_to_start


def test_so_many_start_at_once_and_the_next_when_one_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "AT_ONCE", 2)

    async def run() -> list[bool]:
        first, second = await slot_to_start(), await slot_to_start()
        third = asyncio.create_task(slot_to_start())
        await asyncio.sleep(0)
        seen = [third.done()]
        first.over()
        first.over()  # said twice, it lets one in
        fourth = asyncio.create_task(slot_to_start())
        (await third).over()
        (await fourth).over()
        second.over()
        return seen

    assert asyncio.run(run()) == [False]


def test_one_that_takes_long_lets_the_next_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "AT_ONCE", 1)
    monkeypatch.setattr(starting, "OVERDUE_S", 0.01)

    async def run() -> Slot:
        await slot_to_start()  # hangs
        return await asyncio.wait_for(slot_to_start(), 60)

    assert isinstance(asyncio.run(run()), Slot)


def test_ends_wait_for_no_start_and_are_let_through_when_a_disk_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "AT_ONCE", 1)
    monkeypatch.setattr(starting, "OVERDUE_S", 0.01)
    answers, removed = threading.Event(), list[str]()

    def remove(what: str) -> None:
        if what == "on a disk that hangs":
            answers.wait(90)
        removed.append(what)

    async def run() -> list[str]:
        slot = await slot_to_start()
        hanging = asyncio.create_task(gone(remove, "on a disk that hangs"))
        await asyncio.wait_for(gone(remove, "elsewhere"), 60)
        seen = list(removed)
        answers.set()
        await hanging
        slot.over()
        return seen

    assert asyncio.run(run()) == ["elsewhere"]
    assert removed == ["elsewhere", "on a disk that hangs"]


@pytest.mark.parametrize("made", [False, True], ids=["while-it-is-made", "just-made"])
def test_what_was_made_for_somebody_who_gave_up_is_given_back(*, made: bool) -> None:
    go, given_back = threading.Event(), threading.Event()
    back: list[int] = []

    def make() -> int:
        go.wait(60)
        return 7

    def give_back(value: int) -> None:
        back.append(value)
        given_back.set()

    async def run() -> None:
        task = asyncio.create_task(beside(make, give_back))
        while not threads:
            await asyncio.sleep(0)
        if made:
            go.set()
            while threads[0].is_alive():  # and its loop hears nothing of it
                pass
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go.set()

    threads: list[threading.Thread] = []
    start = threading.Thread.start

    def noted(thread: threading.Thread) -> None:
        threads.append(thread)
        start(thread)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", noted)
        asyncio.run(run())
        assert given_back.wait(60)
    assert back == [7]


def test_who_is_stopped_finds_nothing_left_of_what_a_disk_takes_its_time_for() -> None:
    begun, back = threading.Event(), list[int]()

    def make() -> int:
        begun.set()
        time.sleep(0.05)
        return 7

    async def run() -> list[int]:
        task = asyncio.create_task(beside(make, back.append))
        while not begun.is_set():
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return list(back)

    assert asyncio.run(run()) == [7]


def test_a_disk_that_does_not_answer_holds_up_nobody_who_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "GIVING_BACK_S", 0.01)
    begun, answers, back = threading.Event(), threading.Event(), list[int]()

    def make() -> int:
        begun.set()
        answers.wait(60)
        raise OSError("it is gone")

    async def run() -> None:
        task = asyncio.create_task(beside(make, back.append))
        while not begun.is_set():
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        answers.set()

    asyncio.run(run())
    assert back == []


def test_what_somebody_waits_for_is_not_given_back() -> None:
    back: list[int] = []
    assert asyncio.run(beside(lambda: 7, back.append)) == 7
    assert back == []


def test_a_loop_that_is_closed_is_forgotten() -> None:
    async def run() -> None:
        (await slot_to_start()).over()

    for _ in range(5):
        asyncio.run(run())
    assert len(starting._slots) <= 1
