"""Files that are whole or absent, reads that are bounded, and locks that say who holds them.

A reader never sees half of what `atomic_write` writes, whatever kills the writer; a reader never takes more than it
said it would; a process that waits for another says for which.

    with file_lock(root / ".lock", timeout_s=10):
        atomic_write(root / "index.html", page)
"""

import contextlib
import errno
import fcntl
import os
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from assess_registry.errors import ConfigError, RegistryError
from assess_registry.text import escaped

_POLL_S = 0.02
"""Between two attempts at a lock: flock has no timeout of its own, and a signal would need the main thread."""

_MAX_HOLDER_BYTES = 200


class LockTimeoutError(RegistryError):
    """Another process kept a lock for longer than the caller would wait; trying again later may help.

    Attributes:
        path: the lock file.
        holder: what its holder wrote about itself, empty when unknown.
    """

    def __init__(self, path: Path, *, timeout_s: float, holder: str) -> None:
        super().__init__(
            f"{escaped(path)}: still locked by {escaped(holder) or 'another process'} after {timeout_s:g} s; "
            "wait for it to finish, or end it, and try again"
        )
        self.path = path
        self.holder = holder


def atomic_write(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """`path` holds exactly `data`, on disk, or what it held before; at no time anything else.

    A killed writer may leave a `.tmp-<random>` beside it, which nobody reads. A symbolic link at `path` is
    replaced, not followed. `mode` is set as given, whatever the umask.

    Raises:
        OSError: the directory is missing, full or not writable; `path` is unchanged.
    """
    temporary = path.with_name(f".tmp-{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            # Before the rename: some file systems order a rename in front of the data, and a crash then leaves zeros.
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """The names in this directory are on disk: what was created, renamed or removed in it stays so after a crash."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_bounded(path: Path, max_bytes: int) -> bytes:
    """The content of a regular file of at most `max_bytes` bytes; symbolic links are followed.

    Raises:
        ConfigError: it is larger, or no regular file; the path names the wrong thing.
        OSError: it is missing or may not be read.
    """
    # O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever; for a regular file it means nothing.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return read_open(descriptor, path, max_bytes)
    finally:
        os.close(descriptor)


def read_open(descriptor: int, path: Path, max_bytes: int) -> bytes:
    """The whole content of a regular file that is open; `path` is what it is called in messages.

    Raises:
        ConfigError: larger than `max_bytes`, or no regular file.
        OSError: it cannot be read.
    """
    status = require_regular(descriptor, path)
    # The size is only the first word: the file may grow while it is read, and files in /proc say 0.
    data = bytearray()
    while len(data) <= max_bytes and (chunk := os.read(descriptor, min(1 << 20, max_bytes + 1 - len(data)))):
        data += chunk
    if len(data) > max_bytes:
        raise ConfigError(f"{path}: expected at most {max_bytes} bytes, got {max(status.st_size, len(data))}")
    return bytes(data)


def require_regular(descriptor: int, path: Path) -> os.stat_result:
    """What is known of a file that is open, and a regular one; `path` is what it is called in messages.

    Raises:
        ConfigError: it is none.
    """
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(f"{path}: expected a regular file, got {_kind(status.st_mode)}")
    return status


@contextlib.contextmanager
def file_lock(path: Path, *, timeout_s: float, patient: bool = False) -> Iterator[None]:
    """Inside, no other process or thread is inside a lock of the same path; the kernel frees it when we die.

    The file stays: removing it would let two processes lock two files of one name. It is not reentrant. With a
    `timeout_s` of 0 it is tried once; whoever is `patient` counts the time since another one got in last, for in a
    long queue everybody's turn comes as long as somebody's does.

    Raises:
        LockTimeoutError: somebody else was inside for `timeout_s` seconds; the message says who.
        ConfigError: something else lies in its place.
        OSError: the file cannot be made or opened.
    """
    descriptor = _open_lock(path)
    try:
        _acquire(descriptor, path, timeout_s, patient=patient)
        os.truncate(descriptor, 0)
        try:
            os.pwrite(descriptor, f"process {os.getpid()}".encode(), 0)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            # Who holds it is for people; on a full disk it must be possible to lock what is to be removed.
        try:
            yield
        finally:
            os.truncate(descriptor, 0)
    finally:
        os.close(descriptor)  # frees the lock


def _open_lock(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    except OSError as error:
        kinds = {errno.ELOOP: "a symbolic link", errno.EISDIR: "a directory"}
        if error.errno not in kinds:
            raise
        raise _no_lock(path, kinds[error.errno]) from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise _no_lock(path, _kind(mode))
    return descriptor


def _no_lock(path: Path, kind: str) -> ConfigError:
    return ConfigError(f"{path}: expected a lock, which is a file of its own, got {kind}; find out who made it, and "
                       "remove it")  # fmt: skip


def _acquire(descriptor: int, path: Path, timeout_s: float, *, patient: bool) -> None:
    deadline, seen = time.monotonic() + timeout_s, ""
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, _MAX_HOLDER_BYTES, 0).decode("ascii", "replace")
            if patient and holder != seen:
                deadline, seen = time.monotonic() + timeout_s, holder
            if time.monotonic() >= deadline:
                raise LockTimeoutError(path, timeout_s=timeout_s, holder=holder) from error
            time.sleep(_POLL_S)
        else:
            return


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a directory", stat.S_IFIFO: "a FIFO"}
    return kinds.get(stat.S_IFMT(mode), "a device")
