"""A directory put into its place as a whole: a reader sees the old one or the new one, whatever kills the writer.

Renaming replaces a file atomically but no directory that has something in it. Linux exchanges two directories in one
step (renameat2 with RENAME_EXCHANGE), which Python does not offer; hence ctypes. On a file system that cannot exchange,
the old one is moved aside first: killed just then, nothing is in its place until the same install is run again.
"""

import ctypes
import errno
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from assess_registry.files import sync_directory
from assess_registry.folder import STAGING
from assess_registry.simple.earlier import remove

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # linux/fs.h
_CANNOT = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)


def put(place: Path, files: Mapping[str, bytes]) -> None:
    """`place` is a directory of exactly these files, on disk, or what it was before.

    For the holder of the folder's lock.

    Raises:
        OSError: no room, or no right; `place` is unchanged.
    """
    staged = place.with_name(f"{STAGING}{secrets.token_hex(8)}")
    try:
        staged.mkdir(mode=0o755)
        for name, data in files.items():
            _write(staged / name, data)
        # Names and contents before the rename that makes them count: some file systems would order it the other way.
        sync_directory(staged)
        _move(staged, place)
        sync_directory(place.parent)
    finally:
        remove(staged)  # the old one after an exchange; what is left is swept next time


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fchmod(descriptor, 0o644)  # whatever the umask: a runtime under another user reads it
        os.fsync(descriptor)


def _move(staged: Path, place: Path) -> None:
    try:
        staged.rename(place)  # where nothing is yet
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        if not exchange(staged, place):
            aside = place.with_name(f"{STAGING}{secrets.token_hex(8)}")
            place.rename(aside)
            staged.rename(place)
            remove(aside)


def exchange(one: Path, other: Path) -> bool:
    """Each is where the other was; False when this system or file system cannot do that in one step.

    Raises:
        OSError: it could, and failed.
    """
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is None:
        return False
    if function(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT:
        return False
    raise OSError(number, os.strerror(number), str(one), None, str(other))
