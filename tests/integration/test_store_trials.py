"""The deaths of a version on trial, counted in a file by whoever sees one."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assess_core.errors import FaultKind, StoreError
from assess_core.store import Death, Trials
from assess_core.store.trials import MAX_BYTES

KEY = "a" * 32
AT_ONCE_S = 5.0
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def death(at_s: float, *, lived_s: float = 0.0, message: str = "it left with code 3") -> Death:
    at = NOON + timedelta(seconds=at_s)
    began_at = at - timedelta(seconds=lived_s)
    return Death(at=at, began_at=began_at, kind=FaultKind.EXITED, phase="execute", message=message)


@pytest.fixture
def trials(tmp_path: Path) -> Trials:
    made = Trials(tmp_path / "trials")
    made.begin(KEY)
    return made


def died(trials: Trials, *deaths: Death) -> int:
    return [len(trials.died(KEY, each, at_once_s=AT_ONCE_S)) for each in deaths][-1]


def test_deaths_count_however_far_apart_they_are(trials: Trials) -> None:
    given = [death(3600.0 * number, message="it said “no”\n" * 100) for number in range(5)]
    assert died(trials, *given) == 5
    found = trials.deaths(KEY, at_once_s=AT_ONCE_S)
    assert [each.at for each in found] == [each.at for each in given]
    assert {len(each.message) for each in found} == {500}
    trials.forgive(KEY)
    assert trials.holds(KEY)
    assert died(trials, death(90000)) == 1
    trials.begin(KEY)
    assert died(trials, death(90000)) == 1, "put on trial anew, it never died"


@pytest.mark.parametrize(
    ("at_s", "lived_s", "counted"), [(101, 50, 1), (101, 0.5, 2), (106, 50, 2)], ids=["at once", "after it", "later"]
)
def test_workers_of_two_processes_that_one_event_killed_are_one(
    at_s: float, lived_s: float, counted: int, trials: Trials
) -> None:
    assert died(trials, death(100, lived_s=50), death(at_s, lived_s=lived_s)) == counted


def test_a_clock_that_was_set_back_makes_no_death_uncounted(trials: Trials) -> None:
    """The first died while the machine said that it is years later."""
    assert died(trials, death(1e8, lived_s=1)) == 1
    assert died(trials, *(death(3600.0 * number, lived_s=1) for number in range(4))) == 5
    assert died(trials, death(3600.0 * 3 - 1, lived_s=2)) == 5, "still one event"


def test_whose_trial_has_ended_has_no_deaths_and_stays_on_none(trials: Trials) -> None:
    assert died(trials, death(0)) == 1
    trials.end(KEY)
    assert died(trials, death(100)) == 0
    trials.forgive(KEY)
    assert trials.deaths(KEY, at_once_s=AT_ONCE_S) == ()
    assert not trials.holds(KEY)


def test_half_a_line_is_no_death_and_spoils_none(trials: Trials, tmp_path: Path) -> None:
    path = tmp_path / "trials" / KEY
    assert died(trials, death(0)) == 1
    for cut in (1, 20, len(death(0).encode()) - 2):
        with path.open("ab") as file:
            file.write(death(0).encode()[:cut])
    assert died(trials, death(100)) == 2
    for junk in (b"\0" * 50, b"[]\n", b"{}\n", b'{"at": 3}\n', b"[" * 20000, b"\xff\n"):
        with path.open("ab") as file:
            file.write(junk)
    assert died(trials, death(200)) == 3


WRITER = """
import sys
from pathlib import Path
from tests.integration.test_store_trials import AT_ONCE_S, KEY, Trials, death

print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[2])):
    Trials(Path(sys.argv[1])).died(KEY, death(0), at_once_s=AT_ONCE_S)
    print("x", flush=True)
"""


def test_processes_that_write_at_the_same_time_lose_nothing_of_each_other(trials: Trials, tmp_path: Path) -> None:
    given = [sys.executable, "-c", WRITER, str(tmp_path / "trials"), "30"]
    pipe = subprocess.PIPE
    root = Path(__file__).parents[2]
    writers = [subprocess.Popen(given, bufsize=0, stdin=pipe, stdout=pipe, cwd=root) for _ in range(3)]
    written = []
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
    for number, writer in enumerate(writers):
        assert writer.stdin is not None
        writer.stdin.write(b"\n")
        if number == 0:
            assert writer.stdout is not None
            writer.stdout.readline()
            os.kill(writer.pid, signal.SIGKILL)
    for number, writer in enumerate(writers):
        out, _ = writer.communicate(timeout=120)
        written.append(out.count(b"x") + (number == 0))
    assert written[1:] == [30, 30]
    assert 60 + written[0] <= len(trials.deaths(KEY, at_once_s=-1)) <= 61 + written[0]


def test_no_room_is_said(trials: Trials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:40]))
        with pytest.raises(StoreError, match="no room"):
            died(trials, death(0))
    assert died(trials, death(100)) == 1
    (tmp_path / "trials" / KEY).unlink()
    (tmp_path / "trials" / KEY).mkdir()
    with pytest.raises(StoreError, match=KEY):
        died(trials, death(0))


def test_it_does_not_grow_for_ever(trials: Trials, tmp_path: Path) -> None:
    (tmp_path / "trials" / KEY).write_bytes(b"\n" * (MAX_BYTES - 100))
    assert died(trials, death(0)) == 0
    assert (tmp_path / "trials" / KEY).stat().st_size == MAX_BYTES - 100
