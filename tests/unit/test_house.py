"""Rules of the house that no linter knows: one place for each risky library, lazy imports in cli/ only."""

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py")) + sorted((ROOT / "sdk" / "src").rglob("*.py"))

ONE_PLACE: dict[str, str | tuple[str, ...]] = {
    "httpx": "src/assess_registry/client/transport",
    "cryptography": "src/assess_registry/keys/ed25519.py",
    "sqlite3": "src/assess_core/journal/database.py",
    "msgspec": "src/assess_core/host/",
    "pydantic": "src/assess_core/config/",
    "starlette": "src/assess_registry/serve/app.py",
    "uvicorn": "src/assess_registry/serve/server.py",
    "tomlkit": "src/assess_registry/config/edit.py",
    "jsonschema_rs": "src/assess_registry/manifest",
    "tuf": ("src/assess_registry/repository/tuf_api.py", "src/assess_registry/client/trust/"),
    "securesystemslib": "src/assess_registry/repository/tuf_api.py",
}
"""Library -> the only place (file or start of it, or a few of them) where it may be imported."""

FORBIDDEN = ("pickle", "shelve", "dill", "cloudpickle")

BY_NAME = ("__import__", "import_module")
"""What imports a module whose name is a text."""


@functools.cache
def text_of(path: Path) -> str:
    return path.read_text()


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(text_of(path))


def holding(*words: str) -> Iterator[Path]:
    """Sources with one of the words in them: to look for it is cheaper than to parse five hundred files."""
    return (path for path in SOURCES if any(word in text_of(path) for word in words))


def nodes(*words: str) -> Iterator[tuple[Path, ast.AST]]:
    """Everything in sources with one of the words in them."""
    return ((path, node) for path in holding(*words) for node in ast.walk(tree_of(path)))


def imports(*words: str) -> Iterator[tuple[Path, str, int, bool]]:
    """(file, top-level module, line, inside a function) of every import in sources with one of the words in them."""
    return ((path, *found) for path in holding(*words) for found in _imports(tree_of(path), inner=False))


def _imports(node: ast.AST, *, inner: bool) -> Iterator[tuple[str, int, bool]]:
    """Statements hold statements, and what holds them: an import is in no expression."""
    if isinstance(node, ast.Import):
        yield from ((alias.name.split(".")[0], node.lineno, inner) for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module.split(".")[0], node.lineno, inner
    inner = inner or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    for block in ("body", "orelse", "handlers", "finalbody", "cases"):
        for each in getattr(node, block, ()):
            yield from _imports(each, inner=inner)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("library", ONE_PLACE)
def test_a_risky_library_is_imported_in_its_one_place(library: str) -> None:
    users = {relative(path) for path, name, _, _ in imports(library) if name == library}
    strays = {user for user in users if not user.startswith(ONE_PLACE[library])}
    assert not strays
    assert users, f"nothing imports {library} any more: drop it from this table and from the dependencies"


def test_a_network_is_spoken_to_in_one_place() -> None:
    libraries = ("httpx", "httpcore", "urllib3", "requests", "http")
    users = {relative(path) for path, name, _, _ in imports(*libraries) if name in libraries}
    # The other one only listens, on loopback, so that uv speaks to us alone.
    assert users == {"src/assess_registry/client/transport/http.py", "src/assess_registry/locking/mirror.py"}


def test_proof_of_verification_is_made_in_one_place() -> None:
    makers = {
        relative(path)
        for path, node in nodes("VerifiedWheel")
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", None)) == "VerifiedWheel"
    }
    assert makers == {"src/assess_registry/client/verify.py"}


def test_nothing_unpickles() -> None:
    found = [f"{relative(path)}:{line}" for path, name, line, _ in imports(*FORBIDDEN) if name in FORBIDDEN]
    assert not found


def test_imports_in_functions_are_for_the_command_line_only() -> None:
    found = [
        f"{relative(path)}:{line}: {name}"
        for path, name, line, inner in imports("    import ", "    from ")  # as `ruff format` indents them
        if inner and "/cli/" not in relative(path)
    ]
    assert not found


def test_nothing_loads_marshalled_data() -> None:
    found = [
        f"{relative(path)}:{node.lineno}"
        for path, node in nodes("marshal")
        if isinstance(node, ast.Attribute) and node.attr in ("load", "loads") and ast.unparse(node.value) == "marshal"
    ]
    assert not found


def test_modules_are_imported_by_name_in_the_worker_and_the_command_line_alone() -> None:
    found = {
        relative(path)
        for path, node in nodes(*BY_NAME)
        if (isinstance(node, ast.Name) and node.id in BY_NAME)
        or (isinstance(node, ast.Attribute) and node.attr in BY_NAME)
    }
    worker, console = "sdk/src/assess_plugin/worker/plugins.py", "src/assess_registry/console.py"
    # what few plugins need, and what the self-check of a worker is about
    once = {f"sdk/src/assess_plugin/worker/{name}.py" for name in ("remote", "selfcheck")}
    # httpx and tuf, and what the package offers to programs: each at first use
    lazily = ("/client/transport", "/client/trust/open.py", "src/assess_registry/__init__.py")
    assert {path for path in found if not any(place in path for place in lazily)} == {worker, console} | once


@pytest.mark.parametrize("name", ["eval", "exec"])
def test_nothing_evaluates_text(name: str) -> None:
    found = [
        f"{relative(path)}:{node.lineno}"
        for path, node in nodes(name)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    ]
    assert not found


def test_no_subprocess_call_uses_a_shell() -> None:
    found = [
        f"{relative(path)}:{node.value.lineno}"
        for path, node in nodes("shell")
        if isinstance(node, ast.keyword) and node.arg == "shell"
    ]
    assert not found


def test_the_version_needs_nothing_but_click() -> None:
    code = (
        "import sys; sys.argv = ['assess', '--version']\n"
        "from assess_core.cli import main\n"
        "try:\n    main()\nexcept SystemExit as done:\n    assert done.code == 0, done.code\n"
        "print(sorted({'pydantic', 'httpx', 'rich', 'cryptography', 'msgspec', 'asyncio'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
