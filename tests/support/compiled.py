"""Bytecode of the same module, for the same place in an environment, is compiled once in a test run.

A state directory has the worker's modules compiled when its first plugin comes: two tenths of a second in each of a
hundred tests, and every time the same bytes. They are written each time, as ever. Tests of the store itself compile.
"""

import importlib.util
import py_compile
from importlib import _bootstrap_external
from importlib.machinery import SourceFileLoader
from types import SimpleNamespace
from typing import Any

import pytest

from assess_core.store import bytecode

Key = tuple[bytes, str, int]

machinery: Any = _bootstrap_external
"""What py_compile writes with."""


class Compiled:
    """What `py_compile` would write, by source and by the path that is recorded in it."""

    def __init__(self) -> None:
        self._known: dict[Key, bytes] = {}

    def within(self, patch: pytest.MonkeyPatch) -> None:
        """From now on until the patch is undone."""
        shown = SimpleNamespace(**{name: getattr(py_compile, name) for name in py_compile.__all__})
        shown.compile = self._compile
        patch.setattr(bytecode, "py_compile", shown)

    def _compile(self, file: str, *, cfile: str, dfile: str, optimize: int, **more: Any) -> object:
        if more != {"doraise": True, "invalidation_mode": py_compile.PycInvalidationMode.UNCHECKED_HASH}:
            return py_compile.compile(file, cfile=cfile, dfile=dfile, optimize=optimize, **more)
        loader = SourceFileLoader("<py_compile>", file)
        source = loader.get_data(file)
        key = source, dfile, optimize
        if key not in self._known:
            try:
                code = loader.source_to_code(source, dfile, _optimize=optimize)
            except (SyntaxError, ValueError, RecursionError, MemoryError):  # as py_compile says it
                return py_compile.compile(file, cfile=cfile, dfile=dfile, optimize=optimize, **more)
            self._known[key] = bytes(machinery._code_to_hash_pyc(code, importlib.util.source_hash(source), False))
        machinery._write_atomic(cfile, self._known[key], machinery._calc_mode(file))
        return cfile
