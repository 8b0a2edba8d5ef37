"""A real `assess up` and its journal: what a kill left is read as a whole, others use it meanwhile, damage ends it."""

import lzma
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from assess_core.errors import EXIT_DAMAGED
from assess_core.journal import Journal
from tests.integration.test_journal_upgrade import OLD
from tests.integration.test_up import due, runs, ticking, up
from tests.support.live_place import Place, made, place
from tests.support.up import assess

__all__ = ["made", "place", "ticking"]  # fixtures


def test_what_was_killed_is_read_as_a_whole_by_the_next_and_what_was_stopped_is_not(ticking: Place) -> None:
    with up(ticking) as one:
        one.until("journal-sound")  # it never was
        one.until("run-ended")
        one.stop()
    with up(ticking) as one:
        one.until("run-ended")
        assert not one.of("journal-checking")
        one.process.kill()
        one.wait()
    with up(ticking) as one:
        assert "was not stopped, but ended" in one.until("journal-checking")["message"]
        one.until("journal-sound")
        one.until("run-ended")
        one.stop()
    assert due(ticking) == []


def test_a_damaged_journal_ends_it_and_is_left_alone(ticking: Place) -> None:
    with up(ticking) as one:
        one.until("run-ended", times=4)
        one.process.kill()
        one.wait()
    path = ticking.state / "journal.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'results'").fetchone()
    damaged = (page - 1) * 4096
    with path.open("r+b") as file:
        file.seek(damaged)
        file.write(b"\xff" * 4096)
    with up(ticking) as one:
        assert one.wait() == EXIT_DAMAGED, one.text()
        said = one.text()
    assert "it is damaged" in said
    assert "assess results backup" in said
    assert "`assess doctor` says what can be read" in said
    assert path.read_bytes()[damaged : damaged + 4096] == b"\xff" * 4096
    done = assess("doctor", config=ticking.path, state=ticking.state)
    assert done.returncode != 0
    assert "of runs" in done.stdout
    assert "of results the first 0, then: " in done.stdout


def test_others_assess_copy_and_verify_beside_it(ticking: Place, tmp_path: Path) -> None:
    with up(ticking) as one:
        one.until("run-ended")
        codes: list[int] = []

        def beside(*argv: str) -> None:
            codes.append(assess(*argv, config=ticking.path, state=ticking.state).returncode)

        copy = tmp_path / "copy.db"
        run = ("run", "--quiet", "--assessment", "tick")
        commands = (run, ("results", "backup", str(copy)), ("results", "verify"), ("results", "list"))
        others = [threading.Thread(target=beside, args=command) for command in commands]
        for other in others:
            other.start()
        for other in others:
            other.join()
        assert codes == [0] * 4
        one.more("run-ended")
        one.stop()
    assert {run.why for run in runs(ticking, "tick")} == {"schedule", "request"}
    with Journal.open(copy) as journal:
        assert journal.problems() == ()
        assert 0 < len(journal.runs(limit=1000)) < len(runs(ticking, "tick"))
    done = assess("results", "verify", config=ticking.path, state=ticking.state)
    assert done.returncode == 0, done.stdout


def test_a_journal_of_an_older_release_is_brought_to_the_newer_layout(ticking: Place) -> None:
    (ticking.state / "journal.db").write_bytes(lzma.decompress(OLD.read_bytes()))
    with up(ticking) as one:
        one.until("run-ended", times=2)
        one.stop()
    with Journal.open(ticking.state / "journal.db") as journal:
        assert len([run for run in journal.runs(limit=1000) if run.assessment != "tick"]) == 24
    done = assess("results", "verify", config=ticking.path, state=ticking.state)
    assert done.returncode == 0, done.stdout
