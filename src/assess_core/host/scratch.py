"""Scratch directories: one for each worker, below one for each runtime, and none for runtimes that are gone.

scratch = Scratch(state / "scratch")        # sweeps what runtimes that were killed have left there
directory = make_scratch(scratch.directory)
remove_scratch(directory)
scratch.remove()
"""

import contextlib
import errno
import fcntl
import itertools
import logging
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from assess_core.errors import StoreError
from assess_core.host.escapees import Mark, kill_escapees
from assess_core.host.folders import open_folder
from assess_core.host.identities import Identity
from assess_core.store.leases import holder_of

logger = logging.getLogger(__name__)

LOCK_S = 60.0
"""For somebody who is looking just now, which takes milliseconds, unless the disk hangs or that process was stopped."""

_POLL_S = 0.005
_NOBODYS = -1
"""No session has this number: that of a worker whose runtime is gone may be anyone else's by now."""

_ROUNDS = 1_000_000
"""One for each level of depth."""

_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)


class Scratch:
    """A directory of this process's own, in which its workers get theirs; what killed processes left is removed.

    Each directory is locked by the process it belongs to for as long as that lives - the kernel drops the lock however
    it ends - and the one above while anybody looks for unlocked ones or makes one, so that a new directory is never
    taken for an abandoned one. An abandoned one is locked by who removes it, which may take long, and waited for by
    nobody.

    Raises:
        StoreError: somebody who is just looking does not come to an end.
    """

    def __init__(self, top: Path) -> None:
        top = Path(os.path.abspath(top))  # noqa: PTH100  as it is in the environment of workers: nothing is resolved
        top.mkdir(mode=0o700, exist_ok=True)
        with contextlib.ExitStack() as stack:
            with _looking(top):
                left = [each for each in sorted(top.iterdir()) if _taken(each, stack)]
                self.directory = Path(tempfile.mkdtemp(prefix="run-", dir=top))
                self._lock = _open_directory(self.directory)
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if left:
                _sweep(left)

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
    """The directory is gone, however deep it was and whatever the plugin did with the modes in it.

    What stands in a directory below it is lifted to its top before that directory is removed. So nothing here grows
    with the depth, neither a stack nor the descriptors in use: `shutil.rmtree` gives up at a depth of some 1,000.

    Raises:
        OSError: somebody keeps filling it, or the disk fails.
    """
    try:
        top = open_folder(scratch)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        os.fchmod(top, stat.S_IRWXU)
        lifted = itertools.count()
        for _ in range(_ROUNDS):
            names = os.listdir(top)  # noqa: PTH208  of a descriptor
            if not names:
                break
            for name in names:
                _remove(name, top, lifted)
    finally:
        os.close(top)
    scratch.rmdir()


def _remove(name: str, top: int, lifted: Iterator[int]) -> None:
    if _unlink(name, top):
        return
    folder = open_folder(name, top)
    try:
        os.fchmod(folder, stat.S_IRWXU)
        for inner in os.listdir(folder):  # noqa: PTH208  of a descriptor
            if not _unlink(inner, folder):
                _lift(inner, folder, top, lifted)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=top)


def _unlink(name: str, folder: int) -> bool:
    """Whether that was no directory."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        pass
    except (IsADirectoryError, PermissionError):
        if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            return False
        raise
    return True


def _lift(name: str, folder: int, top: int, lifted: Iterator[int]) -> None:
    inner = open_folder(name, folder)
    try:
        os.fchmod(inner, stat.S_IRWXU)  # moved elsewhere, its `..` is written
    finally:
        os.close(inner)
    while True:
        try:
            os.rename(name, f"{next(lifted):x}", src_dir_fd=folder, dst_dir_fd=top)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
        else:
            return


def _open_directory(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


@contextlib.contextmanager
def _looking(top: Path) -> Iterator[None]:
    """Inside, nobody else looks for what was abandoned, or makes a directory."""
    descriptor, deadline = _open_directory(top), time.monotonic() + LOCK_S
    try:
        while not _locked(descriptor):
            if time.monotonic() > deadline:
                raise StoreError(
                    f"{top} is locked by {holder_of(descriptor)} for {LOCK_S:g} s: see whether an `assess` process "
                    "hangs or was stopped"
                )
            time.sleep(_POLL_S)
        yield
    finally:
        os.close(descriptor)


def _taken(path: Path, stack: contextlib.ExitStack) -> bool:
    """Whether its process lives no more, and nobody else removes it; it is ours until the stack is closed."""
    try:
        descriptor = _open_directory(path)
    except OSError:  # gone since, or nothing that we made
        return False
    stack.callback(os.close, descriptor)
    return _locked(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _below(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except OSError:  # removed by another one while we waited, or the disk fails
        return []


def _sweep(left: list[Path]) -> None:
    """These are gone, and the processes that were let out of their session, which did not end with their runtime.

    Those are known by their environment alone: in one of these directories somebody may just be looking around.
    """
    marks = [Mark(session=_NOBODYS, variable=f"TMPDIR={worker}") for each in left for worker in _below(each)]
    if escaped := sum(kill_escapees(marks)):
        logger.warning(
            "Killed %d processes that plugins of a runtime that was killed had let out of their session.",
            escaped,
            extra={"action": "escapees-killed"},
        )
    for each in left:
        try:
            remove_scratch(each)
        except OSError as error:  # the next one tries again; what runs now does not need it
            logger.warning("%s could not be removed: %s", each, error, extra={"action": "scratch-left"})
