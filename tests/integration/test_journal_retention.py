"""What is old goes, what is needed stays, and the chain says so; what was changed is told even after it went."""

import logging
import random
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from assess_core.journal import Journal, retention
from tests.support.chains import Site, standing

DAY = timedelta(days=1)
KEEPER = "tests.integration.programs.chain_keeper"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "state")


def daily(site: Site, journal: Journal, count: int, name: str = "host", **run: object) -> list[str]:
    """A run each day."""
    names = []
    for _ in range(count):
        names.append(site.record(journal, name, **run))  # type: ignore[arg-type]
        site.now += DAY
    return names


def left(journal: Journal) -> list[str]:
    return [run.run_id for run in reversed(journal.runs(1000))]


def test_what_ended_before_the_days_that_are_kept_goes(site: Site) -> None:
    with site.open() as journal:
        names = daily(site, journal, 10)
        would = journal.would_remove(keep_days=4, now=site.now)
        removed = journal.retain(keep_days=4, now=site.now)
        assert (would.runs, would.results) == (removed.runs, removed.results) == (6, 18)
        assert left(journal) == names[6:]
        assert journal.results(names[0]) == ()
        assert len(journal.results(names[6])) == 3
        assert journal.retain(keep_days=4, now=site.now).runs == 0
    report = site.verify()
    assert report.troubles == ()
    (chain,) = report.chains
    assert (chain.first, chain.removed_runs) == (8, 6)


def test_the_newest_and_the_newest_complete_run_of_each_assessment_stay(site: Site) -> None:
    with site.open() as journal:
        daily(site, journal, 2, "a")
        complete = daily(site, journal, 1, "a")
        daily(site, journal, 1, "a", complete=False)
        newest = daily(site, journal, 1, "a", complete=False)
        never = daily(site, journal, 2, "b", complete=False)[-1:]
        site.now += 100 * DAY
        young = daily(site, journal, 1, "c")
        assert journal.retain(keep_days=30, now=site.now).runs == 4
        assert left(journal) == [*complete, *newest, *never, *young]
        assert journal.verify().troubles == ()
        # when they are no longer needed, they go with those that are beside them
        site.now += 100 * DAY
        daily(site, journal, 1, "a")
        daily(site, journal, 1, "b")
        assert journal.retain(keep_days=30, now=site.now).runs == 3
        assert len(left(journal)) == 3
    assert site.verify().troubles == ()


def test_a_run_that_ended_in_the_future_is_not_waited_for(site: Site) -> None:
    with site.open() as journal:
        site.now += 5000 * DAY
        wrong = daily(site, journal, 1, "clock")
        daily(site, journal, 1, "clock")
        site.now -= 5000 * DAY
        daily(site, journal, 10)
        assert journal.retain(keep_days=4, now=site.now).runs == 7 - 1
        assert wrong[0] in left(journal)
    assert site.verify().troubles == ()


def test_slices_are_small_and_come_to_the_same(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "SLICE_RESULTS", 7)
    with site.open() as journal:
        names = daily(site, journal, 20)
        assert journal.retain(keep_days=4, now=site.now).runs == 16
        assert left(journal) == names[16:]
    with site.hands() as connection:
        kinds = connection.execute(
            "SELECT count(*) FROM chain WHERE CAST(document AS TEXT) LIKE '%\"retention\"%'"
        ).fetchone()[0]
    assert kinds == 6
    report = site.verify()
    assert report.troubles == ()
    assert report.chains[0].removed_runs == 16


def test_the_first_entry_that_stays_is_held_to_the_last_that_went(site: Site) -> None:
    with site.open() as journal:
        daily(site, journal, 10)
        journal.retain(keep_days=4, now=site.now)
    first = site.verify().chains[0].first
    with site.hands() as connection:
        (document,) = connection.execute("SELECT document FROM chain WHERE seq = ?", (first,)).fetchone()
        changed = document.replace(b"recorded", b"recordec")
        connection.execute("UPDATE chain SET document = ? WHERE seq = ?", (changed, first))
    assert standing(site.verify()) == {("changed", f"entry {first}")}
    with site.hands() as connection:
        connection.execute("UPDATE chain SET document = ? WHERE seq = ?", (document, first))
        assert site.verify().sound
        connection.execute("DELETE FROM chain WHERE seq = ?", (first,))
    assert ("missing", f"entry {first}") in standing(site.verify())


def test_evidence_goes_with_the_last_run_that_refers_to_it(site: Site) -> None:
    with site.open() as journal:
        daily(site, journal, 1, evidence=b"a" * 1000)
        daily(site, journal, 1, evidence=b"b" * 1000)
        daily(site, journal, 8, evidence=b"b" * 1000)
        freed = journal.retain(keep_days=4, now=site.now).evidence_bytes
        assert 0 < freed < 1000
        assert journal.verify().evidence == 1
    assert site.verify().troubles == ()


def test_evidence_that_was_removed_stays_explained_when_its_run_is_passed_by(site: Site) -> None:
    with site.open() as journal:
        site.record(journal, "lonely", evidence=random.Random(1).randbytes(1000), complete=False)
        site.record(journal, "lonely", complete=False)
        kept = site.record(journal, "lonely", evidence=random.Random(2).randbytes(1000))
        site.record(journal, "lonely", complete=False)  # so that the one before is complete, and not the newest
        journal.limit_evidence(1500)
        site.record(journal, "other", evidence=random.Random(3).randbytes(1000))
        journal.limit_evidence(None)
        site.record(journal, "other")  # whose entry comes after the one that says what was removed
        assert journal.verify().gone == 2
        assert not journal.results(kept)[0].evidence[0].kept
        site.now += 100 * DAY
        daily(site, journal, 2, "other")
        assert journal.retain(keep_days=30, now=site.now).runs == 4
        report = journal.verify()
        assert (report.troubles, report.gone) == ((), 1)
        with site.hands() as connection:  # what explained it first has gone
            seqs = connection.execute(
                "SELECT seq FROM chain WHERE CAST(document AS TEXT) LIKE '%evidence-gone%'"
            ).fetchall()
        assert [seq for (seq,) in seqs] == [seq for (seq,) in seqs if seq >= report.chains[0].first]
        assert len(seqs) == 1


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("changed", [False, True])
def test_what_was_changed_is_told_after_retention_came_by(site: Site, *, kept: bool, changed: bool) -> None:
    with site.open() as journal:
        names = daily(site, journal, 1, "stays") + daily(site, journal, 3)
        victim = names[0] if kept else names[1]
        if changed:
            with site.hands() as connection:
                connection.execute("UPDATE runs SET counts = '{}' WHERE run_id = ?", (victim,))
        site.now += 100 * DAY
        daily(site, journal, 1)
        journal.retain(keep_days=30, now=site.now)
        assert (victim in left(journal)) is kept
        told = standing(journal.verify())
        assert told == ({("changed", f"run {victim}")} if changed else set())
        if changed:
            journal.accept(reason="looked into", by="ops")
            assert journal.verify().sound


def test_a_run_that_is_missing_is_told_after_its_entry_went(site: Site) -> None:
    with site.open() as journal:
        names = daily(site, journal, 4)
        with site.hands() as connection:
            connection.execute("DELETE FROM results WHERE run_id = ?", (names[0],))
            connection.execute("DELETE FROM runs WHERE run_id = ?", (names[0],))
        site.now += 100 * DAY
        daily(site, journal, 1)
        journal.retain(keep_days=30, now=site.now)
        assert standing(journal.verify()) == {("changed", f"run {names[0]}")}


def test_a_run_that_nobody_vouches_for_does_not_go(site: Site) -> None:
    with site.open() as journal:
        daily(site, journal, 4)
        with site.hands() as connection:
            connection.execute(
                "INSERT INTO runs SELECT 900, 'x', 'y', document, 5, 5, 1, '{}', 1 FROM runs WHERE position = 1"
            )
        site.now += 100 * DAY
        daily(site, journal, 1)
        journal.retain(keep_days=30, now=site.now)
        assert standing(journal.verify()) == {("added", "run x")}


def test_what_was_noted_of_times_that_are_over_goes(site: Site) -> None:
    with site.open() as journal, site.hands() as connection:
        for at in (site.now - 100 * DAY, site.now):
            at_us = int(at.timestamp() * 1e6)
            connection.execute("INSERT INTO skips VALUES (NULL, 'host', ?1, ?1, 'missed', ?1)", (at_us,))
            row = (f"f{at_us}", b"s", "c", "low", at_us, at_us, at_us, at_us, "gone")
            connection.execute("INSERT INTO findings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        journal.retain(keep_days=30, now=site.now)
        assert connection.execute("SELECT count(*) FROM skips").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM findings").fetchone() == (1,)


def test_where_the_chain_stands_is_logged(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with site.open() as journal, caplog.at_level(logging.INFO):
        daily(site, journal, 1)
        journal.retain(keep_days=30, now=site.now)
        head = journal.verify().chains[0].head
    (line,) = [record.getMessage() for record in caplog.records if getattr(record, "action", "") == "chain-head"]
    assert line == f"the chain of web-01 stands at {head.seq}:{head.digest.hex()}"


def test_two_that_record_and_remove_make_one_chain_whenever_they_are_killed(site: Site) -> None:
    """Six times, after a fifth to a half of a second each; what is left is sound, and goes on."""
    chance = random.Random(7)
    last = 0
    for turn in range(6):
        started = [
            subprocess.Popen(
                [sys.executable, "-m", KEEPER, str(site.directory), f"{name}{turn}"], stdout=subprocess.PIPE, text=True
            )
            for name in "ab"
        ]
        try:
            for each in started:
                assert each.stdout is not None
                assert each.stdout.readline() == "going\n"
            with pytest.raises(subprocess.TimeoutExpired):
                started[0].wait(chance.uniform(0.1, 0.4))
        finally:
            for each in started:
                each.send_signal(signal.SIGKILL)
                each.wait()
                assert each.stdout is not None
                each.stdout.close()
        report = site.verify()
        assert report.troubles == ()
        (chain,) = report.chains
        assert chain.head.seq > last
        last = chain.head.seq


def test_complete_runs_are_found_without_looking_through_those_that_are_not(site: Site) -> None:
    """An assessment that was never complete has thousands of them at a start, which waits for this."""
    with site.open() as journal:
        complete = daily(site, journal, 1, "a")
        daily(site, journal, 300, "a", complete=False)
        newest = journal.runs(1)[0]
        daily(site, journal, 300, "b", complete=False)
        connection, steps = journal._database.connection, []
        connection.set_progress_handler(lambda: steps.append(1), 10)  # each ten instructions of SQLite
        try:
            assert set(journal.completed_at(["a", "b"])) == {"a"}
            found = journal.complete_before(newest)
        finally:
            connection.set_progress_handler(None, 0)
        assert found is not None
        assert found.run_id == complete[0]
        assert len(steps) < 30, "300 runs that are looked at are some hundred"
        plan = connection.execute(f"EXPLAIN QUERY PLAN {retention._NEWEST}").fetchall()
        assert any("runs_whole" in row[3] for row in plan), plan
