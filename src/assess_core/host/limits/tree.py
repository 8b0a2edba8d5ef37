"""What a directory takes of the disk, counted no further than there is reason to.

    tree_bytes("/var/lib/assess/scratch/run-x/worker-y", enough=64 << 20)    ->    41_943_040

The plugin changes the tree while it is counted. Directories are opened by name below an open one and never through a
link, so that nobody is led out of it; what was renamed meanwhile is counted twice or not at all, until the next look.
"""

import os
import stat
from collections.abc import Iterator

from assess_core.host.folders import open_folder

LEAST_BYTES = 4096
"""What each entry counts at least. An empty file has a name and an inode, too; and so no tree takes long to count."""

MAX_DEPTH = 32
"""Each level holds a descriptor of ours while it is counted."""

MAX_ENTRIES = 100_000
"""Counted in a second or less; a larger limit allows more bytes, not more names."""

_BLOCK = 512


class UnmeasurableError(Exception):
    """The tree is one that cannot be counted; the message says why, as the end of a sentence."""


def tree_bytes(directory: str, *, enough: int) -> int:
    """The bytes on disk of everything below `directory`, or any sum beyond `enough`.

    Raises:
        UnmeasurableError: it is too deep, has too many entries, or somebody keeps it from being read.
    """
    total = 0
    linked: set[tuple[int, int]] = set()
    for count, found in enumerate(_walk(directory), 1):
        if count > MAX_ENTRIES:
            raise UnmeasurableError(f"since it has more than {MAX_ENTRIES} files and directories")
        if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
            again = (found.st_dev, found.st_ino) in linked
            linked.add((found.st_dev, found.st_ino))
            total += LEAST_BYTES if again else disk_bytes(found)
        else:
            total += disk_bytes(found)
        if total > enough:
            break
    return total


def disk_bytes(found: os.stat_result) -> int:
    """What a file takes: holes nothing, what was allocated and not yet written as much as what was."""
    return max(found.st_blocks * _BLOCK, LEAST_BYTES)


def _walk(directory: str) -> Iterator[os.stat_result]:
    """Everything below, depth first; what vanishes meanwhile is left out."""
    levels = [_Level(open_folder(directory))]
    try:
        while levels:
            entry = next(levels[-1].entries, None)
            if entry is None:
                levels.pop().close()
                continue
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            yield found
            if stat.S_ISDIR(found.st_mode):
                if len(levels) == MAX_DEPTH:
                    raise UnmeasurableError(f"since directories stand more than {MAX_DEPTH} deep in it")
                level = _enter(levels[-1].descriptor, entry.name)
                if level is not None:
                    levels.append(level)
    finally:
        for level in levels:
            level.close()


class _Level:
    """An open directory and how far it was read."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.entries = os.scandir(descriptor)

    def close(self) -> None:
        self.entries.close()
        os.close(self.descriptor)


def _enter(parent: int, name: str) -> _Level | None:
    try:
        return _Level(open_folder(name, parent))
    except (FileNotFoundError, NotADirectoryError):  # gone, or a link now
        return None
    except PermissionError as error:
        raise UnmeasurableError(f"since {name!r} in it cannot be read") from error
