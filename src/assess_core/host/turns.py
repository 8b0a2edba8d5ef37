"""Whose turn it is: a bound on all calls together, and nobody who waits for long because another has much to do.

    turns = Turns(16)                             # one for all supervisors of a runtime
    turn = turns.ask(whose="host", of=supervisor)
    worker = await turn.granted                   # what `supervisor.claim()` gave
    ...
    turns.give_back()

An assessment of a thousand subjects and one of three take turns, one call each; inside one, first come, first served.
Whoever waits for a plugin that has no worker free is passed over, and keeps its place.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from itertools import count
from typing import Any, Generic, Protocol, TypeVar

from assess_core.errors import ConfigError

Of = TypeVar("Of", bound=Hashable)
Claimed = TypeVar("Claimed")
Claims_co = TypeVar("Claims_co", covariant=True)


class Ticket(Generic[Of]):
    """A wish for one turn: `whose` it is, and `of` whom something is wanted. `number` says who came first."""

    def __init__(self, *, whose: str, of: Of) -> None:
        self.whose = whose
        self.of = of
        self.number = 0


class Order(Generic[Of]):
    """Who is next. No I/O, no time.

    The waiting stand in a ring of assessments. Whoever had a turn goes to its end, whoever is new as well: so nobody
    who could be served is overtaken twice by the same one.
    """

    def __init__(self, limit: int) -> None:
        self.limit = _bound(limit)
        self.busy = 0
        self._numbers = count(1)
        self._earlier = count(-1, -1)
        # Of each assessment the lines before each it waits for. OrderedDict: the first of a dict is found in time that
        # grows with what was taken out before it.
        self._ring: OrderedDict[str, dict[Of, OrderedDict[Ticket[Of], None]]] = OrderedDict()

    @property
    def waiting(self) -> bool:
        """Whether anybody does."""
        return bool(self._ring)

    def add(self, ticket: Ticket[Of], *, first: bool = False) -> None:
        """It waits: behind all others of its assessment, or before them."""
        line = self._ring.setdefault(ticket.whose, {}).setdefault(ticket.of, OrderedDict())
        ticket.number = next(self._earlier if first else self._numbers)
        line[ticket] = None
        if first:
            line.move_to_end(ticket, last=False)

    def remove(self, ticket: Ticket[Of]) -> None:
        """It waits no longer; nothing happens when it did not."""
        lines = self._ring.get(ticket.whose, {})
        line = lines.get(ticket.of)
        if line is None or ticket not in line:
            return
        del line[ticket]
        if not line:
            del lines[ticket.of]
        if not lines:
            del self._ring[ticket.whose]

    def next(self, has_room: Callable[[Of], bool]) -> Ticket[Of] | None:
        """Whose turn it is, who has it from now on; None when all turns are taken, or nobody can be served.

        `has_room` is asked at most once about each of those that somebody waits for.
        """
        if self.busy >= self.limit:
            return None
        known: dict[Of, bool] = {}
        for whose, lines in self._ring.items():
            first: Ticket[Of] | None = None
            for of, line in lines.items():
                if of not in known:
                    known[of] = has_room(of)
                head = next(iter(line))
                if known[of] and (first is None or head.number < first.number):
                    first = head
            if first is not None:
                self.busy += 1
                self._ring.move_to_end(whose)
                self.remove(first)
                return first
        return None

    def begin(self) -> bool:
        """Whether a turn could be had by somebody who did not wait, since nobody does."""
        if self._ring or self.busy >= self.limit:
            return False
        self.busy += 1
        return True

    def done(self) -> None:
        """A turn is over."""
        self.busy -= 1


class Host(Hashable, Protocol[Claims_co]):
    """Whom turns are taken of."""

    @property
    def has_room(self) -> bool:
        """Whether there is anything to claim."""

    def claim(self) -> Claims_co:
        """What the turn is for, the caller's from now on; called only when there is room."""


class Turn(Ticket["Host[Any]"], Generic[Claimed]):
    """A ticket, and what comes of it."""

    def __init__(self, *, whose: str, of: Host[Claimed]) -> None:
        super().__init__(whose=whose, of=of)
        self.granted: asyncio.Future[Claimed] = asyncio.get_running_loop().create_future()


class Turns:
    """At most `limit` at the same time, in order; for one event loop.

    Raises:
        ConfigError: the limit, now or when it is set, is below 1.
    """

    def __init__(self, limit: int) -> None:
        self._order: Order[Host[Any]] = Order(limit)

    @property
    def limit(self) -> int:
        """How many there may be at the same time; more may be under way for a while after it was lowered."""
        return self._order.limit

    @limit.setter
    def limit(self, limit: int) -> None:
        self._order.limit = _bound(limit)
        self.stir()

    @property
    def busy(self) -> int:
        """How many there are."""
        return self._order.busy

    def at_once(self, of: Host[Claimed]) -> Claimed | None:
        """What there is to claim, if nobody has to wait: as `ask`, for a tenth of what that costs."""
        return of.claim() if of.has_room and self._order.begin() else None

    def ask(self, *, whose: str, of: Host[Claimed], first: bool = False) -> Turn[Claimed]:
        """A turn to wait for, or to `withdraw`; `first`: one that was granted and came to nothing."""
        turn: Turn[Claimed] = Turn(whose=whose, of=of)
        self._order.add(turn, first=first)
        self.stir()
        return turn

    def withdraw(self, turn: Turn[Any]) -> None:
        """It is not waited for any more; what was granted is to be given back instead."""
        self._order.remove(turn)

    def give_back(self) -> None:
        """A turn is over, or was not needed; what was claimed has been given back before."""
        self._order.done()
        if self._order.waiting:
            self.stir()

    def stir(self) -> None:
        """Whoever can be served is: called when somebody has room again."""
        while (turn := self._order.next(_has_room)) is not None:
            assert isinstance(turn, Turn)  # noqa: S101  no others are added
            if turn.granted.done():  # failed, or its caller was cancelled in this very turn of the loop
                self._order.done()
            else:
                turn.granted.set_result(turn.of.claim())


def _bound(limit: int) -> int:
    if limit < 1:
        raise ConfigError(f"calls at the same time must be at least 1, got {limit}")
    return limit


def _has_room(host: Host[Any]) -> bool:
    return host.has_room
