"""A runtime on a state directory: what `sync` says it did is what it did, and what is recorded stays as it was."""

from pathlib import Path

import pytest

from assess_core.config import Config, parse
from assess_core.pipeline import Action, Synced
from assess_core.runtime import Runtime
from tests.support.registry_tree import RegistryTree, make_registry_tree
from tests.support.wheels import demo_plugin_wheel


@pytest.fixture
def tree(tmp_path: Path) -> RegistryTree:
    return make_registry_tree(tmp_path / "registry", plugins=[demo_plugin_wheel("1.0.0")])


def configured(tree: RegistryTree, tmp_path: Path, *, runtime: str = "web-01", plugins: str | None = None) -> Config:
    wanted = plugins if plugins is not None else '[[plugins]]\nname = "demo-plugin"\n'
    text = f"""
    [runtime]
    id = "{runtime}"
    [registry]
    url = "{tree.root.as_uri()}"
    trusted_keys = "{tree.trusted_keys}"
    development = true
    {wanted}
    """
    return parse(text.encode(), tmp_path / "assess.toml")


def sync(config: Config, state: Path, *, dry_run: bool = False, offline: bool = False) -> Synced:
    with Runtime(config, state=state) as runtime:
        (line,) = runtime.sync(dry_run=dry_run, offline=offline)
    return line


def test_a_dry_run_says_what_a_sync_then_does(tree: RegistryTree, tmp_path: Path) -> None:
    config, state = configured(tree, tmp_path), tmp_path / "state"
    planned = sync(config, state, dry_run=True)
    assert (planned.action, planned.version) == (Action.WOULD_INSTALL, "1.0.0")
    with Runtime(config, state=state) as runtime:
        assert runtime.installed() == ()
    done = sync(config, state)
    assert (done.action, done.version) == (Action.INSTALLED, "1.0.0")

    assert sync(config, state, dry_run=True).action is Action.PRESENT
    tree.publish(*demo_plugin_wheel("1.1.0"))
    planned = sync(config, state, dry_run=True)
    assert (planned.action, planned.version, planned.previous) == (Action.WOULD_UPGRADE, "1.1.0", "1.0.0")
    done = sync(config, state)
    assert (done.action, done.version, done.previous) == (Action.UPGRADED, "1.1.0", "1.0.0")

    nothing = configured(tree, tmp_path, plugins="")
    assert sync(nothing, state, dry_run=True).action is Action.WOULD_REMOVE
    assert sync(config, state).action is Action.PRESENT
    assert sync(nothing, state).action is Action.REMOVED


def test_offline_uses_what_fits_and_says_so(tree: RegistryTree, tmp_path: Path) -> None:
    config, state = configured(tree, tmp_path), tmp_path / "state"
    assert sync(config, state, offline=True).action is Action.FAILED
    sync(config, state)
    assert sync(config, state, offline=True).action is Action.STALE
    newer = configured(tree, tmp_path, plugins='[[plugins]]\nname = "demo-plugin"\nversion = ">=2"\n')
    assert sync(newer, state, offline=True).action is Action.FAILED
