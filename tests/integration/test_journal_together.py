"""All that a service does with its journal, killed anywhere, and two processes at once: nothing lost, nothing twice."""

import itertools
import random
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from assess_core.journal import Journal
from assess_core.journal.documents import microseconds
from tests.integration.programs.journal_service import ASSESSMENTS, open_journal, serve
from tests.support.kills import steps, stride
from tests.support.results import NOON, make_assessment, make_result

ROOT = Path(__file__).parents[2]
MINUTE_US = 60_000_000


def held(state: Path, names: str) -> dict[str, int]:
    """Up to which minute each assessment was decided, if all that was decided has one fate and every run is whole."""
    with open_journal(state) as journal:
        assert journal.problems() == ()
        assert journal.verify().troubles == ()
        noted = "SELECT value FROM meta WHERE key = 'evidence_bytes'"
        stored = f"SELECT coalesce(sum(length(data)), 0) = ({noted}) FROM evidence"
        assert journal._connection.execute(stored).fetchone() == (1,)
    connection = sqlite3.connect(state / "journal.db")
    try:
        ask = connection.execute
        halves = (
            "SELECT count(*) FROM runs WHERE 3 <> (SELECT count(*) FROM results WHERE results.run_id = runs.run_id)"
        )
        assert ask(halves).fetchone() == (0,)
        until: dict[str, int] = {}
        for assessment, cursor in ask("SELECT assessment, cursor_us FROM schedules").fetchall():
            if assessment[0] not in names:
                continue
            fates: Counter[int] = Counter()
            for table in ("runs", "due"):
                fates.update(row[0] for row in ask(f"SELECT due_us FROM {table} WHERE assessment = ?", (assessment,)))
            for first, last in ask("SELECT first_us, last_us FROM skips WHERE assessment = ?", (assessment,)):
                fates.update(range(first, last + 1, MINUTE_US))
            assert set(fates) == set(range(microseconds(NOON), cursor + 1, MINUTE_US))
            assert set(fates.values()) == {1}
            until[assessment] = (cursor - microseconds(NOON)) // MINUTE_US
        return until
    finally:
        connection.close()


def test_killed_before_any_statement_all_of_it_holds_together(tmp_path: Path) -> None:
    numbers = itertools.count()
    state = tmp_path

    def prepare() -> None:
        nonlocal state
        state = tmp_path / str(next(numbers))
        serve(state, "a", 2)

    seen: set[int] = set()
    for _ in steps(lambda: serve(state, "a", 5), prepare, every=stride(11)):
        seen.update(held(state, "a").values())
        serve(state, "a", 6)
        assert set(held(state, "a").values()) == {5}
    assert len(seen) > 2


def program(state: Path, name: str, minutes: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.integration.programs.journal_service", str(state), name, str(minutes)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_two_services_and_a_run_beside_them_killed_at_random(tmp_path: Path) -> None:
    """Two services are prevented elsewhere; the file would not mind."""
    chance = random.Random(7)
    told: set[str] = set()
    for _ in range(3):
        children = [program(tmp_path, name, 100_000) for name in "ab"]
        for child in children:
            assert child.stdout is not None
            told.add(child.stdout.readline().split()[1])
        with open_journal(tmp_path) as journal:
            beside = make_assessment(run_id=f"beside-{len(told)}")
            journal.record(beside, [make_result(run_id=beside.run_id, check=f"check-{n}") for n in range(3)], {})
            told.add(beside.run_id)
        for child in chance.sample(children, 2):
            try:
                child.wait(chance.random() * 0.3)
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGKILL)
            said = child.communicate(timeout=60)[0].splitlines()
            told.update(line.split()[1] for line in said if len(line) == len("told ") + 36)
        until = held(tmp_path, "ab")
        assert len(until) == 2 * ASSESSMENTS
        with Journal.open(tmp_path / "journal.db") as journal:
            assert told <= {run.run_id for run in journal.runs(limit=1_000_000)}


@pytest.mark.parametrize("failure", [OSError("no"), ValueError("a bug")])
def test_what_follows_a_commit_cannot_undo_it(tmp_path: Path, failure: Exception) -> None:
    """Whoever was told that it failed would do it again."""
    with Journal.open(tmp_path / "journal.db") as journal:

        def fails(_: object) -> None:
            raise failure

        journal.writer()._database.committed = fails
        assert journal.writer().record(make_assessment(), [make_result()], {}).result(30) == 1
        assert len(journal.runs()) == 1
