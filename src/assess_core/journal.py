"""What was assessed and what was found, on disk: SQLite, and the only file that imports it.

A result counts once it is here. One `record` is one transaction: an assessment's run, all its results and their
evidence, or nothing of it; recording the same again changes nothing, because rows go by their identifiers.

    with Journal.open(state / "journal.db") as journal:
        journal.record(run, results, evidence)

Write-ahead log, so that readers do not wait for the writer; `synchronous=FULL`, so that a commit is on the disk when it
returns. NORMAL would survive a killed process too, but not a power cut, and somebody may have been told of the result
by then. It costs one fsync an assessment, not one a result.

Documents are JSON in UTF-8 with surrogates let through: what a plugin wrote comes back as it was, even where it has no
valid encoding. Cleaning is the business of whoever shows it.
"""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from assess_core.errors import StoreError
from assess_core.results import AssessmentRun, EvidenceRef, PluginRef, Result, ResultOutcome, WaiverRef, timestamp
from assess_plugin.models import Subject
from assess_registry.client import LockTimeoutError, file_lock

BUSY_TIMEOUT_S = 30.0
"""How long to wait for another process's transaction. The longest one writes the evidence of one assessment."""

APPLICATION_ID = 0x61737365
"""Marks the file as ours (SQLite, `PRAGMA application_id`); `asse` in ASCII."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
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
    ),
)
"""One tuple of statements for each layout, oldest first. Only ever appended to: `user_version` counts how many a file
has been through, and files with any of them are out there."""

Evidence = Mapping[str, tuple[str, bytes]]
"""By sha256: media type and bytes."""

_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)

_INSERT_RUN = "INSERT INTO runs (run_id, assessment, document) VALUES (?, ?, ?) ON CONFLICT (run_id) DO NOTHING"
_INSERT_RESULT = "INSERT INTO results (result_id, run_id, document) VALUES (?, ?, ?) ON CONFLICT (result_id) DO NOTHING"
_INSERT_EVIDENCE = "INSERT INTO evidence (sha256, media_type, data) VALUES (?, ?, ?) ON CONFLICT (sha256) DO NOTHING"

_RUN_TIMES = ("due_at", "started_at", "ended_at")

_CAUSES: tuple[tuple[str, str], ...] = (
    ("SQLITE_FULL", "there is no room left on the disk; nothing of this was recorded"),
    ("SQLITE_BUSY", f"another process was writing for more than {BUSY_TIMEOUT_S:g} s; wait for it, or end it"),
    ("SQLITE_LOCKED", "another process was writing; wait for it, or end it"),
    ("SQLITE_READONLY", "it may not be written by this user"),
    ("SQLITE_PERM", "it may not be used by this user"),
    ("SQLITE_CANTOPEN", "it cannot be opened; does its directory exist, and may this user write there?"),
    ("SQLITE_NOTADB", "it is not a journal; give another --state-dir, or move the file away"),
    ("SQLITE_CORRUPT", "it is damaged; move it away (keep it, it holds results) and the next run begins a new one"),
    ("SQLITE_IOERR", "the disk failed, or is full; nothing of this was recorded"),
)


class OvertakenError(Exception):
    """What was to be recorded did not hold any more when its turn came; nothing of it was recorded."""


class Journal:
    """An open journal. Threads may share it, processes may each have one; a context manager that closes."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self._one_at_a_time = threading.Lock()  # a transaction belongs to the connection, not to the thread
        self._closed = False

    @classmethod
    def open(cls, path: Path) -> Self:
        """The journal at this path, made if absent (mode 0600) and brought to the current layout.

        Raises:
            StoreError: it is no journal, is damaged, was written by a newer assess, or may not be used.
        """
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600, exist_ok=True)
            with _explained(path):
                connection = sqlite3.connect(
                    path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
                )
                try:
                    _prepare(connection, path)
                    if path.stat().st_mode & 0o077:
                        path.chmod(0o600)  # evidence may quote what only root may read
                except BaseException:
                    connection.close()
                    raise
        except (OSError, LockTimeoutError) as error:
            raise StoreError(f"journal {path}: cannot be used: {error}") from error
        return cls(path, connection)

    def close(self) -> None:
        """Give the file back: what is being recorded is in it then, and nothing more is taken. Idempotent."""
        self._closed = True  # before it is its turn: it waits for one transaction, and not for all that wait for theirs
        # SQLite's memory of a connection is freed here: a thread that is using it would end the process.
        with self._one_at_a_time:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def problems(self) -> tuple[str, ...]:
        """What SQLite finds wrong with the file when it reads all of it (`quick_check`); mostly nothing.

        Raises:
            StoreError: it cannot be read at all.
        """
        with self._turn(), _explained(self._path):
            rows = self._connection.execute("PRAGMA quick_check(5)").fetchall()
        return tuple(str(row[0]) for row in rows if row[0] != "ok")

    def record(
        self,
        run: AssessmentRun,
        results: Sequence[Result],
        evidence: Evidence,
        *,
        holds: Callable[[], bool] = lambda: True,
    ) -> int:
        """The run, its results and their evidence are on disk; returns how many of the results were new.

        Args:
            run: of which they are.
            results: what was found.
            evidence: that they refer to.
            holds: whether that is still so; asked when nobody else writes any more, which may be long after the call.

        Raises:
            OvertakenError: it is not.
            StoreError: it could not be done (no room, no right); nothing of it is there then.
            ValueError: a result of another run, or evidence that is missing or is not what its digest says.
        """
        _require_whole(run, results, evidence)
        rows = [(result.result_id, result.run_id, _encode(_result_document(result))) for result in results]
        with self._transaction() as connection:
            self._require_evidence(results, evidence)
            connection.execute(_INSERT_RUN, (run.run_id, run.assessment, _encode(_run_document(run))))
            before = connection.total_changes
            connection.executemany(_INSERT_RESULT, rows)
            new = connection.total_changes - before
            _insert_evidence(connection, evidence)
            if not holds():
                raise OvertakenError
        return new

    def keep(self, evidence: Evidence) -> None:
        """The evidence is on disk, for results that will refer to it; without any it is harmless.

        Raises:
            StoreError: it could not be done; nothing of it is there then.
            ValueError: bytes that are not what their digest says.
        """
        _require_digests(evidence)
        with self._transaction() as connection:
            _insert_evidence(connection, evidence)

    def runs(self, limit: int = 50) -> tuple[AssessmentRun, ...]:
        """The newest recorded runs, newest first."""
        return self._runs("SELECT document FROM runs ORDER BY position DESC LIMIT ?", limit)

    def find(self, prefix: str) -> tuple[AssessmentRun, ...]:
        """The recorded runs whose id begins with this, newest first; at most two, which is one too many to mean one."""
        statement = "SELECT document FROM runs WHERE substr(run_id, 1, length(?1)) = ?1 ORDER BY position DESC LIMIT 2"
        return self._runs(statement, prefix)

    def latest(self) -> Mapping[str, AssessmentRun]:
        """The newest recorded run of each assessment, by its id."""
        newest = "SELECT max(position) FROM runs GROUP BY assessment"
        runs = self._runs(f"SELECT document FROM runs WHERE position IN ({newest}) ORDER BY assessment")  # noqa: S608
        return {run.assessment: run for run in runs}

    def results(self, run_id: str) -> tuple[Result, ...]:
        """The results of one run, in the order in which they were recorded; none if there is no such run."""
        rows = self._select("SELECT document FROM results WHERE run_id = ? ORDER BY position", run_id)
        return tuple(self._decoded(_parse_result, row[0]) for row in rows)

    def evidence(self, digest: str) -> tuple[str, bytes] | None:
        """Media type and bytes of the evidence with this sha256; None if there is none.

        Raises:
            StoreError: the bytes are no longer those of the digest.
        """
        rows = self._select("SELECT media_type, data FROM evidence WHERE sha256 = ?", digest)
        if not rows:
            return None
        media_type, data = rows[0]
        if sha256(data).hexdigest() != digest:
            raise StoreError(f"journal {self._path}: evidence {digest} was altered: its bytes have another sha256")
        return _text(media_type), data

    def _require_evidence(self, results: Sequence[Result], evidence: Evidence) -> None:
        wanted = {item.sha256 for result in results for item in result.evidence} - evidence.keys()
        for digest in sorted(wanted):
            if not self._connection.execute("SELECT 1 FROM evidence WHERE sha256 = ?", (digest,)).fetchone():
                raise ValueError(f"a result refers to evidence {digest}, which was not handed over")

    def _runs(self, statement: str, *values: object) -> tuple[AssessmentRun, ...]:
        return tuple(self._decoded(_parse_run, row[0]) for row in self._select(statement, *values))

    def _select(self, statement: str, *values: object) -> list[Any]:
        with self._turn(), _explained(self._path):
            return self._connection.execute(statement, values).fetchall()

    def _decoded(self, parse: Any, document: bytes) -> Any:
        try:
            return parse(json.loads(_text(document)))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise StoreError(f"journal {self._path}: a row cannot be read ({error}); was the file edited?") from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._turn(), _explained(self._path), _transaction(self._connection) as connection:
            yield connection

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with self._one_at_a_time:
            if self._closed:
                raise StoreError(f"journal {self._path}: it was closed before this could be done; nothing was recorded")
            yield


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """The file is a journal of the current layout."""
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    if _version(connection, path) == len(MIGRATIONS):
        return
    # Two processes that both find an empty file: SQLite's own lock does not cover the switch to a write-ahead log.
    with file_lock(path.with_name(path.name + ".lock"), timeout_s=BUSY_TIMEOUT_S):
        connection.execute("PRAGMA journal_mode = WAL")
        with _transaction(connection):
            for statements in MIGRATIONS[_version(connection, path) :]:
                for statement in statements:
                    connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """How many migrations the file has been through; only reads."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    tables = int(connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])
    if application != APPLICATION_ID and (version or tables):
        raise StoreError(f"journal {path}: it is a database of some other program; give another --state-dir")
    if version > len(MIGRATIONS):
        raise StoreError(
            f"journal {path}: its layout is {version}, this assess knows up to {len(MIGRATIONS)}; "
            "use the newer assess that wrote it, or another --state-dir"
        )
    return version


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Everything inside is committed, or nothing is."""
    connection.execute("BEGIN IMMEDIATE")  # the write lock now: a reader that becomes a writer may not be made to wait
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite has rolled back by itself when the disk was full
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.ProgrammingError, sqlite3.IntegrityError):
        raise  # ours: a row of the wrong shape was written
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        cause = next((sentence for prefix, sentence in _CAUSES if name.startswith(prefix)), str(error))
        raise StoreError(f"journal {path}: {cause} ({name or type(error).__name__}: {error})") from error


def _require_whole(run: AssessmentRun, results: Sequence[Result], evidence: Evidence) -> None:
    for result in results:
        if result.run_id != run.run_id:
            raise ValueError(f"result {result.result_id} belongs to run {result.run_id}, not to {run.run_id}")
    _require_digests(evidence)


def _require_digests(evidence: Evidence) -> None:
    for digest, (_, data) in evidence.items():
        if sha256(data).hexdigest() != digest:
            raise ValueError(f"evidence {digest} has other bytes than its sha256 says")


def _insert_evidence(connection: sqlite3.Connection, evidence: Evidence) -> None:
    rows = [(digest, _bytes(media_type), data) for digest, (media_type, data) in evidence.items()]
    connection.executemany(_INSERT_EVIDENCE, rows)


def _run_document(run: AssessmentRun) -> dict[str, Any]:
    document = _fields(run)
    document |= {name: _time(document[name]) for name in _RUN_TIMES}
    document["plugin"] = _fields(run.plugin) if run.plugin else None
    return document


def _parse_run(document: dict[str, Any]) -> AssessmentRun:
    document |= {name: datetime.fromisoformat(document[name]) for name in _RUN_TIMES}
    document["plugin"] = PluginRef(**document["plugin"]) if document["plugin"] else None
    return AssessmentRun(**document)


def _result_document(result: Result) -> dict[str, Any]:
    document = _fields(result)
    document["plugin"] = _fields(result.plugin)
    document["subject"] = _fields(result.subject)
    document["evidence"] = [_evidence_document(item) for item in result.evidence]
    document["started_at"] = _time(result.started_at)
    document["waiver"] = _waiver_document(result.waiver) if result.waiver else None
    return document


def _evidence_document(item: EvidenceRef) -> dict[str, Any]:
    """Without `kept`, which says how it is now and not what was found."""
    return {name: value for name, value in _fields(item).items() if name != "kept"}


def _waiver_document(waiver: WaiverRef) -> dict[str, Any]:
    return _fields(waiver) | {"expires": waiver.expires.isoformat()}


def _parse_waiver(document: dict[str, Any]) -> WaiverRef:
    return WaiverRef(**document | {"expires": date.fromisoformat(document["expires"])})


def _parse_result(document: dict[str, Any]) -> Result:
    document["plugin"] = PluginRef(**document["plugin"])
    document["subject"] = Subject(**document["subject"])
    document["evidence"] = tuple(EvidenceRef(**item) for item in document["evidence"])
    document["outcome"] = ResultOutcome(document["outcome"])
    document["controls"] = tuple(document["controls"])
    document["provenance"] = tuple(document["provenance"])
    # Of a time when no plugin was isolated and nothing could be relaxed, there is neither.
    document["landlock_abi"] = document.get("landlock_abi", 0)
    document["relaxed"] = tuple(document.get("relaxed", ()))
    document.setdefault("cpu_ms")  # nor was it measured
    document.setdefault("memory_mib")
    document["started_at"] = datetime.fromisoformat(document["started_at"])
    document["waiver"] = _parse_waiver(document["waiver"]) if document["waiver"] else None
    document["earlier"] = tuple(document.get("earlier", ()))  # of a time when nothing was asked twice
    return Result(**document)


def _fields(value: Any) -> dict[str, Any]:
    """One level of a dataclass, by name. `dataclasses.asdict` copies deeply, and took half the time of a record."""
    return {name: getattr(value, name) for name in value.__slots__}


def _time(moment: datetime) -> str:
    return timestamp(moment, timespec="microseconds")


def _encode(document: dict[str, Any]) -> bytes:
    return _bytes(_JSON.encode(document))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")
