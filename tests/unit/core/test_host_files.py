"""No plugin is shown the runtime's own process, by whatever number or name it is asked for."""

import ctypes
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from assess_core.host import files
from assess_core.host.files import open_file, stat_path
from assess_core.host.openat2 import UnknownCallError
from assess_core.host.refusals import DeniedError
from assess_core.host.rights import Rights
from assess_plugin.permissions import Permissions

AT_FDCWD, RENAME_EXCHANGE = -100, 2

PROC = Rights(permissions=Permissions(read=("/proc",)))


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


@pytest.mark.parametrize("entry", ["/proc/{pid}", "/proc/*/status", "/proc/{pid}/status", "/proc/*/task"])
def test_another_process_is_shown_to_an_entry_that_says_so(entry: str) -> None:
    other = os.getppid()
    rights = Rights(permissions=Permissions(read=(entry.format(pid=other),)))
    path = f"/proc/{other}/task/{other}/status" if "task" in entry else f"/proc/{other}/status"
    descriptor = open_file(path, rights)
    try:
        assert f"Pid:\t{other}\n".encode() in os.read(descriptor, 4096)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("entry", ["/", "/proc", "/proc/*", "/*/*/*"])
def test_another_process_is_not_shown_to_an_entry_above_it(entry: str) -> None:
    for look in (open_file, stat_path):
        with pytest.raises(DeniedError, match=r"no entry above it reaches: add \"/proc/[0-9]+/status\" to permissions"):
            look(f"/proc/{os.getppid()}/status", Rights(permissions=Permissions(read=(entry,))))


@pytest.mark.parametrize("entry", ["/proc/{pid}", "/proc/*/status"])
def test_what_the_runtime_has_started_is_shown_to_nobody(entry: str) -> None:
    """Another plugin's worker, for one."""
    with subprocess.Popen(["sh", "-c", "sleep 600 & echo $!; wait"], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        grandchild = int(child.stdout.readline())
        try:
            for pid in (child.pid, grandchild):
                rights = Rights(permissions=Permissions(read=(entry.format(pid=pid),)))
                with pytest.raises(DeniedError, match="the runtime's own process"):
                    open_file(f"/proc/{pid}/status", rights)
        finally:
            os.kill(grandchild, signal.SIGKILL)


def test_a_folder_of_that_number_elsewhere_is_shown(tmp_path: Path) -> None:
    file = tmp_path / str(os.getpid()) / "environ"
    file.parent.mkdir()
    file.write_text("no process")
    os.close(open_file(str(file), Rights(permissions=Permissions(read=(str(tmp_path),)))))
    assert stat_path(str(file), Rights(permissions=Permissions(read=(str(tmp_path),)))).st_size == len("no process")


def test_nothing_of_the_runtimes_own_is_shown_whatever_is_permitted(tmp_path: Path) -> None:
    private, shown = tmp_path / "state", tmp_path / "states"
    for place in (private, shown):
        place.mkdir()
        (place / "journal.db").write_text("results")
    (tmp_path / "way").symlink_to(private)
    rights = Rights(permissions=Permissions(read=("/",))).without(tmp_path / "way")
    for path in (private, private / "journal.db", tmp_path / "way" / "journal.db"):
        with pytest.raises(DeniedError, match=f"{path} is the runtime's own"):
            stat_path(str(path), rights)
    with pytest.raises(DeniedError, match="the runtime's own"):
        open_file(str(private / "journal.db"), rights)
    os.close(open_file(str(shown / "journal.db"), rights))


@pytest.mark.parametrize("has_openat2", [True, False])
def test_a_link_that_is_swapped_while_it_is_looked_at_leads_nobody_astray(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_openat2: bool
) -> None:
    """Whoever owns a permitted folder puts a link to a secret in the place of a file, thousands of times a second."""
    if not has_openat2:
        monkeypatch.setattr(files, "open_without_links", _unknown)
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for folder, text in ((inside / "folder", b"public"), (outside, b"secret")):
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(text)
    rights = Rights(permissions=Permissions(read=(str(inside),)))
    over = threading.Event()
    (inside / "link").symlink_to(outside)
    exchange = ctypes.CDLL(None).renameat2, os.fsencode(inside / "folder"), os.fsencode(inside / "link")

    def swap() -> None:
        call, one, other = exchange
        while not over.is_set():
            assert call(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE) == 0

    thread = threading.Thread(target=swap)
    thread.start()
    said: set[bytes] = set()
    try:
        for _ in range(1500):
            said.add(_read(str(inside / "folder" / "file"), rights))
    finally:
        over.set()
        thread.join()
    assert b"secret" not in said
    assert {b"public", b"DeniedError"} <= said, "the control: it was both, and was seen to be"


def _read(path: str, rights: Rights) -> bytes:
    try:
        descriptor = open_file(path, rights)
    except (DeniedError, OSError) as error:
        return type(error).__name__.encode()
    try:
        return os.read(descriptor, 10)
    finally:
        os.close(descriptor)


def _unknown(path: str, flags: int) -> int:
    raise UnknownCallError


def test_what_is_named_and_then_opened_is_led_astray(tmp_path: Path) -> None:
    """The control of the above: the same swap, seen by a look and an open that follows."""
    (tmp_path / "public").write_bytes(b"public")
    (tmp_path / "secret").write_bytes(b"secret")
    link = tmp_path / "link"
    link.symlink_to("public")
    judged = os.path.realpath(link)
    link.unlink()
    link.symlink_to("secret")
    assert (judged, link.read_bytes()) == (str(tmp_path / "public"), b"secret")


def test_links_that_go_round_are_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loop").symlink_to("loop")
    rights = Rights(permissions=Permissions(read=(str(tmp_path),)))
    for _ in range(2):
        with pytest.raises(OSError, match="Too many levels"):
            open_file(str(tmp_path / "loop"), rights)
        with pytest.raises(OSError, match="Too many levels"):
            open_file(str(tmp_path / "loop" / "file"), rights)
        assert stat_path(str(tmp_path / "loop"), rights).st_size == len("loop")
        monkeypatch.setattr(files, "open_without_links", _unknown)


def test_a_link_that_leads_out_is_refused_and_one_that_leads_nowhere_is_absent(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "there").touch()
    rights = Rights(permissions=Permissions(read=(str(inside),)))
    for name in ("there", "missing"):
        (inside / name).symlink_to(outside / name)
    with pytest.raises(DeniedError, match=f"leads to {outside}/there"):
        open_file(str(inside / "there"), rights)
    with pytest.raises(FileNotFoundError):
        open_file(str(inside / "missing"), rights)


def test_a_refusal_says_which_of_the_two_it_is(tmp_path: Path) -> None:
    rights = Rights(
        permissions=Permissions(read=("/etc/ssh",)),
        withheld_at=lambda table, asked: f"assess.toml: plugins[0].grant.{table}" if asked == "/etc/shadow" else None,
    )
    with pytest.raises(DeniedError, match=r'not permitted: add "/etc/gshadow" to permissions.read in assess-plugin'):
        open_file("/etc/gshadow", rights)
    with pytest.raises(DeniedError, match=r"asks for it: see assess.toml: plugins\[0\].grant.read"):
        open_file("/etc/shadow", rights)


@pytest.mark.parametrize("path", ["/proc/mounts", "/proc/net/dev", "/proc/net"])
@pytest.mark.parametrize("entry", ["{path}", "/proc"])
def test_what_is_of_the_machine_is_shown_through_the_kernels_link_to_the_reader(path: str, entry: str) -> None:
    rights = Rights(permissions=Permissions(read=(entry.format(path=path),)))
    stat_path(path, rights)
    if path != "/proc/net":
        with os.fdopen(open_file(path, rights), "rb") as file:
            assert file.read().splitlines()[0] == Path(path).read_bytes().splitlines()[0]
    own = path.replace("/proc/", "/proc/self/")
    with pytest.raises(DeniedError, match=f"own process.* name another by its number, as in {path[:6]}1/{path[6:]}"):
        open_file(own, PROC)
    with pytest.raises(DeniedError, match="is not permitted"):
        open_file(path, Rights(permissions=Permissions(read=("/proc/sys",))))


def test_nothing_else_of_the_reader_is_shown() -> None:
    for path in ("/proc/self/net/dev", "/proc/thread-self/mounts", "/proc/self/environ"):
        with pytest.raises(DeniedError, match="the runtime's own process"):
            open_file(path, PROC)
    os.close(open_file("/proc/net/dev", PROC))  # the control
