"""What a process uses, read in /proc, where it is itself the one who cannot lie.

    process = WatchedProcess(4711, scratch="/var/lib/assess/scratch/run-x/worker-y")
    process.look()    ->    Seen(memory_bytes=31_457_280, threads=3, cpu_s=0.4, descriptors=5, ...)

Every path begins at the open directory of the process: once it is reaped its files are gone, and another process that
gets its number is never looked at.

Memory is what is resident, with page tables and what was swapped out; of anonymous memory that is mapped as shared, all
of it: its pages stay allocated when a process gives them back one by one (MADV_DONTNEED), and are resident nowhere. So
is what it was handed as a file in memory, for as long as it keeps that open or mapped.
"""

import contextlib
import functools
import os
import re
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from assess_core.host.limits.tree import disk_bytes
from assess_plugin.wire import MAX_OUTPUT_BYTES

MAPS_EVERY = 5
"""Looks for each reading of the table of mappings, which takes longer than all else (measured, numpy's 460: 0.4 ms of
0.5), unless the size of what is mapped has changed."""

MAPS_SHARE = 5
"""A table that takes long to read - as a plugin can see to - is read again after so many times as long."""

FROM_US = 1
"""Descriptors that may be on their way to a worker, through the socket it began with: it asks one thing at a time.
Through any other it sends them to itself, where nobody counts what they are of, nor what is on its way in them."""

MOST_HANDED_OVER = MAX_OUTPUT_BYTES
"""Bytes of a file in memory that a worker has mapped and whose size nobody tells us."""

_KIB = 1024
_STATUS = re.compile(rb"^(VmSize|RssAnon|RssFile|RssShmem|VmSwap|VmPTE|HugetlbPages|Threads):\s+(\d+)", re.MULTILINE)
_PEAK = b"\nVmHWM:"
"""Looked for as it is, for it is looked for in calls. Of a process's own name the kernel escapes line breaks."""

_STOPPED = b"T"
"""Not `t`: whom somebody traces stands still now and then."""

_DELETED = re.compile(rb"^([0-9a-f]+)-([0-9a-f]+) ...(.) [0-9a-f]+ \S+ (\d+) +(/.*) \(deleted\)$", re.MULTILINE)
_ANONYMOUS = (b"/dev/zero", b"/SYSV", b"/anon_hugepage")
"""Names that the kernel gives to memory that is shared and has none (shmem_kernel_file_setup, hugetlb_file_setup)."""

_IN_MEMORY = b"/memfd:"
"""Of ours: a worker makes none."""

_IN_FLIGHT = re.compile(rb"^scm_fds:\s+(\d+)", re.MULTILINE)
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_STATUS_BYTES = 8192
_MAPS_BYTES = 64 << 20
"""A process has 65,530 mappings at most (vm.max_map_count), most of them with a line of some 100 bytes."""


class GoneError(Exception):
    """The process is dead."""


class UnwatchableError(Exception):
    """We may not look at the process; the message says at what, and why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A process at one moment.

    Attributes:
        cpu_s: since it was started, of all its threads, those that have ended too.
        unlinked_bytes: on disk, of files of its scratch directory that have no name any more and that it has open or
            mapped.
        unseen_files: how many more such files there are whose size nobody tells us.
        in_flight: how many descriptors it has sent to itself, each of a file, or of a socket with any number of them.
        stopped: it does nothing until somebody lets it go on (SIGSTOP, SIGTSTP).
    """

    memory_bytes: int
    threads: int
    cpu_s: float
    descriptors: int
    unlinked_bytes: int
    unseen_files: int
    in_flight: int
    stopped: bool


@dataclass(kw_only=True, slots=True)
class _Mapped:
    """What the table of mappings said when it was last read."""

    vm_size: int = -1
    looks: int = 0
    not_before: float = 0.0
    shared_kib: int = 0
    memory: dict[int, int] = field(default_factory=dict)
    """Bytes of files in memory, by inode: a mapping of one page keeps all of a file, whose descriptor may be closed."""
    unlinked: list[os.stat_result] = field(default_factory=list)
    unseen: set[int] = field(default_factory=set)
    """Inodes of those of which only root may know more, unless they are open, too."""


@dataclass(kw_only=True, slots=True)
class _Held:
    """What a process has open.

    Attributes:
        unlinked: files of its scratch directory without a name.
        memory: bytes of files in memory, by inode.
        in_flight: how many descriptors are on their way through its sockets that are not from us.
    """

    count: int = 0
    unlinked: list[os.stat_result] = field(default_factory=list)
    memory: dict[int, int] = field(default_factory=dict)
    in_flight: int = 0


class WatchedProcess:
    """A process of ours, and of its files those below `scratch`.

    Raises:
        OSError: /proc/PID cannot be opened.
    """

    def __init__(self, pid: int, *, scratch: str) -> None:
        self._scratch = scratch
        self._mapped = _Mapped()
        self._proc = os.open(f"/proc/{pid}", _DIRECTORY)
        self._stat = os.open("stat", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._proc)
        self._status = os.open("status", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._proc)
        self._channels = frozenset(self._sockets())

    @functools.cached_property
    def _inside(self) -> bytes:
        """How paths in its scratch directory begin. Asked of the disk, so not while somebody waits for the rest."""
        above, name = os.path.split(self._scratch)
        return os.fsencode(os.path.join(os.path.realpath(above), name)) + b"/"  # noqa: PTH118  as realpath

    def close(self) -> None:
        """Let go of it."""
        os.close(self._status)
        os.close(self._stat)
        os.close(self._proc)

    def look(self) -> Seen:
        """What it uses now.

        Raises:
            GoneError: it is dead.
            UnwatchableError: its files in /proc may not be read.
        """
        status = {name: int(value) for name, value in _STATUS.findall(self._status_now())}
        if b"RssAnon" not in status:
            raise GoneError  # a zombie has no memory
        mapped = self._mappings(status.pop(b"VmSize"))
        threads, shared = status.pop(b"Threads"), status.pop(b"RssShmem")
        held = self._descriptors()
        unlinked = held.unlinked
        state, cpu_s = self._stat_now()
        by_file = {(found.st_dev, found.st_ino): disk_bytes(found) for found in (*unlinked, *mapped.unlinked)}
        return Seen(
            memory_bytes=(sum(status.values()) + max(shared, mapped.shared_kib)) * _KIB
            + sum((mapped.memory | held.memory).values()),
            threads=threads,
            cpu_s=cpu_s,
            stopped=state == _STOPPED,
            descriptors=held.count,
            unlinked_bytes=sum(by_file.values()),
            unseen_files=len(mapped.unseen - {found.st_ino for found in unlinked}),
            in_flight=held.in_flight,
        )

    def cpu_s(self) -> float:
        """Processor time since it was started; asked in each call, and so of a descriptor that stays open."""
        return self._stat_now()[1]

    def is_stopped(self) -> bool:
        """Whether it does nothing until somebody lets it go on.

        Raises:
            GoneError: it is dead.
        """
        return self._stat_now()[0] == _STOPPED

    def peak_bytes(self) -> int:
        """The most that was resident at one time since it was started.

        Raises:
            GoneError: it is dead.
        """
        said = self._status_now()
        at = said.find(_PEAK)
        if at < 0:  # a zombie has no memory
            raise GoneError
        return int(said[at + len(_PEAK) : said.find(b"kB", at)]) * _KIB

    def _status_now(self) -> bytes:
        try:
            return os.pread(self._status, _STATUS_BYTES, 0)
        except ProcessLookupError as error:
            raise GoneError from error

    def _stat_now(self) -> tuple[bytes, float]:
        """Its state and its processor time (proc_pid_stat(5): state, utime, stime)."""
        try:
            said = os.pread(self._stat, _STATUS_BYTES, 0)
        except ProcessLookupError as error:
            raise GoneError from error
        fields = _fields(said)
        return fields[0], (int(fields[11]) + int(fields[12])) / _TICKS_PER_S

    # --- descriptors

    def _descriptors(self) -> _Held:
        held = _Held()
        sockets: dict[int, int] = {}
        with self._folder() as folder:
            for name in os.listdir(folder):  # noqa: PTH208  of a descriptor
                held.count += 1
                try:
                    found = os.stat(name, dir_fd=folder)
                    if stat.S_ISSOCK(found.st_mode):
                        sockets[found.st_ino] = self._in_flight(name)
                    elif stat.S_ISREG(found.st_mode) and not found.st_nlink:
                        path = os.fsencode(os.readlink(name, dir_fd=folder))
                        if path.startswith(self._inside):
                            held.unlinked.append(found)
                        elif path.startswith(_IN_MEMORY):
                            held.memory[found.st_ino] = disk_bytes(found)
                except FileNotFoundError:  # closed meanwhile
                    continue
                except PermissionError as error:
                    raise UnwatchableError(f"/proc/PID/fd/{name}: {error.strerror}") from error
        for number, in_flight in sockets.items():
            held.in_flight += max(0, in_flight - (FROM_US if number in self._channels else 0))
        return held

    def _sockets(self) -> Iterator[int]:
        """Those that are open now, of a process that has run nothing of a plugin."""
        with contextlib.suppress(GoneError, UnwatchableError), self._folder() as folder:
            for name in os.listdir(folder):  # noqa: PTH208  of a descriptor
                with contextlib.suppress(OSError):
                    found = os.stat(name, dir_fd=folder)
                    if stat.S_ISSOCK(found.st_mode):
                        yield found.st_ino

    @contextlib.contextmanager
    def _folder(self) -> Iterator[int]:
        folder = self._open("fd", _DIRECTORY)
        try:
            yield folder
        finally:
            os.close(folder)

    def _in_flight(self, name: str) -> int:
        """Descriptors that wait in a unix socket for somebody who receives them (Linux 5.6)."""
        match = _IN_FLIGHT.search(self._read(f"fdinfo/{name}", _STATUS_BYTES))
        return int(match[1]) if match else 0

    # --- mappings

    def _mappings(self, vm_size: int) -> _Mapped:
        self._mapped.looks += 1
        began = time.monotonic()
        due = self._mapped.vm_size != vm_size or self._mapped.looks >= MAPS_EVERY
        if due and began >= self._mapped.not_before:
            self._mapped = self._read_mappings(vm_size)
            self._mapped.not_before = time.monotonic() + MAPS_SHARE * (time.monotonic() - began)
        return self._mapped

    def _read_mappings(self, vm_size: int) -> _Mapped:
        mapped = _Mapped(vm_size=vm_size)
        text = self._read("maps", _MAPS_BYTES)
        if b" (deleted)\n" not in text:
            return mapped
        files: dict[int, str] = {}
        for first, end, kind, inode, path in _DELETED.findall(text):
            if kind == b"s" and path.startswith(_ANONYMOUS):
                mapped.shared_kib += (int(end, 16) - int(first, 16)) // _KIB
            elif path.startswith((self._inside, _IN_MEMORY)):
                files[int(inode)] = f"map_files/{int(first, 16):x}-{int(end, 16):x}"
                if path.startswith(_IN_MEMORY):
                    mapped.memory[int(inode)] = MOST_HANDED_OVER
        for number, name in files.items():
            self._size_up(mapped, number, name)
        return mapped

    def _size_up(self, mapped: _Mapped, number: int, name: str) -> None:
        in_memory = number in mapped.memory
        try:
            found = os.stat(name, dir_fd=self._proc)
        except FileNotFoundError:  # unmapped meanwhile
            mapped.memory.pop(number, None)
        except PermissionError:  # of these links, unlike those of descriptors, root alone may know where they lead
            if not in_memory:
                mapped.unseen.add(number)
        except ProcessLookupError as error:
            raise GoneError from error
        else:
            if in_memory:
                mapped.memory[number] = disk_bytes(found)
            else:
                mapped.unlinked.append(found)

    # --- files of the process

    def _read(self, name: str, size: int) -> bytes:
        descriptor = self._open(name, os.O_RDONLY | os.O_CLOEXEC)
        parts: list[bytes] = []
        try:
            while size > 0 and (part := os.read(descriptor, min(size, 1 << 16))):
                parts.append(part)
                size -= len(part)
        except ProcessLookupError as error:
            raise GoneError from error
        finally:
            os.close(descriptor)
        return b"".join(parts)

    def _open(self, name: str, flags: int) -> int:
        try:
            return os.open(name, flags, dir_fd=self._proc)
        except ProcessLookupError as error:
            raise GoneError from error
        except FileNotFoundError as error:
            if "/" in name:  # a descriptor, closed meanwhile
                raise
            raise GoneError from error
        except PermissionError as error:
            raise UnwatchableError(f"/proc/PID/{name}: {error.strerror}") from error


def is_halted(pid: int) -> bool:
    """Whether a child of ours, not reaped by us yet, does nothing until somebody lets it go on."""
    try:
        return _fields(Path(f"/proc/{pid}/stat").read_bytes())[0] == _STOPPED
    except OSError:  # somebody else in this process has waited for it
        return False


def _fields(stat: bytes) -> list[bytes]:
    """Of proc_pid_stat(5), from the state on: the name before it may hold anything."""
    return stat.rpartition(b")")[2].split()
