"""How the store's bytes reach the disk: created whole and read-only, linked where possible, synchronised once.

What is synchronised, and why not more: the files of a wheel are written once and then shared by every environment, so
each is fsynced when it is unpacked - in a second pass, after all were written, because the first fsync then carries
most of the others (300 files: 75 ms instead of one disk wait each). An environment adds names, not data: its private
files and its directories are fsynced, its linked files are not written again.
"""

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

from assess_registry.client import sync_directory

FileWriter = Callable[[Path, bytes, int], None]
"""Creates a file that did not exist: path, content, mode."""

READ_ONLY = 0o444
EXECUTABLE = 0o555
PRIVATE_DIRECTORY = 0o700
"""Of everything in the state directory: it will hold what is wrong with this machine."""

_CANNOT_LINK = frozenset(
    (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS)
)  # another file system; protected_hardlinks or vfat; a full inode; FUSE and network file systems


def make_directory(path: Path) -> None:
    """`path` is a directory; what was missing of it, and above it, is for this user alone, whatever the umask.

    Raises:
        OSError: there is no room or no right, or something else stands there.
    """
    # Not `mkdir(parents=True)`: that gives the mode to the last one only.
    try:
        path.mkdir(mode=PRIVATE_DIRECTORY)
    except FileNotFoundError:
        make_directory(path.parent)
        path.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
    except FileExistsError:
        if not path.is_dir():
            raise


def write_new_file(path: Path, data: bytes, mode: int) -> None:
    """`path`, which did not exist, holds `data` and has exactly this mode. Not yet synchronised.

    Raises:
        OSError: it existed, there is no room or no right.
    """
    # Strings and one write: this is called for every file of every wheel.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def link_or_copy(source: str, target: str) -> None:
    """`target`, which did not exist, is the same file as `source`, or where that is impossible a copy of it.

    Raises:
        OSError: as `os.link` or copying would, when neither is possible.
    """
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _CANNOT_LINK:
            raise
        shutil.copyfile(source, target, follow_symlinks=False)
        shutil.copymode(source, target)
        sync_file(target)


def sync_file(path: str | Path) -> None:
    """The content of this file is on disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_files(paths: Iterable[str | Path]) -> None:
    """The content of all these files is on disk."""
    for path in paths:
        sync_file(path)


def sync_directories(top: Path) -> None:
    """The names in this directory and in all below it are on disk, the deepest first."""
    for directory, _, _ in os.walk(top, topdown=False):
        sync_directory(Path(directory))


def parents_of(paths: Iterable[str]) -> set[str]:
    """Every directory that these relative paths lie in."""
    # Strings: `PurePath.parents` took half of the time of building an environment.
    found: set[str] = set()
    for path in paths:
        directory = path.rpartition("/")[0]
        while directory and directory not in found:
            found.add(directory)
            directory = directory.rpartition("/")[0]
    return found


def regular_files(top: Path) -> tuple[str, ...]:
    """Paths relative to `top`, with `/`, of everything below it that is no real directory, sorted."""
    found = []
    for directory, subdirectories, names in os.walk(top):
        links = [name for name in subdirectories if (Path(directory) / name).is_symlink()]
        found += [os.path.relpath(os.path.join(directory, name), top) for name in (*names, *links)]  # noqa: PTH118 hot
    return tuple(sorted(found))


def remove_tree(path: Path) -> None:
    """Nothing is at `path` any more, whatever it was; a symbolic link is removed, not followed.

    Raises:
        OSError: something in it may not be removed.
    """
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        shutil.rmtree(path)
    else:
        path.unlink()
