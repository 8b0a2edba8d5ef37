"""Tables that somebody changed, without the runtime's key: nothing is written by them, so that nothing is signed.

SQLite does by itself what a file says that it should do with each row it is handed. A trigger that makes a pass of each
failure would have the runtime sign one.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from assess_core.journal import Journal, JournalDamagedError, Word
from assess_core.results import ResultOutcome
from tests.support.chains import Site
from tests.support.results import make_assessment, make_result

_NICE = 'CAST(replace(CAST(document AS TEXT), \'"outcome":"error"\', \'"outcome":"pass"\') AS BLOB)'
A_PASS = (
    "CREATE TRIGGER nice AFTER INSERT ON results BEGIN "
    f"UPDATE results SET document = {_NICE} WHERE position = NEW.position; END"
)
OURS = "CREATE TRIGGER evidence_added AFTER INSERT ON evidence_kept BEGIN "

RENAMED = "UPDATE sqlite_schema SET name = 'sqlite_nice', sql = replace(sql, 'nice', 'sqlite_nice') WHERE name = 'nice'"
WHOLE = (
    "DROP INDEX runs_whole; ALTER TABLE runs DROP COLUMN narrowed; "
    "ALTER TABLE runs ADD COLUMN narrowed INTEGER NOT NULL DEFAULT 0; "
    "CREATE INDEX runs_whole ON runs (assessment, position) WHERE complete AND NOT narrowed"
)

CHANGES: dict[str, tuple[str, str]] = {
    "each result becomes a pass": (A_PASS, "trigger nice"),
    "under a name that SQLite has for itself": (
        f"PRAGMA writable_schema = ON; {A_PASS}; {RENAMED}",
        "trigger sqlite_nice",
    ),
    "a trigger of ours does more": (
        f"DROP TRIGGER evidence_added; {OURS} UPDATE results SET document = {_NICE}; END",
        "trigger evidence_added",
    ),
    "a narrowed run is whole": (
        WHOLE,
        "table runs",
    ),
    "what is read is made up": (
        "ALTER TABLE findings RENAME TO others; CREATE VIEW findings AS SELECT * FROM others WHERE 0",
        "view findings",
    ),
    "an index lacks rows": (
        "DROP INDEX runs_by_assessment; CREATE INDEX runs_by_assessment ON runs (assessment) WHERE position < 2",
        "index runs_by_assessment",
    ),
}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path / "state")
    with site.open() as journal:
        site.record(journal)
    site.now += timedelta(days=1)
    return site


@contextmanager
def by_hand(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


@pytest.mark.parametrize("what", CHANGES)
def test_it_is_not_used(what: str, site: Site) -> None:
    statements, named = CHANGES[what]
    with by_hand(site.path) as connection:
        connection.executescript(statements)
    before = site.path.read_bytes()
    with pytest.raises(JournalDamagedError, match=rf"{named}\b.*assess results backup"):
        Journal.open(site.path)
    assert site.path.read_bytes() == before


@pytest.mark.parametrize("what", CHANGES)
def test_a_copy_is_told_of(what: str, site: Site, tmp_path: Path) -> None:
    with site.open() as journal:
        journal.back_up(tmp_path / "copy.db")
        assert journal.verify(backup=tmp_path / "copy.db").sound
        with by_hand(tmp_path / "copy.db") as connection:
            connection.executescript(CHANGES[what][0])
        report = journal.verify(backup=tmp_path / "copy.db")
    found = [each for each in report.troubles if each.where == "its tables"]
    assert {each.word for each in found} == {Word.CHANGED}
    assert CHANGES[what][1] in " ".join(each.message for each in found)


@pytest.mark.parametrize("through_the_writer", [True, False])
def test_it_is_not_written_to_if_it_happens_meanwhile(through_the_writer: bool, site: Site) -> None:
    run = make_assessment(assessment="other")
    result = make_result(assessment="other", outcome=ResultOutcome.ERROR, reason="it broke")
    with site.open() as journal:
        journal.writer().submit(lambda _: None).result()
        with by_hand(site.path) as connection:
            connection.executescript(A_PASS)

        def record() -> None:
            if through_the_writer:
                journal.writer().record(run, [result], {}).result()
            else:
                journal.record(run, [result], {})

        with pytest.raises(JournalDamagedError, match="trigger nice"):
            record()
        with by_hand(site.path) as connection:
            assert connection.execute("SELECT count(*) FROM runs").fetchone() == (1,)
            connection.executescript("DROP TRIGGER nice")
        record()
        assert [each.outcome for each in journal.results(run.run_id)] == [ResultOutcome.ERROR]
        assert journal.verify().sound


def test_what_changes_nothing_of_ours_may_be_there(site: Site) -> None:
    """What `.recover` could place nowhere, statistics, an index of somebody who asks often; and a file written anew."""
    with by_hand(site.path) as connection:
        connection.executescript(
            "CREATE TABLE lost_and_found (rootpgno INTEGER, c0); CREATE INDEX mine ON results (result_id); ANALYZE"
        )
    with site.open() as journal:
        with by_hand(site.path) as connection:
            connection.executescript("CREATE INDEX another ON runs (due_us); VACUUM")
        site.record(journal)
        assert journal.verify().sound
