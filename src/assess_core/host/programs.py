"""Which file a command's first word means, and that nobody but root and this user decides what lies there.

A command runs with the runtime's rights. A program that somebody else may write, or put another one in the place of, is
theirs to choose; it is refused, whatever the manifest permits.
"""

import os
import shutil
import stat
from pathlib import Path

from assess_core.host.refusals import ImproperError
from assess_plugin.wire import COMMAND_PATH

_STICKY_DIRECTORY = stat.S_ISVTX | stat.S_IFDIR


def find_program(name: str) -> str:
    """The absolute path of a program named by path, or by a bare name on `COMMAND_PATH`.

    Raises:
        ImproperError: there is none, or others can change it.
    """
    if "/" in name:
        program = name if name.startswith("/") and os.access(name, os.X_OK) else None
    else:
        program = shutil.which(name, path=COMMAND_PATH)
    if program is None or not Path(program).is_file():
        raise ImproperError(f"command {name!r} is not installed on this host")
    changeable = _changeable(program) or _changeable(os.path.realpath(program))
    if changeable:
        raise ImproperError(
            f"command {name!r} is {program}, and others can change what that is: {changeable}; it is run for nobody"
        )
    return program


def _changeable(program: str) -> str:
    """What on the way to it is somebody else's, and how; empty when nothing is."""
    path = Path(program)
    for place in (path, *path.parents):
        status = place.lstat()
        if status.st_uid not in (0, os.geteuid()):
            return f"{place} belongs to uid {status.st_uid}"
        if stat.S_ISLNK(status.st_mode):
            continue
        mode = status.st_mode
        if mode & _STICKY_DIRECTORY == _STICKY_DIRECTORY:  # others may add to it, and move nothing of ours
            continue
        if mode & stat.S_IWOTH or (mode & stat.S_IWGRP and status.st_gid not in (0, os.getegid())):
            return f"{place} has mode {stat.S_IMODE(mode):04o}"
    return ""
