"""Who is taken for a process of a worker, and who is not."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from assess_core.host.escapees import Mark, kill_escapees

SLEEPS = [sys.executable, "-I", "-S", "-c", "import time; print(flush=True); time.sleep(60)"]


@pytest.fixture
def mark(tmp_path: Path) -> Mark:
    scratch = tmp_path / "worker-1"
    scratch.mkdir()
    return Mark(session=1 << 30, variable=f"TMPDIR={scratch}", directory=scratch)


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def start(
    started: list[subprocess.Popen[bytes]], environment: Mapping[str, str], directory: Path
) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(SLEEPS, env=environment, cwd=directory, stdout=subprocess.PIPE, start_new_session=True)
    started.append(process)
    assert process.stdout is not None
    process.stdout.readline()  # it is itself by now
    return process


@pytest.mark.parametrize("place", ["first", "last"])
def test_its_variable_gives_it_away(mark: Mark, started: list[subprocess.Popen[bytes]], place: str) -> None:
    name, _, value = mark.variable.partition("=")
    environment = {name: value, "A": "1"} if place == "first" else {"A": "1", name: value}
    process = start(started, environment, Path("/"))
    assert kill_escapees([mark]) == [1]
    assert process.wait(60) == -9


@pytest.mark.parametrize("below", ["", "deep/er"])
def test_its_directory_gives_it_away(mark: Mark, started: list[subprocess.Popen[bytes]], below: str) -> None:
    assert mark.directory is not None
    directory = mark.directory / below
    directory.mkdir(parents=True, exist_ok=True)
    process = start(started, {}, directory)
    assert kill_escapees([mark]) == [1]
    assert process.wait(60) == -9


def test_what_only_begins_or_ends_like_its_own_is_anothers(
    mark: Mark, started: list[subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    beside = tmp_path / "worker-10"
    beside.mkdir()
    name, _, value = mark.variable.partition("=")
    environments = ({name: f"{value}0"}, {f"X{name}": value}, {"A": mark.variable})
    processes = [start(started, {}, beside), *(start(started, each, Path("/")) for each in environments)]
    assert kill_escapees([mark]) == [0]
    assert [process.poll() for process in processes] == [None] * 4


def test_each_is_counted_for_the_one_whose_it_was(
    mark: Mark, started: list[subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    other = Mark(session=(1 << 30) + 1, variable="TMPDIR=/other", directory=tmp_path / "other")
    start(started, {"TMPDIR": "/other"}, Path("/"))
    assert kill_escapees([mark, other]) == [0, 1]


def test_one_that_is_met_again_while_it_dies_is_counted_once(
    mark: Mark, started: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, _, value = mark.variable.partition("=")
    process = start(started, {name: value}, Path("/"))
    sent = 0

    def kills_the_second_time(descriptor: int, number: int) -> None:
        nonlocal sent
        sent += 1
        if sent > 1:
            os.kill(process.pid, number)

    monkeypatch.setattr("assess_core.host.escapees.signal.pidfd_send_signal", kills_the_second_time)
    assert kill_escapees([mark]) == [1]
    assert process.wait(60) == -9
    assert sent > 1
