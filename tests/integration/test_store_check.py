"""`verify_environment` accepts what was audited, and names everything that is not, in both kinds of environments."""

import importlib.util
import json
import marshal
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from assess_core.errors import StoreError
from assess_core.store import EnvironmentReport, InstalledPlugin, Store, verify_environment
from assess_registry.client import Registry
from assess_registry.keys import generate_key
from tests.support.installing import DemoRegistry, demo_registry, install_here, tree_of
from tests.support.programs import installer_environment, refuse_or_skip
from tests.support.wheels import WheelBuilder, demo_plugin_wheel

PIP = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check"]
TAG = sys.implementation.cache_tag
GENERATED = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """A registry, a store with its plugin, the same in an environment that pip made, and where they are copied from."""

    demo: DemoRegistry
    installed: InstalledPlugin
    root: Path
    pipped: Path


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    directory = tmp_path_factory.mktemp("scene")
    tool = WheelBuilder.dependency(
        "tool",
        files={
            "tool/__init__.py": "def main(): pass\n",
            "tool-1.0.0.data/scripts/tool-script": "#!python\n",
            "tool-1.0.0.data/data/share/tool/data.txt": "data\n",
            "tool.pth": "# a comment\n",
        },
        entry_points={"console_scripts": {"tool": "tool:main"}},
    )
    plugin = demo_plugin_wheel(requires=("assess-plugin>=1.0,<2", "tool"))
    demo = demo_registry(directory / "registry", plugin, **{tool.filename: tool.build()})
    store = Store(directory / "state")
    installed = install_here(demo.verified(), store)
    store.activate(installed)
    pipped = directory / "pipped"
    venv.EnvBuilder(symlinks=True).create(pipped)
    pip_install(pipped, demo)
    return Scene(demo=demo, installed=installed, root=store.root, pipped=pipped)


def pip_install(environment: Path, demo: DemoRegistry, *more: str) -> None:
    """From this index alone, as a user types it, from outside of the environment."""
    url = f"{demo.tree.root.as_uri()}/simple"
    command = [*PIP, "--python", str(environment), "install", "--quiet", "--index-url", url, *more]
    subprocess.run([*command, "demo-plugin==1.0.0"], check=True, timeout=100, env=dict(installer_environment()))


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One copy of an environment to spoil, and the store to compare it with."""

    environment: Path
    site: Path
    store: Store

    def verify(self) -> EnvironmentReport:
        return verify_environment(self.environment, store=self.store)


@pytest.fixture(params=["ours", "pip"])
def case(request: pytest.FixtureRequest, scene: Scene, tmp_path: Path) -> Case:
    # Links are enough for the store: what is spoilt in it is replaced. In an environment some files are edited.
    shutil.copytree(
        scene.root, tmp_path / "state", symlinks=True, copy_function=os.link, ignore=shutil.ignore_patterns("envs")
    )
    store = Store(tmp_path / "state")
    environment = store.layout.environment(scene.installed.env_key)
    shutil.copytree(scene.installed.environment, environment, symlinks=True)
    if request.param == "pip":
        environment = shutil.copytree(scene.pipped, tmp_path / "pipped", symlinks=True)
    (site,) = environment.glob("lib/*/site-packages")
    return Case(environment=environment, site=site, store=store)


def test_what_was_installed_is_accepted(case: Case) -> None:
    report = case.verify()
    assert report.accepted, report.summary
    assert report.differences == ()
    assert [each.split()[0] for each in report.verified] == ["demo-plugin", "assess-plugin", "pluggy", "tool"]
    assert report.seeded == ()
    assert report.files > 50
    assert json.loads(json.dumps(report.as_dict()))["accepted"] is True


def replace_file(path: Path, data: bytes) -> None:
    path.unlink()
    path.write_bytes(data)


def spoil_source(case: Case) -> None:
    path = case.site / "demo_plugin/__init__.py"
    replace_file(path, path.read_bytes().replace(b"Outcome.FAIL", b"Outcome.PASS"))


def spoil_same_length(case: Case) -> None:
    path = case.site / "tool/__init__.py"
    replace_file(path, path.read_bytes().replace(b"main", b"evil"))


def spoil_manifest(case: Case) -> None:
    path = case.site / "demo_plugin/assess-plugin.toml"
    replace_file(path, path.read_bytes() + b"# more")


def spoil_metadata(case: Case) -> None:
    path = case.site / "tool-1.0.0.dist-info/METADATA"
    replace_file(path, path.read_bytes() + b"Requires-Dist: evil\n")


def spoil_bytecode(case: Case) -> None:
    evil = compile("print('evil')", "x.py", "exec")
    unchecked = importlib.util.MAGIC_NUMBER + b"\1\0\0\0" + bytes(8) + marshal.dumps(evil)
    replace_file(case.site / f"tool/__pycache__/__init__.{TAG}.pyc", unchecked)


def spoil_bytecode_of_a_level(case: Case) -> None:
    shutil.copyfile(
        case.site / f"demo_plugin/__pycache__/__init__.{TAG}.pyc",
        case.site / f"demo_plugin/__pycache__/__init__.{TAG}.opt-2.pyc",
    )


def spoil_foreign_bytecode(case: Case) -> None:
    (case.site / "tool/__pycache__/__init__.cpython-399.pyc").write_bytes(b"anything")


def spoil_with_a_directory_link(case: Case) -> None:
    (case.site / "elsewhere").symlink_to("/tmp", target_is_directory=True)


def spoil_with_a_link_for_a_file(case: Case) -> None:
    path = case.site / "tool/__init__.py"
    path.rename(case.environment.parent / "outside.py")
    path.symlink_to(case.environment.parent / "outside.py")


def spoil_with_a_fifo(case: Case) -> None:
    path = case.site / "tool-1.0.0.dist-info/METADATA"
    path.unlink()
    os.mkfifo(path)


def spoil_with_a_linked_distribution(case: Case) -> None:
    (case.site / "evil-1.dist-info").symlink_to(case.site / "tool-1.0.0.dist-info", target_is_directory=True)


def spoil_mode(case: Case) -> None:
    (case.site / "tool/__init__.py").chmod(0o4755)


def spoil_config(case: Case) -> None:
    path = case.environment / "pyvenv.cfg"
    path.write_text(path.read_text().replace("= false", "= true"))


def spoil_python(case: Case) -> None:
    (case.environment / "evil").write_text("#!/bin/sh\n")
    (case.environment / "bin/python").unlink()
    (case.environment / "bin/python").symlink_to("../evil")


def spoil_record(case: Case) -> None:
    path = case.site / "tool-1.0.0.dist-info/RECORD"
    path.write_text(path.read_text() + "../../../../../home/me/.ssh/id_ed25519,,\n")


def removing(path: str) -> Callable[[Case], None]:
    return lambda case: (case.site / path).unlink()


def adding(path: str, data: str = "import os\n") -> Callable[[Case], None]:
    def add(case: Case) -> None:
        target = case.environment / path.replace("SITE", case.site.relative_to(case.environment).as_posix())
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(data)

    return add


def spoil_original(case: Case) -> None:
    (path,) = case.store.layout.path("wheels").glob("*/tool-1.0.0-py3-none-any.whl")
    replace_file(path, path.read_bytes() + b"\0")


def spoil_by_removing_an_original(case: Case) -> None:
    (path,) = case.store.layout.path("wheels").glob("*/tool-1.0.0-py3-none-any.whl")
    path.unlink()


def spoil_lock(case: Case) -> None:
    (path,) = case.store.layout.path("locks").glob("*/pylock.toml")
    replace_file(path, path.read_bytes() + b"\n")


SPOILT: Mapping[str, tuple[Callable[[Case], None], str, str]] = {
    "a source": (spoil_source, "altered", "SITE/demo_plugin/__init__.py"),
    "a source, same length": (spoil_same_length, "altered", "SITE/tool/__init__.py"),
    "the manifest": (spoil_manifest, "altered", "SITE/demo_plugin/assess-plugin.toml"),
    "METADATA": (spoil_metadata, "altered", "SITE/tool-1.0.0.dist-info/METADATA"),
    "bytecode": (spoil_bytecode, "altered", f"SITE/tool/__pycache__/__init__.{TAG}.pyc"),
    "optimized bytecode": (
        spoil_bytecode_of_a_level,
        "altered",
        f"SITE/demo_plugin/__pycache__/__init__.{TAG}.opt-2.pyc",
    ),
    "bytecode of another Python": (
        spoil_foreign_bytecode,
        "unknown",
        "SITE/tool/__pycache__/__init__.cpython-399.pyc",
    ),
    "a link to a directory": (spoil_with_a_directory_link, "extra", "SITE/elsewhere"),
    "a link for a file": (spoil_with_a_link_for_a_file, "altered", "SITE/tool/__init__.py"),
    "a FIFO for METADATA": (spoil_with_a_fifo, "altered", "SITE/tool-1.0.0.dist-info/METADATA"),
    "a link to a distribution": (spoil_with_a_linked_distribution, "extra", "SITE/evil-1.dist-info"),
    "a mode": (spoil_mode, "altered", "SITE/tool/__init__.py"),
    "pyvenv.cfg": (spoil_config, "altered", "pyvenv.cfg"),
    "bin/python": (spoil_python, "altered", "bin/python"),
    "RECORD": (spoil_record, "altered", "SITE/tool-1.0.0.dist-info/RECORD"),
    "a missing module": (removing("tool/__init__.py"), "missing", "SITE/tool/__init__.py"),
    "a missing RECORD": (
        removing("tool-1.0.0.dist-info/RECORD"),
        "missing",
        "SITE/tool-1.0.0.dist-info/RECORD",
    ),
    "a .pth": (adding("SITE/evil.pth"), "extra", "SITE/evil.pth"),
    "a seed's .pth without the seed": (
        adding("SITE/distutils-precedence.pth"),
        "extra",
        "SITE/distutils-precedence.pth",
    ),
    "sitecustomize": (adding("SITE/sitecustomize.py"), "extra", "SITE/sitecustomize.py"),
    "a module in a package": (adding("SITE/tool/evil.py"), "extra", "SITE/tool/evil.py"),
    "bytecode without source": (adding("SITE/tool/evil.pyc"), "extra", "SITE/tool/evil.pyc"),
    "orphaned bytecode": (
        adding(f"SITE/__pycache__/evil.{TAG}.pyc"),
        "extra",
        f"SITE/__pycache__/evil.{TAG}.pyc",
    ),
    "a distribution": (
        adding("SITE/evil-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: evil\nVersion: 1\n"),
        "extra",
        "SITE/evil-1.dist-info/METADATA",
    ),
    "a second pyvenv.cfg": (adding("bin/pyvenv.cfg", "home = /tmp\n"), "extra", "bin/pyvenv.cfg"),
    "a program": (adding("bin/ls"), "extra", "bin/ls"),
    "a file at the top": (adding("evil.so"), "extra", "evil.so"),
    "the store's original": (spoil_original, "altered", "tool-1.0.0-py3-none-any.whl"),
    "the store's original, gone": (spoil_by_removing_an_original, "unknown", "tool-1.0.0-py3-none-any.whl"),
    "the store's lock": (spoil_lock, "altered", "pylock.toml"),
}


@pytest.mark.parametrize("what", SPOILT)
def test_what_was_changed_is_named(case: Case, what: str) -> None:
    spoil, kind, path = SPOILT[what]
    spoil(case)
    report = case.verify()
    assert not report.accepted
    wanted = path.replace("SITE", case.site.relative_to(case.environment).as_posix())
    named = [(each.kind, each.path) for each in report.differences]
    assert any(found == kind and where.endswith(wanted) for found, where in named), report.summary
    assert wanted in report.summary


def test_an_edit_through_a_hard_link_is_found_although_the_store_has_it_too(scene: Scene, tmp_path: Path) -> None:
    store = Store(tmp_path / "state")
    installed = install_here(scene.demo.verified(), store)
    path = installed.site_packages / "tool/__init__.py"
    path.chmod(0o644)
    path.write_text("evil = 1\n")
    (copy,) = store.layout.path("wheels").glob("*/*/site-packages/tool/__init__.py")
    assert copy.samefile(path)
    report = verify_environment(installed.environment, store=store)
    assert [each.path for each in report.differences if each.path.endswith(".py")] == [
        path.relative_to(installed.environment).as_posix()
    ]


def test_only_pips_environment_may_have_what_the_store_leaves_out(scene: Scene) -> None:
    ours, pips = scene.installed.environment, scene.pipped
    (site,) = pips.glob("lib/*/site-packages")
    for path in (pips / "bin/tool", pips / "bin/tool-script", pips / "share/tool/data.txt", site / "tool.pth"):
        assert path.is_file()
        assert not (ours / path.relative_to(pips)).exists()


@pytest.mark.parametrize("path", ["SITE/tool.pth", "share/tool/data.txt"])
def test_what_the_store_leaves_out_is_still_compared_with_the_wheel(scene: Scene, tmp_path: Path, path: str) -> None:
    environment = tmp_path / "pipped"
    shutil.copytree(scene.pipped, environment, symlinks=True)
    store = Store(scene.root)
    assert verify_environment(environment, store=store).accepted
    (site,) = environment.glob("lib/*/site-packages")
    relative = path.replace("SITE", site.relative_to(environment).as_posix())
    (environment / relative).write_text("import evil\n")
    report = verify_environment(environment, store=store)
    assert [(each.kind, each.path) for each in report.differences] == [("altered", relative)]


def test_signatures_are_verified_again_when_keys_are_given(scene: Scene, tmp_path: Path) -> None:
    store = Store(scene.root)
    environment = scene.installed.environment
    assert verify_environment(environment, store=store, registry=scene.demo.registry).accepted
    strangers = tmp_path / "keys"
    strangers.mkdir()
    (strangers / "stranger.pub").write_text(generate_key().public.pem())
    registry = Registry(scene.demo.tree.config(trusted_keys=strangers))
    report = verify_environment(environment, store=store, registry=registry)
    assert not report.accepted
    assert "signature" in report.differences[0].message


def test_an_environment_without_a_plugin_of_this_store_is_not_accepted(scene: Scene, tmp_path: Path) -> None:
    report = verify_environment(scene.pipped, store=Store(tmp_path / "empty"))
    assert not report.accepted
    assert report.differences[0].kind == "unknown"
    assert "no plugin in it is installed in this store" in report.summary


def test_what_is_no_environment_is_refused(tmp_path: Path, scene: Scene) -> None:
    with pytest.raises(StoreError, match="is not a virtual environment"):
        verify_environment(tmp_path, store=Store(scene.root))


def test_verifying_changes_nothing(case: Case) -> None:
    before = tree_of(case.environment)
    assert case.verify().accepted
    assert tree_of(case.environment) == before


# Beside pip


def _packages(environment: Path) -> dict[str, bytes]:
    """Every file in site-packages but what installers write there themselves."""
    (site,) = environment.glob("lib/*/site-packages")
    return {
        path.relative_to(site).as_posix(): path.read_bytes()
        for path in site.rglob("*")
        if path.is_file() and path.name not in GENERATED and path.suffix != ".pyc"
    }


def _bytecode(environment: Path) -> set[str]:
    (site,) = environment.glob("lib/*/site-packages")
    return {path.relative_to(site).as_posix() for path in site.rglob("*.pyc")}


def test_the_same_lock_gives_the_same_files_as_pip(scene: Scene, tmp_path: Path) -> None:
    wheel = scene.demo.verified()
    lines = [
        f"{each.inspected.project}=={each.inspected.version} --hash=sha256:{each.inspected.sha256}"
        for each in (wheel, *wheel.closure)
    ]
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("\n".join(lines))
    environment = tmp_path / "environment"
    venv.EnvBuilder(symlinks=True).create(environment)
    command = [*PIP, "--python", str(environment), "install", "--quiet", "--no-deps", "--require-hashes"]
    url = f"{scene.demo.tree.root.as_uri()}/simple"
    subprocess.run(
        [*command, "--index-url", url, "-r", str(requirements)],
        check=True,
        timeout=100,
        env=dict(installer_environment()),
    )
    theirs, ours = _packages(environment), _packages(scene.installed.environment)
    assert theirs.pop("tool.pth") == b"# a comment\n"  # a dependency's, left out on purpose
    assert ours == theirs
    assert len(ours) > 30
    assert _bytecode(scene.installed.environment) == _bytecode(environment)


def test_pip_reads_our_environment(scene: Scene) -> None:
    done = subprocess.run(
        [*PIP, "--python", str(scene.installed.python), "list", "--format", "json"],
        check=True,
        capture_output=True,
        timeout=100,
        env=dict(installer_environment()),
    )
    listed = {each["name"]: each["version"] for each in json.loads(done.stdout)}
    assert listed.keys() == {"demo-plugin", "tool", "assess-plugin", "pluggy"}
    assert listed["demo-plugin"] == "1.0.0"


def test_what_uv_installs_into_a_fresh_environment_is_accepted(scene: Scene, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    venv.EnvBuilder(symlinks=True).create(environment)
    url = f"{scene.demo.tree.root.as_uri()}/simple"
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(environment)]
    subprocess.run(
        [*command, "--index-url", url, "demo-plugin==1.0.0"],
        check=True,
        timeout=100,
        env=dict(installer_environment(HOME=str(tmp_path))),
    )
    report = verify_environment(environment, store=Store(scene.root))
    assert report.accepted, report.summary


def test_a_fresh_environment_with_its_own_pip_is_accepted(scene: Scene, tmp_path: Path) -> None:
    if importlib.util.find_spec("ensurepip") is None:
        refuse_or_skip("ensurepip")
    environment = tmp_path / "fresh"
    surroundings = dict(installer_environment())
    subprocess.run([sys.executable, "-m", "venv", environment], check=True, timeout=100, env=surroundings)
    url = f"{scene.demo.tree.root.as_uri()}/simple"
    pip = [str(environment / "bin/python"), "-m", "pip", "install", "--quiet", "--index-url", url]
    subprocess.run([*pip, "demo-plugin==1.0.0"], check=True, timeout=100, env=surroundings)
    store = Store(scene.root)
    report = verify_environment(environment, store=store)
    assert report.accepted, report.summary
    assert any(each.startswith("pip ") for each in report.seeded)
    (site,) = environment.glob("lib/*/site-packages")
    (site / "pip-evil.pth").write_text("import os\n")
    report = verify_environment(environment, store=store)
    assert [each.path for each in report.differences] == [os.path.relpath(site / "pip-evil.pth", environment)]
