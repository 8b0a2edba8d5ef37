"""Evidence by digest: the same bytes are there once, whoever refers to them, and who that is is known.

Bytes may go before what is said of them: there is room for so many, and the oldest make room for new ones. Never those
of the newest run of an assessment nor, where that was narrowed, of the newest complete and whole one; and none that was
kept within two days and that nobody refers to: its run has not ended yet. What went is remembered with the reason; what
came for a run that never ended is forgotten.
"""

import logging
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from assess_core.errors import StoreError
from assess_core.journal.database import Connection, Database
from assess_core.journal.documents import to_bytes, to_text
from assess_core.results import Result

Evidence = Mapping[str, tuple[str, bytes]]
"""By sha256: media type and bytes."""

RENEWED_AFTER_US = 3_600_000_000
"""Evidence that is kept again counts as kept now, if it was not within the hour: the same bytes come with every run."""

ORPHANED_AFTER_US = 48 * 3_600_000_000
"""What nobody refers to after so long never will be: its run was killed."""

AT_ONCE = 20
"""When there is no room, this part of all evidence goes at once: looking for what may go is looking at all runs."""

WORTH_IT = 0.9
"""Bytes are stored compressed when that takes less than this part of them."""

_SMALL = 256
"""Bytes of which it is not tried."""

_log = logging.getLogger(__name__)

_INSERT = (
    "INSERT INTO evidence (sha256, media_type, data, encoding) VALUES (?, ?, ?, ?) ON CONFLICT (sha256) DO NOTHING"
)
_KEEP = (
    "INSERT INTO evidence_kept (sha256, kept_us, size, stored) VALUES (?1, ?2, ?3, ?4) "
    "ON CONFLICT (sha256) DO UPDATE SET kept_us = ?2 WHERE kept_us < ?5"
)
_USE = "INSERT INTO evidence_uses (sha256, run_id) VALUES (?, ?) ON CONFLICT DO NOTHING"
_GONE = (
    "INSERT INTO evidence_gone (sha256, size, at_us, why) SELECT sha256, size, ?2, ?3 FROM evidence_kept "
    "WHERE sha256 = ?1 ON CONFLICT (sha256) DO UPDATE SET at_us = ?2, why = ?3"
)
_NEWEST_RUNS = (
    "SELECT max(position) FROM runs GROUP BY assessment UNION "
    # where that one was narrowed, the newest complete and whole one, too; none of none, as NULL is neither in nor out
    "SELECT coalesce((SELECT max(position) FROM runs AS whole WHERE whole.assessment = newest.assessment "
    "AND whole.complete AND NOT whole.narrowed), 0) FROM runs AS newest WHERE newest.narrowed "
    "AND newest.position IN (SELECT max(position) FROM runs GROUP BY assessment)"
)


class EvidenceFullError(StoreError):
    """There is no room for this evidence, not even when all goes that may; nothing was kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """Evidence as it is stored. `data` is `encoding` ('' or 'zlib') of `size` bytes."""

    sha256: str
    media_type: bytes
    encoding: str
    data: bytes
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Gone:
    """Evidence whose bytes are not kept any more: since when, and why."""

    sha256: str
    size: int
    at_us: int
    why: str


def _untold(connection: Connection, digests: Sequence[str]) -> None:
    """Nobody wants to know what went."""


class Keeper:
    """Takes evidence in, and for new evidence lets the oldest go. Used inside transactions, which exclude each other.

    Attributes:
        most_bytes: of evidence, as it is stored; None for any number.
        told: called in the transaction that removed these pieces.
    """

    def __init__(self, *, told: Callable[[Connection, Sequence[str]], None] = _untold) -> None:
        self.most_bytes: int | None = None
        self.told = told

    def keep(self, connection: Connection, evidence: Sequence[Piece], *, at_us: int) -> None:
        """These are there, kept as of now, and there is no more than may be.

        Raises:
            EvidenceFullError: there is, of what may not go.
        """
        if not evidence:
            return
        insert(connection, evidence, at_us=at_us)
        if self.most_bytes is None or (over := stored_bytes(connection) - self.most_bytes) <= 0:
            return
        removed = expendable(connection, over_bytes=over + self.most_bytes // AT_ONCE, at_us=at_us)
        freed = remove(connection, removed, why="quota", at_us=at_us)
        if (stored := stored_bytes(connection)) > self.most_bytes:
            raise EvidenceFullError(
                f"there is no room for evidence beyond {self.most_bytes >> 20} MiB (results.evidence_mib), and what is "
                "there is of newest runs, or of such that go on still; with this it would be "
                f"{stored / (1 << 20):.1f} MiB. Raise it, or let plugins keep less"
            )
        self.told(connection, removed)
        text = "%d pieces of evidence of older runs, %.1f MiB, made room for new ones (results.evidence_mib)"
        _log.warning(text, len(removed), freed / (1 << 20), extra={"action": "evidence-dropped"})


def make_pieces(evidence: Evidence) -> tuple[Piece, ...]:
    """These, as they are stored; not in a transaction, for it takes a while.

    Raises:
        ValueError: one is not what its digest says.
    """
    return tuple(_piece(digest, media_type, data) for digest, (media_type, data) in evidence.items())


def require(connection: Connection, wanted: Iterable[str]) -> tuple[str, ...]:
    """All of these are there, or were and had to go: a run may go on for long after it handed them over. Returns those.

    Raises:
        ValueError: one never was.
    """
    absent = [
        digest
        for digest in sorted(wanted)
        if not connection.execute("SELECT 1 FROM evidence WHERE sha256 = ?", (digest,)).fetchone()
    ]
    for digest in absent:
        if not connection.execute("SELECT 1 FROM evidence_gone WHERE sha256 = ?", (digest,)).fetchone():
            raise ValueError(f"a result refers to evidence {digest}, which was not handed over")
    return tuple(absent)


def insert(connection: Connection, evidence: Sequence[Piece], *, at_us: int) -> None:
    """These are there, kept as of now."""
    rows = [(piece.sha256, piece.media_type, piece.data, piece.encoding) for piece in evidence]
    connection.executemany(_INSERT, rows)
    kept = [(each.sha256, at_us, each.size, len(each.data), at_us - RENEWED_AFTER_US) for each in evidence]
    connection.executemany(_KEEP, kept)
    connection.executemany("DELETE FROM evidence_gone WHERE sha256 = ?", [(each.sha256,) for each in evidence])


def use(connection: Connection, results: Sequence[Result]) -> None:
    """It is known which runs refer to what."""
    uses = {(item.sha256, result.run_id) for result in results for item in result.evidence}
    connection.executemany(_USE, sorted(uses))


def stored_bytes(connection: Connection) -> int:
    """What all evidence takes."""
    return int(connection.execute("SELECT value FROM meta WHERE key = 'evidence_bytes'").fetchone()[0])


def expendable(connection: Connection, *, over_bytes: int, at_us: int) -> tuple[str, ...]:
    """What would go so that so many bytes are free, oldest first: of no run first, then of runs, the oldest first."""
    found, freed = [], 0
    for digest, stored in (*orphans(connection, at_us=at_us), *_of_older_runs(connection, at_us=at_us)):
        if freed >= over_bytes:
            break
        found.append(digest)
        freed += stored
    return tuple(found)


def orphans(connection: Connection, *, at_us: int, limit: int = -1) -> Sequence[tuple[str, int]]:
    """Digest and stored bytes of what nobody refers to, and has not for so long that nobody will."""
    statement = (
        "SELECT sha256, stored FROM evidence_kept WHERE kept_us < ? AND NOT EXISTS "
        "(SELECT 1 FROM evidence_uses WHERE evidence_uses.sha256 = evidence_kept.sha256) ORDER BY kept_us LIMIT ?"
    )
    return connection.execute(statement, (at_us - ORPHANED_AFTER_US, limit)).fetchall()


def _of_older_runs(connection: Connection, *, at_us: int) -> Sequence[tuple[str, int]]:
    """Of the oldest runs first; of a piece that several refer to, the newest of them counts.

    Last of all what was handed over again just now: by a run that goes on and will refer to it.
    """
    statement = (
        "SELECT sha256, stored, max(position) AS newest, max(position IN (" + _NEWEST_RUNS + ")) AS needed, "
        "kept_us > ? AS recent "
        "FROM evidence_uses JOIN runs USING (run_id) JOIN evidence_kept USING (sha256) "
        "GROUP BY sha256 HAVING NOT needed ORDER BY recent, newest, sha256"
    )
    return [(row[0], row[1]) for row in connection.execute(statement, (at_us - 2 * RENEWED_AFTER_US,))]


def remove(connection: Connection, digests: Collection[str], *, why: str, at_us: int) -> int:
    """These are not there any more; of those that a run refers to it is known why. Returns bytes freed."""
    before = stored_bytes(connection)
    for digest in digests:
        used = connection.execute("SELECT 1 FROM evidence_uses WHERE sha256 = ?", (digest,)).fetchone()
        if used or why == "orphan":  # a clock that is set forward makes an orphan of what a run is about to refer to
            connection.execute(_GONE, (digest, at_us, why))
        connection.execute("DELETE FROM evidence_kept WHERE sha256 = ?", (digest,))
        connection.execute("DELETE FROM evidence WHERE sha256 = ?", (digest,))
    return before - stored_bytes(connection)


def gone(database: Database, run_id: str) -> Mapping[str, Gone]:
    """What this run refers to and is not kept any more, by digest."""
    statement = "SELECT sha256, size, at_us, why FROM evidence_uses JOIN evidence_gone USING (sha256) WHERE run_id = ?"
    rows = database.select(statement, run_id)
    return {row[0]: Gone(sha256=row[0], size=row[1], at_us=row[2], why=row[3]) for row in rows}


def read(database: Database, digest: str) -> tuple[str, bytes] | None:
    """Media type and bytes of the evidence with this sha256; None if there is none.

    Raises:
        StoreError: the bytes are no longer those of the digest.
    """
    rows = database.select(
        "SELECT media_type, data, encoding, size FROM evidence LEFT JOIN evidence_kept USING (sha256) WHERE sha256 = ?",
        digest,
    )
    if not rows:
        return None
    media_type, data, encoding, size = rows[0]
    plain = decoded(data, encoding, size)
    if plain is None or sha256(plain).hexdigest() != digest:
        raise StoreError(f"journal {database.path}: evidence {digest} was altered: its bytes have another sha256")
    return to_text(media_type), plain


def decoded(data: bytes, encoding: str, size: int | None) -> bytes | None:
    """The bytes that were stored so; None if they cannot have been. Never more than were noted."""
    if not encoding:
        return data
    if encoding != "zlib" or size is None:
        return None
    try:
        plain = zlib.decompressobj().decompress(data, size + 1)  # of what was altered it could be any number
    except zlib.error:
        return None
    return plain if len(plain) == size else None


def _piece(digest: str, media_type: str, data: bytes) -> Piece:
    if sha256(data).hexdigest() != digest:
        raise ValueError(f"evidence {digest} has other bytes than its sha256 says")
    small = zlib.compress(data, 1) if len(data) >= _SMALL else data
    worth_it = len(small) < len(data) * WORTH_IT
    return Piece(
        sha256=digest,
        media_type=to_bytes(media_type),
        encoding="zlib" if worth_it else "",
        data=small if worth_it else data,
        size=len(data),
    )
