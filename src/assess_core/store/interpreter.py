"""Which interpreter an environment is for: always a base interpreter, never a virtual environment's or a shim.

An environment made from another environment's `python` would break when that one is removed; a pyenv shim is a shell
script that picks an interpreter by the current directory. So the executable is asked who it is, and its answer has
every link resolved.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from assess_core.errors import StoreError
from assess_core.store.asked import facts_of_this_one
from assess_core.store.asking import answer_of
from assess_core.store.bytecode import compile_tree, compile_with
from assess_core.store.values import Interpreter
from assess_registry.client import plain

_ASK_TIMEOUT_S = 10.0

_ASKED = Path(__file__).with_name("asked.py")

_VERSION = re.compile(r"3\.(\d{1,3})\.\d{1,3}(?:(?:a|b|rc)\d{1,3})?\+?\Z", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9._-]*", re.ASCII)
_FACTS = {
    "path": re.compile(r"/.+"),
    "version": re.compile(r".+"),  # `_VERSION` says more
    "cache_tag": _TAG,
    "suffix": _TAG,
    "platform": _TAG,
    "site_packages": re.compile(r"(?!.*(?:^|/)\.\.(?:/|$)).+"),
    "implementation": _TAG,
    "abiflags": _TAG,
    "libc": re.compile(r"[A-Za-z0-9._ -]*", re.ASCII),
    "library": re.compile(r"(?:/.+)?"),
    "imports": re.compile(r".*"),
}
_MAX_FACT = 8192


@dataclass(frozen=True, kw_only=True, slots=True)
class Build:
    """An interpreter, and what decides whether it can run what was built for another one here.

    Attributes:
        implementation: `cpython`, `pypy`.
        abiflags: `t` means that it has no global lock, which wheels have to be built for.
        libc: name and version of the C library it runs with; empty where that does not say.
        library: the libpython it is linked with; empty where it is all in the executable.
    """

    interpreter: Interpreter
    implementation: str
    abiflags: str
    libc: str
    library: str


@cache
def running_build() -> Build:
    """The base interpreter of the process that calls."""
    base: str = getattr(sys, "_base_executable", None) or sys.executable  # typeshed does not know it; venv uses it too
    return parse_build(facts_of_this_one(base))


def running_interpreter() -> Interpreter:
    """As `running_build`, without what only matters when it is compared with others."""
    return running_build().interpreter


def ask_build(executable: Path) -> Mapping[str, str]:
    """What the base interpreter behind an executable says of itself, for `parse_build`.

    Raises:
        StoreError: it cannot be run, or it is not a Python of at least 3.11.
    """
    try:
        code, output, errors = answer_of([executable, "-I", "-S", "-B", _ASKED], timeout_s=_ASK_TIMEOUT_S)
        if code != 0:
            raise ValueError(_last_line(errors) or f"it ended with exit code {code}")
        facts = json.loads(output)
        if not isinstance(facts, dict):
            raise ValueError("it answers with something else than a table")
        parse_build(facts)
        return facts
    except (OSError, ValueError, RecursionError) as error:
        raise StoreError(
            f"{executable} is not a usable Python interpreter (3.11 or later): {error}; name another one"
        ) from error


def _last_line(output: bytes) -> str:
    lines = output[-2000:].decode(errors="replace").strip().splitlines()
    return plain(lines[-1][:200]) if lines else ""


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


def parse_build(facts: Mapping[str, object]) -> Build:
    """What an interpreter said of itself, as a value.

    Raises:
        StoreError: it has no bytecode cache tag, or this is nothing that a Python says.
    """
    said = {key: _said(facts, key) for key in _FACTS}
    if not said["cache_tag"]:
        raise StoreError(f"{said['path']} has no bytecode cache tag; plugins need a regular CPython or PyPy build")
    version = _VERSION.match(said["version"])
    if version is None:
        raise StoreError(f"it says that it is Python {said['version']!r}, which is no version of Python 3")
    if said["implementation"] == "cpython" and said["cache_tag"] != f"cpython-3{version[1]}":
        raise StoreError(f"it says that it is Python {said['version']}, and its bytecode is for {said['cache_tag']!r}")
    # `.cpython-311-x86_64-linux-gnu.so` -> `cpython-311-x86_64-linux-gnu`; SOABI itself costs reading the build's data
    soabi = said["suffix"].removeprefix(".").rpartition(".")[0]
    interpreter = Interpreter(
        path=Path(said["path"]),
        version=said["version"],
        cache_tag=said["cache_tag"],
        soabi=soabi,
        platform=said["platform"],
        site_packages=said["site_packages"].lstrip("/"),
    )
    return Build(
        interpreter=interpreter,
        implementation=said["implementation"],
        abiflags=said["abiflags"],
        libc=said["libc"],
        library=os.path.realpath(said["library"]) if said["library"] else "",
    )


def _said(facts: Mapping[str, object], key: str) -> str:
    value, form = facts.get(key), _FACTS[key]
    if not isinstance(value, str) or len(value) > _MAX_FACT or not value.isprintable() or not form.fullmatch(value):
        raise StoreError(f"it says of its {key}: {ascii(value)[:200]}, which no Python says of itself")
    return value
