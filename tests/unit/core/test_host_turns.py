"""Whose turn it is: properties of the order, and what cancelling leaves."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assess_core.errors import ConfigError
from assess_core.host.turns import Order, Ticket, Turns
from tests.support.examples import examples

HOSTS = ("plugin-a", "plugin-b", "plugin-c")
ASSESSMENTS = ("one", "two", "three", "four")

asks = st.tuples(st.just("ask"), st.sampled_from(ASSESSMENTS), st.sampled_from(HOSTS))
steps = st.lists(
    st.one_of(asks, asks, st.tuples(st.just("take"), st.frozensets(st.sampled_from(HOSTS)), st.none()))
    | st.tuples(st.just("done"), st.none(), st.none())
    | st.tuples(st.just("leave"), st.integers(0, 20), st.none()),
    max_size=60,
)


@given(steps, st.integers(1, 4))
@settings(max_examples=examples(150), deadline=None)
def test_never_more_than_the_limit_nobody_twice_nobody_before_who_came_first_of_its_own(
    steps: list[Any], limit: int
) -> None:
    order: Order[str] = Order(limit)
    waiting: list[Ticket[str]] = []
    taken = 0
    overtaken: dict[Ticket[str], Counter[str]] = {}
    for kind, first, second in steps:
        if kind == "ask":
            ticket = Ticket(whose=first, of=second)
            order.add(ticket)
            waiting.append(ticket)
            overtaken[ticket] = Counter()
        elif kind == "leave" and waiting:
            order.remove(waiting.pop(first % len(waiting)))
        elif kind == "done" and taken:
            order.done()
            taken -= 1
        elif kind == "take":
            served = order.next(lambda host: host in first)  # noqa: B023  called at once
            able = [ticket for ticket in waiting if ticket.of in first]
            assert (served is not None) == (taken < limit and bool(able))
            if served is None:
                continue
            taken += 1
            assert served is next(ticket for ticket in able if ticket.whose == served.whose), "first come, first served"
            waiting.remove(served)
            for ticket in able:
                if ticket.whose != served.whose:
                    overtaken[ticket][served.whose] += 1
                    assert overtaken[ticket][served.whose] == 1, "once by each, while it could have been served itself"
            for ticket in able:  # whoever is served begins to wait anew, with all the rest of its assessment
                if ticket.whose == served.whose:
                    overtaken[ticket] = Counter()
        assert order.busy == taken <= limit
        assert order.waiting == bool(waiting)


def test_a_thousand_calls_do_not_keep_three_waiting() -> None:
    order: Order[str] = Order(1)
    for _ in range(1000):
        order.add(Ticket(whose="large", of="plugin"))
    for _ in range(3):
        order.add(Ticket(whose="small", of="plugin"))
    served = []
    for _ in range(8):
        ticket = order.next(lambda _: True)
        assert ticket is not None
        served.append(ticket.whose)
        order.done()
    assert served == ["large", "small"] * 3 + ["large"] * 2


def test_who_waits_for_a_plugin_without_room_keeps_its_place_and_nobody_else_waits_for_it() -> None:
    order: Order[str] = Order(1)
    order.add(Ticket(whose="first", of="busy"))
    order.add(Ticket(whose="second", of="free"))
    order.add(Ticket(whose="third", of="free"))
    passed_over = order.next(lambda host: host == "free")
    assert passed_over is not None
    assert passed_over.whose == "second"
    order.done()
    served = order.next(lambda _: True)
    assert served is not None
    assert served.whose == "first"


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1, got 0"):
        Order(0)


class Room:
    """Gives its pieces away, and takes them back."""

    def __init__(self, pieces: int) -> None:
        self.pieces = pieces

    @property
    def has_room(self) -> bool:
        return self.pieces > 0

    def claim(self) -> str:
        self.pieces -= 1
        return "piece"


def test_all_hosts_together_get_no_more_turns_than_there_are() -> None:
    async def use() -> None:
        turns = Turns(3)
        hosts = [Room(2), Room(2), Room(2)]
        asked = [turns.ask(whose=str(number), of=host) for number, host in enumerate(hosts * 2)]
        assert [turn.granted.done() for turn in asked] == [True] * 3 + [False] * 3
        assert [host.pieces for host in hosts] == [1, 1, 1]
        turns.give_back()
        assert asked[3].granted.done()
        assert not asked[4].granted.done()
        turns.withdraw(asked[4])
        turns.give_back()
        assert not asked[4].granted.done(), "it does not wait any more"
        assert asked[5].granted.done()
        assert turns.busy == 3

    asyncio.run(use())


def test_nobody_is_served_at_once_while_another_waits_or_all_turns_are_taken() -> None:
    async def use() -> None:
        turns, free, none = Turns(2), Room(9), Room(0)
        assert turns.at_once(none) is None
        assert turns.at_once(free) == "piece"
        waits = turns.ask(whose="a", of=none)
        assert turns.at_once(free) is None, "in turn, or never"
        turns.withdraw(waits)
        assert turns.at_once(free) == "piece"
        assert turns.at_once(free) is None
        assert (turns.busy, free.pieces) == (2, 7)
        turns.give_back()
        assert turns.at_once(free) == "piece"

    asyncio.run(use())


def test_a_turn_is_not_spent_on_somebody_who_was_cancelled_meanwhile() -> None:
    async def use() -> None:
        turns, host = Turns(1), Room(0)
        cancelled, waits = turns.ask(whose="a", of=host), turns.ask(whose="b", of=host)
        cancelled.granted.cancel()
        host.pieces = 1
        turns.stir()
        assert await waits.granted == "piece"
        assert (turns.busy, host.pieces) == (1, 0)

    asyncio.run(use())


def test_who_was_granted_something_unusable_asks_again_before_its_own() -> None:
    async def use() -> None:
        turns, host = Turns(1), Room(0)
        later = turns.ask(whose="a", of=host)
        again = turns.ask(whose="a", of=host, first=True)
        host.pieces = 1
        turns.stir()
        assert again.granted.done()
        assert not later.granted.done()

    asyncio.run(use())


def test_the_limit_is_raised_for_who_waits_and_lowered_for_who_comes() -> None:
    class Host:
        has_room = True

        def claim(self) -> str:
            return "worker"

    async def main() -> None:
        turns, host = Turns(1), Host()
        asked = [turns.ask(whose="one", of=host) for _ in range(4)]
        assert [turn.granted.done() for turn in asked] == [True, False, False, False]
        turns.limit = 3
        assert [turn.granted.done() for turn in asked] == [True, True, True, False]
        turns.limit = 1
        turns.give_back()
        turns.give_back()
        assert (turns.busy, asked[3].granted.done()) == (1, False)
        turns.give_back()
        assert asked[3].granted.done()
        with pytest.raises(ConfigError, match="at least 1"):
            turns.limit = 0

    asyncio.run(main())
