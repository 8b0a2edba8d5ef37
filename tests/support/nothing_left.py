"""Whether anything is left of runtimes that have ended: processes, locks, scratch directories, half-built things.

    with adopting() as adopted:      # whatever our descendants leave behind becomes our child, and nobody else's
        ...                          # runtimes start, are killed, end
    assert not left_of(state)

A process that lost its parent goes to the nearest ancestor that asked for it (PR_SET_CHILD_SUBREAPER), which is more
than to look for it in /proc: it cannot have changed its name, its directory or its environment to get away.
"""

import contextlib
import ctypes
import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_SET_CHILD_SUBREAPER = 36

WAIT_S = 10.0
"""A killed parent's children are killed by the kernel, which takes its time on a busy machine."""


@dataclass(kw_only=True, slots=True)
class Adopted:
    """Processes that came to us, by name; `ended` were dead by the time we looked or shortly after."""

    ended: list[str] = field(default_factory=list)
    alive: list[str] = field(default_factory=list)


@contextlib.contextmanager
def adopting(wait_s: float = WAIT_S) -> Iterator[Adopted]:
    """Orphans among our descendants become our children; at the end all are reaped, and those that lived are killed.

    The children that this process had before, or that somebody still waits for, have to be gone by the end.
    """
    adopted = Adopted()
    before = set(children_of(os.getpid()))
    _subreaper(on=True)
    try:
        yield adopted
        deadline = time.monotonic() + wait_s
        while (found := _others(before)) and time.monotonic() < deadline:
            adopted.ended += [name for pid, name in found.items() if _reaped(pid)]
            time.sleep(0.02)
        adopted.alive = [f"{pid} {name}" for pid, name in found.items()]
    finally:
        _subreaper(on=False)
        for pid in _others(before):
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, 9)
                os.waitpid(pid, 0)


def left_of(state: Path) -> list[str]:
    """What a runtime on this state directory left: each a line that says what, none when nothing is."""
    return [*_processes(state), *_locks(state), *_directories(state)]


def descriptors(pid: int | str = "self") -> dict[str, int]:
    """What a process has open: its target and how often; pipes and sockets by kind, as their numbers say nothing."""
    found: dict[str, int] = {}
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(entry)  # noqa: PTH115  no path: `pipe:[1]`
        except FileNotFoundError:
            continue  # the one we look through
        kind = target.partition(":[")[0]
        found[kind] = found.get(kind, 0) + 1
    return found


def children_of(pid: int) -> list[int]:
    """Of all its threads; unreaped ones count."""
    found: list[int] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def name_of(pid: int) -> str:
    """Its command line, or its name in brackets; nothing when it is gone."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        return command or f"[{Path(f'/proc/{pid}/comm').read_text().strip()}]"
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _subreaper(*, on: bool) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_SET_CHILD_SUBREAPER, ctypes.c_ulong(on), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def _others(before: set[int]) -> dict[int, str]:
    return {pid: name_of(pid) for pid in children_of(os.getpid()) if pid not in before}


def _reaped(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False


def _processes(state: Path) -> Iterator[str]:
    """Those that name the state directory, work in it, or have a file of it open."""
    wanted = os.fsencode(state)
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            texts = [(entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()]
            links = [entry / "cwd", *(entry / "fd").iterdir()]
            if any(wanted in text for text in texts) or any(_leads_below(link, wanted) for link in links):
                yield f"process {entry.name}: {name_of(int(entry.name))}"


def _leads_below(link: Path, wanted: bytes) -> bool:
    try:
        return os.fsencode(link.readlink()).startswith(wanted + b"/")
    except OSError:
        return False


def _locks(state: Path) -> Iterator[str]:
    """Files of the state directory that somebody holds locked; what wheels and environments consist of is not locked.

    User ids are locked by descriptors, which go with their processes; a runtime that goes on is asked for those.
    """
    for path in [state, *_outside(state, ("wheels", "envs"))]:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield f"lock: {path.relative_to(state)}"
        finally:
            os.close(descriptor)


def _directories(state: Path) -> Iterator[str]:
    for place in ("scratch", "staging"):
        if (state / place).is_dir():
            for path in (state / place).iterdir():
                yield f"{place}: {path.name}"


def _outside(state: Path, beside: tuple[str, ...]) -> Iterator[Path]:
    for path in state.iterdir():
        if path.name not in beside:
            yield path
            if path.is_dir() and not path.is_symlink():
                yield from path.rglob("*")
