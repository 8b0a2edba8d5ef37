"""A real `assess up`: what it does when it is told to stop, killed, misconfigured, or left alone by everybody else.

The plugin is that of `live_place`: assessment `long` goes on until a gate is open, `tick` is due each second.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from assess_core.errors import EXIT_DAMAGED
from assess_core.journal import Journal
from assess_core.results import AssessmentRun
from assess_core.up.lock import who_is_up
from assess_core.up.observing import FRESH_S
from assess_core.up.signals import ONE_S
from tests.support.http_registry import serve
from tests.support.live_place import Place, made, place
from tests.support.mounts import fill, in_mounts, may_mount, mount_tmpfs
from tests.support.nothing_left import adopting, children_of, left_of, name_of
from tests.support.programs import refuse_or_skip
from tests.support.served import free_port
from tests.support.up import PROGRAM, Up, assess

__all__ = ["made", "place"]  # fixtures

TICK = '[[assessments]]\nid = "tick"\nplugin = "demo"\nprovider = "demo-subjects"\nselector = { count = 1 }\n'
EACH_SECOND = TICK + 'schedule = "every 1s"\njitter = "0s"\n'


@pytest.fixture
def ticking(place: Place) -> Iterator[Place]:
    """`tick` is due each second; nothing may be left at the end."""
    place.configure(assessment=EACH_SECOND)
    with adopting() as adopted:
        yield place
        assert left_of(place.state) == []
    assert adopted.alive == []


def up(place: Place, *more: str, **how: Any) -> Up:
    return Up(place.path, place.state, *more, **how)


def runs(place: Place, assessment: str) -> list[AssessmentRun]:
    with Journal.open(place.state / "journal.db") as journal:
        return [run for run in journal.runs(limit=1000) if run.assessment == assessment]


def due(place: Place) -> list[tuple[str, str, int]]:
    with contextlib.closing(sqlite3.connect(place.state / "journal.db")) as journal:
        return journal.execute("SELECT run_id, state, attempt FROM due").fetchall()


def until_it_runs(place: Place, run_id: str) -> None:
    deadline = time.monotonic() + 100
    while (run_id, "running") not in {row[:2] for row in due(place)}:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def ask(place: Place, assessment: str) -> str:
    """The id that its run will have."""
    argv = ("run", "--queued", "--assessment", assessment, "--output", "json")
    done = assess(*argv, config=place.path, state=place.state)
    assert done.returncode == 0, done.stderr
    (asked,) = json.loads(done.stdout)["runs"]
    assert asked["assessment"] == assessment
    return str(asked["run_id"])


def standing(one: Up) -> str:
    """How it stands, by its own word."""
    before = len(one.of("standing"))
    one.signal(signal.SIGUSR1)
    return str(one.until("standing", times=before + 1)["message"])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_assesses_when_it_is_due_until_it_is_stopped(number: signal.Signals, code: int, ticking: Place) -> None:
    with up(ticking) as one:
        one.until("run-ended", times=3)
        assert who_is_up(ticking.state).startswith(f"pid {one.process.pid} since")
        one.signal(number)
        assert one.wait() == code
        assert one.of("up-stopped")
        assert one.process.stdout is not None
        assert one.process.stdout.read() == ""
    assert who_is_up(ticking.state) == ""
    ticks = runs(ticking, "tick")
    assert len(ticks) == len(one.of("run-ended"))
    assert len({run.due_at for run in ticks}) == len(ticks)
    assert all((run.due_at.microsecond, run.why, run.attempt, run.problem) == (0, "schedule", 1, None) for run in ticks)
    assert due(ticking) == []


def test_a_run_that_is_incomplete_is_told_where_only_warnings_are(place: Place) -> None:
    """It would have looked as if all were well."""
    place.configure(
        assessment=EACH_SECOND
        + '[[assessments]]\nid = "slow"\nplugin = "demo"\nprovider = "demo-subjects"\nselector = { count = 2 }\n'
        'timeout_s = 0.5\nschedule = "every 1s"\njitter = "0s"\n'
    )
    with up(place, "--log-level", "warning") as one:
        said = one.until("run-ended")
        assert (said["level"], said["assessment"]) == ("warning", "slow")
        assert str(said["message"]).startswith("incomplete: 1 passing, 1 timed out in ")
        while not runs(place, "tick"):
            time.sleep(0.1)
        one.stop()
    assert {each["assessment"] for each in one.of("run-ended")} == {"slow"}, "the control: the other one was complete"


def test_two_are_not_up_on_one_state(ticking: Place) -> None:
    with up(ticking) as one:
        one.until("up-ready")
        with up(ticking) as other:
            assert other.wait() == 1
            assert f"runs already on {ticking.state}: pid {one.process.pid} since" in other.text()
        (ticking.state / "up.lock").unlink()  # by whoever took it for what a dead one left
        with up(ticking) as other:
            assert other.wait() == 1
            assert f"runs already on {ticking.state}: by whom is not known" in other.text()
        one.more("run-ended")
        one.stop()
    with up(ticking) as control:
        control.until("up-ready")
        control.stop()


def test_what_is_not_over_when_it_is_stopped_stays_due_and_runs_at_the_next_start(ticking: Place) -> None:
    with up(ticking, "--stop-within", "0.3") as one:
        one.until("up-ready")
        run_id = ask(ticking, "long")
        until_it_runs(ticking, run_id)
        one.stop()
        assert one.of("run-cut")
    assert runs(ticking, "long") == []
    assert [(run_id, "running")] == [row[:2] for row in due(ticking) if row[0] == run_id]
    ticking.gate.touch()
    with up(ticking) as two:
        two.until("up-ready")
        while not runs(ticking, "long"):
            two.more("run-ended")
        two.stop()
    (run,) = runs(ticking, "long")
    # The first attempt still: it did not die, it was asked to stop.
    assert (run.run_id, run.attempt, run.why, run.subjects, run.problem) == (run_id, 1, "request", 3, None)
    assert run_id not in {row[0] for row in due(ticking)}


def test_asked_a_second_time_it_ends_at_once_and_as_cleanly(ticking: Place) -> None:
    with up(ticking, "--stop-within", "60") as one:
        one.until("up-ready")
        run_id = ask(ticking, "long")
        until_it_runs(ticking, run_id)
        one.signal(signal.SIGINT)
        time.sleep(ONE_S / 10)  # not for what it says: on a slow machine that comes too late
        one.signal(signal.SIGINT)
        one.until("up-stopping")
        time.sleep(ONE_S * 2)
        assert not one.of("up-hurried"), "the same signal, by another way: timeout(1) sends each twice"
        assert [said["message"].partition(" for ")[0] for said in one.of("up-waits")] == ["waiting up to 60 s"]
        began = time.monotonic()
        one.signal(signal.SIGINT)
        assert one.wait() == 130
        assert time.monotonic() - began < 40, "it had a minute; on a quiet machine it takes 0.3 s"
        assert one.of("up-stopped")
    assert run_id in {row[0] for row in due(ticking)}


def test_killed_at_any_moment_it_is_up_again_soon_and_nothing_is_left(ticking: Place) -> None:
    for round_ in range(3):
        with up(ticking) as one:
            one.until("up-ready")
            one.until("run-ended", times=round_ + 1)
            one.process.kill()
            assert one.wait() == -signal.SIGKILL
    with up(ticking) as last:
        last.until("up-ready")
        last.until("run-ended")
        last.stop()
    seconds = [run.due_at for run in runs(ticking, "tick")]
    assert len(set(seconds)) == len(seconds)
    assert all(run.attempt <= 2 for run in runs(ticking, "tick"))
    assert due(ticking) == []


def test_a_bad_edit_changes_nothing_and_is_said_once(ticking: Place) -> None:
    good = ticking.path.read_text()
    with up(ticking) as one:
        one.until("run-ended")
        ticking.path.write_text(good.replace('schedule = "every 1s"', 'schedule = "every 1x"'))
        refused = one.until("config-refused")
        assert "assessments[2].schedule" in refused["message"]
        assert str(ticking.path) in refused["message"]
        one.more("run-ended")
        one.signal(signal.SIGHUP)
        one.more("run-ended")
        one.more("run-ended")
        assert len(one.of("config-refused")) == 1
        ticking.path.write_text(good.replace('schedule = "every 1s"', 'schedule = "every 2s"'))
        one.until("config-followed")
        before = len(one.of("run-ended"))
        one.until("run-ended", times=before + 2)
        one.stop()
    seconds = [run.due_at.second % 2 for run in runs(ticking, "tick")][:2]
    assert seconds == [0, 0], "each other second, since it is followed"


@pytest.mark.parametrize("last_good", [True, False])
def test_what_was_followed_last_stands_in_for_a_mistake_where_that_is_wanted(last_good: bool, ticking: Place) -> None:
    good = ticking.path.read_text()
    with up(ticking) as one:
        one.until("run-ended")
        one.stop()
    assert (ticking.state / "last-good.toml").read_text() == good
    ticking.path.write_text("[runtime]\nid = 3\n")
    with up(ticking, *(["--last-good"] if last_good else [])) as two:
        if not last_good:
            assert two.wait() == 2
            assert "runtime.id" in two.text()
            return
        assert "runtime.id" in two.until("config-refused")["message"]
        two.until("run-ended")
        assert "has a mistake" in standing(two)
        ticking.path.write_text(good)
        while "has a mistake" in standing(two):
            two.more("run-ended")
        ticking.path.write_text(good.replace('"every 1s"', '"every 2s"'))
        two.until("config-followed")
        two.stop()
    assert '"every 2s"' in (ticking.state / "last-good.toml").read_text()


def test_a_registry_that_does_not_answer_is_not_waited_for(ticking: Place) -> None:
    def never(_: object) -> None:
        http.stopping.wait(100)

    with serve(ticking.tree.root) as http:
        http.answers["/metadata/timestamp.json"] = never
        text = ticking.path.read_text()
        ticking.path.write_text(text.replace(ticking.tree.root.as_uri(), http.url))
        with up(ticking) as one:
            one.until("up-ready")
            one.until("run-ended", times=2)
            assert time.monotonic() - one.began < 50, "the registry has 60 s to answer"
            one.signal(signal.SIGTERM)
            assert one.wait() == 0
    assert {run.problem for run in runs(ticking, "tick")} == {None}


def test_processes_below_it_that_are_killed_are_followed_by_others(ticking: Place) -> None:
    with up(ticking) as one:
        one.until("run-ended", times=2)
        killed = set()
        for _ in range(2):
            for pid in children_of(one.process.pid):
                killed.add(name_of(pid))
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            one.more("run-ended")
        assert killed
        while True:
            ended = one.more("run-ended")
            if "passing" in ended["message"]:
                break
        one.stop()
    assert len({run.due_at for run in runs(ticking, "tick")}) == len(runs(ticking, "tick"))


def test_a_service_manager_is_told_and_nobody_below_can_speak_for_it(ticking: Place, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        heard: list[str] = []

        def hear(wanted: str) -> None:
            heard.append(manager.recv(4096).decode())
            while not any(line.startswith(wanted) for line in heard[-1].split("\n")):
                heard.append(manager.recv(4096).decode())

        environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1500000"}
        with up(ticking, environ=environ) as one:
            hear("READY=1")
            assert any(line.startswith("STATUS=next: tick ") for line in heard[-1].split("\n"))
            hear("WATCHDOG=1")
            one.until("run-ended", times=2)
            below = [pid for child in children_of(one.process.pid) for pid in (child, *children_of(child))]
            assert below
            for pid in below:
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    assert b"NOTIFY_SOCKET" not in Path(f"/proc/{pid}/environ").read_bytes(), name_of(pid)
            one.signal(signal.SIGHUP)
            hear("RELOADING=1")
            hear("READY=1")
            one.signal(signal.SIGTERM)
            hear("STOPPING=1")
            assert one.wait() == 0


def test_now_is_once_for_each_and_who_asks_is_refused_where_nobody_is_up(place: Place) -> None:
    place.gate.touch()
    refused = assess("run", "--queued", config=place.path, state=place.state)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"no assess up runs on {place.state}" in refused.stderr
    with up(place, "--now") as one:
        one.until("run-ended", times=2)
        assert assess("run", "--queued", "--assessment", "shrt", config=place.path, state=place.state).returncode == 2
        run_id = ask(place, "short")
        one.until("run-ended", times=3)
        one.stop()
    assert len(runs(place, "long")) == 1
    assert run_id in {run.run_id for run in runs(place, "short")}
    assert len(runs(place, "short")) == 2


LATER = '[[assessments]]\nid = "later"\nplugin = "demo"\nprovider = "demo-subjects"\nselector = { count = 1 }\n'


def test_each_id_that_was_told_is_of_a_run(ticking: Place) -> None:
    """Asked for before it is configured where it is up, by another name of it; twice; in a window; and removed."""
    ticking.configure(assessment=TICK + LATER)
    elsewhere = ticking.path.with_name("elsewhere.toml")
    elsewhere.write_text(ticking.path.read_text().replace('id = "web-01"', 'id = "web-02"'))
    ticking.configure(assessment=TICK + CLOSED)
    with up(ticking) as one:
        one.until("up-ready")
        argv = ("run", "--queued", "--assessment", "later", "--output", "json")
        done = assess(*argv, config=elsewhere, state=ticking.state)
        (later,) = json.loads(done.stdout)["runs"]
        held = ask(ticking, "tick")
        begun = ask(ticking, "long")
        until_it_runs(ticking, begun)
        waits = ask(ticking, "long")
        assert waits != begun
        assert ask(ticking, "long") == waits, "it stands for both"
        one.until("due-queued", times=2)
        assert runs(ticking, "tick") == []
        ticking.configure(assessment=TICK + LATER)  # the window is gone
        one.until("run-ended", times=2)
        text = ticking.path.read_text()
        new = ticking.path.with_suffix(".new")
        new.write_text(text.replace('id = "long"', 'id = "wide"'))
        new.replace(ticking.path)
        one.until("run-not-done")
        ticking.gate.touch()
        one.until("run-ended", times=4)
        one.stop()
    assert [run.run_id for run in runs(ticking, "tick")] == [held]
    assert [run.run_id for run in runs(ticking, "later")] == [later["run_id"]]
    assert {run.run_id: run.problem is None for run in runs(ticking, "long")} == {begun: True, waits: False}
    shown = assess("results", "show", waits, config=ticking.path, state=ticking.state)
    assert "follows no configuration in which there is such an assessment" in shown.stdout


CLOSED = """
[[maintenance]]
id = "closed"
from = 2020-01-01T00:00:00+00:00
until = 2120-01-01T00:00:00+00:00
assessments = ["tick"]
when = "skip"
"""


def test_while_the_disk_is_full_nothing_begins_and_then_it_goes_on(made: Place, tmp_path: Path) -> None:
    if not may_mount():
        refuse_or_skip("the right to mount")

    def work() -> None:
        mount_tmpfs(tmp_path / "small", kib=96 << 10)
        place = made.copy(tmp_path / "small" / "place")
        listen = f"127.0.0.1:{free_port()}"
        place.configure(assessment=f'{EACH_SECOND}[observe]\nlisten = "{listen}"\n')

        def asked(path: str) -> tuple[int, str]:
            answer = httpx.get(f"http://{listen}/{path}", timeout=60)
            return answer.status_code, answer.text

        with up(place) as one:
            one.until("run-ended", times=2)
            assert [asked(path) for path in ("healthz", "readyz")] == [(200, "ok\n")] * 2
            assert "\nassess_journal_full 0.0\n" in asked("metrics")[1]
            ballast = fill(tmp_path / "small", leave=0)
            assert "no room left" in one.until("journal-full")["message"]
            assert asked("readyz")[0] == 503
            assert asked("healthz") == (200, "it works; nothing begins, as what is due cannot be written down\n")
            assert "nothing begins" in standing(one)
            until_s = time.monotonic() + 100
            while "\nassess_journal_full 1.0\n" not in asked("metrics")[1]:
                assert time.monotonic() < until_s
                time.sleep(FRESH_S)  # so old they may be
            ballast.unlink()
            one.more("run-ended")
            assert asked("readyz") == (200, "ok\n")
            one.more("run-ended")
            one.stop()
        assert due(place) == []
        seconds = [run.due_at for run in runs(place, "tick")]
        assert len(set(seconds)) == len(seconds)

    assert in_mounts(work) == 0


WAIVED = """
[[waivers]]
check = "demo-one"
subject = "demo:0"
owner = "ops"
reason = "known"
expires = {day}
"""


def test_a_waiver_that_ends_soon_is_told_of_as_soon_as_it_is_followed(ticking: Place) -> None:
    with up(ticking) as one:
        one.until("up-ready")
        assert one.of("waiver-expiring") == []
        day = datetime.now(UTC).date() + timedelta(days=3)
        ticking.configure(assessment=TICK + WAIVED.format(day=day))
        one.until("config-followed")
        one.until("waiver-expiring")  # the next look is an hour later
        one.stop()


def test_a_bug_in_a_run_is_told_once_and_the_run_says_so(ticking: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    buggy = """
import assess_core.live.live as live
assess = live.assess
async def broken(tasks, **how):
    if tasks[0].assessment == "short" and not hasattr(tasks[0], "problem"):
        raise KeyError("no such thing")
    return await assess(tasks, **how)
live.assess = broken
"""
    monkeypatch.setattr("tests.support.up.PROGRAM", f"{buggy}{PROGRAM}")
    ticking.configure(assessment=TICK)
    with up(ticking) as one:
        one.until("up-ready")
        monkeypatch.undo()
        run_id = ask(ticking, "short")
        one.until("run-ended")
        one.stop()
        (told,) = one.of("bug")
        assert "KeyError: 'no such thing'" in str(told["message"])
        assert "trace" not in told, "it stands in the report"
    (run,) = runs(ticking, "short")
    assert (run.run_id, "a bug of assess: KeyError" in str(run.problem)) == (run_id, True)


def test_a_journal_that_is_damaged_ends_it_and_nothing_begins_a_new_one(ticking: Place) -> None:
    with up(ticking) as one:
        one.until("run-ended")
        one.stop()
    journal = ticking.state / "journal.db"
    good = journal.read_bytes()
    journal.write_bytes(b"\xff" * len(good))
    with up(ticking) as two:
        assert two.wait() == EXIT_DAMAGED
        assert "damaged" in two.text()
        assert not two.of("up-ready")
    assert journal.read_bytes() == b"\xff" * len(good)
    journal.write_bytes(good)
    with up(ticking) as control:
        control.until("run-ended")
        control.stop()


@pytest.mark.parametrize("revoked", [True, False])
def test_where_all_that_is_configured_is_refused_it_does_not_start(revoked: bool, place: Place) -> None:
    shutil.rmtree(place.state)
    if revoked:
        asyncio.run(place.revoke("1.0.0", "high"))
    with up(place) as one:
        if revoked:
            assert one.wait() == 5
            assert "sends it away" in one.text()
        else:
            one.until("up-ready")
            one.stop()
