"""What docs/state.md says of the journal is what the code does."""

import re
import sqlite3
from pathlib import Path

from assess_core.journal import BUSY_TIMEOUT_S, MIGRATIONS
from assess_core.journal.database import MIGRATION_TIMEOUT_S
from assess_core.journal.evidence import AT_ONCE, ORPHANED_AFTER_US, WORTH_IT
from assess_core.journal.health import CHECKED_EACH_US
from assess_core.journal.writer import GROUP, GROUP_BYTES, WAITING_BYTES

TEXT = (Path(__file__).parents[3] / "docs/state.md").read_text().partition("\n## The journal\n")[2]
HOUR_US = 3_600_000_000


def test_every_table_has_a_row_and_every_row_a_table() -> None:
    connection = sqlite3.connect(":memory:")
    for steps in MIGRATIONS:
        for step in steps:
            connection.execute(step) if isinstance(step, str) else step(connection)
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    connection.close()
    (rows,) = re.findall(r"\| table \| holds \|\n\|---\|---\|\n((?:\|.*\n)+)", TEXT)
    named = [name for row in rows.splitlines() for name in row.split("|")[1].strip().split(", ")]
    assert sorted(named) == sorted(tables)


def test_its_numbers_are_those_of_the_code() -> None:
    assert f"one SQLite file of layout {len(MIGRATIONS)}" in TEXT
    assert f"up to {GROUP} runs, or {GROUP_BYTES >> 20} MiB, in one commit" in TEXT
    assert f"in memory, up to {WAITING_BYTES >> 20} MiB" in TEXT
    assert f"for at most {BUSY_TIMEOUT_S:g} s" in TEXT
    assert f"for up to {MIGRATION_TIMEOUT_S / 60:g} minutes" in TEXT
    assert f"after {ORPHANED_AFTER_US // HOUR_US} hours" in TEXT
    assert CHECKED_EACH_US == 7 * 24 * HOUR_US
    assert "once a week" in TEXT
    assert AT_ONCE == 20
    assert "a twentieth of all at once" in TEXT
    assert WORTH_IT == 0.9
    assert "where that saves a tenth" in TEXT


def test_what_it_says_in_the_log_is_what_is_logged() -> None:
    sources = (Path(__file__).parents[3] / "src/assess_core/journal/writer.py").read_text()
    for action in ("journal-full", "journal-not-full"):
        assert f"`{action}`" in TEXT
        assert f'"action": "{action}"' in sources
