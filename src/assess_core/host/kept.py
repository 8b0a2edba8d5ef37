"""Whether a process still has a connection that it was handed: seen from outside, whatever it calls it."""

import os
from collections.abc import Collection
from pathlib import Path


def keeps_any(pid: int, sockets: Collection[int]) -> bool:
    """Whether one of its descriptors is one of these sockets (by inode), or it cannot be told; blocks."""
    names = {f"socket:[{each}]" for each in sockets}
    directory = f"/proc/{pid}/fd"
    try:
        descriptors = os.listdir(directory)  # noqa: PTH208  names alone
    except FileNotFoundError:  # it is gone
        return False
    except OSError:
        return True
    return any(_name(f"{directory}/{each}") in names for each in descriptors)


def _name(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:  # closed meanwhile
        return ""
