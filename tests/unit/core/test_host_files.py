"""No plugin is shown the runtime's own process, by whatever number or name it is asked for."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from assess_core.host.files import DeniedError, open_file, stat_path
from assess_plugin.permissions import Permissions

PROC = Permissions(read=("/proc",))


@pytest.fixture
def thread_id() -> Iterator[int]:
    """Of a thread of this process, other than its first."""
    started, over = threading.Event(), threading.Event()
    identity: list[int] = []

    def wait() -> None:
        identity.append(threading.get_native_id())
        started.set()
        over.wait()

    thread = threading.Thread(target=wait)
    thread.start()
    started.wait()
    try:
        yield identity[0]
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize(
    "path",
    [
        "/proc/{tid}/environ",
        "/proc/{tid}/task/{tid}/environ",
        "/proc/{tid}/task/{pid}/environ",
        "/proc/{pid}/environ",
        "/proc/{pid}/task/{tid}/environ",
        "/proc/self/environ",
        "/proc/self/task/{tid}/environ",
        "/proc/thread-self/environ",
        "/proc/{tid}/cwd/..",
        "/proc/{tid}/root/proc/sys/kernel/ostype",
        "/proc/self/root/proc/sys/kernel/ostype",
    ],
)
def test_the_runtimes_process_is_not_shown_by_any_number(path: str, thread_id: int) -> None:
    asked = os.path.normpath(path.format(pid=os.getpid(), tid=thread_id))
    for look in (open_file, stat_path):
        with pytest.raises(DeniedError, match="the runtime's own process"):
            look(asked, PROC)


def test_another_process_is_shown() -> None:
    parent = os.getppid()
    for path in (f"/proc/{parent}/status", f"/proc/{parent}/task/{parent}/status"):
        descriptor = open_file(path, PROC)
        try:
            assert f"Pid:\t{parent}\n".encode() in os.read(descriptor, 4096)
        finally:
            os.close(descriptor)


def test_a_folder_of_that_number_elsewhere_is_shown(tmp_path: Path) -> None:
    file = tmp_path / str(os.getpid()) / "environ"
    file.parent.mkdir()
    file.write_text("no process")
    os.close(open_file(str(file), Permissions(read=(str(tmp_path),))))
    assert stat_path(str(file), Permissions(read=(str(tmp_path),))).st_size == len("no process")
