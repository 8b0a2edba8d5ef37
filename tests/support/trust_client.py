"""A client of a TUF tree: what it is served, what it has remembered, and what time it believes it is."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from assess_registry.client.location import Location, parse_base
from assess_registry.client.transport import Deadline, Transport, open_transport
from assess_registry.client.trust.port import Word
from assess_registry.client.trust.word import SignedWord
from tests.support.tuf_tree import TufTree

DEMO, OTHER, CONTROL = "catalog/demo.json", "catalog/other.json", "control/revocations.json"

MAX_STALENESS = timedelta(days=30)


@dataclass(kw_only=True)
class TrustClient:
    """Opens its state anew for every call, as separate commands would.

    Attributes:
        url: where the registry is; the tree on disk when not given.
        later: how far its clock is ahead of the system's.
        reads: what it asked for.
    """

    tree: TufTree
    state: Path
    url: str = ""
    later: timedelta = timedelta()
    anchor: bytes = b""
    timeout_s: float = 20.0
    reads: list[str] = field(default_factory=list)
    transports: dict[str, Transport] = field(default_factory=dict)

    def open(self) -> SignedWord:
        url = self.url or self.tree.root.as_uri()
        transport = self.transports.setdefault(url, open_transport(parse_base(url)))

        def read(location: Location, max_bytes: int, deadline: Deadline) -> bytes:
            self.reads.append(location)
            return transport.read(location, max_bytes=max_bytes, deadline=deadline)

        return SignedWord(
            state=self.state,
            root=self.anchor or self.tree.anchor,
            read=read,
            max_staleness_s=MAX_STALENESS.total_seconds(),
            now=lambda: datetime.now(UTC) + self.later,
        )

    def refresh(self) -> Word:
        return self.open().refresh(self.deadline())

    def read(self, path: str = DEMO) -> bytes | None:
        """The file of the registry's current word."""
        return self.refresh().read(path, self.deadline())

    def remembered(self, path: str = DEMO) -> bytes | None:
        """The file of the last word."""
        return self.open().remembered().read(path, self.deadline())

    def deadline(self) -> Deadline:
        return Deadline.after(self.timeout_s)

    def close(self) -> None:
        for transport in self.transports.values():
            transport.close()
