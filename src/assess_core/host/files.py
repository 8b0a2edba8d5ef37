"""Opening and looking at files on a plugin's behalf, without being led elsewhere.

A path is judged three times: as asked for, as the kernel resolved it - links lead out of a permitted folder as easily
as they lead in - and by what lies there. `O_PATH` resolves without opening, so that no device, pipe or socket is
touched before it is known to be a regular file; the descriptor, not the name, is then opened, so nothing can be swapped
in between.
"""

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from assess_plugin.permissions import Permissions, is_normal_path, leads_astray, not_normal, not_permitted

_PROCESS = re.compile(r"/proc/(?:(?:self|thread-self)/|([0-9]+)(?:/|$))")
_STATUS_BYTES = 4096


class DeniedError(Exception):
    """The manifest does not allow it; the message names the line that would."""


class ImproperError(Exception):
    """It is allowed, and cannot be done in principle."""


def open_file(path: str, permissions: Permissions) -> int:
    """A descriptor of the regular file at `path`, for reading.

    Raises:
        DeniedError: the path or where it leads to is not permitted.
        ImproperError: it is not an absolute normalised path of a regular file.
        OSError: the operating system refused.
    """
    found = _resolve(path, permissions.allows_read, "read", os.O_PATH)
    try:
        if not stat.S_ISREG(os.fstat(found).st_mode):
            raise ImproperError(f"{path} is not a regular file, and nothing else can be opened")
        return os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    finally:
        os.close(found)


def stat_path(path: str, permissions: Permissions) -> os.stat_result:
    """What `lstat` says of `path`.

    Raises:
        DeniedError, ImproperError, OSError: as for `open_file`, but of any type of file.
    """
    found = _resolve(path, permissions.allows_stat, "stat", os.O_PATH | os.O_NOFOLLOW)
    try:
        return os.fstat(found)
    finally:
        os.close(found)


def _resolve(path: str, allows: Callable[[str], bool], permission: Literal["read", "stat"], flags: int) -> int:
    if not is_normal_path(path):
        raise ImproperError(not_normal(path))
    if not allows(path):
        raise DeniedError(not_permitted(path, permission))
    found = os.open(path, flags | os.O_CLOEXEC)
    try:
        real = str(Path(f"/proc/self/fd/{found}").readlink())
        if _is_own(path) or _is_own(real):
            raise DeniedError(f"{path} is the runtime's own process, which no plugin is shown")
        if real != path and not allows(real):
            raise DeniedError(leads_astray(path, real, permission))
    except BaseException:
        os.close(found)
        raise
    return found


def _is_own(path: str) -> bool:
    """Whether it lies in, or was reached through, a process directory of the runtime, under any number it goes by.

    Each thread's id names such a directory as well - none that /proc lists - with the same environment and memory.
    """
    return any(match[1] is None or _is_own_thread(int(match[1])) for match in _PROCESS.finditer(path))


def _is_own_thread(number: int) -> bool:
    try:
        descriptor = os.open(f"/proc/{number}/status", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError):  # gone: then nothing can be read through what was opened, either
        return False
    try:
        return f"\nTgid:\t{os.getpid()}\n".encode() in os.read(descriptor, _STATUS_BYTES)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
