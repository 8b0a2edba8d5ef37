"""Opening and looking at files on a plugin's behalf, without being led elsewhere.

1. The path that was asked for is judged. 2. Where its links lead is found out, by reading them, and judged. 3. That is
opened by a call that follows no link: whatever somebody puts in its way now, nothing but what was judged is opened.
`O_PATH` opens without touching, so that no device, pipe or socket is bothered before it is known to be a regular file;
the descriptor, not the name, is then opened for reading. 4. Where it lies is judged by what never is granted.

What the kernel writes as it is read - /proc, /sys - is read here and handed on as a copy: there the kernel asks who
reads, not who has opened, and a descriptor would tell the plugin of what comes after its call, too.

    open_file("/etc/os-release", Rights(permissions=Permissions(read=("/etc/os-release", "/usr/lib/os-release"))))
"""

import errno
import os
import re
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from assess_core.host.memory import in_memory
from assess_core.host.openat2 import UnknownCallError, open_without_links
from assess_core.host.refusals import DeniedError, ImproperError
from assess_core.host.rights import Rights
from assess_plugin.permissions import Permissions, is_normal_path, leads_astray, not_normal, not_permitted
from assess_plugin.wire import READ_SIZE

MAX_LOOKS = 8
"""How often a path whose links change under our eyes is looked at again."""

MAX_KERNEL_FILE = 8 << 20
"""Bytes of a file of the kernel's that are copied; a longer one is refused."""

_KERNELS = ("/proc/", "/sys/")
_PROCESS = re.compile(r"/proc/(self|thread-self|[0-9]+)(?=/|\Z)")
_WHOEVER = re.compile(r"\A/proc/(self|thread-self)/")
_MACHINES = re.compile(r"/proc/(mounts\Z|net(/|\Z))")
_STATUS_BYTES = 4096
_MAX_ANCESTORS = 32


class _MovedError(Exception):
    """A link appeared where none was when it was judged."""


def open_file(path: str, rights: Rights) -> int:
    """A descriptor of the regular file at `path`, for reading.

    Raises:
        DeniedError: the path or where it leads to is not permitted.
        ImproperError: it is not an absolute normalised path of a regular file.
        OSError: the operating system refused.
    """
    found = _resolve(path, rights, "read", follow=True)
    try:
        if not stat.S_ISREG(os.fstat(found).st_mode):
            raise ImproperError(f"{path} is not a regular file, and nothing else can be opened")
        name = f"/proc/self/fd/{found}"
        opened = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        return _copy(opened, path) if str(Path(name).readlink()).startswith(_KERNELS) else opened
    finally:
        os.close(found)


def stat_path(path: str, rights: Rights) -> os.stat_result:
    """What `lstat` says of `path`.

    Raises:
        DeniedError, ImproperError, OSError: as for `open_file`, but of any type of file.
    """
    found = _resolve(path, rights, "stat", follow=False)
    try:
        return os.fstat(found)
    finally:
        os.close(found)


def _copy(descriptor: int, path: str) -> int:
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        data = bytearray()
        while part := file.read(READ_SIZE):  # in one piece of megabytes, sysctl has no memory for it
            data += part
            if len(data) > MAX_KERNEL_FILE:
                raise ImproperError(f"{path} has more than {MAX_KERNEL_FILE} bytes, which is too much to hand on")
    return in_memory(bytes(data))


def _resolve(path: str, rights: Rights, table: Literal["read", "stat"], *, follow: bool) -> int:
    if not is_normal_path(path):
        raise ImproperError(not_normal(path))
    permits = _reading if table == "read" else _looking
    if why := rights.refusal(table, path, permits(path)):  # 1
        raise DeniedError(why, rights.noted(table, path))
    _refuse_hidden(path, path, rights, table)
    for _ in range(MAX_LOOKS):
        real = _real(path, follow=follow)  # 2
        if real != path and not _is_of_machine(path, real):
            if why := rights.refusal(table, real, permits(real)):
                os.lstat(real)
                astray = why == not_permitted(real, table)
                told = leads_astray(path, real, table) if astray else f"{path} leads to {real}: {why}"
                raise DeniedError(told, rights.noted(table, real))
            _refuse_hidden(path, real, rights, table)
        try:
            return _open_there(real, follow=follow)  # 3
        except _MovedError:
            continue
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)


def _reading(path: str) -> Callable[[Permissions], bool]:
    return lambda permissions: permissions.allows_read(path)


def _looking(path: str) -> Callable[[Permissions], bool]:
    return lambda permissions: permissions.allows_stat(path)


def _real(path: str, *, follow: bool) -> str:
    """Where the path leads, links read and not followed."""
    if follow:
        return os.path.realpath(path)
    folder, name = os.path.split(path)
    return os.path.join(os.path.realpath(folder), name)  # noqa: PTH118  of text


def _open_there(real: str, *, follow: bool) -> int:
    flags = os.O_PATH if follow else os.O_PATH | os.O_NOFOLLOW
    try:
        found = open_without_links(real, flags)
    except UnknownCallError:
        found = _open_and_look(real, follow=follow)
    except OSError as error:
        if error.errno == errno.ELOOP and not _is_loop(real):
            raise _MovedError from error
        raise
    return found


def _open_and_look(real: str, *, follow: bool) -> int:
    """The same for a kernel without `openat2`: what was opened says by which name it goes."""
    found = os.open(real, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if follow and stat.S_ISLNK(os.fstat(found).st_mode):
            if _is_loop(real):
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), real)
            raise _MovedError
        if str(Path(f"/proc/self/fd/{found}").readlink()) != real:
            raise _MovedError
    except BaseException:
        os.close(found)
        raise
    return found


def _is_loop(path: str) -> bool:
    try:
        os.stat(path)  # noqa: PTH116  of text
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


# --- what no entry reaches


def _refuse_hidden(path: str, real: str, rights: Rights, table: Literal["read", "stat"]) -> None:
    entries = (*rights.permissions.read, *(rights.permissions.stat if table == "stat" else ()))
    for process in _PROCESS.finditer(real):
        if not process[1].isdigit() or _is_of_runtime(int(process[1])):
            raise DeniedError(f"{path} is the runtime's own process, which no plugin is shown{_another(path)}")
        if not any(_names_processes(entry, real, process.start(1)) for entry in entries):
            raise DeniedError(
                f"{path} belongs to a process, which no entry above it reaches: "
                f"{not_permitted(real, table).rpartition(': ')[2]}"
            )
    for private in map(str, rights.private):
        if real == private or real.startswith(f"{private}/"):
            raise DeniedError(f"{path} is the runtime's own, which no plugin is shown")


def _is_of_machine(path: str, real: str) -> bool:
    """Whether the kernel leads the reader to its own directory there, and yet to nothing that is its own.

    What is mounted, and the network's tables, are those of all processes that have the runtime's namespaces, as the
    commands have that it runs. proc(5) has both as links to `self`.
    """
    return bool(_MACHINES.match(path)) and real == f"/proc/{os.getpid()}/{path.removeprefix('/proc/')}"


def _another(path: str) -> str:
    """What to name in place of a process that is whoever asks."""
    named = _WHOEVER.sub("/proc/1/", path)
    return f": name another by its number, as in {named}" if named != path else ""


def _names_processes(entry: str, real: str, start: int) -> bool:
    """Whether the entry says by itself that it is about processes: `/proc/1`, `/proc/*/status`, and not `/proc/*`."""
    if not entry.startswith(real[:start]) or not Permissions(stat=(entry,)).allows_stat(real):
        return False
    process, _, within = entry[start:].partition("/")
    return bool(process.isdigit() or within)


def _is_of_runtime(number: int) -> bool:
    """Whether it is this process, under any number it goes by, or one that it has started, or that those have.

    Each thread's id names a process directory as well - none that /proc lists - with the same environment and memory.
    """
    own = os.getpid()
    for _ in range(_MAX_ANCESTORS):
        status = _status(number)
        if status is None:  # gone: then nothing can be read through what was opened, either
            return False
        if status[0] == own:
            return True
        number = status[1]
        if number <= 1:
            return False
    return True


def _status(number: int) -> Sequence[int] | None:
    """The process that this thread belongs to, and its parent."""
    try:
        descriptor = os.open(f"/proc/{number}/status", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError):
        return None
    try:
        text = os.read(descriptor, _STATUS_BYTES)
    except ProcessLookupError:
        return None
    finally:
        os.close(descriptor)
    fields = dict(line.split(b":\t", 1) for line in text.splitlines() if b":\t" in line)
    return int(fields[b"Tgid"]), int(fields[b"PPid"])
