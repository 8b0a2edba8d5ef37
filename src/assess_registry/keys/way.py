"""The way to a file that says what is trusted: every directory and link on it is in the hands of this user or root.

Whoever may write to a directory may put another file in the place of one that is guarded. So the way is gone step by
step from the root of the file system, each step by the descriptor of the one before, and what is opened in the end is
read by the descriptor that was looked at: nothing can be exchanged in between. A directory that everybody may write to,
as `/tmp`, is no danger on the way where its sticky bit keeps others from renaming what is not theirs.

    read_guarded(Path("1.root.json"), 512_000)
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from assess_registry.files import read_open, require_regular
from assess_registry.keys.guard import is_guarded, refuse

_MAX_LINKS = 40
"""As Linux has it (path_resolution(7))."""

_STEP = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_END = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # O_NONBLOCK: a FIFO is refused, not waited for


def read_guarded(path: Path, max_bytes: int, *, step: str = "keys", decides: str = "which keys are trusted") -> bytes:
    """The whole file, which nobody but this user and root can have changed or exchanged.

    Args:
        path: of a regular file.
        max_bytes: that it may have.
        step: which refuses it.
        decides: what the file decides, for messages.

    Raises:
        TrustError: somebody else can.
        ConfigError: it is larger, or no regular file.
        OSError: it is not there or may not be read.
    """
    descriptor = _arrive(path, step, decides)
    try:
        require_regular(descriptor, path)  # first: of /dev/null or /tmp nobody is to be told to change the mode
        _require_guarded(descriptor, path, step, decides)
        return read_open(descriptor, path, max_bytes)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def open_guarded(path: Path, *, step: str = "keys", decides: str = "which keys are trusted") -> Iterator[int]:
    """Inside, the descriptor of a file or directory that nobody but this user and root can have exchanged.

    Raises:
        TrustError, OSError: as for `read_guarded`.
    """
    descriptor = _arrive(path, step, decides)
    try:
        _require_guarded(descriptor, path, step, decides)
        yield descriptor
    finally:
        os.close(descriptor)


def _arrive(path: Path, step: str, decides: str) -> int:
    """What lies at `path`, opened; directories and links on the way are guarded."""
    here, passed = os.open("/", _STEP | os.O_DIRECTORY), Path("/")
    ahead = list(reversed(path.absolute().parts[1:]))
    links = 0
    try:
        while True:
            _check_passed(os.fstat(here), passed, step, decides)
            name = ahead.pop() if ahead else "."
            status = os.stat(name, dir_fd=here, follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode):
                if not is_guarded(status):
                    refuse(status, passed / name, step=step, decides=decides)
                if (links := links + 1) > _MAX_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
                target = Path(os.readlink(name, dir_fd=here))
                ahead += reversed(target.parts[1:] if target.is_absolute() else target.parts)
                if target.is_absolute():
                    here, passed = _exchanged(here, os.open("/", _STEP | os.O_DIRECTORY)), Path("/")
            elif ahead:
                here, passed = _exchanged(here, os.open(name, _STEP | os.O_DIRECTORY, dir_fd=here)), passed / name
            else:
                return os.open(name, _END, dir_fd=here)
    except OSError as error:
        error.filename = str(path)  # all of it, not the part at which it failed
        raise
    finally:
        os.close(here)


def _exchanged(old: int, new: int) -> int:
    os.close(old)
    return new


def _require_guarded(descriptor: int, path: Path, step: str, decides: str) -> None:
    if not is_guarded(status := os.fstat(descriptor)):
        refuse(status, path, step=step, decides=decides)


def _check_passed(status: os.stat_result, path: Path, step: str, decides: str) -> None:
    sticky = status.st_mode & stat.S_ISVTX and status.st_uid in (os.geteuid(), 0)
    if not sticky and not is_guarded(status):
        refuse(status, path, step=step, decides=decides)
