"""A plugin with real dependencies, locked for three Pythons and two platforms, and installed from our files alone.

pydantic brings native code, socksio comes with an extra, exceptiongroup is for Python 3.11 alone, and colorama would be
for Windows. The wheels are downloaded once and kept under `build/real-closure/`; remove that to see newer ones.
"""

import functools
import hashlib
import json
import os
import pwd
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from packaging.markers import Environment
from packaging.pylock import Pylock
from packaging.requirements import Requirement
from packaging.tags import platform_tags
from packaging.utils import parse_wheel_filename

from assess_core.store import Store, install
from assess_registry.client import Registry, Target, VerifiedWheel, fetch, resolve, verify
from assess_registry.config import Targets
from assess_registry.errors import RegistryError, TrustError
from assess_registry.lock import Lock, parse_lock
from assess_registry.targets import targets_of
from tests.support.closure import closure_wheels
from tests.support.downloads import BUILD, NO_INDEX, pip_download
from tests.support.interpreters import describe_interpreter
from tests.support.programs import refuse_or_skip
from tests.support.registry_tree import RegistryTree, make_registry_tree
from tests.support.wheels import DEMO_SOURCE, WheelBuilder

REQUIRED = ("pydantic>=2", "httpx[socks]", "rich")
CONDITIONAL = ('exceptiongroup; python_version < "3.12"', 'colorama; sys_platform == "win32"')
DOWNLOADS = BUILD / "real-closure" / hashlib.sha256(repr((sys.version_info[:2], *REQUIRED)).encode()).hexdigest()[:16]
NATIVE = "pydantic-core"
IMPORTS = ("pydantic", "pydantic_core", "httpx", "rich", "anyio", "certifi", "socksio", "assess_plugin", "demo_plugin")
TARGETS = Targets()
"""By default: 3.11 to 3.13, on x86_64 and aarch64."""

PLUGIN = WheelBuilder(
    requires=("assess-plugin>=1.0,<2", *REQUIRED, *CONDITIONAL), files={"demo_plugin/__init__.py": DEMO_SOURCE}
)


@functools.cache
def downloaded() -> Path:
    """A folder of wheels for all targets, and of those that every plugin needs; or the end of the test."""
    DOWNLOADS.mkdir(parents=True, exist_ok=True)
    complete = DOWNLOADS / "complete"
    if not complete.exists():
        if pip_download(DOWNLOADS, "--no-deps", "--retries=1", "exceptiongroup").returncode:
            refuse_or_skip(NO_INDEX)
        done = pip_download(DOWNLOADS, *REQUIRED)
        assert done.returncode == 0, done.stderr
        (native,) = DOWNLOADS.glob("pydantic_core-*.whl")
        wanted = f"{NATIVE}=={parse_wheel_filename(native.name)[1]}"
        for python in TARGETS.pythons:
            for machine in ("x86_64", "aarch64"):
                platforms = [f"--platform={each}_{machine}" for each in ("manylinux2014", "manylinux_2_28")]
                of = ["--implementation=cp", f"--python-version={python}", *platforms]
                done = pip_download(DOWNLOADS, "--no-deps", *of, wanted)
                assert done.returncode == 0, done.stderr
        complete.touch()
    for path in closure_wheels().glob("*.whl"):
        if not path.name.startswith("typing_extensions"):
            shutil.copy(path, DOWNLOADS)
    return DOWNLOADS


def interpreters() -> dict[str, Path]:
    """Those of the targets' Pythons that are on this machine, by version; this one is always among them."""
    homes = Path(pwd.getpwuid(os.getuid()).pw_dir) / ".pyenv" / "versions"
    found: dict[str, Path] = {}
    for python in TARGETS.pythons:
        on_path = [Path(each) / f"python{python}" for each in os.environ.get("PATH", "").split(os.pathsep)]
        for path in (*sorted(homes.glob(f"*/bin/python{python}")), *on_path):
            if path.is_file() and "shims" not in path.parts:
                found.setdefault(python, path)
    return found | {f"{sys.version_info[0]}.{sys.version_info[1]}": Path(sys.executable)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """What was locked, and a registry that has it."""

    said: Mapping[str, object]
    folder: Path
    tree: RegistryTree

    @property
    def lock(self) -> Lock:
        return parse_lock((self.tree.path(PLUGIN.filename).parent / "pylock.toml").read_bytes())

    def verified(self, target: Target, state: Path, tree: RegistryTree | None = None) -> VerifiedWheel:
        """The plugin and its closure, through all steps of the client."""
        with Registry((tree or self.tree).approved_config(state)) as registry:
            resolved = resolve(Requirement("demo-plugin"), registry=registry, target=target)
            return verify(fetch(resolved, registry=registry), registry=registry, target=target)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    directory = tmp_path_factory.mktemp("closure")
    wheels = downloaded()
    (directory / PLUGIN.filename).write_bytes(PLUGIN.build())
    (directory / "registry").mkdir()
    (directory / "registry" / "registry.toml").write_text('[registry]\nname = "local"\n')
    folder = directory / "folder"
    named = [word for path in interpreters().values() for word in ("--python", str(path))]
    program = Path(sys.executable).with_name("assess-registry")
    command: list[str | Path] = [program, "lock", directory / PLUGIN.filename, *named, "--output", "json"]
    command += ["--closure", wheels, "--to", folder, "--index", directory / "registry"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    closure = {path.name: path.read_bytes() for path in folder.iterdir()}
    tree = make_registry_tree(directory / "tree", plugins=[(PLUGIN.filename, PLUGIN.build())], closure=closure)
    said = json.loads(done.stdout)
    assert isinstance(said, dict)
    return Place(said=said, folder=folder, tree=tree)


def test_all_targets_are_served_by_what_belongs_there(place: Place) -> None:
    lock = place.lock
    projects = {wheel.project for wheel in lock.wheels} - {"demo-plugin"}
    assert len(projects) >= 12
    assert "colorama" not in projects
    assert len([wheel for wheel in lock.wheels if wheel.project == NATIVE]) == 6
    targets = tuple(targets_of(TARGETS))
    assert len(targets) == 6
    pylock = Pylock.from_dict(tomllib.loads(lock.data.decode()))
    for target in targets:
        chosen = {
            package.name: wheel
            for package, wheel in pylock.select(
                environment=cast("Environment", dict(target.environment)), tags=target.tags
            )
        }
        assert ("exceptiongroup" in chosen) == (target.environment["python_version"] == "3.11")
        machine = target.environment["platform_machine"]
        (native,) = [wheel for wheel in lock.select(target) if wheel.project == NATIVE]
        assert machine in native.filename
        assert f"cp{target.environment['python_version'].replace('.', '')}" in native.filename
        assert {str(name) for name in chosen} == {str(wheel.project) for wheel in lock.select(target)}
        assert len(chosen) >= 13


def test_each_target_says_whether_pip_agrees(place: Place) -> None:
    targets = place.said["targets"]
    assert isinstance(targets, list)
    checked = {each["target"]: each["checked_by_pip_under"] for each in targets}
    assert len(checked) == 6
    machine = os.uname().machine
    by_pip = {name for name, version in checked.items() if version}
    assert by_pip == {f"Python {python} on manylinux_2_28_{machine}" for python in interpreters()}


@pytest.mark.parametrize("python", TARGETS.pythons)
def test_each_interpreter_installs_its_closure_from_our_files_alone(
    python: str, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if python not in interpreters():
        refuse_or_skip(f"Python {python}")
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    interpreter = describe_interpreter(interpreters()[python])
    target = Target.cpython(interpreter.version, platforms=tuple(platform_tags()))
    wheel = place.verified(target, tmp_path / "trust")
    installed = install(wheel, store=Store(tmp_path / "state"), interpreter=interpreter, development=True)
    conditional = "importlib.util.find_spec('exceptiongroup') is not None"
    code = f"import {', '.join(IMPORTS)}, sys, importlib.util; print(sys.version.split()[0], {conditional})"
    done = subprocess.run(
        [installed.python, "-I", "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [interpreter.version, str(python == "3.11")]
    natives = [path for path in installed.site_packages.rglob("*.so") if "pydantic_core" in path.parts]
    assert len(natives) == 1, "wheels of other platforms stay in the registry"


def test_pip_installs_the_folder_by_its_lock_offline(place: Place, tmp_path: Path) -> None:
    done = pip_install(place.folder, tmp_path / "site")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "pydantic_core").is_dir()


def pip_install(folder: Path, site: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", "--isolated", "install", "--no-index", "--target", str(site)]
    return subprocess.run(
        [*command, "-r", str(folder / "pylock.toml")],
        env={"PATH": os.environ["PATH"], "PIP_CONFIG_FILE": os.devnull},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


# --- one byte, one wheel more, one wheel less -------------------------------------------------------------------------

H11 = "h11"
"""Three steps below the plugin: httpx, httpcore, h11."""


def wheel_in(directory: Path, project: str) -> Path:
    (found,) = [path for path in directory.glob("*.whl") if parse_wheel_filename(path.name)[0] == project]
    return found


def change(directory: Path) -> str:
    """One byte of a transitive wheel is another."""
    path = wheel_in(directory, H11)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    return path.name


def remove(directory: Path) -> str:
    path = wheel_in(directory, H11)
    path.unlink()
    return path.name


def add(directory: Path) -> str:
    """A higher version of a transitive wheel, which any resolver would take."""
    newer = WheelBuilder.dependency(H11, "0.99")
    (directory / newer.filename).write_bytes(newer.build())
    return newer.filename


ATTACKS: Mapping[str, Callable[[Path], str]] = {"changed": change, "removed": remove, "added": add}


@pytest.fixture
def tree(place: Place, tmp_path: Path) -> Iterator[RegistryTree]:
    copy = place.tree.copy(tmp_path / "copy")
    yield copy
    shutil.rmtree(copy.directory)


NEXT = PLUGIN.but(version="1.1.0")


@pytest.mark.parametrize("attack", ATTACKS)
def test_submitted_with_another_closure_than_was_locked_it_is_refused_by_name(attack: str, tree: RegistryTree) -> None:
    name = ATTACKS[attack](tree.closure)
    with pytest.raises(TrustError, match=rf"'closure': {name}") as refused:
        tree.submit({NEXT.filename: NEXT.build()})
    assert refused.value.thing == name


def test_submitted_with_what_was_locked_it_is_accepted(tree: RegistryTree) -> None:
    (submitted,) = tree.submit({NEXT.filename: NEXT.build()})
    names = {path.name for path in (submitted.submission.directory / "closure").glob("*.whl")}
    assert names == {path.name for path in tree.closure.glob("*.whl")} - {PLUGIN.filename}


@pytest.mark.parametrize("attack", [None, *ATTACKS])
def test_published_with_another_closure_than_was_approved_it_is_refused_by_name(
    attack: str | None, tree: RegistryTree
) -> None:
    submitted = tree.submit({NEXT.filename: NEXT.build()})
    tree.approve(*submitted)
    closure = submitted[0].submission.directory / "closure"
    if attack is None:
        assert tree.release(*submitted).version == NEXT.version
        return
    name = ATTACKS[attack](closure)
    with pytest.raises(RegistryError, match=name):
        tree.release(*submitted)
    assert tree.catalogue().release(NEXT.version) is None


@pytest.mark.parametrize("attack", [None, *ATTACKS])
def test_what_a_client_is_served_is_the_locked_closure_or_refused_by_name(
    attack: str | None, place: Place, tree: RegistryTree, tmp_path: Path
) -> None:
    target = Target.running()
    directory = wheel_directory(tree, H11)
    if attack is None:
        assert H11 in {each.inspected.project for each in place.verified(target, tmp_path / "trust", tree).closure}
        return
    if attack == "added":
        # Only a lock brings a wheel into a closure: so it is the lock that is added to.
        lock = tree.path(PLUGIN.filename).parent / "pylock.toml"
        text = lock.read_text()
        lock.write_text(text.replace('name = "h11"', 'name = "h12"', 1))
        name = "pylock.toml"
    else:
        name = ATTACKS[attack](directory)
    with pytest.raises(RegistryError, match=name.replace("+", r"\+")):
        place.verified(target, tmp_path / "trust", tree)


def wheel_directory(tree: RegistryTree, project: str) -> Path:
    (version,) = (tree.root / "files" / project).iterdir()
    return version


def test_a_wheel_that_joins_the_files_of_a_dependency_joins_no_closure(
    place: Place, tree: RegistryTree, tmp_path: Path
) -> None:
    before = place.verified(Target.running(), tmp_path / "one", tree)
    add(wheel_directory(tree, H11))
    after = place.verified(Target.running(), tmp_path / "two", tree)
    digests = [sorted(each.inspected.sha256 for each in one.closure) for one in (before, after)]
    assert digests[0] == digests[1]
