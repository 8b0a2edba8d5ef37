"""Two runtimes on one state would run everything twice."""

import errno
import fcntl
import os
import stat
from pathlib import Path

import pytest

from assess_core.errors import ConfigError
from assess_core.up.lock import NAME, RunsAlreadyError, only_one, who_is_up


def test_one_is_inside_and_the_other_is_told_which(tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert who_is_up(state) == ""
    with only_one(state):
        assert who_is_up(state).startswith(f"pid {os.getpid()} since 2")
        said = f"runs already on {state}: pid {os.getpid()} since"
        with pytest.raises(RunsAlreadyError, match=said), only_one(state, within_s=0.05):
            raise AssertionError
    assert who_is_up(state) == ""
    assert (state / NAME).read_bytes() == b""
    with only_one(state, within_s=0):
        pass


def test_who_finds_it_taken_tries_again_for_a_while(tmp_path: Path) -> None:
    first = only_one(tmp_path)
    first.__enter__()
    asked: list[float] = []

    def sleep(seconds: float) -> None:
        asked.append(seconds)
        if len(asked) == 3:
            first.__exit__(None, None, None)

    with only_one(tmp_path, sleep=sleep):
        assert len(asked) == 3


@pytest.mark.parametrize("afterwards", ["nothing", "another"])
def test_a_lock_that_is_removed_under_who_is_inside_lets_nobody_in(afterwards: str, tmp_path: Path) -> None:
    with only_one(tmp_path):
        (tmp_path / NAME).unlink()
        if afterwards == "another":
            (tmp_path / NAME).touch()
        assert who_is_up(tmp_path) == "a process of an unknown number"
        with pytest.raises(RunsAlreadyError, match="by whom is not known"), only_one(tmp_path, within_s=0.05):
            raise AssertionError
    assert who_is_up(tmp_path) == ""
    with only_one(tmp_path, within_s=0):
        assert who_is_up(tmp_path).startswith("pid ")


def test_where_directories_cannot_be_locked_the_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As flock(2) says of NFS."""
    flock = fcntl.flock

    def refuse(descriptor: int, kind: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EBADF, "Bad file descriptor")
        flock(descriptor, kind)

    monkeypatch.setattr(fcntl, "flock", refuse)
    with only_one(tmp_path):
        assert who_is_up(tmp_path).startswith("pid ")
        with pytest.raises(RunsAlreadyError), only_one(tmp_path, within_s=0.05):
            raise AssertionError
    assert who_is_up(tmp_path) == ""


def test_one_of_an_earlier_version_that_locks_the_file_alone_is_inside(tmp_path: Path) -> None:
    with (tmp_path / NAME).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert who_is_up(tmp_path) == "a process of an unknown number"
        with pytest.raises(RunsAlreadyError), only_one(tmp_path, within_s=0.05):
            raise AssertionError
    with only_one(tmp_path, within_s=0):
        pass


@pytest.mark.parametrize("kind", ["link", "directory"])
def test_what_is_no_lock_is_not_followed(kind: str, tmp_path: Path) -> None:
    if kind == "link":
        (tmp_path / "precious").write_text("x")
        (tmp_path / NAME).symlink_to("precious")
    else:
        (tmp_path / NAME).mkdir()
    with pytest.raises(ConfigError, match="find out who made it"), only_one(tmp_path):
        raise AssertionError
    if kind == "link":
        assert (tmp_path / "precious").read_text() == "x"
