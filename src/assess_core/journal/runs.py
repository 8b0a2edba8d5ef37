"""Runs and their results: how they are written in one transaction, and read."""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from assess_core.errors import StoreError
from assess_core.journal import findings
from assess_core.journal.database import Connection, Database, OvertakenError
from assess_core.journal.documents import (
    encode,
    microseconds,
    parse_result,
    parse_run,
    result_document,
    run_document,
    to_text,
)
from assess_core.journal.evidence import Evidence, Keeper, Piece, gone, make_pieces, require, use
from assess_core.results import AssessmentRun, Result, Run

_INSERT_RUN = (
    "INSERT INTO runs (run_id, assessment, document, due_us, ended_us, complete, counts, attempt) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run_id) DO NOTHING"
)
_INSERT_RESULT = "INSERT INTO results (result_id, run_id, document) VALUES (?, ?, ?)"

_NOT_DUE = "DELETE FROM due WHERE run_id = ?"
"""In the run's own transaction: it is recorded and no longer due, or neither."""


class AlreadyRecordedError(StoreError):
    """Another run of this id is in the journal, and stays as it is; nothing was recorded."""


Vouch = Callable[[Connection, AssessmentRun, Sequence[Result]], None]
"""Called in the transaction that wrote a run and its results."""


def unsigned(connection: Connection, run: AssessmentRun, results: Sequence[Result]) -> None:
    """Nobody vouches for the run."""


def always() -> bool:
    """What was found still holds, whatever happens."""
    return True


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One assessment's run as it goes into the journal, encoded before it is its turn to be written.

    Attributes:
        document: the run's, to the byte.
        rows: of each result its id and its document, in order.
        holds: whether this is still so; asked when nobody else writes any more.
    """

    run: AssessmentRun
    results: tuple[Result, ...]
    evidence: tuple[Piece, ...]
    document: bytes
    rows: tuple[tuple[str, bytes], ...]
    holds: Callable[[], bool]

    @property
    def size(self) -> int:
        """Bytes, about."""
        rows, evidence = (row[1] for row in self.rows), (piece.data for piece in self.evidence)
        return len(self.document) + sum(map(len, rows)) + sum(map(len, evidence))


def make_record(
    run: AssessmentRun,
    results: Sequence[Result],
    evidence: Evidence,
    *,
    holds: Callable[[], bool] = always,
) -> Record:
    """The run, its results and their evidence, ready to be written.

    Raises:
        ValueError: a result of another run, or evidence that is not what its digest says.
    """
    for result in results:
        if result.run_id != run.run_id:
            raise ValueError(f"result {result.result_id} belongs to run {result.run_id}, not to {run.run_id}")
    return Record(
        run=run,
        results=tuple(results),
        evidence=make_pieces(evidence),
        document=encode(run_document(run)),
        rows=tuple((result.result_id, encode(result_document(result))) for result in results),
        holds=holds,
    )


def write(connection: Connection, record: Record, *, at_us: int, keeper: Keeper, vouch: Vouch = unsigned) -> int:
    """All of it is in the open transaction; returns how many of the results were new.

    Raises:
        EvidenceFullError: there is no room for its evidence.
        OvertakenError: it does not hold any more.
        AlreadyRecordedError: there is such a run, and it found something else.
        ValueError: evidence that is missing.
    """
    run = record.run
    wanted = {item.sha256 for result in record.results for item in result.evidence}
    lost = require(connection, wanted - {piece.sha256 for piece in record.evidence})
    if not connection.execute(_INSERT_RUN, (run.run_id, run.assessment, record.document, *_columns(record))).rowcount:
        return _again(connection, record)
    connection.executemany(_INSERT_RESULT, ((result_id, run.run_id, row) for result_id, row in record.rows))
    use(connection, record.results)
    findings.note(connection, run, record.results, now_us=at_us)
    vouch(connection, run, record.results)
    keeper.keep(connection, record.evidence, at_us=at_us)
    if lost:
        keeper.told(connection, lost)
    connection.execute(_NOT_DUE, (run.run_id,))
    if not record.holds():
        raise OvertakenError
    return len(record.rows)


def _again(connection: Connection, record: Record) -> int:
    """Nothing is new: what is there is what was to be recorded. Added to, it would be another run than was signed."""
    run_id = record.run.run_id
    documents = [connection.execute("SELECT document FROM runs WHERE run_id = ?", (run_id,)).fetchone()[0]]
    rows = connection.execute("SELECT document FROM results WHERE run_id = ? ORDER BY position", (run_id,)).fetchall()
    if documents + [row[0] for row in rows] != [record.document, *(row for _, row in record.rows)]:
        raise AlreadyRecordedError(
            f"run {run_id} of assessment {record.run.assessment!r} is in the journal already: was the clock set "
            "back, or was it begun twice at once? Nothing of this run was recorded a second time; run again"
        )
    connection.execute(_NOT_DUE, (run_id,))
    return 0


def read_runs(database: Database, statement: str, *values: object) -> tuple[AssessmentRun, ...]:
    """The runs whose documents this statement selects."""
    return tuple(decoded(database, parse_run, row[0]) for row in database.select(statement, *values))


def read_results(database: Database, run_id: str) -> tuple[Result, ...]:
    """The results of one run, in the order in which they were recorded; none if there is no such run."""
    rows = database.select("SELECT document FROM results WHERE run_id = ? ORDER BY position", run_id)
    results = tuple(decoded(database, parse_result, row[0]) for row in rows)
    lost = gone(database, run_id)
    return tuple(_without(result, lost) for result in results) if lost else results


def _without(result: Result, lost: Collection[str]) -> Result:
    """The same, saying which evidence is not kept any more."""
    return replace(result, evidence=tuple(replace(item, kept=item.sha256 not in lost) for item in result.evidence))


def _columns(record: Record) -> tuple[int, int, bool, str, int]:
    run, results = record.run, record.results
    alone = Run(runtime="", started_at=run.started_at, ended_at=run.ended_at, assessments=(run,), results=results)
    counts = {outcome.value: count for outcome, count in alone.counts.items() if count}
    text = json.dumps(counts, separators=(",", ":"))
    return microseconds(run.due_at), microseconds(run.ended_at), not alone.shortcomings(), text, run.attempt


def decoded(database: Database, parse: Any, document: bytes) -> Any:
    """The value that a row's document is of.

    Raises:
        StoreError: it is of none.
    """
    try:
        return parse(json.loads(to_text(document)))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoreError(f"journal {database.path}: a row cannot be read ({error}); was the file edited?") from error
