"""Scratch directories: one for each worker, below one for each runtime, and none for runtimes that are gone.

scratch = Scratch(state / "scratch")        # sweeps what runtimes that were killed have left there
directory = make_scratch(scratch.directory)
remove_scratch(directory)
scratch.remove()
"""

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assess_core.host.identities import Identity


class Scratch:
    """A directory of this process's own, in which its workers get theirs; what killed processes left is removed.

    Each directory is locked by the process it belongs to for as long as that lives - the kernel drops the lock however
    it ends - and the one above while anybody looks for unlocked ones or makes one, so that a new directory is never
    taken for an abandoned one.
    """

    def __init__(self, top: Path) -> None:
        top.mkdir(mode=0o700, exist_ok=True)
        looking = _open_directory(top)
        try:
            fcntl.flock(looking, fcntl.LOCK_EX)
            for left in top.iterdir():
                _remove_if_abandoned(left)
            self.directory = Path(tempfile.mkdtemp(prefix="run-", dir=top))
            self._lock = _open_directory(self.directory)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(looking)

    def remove(self) -> None:
        """The directory is gone."""
        try:
            remove_scratch(self.directory)
        finally:
            os.close(self._lock)


def make_scratch(root: Path, owner: Identity | None = None) -> Path:
    """A new directory, for one worker and nobody else (mode 0700); `owner` is the worker's, where it has its own."""
    made = Path(tempfile.mkdtemp(prefix="worker-", dir=root))
    if owner is not None and owner.own:
        os.chown(made, owner.uid, owner.gid)
    return made


def remove_scratch(scratch: Path) -> None:
    """The directory is gone, also when the plugin made parts of it unwritable."""
    shutil.rmtree(scratch, onerror=_make_removable)


def _open_directory(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _remove_if_abandoned(path: Path) -> None:
    try:
        descriptor = _open_directory(path)
    except OSError:  # gone since, or nothing that we made
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # its process lives
    else:
        remove_scratch(path)
    finally:
        os.close(descriptor)


def _make_removable(function: Callable[..., Any], path: str, error: Any) -> None:
    if isinstance(error[1], FileNotFoundError):
        return
    parent = Path(path).parent
    parent.chmod(stat.S_IRWXU)
    if not Path(path).is_symlink():
        Path(path).chmod(stat.S_IRWXU)
    if function in (os.rmdir, os.unlink):
        function(path)
    else:
        shutil.rmtree(path)
