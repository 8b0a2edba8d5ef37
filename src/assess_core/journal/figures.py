"""Numbers for whoever watches from outside: how much is open, how much is kept, what was complete last."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from assess_core.journal.database import Database

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """Of the whole journal.

    Attributes:
        open_findings: how many fail, by severity; those of which there is none are left out.
        journal_bytes: of the file, its write-ahead log included.
        evidence_bytes: what evidence takes of it.
    """

    open_findings: Mapping[str, int]
    journal_bytes: int
    evidence_bytes: int


def figures(database: Database) -> Figures:
    """As of now."""
    counted = "SELECT severity, count(*) FROM findings WHERE since_us IS NOT NULL GROUP BY severity"
    ((stored,),) = database.select("SELECT coalesce(sum(stored), 0) FROM evidence_kept")
    files = (database.path, database.path.with_name(f"{database.path.name}-wal"))
    size = sum(path.stat().st_size for path in files if path.exists())
    return Figures(open_findings=dict(database.select(counted)), journal_bytes=size, evidence_bytes=stored)


def completed_at(database: Database, assessments: Iterable[str], *, now: datetime) -> dict[str, datetime]:
    """When the newest whole complete run of each ended, now at the latest; those that have none are left out.

    Of one that ended in the future the clock was wrong, and until it gets there nobody would be told that none came.
    """
    newest = (
        "SELECT ended_us FROM runs WHERE assessment = ? AND complete AND NOT narrowed ORDER BY position DESC LIMIT 1"
    )
    with database.turn() as connection:
        found = {name: connection.execute(newest, (name,)).fetchone() for name in assessments}
    return {name: min(now, _EPOCH + timedelta(microseconds=row[0])) for name, row in found.items() if row}
