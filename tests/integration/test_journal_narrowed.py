"""A run that was asked for some of an assessment alone is no word on the whole of it, wherever the journal looks."""

import json
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from assess_core.journal import MIGRATIONS, Journal, Signer, Word
from assess_core.journal.database import Database
from assess_core.results import Narrowed
from tests.support.chains import Site

DAY = timedelta(days=1)

BY_CHECK, BY_SUBJECT = Narrowed(checks=('"narrowed":{', "c-*")), Narrowed(subjects=("host:\udc80", "b"))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "state")


def test_what_it_was_narrowed_to_is_read_again(site: Site) -> None:
    with site.open() as journal:
        for narrowed in (BY_CHECK, None, BY_SUBJECT):
            site.record(journal, narrowed=narrowed)
        assert [run.narrowed for run in journal.runs()] == [BY_SUBJECT, None, BY_CHECK]
        assert [each.complete for each in journal.listed(limit=9)] == [True] * 3
    assert site.verify().troubles == ()


def test_a_whole_run_with_a_text_that_looks_like_it_is_whole(site: Site) -> None:
    with site.open() as journal:
        site.record(journal, 'x","narrowed":{"checks":[')
        assert journal._connection.execute("SELECT narrowed FROM runs").fetchall() == [(0,)]
        site.record(journal, narrowed=BY_CHECK)
        assert journal._connection.execute("SELECT sum(narrowed) FROM runs").fetchall() == [(1,)]


def test_the_last_complete_one_and_what_a_run_is_compared_with_are_whole(site: Site) -> None:
    with site.open() as journal:
        whole, at = site.record(journal), site.now
        site.now += timedelta(hours=1)
        site.record(journal, narrowed=BY_CHECK)
        assert journal.completed_at(["host"]) == {"host": at}
        site.record(journal)
        newer = journal.runs(1)[0]
        compared = journal.complete_before(newer)
        assert compared is not None
        assert compared.run_id == whole
        assert journal.completed_at(["host"]) == {"host": site.now}


def test_one_that_is_narrowed_is_compared_with_a_whole_one_or_one_that_was_narrowed_alike(site: Site) -> None:
    with site.open() as journal:
        names = [site.record(journal, narrowed=narrowed) for narrowed in (None, BY_SUBJECT, BY_CHECK, BY_SUBJECT)]
        compared = journal.complete_before(journal.runs(1)[0])
        assert compared is not None
        assert compared.run_id == names[1]
        site.record(journal, narrowed=BY_CHECK, complete=False)
        compared = journal.complete_before(journal.find(names[2])[0])
        assert compared is not None
        assert compared.run_id == names[0]
        site.record(journal, "alone", narrowed=BY_CHECK)
        assert journal.complete_before(journal.runs(1)[0]) is None


def test_retention_keeps_the_newest_complete_one_that_was_whole(site: Site) -> None:
    with site.open() as journal:
        whole = site.record(journal)
        site.now += DAY
        kept = [site.record(journal, narrowed=BY_SUBJECT) for _ in range(3)]
        site.now += 50 * DAY
        assert journal.retain(keep_days=7, now=site.now).runs == 2
        assert {run.run_id for run in journal.runs()} == {whole, kept[-1]}
    assert site.verify().troubles == ()


def test_nobody_without_the_key_can_make_a_run_whole_or_narrowed(site: Site) -> None:
    with site.open() as journal:
        site.record(journal, narrowed=BY_CHECK)
        site.record(journal)
    assert site.verify().sound
    with site.hands() as connection, pytest.raises(sqlite3.OperationalError, match="generated column"):
        connection.execute("UPDATE runs SET narrowed = 0")
    with site.hands() as connection:
        for position, text in connection.execute("SELECT position, document FROM runs").fetchall():
            document = json.loads(text) | {"narrowed": None if position == 1 else {"checks": ["c"], "subjects": []}}
            row = (json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(), position)
            connection.execute("UPDATE runs SET document = ? WHERE position = ?", row)
        assert connection.execute("SELECT narrowed FROM runs ORDER BY position").fetchall() == [(0,), (1,)]
    assert [trouble.word for trouble in site.verify().troubles] == [Word.CHANGED] * 2


def test_runs_of_before_it_was_known_are_whole(site: Site) -> None:
    """A journal of layout 3, with the document that was written then."""
    Database.open(site.path, MIGRATIONS[:3]).close()
    with Journal.open(site.directory.with_name("other.db")) as other:
        site.record(other)
        (text,) = other._connection.execute("SELECT document FROM runs").fetchone()
    document = json.loads(text)
    del document["narrowed"]
    with site.hands() as connection:
        connection.execute(
            "INSERT INTO runs (run_id, assessment, document, complete) VALUES (?, 'host', ?, 1)",
            (document["run_id"], json.dumps(document).encode()),
        )
    with site.open() as journal:
        (run,) = journal.runs()
        assert run.narrowed is None
        assert set(journal.completed_at(["host"])) == {"host"}
        assert journal._connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert journal.problems() == ()


def test_what_the_chain_vouched_for_in_an_older_layout_it_vouches_for_still(site: Site, tmp_path: Path) -> None:
    signer = Signer(site.identity, lambda: site.runtime, clock=lambda: site.now)
    with Journal(Database.open(site.path, MIGRATIONS[:3]), signer) as older:
        site.record(older, evidence=b"kptr = 0")
        older.back_up(tmp_path / "older.db")
    with site.hands() as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (3,)
    with site.open() as journal:
        assert journal.verify(backup=tmp_path / "older.db").troubles == ()
        site.record(journal, narrowed=BY_CHECK)
    report = site.verify()
    assert (report.troubles, report.runs) == ((), 2)
    with sqlite3.connect(tmp_path / "older.db") as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (3,), "a backup stays as it is"
    connection.close()
