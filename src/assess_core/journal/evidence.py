"""Evidence by digest: the same bytes are there once, whoever refers to them, and who that is is known."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

from assess_core.errors import StoreError
from assess_core.journal.database import Connection, Database
from assess_core.journal.documents import to_bytes, to_text
from assess_core.results import Result

Evidence = Mapping[str, tuple[str, bytes]]
"""By sha256: media type and bytes."""

RENEWED_AFTER_US = 3_600_000_000
"""Evidence that is kept again counts as kept now, if it was not within the hour: the same bytes come with every run."""

_INSERT = "INSERT INTO evidence (sha256, media_type, data) VALUES (?, ?, ?) ON CONFLICT (sha256) DO NOTHING"
_KEEP = (
    "INSERT INTO evidence_kept (sha256, kept_us, size, stored) VALUES (?1, ?2, ?3, ?3) "
    "ON CONFLICT (sha256) DO UPDATE SET kept_us = ?2 WHERE kept_us < ?4"
)
_USE = "INSERT INTO evidence_uses (sha256, run_id) VALUES (?, ?) ON CONFLICT DO NOTHING"


def require_digests(evidence: Evidence) -> None:
    """Every piece is what its digest says.

    Raises:
        ValueError: one is not.
    """
    for digest, (_, data) in evidence.items():
        if sha256(data).hexdigest() != digest:
            raise ValueError(f"evidence {digest} has other bytes than its sha256 says")


def require(connection: Connection, wanted: Iterable[str]) -> None:
    """All of these are there.

    Raises:
        ValueError: one is not.
    """
    for digest in sorted(wanted):
        if not connection.execute("SELECT 1 FROM evidence WHERE sha256 = ?", (digest,)).fetchone():
            raise ValueError(f"a result refers to evidence {digest}, which was not handed over")


def insert(connection: Connection, evidence: Evidence, *, at_us: int) -> None:
    """These are there, kept as of now."""
    rows = [(digest, to_bytes(media_type), data) for digest, (media_type, data) in evidence.items()]
    connection.executemany(_INSERT, rows)
    connection.executemany(_KEEP, [(digest, at_us, len(data), at_us - RENEWED_AFTER_US) for digest, _, data in rows])


def use(connection: Connection, results: Sequence[Result]) -> None:
    """It is known which runs refer to what."""
    uses = {(item.sha256, result.run_id) for result in results for item in result.evidence}
    connection.executemany(_USE, sorted(uses))


def read(database: Database, digest: str) -> tuple[str, bytes] | None:
    """Media type and bytes of the evidence with this sha256; None if there is none.

    Raises:
        StoreError: the bytes are no longer those of the digest.
    """
    rows = database.select("SELECT media_type, data FROM evidence WHERE sha256 = ?", digest)
    if not rows:
        return None
    media_type, data = rows[0]
    if sha256(data).hexdigest() != digest:
        raise StoreError(f"journal {database.path}: evidence {digest} was altered: its bytes have another sha256")
    return to_text(media_type), data
