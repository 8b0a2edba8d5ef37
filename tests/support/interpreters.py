"""Real Pythons other than the one that runs the tests, and copies of them that a test may take away.

python = another_python()                       of this machine; a skip where there is none
copy = copied(python, tmp_path / "elsewhere")   runs from there
"""

import os
import pwd
import shutil
import stat
import sys
from pathlib import Path

import pytest

from assess_core.store import Interpreter, Kits, Store, running_interpreter
from assess_core.store.interpreter import ask_build, parse_build
from tests.support.programs import refuse_or_skip

MINORS = ("3.13", "3.12", "3.11")
"""Of those that plugins are tested with, the newest first."""

interpreter_for_all = pytest.mark.skipif(
    not all(each.stat().st_mode & stat.S_IXOTH for each in running_interpreter().path.parents),
    reason="needs an interpreter that every user may reach; this one lies in a private home",
)


def describe_interpreter(executable: Path) -> Interpreter:
    """The base interpreter behind an executable: a base one, an environment's, or a pyenv shim.

    Raises:
        StoreError: it cannot be run, or it is not a Python of at least 3.11.
    """
    return parse_build(ask_build(executable)).interpreter


def worker_kit(store: Store, interpreter: Interpreter) -> Path:
    """The kit for workers of this interpreter, as one runtime makes it that ends at once.

    Raises:
        TrustError, StoreError: as `Kits`.
    """
    kits = Kits(store)
    try:
        return kits(interpreter)
    finally:
        kits.release()


def another_python() -> Path:
    """The newest Python of this machine whose minor version is not that of the running one: its executable."""
    home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    for minor in MINORS:
        if minor == ".".join(map(str, sys.version_info[:2])):
            continue
        installed = sorted(home.glob(f".pyenv/versions/{minor}.*/bin/python{minor}"))
        on_path = shutil.which(f"python{minor}")
        for found in (*installed, *([Path(on_path)] if on_path else [])):
            if "shims" not in found.parts:
                return describe_interpreter(found).path
    refuse_or_skip("another Python than the one that runs the tests")
    raise AssertionError("unreachable")


def copied(python: Path, to: Path) -> Path:
    """The installation that `python` belongs to, again at `to` and without its own tests; its executable there."""
    prefix = python.parent.parent
    (to / "bin").mkdir(parents=True)
    shutil.copy2(python, to / "bin")  # never a link: a test may change its mode, and that would be the real one's
    lib = f"lib/{python.name}"
    left_out = shutil.ignore_patterns("test", "site-packages", "idlelib", "tkinter", "ensurepip", "__pycache__")
    shutil.copytree(prefix / lib, to / lib, ignore=left_out, symlinks=True, copy_function=_link_or_copy)
    for library in prefix.glob("lib/libpython*.so*"):
        shutil.copy2(library, to / "lib", follow_symlinks=False)
    return to / "bin" / python.name


def _link_or_copy(source: str, target: str) -> None:
    """Links where that is possible: a standard library has two thousand files."""
    try:
        os.link(source, target)
    except OSError:  # another file system, or another user's file
        shutil.copy2(source, target)
