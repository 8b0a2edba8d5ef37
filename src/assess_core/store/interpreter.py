"""Which interpreter an environment is for: always a base interpreter, never a virtual environment's or a shim.

An environment made from another environment's `python` would break when that one is removed; a pyenv shim is a shell
script that picks an interpreter by the current directory. So the executable is asked who it is, and its answer has
every link resolved.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from assess_core.errors import StoreError
from assess_core.store.asked import facts_of_this_one
from assess_core.store.bytecode import compile_tree, compile_with
from assess_core.store.values import Interpreter

_ASK_TIMEOUT_S = 20.0

_ASKED = Path(__file__).with_name("asked.py")


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
        done = subprocess.run(
            [executable, "-I", "-S", "-B", _ASKED], capture_output=True, timeout=_ASK_TIMEOUT_S, check=False
        )
        if done.returncode != 0:
            raise ValueError(_last_line(done.stderr) or f"it ended with exit code {done.returncode}")
        facts = {str(key): str(value or "") for key, value in json.loads(done.stdout).items()}
        parse_build(facts)
        return facts
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, AttributeError) as error:
        raise StoreError(
            f"{executable} is not a usable Python interpreter (3.11 or later): {error}; name another one"
        ) from error


def _last_line(output: bytes) -> str:
    lines = output[-2000:].decode(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else ""


def describe_interpreter(executable: Path) -> Interpreter:
    """The base interpreter behind an executable: a base one, an environment's, or a pyenv shim.

    Raises:
        StoreError: it cannot be run, or it is not a Python of at least 3.11.
    """
    return parse_build(ask_build(executable)).interpreter


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


def parse_build(facts: Mapping[str, str]) -> Build:
    """What an interpreter said of itself, as a value.

    Raises:
        StoreError: it has no bytecode cache tag.
        KeyError: a fact is missing.
    """
    if not facts["cache_tag"]:
        raise StoreError(f"{facts['path']} has no bytecode cache tag; plugins need a regular CPython or PyPy build")
    # `.cpython-311-x86_64-linux-gnu.so` -> `cpython-311-x86_64-linux-gnu`; SOABI itself costs reading the build's data
    soabi = facts["suffix"].removeprefix(".").rpartition(".")[0]
    interpreter = Interpreter(
        path=Path(facts["path"]),
        version=facts["version"],
        cache_tag=facts["cache_tag"],
        soabi=soabi,
        platform=facts["platform"],
        site_packages=facts["site_packages"].lstrip("/"),
    )
    return Build(
        interpreter=interpreter,
        implementation=facts["implementation"],
        abiflags=facts["abiflags"],
        libc=facts["libc"],
        library=os.path.realpath(facts["library"]) if facts["library"] else "",
    )
