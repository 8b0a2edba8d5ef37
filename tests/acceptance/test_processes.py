"""Runs side by side, runs that are killed: no orphan, nothing lost, and the next run works."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.sites import DEMO, Site, make_site, one_document
from tests.support.checkout import Checkout
from tests.support.wheels import DEMO_CHECKS, WheelBuilder, demo_manifest

WAITS = """
import os, signal
from assess_plugin import *

def line(host):
    host.log(f"pid {os.getpid()} {os.getcwd()}", "warning")

class Plugin:
    @hookimpl
    def assess_execute(self, input):
        if "wait-itself" in input.checks:
            line(input.host)
            signal.pause()
        if "wait-command" in input.checks:
            line(input.host)
            input.host.run(["sleep", input.settings["seconds"]])
        return ActionOutput(results=tuple(CheckResult(check_id=c, outcome=Outcome.PASS) for c in input.checks))

class Provider:
    @hookimpl
    def assess_evaluate(self, input):
        return EvaluateResult(subjects=(Subject(id="host:a", type="inventory-item", title="a"),))

plugin, provider = Plugin(), Provider()
"""
SECONDS = "61.25"
"""Nothing else on this machine sleeps for so long."""

MANIFEST = (
    demo_manifest(("wait-itself", "wait-command", "passes"), permissions='commands = [["sleep", "*"]]\n')
    + f'\n[settings.seconds]\ntype = "string"\ndefault = "{SECONDS}"\n'
)


@pytest.fixture(scope="module")
def site(ran: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = make_site(ran, tmp_path_factory.mktemp("processes") / "site")
    site.publish(WheelBuilder(files={"demo_plugin/__init__.py": WAITS}, manifest=MANIFEST))
    site.configure(assessments=[{**DEMO, "timeout_s": 60}])
    return site


def _heed_interrupts() -> None:
    """A background job ignores SIGINT, what nohup runs SIGHUP, and so would all that these tests start there."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def waiting(site: Site, check: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A run that is in the middle of a check, and the pid of its plugin's process."""
    command = site.place.command(*site.argv("run", "--check", check))
    with subprocess.Popen(
        command,
        cwd=site.place.path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        preexec_fn=_heed_interrupts,  # noqa: PLW1509  no thread runs here
    ) as process:
        try:
            assert process.stderr is not None
            said = process.stderr.readline().decode()
            assert "pid " in said, said + process.stderr.read().decode()
            yield process, int(said.partition("pid ")[2].split()[0])
        finally:
            process.kill()


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in (b"Z", b"X")


def wait_for_end(pid: int) -> None:
    """The process ends within a minute; nothing tells us when, for it is not our child."""
    deadline = time.monotonic() + 60
    while alive(pid):
        assert time.monotonic() < deadline, f"process {pid} is an orphan"
        time.sleep(0.02)


def sleepers() -> list[int]:
    """Processes that a plugin's `host.run` started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                command = (entry / "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if command == f"sleep\0{SECONDS}\0".encode():
                found.append(int(entry.name))
    return found


def works(site: Site) -> None:
    done = site.assess("run", "--check", "passes", "--output", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [result["outcome"] for result in one_document(done.stdout)["results"]] == ["pass"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_run_that_is_ended_takes_its_plugin_with_it(number: signal.Signals, site: Site) -> None:
    with waiting(site, "wait-itself") as (process, worker):
        assert alive(worker)
        process.send_signal(number)
        code = process.wait(timeout=60)
        wait_for_end(worker)
    assert code == (130 if number is signal.SIGINT else -number)
    works(site)
    assert not list((site.state / "scratch").iterdir())


def test_a_run_that_is_killed_takes_the_commands_of_its_plugin_with_it(site: Site) -> None:
    with waiting(site, "wait-command") as (process, worker):
        deadline = time.monotonic() + 60
        while not sleepers():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        (command,) = sleepers()
        process.kill()
        process.wait(timeout=60)
        wait_for_end(worker)
        wait_for_end(command)
    works(site)


def test_two_first_runs_at_once_on_one_state_directory(site: Site, tmp_path: Path) -> None:
    site = site.copy(tmp_path / "site")
    site.publish(WheelBuilder(version="2.0.0"))
    command = site.place.command(*site.argv("run", "--output", "json"))
    both = [
        subprocess.Popen(command, cwd=site.place.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    ends = [process.communicate(timeout=120) for process in both]
    for process, (stdout, stderr) in zip(both, ends, strict=True):
        assert process.returncode == 0, stderr
        results = one_document(stdout)["results"]
        assert sorted(result["check"] for result in results) == sorted(DEMO_CHECKS)
        assert {result["outcome"] for result in results} == {"pass"}
    runs = one_document(site.assess("results list", "--output", "json").stdout)["runs"]
    assert len({run["run_id"] for run in runs}) == 2
    assert [sum(run["counts"].values()) for run in runs] == [len(DEMO_CHECKS)] * 2
    assert len(list((site.state / "envs").iterdir())) == 1
    assert not list((site.state / "staging").iterdir())
    assert site.assess("plugins verify").returncode == 0


def test_a_first_run_that_is_killed_anywhere_leaves_a_state_that_the_next_run_completes(
    site: Site, tmp_path: Path
) -> None:
    """Killed at a few moments of installing, which differ between machines: the store's own tests go through all."""
    site = site.copy(tmp_path / "site")
    command = site.place.command(*site.argv("run", "--check", "passes"))
    for delay_s in (0.1, 0.2, 0.3, 0.4, 0.5):
        process = subprocess.Popen(
            command, cwd=site.place.path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            process.wait(timeout=delay_s)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait(timeout=60)
    works(site)
    assert site.assess("plugins verify").returncode == 0
    assert not list((site.state / "staging").iterdir())
