"""One key in two roles: with a stolen key that signs metadata nobody gets a publisher's or a reviewer's as well."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from assess_registry.client import Registry, Target, TrustError, resolve
from assess_registry.config import load_config
from assess_registry.control import PUBLISHERS_PATH, Publishers
from assess_registry.keys import PrivateKey, TimedKey, generate_key
from assess_registry.repository import Repository
from tests.support.registry_tree import BEGAN, RegistryTree, make_registry_tree
from tests.support.wheels import demo_plugin_wheel

NEW = generate_key()
ROLES = ("root", "release", "online")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> RegistryTree:
    return make_registry_tree(tmp_path_factory.mktemp("registry"))


@pytest.fixture
def tree(made: RegistryTree, tmp_path: Path) -> RegistryTree:
    return made.copy(tmp_path / "registry")


def key_of(tree: RegistryTree, role: str) -> PrivateKey:
    people = tree.everybody
    return {"root": people.roots[0], "release": people.release, "online": people.online, "nobody": NEW}[role]


def hold(tree: RegistryTree, key: PrivateKey) -> None:
    """The reviewer gets one more key."""
    config = load_config(tree.root)
    first, *others = config.reviewers
    more = replace(first, keys=(*first.keys, TimedKey(key=key.public, valid_from=BEGAN)))
    tree.configure(replace(config, reviewers=(more, *others)))


def sign_control(tree: RegistryTree) -> None:
    """What whoever holds release and online keys can do: sign whatever `registry.toml` says."""
    people = tree.everybody
    Repository(tree.root).commit(
        {PUBLISHERS_PATH: Publishers.from_config(load_config(tree.root)).data()},
        release_keys=[people.release],
        online_key=people.online,
        now=datetime.now(UTC),
        expiry=load_config(tree.root).expiry,
    )


@pytest.mark.parametrize("role", ROLES)
def test_nothing_is_published_while_a_reviewer_holds_a_key_of_the_metadata(tree: RegistryTree, role: str) -> None:
    hold(tree, key_of(tree, role))
    with pytest.raises(TrustError, match="two roles") as caught:
        tree.publish(*demo_plugin_wheel("1.1.0"))
    assert caught.value.step == "keys"
    assert [each.version for each in tree.catalogue().releases] == ["1.0.0"]


def test_another_key_of_the_reviewer_is_published_with(tree: RegistryTree) -> None:
    hold(tree, NEW)
    tree.publish(*demo_plugin_wheel("1.1.0"))
    assert [each.version for each in tree.catalogue().releases] == ["1.0.0", "1.1.0"]


@pytest.mark.parametrize("role", [*ROLES, "nobody"])
def test_a_client_believes_no_such_word(tree: RegistryTree, role: str, tmp_path: Path) -> None:
    hold(tree, key_of(tree, role))
    sign_control(tree)
    with Registry(tree.approved_config(tmp_path / "trust")) as registry:
        if role == "nobody":  # the control
            assert resolve(Requirement("demo-plugin"), registry=registry, target=Target.running()).version == "1.0.0"
            return
        with pytest.raises(TrustError, match="two roles") as caught:
            resolve(Requirement("demo-plugin"), registry=registry, target=Target.running())
    assert caught.value.step == "keys"
