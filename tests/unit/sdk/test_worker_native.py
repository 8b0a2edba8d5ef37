"""Where a worker's own code leaves Python: two files, so that whoever reviews what could go wrong there reads those."""

import ast
from pathlib import Path

import pytest

WORKER = Path(__file__).parents[3] / "sdk" / "src" / "assess_plugin" / "worker"

ALLOWED = {"ctypes": {"forking", "isolate"}, "resource": {"isolate"}}


@pytest.mark.parametrize("module", ALLOWED)
def test_native_code_is_called_in_the_files_that_say_so_and_nowhere_else(module: str) -> None:
    assert {path.stem for path in WORKER.glob("*.py") if module in imported(path)} == ALLOWED[module]


def test_a_prepared_parent_reads_nothing_but_what_it_is_handed() -> None:
    """It has all rights of the runtime: what it is told is read by its copies, each for itself."""
    tree = ast.parse((WORKER / "siblings.py").read_text())
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    for name in ("serve_starts", "_request"):
        called = {ast.unparse(node.func) for node in ast.walk(functions[name]) if isinstance(node, ast.Call)}
        assert not {each for each in called if "json" in each or "open" in each or each in ("os.read", "_begin")}
    assert "_begin" in {ast.unparse(node.func) for node in ast.walk(functions["_become"]) if isinstance(node, ast.Call)}


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found
