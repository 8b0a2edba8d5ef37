"""What an interpreter is asked: run by the one that is asked, and called by the runtime about its own.

    python3.13 -I -S -B asked.py            prints one JSON table

Imports only the standard library, and nothing that a Python older than 3.11 lacks: such a one has to say its version.
"""

import importlib.machinery
import json
import os
import platform
import sys
import sysconfig


def facts_of_this_one(base: str) -> dict[str, str]:
    """The facts of the interpreter that runs this; `base` is the executable of its base interpreter."""
    return {
        "path": os.path.realpath(base),
        "version": platform.python_version(),
        "cache_tag": sys.implementation.cache_tag or "",
        "suffix": importlib.machinery.EXTENSION_SUFFIXES[0],
        "platform": sysconfig.get_platform(),
        "site_packages": sysconfig.get_path("purelib", "venv", {"base": "", "platbase": ""}),
        "implementation": sys.implementation.name,
        "abiflags": getattr(sys, "abiflags", ""),
        "libc": _libc(),
        "library": _library(),
        "imports": os.pathsep.join(sys.path),
    }


def _libc() -> str:
    """The C library as it is at run time: a glibc says so, others do not know the question."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, ValueError, OSError):
        return ""


def _library() -> str:
    """The libpython that is mapped: an upgrade may exchange that and leave the executable alone."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as file:  # noqa: PTH123  asked of any Python
            paths = (line.split(maxsplit=5)[5].rstrip("\n") for line in file if "/libpython" in line)
            return next((path for path in paths if os.path.basename(path).startswith("libpython")), "")  # noqa: PTH119
    except OSError:
        return ""


if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036  whoever asks does not know yet
        sys.exit(f"it is Python {platform.python_version()}")
    sys.stdout.write(json.dumps(facts_of_this_one(getattr(sys, "_base_executable", None) or sys.executable)))
