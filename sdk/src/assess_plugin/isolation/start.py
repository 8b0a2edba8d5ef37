"""How a worker is started, by a runtime and by a plugin's tests alike: its command, environment and libraries."""

import os
import pwd
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

FLAGS = ("-I", "-S", "-B", "-X", "faulthandler")
"""Isolated, without `site` and so without any `.pth` file, writing no bytecode; a crash leaves its stack in the log."""

_READ_AT_START = ("LC_", "LD_", "LOCPATH", "MALLOC_", "GLIBC_TUNABLES")
"""Names of variables, or how they begin: locale, loader, allocator."""


def worker_argv(python: Path, *, kit: Path, descriptor: int, environment: Path, sites: Iterable[Path]) -> list[str]:
    """The command of a worker.

    Args:
        python: by its full path, which becomes `argv[0]`: by any other CPython silently takes the base prefix.
        kit: the directory with the worker's own code.
        descriptor: of its end of the socket.
        environment: the virtualenv that it is to take for its own.
        sites: where the plugin is and what it needs.
    """
    bootstrap = kit / "assess_plugin" / "worker" / "bootstrap.py"
    return [str(python), *FLAGS, str(bootstrap), str(descriptor), *map(str, (kit, environment, *sites))]


def prepared_argv(python: Path, *, kit: Path, descriptor: int, name: str) -> list[str]:
    """The command of a prepared parent, of which workers are forked.

    Args:
        python: the base interpreter; a worker is told which environment it is of.
        kit: as of its workers.
        descriptor: of its end of the socket on which it is asked for workers.
        name: tells processes that it has forked from any others, until they are workers; at most 15 bytes.
    """
    prepared = kit / "assess_plugin" / "worker" / "prepared.py"
    return [str(python), *FLAGS, str(prepared), str(descriptor), str(kit), name]


def forkable(environment: Mapping[str, str]) -> bool:
    """Whether all of it counts for a process that has begun already: not what loader and C library read before that."""
    return not any(name.startswith(_READ_AT_START) for name in environment)


def worker_environment(scratch: Path, granted: Iterable[str], uid: int) -> dict[str, str]:
    """All of a worker's environment; nothing of ours leaks but the time zone and what is granted.

    A granted variable that we do not have is not there for the worker either; none replaces one of the worker's own.

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


def libraries_of(python: Path) -> Iterator[str]:
    """Where the interpreter behind an environment's `python` has its libraries."""
    base = python.resolve().parent.parent
    yield from (str(base / name) for name in ("lib", "lib64"))


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a worker's own, or a container's user that no passwd file knows
        return str(uid)
