"""Opening and looking at files on a plugin's behalf, without being led elsewhere.

A path is judged three times: as asked for, as the kernel resolved it - links lead out of a permitted folder as easily
as they lead in - and by what lies there. `O_PATH` resolves without opening, so that no device, pipe or socket is
touched before it is known to be a regular file; the descriptor, not the name, is then opened, so nothing can be swapped
in between.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from assess_plugin.permissions import Permissions, is_normal_path, leads_astray, not_normal, not_permitted


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
        if real == f"/proc/{os.getpid()}" or real.startswith(f"/proc/{os.getpid()}/"):
            raise DeniedError(f"{path} is the runtime's own process, which no plugin is shown")
        if real != path and not allows(real):
            raise DeniedError(leads_astray(path, real, permission))
    except BaseException:
        os.close(found)
        raise
    return found
