"""A runtime goes by its registry's signed word: what is not vouched for any more does not run, whatever was installed.

Each attack has a control: the same place without the attack, or with it undone.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assess_core.assessing.plan import Task
from assess_core.cli import main
from assess_core.config import Config, parse
from assess_core.delivery.values import Action, Synced
from assess_core.errors import ConfigError
from assess_core.results import Run
from assess_core.runtime import Runtime
from assess_registry.client import ExpiredError
from assess_registry.control import PublisherTrust, ReviewerTrust
from assess_registry.keys import TimedKey
from assess_registry.names import ProjectName
from assess_registry.publish.after import revoke
from assess_registry.repository import Repository
from tests.integration.test_client_approved_attacks import digest_of_dependency, revoke_by_list
from tests.support.approved_place import approved, commit, recontrol, relist_wheel, replace_file
from tests.support.client_place import DEMO, snapshot
from tests.support.http_registry import serve, status
from tests.support.kills import killed_before, stride
from tests.support.registry_tree import BEGAN, RegistryTree, make_registry_tree
from tests.support.wheels import demo_plugin_wheel

PLUGIN = '[[plugins]]\nname = "demo-plugin"\n'
OTHER = '[[plugins]]\nname = "other-plugin"\n'
ASSESSMENT = '[[assessments]]\nid = "demo"\nplugin = "demo"\nprovider = "demo-subjects"\n'


@dataclass(frozen=True, kw_only=True)
class Place:
    """A registry and a runtime that uses it; every call is a process of its own, with the same state."""

    tree: RegistryTree
    directory: Path
    url: str = ""

    @property
    def state(self) -> Path:
        return self.directory / "state"

    @property
    def root(self) -> Path:
        return self.directory / "1.root.json"

    def config(self, plugins: str = PLUGIN, **registry: Any) -> Config:
        values = {"url": self.url or self.tree.root.as_uri(), "root": str(self.root), "development": True, **registry}
        table = "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
        text = f'[runtime]\nid = "web-01"\nstate_dir = "state"\n[registry]\n{table}{plugins}{ASSESSMENT}'
        path = self.directory / "assess.toml"
        path.write_text(text)
        return parse(text.encode(), path)

    def sync(self, plugins: str = PLUGIN, *, offline: bool = False, dry_run: bool = False, **registry: Any) -> Synced:
        with Runtime(self.config(plugins, **registry), state=self.state) as runtime:
            return runtime.sync(offline=offline, dry_run=dry_run)[0]

    def run(self, *, offline: bool = False, **registry: Any) -> Run:
        with Runtime(self.config(**registry), state=self.state) as runtime:
            synced = runtime.sync(offline=offline)
            return runtime.assess(runtime.plan(synced), synced=synced)

    def refused(self, *, offline: bool = False, **registry: Any) -> str:
        """The step that refuses it. Then nothing of it runs, and both commands exit with 5."""
        with Runtime(self.config(**registry), state=self.state) as runtime:
            synced = runtime.sync(offline=offline)
            assert not [task for task in runtime.plan(synced) if isinstance(task, Task)]
        (line,) = synced
        assert (line.action, line.previous) == (Action.REFUSED, "")
        assert line.refusal is not None
        for argv in (["run", "--offline"],) if offline else (["run"], ["sync"]):
            assert main([*argv, "--config", str(self.directory / "assess.toml")]) == 5
        return line.refusal.step

    def copy(self, directory: Path) -> "Place":
        shutil.copytree(self.directory, directory, dirs_exist_ok=True, symlinks=True)
        return replace(self, tree=replace(self.tree, directory=directory / "registry"), directory=directory)


def make_place(directory: Path, **more: Any) -> Place:
    tree = make_registry_tree(directory / "registry", plugins=[demo_plugin_wheel("1.0.0")], **more)
    place = Place(tree=tree, directory=directory)
    shutil.copy2(tree.root_metadata, place.root)
    return place


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Nothing is installed."""
    return make_place(tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="module")
def used(published: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The plugin is installed."""
    place = published.copy(tmp_path_factory.mktemp("used") / "place")
    assert place.sync().action is Action.INSTALLED
    return place


@pytest.fixture
def fresh(published: Place, tmp_path: Path) -> Place:
    return published.copy(tmp_path / "place")


@pytest.fixture
def place(used: Place, tmp_path: Path) -> Place:
    return used.copy(tmp_path / "place")


def what_serves(state: Path) -> dict[str, bytes]:
    """All of the state that decides what runs, and by whose word."""
    decides = ("active/", "installed/", "envs/", "wheels/", "locks/")
    return {
        name: data
        for name, data in snapshot(state).items()
        if name.startswith(decides) or (name.startswith("trust/") and "/word-" in name and "/refreshed" not in name)
    }


# ---- development ---------------------------------------------------------------------------------------------------


def test_a_development_registry_is_refused_where_nobody_asked_for_one(fresh: Place) -> None:
    assert fresh.refused(development=False) == "development"
    assert not (fresh.state / "active").exists() or not list((fresh.state / "active").iterdir())
    assert {result.registry for result in fresh.run().results} == {"development"}
    assert fresh.refused(development=False) == "development"  # nor what was installed before
    assert fresh.refused(development=False, offline=True) == "development"


@pytest.mark.parametrize("development", [True, False])
def test_a_result_says_what_the_signed_word_says_not_what_the_configuration_does(
    tmp_path: Path, development: bool
) -> None:
    place = make_place(tmp_path, config=lambda config: replace(config, development=False))
    assert {result.registry for result in place.run(development=development).results} == {"production"}


def test_a_registry_that_becomes_one_for_development_marks_what_came_before(tmp_path: Path) -> None:
    place = make_place(tmp_path, config=lambda config: replace(config, development=False))
    assert {result.registry for result in place.run().results} == {"production"}
    recontrol(place.tree, lambda control: replace(control, development=True))
    assert {result.registry for result in place.run().results} == {"development"}
    assert place.refused(development=False) == "development"


# ---- what is taken back --------------------------------------------------------------------------------------------


def revoke_release(tree: RegistryTree) -> None:
    keys = tree.everybody.release_keys
    project, now = ProjectName("demo-plugin"), datetime.now(UTC)
    revoke(
        tree.root,
        project,
        "1.0.0",
        reason="leaks",
        severity="high",
        keys=keys,
        now=now,
        accept_registry_changes=True,
    )


def revoke_dependency(tree: RegistryTree) -> None:
    revoke_by_list(digest_of_dependency)(tree, True)


def ended(timed: TimedKey) -> TimedKey:
    return replace(timed, valid_until=BEGAN + timedelta(seconds=1), revoked="laptop stolen")


def revoke_publishers_key(tree: RegistryTree) -> None:
    def change(trust: PublisherTrust) -> PublisherTrust:
        return replace(trust, keys=tuple(ended(timed) for timed in trust.keys))

    recontrol(
        tree,
        lambda control: replace(control, publishers={name: change(t) for name, t in control.publishers.items()}),
    )


def revoke_reviewers_key(tree: RegistryTree, name: str = "rita") -> None:
    def change(trust: ReviewerTrust) -> ReviewerTrust:
        return replace(trust, keys=tuple(ended(timed) for timed in trust.keys))

    recontrol(
        tree, lambda control: replace(control, reviewers={**control.reviewers, name: change(control.reviewers[name])})
    )


def ask_for_more_approvals(tree: RegistryTree) -> None:
    recontrol(
        tree,
        lambda control: replace(
            control, publishers={name: replace(trust, approvals=2) for name, trust in control.publishers.items()}
        ),
    )


def take_project_away(tree: RegistryTree) -> None:
    recontrol(
        tree,
        lambda control: replace(
            control, publishers={name: replace(t, projects=("other",)) for name, t in control.publishers.items()}
        ),
    )


def take_off_the_catalogue(tree: RegistryTree) -> None:
    commit(tree, {"catalog/demo-plugin.json": None})


TAKEN_BACK: dict[str, tuple[Callable[[RegistryTree], None], str]] = {
    "release revoked": (revoke_release, "revoked"),
    "dependency revoked": (revoke_dependency, "revoked"),
    "publisher's key revoked": (revoke_publishers_key, "publisher"),
    "project taken away": (take_project_away, "publisher"),
    "reviewer's key revoked": (revoke_reviewers_key, "approval"),
    "more approvals needed": (ask_for_more_approvals, "approval"),
    "project gone": (take_off_the_catalogue, "catalogue"),
}


@pytest.mark.parametrize("name", TAKEN_BACK)
def test_what_is_taken_back_does_not_run_from_the_next_word_on(name: str, place: Place) -> None:
    do, step = TAKEN_BACK[name]
    if name != "release revoked":  # which signs registry.toml, too
        revoke_reviewers_key(place.tree, "ruben")  # the control: somebody who approved nothing of this
    assert place.sync().action is Action.PRESENT
    assert place.run().shortcomings() == ()
    do(place.tree)
    assert place.sync(offline=True).action is Action.STALE  # nobody has told this runtime
    assert place.refused() == step
    assert place.refused(offline=True) == step
    place.tree.root.rename(place.directory / "gone")
    assert place.refused() == step


def test_a_refusal_is_told_to_programs_value_by_value_and_to_people_line_by_line(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.config()
    argv = ["sync", "--config", str(place.directory / "assess.toml")]
    assert main([*argv, "--output", "json"]) == 0
    (line,) = json.loads(capsys.readouterr().out)["plugins"]
    assert (line["action"], line["refusal"]) == ("present", None)

    revoke_release(place.tree)
    assert main([*argv, "--output", "json"]) == 5
    (line,) = json.loads(capsys.readouterr().out)["plugins"]
    assert line["action"] == "refused"
    assert list(line["refusal"]) == ["step", "thing", "expected", "got", "next_step", "issues"]
    assert line["refusal"]["step"] == "revoked"
    assert line["refusal"]["next_step"]
    assert line["refusal"]["thing"] in line["reason"]

    assert main(argv) == 5
    printed = capsys.readouterr()
    heading, row = printed.out.splitlines()
    assert heading.split() == ["PLUGIN", "ACTION", "WAS", "REASON"] or heading.split() == ["PLUGIN", "ACTION", "REASON"]
    assert row.startswith("demo-plugin  refused")
    assert "step 'revoked': " in row
    assert "next:" not in row
    told = printed.err.splitlines()
    assert told[0].startswith("assess: demo-plugin: refused at step 'revoked'")
    assert told[-1].startswith("  next: ")


def test_what_is_taken_back_is_named_by_verify(place: Place) -> None:
    def verify() -> list[str]:
        with Runtime(place.config(), state=place.state) as runtime:
            return [difference.message for report in runtime.verify(None) for difference in report.differences]

    assert verify() == []
    revoke_release(place.tree)
    assert verify() == []  # not heard of
    place.sync()
    (said,) = verify()
    assert "revoked: leaks" in said


def test_what_others_approve_instead_runs_on(place: Place) -> None:
    revoke_reviewers_key(place.tree)
    assert place.refused() == "approval"
    envelope = approved(place.tree, [place.tree.everybody.reviewers["ruben"]])
    relist_wheel(place.tree, verdict=replace_file(place.tree, f"{DEMO}.verdict.json", envelope.data()))
    assert place.sync().action is Action.PRESENT
    (kept,) = (place.state / "wheels").glob("*/*.verdict.json")
    assert kept.read_bytes() == envelope.data()
    place.tree.root.rename(place.directory / "gone")
    assert place.sync().action is Action.STALE


def test_an_older_version_does_not_stand_in_when_it_was_revoked_too(place: Place) -> None:
    place.tree.publish(*demo_plugin_wheel("1.1.0", source="raise RuntimeError('not today')\n"))
    line = place.sync()  # the control: it does while it may
    assert (line.action, line.previous) == (Action.FAILED, "1.0.0")
    revoke_release(place.tree)
    assert place.refused() == "revoked"


# ---- without the registry ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("away", ["offline", "gone"])
def test_without_the_registry_what_is_installed_runs_on_and_says_so(place: Place, away: str) -> None:
    assert {result.stale for result in place.run().results} == {False}
    offline = away == "offline"
    if not offline:
        place.tree.root.rename(place.directory / "gone")
    assert {result.stale for result in place.run(offline=offline).results} == {True}
    assert place.refused(offline=offline, max_staleness_d=0) == "staleness"
    new = place.sync(OTHER, offline=offline)
    assert new.action is Action.FAILED
    assert "not installed" in new.reason


def test_a_state_that_never_heard_of_the_registry_installs_nothing(fresh: Place) -> None:
    assert fresh.sync(offline=True).action is Action.FAILED
    assert fresh.sync().action is Action.INSTALLED


def test_what_is_remembered_belongs_to_one_root(place: Place, tmp_path: Path) -> None:
    other = make_place(tmp_path / "other")
    shutil.copy2(other.root, place.root)
    assert place.refused() == "timestamp"  # by keys that the other root does not name
    assert place.refused(offline=True) == "staleness"
    assert len(list((place.state / "trust").iterdir())) == 2
    shutil.copy2(place.tree.root_metadata, place.root)
    assert place.sync().action is Action.PRESENT


@pytest.mark.parametrize("root", [b"", b"{}", b'{"signed": {}, "signatures": []}'])
def test_a_root_that_is_none_is_refused_as_that(place: Place, root: bytes) -> None:
    whole = place.root.read_bytes()
    place.root.write_bytes(root)
    assert place.refused() == "root"
    place.root.write_bytes(whole)
    assert place.sync().action is Action.PRESENT


# ---- what a registry, or who stands in between, may try ------------------------------------------------------------


@pytest.fixture(params=["file", "http"])
def reached(request: pytest.FixtureRequest, place: Place) -> Iterator[Place]:
    """The plugin is installed, and the registry is reached over `file:` or http."""
    if request.param == "file":
        yield place
    else:
        with serve(place.tree.root) as http:
            yield replace(place, url=http.url)


def test_a_registry_that_goes_back_is_refused_and_changes_nothing(reached: Place, tmp_path: Path) -> None:
    assert reached.sync().action is Action.PRESENT
    before = shutil.copytree(reached.tree.root, tmp_path / "before")
    reached.tree.publish(*demo_plugin_wheel("1.1.0"))
    now = shutil.copytree(reached.tree.root, tmp_path / "now")
    assert reached.sync().action is Action.UPGRADED
    serves = what_serves(reached.state)

    replace_tree(reached.tree.root, before)
    line = reached.sync()
    assert (line.action, line.previous) == (Action.REFUSED, "1.1.0")
    assert line.refusal is not None
    assert line.refusal.step == "timestamp"
    assert main(["sync", "--config", str(reached.directory / "assess.toml")]) == 5
    assert what_serves(reached.state) == serves

    replace_tree(reached.tree.root, now)
    assert reached.sync().action is Action.PRESENT


def test_by_a_word_that_has_expired_what_is_installed_runs_on_stale_and_loudly(
    reached: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody has renewed it, or a mirror serves what was true once."""
    assert reached.sync().action is Action.PRESENT
    assert not {result.stale for result in reached.run().results} - {False}
    serves = what_serves(reached.state)
    sign_at(reached.tree, datetime.now(UTC) - timedelta(days=30))

    line = reached.sync()
    assert (line.action, line.version) == (Action.STALE, "1.0.0")
    assert isinstance(line.refusal, ExpiredError)
    assert (line.refusal.step, line.refusal.thing) == ("timestamp", "metadata/timestamp.json")
    assert {result.stale for result in reached.run().results} == {True}
    for verb in ("sync", "run"):
        assert main([verb, "--config", str(reached.directory / "assess.toml"), "--quiet"]) in {0, 3}
        assert "metadata/timestamp.json: it has expired" in capsys.readouterr().err
    assert what_serves(reached.state) == serves

    assert reached.refused(max_staleness_d=0) == "staleness"
    sign_at(reached.tree, datetime.now(UTC))
    assert reached.sync().action is Action.PRESENT


def test_by_a_word_that_has_expired_nothing_new_is_installed(fresh: Place) -> None:
    sign_at(fresh.tree, datetime.now(UTC) - timedelta(days=30))
    line = fresh.sync()
    assert (line.action, line.previous) == (Action.REFUSED, "")
    assert main(["sync", "--config", str(fresh.directory / "assess.toml")]) == 5
    assert not what_serves(fresh.state)
    sign_at(fresh.tree, datetime.now(UTC))
    assert fresh.sync().action is Action.INSTALLED


def test_by_a_word_that_has_expired_no_other_version_is_installed(place: Place) -> None:
    place.tree.publish(*demo_plugin_wheel("1.1.0"))
    sign_at(place.tree, datetime.now(UTC) - timedelta(days=30))
    assert place.sync().version == "1.0.0"
    newer = PLUGIN.replace("[[plugins]]", '[[plugins]]\nversion = "==1.1.0"')
    assert place.sync(newer).action is Action.REFUSED
    sign_at(place.tree, datetime.now(UTC))
    assert place.sync(newer).action is Action.UPGRADED


def test_what_was_known_to_be_revoked_does_not_run_on_when_the_word_expires(place: Place) -> None:
    revoke_release(place.tree)
    assert place.refused() == "revoked"
    sign_at(place.tree, datetime.now(UTC) - timedelta(days=30))
    assert place.refused() == "revoked"


def test_a_host_that_answers_with_errors_is_out_of_reach_not_refused(place: Place) -> None:
    with serve(place.tree.root) as http:
        over_http = replace(place, url=http.url)
        assert over_http.sync().action is Action.PRESENT
        http.answers["/metadata/timestamp.json"] = status(503)
        assert over_http.sync().action is Action.STALE


def replace_tree(place: Path, by: Path) -> None:
    shutil.rmtree(place)
    shutil.copytree(by, place)


def sign_at(tree: RegistryTree, moment: datetime) -> None:
    people = tree.everybody
    Repository.load(tree.root).refresh(online_keys=[people.online], now=moment, overrule_clock=True)


@pytest.mark.parametrize("strange", [os.mkfifo, lambda path: path.symlink_to("nowhere"), lambda path: path.touch()])
def test_a_state_that_is_no_directory_is_named(place: Place, strange: Callable[[Path], object], tmp_path: Path) -> None:
    config = place.config()
    strange(tmp_path / "state")
    with pytest.raises(ConfigError, match=f"{tmp_path}/state: this is no directory; remove it"):
        Runtime(config, state=tmp_path / "state")


# ---- in whose hands ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "mode", "step"),
    [
        ("assess.toml", 0o666, "configuration"),
        ("assess.toml", 0o664, "configuration"),
        (".", 0o777, "configuration"),
        ("1.root.json", 0o666, "keys"),
        ("root", 0o777, "keys"),
    ],
)
def test_what_others_can_change_decides_nothing(
    place: Place, name: str, mode: int, step: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (place.directory / "root").mkdir()
    shutil.copy2(place.root, place.directory / "root")
    root = place.directory / "root" / "1.root.json" if name == "root" else place.root
    place.config(root=str(root))
    argv = ["sync", "--config", str(place.directory / "assess.toml"), "--output", "json"]
    assert main(argv) == 0
    capsys.readouterr()
    before = (place.directory / name).stat().st_mode & 0o7777
    (place.directory / name).chmod(mode)
    for verb in ("sync", "run"):
        assert main([verb, *argv[1:]]) == 5
        document = json.loads(capsys.readouterr().out)
        refusal = document["error"] if "error" in document else document["plugins"][0]["refusal"]
        assert refusal["step"] == step
        assert Path(refusal["thing"]) == place.directory / name
        assert f"chmod go-w {refusal['thing']}" in refusal["next_step"]
    (place.directory / name).chmod(before)
    assert main(argv) == 0


# ---- at once, and not to the end -----------------------------------------------------------------------------------


def test_several_syncs_at_once_install_once(fresh: Place) -> None:
    fresh.config()
    code = "import sys; from assess_core.cli import main; sys.exit(main(sys.argv[1:]))"
    argv = [sys.executable, "-c", code, "sync", "-o", "json", "--config", str(fresh.directory / "assess.toml")]
    running = [subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], said
    actions = [json.loads(out)["plugins"][0]["action"] for out, _ in said]
    assert set(actions) <= {"installed", "present"}
    assert len(list((fresh.state / "envs").iterdir())) == 1
    assert fresh.sync().action is Action.PRESENT
    assert fresh.sync(offline=True).action is Action.STALE


STRIDE = stride(60)
"""Installing is killed between every two calls in test_store_install; here between some of them, in a whole sync. With
ASSESS_TEST_STRIDE=1 between every two, which takes ten minutes."""


def test_a_killed_first_sync_is_finished_by_the_next(published: Place, tmp_path: Path) -> None:
    step, killed = 1, 0
    while True:
        place = published.copy(tmp_path / str(step))
        if not killed_before(step, place.sync):
            break
        killed += 1
        assert place.sync().action in {Action.INSTALLED, Action.PRESENT}
        assert place.sync(offline=True).action is Action.STALE
        shutil.rmtree(place.directory)
        step += STRIDE
    assert killed > 3


def test_a_killed_sync_that_learns_of_a_revocation_forgets_nothing(used: Place, tmp_path: Path) -> None:
    """At no point is the plugin refused for another reason, or used after the revocation was heard of."""
    base = used.copy(tmp_path / "base")
    revoke_release(base.tree)
    step = 1
    while True:
        place = base.copy(tmp_path / str(step))
        if not killed_before(step, place.sync):
            break
        offline = place.sync(offline=True)
        assert offline.action is Action.STALE or (offline.refusal is not None and offline.refusal.step == "revoked")
        after = place.sync()
        assert after.refusal is not None
        assert after.refusal.step == "revoked"
        assert place.sync(offline=True).action is Action.REFUSED
        shutil.rmtree(place.directory)
        step += stride(30)
    assert step > 15
