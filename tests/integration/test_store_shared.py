"""What is installed in another state directory is used where it lies, and nothing is written there."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from assess_core.cli import main
from assess_core.config import Config, parse
from assess_core.delivery.values import Action
from assess_core.errors import StoreError
from assess_core.runtime import Runtime
from assess_core.store import (
    DamagedError,
    InstalledPlugin,
    Kits,
    Store,
    prune,
    running_interpreter,
    verify_environment,
)
from assess_registry.client import Registry, TrustError
from tests.support.installing import DemoRegistry, install_here, run_in_child
from tests.support.interpreters import interpreter_for_all
from tests.support.mounts import in_mounts, may_mount, mount_read_only
from tests.support.registry_tree import RegistryTree, copy_registry_tree
from tests.support.wheels import demo_plugin_wheel

mounting = pytest.mark.skipif(not may_mount(), reason="needs the right to mount")


@pytest.fixture
def demo(tmp_path: Path) -> DemoRegistry:
    tree = copy_registry_tree(
        tmp_path / "registry", plugins=tuple(demo_plugin_wheel(each) for each in ("1.0.0", "1.1.0"))
    )
    return DemoRegistry(tree=tree, registry=Registry(tree.config()))


@pytest.fixture
def shared(demo: DemoRegistry, tmp_path: Path) -> Store:
    """With 1.0.0, and a kit."""
    store = Store(tmp_path / "shared")
    install_here(demo.verified("demo-plugin==1.0.0"), store)
    Kits(store)(running_interpreter())
    return store


@pytest.fixture
def store(shared: Store, tmp_path: Path) -> Store:
    return Store(tmp_path / "state", shared=shared.root)


def seen(top: Path) -> dict[str, tuple[int, int, int]]:
    """What the kernel says of everything in it; links count, for they are names, too."""
    return {
        path.relative_to(top).as_posix(): (status.st_ino, status.st_nlink, status.st_ctime_ns)
        for path in (top, *top.rglob("*"))
        for status in (path.lstat(),)
    }


def test_it_is_used_where_it_lies(shared: Store, store: Store, demo: DemoRegistry) -> None:
    before = seen(shared.root)
    installed = install_here(demo.verified("demo-plugin==1.0.0"), store)
    store.activate(installed)
    assert store.find(installed.distribution) == installed
    assert installed.environment.parent == shared.root / "envs"
    assert list(store.layout.path("envs").iterdir()) == []
    assert verify_environment(installed.environment, store=store).accepted
    assert store.kept(installed).data
    assert Kits(store)(running_interpreter()).parent == shared.root / "kits"
    with store.lease(installed):
        pass
    assert seen(shared.root) == before


def test_what_is_not_there_is_installed_here(shared: Store, store: Store, demo: DemoRegistry) -> None:
    before = seen(shared.root)
    installed = install_here(demo.verified("demo-plugin==1.1.0"), store)
    store.activate(installed)
    assert installed.environment.parent == store.root / "envs"
    assert verify_environment(installed.environment, store=store).accepted
    assert seen(shared.root) == before
    assert {record.plugin.version for record in store.records()} == {"1.0.0", "1.1.0"}
    assert {record.plugin.version for record in shared.records()} == {"1.0.0"}


def test_what_is_used_by_another_state_directory_is_not_pruned(shared: Store, store: Store, demo: DemoRegistry) -> None:
    installed = install_here(demo.verified("demo-plugin==1.0.0"), store)
    with store.lease(installed):
        assert [each.version for each in prune(shared, kits=frozenset()).in_use] == ["1.0.0"]
    assert prune(store, kits=frozenset()).removed == (), "only what is its own"
    assert [each.version for each in prune(shared, kits=frozenset()).removed] == ["1.0.0"]
    with pytest.raises(DamagedError, match="is gone"):
        store.lease(installed)
    again = install_here(demo.verified("demo-plugin==1.0.0"), store)
    assert again.environment.parent == store.root / "envs"


def test_what_was_touched_there_is_not_used(shared: Store, store: Store, demo: DemoRegistry) -> None:
    module = install_here(demo.verified("demo-plugin==1.0.0"), store).site_packages / "demo_plugin/__init__.py"
    module.chmod(0o644)
    module.write_text("x = 1\n")
    installed = install_here(demo.verified("demo-plugin==1.0.0"), store)
    assert installed.environment.parent == store.root / "envs"
    store.activate(installed)
    assert store.find(installed.distribution) == installed
    assert verify_environment(installed.environment, store=store).accepted


def writable_by_others(shared: Path) -> None:
    shared.chmod(0o777)


def somebody_elses(shared: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs another user")
    os.chown(shared, 12345, 12345)


@pytest.mark.parametrize("wrong", [writable_by_others, somebody_elses])
def test_one_that_somebody_else_can_change_is_refused(
    shared: Store, tmp_path: Path, wrong: Callable[[Path], None]
) -> None:
    Store(tmp_path / "state", shared=shared.root)
    wrong(shared.root)
    with pytest.raises(TrustError, match="somebody else can change"):
        Store(tmp_path / "state", shared=shared.root)


def test_one_of_a_newer_release_is_refused(shared: Store, tmp_path: Path) -> None:
    (shared.root / "layout.json").write_text('{"layout": 3}')
    with pytest.raises(StoreError, match="has layout 3"):
        Store(tmp_path / "state", shared=shared.root)


def test_one_that_is_no_directory_is_refused(shared: Store, tmp_path: Path) -> None:
    assert Store(tmp_path / "state", shared=shared.root).layouts[1].check()
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file: this is no directory"):
        Store(tmp_path / "state", shared=tmp_path / "file")


def test_one_that_is_not_there_is_said_and_done_without(
    tmp_path: Path, demo: DemoRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(tmp_path / "state", shared=tmp_path / "nowhere")
    assert [getattr(each, "action", "") for each in caplog.records] == ["shared-store-missing"]
    store.activate(install_here(demo.verified("demo-plugin==1.0.0"), store))
    assert len(store.active()) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
@interpreter_for_all
def test_another_user_uses_what_root_installed_where_it_may_be_read(
    shared: Store, tmp_path: Path, demo: DemoRegistry
) -> None:
    verified = demo.verified("demo-plugin==1.0.0")
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", 65534, 65534)
    for directory in (tmp_path, *tmp_path.parents[:3]):
        if directory != Path("/tmp"):
            directory.chmod(0o755)

    def work() -> None:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        store = Store(tmp_path / "theirs/state", shared=shared.root)
        installed = install_here(verified, store)
        where = "shared" if installed.environment.is_relative_to(shared.root) else "own"
        assert where == os.environ["ASSESS_TEST_WHERE"]
        with store.lease(installed):
            store.activate(installed)
            assert store.find(installed.distribution) == installed

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSESS_TEST_WHERE", "shared")
        assert run_in_child(work) != 0, "nobody may read it yet"
        for path in (shared.root, *shared.root.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
        assert run_in_child(work) == 0


# Read-only for real


def configured(tree: RegistryTree, tmp_path: Path, shared: Path | None) -> Config:
    return parse(_text(tree, shared).encode(), tmp_path / "assess.toml")


def _text(tree: RegistryTree, shared: Path | None) -> str:
    return f"""
    [runtime]
    id = "web-01"
    {f'shared_store = "{shared}"' if shared else ""}
    [registry]
    url = "{tree.root.as_uri()}"
    root = "{tree.root_metadata}"
    development = true
    [[plugins]]
    name = "demo-plugin"
    version = "==1.0.0"
    [[assessments]]
    id = "demo"
    plugin = "demo"
    provider = "demo-subjects"
    """


@mounting
def test_assessed_with_a_shared_store_that_is_mounted_read_only(tmp_path: Path, demo: DemoRegistry) -> None:
    shared, state = tmp_path / "shared", tmp_path / "state"
    with Runtime(configured(demo.tree, tmp_path, None), state=shared) as runtime:
        assert [line.action for line in runtime.sync()] == [Action.INSTALLED]

    def work() -> None:
        mount_read_only(shared)
        with pytest.raises(OSError, match="Read-only"):
            (shared / "x").touch()
        with Runtime(configured(demo.tree, tmp_path, shared), state=state) as runtime:
            synced = runtime.sync()
            assert [line.action for line in synced] == [Action.INSTALLED]
            run = runtime.assess(runtime.plan(synced), synced=synced)
            assert run.results
            assert run.shortcomings() == ()
            (installed,) = runtime.store.active()
            assert installed.environment.is_relative_to(shared)
            assert [report.accepted for report in runtime.verify(None)] == [True]
        assert not list((state / "envs").iterdir())

    assert in_mounts(work) == 0


@mounting
def test_a_state_directory_that_is_mounted_read_only_can_be_looked_at_and_says_so_else(
    tmp_path: Path, demo: DemoRegistry, capfd: pytest.CaptureFixture[str]
) -> None:
    state, config = tmp_path / "state", configured(demo.tree, tmp_path, None)
    with Runtime(config, state=state) as runtime:
        assert [line.action for line in runtime.sync()] == [Action.INSTALLED]

    def work() -> None:
        mount_read_only(state)
        with Runtime(config, state=state) as runtime:
            (installed,) = runtime.store.active()
            with runtime.store.lease(installed):
                assert runtime.store.check_untouched(installed) == ()
            with pytest.raises(StoreError, match=r"may not be used by this user.*Read-only"):
                prune(runtime.store, kits=frozenset())
            with pytest.raises(StoreError, match=r"may not be used by this user.*Read-only"):
                runtime.store.choose(installed.distribution, lambda known: known.without(installed.sha256))
        config.source.write_text(text)
        assert main(["plugins", "list", "--config", str(config.source), "--state-dir", str(state)]) == 0
        assert main(["sync", "--config", str(config.source), "--state-dir", str(state)]) == 1

    text = _text(demo.tree, None)
    assert in_mounts(work) == 0
    said = capfd.readouterr().err
    assert "read-only file system" in said
    assert "run it where the files may be changed" in said
    assert str(state) in said


def test_installed_is_unchanged_by_where_it_was_found(shared: Store, store: Store) -> None:
    (one,), (other,) = shared.records(), store.records()
    assert isinstance(one.plugin, InstalledPlugin)
    assert one == other
