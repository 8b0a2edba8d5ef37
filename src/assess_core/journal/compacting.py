"""What was removed gives its room back to the file system: until then the file keeps it for what comes.

SQLite writes the file anew, in one transaction (`VACUUM`): killed, or without room, it is as it was. Nobody can write
meanwhile, so it is for whoever knows that nobody is up. Readers go on.
"""

import shutil
from dataclasses import dataclass

from assess_core.errors import NoRoomError
from assess_core.journal.database import Database


@dataclass(frozen=True, kw_only=True, slots=True)
class Compacted:
    """How many bytes the file had, and has."""

    before: int
    after: int


def compact(database: Database) -> Compacted:
    """The file is as small as what is in it.

    Raises:
        NoRoomError: the disk has no room for the file to be written anew; it is as it was.
        StoreError: it cannot be done; it is as it was.
    """
    path = database.path
    with database.turn() as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        before = path.stat().st_size
        ((page,), (unused,)) = (
            connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_size", "freelist_count")
        )
        if unused:
            _require_room(database, before - page * unused)
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # it shrinks here, unless somebody reads
    return Compacted(before=before, after=path.stat().st_size)


def _require_room(database: Database, needed: int) -> None:
    """For the write-ahead log, through which all of it goes. Where the first copy is made, SQLite finds out itself."""
    free = shutil.disk_usage(database.path.parent).free
    if free < needed:
        mib = 1 << 20
        raise NoRoomError(
            f"journal {database.path}: to write it anew takes {needed / mib:.1f} MiB beside it, and there are "
            f"{free / mib:.1f}; nothing was done. Make room, or keep fewer days"
        )
