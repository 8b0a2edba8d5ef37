"""Verify a file or a folder that somebody brought, with nothing but keys: what is not as it was signed is refused."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from assess_registry.errors import ConfigError, TrustError
from assess_registry.simple import verify, verify_folder
from tests.integration.test_simple_install import Run, run
from tests.support.client_place import DEMO, OLDER, PLUGGY, SECOND, STRANGER, flip
from tests.support.plugin_folder import PluginFolder, make_folder
from tests.support.registry_tree import RegistryTree

__all__ = ["run"]  # fixtures


@pytest.fixture
def folder(tree: RegistryTree, tmp_path: Path) -> PluginFolder:
    return make_folder(tmp_path, tree)


def test_a_wheel_is_verified_with_the_lock_beside_it_or_without(folder: PluginFolder, tmp_path: Path) -> None:
    keys, key = folder.tree.trusted_keys, folder.tree.key.public.id
    report = verify(folder.wheel, trusted_keys=keys)
    assert (report.project, report.version, report.signer) == ("demo-plugin", "1.0.0", key)
    assert report.lock_sha256 == verify(folder.demo / "pylock.toml", trusted_keys=keys).lock_sha256 is not None
    assert verify(folder.tree.path(DEMO), trusted_keys=keys).lock_sha256 == report.lock_sha256
    for name in (DEMO, DEMO + ".sig"):
        shutil.copy(folder.demo / name, tmp_path / name)
    assert verify(tmp_path / DEMO, trusted_keys=keys).lock_sha256 is None


def test_a_wheel_that_is_not_there_or_a_link_is_told_so(folder: PluginFolder, tmp_path: Path) -> None:
    keys = folder.tree.trusted_keys
    with pytest.raises(ConfigError, match=r"absent-1\.0-py3-none-any\.whl: there is no such file"):
        verify(tmp_path / "absent-1.0-py3-none-any.whl", trusted_keys=keys)
    (tmp_path / DEMO).symlink_to(folder.wheel)
    with pytest.raises(TrustError, match="symbolic link") as caught:
        verify(tmp_path / DEMO, trusted_keys=keys)
    assert (caught.value.step, caught.value.thing) == ("folder", str(tmp_path / DEMO))
    assert verify(folder.wheel, trusted_keys=keys).project == "demo-plugin"


def test_a_dependency_is_vouched_for_by_the_lock_beside_it_alone(folder: PluginFolder, tmp_path: Path) -> None:
    keys = folder.tree.trusted_keys
    report = verify(folder.demo / PLUGGY, trusted_keys=keys)
    assert (report.project, report.signer) == ("pluggy", folder.tree.key.public.id)
    shutil.copy(folder.demo / PLUGGY, tmp_path / PLUGGY)
    with pytest.raises(TrustError, match="not signed"):
        verify(tmp_path / PLUGGY, trusted_keys=keys)


def unsigned_and_altered(folder: PluginFolder) -> None:
    (folder.demo / (DEMO + ".sig")).unlink()
    folder.wheel.write_bytes(flip(folder.wheel.read_bytes(), 100))


def signed(name: str) -> Callable[[PluginFolder], object]:
    """Garbage, signed by the publisher."""

    def do(folder: PluginFolder) -> None:
        (folder.demo / name).write_bytes(b"x = 1\n")
        folder.sign(folder.demo / name)

    return do


FILE_ATTACKS: dict[str, tuple[Callable[[PluginFolder], object], str, str]] = {
    "unsigned, and not in the lock": (unsigned_and_altered, DEMO, "hash"),
    "altered": (lambda f: f.wheel.write_bytes(flip(f.wheel.read_bytes(), 100)), DEMO, "signature"),
    "signed by a stranger": (lambda f: f.tree.sign(f.wheel, key=STRANGER), DEMO, "signature"),
    "signature empty": (lambda f: (f.demo / (DEMO + ".sig")).write_bytes(b""), DEMO, "signature"),
    "signature long": (lambda f: (f.demo / (DEMO + ".sig")).write_bytes(b"x" * 90), DEMO, "length"),
    "lock unsigned": (lambda f: (f.demo / "pylock.toml.sig").unlink(), DEMO, "signature"),
    "lock by another publisher": (lambda f: f.tree.sign(f.demo / "pylock.toml", key=SECOND), DEMO, "signer"),
    "lock of another release": (
        lambda f: [
            shutil.copy(f.tree.path(OLDER).with_name(name), f.demo / name)
            for name in ("pylock.toml", "pylock.toml.sig")
        ],
        DEMO,
        "lock",
    ),
    "signed garbage": (signed(DEMO), DEMO, "inspect"),
    "dependency altered": (
        lambda f: (f.demo / PLUGGY).write_bytes(flip((f.demo / PLUGGY).read_bytes(), 100)),
        PLUGGY,
        "hash",
    ),
    "lock altered": (
        lambda f: (f.demo / "pylock.toml").write_bytes((f.demo / "pylock.toml").read_bytes() + b"#"),
        "pylock.toml",
        "signature",
    ),
    "lock that is none": (signed("pylock.toml"), "pylock.toml", "lock"),
}


@pytest.mark.parametrize("name", FILE_ATTACKS)
def test_a_file_that_is_not_as_signed_is_refused(folder: PluginFolder, name: str) -> None:
    attack, file, step = FILE_ATTACKS[name]
    assert verify(folder.demo / file, trusted_keys=folder.tree.trusted_keys).signer == folder.tree.key.public.id
    attack(folder)
    with pytest.raises(TrustError) as caught:
        verify(folder.demo / file, trusted_keys=folder.tree.trusted_keys)
    assert caught.value.step == step, str(caught.value)


def test_a_folder_or_one_plugin_of_it_is_verified_as_a_whole(folder: PluginFolder) -> None:
    keys = folder.tree.trusted_keys
    for place_ in (folder.path, folder.demo):
        (report,) = verify_folder(place_, trusted_keys=keys)
        assert (report.path, report.version, len(report.closure)) == (folder.demo, "1.0.0", 2)
    assert verify(folder.demo, trusted_keys=keys) == report
    with pytest.raises(ConfigError, match="or the directory of one plugin"):
        verify(folder.path, trusted_keys=keys)
    (folder.demo / "extra").touch()
    for place_ in (folder.path, folder.demo):
        with pytest.raises(TrustError, match="extra"):
            verify_folder(place_, trusted_keys=keys)
    with pytest.raises(TrustError, match="extra"):
        verify(folder.demo, trusted_keys=keys)


def test_what_is_no_file_of_ours_is_a_mistake(folder: PluginFolder, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    for path in (tmp_path / "notes.txt", tmp_path / DEMO, tmp_path / "nowhere" / DEMO):
        with pytest.raises(ConfigError):
            verify(path, trusted_keys=folder.tree.trusted_keys)
    with pytest.raises(ConfigError, match="named as its project"):
        verify_folder(folder.tree.path(DEMO).parent, trusted_keys=folder.tree.trusted_keys)


def test_that_there_is_nothing_to_verify_is_no_success(run: Run, folder: PluginFolder, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = run("verify", tmp_path / "empty", "--trusted-keys", folder.tree.trusted_keys)
    assert (done.code, "nothing was verified" in done.stderr) == (2, True)
    assert run("verify", folder.path, "--trusted-keys", folder.tree.trusted_keys).code == 0
