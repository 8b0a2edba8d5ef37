"""Scratch directories of runtimes that were killed are swept, those of runtimes that live are not."""

import errno
import fcntl
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from assess_core.errors import StoreError
from assess_core.host import Scratch, scratch
from assess_core.host.scratch import make_scratch, remove_scratch

OWNER = """
import sys
from pathlib import Path
from assess_core.host import Scratch
from assess_core.host.scratch import make_scratch
scratch = Scratch(Path(sys.argv[1]))
worker = make_scratch(scratch.directory)
(worker / "locked").mkdir()
(worker / "locked" / "kept").write_text("x")
(worker / "locked").chmod(0)
print(scratch.directory, flush=True)
sys.stdin.read()
"""


class Runtime:
    """Another process on the same state directory."""

    def __init__(self, top: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(top)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.directory = Path(self._process.stdout.readline().strip())
        assert self.directory.is_dir()

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()


def test_what_a_killed_runtime_left_is_swept_and_what_a_living_one_has_is_not(tmp_path: Path) -> None:
    top = tmp_path / "scratch"
    killed, living = Runtime(top), Runtime(top)
    try:
        assert killed.directory.is_dir(), "a second runtime leaves the first one's alone"
        killed.kill()
        mine = Scratch(top)
        assert sorted(top.iterdir()) == sorted([living.directory, mine.directory])
        mine.remove()
        assert list(top.iterdir()) == [living.directory]
    finally:
        living.kill()
    last = Scratch(top)
    assert list(top.iterdir()) == [last.directory]
    last.remove()


def test_what_a_killed_runtime_left_and_nobody_can_remove_keeps_nobody_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A disk that fails, a file that may not be removed: it was each runtime's end on this state directory."""
    top = tmp_path / "scratch"
    stuck, other = top / "run-a", top / "run-b"
    for path in (stuck, other):
        (path / "worker-1").mkdir(parents=True)

    def remove(path: Path) -> None:
        if path == stuck:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), "f")
        remove_scratch(path)

    monkeypatch.setattr(scratch, "remove_scratch", remove)
    with caplog.at_level(logging.WARNING):
        mine = Scratch(top)
    assert sorted(top.iterdir()) == sorted([stuck, mine.directory])
    assert f"{stuck} could not be removed" in caplog.text, "it is said where it lies"
    monkeypatch.undo()
    mine.remove()
    Scratch(top).remove()
    assert list(top.iterdir()) == [], "the next one tries again"


def test_nobody_waits_for_who_removes_what_was_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gigabytes may have been left; and whoever removes them may be stopped in the middle."""
    top = tmp_path / "scratch"
    (top / "run-a" / "worker-1").mkdir(parents=True)
    others: list[Path] = []

    def remove(path: Path) -> None:
        if not others:
            another = Scratch(top)
            others.append(another.directory)
            assert path.is_dir(), "it is the first one's to remove"
            another.remove()
        remove_scratch(path)

    monkeypatch.setattr(scratch, "LOCK_S", 0.2)
    monkeypatch.setattr(scratch, "remove_scratch", remove)
    Scratch(top).remove()
    assert len(others) == 1
    assert list(top.iterdir()) == []


def test_who_looks_and_does_not_come_to_an_end_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "LOCK_S", 0.2)
    descriptor = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with pytest.raises(StoreError, match=f"locked by process {os.getpid()} of uid {os.getuid()} for 0.2 s"):
            Scratch(tmp_path)
    finally:
        os.close(descriptor)
    Scratch(tmp_path).remove()


def test_who_was_let_out_of_a_killed_runtimes_session_is_killed_with_what_it_left(tmp_path: Path) -> None:
    """Without isolation a plugin may fork twice; its runtime, killed, hunts nobody any more."""
    top = tmp_path / "scratch"
    killed, living = Runtime(top), Runtime(top)
    (left,), (used,) = killed.directory.iterdir(), living.directory.iterdir()
    sleeping = [
        subprocess.Popen(["sleep", "60"], env={"TMPDIR": str(place)}, cwd=cwd, start_new_session=True)
        for place, cwd in ((left, Path("/")), (used, Path("/")), (tmp_path, left))
    ]
    try:
        Scratch(top).remove()
        assert [each.poll() for each in sleeping] == [None, None, None], "both runtimes live"
        killed.kill()
        Scratch(top).remove()
        assert sleeping[0].wait(10) == -signal.SIGKILL
        assert [each.poll() for each in sleeping[1:]] == [None, None], "another's, and somebody who looks around there"
    finally:
        living.kill()
        for each in sleeping:
            each.kill()
            each.wait()


def test_sweeping_follows_no_link_and_takes_no_file(tmp_path: Path) -> None:
    top, elsewhere = tmp_path / "scratch", tmp_path / "elsewhere"
    (elsewhere / "inside").mkdir(parents=True)
    top.mkdir()
    (top / "run-link").symlink_to(elsewhere)
    (top / "note").write_text("")
    Scratch(top).remove()
    assert (elsewhere / "inside").is_dir()
    assert sorted(path.name for path in top.iterdir()) == ["note", "run-link"]


def test_a_runtimes_directory_is_its_own(tmp_path: Path) -> None:
    first, second = Scratch(tmp_path / "scratch"), Scratch(tmp_path / "scratch")
    assert first.directory != second.directory
    assert first.directory.stat().st_mode & 0o777 == 0o700
    first.remove()
    with pytest.raises(FileNotFoundError):
        first.directory.stat()
    assert second.directory.is_dir()
    second.remove()


def nest(directory: Path, depth: int) -> None:
    """Deeper than any path can say."""
    at = os.open(directory, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("0", dir_fd=at)
        below = os.open("0", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(os.open("file", os.O_CREAT, 0o600, dir_fd=at))
    os.close(at)


def test_a_tree_deeper_than_any_path_or_stack_is_removed(tmp_path: Path) -> None:
    scratch = make_scratch(tmp_path)
    nest(scratch, 2_500)
    remove_scratch(scratch)
    assert not list(tmp_path.iterdir())


def test_what_a_plugin_closed_is_removed_and_what_its_links_lead_to_is_not(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("x")
    scratch = make_scratch(tmp_path)
    for name in ("0", "1", "2/0", "2/1/0"):  # names that lifting gives, too
        (scratch / name).mkdir(parents=True)
        (scratch / name / "file").write_text("x")
    (scratch / "2" / "link").symlink_to(tmp_path / "kept")
    (scratch / "link").symlink_to(tmp_path / "kept", target_is_directory=True)
    for name in ("2/1/0", "2/1", "2", "0", "."):
        (scratch / name).chmod(0)
    remove_scratch(scratch)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept" / "file").read_text() == "x"
    remove_scratch(scratch)
