"""Since when, until when, and whether at all a key's signatures count.

A key is valid at T when `valid_from <= T` and T is before `valid_until`. A release is judged by the time it was
published at, so what was signed while a key was valid stays verifiable after the key was replaced; a revocation with an
earlier `valid_until` takes back what was published after that.
"""

from dataclasses import dataclass
from datetime import datetime

from assess_registry.canonical import parse_text, require_zone, write_time
from assess_registry.keys.public import PublicKey


@dataclass(frozen=True, kw_only=True, slots=True)
class TimedKey:
    """A public key and the time for which it is valid.

    Attributes:
        valid_from: the first moment.
        valid_until: the first moment at which it is not valid any more; None for an open end.
        revoked: why it was revoked; empty when it was not, or merely replaced.

    Raises:
        ValueError: a time without a zone, an end before the beginning, or a revocation without an end.
    """

    key: PublicKey
    valid_from: datetime
    valid_until: datetime | None = None
    revoked: str = ""

    def __post_init__(self) -> None:
        require_zone(self.valid_from)
        if self.valid_until is not None and require_zone(self.valid_until) < self.valid_from:
            raise ValueError("the key's end lies before its beginning")
        if self.revoked:
            parse_text(self.revoked)
        if self.revoked and self.valid_until is None:
            raise ValueError("a revoked key has an end: until = the time since when it counts no more")

    def valid_at(self, time: datetime) -> bool:
        """Whether a signature that was made known at this time counts."""
        return self.valid_from <= time and (self.valid_until is None or time < self.valid_until)

    def invalid_because(self, time: datetime) -> str:
        """Why a signature of this time does not count; empty when it does."""
        if self.valid_at(time):
            return ""
        if time < self.valid_from:
            return f"not valid before {write_time(self.valid_from)}"
        until = write_time(self.valid_until) if self.valid_until else ""
        return f"revoked as of {until}: {self.revoked}" if self.revoked else f"expired at {until}"
