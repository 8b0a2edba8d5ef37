"""How often one call may do something: so many times at all, and no faster than so many a second."""

import asyncio

from assess_core.host.refusals import ImproperError


class Pace:
    """A budget of one call.

    Args:
        what: is counted, in the plural, for the message.
        most: that one call may have.
        per_s: how many a second once as many were had at once; None for as fast as they come.
    """

    def __init__(self, what: str, *, most: int, per_s: float | None = None) -> None:
        self._what = what
        self._most = most
        self._per_s = per_s
        self._taken = 0
        self._room = per_s or 0.0
        self._at = 0.0

    async def take(self) -> None:
        """There is room for one more, after a while if need be.

        Raises:
            ImproperError: this call has had all.
        """
        if self._taken >= self._most:
            raise ImproperError(f"this call has had its {self._most} {self._what}")
        self._taken += 1
        if self._per_s is None:
            return
        now = asyncio.get_running_loop().time()
        self._room = min(self._per_s, self._room + (now - self._at) * self._per_s) - 1
        self._at = now
        if self._room < 0:
            await asyncio.sleep(-self._room / self._per_s)
