"""Whether a plugin would run here is known before it is installed, and nothing is installed to know it."""

from pathlib import Path

import pytest
from packaging.requirements import Requirement

from assess_core.config import Config
from assess_core.delivery.compat import Compat
from assess_core.runtime import Runtime
from assess_core.store import Interpreters
from assess_core.versions import pin
from assess_registry.client import parse_project
from tests.integration.test_runtime import configured, sync
from tests.support.registry_tree import RegistryTree, copy_registry_tree
from tests.support.wheels import demo_manifest, demo_plugin_wheel


@pytest.fixture
def tree(tmp_path: Path) -> RegistryTree:
    return copy_registry_tree(tmp_path / "registry")


def looked(config: Config, state: Path, asked: str = "") -> Compat:
    with Runtime(config, state=state) as runtime:
        (found,) = runtime.compat(Requirement(asked) if asked else None)
    return found


def test_one_that_would_run_says_under_which_python_and_by_which_api(tree: RegistryTree, tmp_path: Path) -> None:
    found = looked(configured(tree, tmp_path), tmp_path / "state")
    assert (found.runs, found.distribution, found.version) == (True, "demo-plugin", "1.0.0")
    assert found.python is not None
    assert found.python.version == Interpreters().own.version
    assert [each.problem for each in found.pythons] == [""] * len(found.pythons)
    assert ">=1.0" in found.api
    assert not list((tmp_path / "state").glob("envs/*"))


def test_what_is_installed_is_not_fetched_again(
    tree: RegistryTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured(tree, tmp_path)
    sync(config, tmp_path / "state")

    def fetched(*_given: object, **_named: object) -> None:
        raise AssertionError("fetched")

    monkeypatch.setattr("assess_core.delivery.compat.fetch", fetched)
    assert looked(config, tmp_path / "state").runs
    with pytest.raises(AssertionError, match="fetched"):
        looked(config, tmp_path / "other")  # the control


def test_no_python_that_it_is_locked_for(tree: RegistryTree, tmp_path: Path) -> None:
    tree.publish(*demo_plugin_wheel("2.0.0", requires_python="==3.19.*"))
    found = looked(configured(tree, tmp_path), tmp_path / "state")
    assert not found.runs
    assert found.python is None
    assert all("it wants ==3.19.*" in each.problem for each in found.pythons)
    assert "it runs under Python 3.19, which is not on this machine" in found.problems[0]
    older = looked(configured(tree, tmp_path), tmp_path / "state", "demo-plugin==1.0.0")
    assert (older.runs, older.version) == (True, "1.0.0")


def test_a_pinned_version_is_the_one_that_is_looked_at(tree: RegistryTree, tmp_path: Path) -> None:
    config, state = configured(tree, tmp_path), tmp_path / "state"
    sync(config, state)
    tree.publish(*demo_plugin_wheel("2.0.0", requires_python="==3.19.*"))
    assert not looked(config, state).runs  # the control
    with Runtime(config, state=state) as runtime:
        pin(runtime, "demo-plugin", "1.0.0")
        choices = runtime.store.layout.choices(parse_project("demo-plugin"))
    assert (looked(config, state).runs, looked(config, state).version) == (True, "1.0.0")
    choices.write_text("{")
    assert str(choices) in looked(config, state).problems[0]


def test_what_the_configuration_does_not_grant(tree: RegistryTree, tmp_path: Path) -> None:
    plugin = '[[plugins]]\nname = "demo-plugin"\n[plugins.grant]\ncommands = []\n'
    found = looked(configured(tree, tmp_path, plugins=plugin), tmp_path / "state")
    assert not found.runs
    assert "uname" in found.problems[0]


def test_what_nobody_consented_to(tree: RegistryTree, tmp_path: Path) -> None:
    config = configured(tree, tmp_path)
    sync(config, tmp_path / "state")
    more = demo_manifest(
        permissions='read = ["/proc/sys", "/etc/os-release", "/etc/ssh"]\ncommands = [["uname", "-s"]]\n'
    )
    tree.publish(*demo_plugin_wheel("1.1.0", manifest=more))
    found = looked(config, tmp_path / "state")
    assert (found.version, found.runs) == ("1.1.0", False)
    assert "it asks for more than 1.0.0, and nobody has consented" in found.problems[0]


def test_one_that_is_not_there_is_a_problem_and_no_error(tree: RegistryTree, tmp_path: Path) -> None:
    found = looked(configured(tree, tmp_path), tmp_path / "state", "demo-plugin==9")
    assert not found.runs
    assert "no version satisfies" in found.problems[0]
