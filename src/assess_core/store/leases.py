"""Who uses an environment holds a lease on it; what somebody has a lease on is not removed.

A lease is a shared lock (flock) on a small file of its own, `leases/<env key>`. The kernel lets it go when its process
dies, however that ends, so none is ever left over. Whoever removes an environment takes the same lock for himself
alone, and does not get it while anybody has a lease.

    with store.lease(installed):                it is there, and stays
        ...

Two rules keep both sides right: who has taken the lock looks again whether the file still bears its name (it may have
been removed in between, and another one made), and whether what it stands for is still there. A lease is taken by
opening the file for reading, so one made earlier can be leased on a file system that is mounted read-only.
"""

import contextlib
import errno
import fcntl
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from assess_core.errors import StoreError

LEASE_TIMEOUT_S = 30.0
"""For somebody who is just removing it: two renames, unless the disk hangs or that process was stopped."""

_POLL_S = 0.005
_READABLE = 0o644
"""Anybody who may read an environment may keep it: a shared store is used by others than its owner."""

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_UNWRITABLE = frozenset((errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT))
"""ENOENT: of its directory, which an older release did not make, or of the file where none is made."""

_log = logging.getLogger(__name__)


class Lease:
    """What it is on stays where it is until this is released; also a context manager.

    Attributes:
        path: the file that is locked.
    """

    def __init__(self, path: Path, descriptor: int | None) -> None:
        self.path = path
        self._descriptor = descriptor

    def release(self) -> None:
        """It may be removed, as far as this lease goes; releasing it again does nothing."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            # Closing alone does not let go of it while a process that is just being forked has a copy.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def __del__(self) -> None:
        if getattr(self, "_descriptor", None) is not None:
            self.release()


def take(path: Path, present: Callable[[], bool], *, make: bool = True) -> Lease | None:
    """A lease through this file, which is made if it is not there; None when what it stands for is not there.

    Where the file cannot or (`make`) shall not be made, there is no lock, and a warning: nobody can remove anything
    from what nobody may write to, and an older release, which makes no such files, prunes nothing.

    Raises:
        StoreError: somebody who is just removing it does not come to an end.
        OSError: the file cannot be opened.
    """
    deadline = time.monotonic() + LEASE_TIMEOUT_S
    while True:
        try:
            descriptor = _opened(path) if make else os.open(path, _FLAGS)
        except OSError as error:
            if error.errno not in _UNWRITABLE or os.path.lexists(path):
                raise
            _log.warning(
                "%s: %s; what it stands for is used without a lease",
                path,
                error.strerror,
                extra={"action": "lease-not-taken"},
            )
            return Lease(path, None) if present() else None
        lease = Lease(path, descriptor)
        while not _locked(descriptor, fcntl.LOCK_SH):
            if time.monotonic() > deadline:
                holder = holder_of(descriptor)
                lease.release()
                raise StoreError(
                    f"{path} is locked by {holder}, as if to remove what it stands for, for "
                    f"{LEASE_TIMEOUT_S:.0f} s: see whether an `assess` process hangs or was stopped; anybody who may "
                    "read that file can hold it"
                )
            time.sleep(_POLL_S)
        if _bears_its_name(descriptor, path):
            if present():
                return lease
            lease.release()
            return None
        lease.release()


def claim(path: Path) -> Lease | None:
    """The lock for oneself alone, to remove what it stands for; None while anybody has a lease.

    Under the store's lock only: nobody else removes meanwhile, so the file bears its name.

    Raises:
        OSError: the file cannot be made.
    """
    descriptor = _opened(path)
    lease = Lease(path, descriptor)
    if _locked(descriptor, fcntl.LOCK_EX):
        return lease
    lease.release()
    return None


def is_free(path: Path) -> bool:
    """Whether nobody has a lease at this moment; changes nothing.

    Raises:
        OSError: the file cannot be opened.
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except FileNotFoundError:
        return True
    with Lease(path, descriptor):
        return _locked(descriptor, fcntl.LOCK_EX)


def _opened(path: Path) -> int:
    try:
        return os.open(path, _FLAGS)  # first as it is: on a read-only file system O_CREAT alone is refused
    except FileNotFoundError:
        return os.open(path, _FLAGS | os.O_CREAT, _READABLE)


def _locked(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def holder_of(descriptor: int) -> str:
    """Who has a lock on it for himself alone, as far as the kernel says (proc_locks(5))."""
    status = os.fstat(descriptor)
    at = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    with contextlib.suppress(OSError):  # no /proc, or the process is gone
        with open("/proc/locks", encoding="ascii", errors="replace") as file:  # noqa: PTH123  no file on a disk
            lines = (line.split() for line in file)
            found = next(
                (each[4] for each in lines if each[1] == "FLOCK" and each[3:4] == ["WRITE"] and at in each), ""
            )
        if found:
            return f"process {found} of uid {os.stat(f'/proc/{found}').st_uid}"  # noqa: PTH116
    return "a process that is not to be seen from here"


def _bears_its_name(descriptor: int, path: Path) -> bool:
    try:
        named = path.lstat()
    except FileNotFoundError:
        return False
    return os.path.samestat(named, os.fstat(descriptor))
