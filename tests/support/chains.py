"""A journal with a runtime that signs, on a clock that is set by hand, and ways to change what it holds."""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from assess_core.journal import Journal, Report, Signer
from assess_core.journal.identity import Identity
from assess_core.results import EvidenceRef, Narrowed, ResultOutcome, run_id
from tests.support.results import NOON, make_assessment, make_result

TABLES = {
    "runs": "position, run_id, assessment, document, due_us, ended_us, complete, counts, attempt",
    "results": "position, result_id, run_id, document",
    "chain": "runtime, seq, document, head, signature",
}
"""All that is signed, column by column."""


class Site:
    """One state directory at work."""

    def __init__(self, directory: Path, *, runtime: str = "web-01") -> None:
        self.directory = directory
        self.runtime = runtime
        self.now = NOON
        self.machine = directory.with_name(directory.name + "-machine-id")
        self.machine.write_text("11" * 16)
        self.runs = 0

    @property
    def path(self) -> Path:
        return self.directory / "journal.db"

    @property
    def identity(self) -> Identity:
        return Identity(self.directory / "identity", machine_id=self.machine)

    @contextmanager
    def open(self) -> Iterator[Journal]:
        signer = Signer(self.identity, lambda: self.runtime, clock=lambda: self.now)
        with Journal.open(self.path, signer=signer) as journal:
            journal._database.connection.execute("PRAGMA synchronous = OFF")  # nobody pulls the plug here
            yield journal

    def record(
        self,
        journal: Journal,
        assessment: str = "host",
        *,
        results: int = 3,
        evidence: bytes = b"",
        complete: bool = True,
        ended_at: datetime | None = None,
        narrowed: Narrowed | None = None,
    ) -> str:
        """One run, now; returns its id."""
        self.runs += 1
        due = self.now + timedelta(microseconds=self.runs)
        name = run_id(self.runtime, assessment, due)
        digest = hashlib.sha256(evidence).hexdigest()
        taken = (EvidenceRef(name="e", sha256=digest, media_type="text/plain", size=len(evidence)),) if evidence else ()
        bad: dict[str, Any] = {} if complete else {"outcome": ResultOutcome.ERROR, "reason": "it broke"}
        journal.record(
            make_assessment(
                assessment=assessment,
                run_id=name,
                due_at=due,
                started_at=self.now,
                ended_at=ended_at or self.now,
                narrowed=narrowed,
            ),
            [
                make_result(
                    assessment=assessment,
                    run_id=name,
                    check=f"check-{number}",
                    runtime=self.runtime,
                    evidence=taken if number == 0 else (),
                    started_at=self.now,
                    **(bad if number == 0 else {}),
                )
                for number in range(results)
            ],
            {digest: ("text/plain", evidence)} if evidence else {},
        )
        return name

    def verify(self, **kwargs: Any) -> Report:
        with self.open() as journal:
            return journal.verify(**kwargs)

    @contextmanager
    def hands(self) -> Iterator[sqlite3.Connection]:
        """The file as anybody has it who may write there, but has no key."""
        connection = sqlite3.connect(self.path, isolation_level=None)
        try:
            yield connection
        finally:
            connection.close()


def flip(connection: sqlite3.Connection, table: str, row: int, column: int, bit: int) -> str:
    """Change one bit of one value; returns which, or nothing where the tables do not take it."""
    names = TABLES[table].split(", ")
    name = names[column % len(names)]
    count = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    keys = "runtime, seq" if table == "chain" else "position"
    select = (
        f"SELECT {keys}, typeof({name}), CAST({name} AS BLOB), {name} FROM {table} ORDER BY {keys} LIMIT 1 OFFSET ?"
    )
    *key, kind, data, value = connection.execute(select, (row % count,)).fetchone()
    if kind == "integer":
        changed, cast = value ^ (1 << bit % 62), "?"
    elif not data:
        return ""
    else:
        bit %= len(data) * 8
        changed = bytes(byte ^ (1 << bit % 8) if at == bit // 8 else byte for at, byte in enumerate(data))
        cast = "CAST(? AS TEXT)" if kind == "text" else "?"
    where = " AND ".join(f"{each} = ?" for each in keys.split(", "))
    try:
        connection.execute(f"UPDATE {table} SET {name} = {cast} WHERE {where}", (changed, *key))
    except sqlite3.IntegrityError:
        return ""
    return f"{table}.{name} of row {row % count}, bit {bit}"


def standing(report: Report) -> set[tuple[str, str]]:
    """What is told and was not accepted: the word, and of what."""
    return {(trouble.word.value, trouble.where) for trouble in report.troubles if not trouble.accepted}
