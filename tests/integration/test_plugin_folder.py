"""A folder of plugins: everything in it is what trusted publishers signed, or all of it is refused.

Each attack runs on a folder that has just been shown to be accepted, and changes one thing.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from assess_registry.errors import ConfigError, TrustError
from assess_registry.folder import open_folder
from assess_registry.folder.directory import MAX_ENTRIES
from assess_registry.lock import Lock
from assess_registry.lock import parse_lock as parse_lock_of
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
from tests.support.plugin_folder import OTHER, PluginFolder, make_folder
from tests.support.registry_tree import RegistryTree, make_registry_tree
from tests.support.wheels import WheelBuilder, demo_plugin_wheel

HERE = next(str(tag) for tag in TARGET.tags if tag.interpreter == "py3" and tag.platform != "any")
ELSEWHERE = "py3-none-win_amd64"
FOREIGN = f"demo_plugin-1.0.0-{ELSEWHERE}.whl"


@pytest.fixture
def folder(two_releases: RegistryTree, tmp_path: Path) -> PluginFolder:
    return make_folder(tmp_path, two_releases.copy(tmp_path / "registry"))


@dataclass(frozen=True, kw_only=True)
class Attack:
    """`do` changes one thing; then the folder must be refused at `step`, about `thing`, saying `said`."""

    do: Callable[[PluginFolder], object]
    step: str
    said: str
    thing: str = "plugins/demo-plugin"


def change(name: str, how: Callable[[bytes], bytes]) -> Callable[[PluginFolder], object]:
    def do(folder: PluginFolder) -> None:
        path = folder.demo / name
        path.write_bytes(how(path.read_bytes()))

    return do


def add(name: str, data: bytes = b"x") -> Callable[[PluginFolder], object]:
    return lambda folder: (folder.path / name).write_bytes(data)


def fifo(name: str) -> Callable[[PluginFolder], object]:
    def do(folder: PluginFolder) -> None:
        (folder.demo / name).unlink(missing_ok=True)
        os.mkfifo(folder.demo / name)

    return do


def remove(*names: str) -> Callable[[PluginFolder], object]:
    """These files of the plugin; without names, all of them."""

    def do(folder: PluginFolder) -> None:
        for name in names or [path.name for path in folder.demo.iterdir()]:
            (folder.demo / name).unlink()

    return do


def crowd(folder: PluginFolder) -> None:
    for number in range(MAX_ENTRIES):
        (folder.demo / str(number)).touch()


def linked(name: str) -> Callable[[PluginFolder], object]:
    """The very same bytes, only not here."""

    def do(folder: PluginFolder) -> None:
        path, elsewhere = folder.path / name, folder.path.parent / "elsewhere"
        path.rename(elsewhere)
        path.symlink_to(elsewhere)

    return do


def copied(name: str) -> Callable[[PluginFolder], object]:
    """The whole plugin a second time under another name."""
    return lambda folder: shutil.copytree(folder.demo, folder.path / name)


def second_version(folder: PluginFolder) -> None:
    """An older release beside the newer one, as well signed as that."""
    for name in (OLDER, OLDER + ".sig"):
        shutil.copy(folder.tree.path(OLDER).with_name(name), folder.demo / name)


def older_files(*names: str) -> Callable[[PluginFolder], object]:
    """Well signed files of the older release in the place of the newer one's."""

    def do(folder: PluginFolder) -> None:
        for name in names:
            source = folder.tree.path(OLDER).with_name(name.replace(DEMO, OLDER))
            (folder.demo / name).write_bytes(source.read_bytes())

    return do


def swapped(folder: PluginFolder) -> None:
    """Two files of the folder, each under the other's name."""
    one, other = folder.demo / PLUGGY, next(folder.demo.glob("assess_plugin-*.whl"))
    data = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(data)


def moved_plugin(folder: PluginFolder) -> None:
    folder.demo.rename(folder.path / "another-plugin")


def other_wheel_signed(folder: PluginFolder) -> None:
    """A stranger's wheel under the locked name, with a signature of the publisher - over the right one."""
    folder.wheel.write_bytes(WheelBuilder(files={"demo_plugin/extra.py": ""}).build())


ATTACKS: dict[str, Attack] = {
    # too much
    "extra file": Attack(do=add("demo-plugin/notes.txt"), step="folder", said="notes.txt: the signed lock does not"),
    "extra wheel": Attack(
        do=add("demo-plugin/evil-1.0-py3-none-any.whl"), step="folder", said="evil-1.0-py3-none-any.whl: the signed"
    ),
    "extra hidden file": Attack(do=add("demo-plugin/.hidden"), step="folder", said=".hidden: the signed lock"),
    "extra signature": Attack(do=add(f"demo-plugin/{PLUGGY}.sig"), step="folder", said=f"{PLUGGY}.sig: the signed"),
    "extra directory": Attack(
        do=lambda f: (f.demo / "demo_plugin").mkdir(), step="folder", said="demo_plugin: a directory"
    ),
    "file beside the plugins": Attack(do=add("README"), step="folder", said="README: a file", thing="plugins"),
    "wheel beside the plugins": Attack(
        do=lambda f: shutil.copy(f.wheel, f.path / DEMO), step="folder", said=f"{DEMO}: a file", thing="plugins"
    ),
    "unsigned wheel beside the plugins": Attack(
        do=add("evil-1.0-py3-none-any.whl"), step="folder", said="evil-1.0-py3-none-any.whl: a file", thing="plugins"
    ),
    "empty directory": Attack(
        do=lambda f: (f.path / "another").mkdir(), step="folder", said="no lock", thing="plugins/another"
    ),
    "fifo": Attack(
        do=fifo("pipe"), step="folder", said="pipe: no regular file"
    ),
    "fifo for a wheel": Attack(
        do=fifo(DEMO), step="folder", said=f"{DEMO}: no regular file"
    ),
    "two versions": Attack(do=second_version, step="folder", said=f"{OLDER}: the signed lock does not name it"),
    "crowd": Attack(
        do=crowd, step="folder", said="more than"
    ),
    # too little
    "no wheel": Attack(do=lambda f: f.wheel.unlink(), step="folder", said="does not name it"),
    "neither wheel nor signature": Attack(
        do=remove(DEMO, DEMO + ".sig"), step="folder", said="it is missing"
    ),
    "no dependency": Attack(
        do=lambda f: (f.demo / PLUGGY).unlink(), step="closure", said="the lock names it", thing=PLUGGY
    ),
    "no lock": Attack(do=lambda f: (f.demo / "pylock.toml").unlink(), step="folder", said="there is no lock"),
    "empty plugin": Attack(
        do=remove(), step="folder", said="there is no lock"
    ),
    # unsigned, or by somebody else
    "unsigned": Attack(
        do=lambda f: (f.demo / (DEMO + ".sig")).unlink(), step="signature", said="not signed", thing=DEMO
    ),
    "unsigned lock": Attack(
        do=lambda f: (f.demo / "pylock.toml.sig").unlink(), step="signature", said="not signed", thing="pylock.toml"
    ),
    "signed by a stranger": Attack(
        do=lambda f: f.tree.sign(f.wheel, key=STRANGER), step="signature", said="no trusted key", thing=DEMO
    ),
    "lock signed by a stranger": Attack(
        do=lambda f: f.tree.sign(f.demo / "pylock.toml", key=STRANGER),
        step="signature",
        said="no trusted key",
        thing="pylock.toml",
    ),
    "lock by another publisher": Attack(
        do=lambda f: f.tree.sign(f.demo / "pylock.toml", key=SECOND),
        step="signer",
        said="different publishers",
        thing=DEMO,
    ),
    "signature of another release": Attack(
        do=older_files(DEMO + ".sig"), step="signature", said="no trusted key", thing=DEMO
    ),
    "signature with a byte more": Attack(
        do=change(DEMO + ".sig", lambda d: d + b"\n"), step="length", said="longer", thing=DEMO + ".sig"
    ),
    "signature cut": Attack(do=change(DEMO + ".sig", lambda d: d[:-3]), step="signature", said="malformed", thing=DEMO),
    # altered or exchanged
    "altered": Attack(do=change(DEMO, lambda d: flip(d, 100)), step="hash", said="not the bytes", thing=DEMO),
    "cut short": Attack(do=change(DEMO, lambda d: d[:-1]), step="hash", said="not the bytes", thing=DEMO),
    "longer": Attack(do=change(DEMO, lambda d: d + b"x"), step="length", said="longer", thing=DEMO),
    "dependency altered": Attack(do=change(PLUGGY, lambda d: flip(d, 100)), step="hash", said="not the", thing=PLUGGY),
    "lock altered": Attack(
        do=change("pylock.toml", lambda d: d + b"#"), step="signature", said="no trusted key", thing="pylock.toml"
    ),
    "lock of another release": Attack(
        do=older_files("pylock.toml", "pylock.toml.sig"), step="folder", said=f"{DEMO}: the signed lock does not"
    ),
    "wheel of another release": Attack(do=older_files(DEMO, DEMO + ".sig"), step="length", said="longer", thing=DEMO),
    "another wheel": Attack(do=other_wheel_signed, step="hash", said="not the bytes", thing=DEMO),
    "dependencies swapped": Attack(do=swapped, step="", said="", thing=".whl"),
    # names and links
    "name with capitals": Attack(
        do=copied("Demo-Plugin"), step="folder", said="Demo-Plugin: 'Demo-Plugin' is not a normalised", thing="plugins"
    ),
    "name that normalises alike": Attack(
        do=copied("demo_plugin"), step="folder", said="'demo-plugin' in its one spelling", thing="plugins"
    ),
    "name that looks alike": Attack(
        do=copied("dem\u043e-plugin"), step="folder", said="not a normalised project name", thing="plugins"
    ),
    "copy under another name": Attack(
        do=copied("another-plugin"), step="lock", said="does not hold the plugin", thing="plugins/another-plugin/pylock"
    ),
    "copy under a dependency's name": Attack(
        do=copied("pluggy"), step="folder", said="does not name it", thing="plugins/pluggy"
    ),
    "under another name": Attack(
        do=moved_plugin, step="lock", said="does not hold the plugin", thing="plugins/another-plugin/pylock"
    ),
    "link for a wheel": Attack(do=linked(f"demo-plugin/{DEMO}"), step="folder", said=f"{DEMO}: a symbolic link"),
    "link for a lock": Attack(do=linked("demo-plugin/pylock.toml"), step="folder", said="pylock.toml: a symbolic link"),
    "link for a plugin": Attack(
        do=linked("demo-plugin"), step="folder", said="demo-plugin: a symbolic link", thing="plugins"
    ),
    "dangling link": Attack(
        do=lambda f: (f.demo / "x").symlink_to("nowhere"), step="folder", said="x: a symbolic link"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_one_thing_wrong_and_the_folder_is_refused(folder: PluginFolder, name: str) -> None:
    attack = ATTACKS[name]
    assert folder.versions() == {"demo-plugin": "1.0.0"}
    attack.do(folder)
    before = set(folder.path.iterdir())
    with pytest.raises(TrustError) as caught:
        folder.open()
    assert caught.value.step in ((attack.step,) if attack.step else ("hash", "length")), str(caught.value)
    assert attack.said in str(caught.value)
    assert attack.thing in caught.value.thing
    assert caught.value.next_step
    assert set(folder.path.iterdir()) == before


@pytest.mark.parametrize("how", ["sign again", "lock file", "staging", "copy elsewhere", "link to the folder", "other"])
def test_what_is_right_is_accepted(folder: PluginFolder, how: str, tmp_path: Path) -> None:
    """The controls: the same doing, and nothing wrong with it."""
    path = folder.path
    if how == "sign again":
        folder.sign(folder.wheel)
    elif how == "lock file":
        (path / ".lock").write_bytes(b"process 1")
    elif how == "staging":
        shutil.copytree(folder.demo, path / ".tmp-0123")
        (path / ".tmp-4567").symlink_to("nowhere")
    elif how == "copy elsewhere":
        path = Path(shutil.copytree(path, tmp_path / "copy with blanks, ä and #"))
    elif how == "link to the folder":
        path = tmp_path / "link"
        path.symlink_to(folder.path)
    else:
        older = make_folder(tmp_path / "older", folder.tree)
        older.install("demo-plugin==0.9.0")
        shutil.rmtree(folder.demo)
        shutil.copytree(older.demo, folder.demo)
    opened = open_folder(path, trusted_keys=folder.tree.trusted_keys, target=TARGET)
    assert [plugin.version for plugin in opened] == ["0.9.0" if how == "other" else "1.0.0"]


def test_one_plugin_wrong_and_the_others_are_not_believed_either(folder: PluginFolder) -> None:
    folder.tree.publish(OTHER.filename, OTHER.build())
    folder.install("other-plugin")
    assert folder.versions() == {"demo-plugin": "1.0.0", "other-plugin": "1.0.0"}
    (folder.path / "other-plugin" / (OTHER.filename + ".sig")).unlink()
    with pytest.raises(TrustError, match="not signed"):
        folder.open()


def test_everything_strange_in_a_folder_is_said_at_once(folder: PluginFolder) -> None:
    add("README")(folder)
    (folder.path / "Demo_Plugin").mkdir()
    with pytest.raises(TrustError) as caught:
        folder.open()
    assert [(issue.id, issue.entry) for issue in caught.value.issues] == [
        ("folder-name", "Demo_Plugin"),
        ("folder-extra", "README"),
    ]


def test_keys_that_others_can_replace_vouch_for_nothing(folder: PluginFolder) -> None:
    assert folder.open()
    folder.tree.trusted_keys.chmod(0o777)
    with pytest.raises(TrustError) as caught:
        folder.open()
    assert caught.value.step == "keys"


def test_without_the_publishers_key_nothing_is_accepted(folder: PluginFolder) -> None:
    (folder.tree.trusted_keys / "publisher.pub").unlink()
    with pytest.raises(TrustError) as caught:
        folder.open()
    assert caught.value.step == "signature"
    folder.tree.trust("publisher", folder.tree.key)
    assert folder.open()


def test_a_folder_that_is_not_there_is_a_mistake_of_the_configuration(folder: PluginFolder, tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", folder.wheel):
        with pytest.raises(ConfigError, match="no such directory"):
            open_folder(path, trusted_keys=folder.tree.trusted_keys, target=TARGET)
    (tmp_path / "empty").mkdir()
    assert open_folder(tmp_path / "empty", trusted_keys=folder.tree.trusted_keys, target=TARGET) == ()


@pytest.fixture(scope="module")
def two_platforms(tmp_path_factory: pytest.TempPathFactory) -> RegistryTree:
    tree = make_registry_tree(tmp_path_factory.mktemp("platforms"), plugins=[])
    tree.trust("second", SECOND)
    for tag in (HERE, ELSEWHERE):
        tree.publish(*demo_plugin_wheel(tag=tag))
    return tree


@pytest.fixture
def with_both(two_platforms: RegistryTree, tmp_path: Path) -> PluginFolder:
    """A folder with the demo plugin's wheels for this platform and for another."""
    folder = make_folder(tmp_path, two_platforms)
    for name in (FOREIGN, FOREIGN + ".sig"):
        shutil.copy(two_platforms.path(FOREIGN).with_name(name), folder.demo / name)
    return folder


FOREIGN_ATTACKS: dict[str, tuple[Callable[[PluginFolder], object], str]] = {
    "unsigned": (remove(FOREIGN + ".sig"), "folder"),
    "without its wheel": (remove(FOREIGN), "folder"),
    "altered": (change(FOREIGN, lambda d: flip(d, 100)), "hash"),
    "longer": (change(FOREIGN, lambda d: d + b"x"), "length"),
    "signed by a stranger": (lambda f: f.tree.sign(f.demo / FOREIGN, key=STRANGER), "signature"),
    "signed by another publisher": (lambda f: f.tree.sign(f.demo / FOREIGN, key=SECOND), "signer"),
}


@pytest.mark.parametrize("name", FOREIGN_ATTACKS)
def test_wheels_for_other_platforms_are_held_to_the_same(with_both: PluginFolder, name: str) -> None:
    attack, step = FOREIGN_ATTACKS[name]
    (plugin,) = with_both.open()
    assert (FOREIGN in plugin.files, plugin.verified.inspected.filename != FOREIGN) == (True, True)
    attack(with_both)
    with pytest.raises(TrustError) as caught:
        with_both.open()
    assert caught.value.step == step, str(caught.value)


def exchanging(folder: PluginFolder, monkeypatch: pytest.MonkeyPatch, *versions: str) -> None:
    """Each time the lock has been read, another version is put in the plugin's place, as long as there is one."""
    left = list(versions)

    def parse_lock(data: bytes) -> Lock:
        if left:
            folder.install(f"demo-plugin=={left.pop(0)}")
        return parse_lock_of(data)

    monkeypatch.setattr("assess_registry.folder.read.parse_lock", parse_lock)


def test_a_plugin_exchanged_while_it_is_read_is_read_anew(
    folder: PluginFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchanging(folder, monkeypatch, "0.9.0")
    assert folder.versions() == {"demo-plugin": "0.9.0"}
    exchanging(folder, monkeypatch, *("1.0.0", "0.9.0") * 5)
    with pytest.raises(ConfigError, match="changes all the time"):
        folder.open()


def test_a_file_taken_away_while_it_is_read_is_no_exchange(
    folder: PluginFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parse_lock(data: bytes) -> Lock:
        folder.wheel.unlink()
        return parse_lock_of(data)

    monkeypatch.setattr("assess_registry.folder.read.parse_lock", parse_lock)
    with pytest.raises(TrustError, match="gone"):
        folder.open()


def test_reading_writes_nothing(folder: PluginFolder) -> None:
    before = snapshot(folder.path)
    assert folder.open()
    assert snapshot(folder.path) == before
