"""What a worker finds around it: an environment of little more than its scratch directory."""

import os
import pwd
from collections.abc import Iterable
from pathlib import Path


def worker_environment(scratch: Path, granted: Iterable[str], uid: int) -> dict[str, str]:
    """All of a worker's environment; nothing of the runtime's leaks but its time zone and what is granted.

    A granted variable that the runtime does not have is not there for the worker either; none replaces one of ours.

    OpenBLAS otherwise starts a thread for each core and, out of memory, raises KeyboardInterrupt inside the hook.
    """
    environment = {name: os.environ[name] for name in granted if name in os.environ}
    environment |= {
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "USER": _user_name(uid),
        "LANG": "C.UTF-8",
        "OPENBLAS_NUM_THREADS": "1",
    }
    zone = os.environ.get("TZ")
    return environment | ({"TZ": zone} if zone else {})


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a worker's own, or a container's user that no passwd file knows
        return str(uid)
