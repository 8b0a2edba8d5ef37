"""The file under the journal: how it is opened, brought to the layout of today, read, and written in one piece.

SQLite, and the only module that imports it. Write-ahead log, so that readers do not wait for the writer;
`synchronous=FULL`, so that a commit is on the disk when it returns. NORMAL would survive a killed process too, but not
a power cut, and somebody may have been told of the result by then. It costs one fsync a transaction, not one a result.

    database = Database.open(path, MIGRATIONS)
    with database.transaction() as connection:      # all of it, or nothing
        connection.execute("INSERT ...")
"""

import logging
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Self

from assess_core.errors import JournalDamagedError, NoRoomError, StoreError
from assess_registry.client import LockTimeoutError, file_lock, plain

BUSY_TIMEOUT_S = 30.0
"""How long to wait for another process's transaction. The longest one writes the evidence of one assessment."""

MIGRATION_TIMEOUT_S = 600.0
"""How long to wait while another process brings the file to a newer layout (120,000 results took 6 s)."""

LOG_BYTES = 16 << 20
"""To which the write-ahead log is cut when all of it was folded in: once it was large, it would stay so."""

_HEADER_BYTES = 20

APPLICATION_ID = 0x61737365
"""Marks the file as ours (SQLite, `PRAGMA application_id`); `asse` in ASCII."""

Connection = sqlite3.Connection
"""For modules that are handed one: they import this, and never SQLite."""

Step = str | Callable[[Connection], None]
"""Of a migration: a statement, or what needs more than that."""

MENDING = (
    "keep it, and every file beside it whose name begins like its: `assess doctor` says what can be read, and "
    "`sqlite3 FILE .recover` saves it. Put the newest copy in its place that `assess results backup` made; with none "
    "there the next run begins a new journal"
)
"""What to do about a damaged journal. Nothing is moved or begun anew by itself: it may be the only copy."""

_log = logging.getLogger(__name__)


class OvertakenError(Exception):
    """What was to be recorded did not hold any more when its turn came; nothing of it was recorded."""


class BusyError(StoreError):
    """Another process was writing all the time; nothing was recorded, and it may be tried again."""


_CAUSES: tuple[tuple[str, type[StoreError], str], ...] = (
    ("SQLITE_FULL", NoRoomError, "there is no room left on the disk; nothing of this was recorded"),
    (
        "SQLITE_BUSY",
        BusyError,
        f"another process was writing for more than {BUSY_TIMEOUT_S:g} s; wait for it, or end it",
    ),
    ("SQLITE_LOCKED", BusyError, "another process was writing; wait for it, or end it"),
    ("SQLITE_READONLY", StoreError, "it may not be written by this user"),
    ("SQLITE_PERM", StoreError, "it may not be used by this user"),
    ("SQLITE_CANTOPEN", StoreError, "it cannot be opened; does its directory exist, and may this user write there?"),
    (
        "SQLITE_NOTADB",
        JournalDamagedError,
        f"it is not a journal; give another --state-dir, or move the file away. If it was one it is damaged: {MENDING}",
    ),
    (
        "SQLITE_CORRUPT",
        JournalDamagedError,
        f"it is damaged; {MENDING}",
    ),
    ("SQLITE_IOERR", NoRoomError, "the disk failed, or is full; nothing of this was recorded"),
)


class Database:
    """An open file, and one connection to it. Threads may share it: each waits for its turn."""

    def __init__(self, path: Path, connection: Connection, migrations: Sequence[Sequence[Step]]) -> None:
        self.path = path
        self.connection = connection
        self._migrations = migrations
        self._looked_at = -1
        """At which of the changes of its tables they were as they should be; SQLite counts them."""
        self._one_at_a_time = threading.Lock()  # a transaction belongs to the connection, not to the thread
        self._closed = False
        self._given_back = False
        self.committed: Callable[[Connection], None] = _nothing
        """What is done after each commit, before anybody is told of it."""

    @classmethod
    def open(cls, path: Path, migrations: Sequence[Sequence[Step]]) -> Self:
        """The file at this path, made if absent (mode 0600) and brought to the current layout.

        Raises:
            StoreError: it is no journal, is damaged, was written by a newer assess, or may not be used.
        """
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600, exist_ok=True)
            with explained(path):
                connection = _connect(path, str(path), check_same_thread=False)
                try:
                    _prepare(connection, path, migrations)
                    require_tables(connection, path, migrations)
                    if path.stat().st_mode & 0o077:
                        path.chmod(0o600)  # evidence may quote what only root may read
                except BaseException:
                    _disconnect(path, connection)
                    raise
        except (OSError, LockTimeoutError) as error:
            raise StoreError(f"journal {path}: cannot be used: {error}") from error
        return cls(path, connection, migrations)

    def close(self) -> None:
        """Give the file back: what is being written is in it then, and nothing more is taken. Idempotent."""
        self._closed = True  # before it is its turn: it waits for one transaction, and not for all that wait for theirs
        # SQLite's memory of a connection is freed here: a thread that is using it would end the process.
        with self._one_at_a_time:
            if not self._given_back:
                self._given_back = True
                _disconnect(self.path, self.connection)

    def select(self, statement: str, *values: object) -> list[Any]:
        """All rows at once: a reader that stays in the middle of them keeps the write-ahead log growing."""
        with self.turn() as connection:
            return connection.execute(statement, values).fetchall()

    @contextmanager
    def turn(self) -> Iterator[Connection]:
        """Nobody else uses the connection, and what SQLite says is a `StoreError` that says what to do."""
        with self._one_at_a_time:
            if self._closed:
                raise StoreError(f"journal {self.path}: it was closed before this could be done; nothing was recorded")
            with explained(self.path):
                yield self.connection

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Everything inside is committed, or nothing is."""
        with self.turn() as connection:
            with transaction(connection):
                self._require_tables()
                yield connection
            try:
                self.committed(connection)
            except Exception:  # it is on the disk: whoever was told otherwise would do it again
                text = "journal %s: something was committed, and what follows a commit failed"
                _log.exception(text, self.path, extra={"action": "bug"})

    def _require_tables(self) -> None:
        """They are those of a journal still: what is handed to others is signed. Within a transaction."""
        changes = int(self.connection.execute("PRAGMA schema_version").fetchone()[0])
        if changes != self._looked_at:
            require_tables(self.connection, self.path, self._migrations)
            self._looked_at = changes


def _nothing(connection: Connection) -> None:
    """Nobody wants to know of a commit."""


_connections: Counter[Path] = Counter()
"""How many this process has to each file."""

_connecting = threading.Lock()


def _connect(path: Path, name: str, **options: Any) -> Connection:
    """A connection, after a look at the file if it is the first of this process. `_disconnect` ends it.

    Only then: to close a file gives back all locks that this process has on it, those of other connections, too
    (SQLite, "How to corrupt a database file", 2.2). Another process would take itself for the last one, and remove the
    log.

    Raises:
        JournalDamagedError: a copy was put in place, and the log of what was there before lies beside it still.
    """
    key = path.resolve()
    with _connecting:
        if not _connections[key]:
            _require_own_log(path)
        connection: Connection = sqlite3.connect(name, timeout=BUSY_TIMEOUT_S, isolation_level=None, **options)
        _connections[key] += 1
    return connection


def _disconnect(path: Path, connection: Connection) -> None:
    """It is closed."""
    with _connecting:
        connection.close()
        _connections[path.resolve()] -= 1


def _require_own_log(path: Path) -> None:
    """The write-ahead log beside the file is its own. SQLite does not look, and would write another's pages into it.

    A file that uses one says so in its header (SQLite, database file format, 1.3.3: 2), and a copy does not.
    """
    log = path.with_name(f"{path.name}-wal")
    # The log first: whoever makes one has said so in the header before.
    if not (log.exists() and log.stat().st_size):
        return
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if header[18:] == b"\1\1":
        raise JournalDamagedError(
            f"journal {path}: it is a copy, and {log.name} beside it is of the journal that was there before: "
            f"together they would be damaged. Move away {log.name} and {path.name}-shm, too"
        )


def _prepare(connection: Connection, path: Path, migrations: Sequence[Sequence[Step]]) -> None:
    """The file is a journal of the current layout."""
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}").fetchall()
    found = _version(connection, path, len(migrations))
    # A copy has none: it is one file.
    if found == len(migrations) and connection.execute("PRAGMA journal_mode").fetchone() == ("wal",):
        return
    patience_s = MIGRATION_TIMEOUT_S if 0 < found < len(migrations) else BUSY_TIMEOUT_S
    # Two processes that both find an empty file: SQLite's own lock does not cover the switch to a write-ahead log.
    with file_lock(path.with_name(path.name + ".lock"), timeout_s=patience_s):
        connection.execute("PRAGMA journal_mode = WAL")
        with transaction(connection):
            for steps in migrations[_version(connection, path, len(migrations)) :]:
                for step in steps:
                    connection.execute(step) if isinstance(step, str) else step(connection)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {len(migrations)}")


def _version(connection: Connection, path: Path, known: int) -> int:
    """How many migrations the file has been through; only reads."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    tables = int(connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])
    if application != APPLICATION_ID and (version or tables):
        raise StoreError(f"journal {path}: it is a database of some other program; give another --state-dir")
    if version > known:
        raise StoreError(
            f"journal {path}: its layout is {version}, this assess knows up to {known}; "
            "use the newer assess that wrote it, or another --state-dir"
        )
    return version


_Tables = Counter[tuple[str, str, str]]
"""Kind, name and statement of each table, index, trigger and view; names need not be there once."""


def _tables(connection: Connection) -> _Tables:
    rows = connection.execute("SELECT type, name, sql FROM sqlite_schema").fetchall()
    # Blanks are not the same in every version of SQLite where columns were added; what SQLite adds itself has no text.
    return Counter((str(kind), str(name), " ".join(str(sql or "").split())) for kind, name, sql in rows)


@cache
def _tables_of(migrations: tuple[tuple[Step, ...], ...]) -> _Tables:
    """Those of a file that has been through these."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for step in (step for steps in migrations for step in steps):
            connection.execute(step) if isinstance(step, str) else step(connection)
        return _tables(connection)


def strange_tables(connection: Connection, migrations: Sequence[Sequence[Step]]) -> tuple[str, ...]:
    """What is not as these made it, a sentence each: SQLite does with each row what tables and triggers say.

    Tables and indexes besides do nothing to ours: `.recover` makes some, and so may whoever asks often.
    """
    known = int(connection.execute("PRAGMA user_version").fetchone()[0])
    found, ours = _tables(connection), _tables_of(tuple(map(tuple, migrations[:known])))
    names = {(kind, name) for kind, name, _ in ours}
    added = ((kind, name) for kind, name, _ in found - ours if (kind, name) in names or kind not in ("table", "index"))
    strange = [(kind, name) for kind, name, _ in ours - found] + list(added)
    return tuple(
        f"{kind} {plain(name)} is {'not as assess makes it' if (kind, name) in names else 'none of assess'}"
        for kind, name in dict.fromkeys(strange)
    )


def require_tables(connection: Connection, path: Path, migrations: Sequence[Sequence[Step]]) -> None:
    """Nothing but what assess does is done with what is written there.

    Raises:
        JournalDamagedError: somebody changed that.
    """
    if strange := strange_tables(connection, migrations):
        raise JournalDamagedError(f"journal {path}: somebody changed its tables: {'; '.join(strange)}; {MENDING}")


@contextmanager
def transaction(connection: Connection) -> Iterator[Connection]:
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
def snapshot(path: Path) -> Iterator[Connection]:
    """Inside, the file as it is now, whatever others write to it meanwhile; nothing can be written through it.

    Text comes as it is, too, where it is no valid UTF-8: whoever looks for damage must not fall over it.

    Raises:
        StoreError: it is no database, or cannot be read.
    """
    with explained(path):
        connection = _connect(path, f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # it begins with the first read
            yield connection
        finally:
            _disconnect(path, connection)


def copy(path: Path, target: Path) -> None:
    """The file as it is now is at the target, which exists and is empty; one file, and nothing beside it.

    In one piece: copied in steps it begins anew with every commit of somebody else, and never ends (1,080 times in 15 s
    beside a process that commits each 5 ms). Writers do not wait meanwhile; 190 MiB take a second.

    Raises:
        StoreError: it cannot be read, or there is no room for it.
        JournalDamagedError: what is there cannot be read back; then the file that was copied is damaged.
    """
    with snapshot(path) as source, explained(target):
        made = sqlite3.connect(target, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        try:
            source.backup(made, pages=-1)
            made.execute("PRAGMA journal_mode = DELETE")
            problems = quick_check(made)
        finally:
            made.close()
    if problems:
        raise JournalDamagedError(f"journal {path}: it is damaged ({'; '.join(problems)}); {MENDING}")


def quick_check(connection: Connection) -> tuple[str, ...]:
    """What SQLite finds wrong with the file when it reads all of it; nothing of one that is sound."""
    rows = connection.execute("PRAGMA quick_check(5)").fetchall()
    return tuple(str(row[0]).replace("\n", " ") for row in rows if row[0] != "ok")


def readable(connection: Connection, table: str, column: str) -> tuple[int, str]:
    """How many rows of a table can be read, one after the other from the first, and why no more; `""` for all of it."""
    rows = 0
    try:
        for _ in connection.execute(f"SELECT {column} FROM {table}"):  # noqa: S608  constants of ours
            rows += 1
    except sqlite3.DatabaseError as error:
        return rows, str(error)
    return rows, ""


@contextmanager
def savepoint(connection: Connection) -> Iterator[Connection]:
    """Within a transaction: everything inside is part of it, or nothing is."""
    connection.execute("SAVEPOINT piece")
    try:
        yield connection
        connection.execute("RELEASE piece")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK TO piece")
            connection.execute("RELEASE piece")
        raise


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """What SQLite says inside is a `StoreError` that says what happened and what to do; our own mistakes stay loud."""
    try:
        yield
    except (sqlite3.ProgrammingError, sqlite3.IntegrityError):
        raise  # ours: a row of the wrong shape was written
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        known = ((kind, sentence) for prefix, kind, sentence in _CAUSES if name.startswith(prefix))
        kind, cause = next(known, (StoreError, "it could not be used"))
        raise kind(f"journal {path}: {cause} ({name or type(error).__name__}: {error})") from error


def spoils(error: BaseException) -> bool:
    """Whether this ends the whole transaction, and not only what was tried in it."""
    return isinstance(error, sqlite3.Error) and not isinstance(error, sqlite3.ProgrammingError | sqlite3.IntegrityError)
