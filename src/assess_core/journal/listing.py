"""Runs as lists show them: by what the tables know of each, without reading its results."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from assess_core.errors import StoreError
from assess_core.journal.database import Database
from assess_core.journal.documents import microseconds, parse_run, says_narrowed
from assess_core.journal.runs import decoded, read_runs
from assess_core.results import AssessmentRun


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """One run of a list.

    Attributes:
        complete: whether it was.
        counts: how many results have which outcome; those with none are left out.
    """

    run: AssessmentRun
    complete: bool
    counts: Mapping[str, int]


def listed(
    database: Database,
    *,
    limit: int,
    assessment: str | None = None,
    ended_since: datetime | None = None,
    incomplete: bool = False,
) -> tuple[Listed, ...]:
    """The newest runs of which all that holds, newest first.

    Args:
        database: of the journal.
        limit: at most so many.
        assessment: only of this one.
        ended_since: only those that ended then or later.
        incomplete: only those that were.

    Raises:
        StoreError: a row cannot be read.
    """
    conditions: dict[str, object] = {}
    if assessment is not None:
        conditions["assessment = ?"] = assessment
    if ended_since is not None:
        conditions["ended_us >= ?"] = microseconds(ended_since)
    if incomplete:
        conditions["complete = ?"] = 0
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    tail = f"FROM runs {where} ORDER BY position DESC LIMIT ?"
    with database.turn() as connection:
        rows = connection.execute(f"SELECT document, complete, counts {tail}", (*conditions.values(), limit)).fetchall()
    return tuple(_listed(database, *row) for row in rows)


def complete_before(database: Database, run: AssessmentRun) -> AssessmentRun | None:
    """The newest complete run of the same assessment that was recorded before this one; None if there is none.

    One that was whole, or narrowed as this one was: no other says anything of all that this one says something of.
    """
    comparable, values = "NOT older.narrowed", []
    if run.narrowed is not None:
        comparable, values = "(NOT older.narrowed OR instr(older.document, ?))", [says_narrowed(run)]
    statement = (
        "SELECT older.document FROM runs AS newer JOIN runs AS older USING (assessment) WHERE newer.run_id = ? "  # noqa: S608
        f"AND older.position < newer.position AND older.complete AND {comparable} ORDER BY older.position DESC LIMIT 1"
    )
    return next(iter(read_runs(database, statement, run.run_id, *values)), None)


def _listed(database: Database, document: bytes, complete: int, counts: str) -> Listed:
    try:
        found = {str(outcome): int(count) for outcome, count in json.loads(counts).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise StoreError(f"journal {database.path}: a row cannot be read ({error}); was the file edited?") from error
    return Listed(run=decoded(database, parse_run, document), complete=bool(complete), counts=found)
