"""Which version serves: what failed is not tried for ever, what was gone back to stays, what is pinned comes."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assess_core.config import Config, parse
from assess_core.delivery.pipeline import sync as pipeline_sync
from assess_core.delivery.values import Action, Synced
from assess_core.doctor.plugins import lines
from assess_core.errors import ConfigError, StoreError
from assess_core.host.quarantine import Quarantine
from assess_core.runtime import Runtime
from assess_core.versions import listed, pin, remove, remove_unneeded, resume, rollback, unpin
from assess_registry.client import TrustError, parse_project
from assess_registry.publish.after import revoke
from tests.support.registry_tree import RegistryTree, copy_registry_tree
from tests.support.wheels import DEMO_SOURCE, demo_plugin_wheel

NAME = parse_project("demo-plugin")
NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def tree(tmp_path: Path) -> RegistryTree:
    return copy_registry_tree(tmp_path / "registry", plugins=[demo_plugin_wheel("1.0.0")])


class Place:
    """A registry, a configuration, a state directory, and a file in which a plugin counts how often it is loaded."""

    def __init__(self, tree: RegistryTree, tmp_path: Path) -> None:
        self.tree = tree
        self.path = tmp_path
        self.now = NOW
        self.retry = False

    def config(self, version: str = "", *, plugins: bool = True) -> Config:
        asked = f'[[plugins]]\nname = "demo-plugin"\nversion = "{version}"\n' if plugins else ""
        text = f"""
        [runtime]
        id = "web-01"
        [registry]
        url = "{self.tree.root.as_uri()}"
        root = "{self.tree.root_metadata}"
        development = true
        {asked}
        [[assessments]]
        id = "demo"
        plugin = "demo"
        provider = "demo-subjects"
        """
        return parse(text.encode(), self.path / "assess.toml")

    def runtime(self, version: str = "", *, plugins: bool = True) -> Runtime:
        return Runtime(self.config(version, plugins=plugins), state=self.path / "state")

    def sync(self, version: str = "", *, plugins: bool = True, dry_run: bool = False) -> Synced:
        with self.runtime(version, plugins=plugins) as runtime:
            delivery = replace(runtime.delivery(), clock=lambda: self.now, retry=self.retry, dry_run=dry_run)
            (line,) = pipeline_sync(runtime.config, delivery)
        return line

    def serves(self) -> str:
        with self.runtime() as runtime:
            found = runtime.store.find(NAME)
        return "" if found is None else found.version

    def revoke(self, version: str) -> None:
        keys = self.tree.everybody.release_keys
        said: dict[str, Any] = {"reason": "leaks", "severity": "high", "now": datetime.now(UTC)}
        revoke(self.tree.root, NAME, version, keys=keys, **said)

    def publish(self, version: str, source: str = DEMO_SOURCE) -> None:
        self.tree.publish(*demo_plugin_wheel(version, source=source))


@pytest.fixture
def place(tree: RegistryTree, tmp_path: Path) -> Place:
    made = Place(tree, tmp_path)
    assert made.sync().action is Action.INSTALLED
    return made


@pytest.fixture
def upgraded(place: Place) -> Place:
    """1.1.0 serves, 1.0.0 did before."""
    place.publish("1.1.0")
    assert place.sync().action is Action.UPGRADED
    return place


BROKEN = "import sys\nsys.exit('not today')\n"


def test_a_version_that_failed_is_not_tried_at_every_sync(place: Place) -> None:
    place.publish("1.1.0", BROKEN)
    line = place.sync()
    assert (line.action, line.previous) == (Action.FAILED, "1.0.0")
    for wait, tries in ((60, 2), (600, 3), (3600, 4)):
        line = place.sync()
        assert (line.action, line.previous) == (Action.HELD, "1.0.0")
        assert "not today" in line.reason
        assert place.serves() == "1.0.0"
        place.now += timedelta(seconds=wait - 1)
        assert place.sync(dry_run=True).action is Action.HELD
        place.now += timedelta(seconds=1)
        assert place.sync().action is Action.FAILED
        with place.runtime() as runtime:
            (failure,) = runtime.store.choices(NAME).failed
        assert failure.tries == tries
    place.now += timedelta(days=1000)
    line = place.sync()
    assert line.action is Action.HELD
    assert "only when somebody asks for it" in line.reason
    place.publish("1.2.0")
    assert place.sync().action is Action.UPGRADED, "another version is not held"


@pytest.mark.parametrize("how", ["retry", "resume", "time"])
def test_what_failed_is_brought_up_when_it_may_be_again(place: Place, how: str) -> None:
    place.publish("1.1.0", BROKEN)
    assert place.sync().action is Action.FAILED
    assert place.sync().action is Action.HELD
    if how == "retry":
        place.retry = True
    elif how == "resume":
        with place.runtime() as runtime:
            assert [each.version for each in resume(runtime, "demo-plugin").failed] == ["1.1.0"]
    else:
        place.now += timedelta(seconds=60)
    assert place.sync().action is Action.FAILED, "it was tried"
    with place.runtime() as runtime:
        (failure,) = runtime.store.choices(NAME).failed
    assert failure.tries == (2 if how == "time" else 1), "what was forgotten counts from the beginning"


def test_a_first_version_that_failed_is_held_too(tmp_path: Path) -> None:
    tree = copy_registry_tree(tmp_path / "registry", plugins=[demo_plugin_wheel("1.0.0", source=BROKEN)])
    place = Place(tree, tmp_path)
    assert place.sync().action is Action.FAILED
    line = place.sync()
    assert (line.action, line.previous) == (Action.HELD, "")


@pytest.mark.parametrize("other", ["", "kit", "interpreter", "not_before"])
def test_sync_list_and_doctor_say_the_same_of_what_failed(place: Place, other: str) -> None:
    place.now = datetime.now(UTC)
    place.publish("1.1.0", BROKEN)
    assert place.sync().action is Action.FAILED
    if other:  # as after an upgrade of the runtime, of Python, or after that time
        value: Any = place.now if other == "not_before" else f"not this {other}"
        with place.runtime() as runtime:
            (failure,) = runtime.store.choices(NAME).failed
            named: dict[str, Any] = {other: value, "at": failure.at - timedelta(hours=1)}
            changed = replace(failure, **named)
            runtime.store.choose(NAME, lambda known: replace(known, failed=(changed,)))
    with place.runtime() as runtime:
        states = {each.plugin.version: each.states for each in listed(runtime, everything=True)}
        said = "\n".join(line.text for line in lines(runtime))
    assert place.sync(dry_run=True).action is (Action.WOULD_UPGRADE if other else Action.HELD)
    assert states["1.1.0"] == (() if other else ("held",))
    assert ("1.1.0 failed here, and is held back" in said) is (not other)
    assert ("1.1.0 is in the registry, 1.0.0 is installed" in said) is bool(other)


def test_sync_list_and_doctor_say_the_same_of_what_is_quarantined(upgraded: Place) -> None:
    with upgraded.runtime() as runtime:
        active = runtime.store.find(NAME)
        assert active is not None
        rollback(runtime, "demo-plugin")
        unpin(runtime, "demo-plugin")
        kept = Quarantine(
            env_key=active.env_key, version="1.1.0", sha256=active.sha256, since=NOW, deaths=(), log_tail=""
        )
        runtime.quarantines.put(NAME, kept)
        states = {each.plugin.version: each.states for each in listed(runtime, everything=True)}
        said = "\n".join(line.text for line in lines(runtime))
    assert states["1.1.0"] == ("previous", "quarantined")
    assert "1.1.0 is in quarantine since 2026-11-21 00:00 UTC, and is not brought up" in said
    assert "is in the registry" not in said
    assert upgraded.sync(dry_run=True).action is Action.HELD
    line = upgraded.sync()
    assert (line.action, line.previous, upgraded.serves()) == (Action.HELD, "1.0.0", "1.0.0")
    assert "assess plugins resume demo-plugin" in line.reason
    with upgraded.runtime() as runtime:
        resume(runtime, "demo-plugin")
    assert upgraded.sync().action is Action.UPGRADED


def test_what_is_gone_back_to_stays(upgraded: Place) -> None:
    with upgraded.runtime() as runtime:
        went = rollback(runtime, "demo-plugin")
    assert went.before is not None
    assert (went.plugin.version, went.before.version, went.pin.why) == ("1.0.0", "1.1.0", "rollback")
    line = upgraded.sync()
    assert (line.action, line.version) == (Action.PRESENT, "1.0.0")
    with upgraded.runtime() as runtime:
        assert unpin(runtime, "demo-plugin") is not None
        assert unpin(runtime, "demo-plugin") is None
    assert (upgraded.sync().action, upgraded.serves()) == (Action.UPGRADED, "1.1.0")


def test_nothing_is_gone_back_to_that_would_not_run(upgraded: Place) -> None:
    with (
        upgraded.runtime(">=1.1") as runtime,
        pytest.raises(ConfigError, match=r"asks for >=1\.1; change its `version`"),
    ):
        rollback(runtime, "demo-plugin")
    with upgraded.runtime(plugins=False) as runtime, pytest.raises(ConfigError, match="does not ask for demo-plugin"):
        rollback(runtime, "demo-plugin")
    with upgraded.runtime() as runtime, pytest.raises(ConfigError, match="did you mean 'demo-plugin'"):
        rollback(runtime, "demo-plugins")
    upgraded.revoke("1.0.0")
    with upgraded.runtime() as runtime, pytest.raises(TrustError, match="revoked"):
        rollback(runtime, "demo-plugin")
    assert upgraded.serves() == "1.1.0"
    with upgraded.runtime() as runtime:
        assert runtime.store.choices(NAME).pin is None
        remove_unneeded(runtime, keep=0)
        with pytest.raises(
            StoreError, match=r"was pruned; to bring it up again: assess plugins pin demo-plugin==VERSION"
        ):
            rollback(runtime, "demo-plugin")


def test_what_is_pinned_is_what_comes(upgraded: Place) -> None:
    with upgraded.runtime() as runtime:
        pin(runtime, "demo-plugin", "1.0")
    assert upgraded.sync().version == "1.0.0"
    upgraded.publish("1.2.0")
    assert (upgraded.sync().action, upgraded.serves()) == (Action.PRESENT, "1.0.0")
    with upgraded.runtime() as runtime:
        unpin(runtime, "demo-plugin")
    assert (upgraded.sync().action, upgraded.serves()) == (Action.UPGRADED, "1.2.0")


@pytest.mark.parametrize("published", [False, True])
def test_a_pinned_version_that_nobody_published_is_no_stale_word(upgraded: Place, published: bool) -> None:
    if published:
        upgraded.publish("9.9")
    with upgraded.runtime() as runtime:
        pin(runtime, "demo-plugin", "9.9")
    line = upgraded.sync()
    if published:
        assert (line.action, upgraded.serves()) == (Action.UPGRADED, "9.9")
    else:
        assert (line.action, line.previous, upgraded.serves()) == (Action.FAILED, "1.1.0", "1.1.0")
        assert "no version satisfies 'demo-plugin==9.9'" in line.reason


@pytest.mark.parametrize(("version", "states"), [("1.0", ("previous", "pinned")), ("1.0.1", ("previous",))])
def test_a_pin_is_listed_however_it_is_spelled(upgraded: Place, version: str, states: tuple[str, ...]) -> None:
    with upgraded.runtime() as runtime:
        pin(runtime, "demo-plugin", version)
        found = {each.plugin.version: each.states for each in listed(runtime, everything=True)}
    assert found == {"1.1.0": ("active",), "1.0.0": states}


def test_a_pin_that_the_configuration_does_not_admit_is_refused_both_ways(place: Place) -> None:
    with (
        place.runtime(">=1.1") as runtime,
        pytest.raises(ConfigError, match=r"1\.0\.0: the configuration asks for >=1"),
    ):
        pin(runtime, "demo-plugin", "1.0.0")
    with place.runtime() as runtime, pytest.raises(ConfigError, match="is no version"):
        pin(runtime, "demo-plugin", "latest")
    with place.runtime() as runtime:
        pin(runtime, "demo-plugin", "1.0.0")
    with pytest.raises(ConfigError, match=r"pinned to 1\.0\.0 .* asks for >=1\.1: change one of them"):
        place.sync(">=1.1")
    assert place.sync(">=1.0").action is Action.PRESENT


def test_a_pinned_version_that_was_revoked_does_not_run(upgraded: Place) -> None:
    with upgraded.runtime() as runtime:
        pin(runtime, "demo-plugin", "1.0.0")
    upgraded.revoke("1.0.0")
    line = upgraded.sync()
    assert (line.action, line.previous) == (Action.REFUSED, "1.1.0")
    assert upgraded.serves() == "1.1.0"


def test_only_what_the_configuration_does_not_name_is_taken_away(upgraded: Place) -> None:
    with upgraded.runtime() as runtime, pytest.raises(ConfigError, match="asks for it, so the next"):
        remove(runtime, "demo-plugin")
    with upgraded.runtime(plugins=False) as runtime:
        assert {each.version for each in remove(runtime, "demo-plugin").removed} == {"1.0.0", "1.1.0"}
        with pytest.raises(ConfigError, match="unknown plugin"):
            remove(runtime, "demo-plugin")
    assert upgraded.sync().action is Action.INSTALLED


def test_records_of_choices_that_are_damaged_change_nothing_that_serves(upgraded: Place) -> None:
    with upgraded.runtime() as runtime:
        path = runtime.store.layout.choices(NAME)
        path.write_text("{")
    line = upgraded.sync()
    assert (line.action, line.previous) == (Action.FAILED, "1.1.0")
    assert "Restore it from a backup, or remove it" in line.reason
    path.unlink()
    assert upgraded.sync().action is Action.PRESENT


def test_choices_are_what_the_page_says(upgraded: Place) -> None:
    with upgraded.runtime() as runtime:
        pin(runtime, "demo-plugin", "1.0.0")
        document = json.loads(runtime.store.layout.choices(NAME).read_text())
    assert document.keys() == {"schema", "pin", "failed"}
    assert document["pin"].keys() == {"version", "at", "by", "why"}
