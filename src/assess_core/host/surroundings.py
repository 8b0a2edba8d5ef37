"""What a worker finds around it: an environment of little more than its scratch directory, and whose rights it has."""

import os
import pwd
from collections.abc import Iterable
from pathlib import Path


def worker_environment(scratch: Path, granted: Iterable[str]) -> dict[str, str]:
    """All of a worker's environment; nothing of the runtime's leaks but its user's name, time zone and what is granted.

    A granted variable that the runtime does not have is not there for the worker either; none replaces one of ours.

    OpenBLAS otherwise starts a thread for each core and, out of memory, raises KeyboardInterrupt inside the hook.
    """
    environment = {name: os.environ[name] for name in granted if name in os.environ}
    environment |= {
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "USER": _user_name(),
        "LANG": "C.UTF-8",
        "OPENBLAS_NUM_THREADS": "1",
    }
    zone = os.environ.get("TZ")
    return environment | ({"TZ": zone} if zone else {})


ISOLATION = "none"
"""What holds a worker back besides its own process and the broker; every result says it."""


def worker_user() -> str:
    """Whose rights workers have, as results say it."""
    return f"uid:{os.geteuid()}"


def _user_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # containers run users that no passwd file knows
        return str(os.geteuid())
