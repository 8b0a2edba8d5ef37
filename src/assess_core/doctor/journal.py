"""The journal: whether every page of it can be read, and how large it is."""

from collections.abc import Iterator

from assess_core.doctor.values import Line
from assess_core.errors import StoreError
from assess_core.journal import MENDING, JournalDamagedError, say_readable
from assess_core.journal.identity import IDENTITY, Identity
from assess_core.runtime import Runtime

MIB = 1 << 20

LARGE_WAL_BYTES = 256 * MIB
"""Of the write-ahead log: SQLite folds it in at 4 MiB, unless somebody has been reading all the time."""


def lines(runtime: Runtime) -> Iterator[Line]:
    """One line; of a runtime that has assessed nothing yet there is no journal. And one for each damaged key."""
    yield from _pages(runtime)
    for text in Identity(runtime.store.root / IDENTITY).damaged_keys():
        fix = (
            "put a copy of it back; with none, move it away: `assess results verify` then says what nobody vouches for"
        )
        yield Line(topic="journal", state="warn", text=text, fix=fix)


def _pages(runtime: Runtime) -> Iterator[Line]:
    path = runtime.store.root / "journal.db"
    if path.is_symlink() and not path.exists():
        fix = "mount what it leads to; or remove the link, and the next run begins a new journal"
        yield Line(topic="journal", state="fail", text=f"{path} is a link to nothing", fix=fix)
        return
    if not path.exists():
        yield Line(topic="journal", state="ok", text="none yet: nothing was assessed")
        return
    size = path.stat().st_size
    log = path.with_name(f"{path.name}-wal")
    waiting = log.stat().st_size if log.exists() else 0
    try:
        problems = runtime.journal.problems()
    except StoreError as error:
        text = f"{error}. {say_readable(path)}" if isinstance(error, JournalDamagedError) else str(error)
        yield Line(topic="journal", state="fail", text=text, fix=MENDING)
        return
    text = f"{path}: {size / MIB:.1f} MiB, write-ahead log {waiting / MIB:.1f} MiB"
    if problems:
        yield Line(
            topic="journal",
            state="fail",
            text=f"{path} is damaged: {'; '.join(problems)}. {say_readable(path)}",
            fix=MENDING,
        )
    elif waiting > LARGE_WAL_BYTES:
        fix = "find out who keeps reading it and never lets go; it shrinks when nobody does"
        yield Line(topic="journal", state="warn", text=text, fix=fix)
    else:
        yield Line(topic="journal", state="ok", text=f"{text}, every page can be read")
