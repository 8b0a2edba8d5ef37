"""Whether the file is what was written: looked at when there is reason to, and told with what can still be read.

SQLite notices damage where it happens to read. A page in the middle of a document is noticed by nothing but reading all
of it, which takes a second for 500 MiB. That is done after a service ended in any other way than by being stopped, and
once a week.
"""

from dataclasses import dataclass
from pathlib import Path

from assess_core.errors import JournalDamagedError, StoreError
from assess_core.journal.database import MENDING, Connection, quick_check, readable, snapshot

CHECKED_EACH_US = 7 * 24 * 3600 * 1_000_000
"""How long after it was read as a whole it is read as a whole again."""

TABLES = (("runs", "document"), ("results", "document"), ("evidence", "data"), ("chain", "document"))
"""What holds what was found, and what vouches for it; everything else can be made from it, or is of the moment."""

_NOTE = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"


@dataclass(frozen=True, kw_only=True, slots=True)
class Readable:
    """How much of one table can be read; `why` not all of it, if not."""

    table: str
    rows: int
    why: str = ""


def begun(connection: Connection, *, at_us: int) -> str:
    """A service has begun; returns why all of the file should be read, or nothing if there is no reason to.

    Called in a transaction. Two services on one file are prevented elsewhere.
    """
    notes = dict(connection.execute("SELECT key, value FROM meta WHERE key IN ('clean', 'checked_us')").fetchall())
    connection.execute(_NOTE, ("clean", 0))
    if notes.get("clean", 1) != 1:
        return "what served it last was not stopped, but ended"
    if "checked_us" not in notes:
        return "it was never read as a whole"
    if not 0 <= at_us - int(notes["checked_us"]) < CHECKED_EACH_US:
        return "it was not read as a whole for a week"
    return ""


def ended(connection: Connection) -> None:
    """The service was stopped, and everything it had is written. Called in a transaction."""
    connection.execute(_NOTE, ("clean", 1))


def checked(connection: Connection, *, at_us: int) -> None:
    """The file was found to be sound. Called in a transaction."""
    connection.execute(_NOTE, ("checked_us", at_us))


def require_sound(path: Path) -> None:
    """Every page of the file can be read. It takes a connection of its own, and holds nobody up.

    Raises:
        JournalDamagedError: it is damaged; the message says what can still be read, and what to do.
        StoreError: it cannot be opened.
    """
    with snapshot(path) as connection:
        problems = quick_check(connection)
    if problems:
        told = f"{'; '.join(problems)}. {say_readable(path)}"
        raise JournalDamagedError(f"journal {path}: it is damaged: {told}. {MENDING[0].upper()}{MENDING[1:]}")


def say_readable(path: Path) -> str:
    """How much of the file can be read, a sentence, whatever is wrong with it.

    Can be read: all 20 of runs; of results the first 1,204, then: database disk image is malformed
    """
    try:
        with snapshot(path) as connection:
            found = survey(connection)
    except StoreError:
        return "Nothing of it can be read"
    parts = [
        f"of {each.table} the first {each.rows:,}, then: {each.why}"
        if each.why
        else f"all {each.rows:,} of {each.table}"
        for each in found
    ]
    return f"Can be read: {'; '.join(parts)}"


def survey(connection: Connection) -> tuple[Readable, ...]:
    """How much of each table can be read."""
    found = []
    for table, column in TABLES:
        rows, why = readable(connection, table, column)
        found.append(Readable(table=table, rows=rows, why=why))
    return tuple(found)
