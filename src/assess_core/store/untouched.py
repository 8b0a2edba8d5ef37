"""Whether a tree that was built here is still as it was built; cheap enough to be asked before each use.

Beside each tree lie two files, for this user alone:

    <tree>.contents   what is in it: path, kind, and sha256 or target of a link; written once, when it was built
    <tree>.stat       one digest of what the kernel says of all of it, when its contents were last known to be right

As long as the kernel says the same - size, times, inode, mode, owner of every file, and no file more or less - nothing
is read. The time of the last change of an inode is among it, which no program can set: an edit that puts size and time
of modification back is seen. But it also changes when another environment links the file, and inodes do when the state
directory is copied to another disk. So what the kernel says never condemns a tree: then every file is hashed and
compared with the contents, and if all are right the digest is renewed.

This finds damage, and what a plugin did to its own files or, through a hard link, to another's. It proves nothing
against who rewrites these two files, too: that does `verify_environment`, from the publisher's signature.
"""

import hashlib
import json
import logging
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from assess_core.store.differences import Difference
from assess_core.store.disk import parents_of
from assess_core.store.jsontext import json_of
from assess_core.store.ownership import WRITABLE_BY_OTHERS, is_foreign, read_own
from assess_registry.client import LockTimeoutError, RegistryError, atomic_write, file_lock

PRIVATE = 0o600
MAX_CONTENTS_BYTES = 64 << 20
"""Some 150 bytes for each file of a tree."""

SCHEMA = 1

Contents = Mapping[str, tuple[str, str]]
"""Path in the tree (`.` for itself) -> its kind and what it holds; see `_kind`."""

_CHUNK_BYTES = 1 << 20

_LOOKED_AT: dict[Path, bytes] = {}
"""What the kernel said of trees that are not ours to write beside, when all in them was found right."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    """A tree, and where the two files about it lie.

    Attributes:
        top: its directory.
        contents, stat: the two files.
        lock: held while `stat` is renewed; the store's. None where nothing may be written: then it is remembered for
            as long as this process lives.
    """

    top: Path
    contents: Path
    stat: Path
    lock: Path | None


def describe(top: Path, known: Mapping[str, str] | None = None) -> Contents:
    """What is in this tree now; files whose sha256 is `known` are not read."""
    known = known or {}
    return {path: (_kind(status), _held(top, path, status, known.get(path))) for path, status in _scan(top)}


def file_entry(size: int, sha256: str, *, executable: bool) -> tuple[str, str]:
    """What `Contents` say of a regular file."""
    return "program" if executable else "file", f"{size} bytes, sha256 {sha256}"


def directory_entries(paths: Iterable[str]) -> dict[str, tuple[str, str]]:
    """What `Contents` say of the tree itself and of every directory that these relative paths lie in."""
    return dict.fromkeys((".", *parents_of(paths)), ("directory", ""))


def remember(built: Built, contents: Contents) -> None:
    """The tree at `built.top`, which was just built, is as it shall be. Under the store's lock only."""
    rows = [[path, kind, held] for path, (kind, held) in sorted(contents.items())]
    document = json.dumps({"schema": SCHEMA, "contents": rows}, indent=0).encode()
    atomic_write(built.contents, document, mode=PRIVATE)
    atomic_write(built.stat, _digest(_scan(built.top)), mode=PRIVATE)


def touched(built: Built) -> tuple[Difference, ...]:
    """Everything in this tree that is not as it was built; nothing when all is.

    Raises:
        OSError: it may not be read.
    """
    try:
        found = dict(_scan(built.top))
    except (FileNotFoundError, NotADirectoryError):
        return (Difference(kind="missing", path=".", message="is gone"),)
    now = _digest(found.items())
    if _remembered(built) == now:
        return ()
    try:
        contents = _decode(read_own(built.contents, MAX_CONTENTS_BYTES))
    except (FileNotFoundError, RegistryError, ValueError, TypeError) as error:
        return (Difference(kind="unknown", path=".", message=f"its list of contents cannot be used: {error}"),)
    differences = compare(built.top, contents, found)
    if not differences:
        _renew(built, now)
    return differences


def compare(top: Path, contents: Contents, found: Mapping[str, os.stat_result] | None = None) -> tuple[Difference, ...]:
    """Everything in this tree that is not what its contents say, every file read and hashed.

    Raises:
        OSError: it may not be read.
    """
    found = dict(_scan(top)) if found is None else found
    differences = []
    for path in sorted(found.keys() | contents.keys()):
        if path not in found:
            differences.append(Difference(kind="missing", path=path, message="was there when it was built"))
        elif path not in contents:
            differences.append(Difference(kind="extra", path=path, message="was not there when it was built"))
        elif message := _wrong_now(top, path, found[path], *contents[path]):
            differences.append(Difference(kind="altered", path=path, message=message))
    return tuple(differences)


def _wrong_now(top: Path, path: str, status: os.stat_result, kind: str, held: str) -> str:
    try:
        return _wrong_with(top, path, status, kind, held)
    except (FileNotFoundError, NotADirectoryError):  # whoever looks before he takes a lease may look at what is pruned
        return "went while it was looked at"


def _wrong_with(top: Path, path: str, status: os.stat_result, kind: str, held: str) -> str:
    if is_foreign(status):
        return f"belongs to uid {status.st_uid}"
    if status.st_mode & WRITABLE_BY_OTHERS and not stat.S_ISLNK(status.st_mode):
        return f"has mode {stat.S_IMODE(status.st_mode):04o}: others may write to it"
    if (got := _kind(status)) != kind:
        return f"expected {kind}, got {got}"
    if stat.S_ISREG(status.st_mode) and not held.startswith(f"{status.st_size} "):  # before reading: it may be endless
        return f"expected {held}, got {status.st_size} bytes"
    if (now := _held(top, path, status)) != held:
        return f"expected {held}, got {now}"
    return ""


def _scan(top: Path) -> Iterator[tuple[str, os.stat_result]]:
    """The tree itself as `.`, and everything in it, no link followed."""
    yield ".", os.lstat(top)
    pending = [("", str(top))]
    while pending:
        prefix, directory = pending.pop()
        with os.scandir(directory) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                yield f"{prefix}{entry.name}", status
                if stat.S_ISDIR(status.st_mode):
                    pending.append((f"{prefix}{entry.name}/", entry.path))


def _digest(found: Iterable[tuple[str, os.stat_result]]) -> bytes:
    """Of everything the kernel says of these that changes when they are changed, and for whom it was looked at."""
    lines = [
        # A directory's times and size change with what was in it for a moment; its names are compared one by one.
        f"{path}\0{status.st_mode}\0{status.st_uid}"
        if stat.S_ISDIR(status.st_mode)
        else f"{path}\0{status.st_mode}\0{status.st_uid}\0{status.st_size}\0{status.st_mtime_ns}\0"
        f"{status.st_ctime_ns}\0{status.st_ino}"
        for path, status in found
    ]
    lines.sort()
    text = "\0\0".join((str(os.geteuid()), *lines))
    return hashlib.sha256(os.fsencode(text)).hexdigest().encode() + b"\n"


def _remembered(built: Built) -> bytes:
    if built.lock is None and built.top in _LOOKED_AT:
        return _LOOKED_AT[built.top]
    try:
        return read_own(built.stat, 100)
    except (OSError, RegistryError):
        return b""


def _renew(built: Built, now: bytes) -> None:
    if built.lock is None:
        _LOOKED_AT[built.top] = now
        return
    # Only saves work: where it cannot be written, or somebody holds the store's lock, the next use hashes once more.
    try:
        with file_lock(built.lock, timeout_s=0):
            atomic_write(built.stat, now, mode=PRIVATE)
    except (OSError, LockTimeoutError) as error:
        _log.debug("%s was not renewed: %s", built.stat, error, extra={"action": "stat-not-renewed"})


def _decode(data: bytes) -> Contents:
    fields = json_of(data)
    if not isinstance(fields, dict) or fields.keys() != {"schema", "contents"} or fields["schema"] != SCHEMA:
        raise ValueError(f"expected schema {SCHEMA} with contents")
    return {str(path): (str(kind), str(held)) for path, kind, held in fields["contents"]}


def _kind(status: os.stat_result) -> str:
    mode = status.st_mode
    if stat.S_ISREG(mode):
        if mode & (stat.S_ISUID | stat.S_ISGID):
            return f"file of mode {stat.S_IMODE(mode):04o}"
        return "program" if mode & stat.S_IXUSR else "file"
    if stat.S_ISDIR(mode):
        return "directory"
    return "link" if stat.S_ISLNK(mode) else "device"


def _held(top: Path, path: str, status: os.stat_result, sha256: str | None = None) -> str:
    if stat.S_ISREG(status.st_mode):
        return file_entry(status.st_size, sha256 or _sha256(top / path), executable=False)[1]
    return os.readlink(top / path) if stat.S_ISLNK(status.st_mode) else ""  # noqa: PTH115  text, with its own spelling


def _sha256(path: Path) -> str:
    # Not `read_bounded`: the length is that of a file we built, or it differs; and no link is followed.
    digest = hashlib.sha256()
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        while chunk := os.read(descriptor, _CHUNK_BYTES):
            digest.update(chunk)
    finally:
        os.close(descriptor)
    return digest.hexdigest()
