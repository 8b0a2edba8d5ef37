"""The worker's kit holds the runtime's own code and nothing else; interpreters are known by who they are."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pluggy
import pytest

import assess_plugin
from assess_core.errors import StoreError
from assess_core.store import Interpreter, Store, running_interpreter
from assess_core.store.kit import kit_sources
from assess_plugin.testing.kit import make_kit
from tests.support.installing import count_events, kill_at, run_in_child, tree_of
from tests.support.interpreters import describe_interpreter, worker_kit

PROBE = """
import json, sys
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
import assess_plugin, assess_plugin.hookspecs
names = [name for name in set(sys.modules) - before if "pluggy" in name or "assess" in name]
print(json.dumps({name: sys.modules[name].__spec__.cached for name in names}))
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "state")


def probe(kit: Path, executable: Path) -> dict[str, str]:
    """What an isolated interpreter loads from the kit, and from which bytecode."""
    command = [str(executable), "-I", "-S", "-B", "-c", PROBE, str(kit)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    loaded: dict[str, str] = json.loads(done.stdout)
    return loaded


def test_an_isolated_interpreter_runs_from_the_kit_alone(store: Store) -> None:
    kit = worker_kit(store, running_interpreter())
    loaded = probe(kit, running_interpreter().path)
    assert {"assess_plugin", "_assess_pluggy"} <= loaded.keys()
    assert "pluggy" not in loaded
    for cached in loaded.values():
        assert Path(cached).is_relative_to(kit)
        assert Path(cached).read_bytes()[4:8] == b"\1\0\0\0", "unchecked hash, PEP 552"


def test_the_kit_is_the_runtimes_own_code_without_testing_kit_and_policy(store: Store) -> None:
    kit = worker_kit(store, running_interpreter())
    for name, package in (("assess_plugin", assess_plugin), ("_assess_pluggy", pluggy)):
        source = Path(str(package.__file__)).parent
        assert (kit / name / "__init__.py").read_bytes() == (source / "__init__.py").read_bytes()
    assert sorted(path.name for path in kit.iterdir()) == ["_assess_pluggy", "assess_plugin"]
    assert not [path for path in kit_sources() if {"testing", "isolation"} & set(Path(path).parts)]
    assert all(path.endswith(".py") for path in kit_sources())
    assert all(path.stat().st_mode & 0o777 == 0o444 for path in kit.rglob("*") if path.is_file())


def test_the_kit_of_an_authors_tests_is_the_runtimes(tmp_path: Path) -> None:
    kit = make_kit(tmp_path / "kit")
    found = {path.relative_to(kit).as_posix(): path.read_bytes() for path in kit.rglob("*.py")}
    assert found == kit_sources()


def test_a_kit_is_built_once_and_named_for_its_content(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first = worker_kit(store, running_interpreter())
    before = tree_of(store.root)
    assert worker_kit(store, running_interpreter()) == first
    assert tree_of(store.root) == before
    changed = kit_sources() | {"assess_plugin/more.py": b"x = 1\n"}
    monkeypatch.setattr("assess_core.store.kit.kit_sources", lambda: changed)
    second = worker_kit(store, running_interpreter())
    assert second != first
    assert (second / "assess_plugin/more.py").is_file()
    assert first.is_dir()


@pytest.mark.parametrize("before_the_end", [3, 2, 1, 0])
def test_a_kill_while_building_leaves_no_half_kit(tmp_path: Path, before_the_end: int) -> None:
    # The last three renames: of the finished staging directory, and of the two files about it; before, of bytecode.
    total = count_events(lambda: worker_kit(Store(tmp_path / "counted"), running_interpreter()), "os.rename")
    store = Store(tmp_path / "state")

    def work() -> None:
        kill_at(total - before_the_end, "os.rename")
        worker_kit(store, running_interpreter())

    assert run_in_child(work) == -9
    placed = before_the_end < 2
    assert len([path for path in (store.root / "kits").iterdir() if path.is_dir()]) == placed
    assert len(list((store.root / "staging").iterdir())) == (not placed)
    assert probe(worker_kit(store, running_interpreter()), running_interpreter().path)
    assert list((store.root / "staging").iterdir()) == []
    with store.layout.locked():
        assert len(list((store.root / "kits").iterdir())) == 3, "the kit, its contents, its stat"


def test_a_kit_for_another_interpreter_is_compiled_by_it(store: Store) -> None:
    # By the path of this environment it counts as another one, whatever is installed on this machine.
    other = replace(running_interpreter(), path=Path(sys.executable), cache_tag="other-1")
    kit = worker_kit(store, other)
    assert kit.name.endswith("-other-1")
    assert probe(kit, Path(sys.executable))["assess_plugin"].endswith(f"{sys.implementation.cache_tag}.pyc")


# Interpreters


def test_the_running_interpreter_is_the_base_one() -> None:
    found = running_interpreter()
    assert found.path == Path(os.path.realpath(sys._base_executable))  # type: ignore[attr-defined]
    assert found.cache_tag == sys.implementation.cache_tag
    assert found.site_packages == f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"


def test_an_environments_python_and_a_shim_are_traced_to_their_base(tmp_path: Path) -> None:
    shim = tmp_path / "python"
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    shim.chmod(0o755)
    assert describe_interpreter(Path(sys.executable)) == running_interpreter()
    assert describe_interpreter(shim) == running_interpreter()


@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 3\n", "#!/bin/sh\necho '[]'\n", "#!/bin/sh\necho nonsense\n", None])
def test_what_is_no_python_is_refused_by_name(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "python"
    if text is not None:
        path.write_text(text)
        path.chmod(0o755)
    with pytest.raises(StoreError, match=str(path)):
        describe_interpreter(path)


def test_an_interpreter_that_cannot_compile_is_named(store: Store, tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    interpreter: Interpreter = replace(running_interpreter(), path=broken)
    with pytest.raises(StoreError, match="could not compile"):
        worker_kit(store, interpreter)
    assert list((store.root / "kits").iterdir()) == []
    assert list((store.root / "staging").iterdir()) == []
