"""What is read of a process and of a tree, against what the test made of them."""

import ctypes
import mmap
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assess_core.host.limits import process as process_module
from assess_core.host.limits import tree
from assess_core.host.limits.process import GoneError, WatchedProcess
from assess_core.host.limits.tree import LEAST_BYTES, UnmeasurableError, tree_bytes
from assess_core.host.memory import in_memory

MIB = 1 << 20


@pytest.fixture
def ourselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WatchedProcess]:
    monkeypatch.setattr(process_module, "MAPS_SHARE", 0)  # looks follow each other at once here
    process = WatchedProcess(os.getpid(), scratch=str(tmp_path))
    yield process
    process.close()


def test_descriptors_are_counted_and_open_files_that_have_a_name_are_not(
    ourselves: WatchedProcess, tmp_path: Path
) -> None:
    before = ourselves.look()
    with (tmp_path / "named").open("wb") as named, tempfile.TemporaryFile(dir=tmp_path) as unnamed:
        for file in (named, unnamed):
            file.write(b"x" * MIB)
            file.flush()
        seen = ourselves.look()
    assert seen.descriptors == before.descriptors + 2
    assert MIB <= seen.unlinked_bytes < 2 * MIB
    assert (before.unlinked_bytes, before.unseen_files) == (0, 0)


def test_a_file_open_twice_counts_once_and_one_elsewhere_does_not(ourselves: WatchedProcess, tmp_path: Path) -> None:
    with tempfile.TemporaryFile(dir=tmp_path) as file, tempfile.TemporaryFile(dir=tmp_path.parent) as elsewhere:
        for each in (file, elsewhere):
            each.write(b"x" * MIB)
            each.flush()
        again = os.dup(file.fileno())
        kept = mmap.mmap(file.fileno(), MIB)
        seen = ourselves.look()
        kept.close()
        os.close(again)
    assert MIB <= seen.unlinked_bytes < 2 * MIB
    assert seen.unseen_files == 0


def test_shared_memory_counts_as_it_is_mapped(ourselves: WatchedProcess) -> None:
    before = ourselves.look().memory_bytes
    with mmap.mmap(-1, 300 * MIB):
        assert ourselves.look().memory_bytes - before > 250 * MIB
    assert ourselves.look().memory_bytes - before < 50 * MIB


def test_descriptors_in_a_socket_are_seen_but_the_one_that_we_may_have_sent(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, open(os.devnull, "rb") as file:  # noqa: PTH123
        ourselves = WatchedProcess(os.getpid(), scratch=str(tmp_path))  # began with these two
        counts = []
        for _ in range(3):
            socket.send_fds(ours, [b"x"], [file.fileno()])
            counts.append(ourselves.look().in_flight)
        ourselves.close()
    assert counts == [0, 1, 2]


def test_none_may_be_in_a_socket_that_a_process_made_for_itself(ourselves: WatchedProcess) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, open(os.devnull, "rb") as file:  # noqa: PTH123
        assert ourselves.look().in_flight == 0
        socket.send_fds(ours, [b"x"], [file.fileno()])
        assert ourselves.look().in_flight == 1


def test_a_file_in_memory_counts_once_as_memory_while_it_is_open(ourselves: WatchedProcess) -> None:
    before = ourselves.look().memory_bytes
    descriptor = in_memory(b"x" * 64 * MIB)
    again = os.dup(descriptor)
    during = ourselves.look().memory_bytes
    for each in (descriptor, again):
        os.close(each)
    assert 60 * MIB < during - before < 100 * MIB
    assert ourselves.look().memory_bytes - before < 40 * MIB


@pytest.mark.parametrize("told", [True, False], ids=["as root", "as an ordinary user"])
def test_a_file_in_memory_counts_while_a_page_of_it_is_mapped(
    ourselves: WatchedProcess, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    stat = os.stat

    def untold(name: Any, **more: Any) -> os.stat_result:
        if str(name).startswith("map_files/"):
            raise PermissionError
        return stat(name, **more)

    monkeypatch.setattr(process_module, "MOST_HANDED_OVER", 64 * MIB)
    if not told:
        monkeypatch.setattr(os, "stat", untold)
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    before = ourselves.look().memory_bytes
    descriptor = in_memory(b"x" * 64 * MIB)
    page = libc.mmap(None, 4096, mmap.PROT_READ, mmap.MAP_PRIVATE, descriptor, ctypes.c_long(0))
    os.close(descriptor)
    during = ourselves.look().memory_bytes
    libc.munmap(ctypes.c_void_p(page), 4096)
    assert 60 * MIB < during - before < 100 * MIB
    assert ourselves.look().memory_bytes - before < 40 * MIB


def test_a_process_that_dies_while_its_mappings_are_looked_at_is_gone(
    ourselves: WatchedProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def dead(*_: Any, **__: Any) -> os.stat_result:
        raise ProcessLookupError

    with tempfile.TemporaryFile(dir=tmp_path) as file:
        file.write(b"x")
        file.flush()
        mapped = mmap.mmap(file.fileno(), 1)
        monkeypatch.setattr(os, "stat", dead)
        with pytest.raises(GoneError):
            ourselves.look()
        monkeypatch.undo()
        mapped.close()


def test_a_process_that_is_gone_is_never_another_one() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = WatchedProcess(child.pid, scratch="/nowhere")
    assert process.look().threads == 1
    child.communicate(b"\n")
    with pytest.raises(GoneError):
        process.look()
    with pytest.raises(GoneError):
        process.cpu_s()
    process.close()


def test_a_zombie_is_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    process = WatchedProcess(child.pid, scratch="/nowhere")
    with pytest.raises(GoneError):
        process.look()
    process.close()
    child.wait()


def test_blocks_count_holes_do_not_and_each_name_counts_a_little(tmp_path: Path) -> None:
    (tmp_path / "full").write_bytes(b"x" * MIB)
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "empty").touch()
    os.link(tmp_path / "full", tmp_path / "again")
    (tmp_path / "link").symlink_to("/usr")
    assert tree_bytes(str(tmp_path), enough=1 << 40) == MIB + 5 * LEAST_BYTES


def test_counting_stops_where_it_is_enough(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / str(number)).touch()
    assert tree_bytes(str(tmp_path), enough=10 * LEAST_BYTES) == 11 * LEAST_BYTES


def test_what_cannot_be_counted_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path.joinpath(*(["d"] * (tree.MAX_DEPTH - 1)))
    deep.mkdir(parents=True)
    assert tree_bytes(str(tmp_path), enough=MIB) == (tree.MAX_DEPTH - 1) * LEAST_BYTES
    (deep / "d").mkdir()
    with pytest.raises(UnmeasurableError, match="more than 32 deep"):
        tree_bytes(str(tmp_path), enough=MIB)
    monkeypatch.setattr(tree, "MAX_ENTRIES", 5)
    with pytest.raises(UnmeasurableError, match="more than 5 files and directories"):
        tree_bytes(str(tmp_path), enough=MIB)


def test_a_table_of_mappings_that_takes_long_to_read_is_not_read_at_every_look(
    ourselves: WatchedProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ourselves.look().memory_bytes
    with mmap.mmap(-1, 300 * MIB):
        monkeypatch.setattr(process_module, "MAPS_SHARE", 1_000_000)
        assert ourselves.look().memory_bytes - before > 250 * MIB
    assert ourselves.look().memory_bytes - before > 250 * MIB, "it is what it was when it was last read"
