"""An environment that is not as it was built is not used, and is built again from the kept originals."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from assess_core.store import (
    DamagedError,
    InstalledPlugin,
    Interpreters,
    Store,
    prove_again,
    require_approved,
    running_interpreter,
    untouched,
    verify_environment,
)
from assess_registry.client import Sha256, TrustError, VerifiedWheel
from tests.support.installing import DemoRegistry, demo_registry, install_here

MODULE = "demo_plugin/__init__.py"
SHARED = "pluggy/__init__.py"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoRegistry:
    """Demo plugin with the real closure."""
    return demo_registry(tmp_path_factory.mktemp("registry"))


@pytest.fixture(scope="module")
def wheel(demo: DemoRegistry) -> VerifiedWheel:
    return demo.verified()


@pytest.fixture(scope="module")
def built(wheel: VerifiedWheel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = Store(tmp_path_factory.mktemp("built") / "state")
    store.activate(install_here(wheel, store))
    return store.root


@pytest.fixture
def store(built: Path, tmp_path: Path) -> Store:
    """A copy, hard links kept, that is in use."""
    linked: dict[int, str] = {}

    def copy(source: str, target: str) -> str:
        inode = os.lstat(source).st_ino
        if inode in linked:
            os.link(linked[inode], target)
        else:
            shutil.copy2(source, target, follow_symlinks=False)
            linked[inode] = target
        return target

    shutil.copytree(built, tmp_path / "state", symlinks=True, copy_function=copy)
    return Store(tmp_path / "state")


@pytest.fixture
def installed(store: Store) -> InstalledPlugin:
    (found,) = store.active()
    assert (found.site_packages / MODULE).stat().st_nlink > 1
    assert store.check_untouched(found) == ()
    return found


def edit(path: Path, data: bytes) -> None:
    """In place, and put back whatever a program can put back: size, both times, mode."""
    before = path.stat()
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(before.st_mode & 0o7777)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def same_size(path: Path) -> None:
    edit(path, b"#" * path.stat().st_size)


def other_size(path: Path) -> None:
    edit(path, b"print('altered')\n")


def another_file(path: Path) -> None:
    path.unlink()
    path.write_bytes(b"print('altered')\n")


def a_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/null")


def bytecode(path: Path) -> None:
    (cached,) = (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc")
    edit(cached, cached.read_bytes()[:-1] + b"\xff")


def no_bytecode(path: Path) -> None:
    next((path.parent / "__pycache__").glob(f"{path.stem}.*.pyc")).unlink()


def one_more(path: Path) -> None:
    (path.parent.parent / "sitecustomize.py").write_text("")


def a_directory(path: Path) -> None:
    (path.parent / "more").mkdir()


def others_may_write(path: Path) -> None:
    path.chmod(0o666)


def others_may_write_beside(path: Path) -> None:
    path.parent.chmod(0o777)


def setuid(path: Path) -> None:
    path.chmod(0o4444)


def the_interpreter(path: Path) -> None:
    python = path.parents[4] / "bin/python"
    target = python.readlink()
    python.unlink()
    python.symlink_to(f"/usr/../{target}")


def the_configuration(path: Path) -> None:
    edit(path.parents[4] / "pyvenv.cfg", b"include-system-site-packages = true\n")


DAMAGES: tuple[Callable[[Path], None], ...] = (
    *(same_size, other_size, another_file, a_link, bytecode, no_bytecode, one_more, a_directory, others_may_write),
    *(others_may_write_beside, setuid, the_interpreter, the_configuration, Path.unlink),
)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_touched_environment_is_not_used_and_built_again(
    store: Store,
    wheel: VerifiedWheel,
    installed: InstalledPlugin,
    damage: Callable[[Path], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    honest = (installed.site_packages / MODULE).read_bytes()
    damage(installed.site_packages / MODULE)
    assert store.check_untouched(installed) != ()
    assert store.find(installed.distribution) is None
    assert store.active() == ()
    assert {getattr(record, "action", "") for record in caplog.records} == {"store-damaged"}
    assert store.installed(installed.lock_sha256, installed.sha256, running_interpreter()) is None
    with pytest.raises(DamagedError, match="is not as it was built"):
        store.activate(installed)
    assert store.serving() == (installed.environment,), "what differs can still be shown"
    again = install_here(wheel, store)
    store.activate(again)
    assert again.environment == installed.environment
    assert (again.site_packages / MODULE).read_bytes() == honest
    assert not (again.site_packages / "sitecustomize.py").exists()
    assert store.active() == (again,)
    assert verify_environment(again.environment, store=store).accepted
    unpacked = store.layout.wheel(installed.sha256) / f"{running_interpreter().cache_tag}/site-packages"
    assert (unpacked / MODULE).read_bytes() == honest, "the unpacked wheel was damaged through the link, too"
    assert (unpacked / MODULE).samefile(again.site_packages / MODULE)
    assert list(store.layout.path("staging").iterdir()) == []


def test_what_is_damaged_is_said_once_until_it_is_built_again(
    store: Store, installed: InstalledPlugin, wheel: VerifiedWheel, caplog: pytest.LogCaptureFixture
) -> None:
    def look() -> list[str]:
        caplog.clear()
        for _ in range(2):
            found = store.installed(installed.lock_sha256, installed.sha256, installed.interpreter)
            assert (store.find(installed.distribution) is None) is (found is None)
        return [getattr(record, "action", "") for record in caplog.records]

    for change in (other_size, one_more):
        assert look() == []
        change(installed.site_packages / MODULE)
        assert look() == ["store-damaged"]
        assert look() == []
        edit(installed.site_packages / MODULE, b"# and another\n" * 9)
        assert look() == ["store-damaged"], "it is damaged otherwise by now"
        install_here(wheel, store)


def test_what_only_changes_how_it_lies_on_the_disk_is_no_damage(store: Store, installed: InstalledPlugin) -> None:
    before = store.layout.built_environment(installed.env_key).stat.read_bytes()
    path = installed.site_packages / MODULE
    os.utime(path)
    os.link(path, store.root / "another-link")
    (store.root / "another-link").unlink()
    assert store.find(installed.distribution) == installed
    assert store.layout.built_environment(installed.env_key).stat.read_bytes() != before, "renewed: next time is cheap"


def test_an_edit_through_one_environments_link_is_seen_in_the_other(
    store: Store, demo: DemoRegistry, installed: InstalledPlugin
) -> None:
    other = install_here(demo.verified("demo-plugin==1.1.0"), store)
    assert (other.site_packages / SHARED).samefile(installed.site_packages / SHARED)
    assert store.check_untouched(installed) == store.check_untouched(other) == ()
    same_size(other.site_packages / SHARED)
    for each in (installed, other):
        (difference,) = store.check_untouched(each)
        assert difference.path.endswith(SHARED)
    # The one that is built again gets a file of its own, and the other one stays condemned.
    again = install_here(demo.verified("demo-plugin==1.1.0"), store)
    assert store.check_untouched(again) == ()
    assert store.check_untouched(installed) != ()
    assert store.check_untouched(install_here(demo.verified(), store)) == ()


def test_unchanged_nothing_is_read(store: Store, installed: InstalledPlugin, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[Path] = []

    def forget(path: Path) -> str:
        hashed.append(path)
        return ""

    monkeypatch.setattr("assess_core.store.untouched._sha256", forget)
    assert store.check_untouched(installed) == ()
    assert hashed == []
    os.utime(installed.site_packages / MODULE)
    assert store.check_untouched(installed) != ()
    assert hashed != []


@pytest.mark.parametrize("gone", [True, False])
def test_what_is_pruned_while_it_is_looked_at_is_as_good_as_gone(
    store: Store, wheel: VerifiedWheel, installed: InstalledPlugin, monkeypatch: pytest.MonkeyPatch, gone: bool
) -> None:
    original = untouched._sha256

    def too_late(path: Path) -> str:
        if gone and not (store.root / "pruned").exists():
            installed.environment.rename(store.root / "pruned")
        return original(path)

    monkeypatch.setattr(untouched, "_sha256", too_late)
    os.utime(installed.site_packages / MODULE)
    assert bool(store.check_untouched(installed)) == gone
    assert install_here(wheel, store).env_key == installed.env_key
    assert store.check_untouched(installed) == ()


@pytest.mark.parametrize("move", ["rename", "copy", "copy links"])
def test_a_state_directory_may_be_moved_to_another_disk(
    store: Store, installed: InstalledPlugin, tmp_path: Path, move: str
) -> None:
    moved = tmp_path / "moved"
    match move:
        case "rename":
            store.root.rename(moved)
        case "copy":
            shutil.copytree(store.root, moved, symlinks=True)
        case "copy links":
            shutil.copytree(store.root, moved, symlinks=True, copy_function=shutil.copy)
    (found,) = Store(moved).active()
    assert found.environment == moved / "envs" / installed.env_key
    same_size(found.site_packages / MODULE)
    assert Store(moved).active() == ()


@pytest.mark.parametrize("name", ["contents", "stat"])
@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_what_is_remembered_may_be_lost(
    store: Store, wheel: VerifiedWheel, installed: InstalledPlugin, name: str, damage: str
) -> None:
    path = store.layout.record(installed.env_key).with_suffix(f".{name}")
    path.unlink()
    if damage == "damaged":
        path.write_text("{}")
    # Without the digest everything is hashed; the list of contents is needed only when something seems to be changed.
    assert store.find(installed.distribution) == installed
    os.utime(installed.site_packages / MODULE)
    assert (store.find(installed.distribution) is None) == (name == "contents")
    store.activate(install_here(wheel, store))
    assert len(store.active()) == 1


# Built again without the registry


def test_what_was_kept_is_enough_to_build_it_again(
    store: Store, demo: DemoRegistry, installed: InstalledPlugin
) -> None:
    def again() -> InstalledPlugin | None:
        return prove_again(installed.distribution, store=store, registry=demo.registry, interpreters=Interpreters())

    other_size(installed.site_packages / MODULE)
    assert store.find(installed.distribution) is None
    found = again()
    assert found is not None
    assert (found.env_key, found.development) == (installed.env_key, installed.development)
    assert store.find(installed.distribution) == found
    store.deactivate(installed.distribution)
    assert again() is None


@pytest.mark.parametrize("original", ["wheel", "lock"])
def test_it_is_not_built_again_from_altered_originals(
    store: Store, demo: DemoRegistry, installed: InstalledPlugin, original: str
) -> None:
    other_size(installed.site_packages / MODULE)
    path = next((store.root / "wheels" / installed.sha256).glob("*.whl"))
    path = path if original == "wheel" else store.layout.lock_file(installed.lock_sha256)
    edit(path, path.read_bytes()[:-1] + b"\xff")
    with pytest.raises(TrustError):
        prove_again(installed.distribution, store=store, registry=demo.registry, interpreters=Interpreters())
    assert store.find(installed.distribution) is None


# Whether it may be used still


@pytest.mark.parametrize("what", ["wheel", "wheel signature", "verdict", "lock", "lock signature"])
@pytest.mark.parametrize("damage", [other_size, Path.unlink], ids=["altered", "gone"])
def test_what_was_kept_is_verified_again(
    store: Store, demo: DemoRegistry, installed: InstalledPlugin, what: str, damage: Callable[[Path], None]
) -> None:
    def again() -> InstalledPlugin | None:
        return prove_again(installed.distribution, store=store, registry=demo.registry, interpreters=Interpreters())

    assert again() == installed  # the control
    (path,) = (store.root / "wheels" / installed.sha256).glob("*.whl")
    path = store.layout.lock_file(installed.lock_sha256) if what.startswith("lock") else path
    path = path.with_name(f"{path.name}.sig") if what.endswith("signature") else path
    path = path.with_name(f"{path.name}.verdict.json") if what == "verdict" else path
    damage(path)
    with pytest.raises(TrustError) as refused:
        again()
    assert refused.value.step in {"length", "hash", "signature", "lock", "record", "envelope"}


def test_nothing_is_built_again_when_nothing_may_be_changed(
    store: Store, demo: DemoRegistry, installed: InstalledPlugin
) -> None:
    def again() -> InstalledPlugin | None:
        return prove_again(
            installed.distribution,
            store=store,
            registry=demo.registry,
            interpreters=Interpreters(),
            change=False,
        )

    assert again() == installed
    other_size(installed.site_packages / MODULE)
    with pytest.raises(DamagedError, match="not as it was built"):
        again()


@pytest.mark.parametrize(
    ("field", "step"), [("version", "catalogue"), ("sha256", "hash"), ("lock_sha256", "hash"), ("manifest", "verdict")]
)
def test_a_record_that_says_something_else_than_was_approved_is_refused(
    store: Store, demo: DemoRegistry, installed: InstalledPlugin, field: str, step: str
) -> None:
    require_approved(installed, store=store, registry=demo.registry)  # the control
    path = store.layout.record(installed.env_key)
    record = json.loads(path.read_bytes())
    match field:
        case "manifest":
            record["manifest"] = record["manifest"].replace('"/etc/os-release"', '"/etc"')
        case "version":
            record["wheels"][0]["version"] = "1.0.9"
        case "sha256":
            (verdict,) = (store.root / "wheels" / installed.sha256).glob("*.verdict.json")
            other = store.layout.wheel(Sha256("0" * 64)) / verdict.name
            other.parent.mkdir()
            shutil.copy2(verdict, other)
            record["wheels"][0]["sha256"] = "0" * 64
        case _:
            record["lock_sha256"] = "0" * 64
    path.write_text(json.dumps(record))
    with pytest.raises(TrustError) as refused:
        require_approved(installed, store=store, registry=demo.registry)
    assert refused.value.step == step
