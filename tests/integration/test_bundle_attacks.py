"""What a client refuses of an approved release does not travel: a bundle is verified for all platforms."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assess_registry.bundle import export_bundle, import_bundle
from assess_registry.catalogue import Release
from assess_registry.config import Expiry
from assess_registry.errors import TrustError
from assess_registry.keys import generate_key
from assess_registry.lock import LOCK_NAME
from assess_registry.repository.roles import Signers, new_root, serialise, signed_by, until
from assess_registry.signatures import SIGNATURE_SUFFIX, sign_detached
from tests.integration.test_client_approved_attacks import ATTACKS
from tests.support.approved_place import relist, replace_file
from tests.support.registry_tree import RegistryTree, copy_registry_tree
from tests.support.wheels import WheelBuilder, demo_plugin_wheel

DEMO = "demo_plugin-1.0.0-py3-none-any.whl"


FOR_ONE_MACHINE = {"wheel for another Python"}
"""A client refuses it for itself; a bundle is for every machine."""


def published(directory: Path) -> RegistryTree:
    return copy_registry_tree(directory, plugins=[demo_plugin_wheel("0.9.0"), demo_plugin_wheel("1.0.0")])


@pytest.fixture
def tree(tmp_path: Path) -> RegistryTree:
    return published(tmp_path / "registry")


def exported(tree: RegistryTree, directory: Path) -> Path:
    bundle = directory / "carried.assess"
    export_bundle(["demo-plugin==1.0.0"], registry=tree.approved_config(directory / "memory"), to=bundle)
    return bundle


@pytest.mark.parametrize("name", sorted(ATTACKS.keys() - FOR_ONE_MACHINE))
def test_what_a_client_refuses_does_not_travel(tree: RegistryTree, name: str, tmp_path: Path) -> None:
    attack, honest = ATTACKS[name], published(tmp_path / "honest")
    attack.do(honest, False)
    exported(honest, tmp_path / "honest").unlink()  # the control
    attack.do(tree, True)
    with pytest.raises(TrustError) as refused:
        exported(tree, tmp_path)
    assert refused.value.step in attack.step.split(" or "), str(refused.value)
    assert not (tmp_path / "carried.assess").exists()


def test_a_lock_that_names_other_wheels_than_the_page_is_refused_as_that(tree: RegistryTree, tmp_path: Path) -> None:
    """By publisher, release and online key together: the reviewers' verdict would be the next to refuse it."""
    exported(tree, tmp_path).unlink()  # the control
    path = tree.path(DEMO)
    honest = path.with_name(LOCK_NAME).read_text()
    digest = next(wheel.sha256 for wheel in tree.catalogue().releases[-1].wheels)
    data = honest.replace(digest, "0" * 64).encode()
    assert data != honest.encode()
    lock = replace_file(tree, LOCK_NAME, data)
    signature = replace_file(tree, LOCK_NAME + SIGNATURE_SUFFIX, sign_detached(data, tree.key))
    relist(tree, lambda release: replace(release, lock=lock, lock_signature=signature))
    with pytest.raises(TrustError) as refused:
        exported(tree, tmp_path)
    assert (refused.value.step, "other wheels" in str(refused.value)) == ("lock", True)


def test_a_lock_is_signed_by_the_publisher_of_every_wheel(tree: RegistryTree, tmp_path: Path) -> None:
    """What runs with a second wheel is said by whoever published that one, too."""
    other, second = generate_key(), WheelBuilder(version="1.0.0", tag="py3-none-linux_x86_64", purelib=False)
    tree.publish(*demo_plugin_wheel("0.8.0"), key=other)
    tree.publish(second.filename, second.build())
    exported(tree, tmp_path).unlink()  # the control
    signature = replace_file(tree, second.filename + SIGNATURE_SUFFIX, sign_detached(second.build(), other))

    def by_another(release: Release) -> Release:
        changed = {"signature": signature, "publisher": "publisher-2", "signer": other.public.id}
        wheels = [replace(each, **changed) if each.filename == second.filename else each for each in release.wheels]  # type: ignore[arg-type]
        return replace(release, wheels=tuple(wheels))

    relist(tree, by_another)
    with pytest.raises(TrustError) as refused:
        exported(tree, tmp_path)
    assert (refused.value.step, refused.value.thing.rpartition("/")[2]) == ("signature", LOCK_NAME)


def test_a_first_root_of_a_thief_with_the_registrys_other_keys_does_not_travel(
    tree: RegistryTree, tmp_path: Path
) -> None:
    """All that is signed fits it: only who holds the true root can tell, and a client that begins with it could not."""
    trusted = tmp_path / "1.root.json"
    trusted.write_bytes(tree.root_metadata.read_bytes())
    people, thief = tree.everybody, generate_key()
    signers = Signers(
        root_keys=(thief.public,),
        root_threshold=1,
        release_keys=(people.release.public,),
        online_keys=(people.online.public,),
    )
    root = new_root(signers, version=1, expires=until(Expiry(), "root", datetime.now(UTC)))
    honest = exported(tree, tmp_path)
    import_bundle(honest, site=tmp_path / "site", root=trusted, now=datetime.now(UTC), development=True)  # the control
    tree.root_metadata.write_bytes(serialise(signed_by(root, [thief])))
    config = replace(tree.approved_config(tmp_path / "memory"), root=trusted)
    with pytest.raises(TrustError) as refused:
        export_bundle(["demo-plugin==1.0.0"], registry=config, to=tmp_path / "forged.assess")
    assert refused.value.step == "root"
    assert not (tmp_path / "forged.assess").exists()
