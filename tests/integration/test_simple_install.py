"""Install into a folder and look around with nothing but keys: by path, `file://` and real http.

Each attack runs on a copy of a registry that has just been installed from; it changes one thing, and the folder stays
as it was.
"""

import contextlib
import errno
import json
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

import assess_registry
from assess_registry.cli.app import main
from assess_registry.client import Registry, fetch, resolve
from assess_registry.client import verify as registry_verify
from assess_registry.errors import ConfigError, NotPublishedError, TransportError, TrustError
from assess_registry.folder import open_folder
from assess_registry.names import ProjectName
from assess_registry.publish.after import revoke, yank
from assess_registry.simple import find_entry, install, list_folder, load_index, place, verify
from assess_registry.simple.install import keep
from tests.support.client_place import (
    DEMO,
    OLDER,
    PLUGGY,
    SECOND,
    STRANGER,
    TARGET,
    flip,
    snapshot,
)
from tests.support.http_registry import cut_short, redirect, serve, status
from tests.support.installing import count_events, kill_at, run_in_child
from tests.support.plugin_folder import OTHER
from tests.support.registry_tree import RegistryTree
from tests.support.wheels import demo_plugin_wheel

PLACES = ("path", "file", "http")


@pytest.fixture
def tree(two_releases: RegistryTree, tmp_path: Path) -> RegistryTree:
    return two_releases.copy(tmp_path / "registry")


@dataclass(frozen=True, kw_only=True)
class Site:
    """A registry, how it is reached, and a folder to install into."""

    tree: RegistryTree
    index: str | Path
    to: Path

    def install(self, requirement: str = "demo-plugin", **changes: Any) -> assess_registry.InstallReport:
        values: dict[str, Any] = {"index": self.index, "to": self.to, "trusted_keys": self.tree.trusted_keys}
        return install(requirement, **values | changes)

    def versions(self) -> dict[str, str]:
        found = open_folder(self.to, trusted_keys=self.tree.trusted_keys, target=TARGET)
        return {plugin.project: plugin.version for plugin in found}


@contextlib.contextmanager
def reached(tree: RegistryTree, over: str, to: Path) -> Iterator[Site]:
    if over == "path":
        yield Site(tree=tree, index=tree.root, to=to)
    elif over == "file":
        yield Site(tree=tree, index=tree.root.as_uri(), to=to)
    else:
        with serve(tree.root) as http:
            yield Site(tree=tree, index=http.url, to=to)


@pytest.fixture(params=PLACES)
def site(request: pytest.FixtureRequest, tree: RegistryTree, tmp_path: Path) -> Iterator[Site]:
    with reached(tree, request.param, tmp_path / "plugins") as site:
        yield site


@pytest.fixture
def local(tree: RegistryTree, tmp_path: Path) -> Site:
    return Site(tree=tree, index=tree.root, to=tmp_path / "plugins")


@dataclass(frozen=True, kw_only=True)
class Done:
    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        return json.loads(self.stdout)


Run = Callable[..., Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*argv: str | Path) -> Done:
        code = main([str(argument) for argument in argv])
        captured = capsys.readouterr()
        return Done(code=code, stdout=captured.out, stderr=captured.err)

    return run


# install


def test_a_plugin_and_all_it_runs_with_is_in_the_folder(site: Site) -> None:
    report = site.install("demo-plugin==1.0.0")
    assert (report.project, report.version, report.filename) == ("demo-plugin", "1.0.0", DEMO)
    assert (report.signer, report.changed, report.previous) == (site.tree.key.public.id, True, "")
    assert report.directory == site.to / "demo-plugin"
    assert {path.name for path in report.directory.iterdir()} == {
        DEMO,
        f"{DEMO}.sig",
        "pylock.toml",
        "pylock.toml.sig",
        *report.closure,
    }
    assert len(report.closure) == 2
    for path in report.directory.iterdir():
        assert (
            path.read_bytes()
            == site.tree.path(path.name if path.suffix == ".whl" else DEMO).with_name(path.name).read_bytes()
        )
        assert path.stat().st_mode & 0o777 == 0o644
    assert site.versions() == {"demo-plugin": "1.0.0"}


def test_a_folder_can_be_filled_for_another_python_than_the_one_that_fills_it(local: Site, run: Run) -> None:
    local.tree.publish(*demo_plugin_wheel("3.0.0", requires_python="==3.19.*"))
    keys = ("--trusted-keys", local.tree.trusted_keys)
    install_it = ("install", "demo-plugin", "--index", local.index, "--to", local.to, *keys)
    assert run(*install_it).code == 5
    done = run(*install_it, "--python", "3.18.4")
    assert (done.code, local.to.exists()) == (5, False)
    assert run(*install_it, "--python", "3.19.1").code == 0
    verify_it = ("verify", local.to, *keys)
    assert run(*verify_it).code == 5
    done = run(*verify_it, "--python", "3.19.1")
    assert (done.code, "demo-plugin 3.0.0" in done.stdout) == (0, True)
    for wrong in ("3.19", "python3.19", "2.7.18"):
        assert run(*install_it, "--python", wrong).code == 2, wrong


def identities(folder: Path) -> dict[Path, tuple[int, int]]:
    """Which file each is, and when it was written."""
    found = {path: path.stat() for path in folder.rglob("*") if path.name != ".lock"}
    return {path: (status.st_ino, status.st_mtime_ns) for path, status in found.items()}


def test_the_same_again_changes_nothing(site: Site) -> None:
    site.install()
    before = identities(site.to)
    report = site.install()
    assert (report.changed, report.previous) == (False, "1.0.0")
    assert identities(site.to) == before


def test_what_was_touched_is_put_right_by_installing_again(local: Site) -> None:
    local.install()
    wheel = local.to / "demo-plugin" / DEMO
    for damage in (lambda: wheel.write_bytes(b"x"), wheel.unlink, wheel.with_name("pylock.toml.sig").unlink):
        damage()
        with pytest.raises(TrustError):
            local.versions()
        assert local.install().changed
        assert local.versions() == {"demo-plugin": "1.0.0"}


def test_a_newer_version_takes_the_place_of_the_older_and_an_older_one_only_when_pinned(local: Site) -> None:
    local.install("demo-plugin==0.9.0")
    report = local.install()
    assert (report.version, report.previous) == ("1.0.0", "0.9.0")
    assert local.versions() == {"demo-plugin": "1.0.0"}
    with pytest.raises(TrustError) as caught:
        local.install("demo-plugin<1")
    assert (caught.value.step, caught.value.expected, caught.value.got) == ("rollback", "1.0.0 or newer", "0.9.0")
    with pytest.raises(TrustError, match="rollback"):
        local.install("demo-plugin==0.*")  # names no version
    assert local.versions() == {"demo-plugin": "1.0.0"}
    assert local.install("demo-plugin==0.9.0").version == "0.9.0"
    assert local.versions() == {"demo-plugin": "0.9.0"}


def test_an_index_that_hides_its_newest_version_cannot_take_it_away(local: Site) -> None:
    local.install()
    local.tree.edit_page(lambda page: page.update(files=[f for f in page["files"] if f["filename"] == OLDER]))
    with pytest.raises(TrustError, match="offers less"):
        local.install()
    assert local.versions() == {"demo-plugin": "1.0.0"}
    local.tree.edit_page(lambda page: page.update(files=[]))
    with pytest.raises(NotPublishedError):
        local.install()


def test_two_plugins_lie_side_by_side(local: Site) -> None:
    local.tree.publish(OTHER.filename, OTHER.build())
    local.install()
    local.install("Other_Plugin")  # a person's spelling; the folder has the one of PEP 503
    assert local.versions() == {"demo-plugin": "1.0.0", "other-plugin": "1.0.0"}


def on_wheel(how: Callable[[bytes], bytes], name: str = DEMO) -> Callable[[RegistryTree], object]:
    def do(tree: RegistryTree) -> None:
        path = tree.path(DEMO).with_name(name) if not name.endswith(".whl") else tree.path(name)
        path.write_bytes(how(path.read_bytes()))

    return do


ATTACKS: dict[str, tuple[Callable[[RegistryTree], object], str]] = {
    "unsigned": (lambda t: t.path(DEMO).with_name(DEMO + ".sig").unlink(), "signature"),
    "signed by a stranger": (lambda t: t.sign(t.path(DEMO), key=STRANGER), "signature"),
    "unsigned lock": (lambda t: t.path(DEMO).with_name("pylock.toml.sig").unlink(), "signature"),
    "lock by another publisher": (lambda t: t.sign(t.path(DEMO).with_name("pylock.toml"), key=SECOND), "signer"),
    "altered": (on_wheel(lambda d: flip(d, 100)), "hash"),
    "cut short": (on_wheel(lambda d: d[:-1]), "length"),
    "longer": (on_wheel(lambda d: d + b"x"), "length"),
    "dependency altered": (on_wheel(lambda d: flip(d, 100), PLUGGY), "hash"),
    "signed garbage": (lambda t: t.forge(DEMO, b"no wheel"), "inspect"),
    "page that lies": (lambda t: t.edit_page(lambda p: p["files"][-1]["hashes"].update(sha256="ab" * 32)), "lock"),
    "page that leads away": (
        lambda t: t.edit_page(lambda p: p["files"][-1].update(url="https://evil.example/" + DEMO)),
        "index",
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_of_what_is_refused_is_written(site: Site, name: str, tmp_path: Path) -> None:
    attack, step = ATTACKS[name]
    site.install("demo-plugin==0.9.0")
    assert site.install(to=tmp_path / "control").version == "1.0.0"
    attack(site.tree)
    before = snapshot(site.to)
    with pytest.raises(TrustError) as caught:
        site.install()
    assert caught.value.step == step, str(caught.value)
    assert snapshot(site.to) == before
    assert site.versions() == {"demo-plugin": "0.9.0"}
    with pytest.raises(TrustError):
        site.install(to=tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("attack", ["redirect", "not found", "cut short", "server error"])
def test_a_server_that_misbehaves_changes_nothing(tree: RegistryTree, tmp_path: Path, attack: str) -> None:
    wheel = f"/files/demo-plugin/1.0.0/{DEMO}"
    answers = {
        "redirect": (redirect("https://evil.example/"), TrustError),
        "not found": (status(404), NotPublishedError),
        "cut short": (cut_short(tree.path(DEMO).stat().st_size, b"PK"), TransportError),
        "server error": (status(500), TransportError),
    }
    answer, error = answers[attack]
    with serve(tree.root) as http:
        http.answers[wheel] = answer
        with pytest.raises(error):
            install("demo-plugin", index=http.url, to=tmp_path / "plugins", trusted_keys=tree.trusted_keys)
        assert not (tmp_path / "plugins").exists()
        del http.answers[wheel]
        assert install("demo-plugin", index=http.url, to=tmp_path / "plugins", trusted_keys=tree.trusted_keys).changed


@pytest.mark.parametrize("strange", ["file", "other name", "link", "plugin's link"])
def test_a_folder_that_holds_anything_else_is_not_installed_into(local: Site, strange: str) -> None:
    local.install("demo-plugin==0.9.0")
    if strange == "file":
        (local.to / "notes.txt").touch()
    elif strange == "other name":
        (local.to / "Demo_Plugin").mkdir()
    elif strange == "link":
        (local.to / "other").symlink_to("/etc")
    else:
        (local.to / "demo-plugin").rename(local.to.with_name("elsewhere"))
        (local.to / "demo-plugin").symlink_to(local.to.with_name("elsewhere"))
    before = snapshot(local.to.parent / "elsewhere")
    with pytest.raises(TrustError, match="holds what nobody signed for") as caught:
        local.install()
    assert caught.value.step == "folder"
    assert snapshot(local.to.parent / "elsewhere") == before


def foreign_file(place: Path) -> None:
    (place / "precious.py").write_text("work")


def foreign_directory(place: Path) -> None:
    (place / ".git").mkdir()
    (place / ".git" / "HEAD").write_text("work")


def foreign_fifo(place: Path) -> None:
    os.mkfifo(place / "fifo")


def foreign_link(place: Path) -> None:
    (place / "link.whl").symlink_to("../../precious")


def foreign_wheel(place: Path) -> None:
    (place / "other_plugin-1.0.0-py3-none-any.whl").write_bytes(b"work")


def foreign_lock(place: Path) -> None:
    (place / "pylock.toml").write_text("[my]\nnotes = 1")


def no_lock(place: Path) -> None:
    (place / "pylock.toml").unlink()


@pytest.mark.parametrize(
    "strange",
    [foreign_file, foreign_directory, foreign_fifo, foreign_link, foreign_wheel, foreign_lock, no_lock],
    ids=lambda f: f.__name__,
)
def test_what_is_no_earlier_install_is_not_removed(local: Site, strange: Callable[[Path], None]) -> None:
    local.install("demo-plugin==0.9.0")
    kept = local.to.with_name("kept")
    shutil.copytree(local.to, kept)
    strange(local.to / "demo-plugin")
    before = names_and_inodes(local.to)
    with pytest.raises(TrustError, match="would be lost") as caught:
        local.install("demo-plugin==1.0.0")
    assert (caught.value.step, caught.value.thing) == ("folder", str(local.to / "demo-plugin"))
    assert caught.value.issues
    assert "another folder" in caught.value.next_step
    assert names_and_inodes(local.to) == before
    assert local.install("demo-plugin==1.0.0", to=kept).previous == "0.9.0"


def names_and_inodes(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.lstat().st_ino for path in folder.rglob("*") if path.name != ".lock"}


def test_sources_beside_sources_are_no_folder_of_plugins_to_clear(local: Site) -> None:
    """The author of a plugin, who names the directory of all their projects."""
    foreign = local.to / "demo-plugin"
    foreign.mkdir(parents=True)
    (local.to / "other").mkdir()
    foreign_file(foreign)
    foreign_directory(foreign)
    with pytest.raises(TrustError, match="would be lost"):
        local.install()
    assert (foreign / "precious.py").read_text() == "work"
    assert (foreign / ".git" / "HEAD").read_text() == "work"
    shutil.rmtree(foreign)
    foreign.mkdir()  # an empty one loses nothing
    assert local.install().changed


def test_what_comes_while_a_plugin_is_replaced_is_kept_aside(local: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    local.install("demo-plugin==0.9.0")
    exchange = place.exchange

    def late(one: Path, other: Path) -> bool:
        foreign_file(other)
        return exchange(one, other)

    monkeypatch.setattr(place, "exchange", late)
    local.install("demo-plugin==1.0.0")
    monkeypatch.undo()
    assert [path.read_text() for path in local.to.glob(".tmp-*/precious.py")] == ["work"]
    local.install("demo-plugin==0.9.0")  # whose sweep leaves it, and takes what is an install's
    assert [path.read_text() for path in local.to.glob(".tmp-*/precious.py")] == ["work"]
    assert len(list(local.to.glob(".tmp-*"))) == 1


def test_only_what_installs_left_over_is_swept(local: Site) -> None:
    local.install("demo-plugin==0.9.0")
    ours, named, held = (local.to / f".tmp-{name}" for name in ("0" * 16, "work", "1" * 16))
    for path in (ours, named, held):
        shutil.copytree(local.to / "demo-plugin", path)
    foreign_file(held)
    local.install("demo-plugin==1.0.0")
    assert [path.exists() for path in (ours, named, held)] == [False, True, True]


@pytest.mark.parametrize(
    ("requirement", "changes", "error", "said"),
    [
        ("demo plugin", {}, ConfigError, "expected NAME or NAME==VERSION"),
        ("", {}, ConfigError, "expected NAME"),
        ("demo-plugin @ https://evil.example/x.whl", {}, ConfigError, "URL is not accepted"),
        ("demo-plugin[extra]", {}, ConfigError, "extras are not accepted"),
        ("demo-plugin==7", {}, NotPublishedError, "published are 1.0.0, 0.9.0"),
        ("demo-plugim", {}, NotPublishedError, "no project 'demo-plugim'"),
        ("demo-plugin", {"index": "http://registry.example/"}, ConfigError, "plain http is for loopback only"),
        ("demo-plugin", {"index": "ftp://registry.example/"}, ConfigError, "expected https"),
        ("demo-plugin", {"index": "nowhere"}, TransportError, "there is no registry here"),
        ("demo-plugin", {"trusted_keys": Path("/nowhere")}, ConfigError, "/nowhere"),
    ],
)
def test_mistakes_are_told_and_leave_no_folder(
    local: Site, requirement: str, changes: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=None) as caught:
        local.install(requirement, **changes)
    assert said in str(caught.value)
    assert not local.to.exists()


# killed, and read meanwhile

CALLS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.chmod", "ctypes.dlsym")
"""What `keep` does to the disk, as the interpreter tells audit hooks; an exchange, by looking up its function."""


def killed(work: Callable[[], object], number: int) -> None:
    kill_at(number, *CALLS)
    work()


@pytest.mark.parametrize("start", ["first", "upgrade"])
def test_killed_between_any_two_calls_the_folder_is_as_before_or_after_and_the_next_run_finishes(
    tree: RegistryTree, tmp_path: Path, start: str
) -> None:
    prepared = Site(tree=tree, index=tree.root, to=tmp_path / "prepared")
    prepared.to.mkdir()
    if start == "upgrade":
        prepared.install("demo-plugin==0.9.0")
    before = prepared.versions()
    with Registry(tree.config()) as registry:
        resolved = resolve(Requirement("demo-plugin"), registry=registry, target=TARGET)
        verified = registry_verify(fetch(resolved, registry=registry), registry=registry, target=TARGET)

    def keep_in(name: str) -> Callable[[], object]:
        shutil.copytree(prepared.to, tmp_path / name)
        return lambda: keep(verified, to=tmp_path / name, may_go_back=False)

    total = count_events(keep_in("counted"), *CALLS)
    seen = []
    for number in range(1, total + 1):
        work = keep_in(f"at-{number}")
        assert run_in_child(partial(killed, work, number)) == -signal.SIGKILL
        site = Site(tree=tree, index=tree.root, to=tmp_path / f"at-{number}")
        seen.append(site.versions())
        assert work() is not None
        assert site.versions() == {"demo-plugin": "1.0.0"}
        assert {path.name for path in site.to.iterdir()} == {".lock", "demo-plugin"}
    assert total > 20
    assert (seen[0], seen[-1]) == (before, {"demo-plugin": "1.0.0"})
    assert all(found in (before, {"demo-plugin": "1.0.0"}) for found in seen)


def test_who_reads_all_the_while_never_sees_anything_but_a_whole_plugin(local: Site) -> None:
    local.install("demo-plugin==0.9.0")
    done, seen, errors = threading.Event(), set(), []

    def read() -> None:
        while not done.is_set():
            try:
                seen.add(local.versions()["demo-plugin"])
            except Exception as error:
                errors.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(15):
            local.install("demo-plugin==1.0.0")
            local.install("demo-plugin==0.9.0")
    finally:
        done.set()
        reader.join()
    assert not errors
    assert seen <= {"0.9.0", "1.0.0"}
    assert seen


def test_several_installs_at_once_wait_for_each_other(local: Site) -> None:
    pids = []
    for version in ("0.9.0", "1.0.0", "0.9.0", "1.0.0"):
        pid = os.fork()
        if pid == 0:
            try:
                local.install(f"demo-plugin=={version}")
            except BaseException:
                os._exit(1)
            os._exit(0)
        pids.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0, 0, 0]
    assert local.versions()["demo-plugin"] in ("0.9.0", "1.0.0")
    assert {path.name for path in local.to.iterdir()} == {".lock", "demo-plugin"}


def test_where_directories_cannot_be_exchanged_the_old_one_is_moved_aside(
    local: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.install("demo-plugin==0.9.0")
    monkeypatch.setattr(place, "exchange", lambda _one, _other: False)
    assert local.install().version == "1.0.0"
    assert local.versions() == {"demo-plugin": "1.0.0"}
    assert {path.name for path in local.to.iterdir()} == {".lock", "demo-plugin"}


def test_a_full_disk_leaves_the_folder_as_it_was(local: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    local.install("demo-plugin==0.9.0")
    before = snapshot(local.to)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            local.install()
    assert snapshot(local.to) == before
    assert local.install().version == "1.0.0"


# look


def test_an_index_is_looked_at_page_by_page(site: Site) -> None:
    index = load_index(site.index)
    assert index.projects() == ("demo-plugin",)
    assert [entry.version for entry in index.entries("demo-plugin")] == ["0.9.0", "1.0.0"]
    newest, pinned = find_entry(index, "demo-plugin"), find_entry(index, "demo-plugin==0.9.0")
    assert (newest.filename, pinned.filename) == (DEMO, OLDER)
    assert newest.artifact == f"{index.url.rstrip('/')}/files/demo-plugin/1.0.0/{DEMO}"
    assert site.install().sha256 == newest.sha256
    with pytest.raises(NotPublishedError, match="no plugin 'pluggy'"):
        find_entry(index, "pluggy")
    with pytest.raises(NotPublishedError, match="published are"):
        find_entry(index, "demo-plugin>7")


def test_one_plugin_costs_two_small_files(tree: RegistryTree) -> None:
    with serve(tree.root) as http:
        find_entry(load_index(http.url), "demo-plugin")
        assert http.requests == ["/plugins.json", "/plugins/demo-plugin.json"]


def test_what_is_yanked_is_found_only_when_pinned(tree: RegistryTree) -> None:
    index = load_index(tree.root)
    assert find_entry(index, "demo-plugin").version == "1.0.0"
    how: dict[str, Any] = {"keys": tree.everybody.release_keys, "now": datetime.now(UTC)}
    yank(tree.root, ProjectName("demo-plugin"), "1.0.0", reason="it lies", **how)
    assert find_entry(index, "demo-plugin").version == "0.9.0"
    assert find_entry(index, "demo-plugin==1.0.0").yanked == "it lies"
    yank(tree.root, ProjectName("demo-plugin"), "1.0.0", reason=None, **how)
    assert find_entry(index, "demo-plugin").version == "1.0.0"


def test_what_is_revoked_is_on_no_page_and_a_plugin_without_wheels_in_no_list(tree: RegistryTree) -> None:
    index = load_index(tree.root)
    for version, left in (("1.0.0", ["0.9.0"]), ("0.9.0", [])):
        assert index.projects() == ("demo-plugin",)
        revoke(
            tree.root,
            ProjectName("demo-plugin"),
            version,
            reason="it lies",
            severity="high",
            keys=tree.everybody.release_keys,
            now=datetime.now(UTC),
        )
        assert [entry.version for entry in index.entries("demo-plugin")] == left
    assert index.projects() == ()
    with pytest.raises(NotPublishedError):
        find_entry(index, "demo-plugin")


def test_an_index_without_flat_pages_is_told(tree: RegistryTree) -> None:
    (tree.root / "plugins.json").unlink()
    with pytest.raises(NotPublishedError, match=r"plugins\.json"):
        load_index(tree.root)


# from programs and from a shell


def test_programs_have_the_same_by_name() -> None:
    assert (assess_registry.install, assess_registry.load_index) == (install, load_index)
    assert (assess_registry.find_entry, assess_registry.verify) == (find_entry, verify)
    assert set(assess_registry.__all__) <= set(dir(assess_registry))
    for name in assess_registry.__all__:
        assert callable(getattr(assess_registry, name))
    with pytest.raises(AttributeError, match="no attribute 'uninstall'"):
        _ = assess_registry.uninstall  # type: ignore[attr-defined]


def test_the_way_by_commands(run: Run, site: Site) -> None:
    keys = ("--trusted-keys", site.tree.trusted_keys)
    done = run("install", "demo-plugin==0.9.0", "--index", site.index, "--to", site.to, *keys)
    assert (done.code, "demo-plugin 0.9.0" in done.stdout) == (0, True)
    done = run("install", "demo-plugin", "--index", site.index, "--to", site.to, *keys, "--output", "json")
    assert done.document["installed"]["previous"] == "0.9.0"
    assert done.document["installed"]["directory"] == str(site.to / "demo-plugin")
    wheel = site.to / "demo-plugin" / DEMO
    done = run("verify", site.to, wheel, *keys, "--output", "json")
    assert (done.code, [each["version"] for each in done.document["verified"]]) == (0, ["1.0.0", "1.0.0"])
    wheel.write_bytes(flip(wheel.read_bytes(), 100))
    refused = run("verify", wheel, *keys, "--output", "json")
    assert (refused.code, refused.document["error"]["step"]) == (5, "signature")
    assert refused.document["error"]["next_step"]


def test_lists_of_an_index_and_of_a_folder(run: Run, site: Site) -> None:
    site.install()
    listed = run("list", "--index", site.index, "--output", "json").document["wheels"]
    assert [each["version"] for each in listed if each["kind"] == "plugin"] == ["0.9.0", "1.0.0"]
    named = run("list", "demo-plugin", "--index", site.index, "--output", "json").document["wheels"]
    assert [each["filename"] for each in named] == [OLDER, DEMO]
    in_folder = run("list", "--index", site.to, "--output", "json").document
    assert [(each["project"], each["kind"]) for each in in_folder["wheels"]] == [
        ("assess-plugin", "dependency"),
        ("demo-plugin", "plugin"),
        ("pluggy", "dependency"),
    ]
    assert in_folder["folder"] == str(site.to)
    assert [wheel.filename for wheel in list_folder(site.to)] == [each["filename"] for each in in_folder["wheels"]]
    assert run("list", "demo-plugin", "--index", site.to).stdout.count(".whl") == 1
    assert run("list", "nothing-here", "--index", site.to).stdout == ""


def test_how_to_reach_an_index_is_handed_on(run: Run, local: Site, tmp_path: Path) -> None:
    """What it does over https is tested with the transport; here it is that it gets there."""
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    argv = ("--index", local.index, "--to", local.to, "--trusted-keys", local.tree.trusted_keys)
    for more in (("--proxy", "http://proxy.example:3128"), ("--ca-file", secret), ("--secret-file", secret)):
        for verb in (("install", "demo-plugin", *argv), ("list", "--index", local.tree.root.as_uri())):
            refused = run(*verb, *more)
            assert (refused.code, "are for https" in refused.stderr) == (2, True)
            assert "hunter2" not in refused.stderr
    assert run("install", "demo-plugin", *argv, "--user", "me").code == 2
    assert run("install", "demo-plugin", *argv, "--proxy", "socks://x").code == 2
    assert run("install", "demo-plugin", *argv).code == 0


def test_a_copy_of_the_pages_alone_can_be_listed(run: Run, tree: RegistryTree) -> None:
    (tree.root / "registry.toml").unlink()
    assert run("list", "--index", tree.root).stdout.count(".whl") == 2


def test_keys_come_from_the_flag_the_variable_or_the_users_own_directory(
    run: Run, local: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = tmp_path / "config" / "assess" / "trusted-keys"
    own.parent.mkdir(parents=True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    argv = ("install", "demo-plugin", "--index", local.index, "--to", local.to)
    assert run(*argv).code == 2
    shutil.copytree(local.tree.trusted_keys, own)
    assert run(*argv).code == 0
    shutil.rmtree(own)
    monkeypatch.setenv("ASSESS_TRUSTED_KEYS", str(local.tree.trusted_keys))
    assert run("verify", local.to).code == 0
