"""Scratch directories of runtimes that were killed are swept, those of runtimes that live are not."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from assess_core.host import Scratch

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
