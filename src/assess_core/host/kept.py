"""Whether a process may still have a connection that it was handed: seen from outside, whatever it calls it.

It can have one without a descriptor. One that it has sent itself through a pair of sockets waits there until it is
received, and shows as `scm_fds` of the socket it waits in, however many pairs it went through (Linux 5.6). A thread
that is receiving from a connection goes on when its descriptor is closed, and that shows nowhere: so there must be no
thread.
"""

import os
import re
from collections.abc import Collection
from pathlib import Path

_WAITING = re.compile(rb"^scm_fds:\s+[1-9]", re.MULTILINE)
_INFO_BYTES = 4096


def keeps_any(pid: int, sockets: Collection[int]) -> bool:
    """Whether one of its descriptors is one of these sockets (by inode), or it cannot be told; blocks."""
    names = {f"socket:[{each}]" for each in sockets}
    process = f"/proc/{pid}"
    try:
        if len(os.listdir(f"{process}/task")) > 1:  # noqa: PTH208  names alone
            return True
        descriptors = os.listdir(f"{process}/fd")  # noqa: PTH208  names alone
    except FileNotFoundError:  # it is gone
        return False
    except OSError:
        return True
    return any(_is_or_holds(process, each, names) for each in descriptors)


def _is_or_holds(process: str, descriptor: str, names: Collection[str]) -> bool:
    try:
        name = str(Path(f"{process}/fd/{descriptor}").readlink())
        return name in names or (name.startswith("socket:") and _holds_others(f"{process}/fdinfo/{descriptor}"))
    except FileNotFoundError:  # closed meanwhile
        return False
    except OSError:
        return True


def _holds_others(path: str) -> bool:
    with open(path, "rb") as file:  # noqa: PTH123  pathlib has no bounded read
        return bool(_WAITING.search(file.read(_INFO_BYTES)))
