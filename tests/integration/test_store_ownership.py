"""Nothing is believed that somebody else put, or could have put, into the state directory."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from assess_core.errors import StoreError
from assess_core.store import Store, running_interpreter
from assess_registry.client import Registry, TrustError, VerifiedWheel
from tests.support.installing import DemoRegistry, install_here, run_in_child
from tests.support.interpreters import interpreter_for_all, worker_kit
from tests.support.registry_tree import make_registry_tree

NOBODY = 65534
DIRECTORIES = ("active", "envs", "installed", "kits", "wheels", "locks", "staging")

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to somebody else")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> VerifiedWheel:
    """Demo plugin with a closure of one module each."""
    tree = make_registry_tree(tmp_path_factory.mktemp("small"))
    return DemoRegistry(tree=tree, registry=Registry(tree.config())).verified()


@pytest.fixture(scope="module")
def built(small: VerifiedWheel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory with a kit and an active plugin; to be copied."""
    store = Store(tmp_path_factory.mktemp("built") / "state")
    worker_kit(store, running_interpreter())
    store.activate(install_here(small, store))
    return store.root


@pytest.fixture
def state(built: Path, tmp_path: Path) -> Path:
    shutil.copytree(built, tmp_path / "state", symlinks=True)
    (control,) = Store(tmp_path / "state").active()  # the control of every attack below: as it was built it is used
    assert control.environment.is_dir()
    return tmp_path / "state"


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def everything_in(top: Path) -> Iterator[Path]:
    return (path for path in (top, *top.rglob("*")) if not path.is_symlink())


@as_root
def test_another_users_state_directory_is_refused_before_anything_in_it_is_used(state: Path) -> None:
    (kit,) = (path for path in (state / "kits").iterdir() if path.is_dir())
    planted = kit / "assess_plugin/worker/bootstrap.py"
    planted.chmod(0o644)
    planted.write_text("import os; os.system('id')\n")
    for path in (state, *state.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    with pytest.raises(TrustError, match=r"belongs to uid 65534 \(nobody\)") as refused:
        Store(state)
    assert refused.value.step == "state"
    assert str(state) in refused.value.thing
    assert "--state-dir" in refused.value.next_step


@as_root
def test_anything_in_it_that_belongs_to_somebody_else_is_refused(state: Path) -> None:
    (state / "journal.db").touch()
    for name in (*DIRECTORIES, "layout.json", "store.lock", "journal.db"):
        os.chown(state / name, NOBODY, NOBODY)
        with pytest.raises(TrustError, match=f"{name}.*belongs to uid 65534"):
            Store(state)
        os.chown(state / name, 0, 0)
        Store(state)


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_what_others_can_write_to_is_refused(state: Path, mode: int) -> None:
    for path in (state, *(state / name for name in DIRECTORIES)):
        path.chmod(0o755)
        Store(state)  # the control: others may look
        path.chmod(mode)
        with pytest.raises(TrustError, match=rf"{path.name}.* mode {mode:04o}") as refused:
            Store(state)
        assert f"chmod -R go-w {state}" in refused.value.next_step
        path.chmod(0o700)


def test_nobody_is_told_to_close_a_directory_that_is_there_for_all(state: Path) -> None:
    """`--state-dir /tmp`: closed, as root is told, nothing else on the machine would work."""
    state.chmod(0o1777)
    with pytest.raises(TrustError, match="mode 1777") as refused:
        Store(state)
    assert "chmod" not in refused.value.next_step
    assert "choose another --state-dir" in refused.value.next_step
    state.chmod(0o700)
    Store(state)


@as_root
def test_a_link_of_somebody_else_on_the_way_is_refused(state: Path, tmp_path: Path) -> None:
    ours, theirs, around = tmp_path / "ours", tmp_path / "theirs", tmp_path / "around"
    for link in (ours, theirs):
        link.symlink_to(state.parent)
    around.symlink_to("theirs/state")
    os.chown(theirs, NOBODY, NOBODY, follow_symlinks=False)
    assert len(Store(ours / "state").active()) == 1
    for path in (theirs / "state", around, theirs / "not-there-yet"):
        with pytest.raises(TrustError, match=r"theirs.*is a link that belongs to uid 65534"):
            Store(path)


@as_root
def test_the_link_in_it_may_lead_to_another_disk_but_not_to_somebody_elses_directory(
    state: Path, tmp_path: Path
) -> None:
    (state / "wheels").rename(tmp_path / "disk")
    (state / "wheels").symlink_to(tmp_path / "disk")
    Store(state)
    os.chown(tmp_path / "disk", NOBODY, NOBODY)
    with pytest.raises(TrustError, match=r"wheels.*belongs to uid 65534"):
        Store(state)


def let_everybody_reach(path: Path) -> None:
    """pytest's own directories, of which there is one more for each of several workers, are for root alone."""
    top = Path(tempfile.gettempdir())
    for each in (path, *path.parents):
        if each == top or not each.is_relative_to(top):
            return
        each.chmod(0o755)


@as_root
@interpreter_for_all
def test_what_root_made_serves_another_user_and_what_a_third_one_made_does_not(state: Path, tmp_path: Path) -> None:
    for path in everything_in(state):
        path.chmod(path.stat().st_mode | 0o055)
    let_everybody_reach(tmp_path)

    def use() -> None:
        os.setuid(NOBODY)
        assert len(Store(state).active()) == 1

    def be_refused() -> None:
        os.setuid(NOBODY)
        with pytest.raises(TrustError, match="belongs to uid 4711"):
            Store(state)

    assert run_in_child(use) == 0
    os.chown(state, 4711, 4711)
    assert run_in_child(be_refused) == 0


@as_root
@pytest.mark.parametrize("kind", ["active", "installed"])
def test_a_file_that_somebody_else_left_in_it_counts_as_damaged_and_is_replaced(
    state: Path, small: VerifiedWheel, kind: str
) -> None:
    (planted,) = (state / kind).glob("*.json")
    os.chown(planted, NOBODY, NOBODY)
    store = Store(state)
    assert store.active() == ()
    store.activate(install_here(small, store))
    assert planted.stat().st_uid == 0
    assert len(store.active()) == 1


@as_root
def test_a_state_directory_that_may_not_be_read_says_what_to_do(state: Path, tmp_path: Path) -> None:
    let_everybody_reach(tmp_path)
    state.chmod(0o700)

    def look() -> None:
        os.setuid(NOBODY)
        with pytest.raises(StoreError, match=r"may not be used by this user \(uid 65534\).*another --state-dir"):
            Store(state)

    assert run_in_child(look) == 0


# Modes


def test_whatever_the_umask_nobody_else_may_write(no_umask: None, tmp_path: Path, small: VerifiedWheel) -> None:
    (tmp_path / "old").mkdir(mode=0o755)  # existed before, as an operator makes it
    for root in (tmp_path / "old", tmp_path / "a/b/state"):
        store = Store(root)
        worker_kit(store, running_interpreter())
        store.activate(install_here(small, store))
        for path in everything_in(root):
            mode = stat.S_IMODE(path.stat().st_mode)
            assert not mode & 0o022, (path, oct(mode))
            if path.is_dir() and path != root:
                assert mode == 0o700, (path, oct(mode))
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b", "a/b/state")} == {0o700}
    assert stat.S_IMODE((tmp_path / "old").stat().st_mode) == 0o755
    for file in ("active/*.json", "installed/*", "layout.json", "kits/*.contents", "kits/*.stat"):
        assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "old").glob(file)} == {0o600}


# The worker's kit


@pytest.mark.parametrize("what", ["source", "bytecode", "extra", "missing", "link"])
def test_an_altered_kit_is_built_again(state: Path, what: str) -> None:
    store = Store(state)
    kit = worker_kit(store, running_interpreter())
    inode = kit.stat().st_ino
    assert worker_kit(store, running_interpreter()).stat().st_ino == inode  # the control
    bootstrap = kit / "assess_plugin/worker/bootstrap.py"
    honest = bootstrap.read_bytes()
    match what:
        case "source":
            bootstrap.chmod(0o644)
            bootstrap.write_bytes(b"#" * len(honest))
            bootstrap.chmod(0o444)
        case "bytecode":
            cached = next(kit.glob("assess_plugin/__pycache__/__init__.*.pyc"))
            cached.chmod(0o644)
            cached.write_bytes(cached.read_bytes()[:-1] + b"\xff")
            cached.chmod(0o444)
        case "extra":
            (kit / "json.py").write_text("import os\n")
        case "missing":
            bootstrap.unlink()
        case "link":
            bootstrap.unlink()
            bootstrap.symlink_to("/dev/null")
    assert worker_kit(store, running_interpreter()) == kit
    assert kit.stat().st_ino != inode
    assert bootstrap.read_bytes() == honest
    assert not (kit / "json.py").exists()
    assert list((state / "staging").iterdir()) == []
