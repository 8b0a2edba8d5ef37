"""What was assessed and what was found, on disk: one SQLite file, which only this package knows of.

with Journal.open(state / "journal.db") as journal:
    journal.record(run, results, evidence)
"""

from assess_core.errors import JournalDamagedError, NoRoomError
from assess_core.journal.backup import Backup
from assess_core.journal.database import (
    BUSY_TIMEOUT_S,
    MENDING,
    BusyError,
    Connection,
    OvertakenError,
)
from assess_core.journal.evidence import Evidence, EvidenceFullError, Gone
from assess_core.journal.health import say_readable
from assess_core.journal.journal import Journal
from assess_core.journal.listing import Listed
from assess_core.journal.migrations import MIGRATIONS
from assess_core.journal.retention import FORWARD, Removed
from assess_core.journal.runs import AlreadyRecordedError
from assess_core.journal.signing import Signer
from assess_core.journal.verifying import ChainStanding, Report
from assess_core.journal.walking import Trouble, Word
from assess_core.journal.writer import WAITING_BYTES, Writer

__all__ = [
    "BUSY_TIMEOUT_S",
    "FORWARD",
    "MENDING",
    "MIGRATIONS",
    "WAITING_BYTES",
    "AlreadyRecordedError",
    "Backup",
    "BusyError",
    "ChainStanding",
    "Connection",
    "Evidence",
    "EvidenceFullError",
    "Gone",
    "Journal",
    "JournalDamagedError",
    "Listed",
    "NoRoomError",
    "OvertakenError",
    "Removed",
    "Report",
    "Signer",
    "Trouble",
    "Word",
    "Writer",
    "say_readable",
]
