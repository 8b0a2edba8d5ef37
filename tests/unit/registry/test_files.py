import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from assess_registry.errors import ConfigError
from assess_registry.files import LockTimeoutError, atomic_write, file_lock, read_bounded


def test_atomic_write_makes_the_file_with_its_mode_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        atomic_write(tmp_path / "a", b"one")
        atomic_write(tmp_path / "b", b"two", mode=0o600)
    finally:
        os.umask(before)
    assert (tmp_path / "a").read_bytes() == b"one"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_atomic_write_that_fails_leaves_the_old_content_and_no_rubbish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"old")

    def no_space(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        atomic_write(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_atomic_write_replaces_a_symbolic_link_instead_of_following_it(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"precious")
    (tmp_path / "link").symlink_to("target")
    atomic_write(tmp_path / "link", b"new")
    assert (tmp_path / "target").read_bytes() == b"precious"
    assert not (tmp_path / "link").is_symlink()


def test_a_killed_writer_leaves_one_of_its_whole_contents(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from assess_registry.files import atomic_write\n"
        "path, n = Path(sys.argv[1]), 0\n"
        "while True:\n"
        "    atomic_write(path, bytes([65 + n % 2]) * 300_000); n += 1\n"
        "    print(n, flush=True)\n"
    )
    path = tmp_path / "a"
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        for _ in range(5):
            assert child.stdout.readline()
        child.send_signal(signal.SIGKILL)
    data = path.read_bytes()
    assert len(data) == 300_000
    assert len(set(data)) == 1


def test_read_bounded_takes_the_limit_and_refuses_one_byte_more(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert read_bounded(tmp_path / "a", 5) == b"12345"
    with pytest.raises(ConfigError, match="at most 4 bytes, got 5"):
        read_bounded(tmp_path / "a", 4)


def test_read_bounded_reads_files_whose_size_is_unknown() -> None:
    assert read_bounded(Path("/proc/self/status"), 1 << 16).startswith(b"Name:")
    with pytest.raises(ConfigError, match="at most 3 bytes"):
        read_bounded(Path("/proc/self/status"), 3)


@pytest.mark.parametrize("kind", ["directory", "FIFO", "device"])
def test_read_bounded_refuses_what_is_not_a_regular_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "thing"
    if kind == "directory":
        path.mkdir()
    elif kind == "FIFO":
        os.mkfifo(path)
    else:
        path = Path("/dev/zero")
    with pytest.raises(ConfigError, match=f"expected a regular file, got a {kind}"):
        read_bounded(path, 10)


def test_read_bounded_passes_on_that_a_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_bounded(tmp_path / "none", 10)


def test_a_lock_excludes_the_same_process_and_names_its_holder(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with file_lock(path, timeout_s=0):
        expected = f"locked by process {os.getpid()} after 0 s"
        with pytest.raises(LockTimeoutError, match=expected) as caught, file_lock(path, timeout_s=0):
            pass
        assert caught.value.path == path
    with file_lock(path, timeout_s=0):
        assert path.read_text() == f"process {os.getpid()}"
    assert path.read_text() == ""


def test_a_lock_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    order = []
    held = threading.Event()
    may_go = threading.Event()

    def hold() -> None:
        with file_lock(path, timeout_s=0):
            held.set()
            may_go.wait(60)
            order.append("first")

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(60)
    threading.Timer(0.03, may_go.set).start()
    with file_lock(path, timeout_s=10):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]


def test_the_kernel_frees_the_lock_of_a_killed_process(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    program = (
        "import sys; from pathlib import Path; from assess_registry.files import file_lock\n"
        "with file_lock(Path(sys.argv[1]), timeout_s=0): print('held', flush=True); sys.stdin.read()\n"
    )
    argv = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(LockTimeoutError, match=f"process {child.pid}"), file_lock(path, timeout_s=0):
            pass
        child.kill()
        child.wait()
        with file_lock(path, timeout_s=0):
            assert path.read_text() == f"process {os.getpid()}"


@pytest.mark.parametrize(
    ("strange", "said"),
    [
        (os.mkfifo, "a FIFO"),
        (lambda path: path.symlink_to("elsewhere"), "a symbolic link"),
        (lambda path: path.mkdir(), "a directory"),
    ],
)
def test_what_is_no_file_is_not_locked(tmp_path: Path, strange: Callable[[Path], object], said: str) -> None:
    with file_lock(tmp_path / "control", timeout_s=0):
        strange(tmp_path / ".lock")
    refused = pytest.raises(ConfigError, match=f"{tmp_path}/.lock: expected a lock, .* got {said}; .*remove it")
    with refused, file_lock(tmp_path / ".lock", timeout_s=0):
        pass
