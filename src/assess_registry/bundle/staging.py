"""A private directory in which exactly those files of a registry arrive that were read while it was verified."""

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from assess_registry.client.location import Location
from assess_registry.client.transport import Deadline, Transport

_PREFIX = ".gather-"


@dataclass(frozen=True, slots=True)
class Recording:
    """A transport that keeps what it reads: the bytes a verifier saw are the bytes that are there afterwards.

    Attributes:
        source: whose files they are.
        root: where they are kept, each under its own location.
        names: what was kept.
    """

    source: Transport
    root: Path
    names: set[str] = field(default_factory=set)

    def read(self, location: Location, *, max_bytes: int, deadline: Deadline) -> bytes:
        """See `Transport.read`."""
        kept = self.root / location
        if location in self.names:
            # Once read, it stays what it was: a source that answers differently the second time is not asked.
            return kept.read_bytes()
        data = self.source.read(location, max_bytes=max_bytes, deadline=deadline)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(data)
        self.names.add(location)
        return data

    def close(self) -> None:
        """The source is its owner's to close."""

    def abandon(self) -> None:
        """The source is its owner's to abandon."""


@contextlib.contextmanager
def private_directory(parent: Path) -> Iterator[Path]:
    """A new directory in `parent` for us alone, gone afterwards; what killed processes left is removed by `sweep`."""
    directory = parent / f"{_PREFIX}{secrets.token_hex(8)}"
    directory.mkdir(mode=0o700)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def sweep(parent: Path) -> None:
    """Remove what killed processes left in `parent`; only under the lock of those who make such directories there."""
    for left in parent.glob(f"{_PREFIX}*"):
        shutil.rmtree(left, ignore_errors=True)
