"""Environments of another Python than the runtime's: verified by it, rebuilt for it, never run under yet another."""

import asyncio
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from assess_core.assessing.plan import Task
from assess_core.delivery.values import Action
from assess_core.doctor.plugins import lines as plugin_lines
from assess_core.doctor.trying import try_start
from assess_core.errors import PluginFault
from assess_core.host import health_check
from assess_core.runtime import Runtime
from assess_core.store import (
    InstalledPlugin,
    Interpreters,
    Store,
    running_interpreter,
    target_of,
    verify_environment,
)
from assess_core.store.interpreter import ask_build
from assess_core.versions import rollback
from assess_registry.simple import install as install_into
from tests.integration.test_runtime import configured
from tests.support.installed import host_config, make_installed
from tests.support.installing import DemoRegistry, demo_registry, install_here
from tests.support.interpreters import another_python, copied, describe_interpreter
from tests.support.registry_tree import copy_registry_tree
from tests.support.wheels import DEMO_SOURCE, demo_plugin_wheel


@pytest.fixture
def python(tmp_path: Path) -> Path:
    return copied(another_python(), tmp_path / "another")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoRegistry:
    return demo_registry(tmp_path_factory.mktemp("demo"), demo_plugin_wheel())


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "state")


@pytest.fixture
def installed(demo: DemoRegistry, store: Store, python: Path) -> InstalledPlugin:
    return install_here(demo.verified(), store, interpreter=describe_interpreter(python))


def cached(installed: InstalledPlugin) -> Path:
    (path,) = installed.site_packages.glob(f"demo_plugin/__pycache__/*.{installed.interpreter.cache_tag}.pyc")
    return path


def test_its_bytecode_is_compared_by_itself(installed: InstalledPlugin, store: Store, python: Path) -> None:
    known = Interpreters(configured=(python,))
    assert installed.interpreter.cache_tag != running_interpreter().cache_tag
    report = verify_environment(installed.environment, store=store, interpreters=known)
    assert report.accepted, report.differences

    path = cached(installed)
    data = path.read_bytes()
    path.unlink()  # it is a link to the store's copy
    for changed in (data.replace(b"demo-greeting", b"demo-gREEting"), data[:-1], b"", data + b"\0"):
        assert changed != data
        path.write_bytes(changed)
        report = verify_environment(installed.environment, store=store, interpreters=known)
        assert [each.kind for each in report.differences if each.path.endswith(path.name)] == ["altered"]
    path.write_bytes(data)
    assert not [
        each
        for each in verify_environment(installed.environment, store=store, interpreters=known).differences
        if each.path.endswith(path.name)
    ]


def test_with_it_gone_nobody_can_say_and_that_is_said(
    installed: InstalledPlugin, store: Store, python: Path, tmp_path: Path
) -> None:
    shutil.move(tmp_path / "another", tmp_path / "away")
    known = Interpreters(configured=(python,))
    report = verify_environment(installed.environment, store=store, interpreters=known)
    said = {each.path: each for each in report.differences if each.path.endswith(".pyc")}
    assert {each.kind for each in said.values()} == {"unknown"}
    version = installed.interpreter.version
    expected = f"its environment needs Python {version}, which was {python}; that is gone"
    assert all(expected in each.message for each in said.values())


def test_what_others_may_change_is_not_run_to_compare_anything(
    installed: InstalledPlugin, store: Store, python: Path
) -> None:
    python.chmod(0o777)
    report = verify_environment(installed.environment, store=store, interpreters=Interpreters(configured=(python,)))
    said = [each for each in report.differences if each.path.endswith(".pyc")]
    assert {each.kind for each in said} == {"unknown"}
    assert all("others can change it" in each.message for each in said)


def test_an_upgraded_one_is_noticed_and_gets_an_environment_of_its_own(python: Path, tmp_path: Path) -> None:
    wheel = demo_plugin_wheel("1.0.0", requires_python=f"=={python.name.removeprefix('python')}.*")
    config = configured(copy_registry_tree(tmp_path / "registry", plugins=[wheel]), tmp_path)
    upgraded: dict[str, str] = {}

    def ask(path: Path) -> Mapping[str, str]:
        return {**ask_build(path), **upgraded}

    def synced(*, offline: bool = False) -> tuple[Action, InstalledPlugin, str]:
        with Runtime(config, state=tmp_path / "state") as runtime:
            runtime.interpreters = Interpreters(configured=(python,), memory=tmp_path / "known.json", ask=ask)
            (before,) = runtime.installed()
            change = runtime.interpreters.change(before.interpreter)
            (line,) = runtime.sync(offline=offline)
            (plugin,) = runtime.installed()
        return line.action, plugin, change

    with Runtime(config, state=tmp_path / "state") as runtime:
        runtime.interpreters = Interpreters(configured=(python,), memory=tmp_path / "known.json", ask=ask)
        (line,) = runtime.sync()
        assert line.action is Action.INSTALLED, line.reason
        (first,) = runtime.installed()
    assert synced() == (Action.PRESENT, first, "")  # the control
    version = first.interpreter.version
    upgraded["version"] = f"{version}1"
    os.utime(python, ns=(1, 1))
    _, second, change = synced()
    assert change == f"its environment is for Python {version}, and {python} is {version}1 now"
    assert second.interpreter == replace(first.interpreter, version=f"{version}1")
    assert second.env_key != first.env_key
    assert synced() == (Action.PRESENT, second, "")

    # Once more, and the registry cannot be asked: what was kept is verified again and built for it.
    upgraded["version"] = f"{version}2"
    os.utime(python, ns=(2, 2))
    action, third, _ = synced(offline=True)
    assert (action, third.interpreter.version) == (Action.STALE, f"{version}2")
    assert synced() == (Action.PRESENT, third, "")


def test_a_worker_under_another_minor_version_loads_nothing(tmp_path: Path) -> None:
    own = running_interpreter()
    modules, plugins = {"demo_plugin": DEMO_SOURCE}, {"demo": "demo_plugin:plugin"}
    right = make_installed(tmp_path / "right", modules, plugins=plugins)
    asyncio.run(health_check(right, host_config(tmp_path)))  # the control
    wrong = replace(right, interpreter=replace(own, version="3.42.0"))
    with pytest.raises(PluginFault, match=r"is for Python 3\.42\.0, and .* now; run `assess sync`"):
        asyncio.run(health_check(wrong, host_config(tmp_path)))


def test_a_real_one_accepts_the_tags_that_it_says_itself(python: Path) -> None:
    """What is worked out for another interpreter is what that interpreter works out for itself."""
    target = target_of(describe_interpreter(python))
    minor = python.name.removeprefix("python3.")
    assert str(target.tags[0]) == f"cp3{minor}-cp3{minor}-{next(iter(target.tags)).platform}"
    assert target.environment["python_version"] == f"3.{minor}"


def release(version: str, python: Path | None) -> tuple[str, bytes]:
    """Of the demo plugin, for this Python only, or for any."""
    only = ">=3.11" if python is None else f"=={python.name.removeprefix('python')}.*"
    return demo_plugin_wheel(version, requires_python=only)


def test_a_release_stays_where_it_runs_and_the_next_one_is_chosen_for_anew(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = copy_registry_tree(tmp_path / "registry", plugins=[release("1.0.0", python)])
    config, state = configured(tree, tmp_path), tmp_path / "state"

    def synced(places: tuple[str, ...]) -> InstalledPlugin:
        with Runtime(config, state=state) as runtime:
            runtime.interpreters = Interpreters(places=places)
            (line,) = runtime.sync()
            assert not line.reason, line
            (plugin,) = runtime.installed()
            return plugin

    here = (str(python.parent),)
    first = synced(here)
    assert first.interpreter.path == python
    tree.publish(*release("1.1.0", None))
    second = synced(here)
    assert (second.version, second.interpreter) == ("1.1.0", running_interpreter())
    assert synced(here) == second, "the other Python is there all the time, and moves nothing"


def test_compat_names_the_python_that_sync_leaves_it_under(python: Path, tmp_path: Path) -> None:
    config = configured(copy_registry_tree(tmp_path / "registry", plugins=[release("1.0.0", None)]), tmp_path)

    def said(interpreters: Interpreters) -> tuple[Path, Path]:
        with Runtime(config, state=tmp_path / "state") as runtime:
            runtime.interpreters = interpreters
            runtime.sync()
            (plugin,), (looked,) = runtime.installed(), runtime.compat()
            assert looked.python is not None
            return plugin.interpreter.path, looked.python.path

    assert said(Interpreters(configured=(python,))) == (python, python)
    here = Interpreters(places=(str(python.parent),))
    assert said(here) == (python, python), "it serves, and stays"
    shutil.rmtree(tmp_path / "state")
    own = running_interpreter().path
    assert said(here) == (own, own), "the control: new, it is chosen for anew"


def test_a_plugin_of_a_folder_runs_under_the_python_that_its_wheels_are_for(python: Path, tmp_path: Path) -> None:
    tree = copy_registry_tree(tmp_path / "registry", plugins=[release("1.0.0", python)])
    folder = tmp_path / "plugins"
    target = target_of(describe_interpreter(python))
    install_into("demo-plugin", index=tree.root, to=folder, trusted_keys=tree.trusted_keys, target=target)
    entry = f'[[plugins]]\ndir = "{folder}"\ntrusted_keys = "{tree.trusted_keys}"\n'
    config = configured(tree, tmp_path, plugins=entry)
    with Runtime(config, state=tmp_path / "state") as runtime:
        runtime.interpreters = Interpreters(places=())
        (line,) = runtime.sync()
        assert line.action is Action.REFUSED
        assert "does not serve this interpreter" in line.reason
        runtime.interpreters = Interpreters(places=(str(python.parent),))
        (line,) = runtime.sync()
        assert line.action is Action.INSTALLED, line.reason
        (plugin,) = runtime.installed()
        (found,) = runtime.compat()
    assert plugin.interpreter.path == python
    assert found.runs
    assert found.python is not None
    assert found.python.path == python


@pytest.mark.parametrize("offline", [False, True])
def test_what_an_order_leaves_out_does_not_run_on(python: Path, tmp_path: Path, offline: bool) -> None:
    tree = copy_registry_tree(tmp_path / "registry", plugins=[release("1.0.0", python)])
    config, state = configured(tree, tmp_path), tmp_path / "state"

    def synced(*order: Path, offline: bool = False) -> tuple[str, str, str, int]:
        with Runtime(config, state=state) as runtime:
            runtime.interpreters = Interpreters(configured=order)
            (line,) = runtime.sync(offline=offline)
            runnable = [task for task in runtime.plan([line]) if isinstance(task, Task)]
            return line.action, line.previous, line.reason, len(runnable)

    assert synced(python)[3] == 1
    action, previous, reason, runnable = synced(running_interpreter().path, offline=offline)
    assert (action, previous, runnable) == ("refused", "", 0)
    assert ("is not to be used any more" if offline else "is none of runtime.interpreters") in reason
    assert synced(python)[0] == "present"


def test_nothing_is_started_under_one_that_others_can_change(python: Path, tmp_path: Path) -> None:
    """Whoever starts it. What is opened to others is a directory of the copy; its files are links to the real ones."""
    tree = copy_registry_tree(tmp_path / "registry", plugins=[release("1.0.0", python)])
    config, state = configured(tree, tmp_path), tmp_path / "state"
    encodings = python.parent.parent / "lib" / python.name / "encodings"

    def runtime() -> Runtime:
        made = Runtime(config, state=state)
        made.interpreters = Interpreters(configured=(python,), memory=state / "interpreters.json")
        return made

    for each in ("1.0.0", "1.1.0"):
        if each != "1.0.0":
            tree.publish(*release(each, python))
        with runtime() as installing:
            (synced,) = installing.sync()
            assert synced.version == each, synced
    with runtime() as first:
        (plugin,) = first.installed()
        assert try_start(plugin, first) == ()  # the control
        assert [line.state for line in plugin_lines(first)] == ["ok"]
    encodings.chmod(0o777)
    refused = f"others can change it: {encodings} has mode 0777"
    with runtime() as second:
        with pytest.raises(PluginFault, match=refused):
            try_start(plugin, second)
        (line,) = plugin_lines(second)
        assert (line.state, refused in line.text) == ("fail", True)
        with pytest.raises(PluginFault, match=refused):
            rollback(second, "demo-plugin")
    encodings.chmod(0o755)
    with runtime() as third:
        assert rollback(third, "demo-plugin").plugin.version == "1.0.0"  # the control


def test_nothing_is_gone_back_to_that_an_order_leaves_out(python: Path, tmp_path: Path) -> None:
    tree = copy_registry_tree(tmp_path / "registry", plugins=[release("1.0.0", python)])
    config, state = configured(tree, tmp_path), tmp_path / "state"
    with Runtime(config, state=state) as runtime:
        runtime.interpreters = Interpreters(configured=(python,))
        runtime.sync()
    tree.publish(*release("1.1.0", None))
    with Runtime(config, state=state) as runtime:
        runtime.interpreters = Interpreters(configured=(running_interpreter().path,))
        (line,) = runtime.sync()
        assert line.version == "1.1.0", line
        with pytest.raises(PluginFault, match=r"it is none of runtime\.interpreters"):
            rollback(runtime, "demo-plugin")
        runtime.interpreters = Interpreters(configured=(running_interpreter().path, python))
        assert rollback(runtime, "demo-plugin").plugin.version == "1.0.0"  # the control
