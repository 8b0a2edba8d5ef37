"""Which interpreter an environment is for: always a base interpreter, never a virtual environment's or a shim.

An environment made from another environment's `python` would break when that one is removed; a pyenv shim is a shell
script that picks an interpreter by the current directory. So the executable is asked who it is, and its answer has
every link resolved.
"""

import importlib.machinery
import json
import os
import platform
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from assess_core.errors import StoreError
from assess_core.store.bytecode import compile_tree, compile_with
from assess_core.store.values import Interpreter

_ASK_TIMEOUT_S = 20.0

_ASK = """\
import importlib.machinery, json, os, platform, sys, sysconfig
print(json.dumps({
    "path": os.path.realpath(sys._base_executable),
    "version": platform.python_version(),
    "cache_tag": sys.implementation.cache_tag,
    "suffix": importlib.machinery.EXTENSION_SUFFIXES[0],
    "platform": sysconfig.get_platform(),
    "site_packages": sysconfig.get_path("purelib", "venv", {"base": "", "platbase": ""}),
}))
"""
"""Run by the interpreter that is being asked; the same facts that `running_interpreter` reads here."""


def running_interpreter() -> Interpreter:
    """The base interpreter of the process that calls."""
    base: str = getattr(sys, "_base_executable", None) or sys.executable  # typeshed does not know it; venv uses it too
    return _parse(
        {
            "path": os.path.realpath(base),
            "version": platform.python_version(),
            "cache_tag": sys.implementation.cache_tag,
            "suffix": importlib.machinery.EXTENSION_SUFFIXES[0],
            "platform": sysconfig.get_platform(),
            "site_packages": sysconfig.get_path("purelib", "venv", {"base": "", "platbase": ""}),
        }
    )


def describe_interpreter(executable: Path) -> Interpreter:
    """The base interpreter behind an executable: a base one, an environment's, or a pyenv shim.

    Raises:
        StoreError: it cannot be run, or it is not a Python of at least 3.11.
    """
    try:
        done = subprocess.run(
            [executable, "-I", "-S", "-B", "-c", _ASK], capture_output=True, timeout=_ASK_TIMEOUT_S, check=True
        )
        return _parse(json.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{executable} is not a usable Python interpreter (3.11 or later): {error}; name another one"
        ) from error


def compile_for(interpreter: Interpreter, top: Path) -> list[str]:
    """Every module below `top` has bytecode of this interpreter; returns the paths written, relative to `top`.

    Raises:
        StoreError: the interpreter cannot be run, or bytecode was there before.
        OSError: there is no room.
    """
    try:
        if interpreter == running_interpreter():
            return compile_tree(top)
        return compile_with(interpreter.path, top)
    except FileExistsError as error:
        raise StoreError(f"{error}; a wheel must not bring bytecode: it would run instead of its source") from error
    except (subprocess.SubprocessError, ValueError) as error:
        raise StoreError(f"{interpreter.path} could not compile {top}: {error}; name another interpreter") from error


def _parse(facts: Mapping[str, str | None]) -> Interpreter:
    cache_tag = facts["cache_tag"]
    if not cache_tag:
        raise StoreError(f"{facts['path']} has no bytecode cache tag; plugins need a regular CPython or PyPy build")
    # `.cpython-311-x86_64-linux-gnu.so` -> `cpython-311-x86_64-linux-gnu`; SOABI itself costs reading the build's data
    soabi = str(facts["suffix"]).removeprefix(".").rpartition(".")[0]
    return Interpreter(
        path=Path(str(facts["path"])),
        version=str(facts["version"]),
        cache_tag=cache_tag,
        soabi=soabi,
        platform=str(facts["platform"]),
        site_packages=str(facts["site_packages"]).lstrip("/"),
    )
