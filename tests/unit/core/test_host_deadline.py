"""Deadlines that follow one another on one timer."""

import asyncio
from typing import Any

from assess_core.host.deadline import Deadline


class Clock(asyncio.SelectorEventLoop):
    """A loop whose time is what it is told, and that counts the timers it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.asked_for: list[float] = []

    def time(self) -> float:
        return self.now

    def call_at(  # type: ignore[override]  # theirs is generic in what it passes on
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        self.asked_for.append(when)
        return super().call_at(when, callback, *args, context=context)

    def go_to(self, now: float) -> None:
        """It is that late now, and what is due has been done."""
        self.now = now
        self.call_soon(self.stop)
        self.run_forever()


class Case:
    def __init__(self) -> None:
        self.loop = Clock()
        self.overrun: list[float] = []
        self.deadline = Deadline(self.loop, self.overrun.append)

    def __enter__(self) -> "Case":
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.close()


def test_what_is_not_over_in_time_is_told_once() -> None:
    with Case() as case:
        case.deadline.begin(5)
        assert case.deadline.left_s == 5
        case.loop.go_to(104.9)
        assert case.overrun == []
        case.loop.go_to(105.1)
        case.loop.go_to(200.0)
        assert case.overrun == [5]


def test_many_that_are_over_in_time_share_a_timer_and_nobody_is_told() -> None:
    with Case() as case:
        for number in range(100):
            case.deadline.begin(60)
            case.loop.go_to(100 + number / 10)
            case.deadline.over()
        assert len(case.loop.asked_for) == 1
        case.loop.go_to(500.0)
        assert case.overrun == []
        assert len(case.loop.asked_for) == 1, "nothing is under way, and so nothing is due"


def test_a_later_one_is_due_at_its_own_time_and_not_when_the_timer_was_meant_for() -> None:
    with Case() as case:
        case.deadline.begin(60)
        case.loop.go_to(150.0)
        case.deadline.over()
        case.deadline.begin(60)
        case.loop.go_to(209.0)
        assert case.overrun == []
        case.loop.go_to(210.1)
        assert case.overrun == [60]
        assert case.loop.asked_for == [160.0, 210.0]


def test_a_shorter_one_does_not_wait_for_the_timer_of_a_longer_one() -> None:
    with Case() as case:
        case.deadline.begin(60)
        case.deadline.over()
        case.deadline.begin(2)
        case.loop.go_to(102.1)
        assert case.overrun == [2]
        case.deadline.begin(300)
        case.loop.go_to(161.0)
        assert case.overrun == [2], "the first one's is forgotten"


def test_nobody_is_told_of_what_was_closed_nor_of_what_begins_afterwards() -> None:
    with Case() as case:
        case.deadline.begin(5)
        case.deadline.close()
        case.deadline.close()
        case.deadline.begin(5)
        case.loop.go_to(500.0)
        assert case.overrun == []
        assert case.loop.asked_for == [105.0]
