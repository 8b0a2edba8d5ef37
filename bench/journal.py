"""Results committed to the journal, beside SQLite with no more around it than a prepared statement."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.support.results import NOON, make_assessment, make_result

from assess_core.journal import Journal
from assess_core.results import AssessmentRun, Result, ResultOutcome, run_id
from bench.effort import Effort, seconds
from bench.place import temporary_directory
from bench.rows import Goal, Report, Row, paragraphs
from bench.stats import Sample, ratio

TITLE = "Results committed"
NOTES = """
Of assess: `Journal.record` of whole assessments, {results} results each, from values: identifiers checked, documents
made, `synchronous=FULL`. Raw: a write-ahead log, a table with a unique identifier, documents made beforehand.
"""
RESULTS = 60
"""Of one assessment, which is one transaction."""

GOAL = Goal(limit=0.5, unit="x", at_least=True, text=">= 1/2 (0.5x)")

Rows = list[tuple[str, str, bytes]]
Assessment = tuple[AssessmentRun, list[Result]]


def run(effort: Effort) -> Report:
    """The same documents as whole assessments and as raw rows, alternately, on the same disk."""
    runs, singles = effort.of(50, 10), effort.of(400, 50)
    ours, batched, single, single_full = [], [], [], []
    with temporary_directory() as directory:
        for number in range(effort.of(7, 2)):
            assessments = [_assessment(number, index) for index in range(runs)]
            rows = [[_row(result) for result in results] for _, results in assessments]
            flat = [row for batch in rows for row in batch][:singles]
            with Journal.open(directory / f"{number}.db") as journal:
                ours.append(runs * RESULTS / seconds(lambda: _record(journal, assessments)))  # noqa: B023  used at once
            batched.append(runs * RESULTS / _raw(directory / f"{number}-batched.db", rows, "FULL"))
            single.append(len(flat) / _raw(directory / f"{number}-single.db", [[row] for row in flat], "NORMAL"))
            single_full.append(len(flat) / _raw(directory / f"{number}-full.db", [[row] for row in flat], "FULL"))
    rate = Sample(unit="/s", values=tuple(ours))
    peers = {
        "raw, NORMAL, 1 row a transaction": (single, GOAL),
        "raw, FULL, 1 row a transaction": (single_full, None),
        f"raw, FULL, {RESULTS} rows a transaction": (batched, GOAL),
    }
    return Report(
        rows=tuple(
            Row(
                what="results committed",
                ours=rate,
                peer=peer,
                theirs=(theirs := Sample(unit="/s", values=tuple(values))),
                measured=ratio(rate, theirs),
                goal=goal,
            )
            for peer, (values, goal) in peers.items()
        ),
        notes=paragraphs(NOTES, results=RESULTS),
        versions=(f"SQLite {sqlite3.sqlite_version}",),
    )


def _assessment(number: int, index: int) -> Assessment:
    name = f"assessment-{number}-{index}"
    run = run_id("web-01", name, NOON)
    results = [
        make_result(assessment=name, run_id=run, check=f"check-{check:02}", outcome=ResultOutcome.PASS)
        for check in range(RESULTS)
    ]
    return make_assessment(assessment=name, run_id=run), results


def _record(journal: Journal, assessments: Sequence[Assessment]) -> None:
    for run, results in assessments:
        if journal.record(run, results, {}) != RESULTS:
            raise RuntimeError("the journal did not take every result")


def _row(result: Result) -> tuple[str, str, bytes]:
    return result.result_id, result.run_id, json.dumps(_plain(result)).encode()


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value


def _raw(path: Path, batches: Sequence[Rows], synchronous: str) -> float:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute(
            "CREATE TABLE results (position INTEGER PRIMARY KEY, result_id TEXT UNIQUE, run_id TEXT, document BLOB)"
        )
        return seconds(lambda: _insert(connection, batches))
    finally:
        connection.close()


def _insert(connection: sqlite3.Connection, batches: Sequence[Rows]) -> None:
    for batch in batches:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO results (result_id, run_id, document) VALUES (?, ?, ?)", batch)
        connection.execute("COMMIT")
