"""A verified wheel becomes a complete environment, or nothing at all, whoever dies or runs out of room."""

import errno
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import importlib_metadata
import pytest

from assess_core.errors import StoreError
from assess_core.store import DamagedError, Store, running_interpreter, verify_environment
from assess_core.store.disk import write_new_file
from assess_core.store.install import InstallStep
from assess_registry.client import Registry, Target, VerifiedWheel, reopen, verify
from tests.support.installing import (
    DemoRegistry,
    count_events,
    demo_registry,
    install_here,
    kill_at,
    run_in_child,
    tree_of,
)
from tests.support.registry_tree import make_registry_tree
from tests.support.wheels import WheelBuilder, demo_plugin_wheel

CHANGES = (
    *("open", "os.mkdir", "os.link", "os.symlink", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.utime"),
    *("os.truncate", "os.listdir", "os.scandir"),
)
"""Audited operations between which a process can be killed."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoRegistry:
    """Demo plugin with the real closure."""
    return demo_registry(tmp_path_factory.mktemp("registry"))


@pytest.fixture(scope="module")
def wheel(demo: DemoRegistry) -> VerifiedWheel:
    return demo.verified()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> VerifiedWheel:
    """Demo plugin with a closure of one module each: for tests that install many times."""
    tree = make_registry_tree(tmp_path_factory.mktemp("small"))
    return DemoRegistry(tree=tree, registry=Registry(tree.config())).verified()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "state")


def test_the_environment_runs_the_plugin(store: Store, wheel: VerifiedWheel) -> None:
    installed = install_here(wheel, store)
    code = "import demo_plugin, assess_plugin, sys; print(demo_plugin.__file__, demo_plugin.__cached__, sys.prefix)"
    done = subprocess.run([installed.python, "-I", "-c", code], capture_output=True, text=True, check=True)
    source, cached, prefix = done.stdout.split()
    assert source == str(installed.site_packages / "demo_plugin/__init__.py")
    assert Path(cached).is_file()
    assert prefix == str(installed.environment)


def test_what_is_installed_is_known_again(store: Store, wheel: VerifiedWheel) -> None:
    installed = install_here(wheel, store)
    assert wheel.lock is not None
    known = Store(store.root).installed(wheel.lock.sha256, wheel.inspected.sha256, running_interpreter())
    assert known == installed
    assert installed.manifest == wheel.inspected.manifest
    assert [(entry.name, entry.kind, entry.module, entry.attr) for entry in installed.entries] == [
        ("demo", "plugin", "demo_plugin", "plugin"),
        ("demo-subjects", "provider", "demo_plugin", "provider"),
    ]
    assert installed.development
    assert installed.signer == wheel.signer
    assert store.active() == ()


def test_other_tools_find_what_is_in_it(store: Store, wheel: VerifiedWheel) -> None:
    installed = install_here(wheel, store)
    found = {each.name: each for each in importlib_metadata.distributions(path=[str(installed.site_packages)])}
    assert found.keys() == {"demo-plugin", "assess-plugin", "pluggy"}
    for distribution in found.values():
        assert (distribution.read_text("INSTALLER") or "").strip() == "assess"
        for file in distribution.files or ():
            assert Path(str(file.locate())).is_file(), file
    listed = {Path(str(file.locate())) for each in found.values() for file in each.files or ()}
    assert listed == {path for path in installed.site_packages.rglob("*") if path.is_file()}


def test_files_are_read_only_links_and_what_describes_the_environment_is_its_own(
    store: Store, wheel: VerifiedWheel
) -> None:
    installed = install_here(wheel, store)
    for path in installed.site_packages.rglob("*"):
        status = path.lstat()
        if path.name in ("RECORD", "INSTALLER"):
            assert status.st_nlink == 1, path
        elif stat.S_ISREG(status.st_mode):
            assert stat.S_IMODE(status.st_mode) == 0o444, path
            assert status.st_nlink >= 2, path
    flags = {path.read_bytes()[4:8] for path in installed.site_packages.rglob("*.pyc")}
    assert flags == {b"\1\0\0\0"}, "unchecked hash, PEP 552"


def test_two_versions_share_their_dependencies(store: Store, demo: DemoRegistry, wheel: VerifiedWheel) -> None:
    first, second = install_here(wheel, store), install_here(demo.verified("demo-plugin==1.1.0"), store)
    assert first.environment != second.environment
    one, two = (each.site_packages / "pluggy/__init__.py" for each in (first, second))
    assert one.samefile(two)


def test_installing_again_does_nothing(store: Store, wheel: VerifiedWheel) -> None:
    first = install_here(wheel, store)
    before = tree_of(store.root)
    steps: list[InstallStep] = []
    assert install_here(wheel, store, on_step=lambda step, _: steps.append(step)) == first
    assert steps == []
    assert tree_of(store.root) == before


def test_another_signature_over_the_same_wheel_changes_the_record_and_no_environment(
    store: Store, wheel: VerifiedWheel
) -> None:
    first = install_here(wheel, store)
    inode = first.environment.stat().st_ino
    second = install_here(wheel, store, development=False)
    assert (second.development, second.env_key) == (False, first.env_key)
    assert store.installed(first.lock_sha256, first.sha256, running_interpreter()) == second
    assert first.environment.stat().st_ino == inode


def test_steps_are_told_in_order(store: Store, small: VerifiedWheel) -> None:
    steps: list[InstallStep] = []
    install_here(small, store, on_step=lambda step, _: steps.append(step))
    assert tuple(dict.fromkeys(steps)) == get_args(InstallStep)


def test_another_interpreter_gets_its_own_environment_and_bytecode(store: Store, small: VerifiedWheel) -> None:
    ours = running_interpreter()
    # The same interpreter by another name: compiled by running it, as a foreign one is.
    other = replace(ours, path=Path(sys.executable))
    first, second = install_here(small, store), install_here(small, store, interpreter=other)
    assert first.environment != second.environment
    assert sorted(path.name for path in second.site_packages.rglob("*.pyc"))


def test_a_wheel_that_does_not_admit_the_interpreter_is_refused(store: Store, small: VerifiedWheel) -> None:
    with pytest.raises(StoreError, match=r"requires Python >=3\.11"):
        install_here(small, store, interpreter=replace(running_interpreter(), version="3.10.4"))
    assert not store.root.exists()


def test_a_dependency_is_not_installed_as_a_plugin(store: Store, small: VerifiedWheel) -> None:
    with pytest.raises(StoreError, match="is a dependency, not a plugin"):
        install_here(small.closure[0], store)


def test_wheels_that_bring_different_files_of_one_path_are_refused(store: Store, tmp_path: Path) -> None:
    def registry(text: str) -> DemoRegistry:
        other = WheelBuilder.dependency("other", files={"other.py": "", "shared/__init__.py": text})
        third = WheelBuilder.dependency("third", files={"third.py": "", "shared/__init__.py": "x = 1\n"})
        plugin = demo_plugin_wheel(requires=("assess-plugin>=1.0,<2", "other", "third"))
        closure = {each.filename: each.build() for each in (other, third)}
        return demo_registry(tmp_path / text.strip().replace(" ", ""), plugin, **closure)

    installed = install_here(registry("x = 1\n").verified(), store)
    assert (installed.site_packages / "shared/__init__.py").read_text() == "x = 1\n"
    with pytest.raises(StoreError, match=r"shared/__init__\.py of third differs from that of other"):
        install_here(registry("x = 2\n").verified(), store)
    assert list(store.layout.path("staging").iterdir()) == []


# What serves


def test_activating_switches_and_rolling_back_switches_back(
    store: Store, demo: DemoRegistry, wheel: VerifiedWheel
) -> None:
    old, new = install_here(wheel, store), install_here(demo.verified("demo-plugin==1.1.0"), store)
    name = old.distribution
    assert store.find(name) is None
    store.activate(old)
    assert store.find(name) == old
    store.activate(new)
    store.activate(new)
    assert store.active() == (new,)
    assert store.rollback(name) == old
    assert store.active() == (old,)
    assert store.rollback(name) == new
    store.deactivate(name)
    assert store.active() == ()
    assert old.environment.is_dir()
    with pytest.raises(StoreError, match="no other version served before"):
        store.rollback(name)


def test_nothing_is_activated_that_is_not_there(store: Store, wheel: VerifiedWheel) -> None:
    installed = install_here(wheel, store)
    store.layout.record(installed.env_key).unlink()
    with pytest.raises(DamagedError, match="is gone"):
        store.activate(installed)
    assert store.active() == ()


@pytest.mark.parametrize("damage", ["environment", "record", "broken record", "pointer", "foreign pointer"])
def test_what_is_damaged_counts_as_not_installed_and_is_put_right_by_installing(
    store: Store, small: VerifiedWheel, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    installed = install_here(small, store)
    store.activate(installed)
    assert store.find(installed.distribution) == installed
    pointer, record = store.layout.pointer(installed.distribution), store.layout.record(installed.env_key)
    match damage:
        case "environment":
            installed.environment.rename(store.root / "away")
        case "record":
            record.unlink()
        case "broken record":
            record.write_text("{}")
        case "pointer":
            pointer.write_text("{")
        case "foreign pointer":
            document = json.loads(record.read_text()) | {"distribution": "other-plugin"}
            record.write_text(json.dumps(document))
    assert store.find(installed.distribution) is None
    assert {getattr(each, "action", "") for each in caplog.records} == {"store-damaged"}
    again = install_here(small, store)
    store.activate(again)
    found = store.find(installed.distribution)
    assert found == again
    assert verify_environment(again.environment, store=store).accepted


def test_what_was_kept_passes_the_client_again_without_the_registry(
    store: Store, demo: DemoRegistry, wheel: VerifiedWheel, tmp_path: Path
) -> None:
    installed = install_here(wheel, store)
    kept, target = Store(store.root).kept(installed), Target.running()
    again = verify(reopen(kept, registry=demo.registry, target=target), registry=demo.registry, target=target)
    assert again == wheel
    elsewhere = install_here(again, Store(tmp_path / "elsewhere"))
    assert elsewhere.env_key == installed.env_key
    (store.layout.wheel(installed.sha256) / kept.filename).unlink()
    with pytest.raises(DamagedError, match=r"demo_plugin-1\.0\.0"):
        store.kept(installed)


# The state directory


def test_a_newer_layout_is_refused_and_left_alone(store: Store, small: VerifiedWheel) -> None:
    install_here(small, store)
    (store.root / "layout.json").write_text('{"layout": 3}')
    before = tree_of(store.root)
    with pytest.raises(StoreError, match="has layout 3, this release reads layouts 1 to 2"):
        Store(store.root)
    with pytest.raises(StoreError, match="layout 3"):
        store.deactivate(small.inspected.project)
    assert tree_of(store.root) == before


def test_a_state_directory_may_be_moved(store: Store, small: VerifiedWheel, tmp_path: Path) -> None:
    installed = install_here(small, store)
    store.activate(installed)
    moved = Store(store.root.rename(tmp_path / "moved"))
    (plugin,) = moved.active()
    assert plugin.python == tmp_path / "moved/envs" / installed.env_key / "bin/python"
    assert verify_environment(plugin.environment, store=moved).accepted


def test_looking_makes_no_state_directory(store: Store, small: VerifiedWheel) -> None:
    assert store.active() == ()
    assert store.records() == ()
    assert store.find(small.inspected.project) is None
    assert store.installed(small.inspected.sha256, small.inspected.sha256, running_interpreter()) is None
    assert not store.root.exists()


def test_the_state_directory_is_private(store: Store, small: VerifiedWheel) -> None:
    install_here(small, store)
    assert stat.S_IMODE(store.root.stat().st_mode) == 0o700


def test_an_edited_copy_in_the_store_is_not_linked_again(
    store: Store, wheel: VerifiedWheel, demo: DemoRegistry
) -> None:
    first = install_here(wheel, store)
    edited = first.site_packages / "pluggy/__init__.py"
    honest = edited.read_bytes()
    edited.chmod(0o644)
    edited.write_bytes(b"# edited in place, and so in the store\n")
    second = install_here(demo.verified("demo-plugin==1.1.0"), store)
    assert (second.site_packages / "pluggy/__init__.py").read_bytes() == honest
    assert edited.read_bytes() != honest
    assert verify_environment(second.environment, store=store).accepted


def test_without_hard_links_files_are_copied(
    store: Store, small: VerifiedWheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (errno.EXDEV, errno.EPERM, errno.EMLINK):
        _fail_link(monkeypatch, number)
        mine = Store(store.root / str(number))
        installed = install_here(small, mine)
        module = installed.site_packages / "demo_plugin/__init__.py"
        assert module.stat().st_nlink == 1
        assert stat.S_IMODE(module.stat().st_mode) == 0o444
        assert verify_environment(installed.environment, store=mine).accepted


# Room


def _fail_link(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def link(source: str, target: str, **_: object) -> None:
        raise OSError(number, os.strerror(number), source, None, target)

    monkeypatch.setattr(os, "link", link)


def _limited(budget: int) -> Callable[[Path, bytes, int], None]:
    """A disk with room for so many bytes; the file that does not fit stays half written, as on a real one."""
    left = budget

    def write(path: Path, data: bytes, mode: int) -> None:
        nonlocal left
        write_new_file(path, data[:left], mode)
        if len(data) > left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left -= len(data)

    return write


def test_a_full_disk_leaves_nothing_half_done(tmp_path: Path, small: VerifiedWheel) -> None:
    sizes: list[int] = []

    def measure(path: Path, data: bytes, mode: int) -> None:
        sizes.append(len(data))
        write_new_file(path, data, mode)

    complete = install_here(small, Store(tmp_path / "complete", write_file=measure))
    wanted = set(tree_of(tmp_path / "complete"))
    for number in range(0, len(sizes), 3):
        root = tmp_path / str(number)
        with pytest.raises(StoreError, match=r"no room left.*free some space"):
            install_here(small, Store(root, write_file=_limited(sum(sizes[: number + 1]) - 1)))
        assert list((root / "staging").iterdir()) == []
        assert list((root / "envs").iterdir()) == []
        assert list((root / "installed").iterdir()) == []
        assert install_here(small, Store(root)).env_key == complete.env_key
        assert set(tree_of(root)) == wanted


def test_a_disk_without_room_for_links_leaves_nothing_half_done(
    store: Store, small: VerifiedWheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        _fail_link(patch, errno.ENOSPC)
        with pytest.raises(StoreError, match="no room left"):
            install_here(small, store)
    assert list(store.layout.path("staging").iterdir()) == []
    assert list(store.layout.path("envs").iterdir()) == []
    assert install_here(small, store).python.exists()


def test_a_state_directory_that_may_not_be_written_is_named(tmp_path: Path, small: VerifiedWheel) -> None:
    def refuse(path: Path, data: bytes, mode: int) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    with pytest.raises(StoreError, match=r"may not be used by this user.*choose another --state-dir"):
        install_here(small, Store(tmp_path / "state", write_file=refuse))


# Death


def _assert_recovers(root: Path, wheel: VerifiedWheel, wanted: set[str]) -> None:
    store = Store(root)
    assert wheel.lock is not None
    known = store.installed(wheel.lock.sha256, wheel.inspected.sha256, running_interpreter())
    if known is not None:  # killed after it was complete
        assert verify_environment(known.environment, store=store).accepted
    installed = install_here(wheel, store)
    store.activate(installed)
    store.deactivate(installed.distribution)
    # what it was let do when it ran is remembered of one that runs no more
    assert set(tree_of(root)) == wanted | {f"consents/{installed.distribution}.json"}
    assert verify_environment(installed.environment, store=store).accepted


@pytest.fixture(scope="module")
def wanted(small: VerifiedWheel, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Every path in a state directory after an undisturbed install."""
    root = tmp_path_factory.mktemp("wanted") / "state"
    install_here(small, Store(root))
    return set(tree_of(root))


@pytest.mark.parametrize("step", get_args(InstallStep))
def test_a_process_killed_before_a_step_leaves_nothing_that_stays(
    tmp_path: Path, small: VerifiedWheel, wanted: set[str], step: InstallStep
) -> None:
    def die(now: InstallStep, _: str) -> None:
        if now == step:
            os.kill(os.getpid(), 9)

    assert run_in_child(lambda: install_here(small, Store(tmp_path), on_step=die)) == -9
    _assert_recovers(tmp_path, small, wanted)


def test_a_process_killed_at_any_operation_leaves_nothing_that_stays(
    tmp_path: Path, small: VerifiedWheel, wanted: set[str]
) -> None:
    total = count_events(lambda: install_here(small, Store(tmp_path / "counted")), *CHANGES)
    renames = count_events(lambda: install_here(small, Store(tmp_path / "counted again")), "os.rename")
    assert renames >= 10
    points: list[tuple[int, tuple[str, ...]]] = [
        (number, CHANGES) for number in range(1, total + 1, max(1, total // 30))
    ]
    points += [(number, ("os.rename",)) for number in range(1, renames + 1)]
    for number, events in points:
        root = tmp_path / f"{number}-{len(events)}"

        def work(root: Path = root, number: int = number, events: tuple[str, ...] = events) -> None:
            kill_at(number, *events)
            install_here(small, Store(root))

        assert run_in_child(work) == -9, (number, events)
        _assert_recovers(root, small, wanted)


def test_a_kill_while_activating_leaves_the_old_or_the_new_one(
    store: Store, demo: DemoRegistry, wheel: VerifiedWheel
) -> None:
    old, new = install_here(wheel, store), install_here(demo.verified("demo-plugin==1.1.0"), store)
    store.activate(old)
    total = count_events(lambda: store.activate(new), *CHANGES)
    served = set()
    for number in range(1, total + 1):
        store.deactivate(old.distribution)
        store.activate(old)

        def work(number: int = number) -> None:
            kill_at(number, *CHANGES)
            store.activate(new)

        assert run_in_child(work) == -9
        found = store.find(old.distribution)
        assert found in (old, new)
        served.add(found.version)
    store.activate(new)
    assert served == {"1.0.0", "1.1.0"}
    assert [path.name for path in store.layout.path("active").iterdir()] == ["demo-plugin.json"]


def test_eight_processes_at_once_build_one_environment(tmp_path: Path, small: VerifiedWheel, wanted: set[str]) -> None:
    gate, opener = os.pipe()
    report, reporter = os.pipe()

    def work() -> None:
        os.close(opener)
        os.read(gate, 1)  # returns for all at once, when the last writer is closed
        steps: list[InstallStep] = []
        store = Store(tmp_path)
        installed = install_here(small, store, on_step=lambda step, _: steps.append(step))
        assert (installed.site_packages / "demo_plugin/__init__.py").is_file()
        os.write(reporter, b"b" * steps.count("build"))

    pids = []
    for _ in range(8):
        pid = os.fork()
        if pid == 0:
            try:
                work()
            except BaseException as error:
                os.write(2, f"{error!r}\n".encode())
                os._exit(1)
            os._exit(0)
        pids.append(pid)
    os.close(opener)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    os.close(reporter)
    os.close(gate)
    built = os.read(report, 100)
    os.close(report)
    assert codes == [0] * 8
    assert built == b"b"
    assert set(tree_of(tmp_path)) == wanted
