"""A registry for one machine: made by one command, published to by one command, verified like any other."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from assess_registry.audit.values import Verdict
from assess_registry.config import IndexConfig, load_config
from assess_registry.errors import ConfigError, TrustError
from assess_registry.index.create import create_index
from assess_registry.keys import KeyRing, TimedKey, generate_key
from assess_registry.publish.development import PublishedHere, create_development, publish_here
from tests.support.registry_tree import BEGAN, STAND_INS, found, found_nothing
from tests.support.wheels import WheelBuilder, demo_manifest
from tests.support.word_reader import WordReader, listed, page_problems

PLUGIN = WheelBuilder()
MODEST = PLUGIN.but(manifest=demo_manifest(permissions="read = []\n"))
"""It asks for nothing."""


class Machine:
    """One machine with everything on it."""

    def __init__(self, directory: Path) -> None:
        self.root, self.keys = directory / "registry", directory / "keys"
        self.closure, self.memory = directory / "closure", directory / "memory"
        self.closure.mkdir(parents=True)
        for wheel in STAND_INS:
            (self.closure / wheel.filename).write_bytes(wheel.build())

    def init(self) -> tuple[IndexConfig, tuple[str, ...]]:
        return create_development(self.root, "local", ring=KeyRing(self.keys), now=datetime.now(UTC))

    def publish(self, *wheels: WheelBuilder, **changes: Any) -> PublishedHere:
        paths = []
        for wheel in wheels or (PLUGIN,):
            paths.append(self.closure.parent / wheel.filename)
            paths[-1].write_bytes(wheel.build())
        arguments: dict[str, Any] = {"ring": KeyRing(self.keys), "closure": self.closure, "now": datetime.now(UTC)}
        return publish_here(self.root, paths, **(arguments | {"judge": found_nothing} | changes))

    def versions(self) -> tuple[str, ...]:
        return WordReader(self.root, self.memory).see().versions


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.init()
    return machine


def test_one_command_makes_it_and_again_changes_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    config, written = machine.init()
    assert config.development
    assert config.policy.automatic_approval == ("local",)
    assert "registry.toml" in written
    assert {path.name for path in machine.keys.iterdir() if path.is_dir()} == {
        *("root", "release", "online", "audit", "reviewer", "publisher")
    }
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in machine.keys.glob("*/*.key"))
    assert machine.init() == (config, ())
    assert machine.versions() == ()


def test_a_registry_toml_that_was_there_keeps_its_text_and_gets_the_keys(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.root.mkdir()
    text = '# mine\n[registry]\nname = "mine"\ndevelopment = true  # here\n\n[policy]\nmax_wheel_mib = 7\n'
    (machine.root / "registry.toml").write_text(text)
    config, _ = machine.init()
    assert (config.name, config.policy.max_wheel_mib) == ("mine", 7)
    assert [each.name for each in config.publishers] == ["local"]
    kept = (machine.root / "registry.toml").read_text()
    assert "# mine" in kept
    assert "development = true  # here" in kept
    assert machine.publish().reviewed == (PLUGIN.filename,)  # no policy approves there
    assert machine.versions() == ("1.0.0",)
    assert machine.init() == (config, ())


def test_a_registry_that_is_not_for_development_is_left_alone(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    create_index(machine.root, IndexConfig(name="real"))
    assert machine.init() == (IndexConfig(name="real"), ())
    assert not machine.keys.exists()
    with pytest.raises(ConfigError, match="not a development registry"):
        machine.publish()


def test_what_the_audit_approves_is_published_by_policy_in_one_command(machine: Machine) -> None:
    done = machine.publish(MODEST)
    (approval,) = done.release.approvals
    assert str(approval) == "approved-by: policy"
    assert done.reviewed == ()
    assert machine.versions() == ("1.0.0",)
    assert listed(machine.root) == [PLUGIN.filename]
    assert page_problems(machine.root) == []
    assert machine.publish(MODEST).release.written == ()


def test_permissions_that_nobody_saw_before_are_approved_by_this_machines_reviewer(machine: Machine) -> None:
    done = machine.publish()
    assert done.reviewed == (PLUGIN.filename,)
    assert str(done.release.approvals[0]) == "approved-by: local-reviewer"
    assert machine.publish().release.written == ()


def test_what_it_flags_is_approved_by_this_machines_reviewer_and_said_so(machine: Machine) -> None:
    done = machine.publish(judge=found(Verdict.FLAGGED))
    assert done.reviewed == (PLUGIN.filename,)
    assert str(done.release.approvals[0]) == "approved-by: local-reviewer"
    assert machine.versions() == ("1.0.0",)


def test_what_it_rejects_is_never_published(machine: Machine) -> None:
    with pytest.raises(TrustError, match="rejects") as refused:
        machine.publish(judge=found(Verdict.REJECTED))
    assert (refused.value.step, refused.value.got) == ("audit", "It is odd.")
    assert machine.versions() == ()
    assert machine.publish().release.written  # the control


def test_grown_permissions_are_not_published_unseen(machine: Machine) -> None:
    machine.publish()
    grown = PLUGIN.but(version="1.1.0", manifest=demo_manifest(permissions='read = ["/etc"]\n'))
    with pytest.raises(TrustError) as refused:
        machine.publish(grown)
    assert (refused.value.step, refused.value.got) == ("permissions", "read /etc")
    assert machine.publish(grown, accept_permissions=True).reviewed == (grown.filename,)
    assert machine.versions() == ("1.0.0", "1.1.0")


def test_new_bytes_take_the_place_of_published_ones_on_request_only(machine: Machine) -> None:
    machine.publish()
    other = PLUGIN.but(metadata_lines=("Author: x",))
    with pytest.raises(TrustError, match="another release is published"):
        machine.publish(other)
    done = machine.publish(other, replace_published=True)
    assert done.release.replaced == (PLUGIN.filename,)
    assert machine.versions() == ("1.0.0",)
    assert page_problems(machine.root) == []


@pytest.mark.parametrize("accepted", [True, False])
def test_a_changed_registry_toml_is_signed_only_when_asked_to(machine: Machine, accepted: bool) -> None:
    machine.publish()  # the very first one signs what is there
    planted = generate_key()
    config = load_config(machine.root)
    more = replace(config.publishers[0], name="mallory", keys=(TimedKey(key=planted.public, valid_from=BEGAN),))
    (machine.root / "registry.toml").write_text(replace(config, publishers=(*config.publishers, more)).text())
    newer = PLUGIN.but(version="1.1.0")
    if accepted:
        done = machine.publish(newer, accept_registry_changes=True)
        assert planted.public.id in "".join(done.release.control)
        assert machine.versions() == ("1.0.0", "1.1.0")
        return
    with pytest.raises(TrustError) as refused:
        machine.publish(newer, judge=None)  # it is refused before anything is audited
    assert refused.value.step == "control"
    assert planted.public.id in refused.value.got
    assert machine.versions() == ("1.0.0",)


@pytest.mark.parametrize("accepted", [True, False])
def test_another_audit_key_counts_once_it_is_accepted(machine: Machine, accepted: bool) -> None:
    machine.publish()
    ring = KeyRing(machine.keys)
    one = ring.create("audit", "another", passphrase=None)
    config = load_config(machine.root)
    timed = (TimedKey(key=one.key, valid_from=BEGAN),)
    (machine.root / "registry.toml").write_text(replace(config, audit_keys=timed).text())
    newer = PLUGIN.but(version="1.1.0")
    if accepted:
        assert machine.publish(newer, accept_registry_changes=True).release.written
    else:
        with pytest.raises(TrustError, match="other things than what was signed"):
            machine.publish(newer)


def test_locks_that_still_name_replaced_bytes_are_listed(machine: Machine) -> None:
    machine.publish()
    for wheel in STAND_INS:
        if wheel.name == "pluggy":
            (machine.closure / wheel.filename).write_bytes(wheel.but(metadata_lines=("Author: x",)).build())
    other = PLUGIN.but(version="1.1.0")
    with pytest.raises(TrustError, match="other bytes are published"):
        machine.publish(other)
    done = machine.publish(other, replace_published=True)
    assert done.release.stale == ("files/demo-plugin/1.0.0/pylock.toml",)
    again = machine.publish(replace_published=True)  # the control: locked anew
    assert again.release.stale == ()


def test_keys_of_another_machine_publish_nothing(machine: Machine, tmp_path: Path) -> None:
    other = Machine(tmp_path / "other")
    other.init()
    with pytest.raises(ConfigError, match="no private key of role publisher"):
        machine.publish(ring=KeyRing(other.keys))
    assert machine.versions() == ()
    assert machine.publish().release.written


def test_no_publisher_approves_their_own(machine: Machine) -> None:
    config = load_config(machine.root)
    (machine.root / "registry.toml").write_text(
        replace(config, reviewers=(replace(config.reviewers[0], name="local"),)).text()
    )
    with pytest.raises(TrustError, match="does not approve their own") as refused:
        machine.publish(judge=found(Verdict.FLAGGED))
    assert refused.value.step == "reviewer"
