"""What of a registry's directory is for everybody, and how it is opened: by a list of what may be read.

Beside the published files lie submissions that nobody has approved, roots that wait for signatures, locks, temporary
files, and on a developer's machine perhaps keys. So a path begins with a directory that is published, no part of it is
hidden, and no part of it is a symbolic link, whose target could be anything: each is opened below the one before.
"""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from assess_registry.catalogue import CATALOG_DIRECTORY
from assess_registry.index.flat import FLAT_ROOT
from assess_registry.index.tree import FILES, SIMPLE

PUBLIC_DIRECTORIES = frozenset({FILES, SIMPLE, CATALOG_DIRECTORY, "metadata", "control", "plugins", "status"})
PUBLIC_FILES = frozenset({FLAT_ROOT})

KEY_SUFFIX = ".key"
"""Of private keys, which have no business here and may lie here all the same."""

MAX_PATH = 2048
MAX_PARTS = 16


def public_parts(path: str) -> tuple[str, ...] | None:
    """The parts of a decoded URL path that begins with a slash; None when nothing of this name is for everybody.

    An empty last part, of a path that ends in a slash, is left out.
    """
    if len(path) > MAX_PATH or not path.startswith("/") or not path.isprintable() or "\\" in path:
        return None
    parts = path.removeprefix("/").removesuffix("/").split("/")
    if len(parts) > MAX_PARTS or any(not part or part.startswith(".") or _is_key(part) for part in parts):
        return None
    is_file_of_root = len(parts) == 1 and parts[0] in PUBLIC_FILES
    return tuple(parts) if parts[0] in PUBLIC_DIRECTORIES or is_file_of_root else None


def open_public(root: Path, parts: Sequence[str]) -> int | None:
    """A descriptor of the regular file or the directory of this name; None when there is none, or only a link to it.

    Args:
        root: the registry's root.
        parts: from `public_parts`, at least one.
    """
    directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts[:-1]:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            below = os.open(part, flags, dir_fd=directory)
            os.close(directory)
            directory = below
        # O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever.
        found = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except OSError:  # missing, a link, a file where a directory should be, not ours to read: all the same to a client
        return None
    finally:
        os.close(directory)
    mode = os.fstat(found).st_mode
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return found
    os.close(found)
    return None


def is_directory(descriptor: int) -> bool:
    """Whether what was opened is a directory."""
    return stat.S_ISDIR(os.fstat(descriptor).st_mode)


def _is_key(part: str) -> bool:
    return part.lower().endswith(KEY_SUFFIX)
