"""A copy of the journal while others write to it: whole, as it was at one moment, and read back before it counts."""

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from assess_core.errors import NoRoomError, StoreError
from assess_core.journal.database import APPLICATION_ID, copy, snapshot
from assess_registry.client import sync_directory

_HEADER_BYTES = 100
_MAGIC = b"SQLite format 3\0"
_APPLICATION = slice(68, 72)
"""Where a database says whose it is (SQLite, database file format, 1.3)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Backup:
    """A copy of a journal: where it is, how large, and what it holds."""

    path: Path
    size: int
    runs: int
    results: int


def back_up(journal: Path, target: Path) -> Backup:
    """The journal as it is now is at the target, on disk, and its owner's alone; what was there before is replaced.

    It is made beside the target and read back first: at no time there is less than a whole journal. Nobody who writes
    to the journal waits for it.

    Raises:
        StoreError: the journal cannot be read, or the target not written; or something lies there that is no journal.
        JournalDamagedError: the journal is damaged; the target stays as it was.
    """
    _require_replaceable(journal, target)
    made = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        os.close(os.open(made, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        try:
            copy(journal, made)
            done = _counted(made, target)
            _sync(made)
            made.replace(target)
        finally:
            for rest in ("", "-journal", "-wal", "-shm"):
                with suppress(FileNotFoundError):
                    made.with_name(made.name + rest).unlink()
        sync_directory(target.parent)
    except NoRoomError as error:
        raise StoreError(f"{target}: no copy was made: there is no room for it there") from error
    except OSError as error:
        raise StoreError(f"{target}: no copy was made: {error.strerror or error}") from error
    return done


def _require_replaceable(journal: Path, target: Path) -> None:
    """Nothing is there, or a journal, and not the one that is copied.

    Raises:
        StoreError: something else is.
    """
    own = {journal.resolve().with_name(journal.name + rest) for rest in ("", "-wal", "-shm", ".lock")}
    # By another name, too: to read and close it would give back the locks that this process has on it.
    if target.resolve() in own or (target.exists() and target.samefile(journal)):
        raise StoreError(f"{target}: that is the journal itself; name another file")
    try:
        with target.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"{target}: no copy can be made there: {error.strerror or error}") from error
    if not (header.startswith(_MAGIC) and header[_APPLICATION] == APPLICATION_ID.to_bytes(4)):
        raise StoreError(f"{target}: something lies there that is no journal, and is not replaced; name another file")


def _counted(made: Path, target: Path) -> Backup:
    with snapshot(made) as connection:
        (runs,) = connection.execute("SELECT count(*) FROM runs").fetchone()
        (results,) = connection.execute("SELECT count(*) FROM results").fetchone()
    return Backup(path=target, size=made.stat().st_size, runs=runs, results=results)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
