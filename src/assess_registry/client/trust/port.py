"""The registry's signed word, whoever it was learned from."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Protocol

from assess_registry.client.location import Location
from assess_registry.client.transport import Deadline
from assess_registry.keys import PublicKey

ReadFile = Callable[[Location, int, Deadline], bytes]
"""Reads a file of the registry: location, most bytes it may have, deadline; raises as `Transport.read`."""


class Word(Protocol):
    """The files that the registry vouches for at one moment.

    Attributes:
        refreshed_at: when the registry last said that this is current.
        stale: it is remembered, the registry has not been asked; nothing new may be installed on it.
    """

    @property
    def refreshed_at(self) -> datetime: ...  # noqa: D102  described by the class

    @property
    def stale(self) -> bool: ...  # noqa: D102  described by the class

    def read(self, path: str, deadline: Deadline) -> bytes | None:
        """The signed file at this target path, or None when the registry vouches for no such file.

        Raises:
            TransportError: it could not be had in time.
            TrustError: what was had is not what is vouched for.
        """

    def signing_keys(self) -> Iterable[tuple[str, PublicKey]]:
        """Role and key of all who sign the registry's metadata: `root`, `release`, `online`."""


class TrustState(Protocol):
    """What is known of a registry across processes, and how to learn more."""

    def refresh(self, deadline: Deadline) -> Word:
        """The registry's current word, remembered from now on.

        Raises:
            TransportError: the registry could not be read in time.
            TrustError: steps `state`, `clock`, `root`, `timestamp`, `snapshot`, `targets`, `length`, `redirect`.
            LockTimeoutError: another process is at it.
            ConfigError: the state directory cannot be made.
        """

    def remembered(self) -> Word:
        """The last word, verified again from what is on disk; the registry is not contacted.

        Raises:
            TrustError: steps `state`, `clock`, `staleness` (too old, or there never was one), `root`, `timestamp`,
                `snapshot`, `targets`.
        """
