"""What every transport promises: at most so many bytes, by one deadline, of this very place, or an error that says why.

- A `Deadline` covers a whole operation, not the gap between two packets: a server that drips a byte a second is as gone
  as one that is silent.
- `read` stops at the first excess byte. It follows no redirect, and takes nothing but the file itself for an answer,
  so that an error page can never be saved as a wheel.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

from assess_registry.client.location import Location
from assess_registry.errors import TransportError, TrustError


class ForbiddenError(TransportError):
    """The server does not let this file be read; many object stores say this of files that are not there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Deadline:
    """A point in time by which an operation must be over.

    Attributes:
        timeout_s: how long the whole operation was given.
        ends_at: on the scale of `clock`, monotonic seconds.
    """

    timeout_s: float
    ends_at: float
    clock: Callable[[], float]

    @classmethod
    def after(cls, timeout_s: float, *, clock: Callable[[], float] = time.monotonic) -> Self:
        """The deadline that is `timeout_s` from now."""
        return cls(timeout_s=timeout_s, ends_at=clock() + timeout_s, clock=clock)

    def remaining_s(self, url: str) -> float:
        """Seconds left, always positive.

        Raises:
            TransportError: there are none; `url` is what they ran out on.
        """
        left = self.ends_at - self.clock()
        if left <= 0:
            raise overdue(url, self)
        return left


class Transport(Protocol):
    """Reads the files of one registry."""

    def read(self, location: Location, *, max_bytes: int, deadline: Deadline) -> bytes:
        """The whole file at `location`.

        Raises:
            NotPublishedError: the registry answers and has no such file.
            TransportError: no answer, or not by the deadline.
            TrustError: step `length`, the file has more than `max_bytes`; step `redirect`, the server points elsewhere.
        """

    def close(self) -> None:
        """Give back connections; nothing can be read any more."""

    def abandon(self) -> None:
        """Nobody on the network is waited for any more: `TransportError`, also for what waits in another thread."""


def overdue(url: str, deadline: Deadline) -> TransportError:
    """The error of an operation that took too long."""
    return TransportError(
        f"{url}: not complete within {deadline.timeout_s:g} s for the whole operation; "
        "try again, or raise timeout_s of the registry",
        url=url,
    )


def oversized(url: str, *, max_bytes: int, got: str) -> TrustError:
    """The error of a file that is longer than it may be."""
    return TrustError(
        "it is longer than it may be; reading stopped there",
        step="length",
        thing=url,
        expected=f"at most {max_bytes} bytes",
        got=got,
        next_step="do not use this registry until its maintainer has explained the difference",
    )
