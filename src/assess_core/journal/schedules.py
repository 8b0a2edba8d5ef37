"""What of schedules outlives the process: cursors, what is due, what was skipped, and what was asked for.

    store = journal.schedules()          # a `ScheduleStore`
    store.claim(Claim(at=now, cursors=..., rows=..., skips=...))

A claim goes through the journal's writer, so that it shares its commit with runs that end at the same time; the row of
what is due goes in the commit of its run (`runs.write`). Reading is done beside it and waits for nobody.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from assess_core.journal.database import Connection, Database
from assess_core.journal.documents import microseconds, moment
from assess_core.journal.writer import Writer
from assess_core.schedule import Asked, Claim, Cursor, Due, Kept, Row, Skip

_ROWS = "SELECT run_id, assessment, due_us, start_us, why, state, attempt, claimed_us FROM due ORDER BY due_us, run_id"
_PUT_ROW = (
    "INSERT INTO due (run_id, assessment, due_us, start_us, why, state, attempt, claimed_us) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run_id) DO UPDATE SET start_us = excluded.start_us, "
    "why = excluded.why, state = excluded.state, attempt = excluded.attempt, claimed_us = excluded.claimed_us"
)
_PUT_CURSOR = (
    "INSERT INTO schedules (assessment, spec, cursor_us) VALUES (?, ?, ?) "
    "ON CONFLICT (assessment) DO UPDATE SET spec = excluded.spec, cursor_us = excluded.cursor_us"
)
_ASK = "INSERT INTO requests (run_id, assessment, at_us, by) VALUES (?, ?, ?, ?) ON CONFLICT (run_id) DO NOTHING"
_ASKED_BEFORE = (
    "SELECT run_id, at_us, by FROM requests WHERE assessment = ?1 UNION ALL "
    "SELECT run_id, due_us, '' FROM due WHERE assessment = ?1 AND why = 'request' AND state <> 'running' LIMIT 1"
)
"""Whatever was asked for of an assessment and has not begun."""


class Schedules:
    """A `ScheduleStore` in the journal. Threads may share it.

    Args:
        database: of the journal.
        writer: asked for when something is to be written, and not before: who only reads needs no thread.
    """

    def __init__(self, database: Database, writer: Callable[[], Writer]) -> None:
        self._database = database
        self._writer = writer

    def kept(self) -> Kept:
        """All that is kept.

        Raises:
            StoreError: it cannot be read.
        """
        cursors = self._database.select("SELECT assessment, spec, cursor_us FROM schedules ORDER BY assessment")
        return Kept(
            cursors=tuple(Cursor(assessment=row[0], spec=row[1], at=moment(row[2])) for row in cursors),
            rows=tuple(map(_row, self._database.select(_ROWS))),
        )

    def claim(self, claim: Claim) -> frozenset[str]:
        """The claim is on the disk; returns the run ids of its rows that are recorded already, and were not put.

        Raises:
            StoreError: nothing of it was written; it may be tried again.
        """
        return self._writer().submit(partial(_claim, claim=claim)).result() if claim else frozenset()

    def requests(self) -> tuple[Asked, ...]:
        """What was asked for and not answered, oldest first.

        Raises:
            StoreError: it cannot be read.
        """
        rows = self._database.select("SELECT run_id, assessment, at_us, by FROM requests ORDER BY position")
        return tuple(Asked(run_id=row[0], assessment=row[1], at=moment(row[2]), by=row[3]) for row in rows)

    def skips(self, assessment: str, limit: int) -> tuple[tuple[Skip, datetime], ...]:
        """The newest skips of an assessment, newest first, and when each was decided.

        Raises:
            StoreError: it cannot be read.
        """
        return read_skips(self._database, assessment, limit)


def ask(connection: Connection, asked: Sequence[Asked]) -> tuple[Asked, ...]:
    """These are asked for; for one that was asked for before, and has not begun yet, that one stands.

    Returns:
        those that stand for them, in their order.
    """
    return tuple(_asked(connection, each) for each in asked)


def _asked(connection: Connection, asked: Asked) -> Asked:
    before = connection.execute(_ASKED_BEFORE, (asked.assessment,)).fetchone()
    if before is not None:
        run_id, at_us, by = before
        return Asked(run_id=run_id, assessment=asked.assessment, at=moment(at_us), by=by)
    connection.execute(_ASK, (asked.run_id, asked.assessment, microseconds(asked.at), asked.by))
    return asked


def _claim(connection: Connection, *, claim: Claim) -> frozenset[str]:
    recorded = frozenset(row.due.run_id for row in claim.rows if _is_recorded(connection, row.due.run_id))
    at_us = microseconds(claim.at)
    moved_to = {each.assessment: each.at for each in claim.cursors}
    for cursor in claim.reopened:
        values = (cursor.assessment, microseconds(cursor.at))
        connection.execute(
            "DELETE FROM skips WHERE assessment = ?1 AND first_us > ?2 AND first_us % 1000000 = 0", values
        )
        connection.execute(
            "UPDATE skips SET last_us = ?2 WHERE assessment = ?1 AND last_us > ?2 AND first_us % 1000000 = 0", values
        )
    told: set[str] = set()
    for skip in claim.skips:  # before cursors move: what directly follows a skip is part of it
        first = skip.assessment not in told  # of others in this claim nobody knows what lies between
        told.add(skip.assessment)
        _put_skip(connection, skip, at_us, may_extend=first and moved_to.get(skip.assessment) == skip.last_at)
    cursors = [(each.assessment, each.spec, microseconds(each.at)) for each in claim.cursors]
    connection.executemany(_PUT_CURSOR, cursors)
    forgotten = [(assessment,) for assessment in claim.forgotten]
    connection.executemany("DELETE FROM schedules WHERE assessment = ?", forgotten)
    dropped = [(run_id,) for run_id in (*claim.dropped, *sorted(recorded))]
    connection.executemany("DELETE FROM due WHERE run_id = ?", dropped)
    connection.executemany(_PUT_ROW, [_values(row) for row in claim.rows if row.due.run_id not in recorded])
    connection.executemany("DELETE FROM requests WHERE run_id = ?", [(run_id,) for run_id in claim.answered])
    return recorded


def _put_skip(connection: Connection, skip: Skip, at_us: int, *, may_extend: bool) -> None:
    """It is told of; as one with the skip before it where no due time lies between and the reason is the same.

    What is skipped each second for a day, because one run takes as long, is one row. A request that is not run may not
    extend one: between the last due time that was decided and the moment at which somebody asked there may be another.
    """
    first_us, last_us = microseconds(skip.first_at), microseconds(skip.last_at)
    before = connection.execute(
        "SELECT position FROM (SELECT position, last_us, why FROM skips WHERE assessment = ?1 ORDER BY position DESC "
        "LIMIT 1) JOIN schedules ON assessment = ?1 AND cursor_us = last_us WHERE why = ?2 AND last_us < ?3",
        (skip.assessment, skip.why, first_us),
    ).fetchone()
    if before and may_extend:
        connection.execute("UPDATE skips SET last_us = ?, at_us = ? WHERE position = ?", (last_us, at_us, *before))
    else:
        connection.execute(
            "INSERT INTO skips (assessment, first_us, last_us, why, at_us) VALUES (?, ?, ?, ?, ?)",
            (skip.assessment, first_us, last_us, skip.why, at_us),
        )


def read_skips(database: Database, assessment: str, limit: int) -> tuple[tuple[Skip, datetime], ...]:
    """As `Schedules.skips`."""
    statement = "SELECT first_us, last_us, why, at_us FROM skips WHERE assessment = ? ORDER BY position DESC LIMIT ?"
    return tuple(
        (Skip(assessment=assessment, first_at=moment(first), last_at=moment(last), why=why), moment(at))
        for first, last, why, at in database.select(statement, assessment, limit)
    )


def _is_recorded(connection: Connection, run_id: str) -> bool:
    return connection.execute("SELECT 1 FROM runs WHERE run_id = ?", (run_id,)).fetchone() is not None


def _row(row: Sequence[Any]) -> Row:
    run_id, assessment, due_us, start_us, why, state, attempt, claimed_us = row
    due = Due(
        run_id=run_id,
        assessment=assessment,
        due_at=moment(due_us),
        start_at=moment(start_us),
        why=why,
        attempt=attempt,
        claimed_at=moment(claimed_us),
    )
    return Row(due=due, state=state)


def _values(row: Row) -> tuple[str, str, int, int, str, str, int, int]:
    due = row.due
    times = microseconds(due.due_at), microseconds(due.start_at)
    return due.run_id, due.assessment, *times, due.why, row.state, due.attempt, microseconds(due.claimed_at)
