"""What the tables are, and how a file of an older layout becomes one of today's.

    1   runs, results, evidence
    2   of a run: when it was due and ended, whether it is complete, what it counts; schedules, what is due, what was
        skipped, what was asked for; whose evidence it is and since when it is kept; findings; the chain; notes
    3   complete runs are found without looking through those that are not
    4   of a run: whether it was narrowed; whole complete runs are found without looking through the others

One transaction takes a file from whatever it is to the last layout, so that killed means not begun. What a migration
does never changes afterwards: it calls nothing of today's that could change.

Times are whole microseconds since 1970, UTC (`_us`): a float would lose some, and text would be compared as text. What
a plugin wrote is a BLOB (UTF-8 with surrogates let through), what configuration and manifests name is TEXT.
"""

import json
import logging
import time
from datetime import datetime, timedelta
from typing import Any

from assess_core.journal.database import Connection, Step

SAY_EVERY_S = 2.0
"""How often a migration that takes long says how far it is."""

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")

_log = logging.getLogger(__name__)

_LAYOUT_1: tuple[Step, ...] = (
    """
    CREATE TABLE runs (
        position INTEGER PRIMARY KEY,
        run_id TEXT NOT NULL UNIQUE,
        assessment TEXT NOT NULL,
        document BLOB NOT NULL
    ) STRICT
    """,
    "CREATE INDEX runs_by_assessment ON runs (assessment, position)",
    """
    CREATE TABLE results (
        position INTEGER PRIMARY KEY,
        result_id TEXT NOT NULL UNIQUE,
        run_id TEXT NOT NULL REFERENCES runs (run_id),
        document BLOB NOT NULL
    ) STRICT
    """,
    "CREATE INDEX results_by_run ON results (run_id, position)",
    """
    CREATE TABLE evidence (
        sha256 TEXT NOT NULL PRIMARY KEY,
        media_type BLOB NOT NULL,
        data BLOB NOT NULL
    ) STRICT
    """,
)

_RUNS_2: tuple[Step, ...] = (
    "ALTER TABLE runs ADD COLUMN due_us INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE runs ADD COLUMN ended_us INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE runs ADD COLUMN complete INTEGER NOT NULL DEFAULT 0",
    # JSON: how many results have which outcome, those with none left out
    "ALTER TABLE runs ADD COLUMN counts TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE runs ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1",
    "CREATE INDEX runs_by_end ON runs (ended_us)",
)

_SCHEDULES_2: tuple[Step, ...] = (
    # every due time up to the cursor has been decided, once
    """
    CREATE TABLE schedules (
        assessment TEXT NOT NULL PRIMARY KEY,
        spec TEXT NOT NULL,
        cursor_us INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    # decided to run, and not recorded: the run's own commit removes its row
    """
    CREATE TABLE due (
        run_id TEXT NOT NULL PRIMARY KEY,
        assessment TEXT NOT NULL,
        due_us INTEGER NOT NULL,
        start_us INTEGER NOT NULL,
        why TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('running', 'queued', 'held')),
        attempt INTEGER NOT NULL,
        claimed_us INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    # decided not to run: every due time of the assessment from the first to the last, both included
    """
    CREATE TABLE skips (
        position INTEGER PRIMARY KEY,
        assessment TEXT NOT NULL,
        first_us INTEGER NOT NULL,
        last_us INTEGER NOT NULL,
        why TEXT NOT NULL,
        at_us INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE INDEX skips_by_assessment ON skips (assessment, position)",
    "CREATE INDEX skips_by_time ON skips (at_us)",
    # asked for by another process; the service turns a row into one of `due`
    """
    CREATE TABLE requests (
        position INTEGER PRIMARY KEY,
        run_id TEXT NOT NULL UNIQUE,
        assessment TEXT NOT NULL,
        at_us INTEGER NOT NULL,
        by TEXT NOT NULL
    ) STRICT
    """,
)

_EVIDENCE_2: tuple[Step, ...] = (
    # how the bytes are stored: '' as they are, or 'zlib'
    "ALTER TABLE evidence ADD COLUMN encoding TEXT NOT NULL DEFAULT ''",
    # beside the bytes, because changing a column of a row writes all of it again; `stored` bytes of `size`
    """
    CREATE TABLE evidence_kept (
        sha256 TEXT NOT NULL PRIMARY KEY,
        kept_us INTEGER NOT NULL,
        size INTEGER NOT NULL,
        stored INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX evidence_kept_by_time ON evidence_kept (kept_us)",
    """
    CREATE TABLE evidence_uses (
        sha256 TEXT NOT NULL,
        run_id TEXT NOT NULL,
        PRIMARY KEY (sha256, run_id)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX evidence_uses_by_run ON evidence_uses (run_id)",
    # the bytes are gone, what results say of them is not
    """
    CREATE TABLE evidence_gone (
        sha256 TEXT NOT NULL PRIMARY KEY,
        size INTEGER NOT NULL,
        at_us INTEGER NOT NULL,
        why TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
)

_REST_2: tuple[Step, ...] = (
    # of every check on every subject that ever failed: `since` when it has been failing, or nothing; `last` when it was
    # last seen to; `judged` when a run that said pass, fail or not applicable last began; `run_id` that of `last`
    """
    CREATE TABLE findings (
        finding_id TEXT NOT NULL PRIMARY KEY,
        subject BLOB NOT NULL,
        check_id TEXT NOT NULL,
        severity TEXT NOT NULL,
        first_us INTEGER NOT NULL,
        since_us INTEGER,
        last_us INTEGER NOT NULL,
        judged_us INTEGER NOT NULL,
        run_id TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE chain (
        runtime TEXT NOT NULL,
        seq INTEGER NOT NULL,
        document BLOB NOT NULL,
        head BLOB NOT NULL,
        signature BLOB NOT NULL,
        PRIMARY KEY (runtime, seq)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID",
    # kept by the file itself: whoever adds or removes evidence cannot forget it
    "INSERT INTO meta (key, value) VALUES ('evidence_bytes', 0)",
    """
    CREATE TRIGGER evidence_added AFTER INSERT ON evidence_kept BEGIN
        UPDATE meta SET value = value + NEW.stored WHERE key = 'evidence_bytes';
    END
    """,
    """
    CREATE TRIGGER evidence_removed AFTER DELETE ON evidence_kept BEGIN
        UPDATE meta SET value = value - OLD.stored WHERE key = 'evidence_bytes';
    END
    """,
)


def _fill_runs(connection: Connection) -> None:
    """What layout 2 knows of a run, from the documents, which stay as they are to the byte."""
    positions = [row[0] for row in connection.execute("SELECT position FROM runs ORDER BY position")]
    said_s = time.monotonic()
    for done, position in enumerate(positions):
        _fill_run(connection, position)
        if time.monotonic() - said_s >= SAY_EVERY_S:
            said_s = time.monotonic()
            text = "the journal is brought to a newer layout, once: %d of %d runs; killed, it begins anew"
            _log.warning(text, done + 1, len(positions), extra={"action": "journal-migrating"})


def _fill_run(connection: Connection, position: int) -> None:
    run_id, document = connection.execute(
        "SELECT run_id, document FROM runs WHERE position = ?", (position,)
    ).fetchone()
    rows = connection.execute("SELECT document FROM results WHERE run_id = ? ORDER BY position", (run_id,))
    try:
        run, results = _read(document), [_read(row[0]) for row in rows]
        counts = _counts(results)
        due_us, started_us, ended_us = (_us(run[name]) for name in ("due_at", "started_at", "ended_at"))
        uses = {item["sha256"] for result in results for item in result["evidence"]}
        judged = [_judged(result) for result in results if result["outcome"] in ("pass", "fail", "not-applicable")]
    except (ValueError, KeyError, TypeError, RecursionError):
        return  # it stays, and is told of when it is asked for; until then its run does not count as complete
    complete = run["problem"] is None and _complete(counts)
    connection.execute(
        "UPDATE runs SET due_us = ?, ended_us = ?, complete = ?, counts = ? WHERE position = ?",
        (due_us, ended_us, complete, json.dumps(counts, separators=(",", ":")), position),
    )
    connection.executemany(
        "INSERT OR IGNORE INTO evidence_uses VALUES (?, ?)", ((each, run_id) for each in sorted(uses))
    )
    for finding, subject, check, severity, failed in judged:
        _fill_finding(connection, (finding, subject, check, severity), failed=failed, at_us=started_us, run_id=run_id)


def _fill_finding(
    connection: Connection, finding: tuple[str, bytes, str, str], *, failed: bool, at_us: int, run_id: str
) -> None:
    if failed:
        connection.execute(
            "INSERT INTO findings VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?5, ?5, ?6) ON CONFLICT (finding_id) DO UPDATE SET "
            "severity = ?4, since_us = coalesce(since_us, ?5), last_us = ?5, judged_us = ?5, run_id = ?6 "
            "WHERE judged_us <= ?5",
            (*finding, at_us, run_id),
        )
    else:
        connection.execute(
            "UPDATE findings SET since_us = NULL, judged_us = ?2 WHERE finding_id = ?1 AND judged_us <= ?2",
            (finding[0], at_us),
        )


def _judged(result: dict[str, Any]) -> tuple[str, bytes, str, str, bool]:
    subject = result["subject"]["id"].encode("utf-8", "surrogatepass")
    return result["finding_id"], subject, result["check"], result["severity"], result["outcome"] == "fail"


def _counts(results: list[dict[str, Any]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for result in results:
        counts[result["outcome"]] = counts.get(result["outcome"], 0) + 1
    return counts


def _complete(counts: dict[str, int]) -> bool:
    reached = counts.get("pass", 0) + counts.get("fail", 0)
    return bool(reached) and not counts.get("error", 0) and not counts.get("timeout", 0)


def _read(document: bytes) -> dict[str, Any]:
    read = json.loads(document.decode("utf-8", "surrogatepass"))
    if not isinstance(read, dict):
        raise TypeError("not an object")
    return read


def _us(moment: str) -> int:
    return (datetime.fromisoformat(moment) - _EPOCH) // timedelta(microseconds=1)


def _fill_evidence(connection: Connection) -> None:
    """Kept as of now: what no result refers to goes when it has been there for a while."""
    connection.execute(
        "INSERT INTO evidence_kept (sha256, kept_us, size, stored) "
        "SELECT sha256, ?, length(data), length(data) FROM evidence",
        (time.time_ns() // 1000,),
    )


_WHOLE_4: tuple[Step, ...] = (
    # made of the document, which is signed: nobody can say of a run what it does not say itself
    """
    ALTER TABLE runs ADD COLUMN narrowed INTEGER GENERATED ALWAYS AS
        (instr(document, CAST('"narrowed":{' AS BLOB)) > 0) VIRTUAL
    """,
    "DROP INDEX runs_complete",
    "CREATE INDEX runs_whole ON runs (assessment, position) WHERE complete AND NOT narrowed",
)


MIGRATIONS: tuple[tuple[Step, ...], ...] = (
    _LAYOUT_1,
    (*_RUNS_2, *_SCHEDULES_2, *_EVIDENCE_2, *_REST_2, _fill_evidence, _fill_runs),
    ("CREATE INDEX runs_complete ON runs (assessment, position) WHERE complete",),
    _WHOLE_4,
)
"""One tuple of steps for each layout, oldest first. Only ever appended to: `user_version` counts how many a file has
been through, and files with any of them are out there."""
