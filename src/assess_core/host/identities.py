"""Whose rights a worker gets: as root a user id that is nobody else's on this host, otherwise one's own.

    identity = lease()          # Identity(uid=61184, gid=61184)
    ...                         # the worker runs, ends, is reaped; its scratch directory is removed
    identity.release()

A user id is leased by locking a file of its number, which the kernel unlocks however we end. There is one directory
for the files of all runtimes of a host and no other place to fall back to: two runtimes that looked in two places
would one day give one id to two workers, who could then signal each other. The range is the one that systemd hands out
to services with `DynamicUser=`, so its lock files are taken as well, the way systemd takes them.

What cannot be leased: an id that an account has, one that our user namespace does not have, and one that still owns a
process - of a runtime that was killed, or of somebody who locks nothing.
"""

import contextlib
import errno
import fcntl
import functools
import grp
import os
import pwd
import secrets
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assess_core.errors import AssessError

UIDS = range(61184, 65520)
"""systemd's dynamic users (systemd.io/UIDS-GIDS), of which no distribution makes accounts."""

PLACE = Path("/run/assess/uids")
SYSTEMD = Path("/run/systemd/dynamic-uid")


class IdentityError(AssessError):
    """No user id can be had for a worker; the message says why and what to do."""


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class Identity:
    """The user and group of one worker.

    Attributes:
        own: it is this worker's alone, so that what counts for the user (`RLIMIT_NPROC`) counts for the worker.
    """

    uid: int
    gid: int
    own: bool = False
    _locks: list[tuple[int, Path | None]] = field(default_factory=list, repr=False)

    def release(self) -> None:
        """Anybody may lease it again. Not before its processes are reaped and its files gone; idempotent."""
        while self._locks:
            descriptor, remove = self._locks.pop()
            if remove is not None:
                with contextlib.suppress(FileNotFoundError):
                    remove.unlink()  # while it is locked, as systemd does: who waits for it looks for its name again
            # Said, not left to the closing: a process that we are just forking holds the same lock until it execs.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


def lease(*, place: Path = PLACE, systemd: Path = SYSTEMD, uids: Sequence[int] | None = None) -> Identity:
    """An identity that nobody has; our own user's when we are not root.

    Args:
        place: directory of the lock files, made when missing; one for all runtimes of the host.
        systemd: where systemd locks the same numbers; not there, nothing is to be locked.
        uids: those to choose from, the first that is free; if not given, `UIDS` from a random one on: from the first
            on, each of many leases would try all those before it, and get the id that was given back just now.

    Raises:
        IdentityError: all are taken, or nothing can be locked in `place`.
    """
    if os.geteuid() != 0:
        return Identity(uid=os.geteuid(), gid=os.getegid())
    if uids is None:
        begin = secrets.randbelow(len(UIDS))
        uids = [*UIDS[begin:], *UIDS[:begin]]
    directory = _open_place(place)
    try:
        for uid in uids:
            identity = Identity(uid=uid, gid=uid, own=True)
            if _is_mapped(uid) and _take(identity, directory, systemd):
                return identity
    except OSError as error:
        raise IdentityError(f"{place}: no user id can be locked for a worker: {error.strerror}") from error
    finally:
        os.close(directory)
    raise IdentityError(_none_left(uids, place))


def _take(identity: Identity, directory: int, systemd: Path) -> bool:
    taken, name = False, str(identity.uid)
    try:
        taken = _lock(identity, directory, name) and _lock_at_systemd(identity, systemd) and _is_free(identity.uid)
    finally:
        if not taken:
            identity.release()
    return taken


def _none_left(uids: Sequence[int], place: Path) -> str:
    span = f"{min(uids)} to {max(uids)}"
    if not any(map(_is_mapped, uids)):
        return (
            f"no user id is left for a worker: this container has none of {span} (/proc/self/uid_map, gid_map); "
            "map them, or run the runtime as a user other than root"
        )
    return (
        f"no user id is left for a worker: all of {span} are locked ({place}), an account's, or own processes; "
        "run fewer workers on this host"
    )


def _open_place(place: Path) -> int:
    try:
        place.parent.mkdir(mode=0o755, exist_ok=True)
        place.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise IdentityError(
            f"{place} cannot be used: {error.strerror}. Workers of root get a user id each, and all runtimes of a host "
            f"lock them there. Make {place.parent} writable (systemd: RuntimeDirectory={place.parent.name} and "
            f"RuntimeDirectoryPreserve=yes; a container: a tmpfs on {place.parent.parent})"
        ) from error
    for path, found in ((place.parent, place.parent.lstat()), (place, os.fstat(descriptor))):
        mode = stat.S_IMODE(found.st_mode)
        if found.st_uid != 0 or mode & (stat.S_IWGRP | stat.S_IWOTH):
            os.close(descriptor)
            raise IdentityError(
                f"{path} is writable for others than root (owner {found.st_uid}, mode {mode:o}); "
                "user ids of workers are locked there. Remove it; it is made again"
            )
    return descriptor


def _lock_at_systemd(identity: Identity, place: Path) -> bool:
    name = str(identity.uid)
    try:
        if (place.parent / "system").is_dir():  # sd_booted(3); it makes its directory with the first dynamic user
            place.mkdir(mode=0o755, exist_ok=True)
        directory = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # no systemd, or none whose directory we may make
        return True
    try:
        return _lock(identity, directory, name, remove=place / name)
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES):
            raise
        return not (place / name).exists()  # we see what it has taken, and cannot say what we take
    finally:
        os.close(directory)


def _lock(identity: Identity, directory: int, name: str, *, remove: Path | None = None) -> bool:
    while True:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(name, flags, 0o600, dir_fd=directory)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        if os.fstat(descriptor).st_nlink:
            identity._locks.append((descriptor, remove))  # noqa: SLF001  of this module
            return True
        os.close(descriptor)  # its last holder removed it between our two calls


def _is_free(uid: int) -> bool:
    try:
        os.getpriority(os.PRIO_USER, uid)
    except ProcessLookupError:
        return not _has_account(uid)
    return False


def forget_accounts() -> None:
    """Who has an account is asked anew: for whoever runs so long that some are made meanwhile."""
    _has_account.cache_clear()


@functools.cache
def _has_account(uid: int) -> bool:
    for known in (pwd.getpwuid, grp.getgrgid):
        with contextlib.suppress(KeyError):
            known(uid)
            return True
    return False


def _is_mapped(uid: int) -> bool:
    return all(any(uid in span for span in _spans(kind)) for kind in ("uid_map", "gid_map"))


@functools.cache
def _spans(kind: str) -> tuple[range, ...]:
    def spans() -> Iterator[range]:
        for line in Path("/proc/self", kind).read_text().splitlines():
            first, _, length = map(int, line.split())
            yield range(first, first + length)

    return tuple(spans())
