"""`verify` believes the trusted keys and nothing else that comes along: not what was resolved, not what was kept."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from assess_registry.client import (
    FetchedWheel,
    KeptWheel,
    Registry,
    Target,
    TrustError,
    VerifiedWheel,
    reopen,
    verify,
)
from assess_registry.signatures import sign_detached
from tests.support.client_place import (
    DEMO,
    OLDER,
    SECOND,
    STRANGER,
    TARGET,
    Place,
    flip,
)
from tests.support.registry_tree import RegistryTree
from tests.support.wheels import WheelBuilder


def swap_resolved(**changes: Any) -> Callable[[FetchedWheel], FetchedWheel]:
    return lambda fetched: replace(fetched, resolved=replace(fetched.resolved, **changes))


HANDED_ON: dict[str, tuple[Callable[[FetchedWheel], FetchedWheel], str]] = {
    "resolved another version": (swap_resolved(version="1.0.1"), "identity"),
    "resolved another project": (swap_resolved(project="other"), "identity"),
    "resolved another file": (swap_resolved(filename="other-1.0.0-py3-none-any.whl"), "inspect"),
    "resolved another digest": (swap_resolved(sha256="0" * 64), "hash"),
    "resolved another size": (swap_resolved(size=1), "length"),
    "lock signature lost": (swap_resolved(lock_signature=b""), "signature"),
    "dependency lost": (lambda fetched: replace(fetched, dependencies=fetched.dependencies[1:]), "closure"),
    "no dependency at all": (lambda fetched: replace(fetched, dependencies=()), "closure"),
    "signature lost": (lambda fetched: replace(fetched, signature=b""), "signature"),
}


@pytest.mark.parametrize("name", HANDED_ON)
def test_verify_takes_nobodys_word(tree: RegistryTree, name: str) -> None:
    place = Place(tree=tree)
    fetched = place.fetched()
    assert place.verify(fetched).inspected.filename == DEMO
    change, step = HANDED_ON[name]
    with pytest.raises(TrustError) as caught:
        place.verify(change(fetched))
    assert caught.value.step == step, str(caught.value)


def test_claimed_signer_and_closure_are_not_looked_at(tree: RegistryTree) -> None:
    place = Place(tree=tree)
    fetched = swap_resolved(signer=STRANGER.public.id, closure=())(place.fetched())
    verified = place.verify(fetched)
    assert verified.signer == tree.key.public.id
    assert len(verified.closure) == 2


def test_dependency_nobody_locked_is_not_handed_on(tree: RegistryTree) -> None:
    place = Place(tree=tree)
    fetched = place.fetched()
    extra = replace(fetched.dependencies[0][0], filename="evil-1.0.0-py3-none-any.whl")
    verified = place.verify(replace(fetched, dependencies=(*fetched.dependencies, (extra, b"evil"))))
    assert {wheel.inspected.project for wheel in verified.closure} == {"assess-plugin", "pluggy"}


def test_wheel_is_checked_against_the_target_of_verify(tree: RegistryTree) -> None:
    builder = WheelBuilder(version="1.1.0", tag="py3-none-linux_x86_64", purelib=False)
    tree.publish(builder.filename, builder.build())
    place = Place(tree=tree)
    here, there = (Target.cpython("3.11.2", platforms=(platform,)) for platform in ("linux_x86_64", "linux_aarch64"))
    fetched = place.fetched(here)
    assert place.verify(fetched, target=here).inspected.version == "1.1.0"
    with pytest.raises(TrustError) as caught:
        place.verify(fetched, target=there)
    assert (caught.value.step, caught.value.thing) == ("tags", builder.filename)


def kept_of(verified: VerifiedWheel) -> KeptWheel:
    assert verified.lock is not None
    return KeptWheel(
        filename=verified.inspected.filename,
        data=verified.data,
        signature=verified.signature,
        lock=verified.lock.data,
        lock_signature=verified.lock_signature,
        dependencies={wheel.inspected.filename: wheel.data for wheel in verified.closure},
    )


KEPT: dict[str, tuple[Callable[[KeptWheel], KeptWheel], str]] = {
    "wheel altered": (lambda kept: replace(kept, data=flip(kept.data, 100)), "hash"),
    "signature altered": (lambda kept: replace(kept, signature=sign_detached(kept.data, STRANGER)), "signature"),
    "lock altered": (lambda kept: replace(kept, lock=kept.lock + b"\n"), "signature"),
    "lock signed by another": (lambda kept: replace(kept, lock_signature=sign_detached(kept.lock, SECOND)), "signer"),
    "another name": (lambda kept: replace(kept, filename=OLDER), "lock"),
    "dependency gone": (lambda kept: replace(kept, dependencies={}), "closure"),
    "dependency altered": (
        lambda kept: replace(kept, dependencies={name: flip(data) for name, data in kept.dependencies.items()}),
        "hash",
    ),
}


@pytest.mark.parametrize("name", KEPT)
def test_kept_bytes_are_verified_again_without_a_registry(tree: RegistryTree, name: str) -> None:
    place = Place(tree=tree)
    verified = place.chain()
    kept = kept_of(verified)
    tree.root.rename(tree.directory / "gone")
    change, step = KEPT[name]
    with Registry(place.config()) as registry:
        again = verify(reopen(kept, registry=registry, target=TARGET), registry=registry, target=TARGET)
        assert (again.data, again.signer) == (verified.data, verified.signer)
        assert [wheel.data for wheel in again.closure] == [wheel.data for wheel in verified.closure]
        with pytest.raises(TrustError) as caught:
            verify(reopen(change(kept), registry=registry, target=TARGET), registry=registry, target=TARGET)
    assert caught.value.step == step, str(caught.value)


def test_key_that_is_no_longer_trusted_ends_what_was_kept(tree: RegistryTree) -> None:
    place = Place(tree=tree)
    kept = kept_of(place.chain())
    (tree.trusted_keys / "publisher.pub").unlink()
    with Registry(place.config()) as registry, pytest.raises(TrustError) as caught:
        reopen(kept, registry=registry, target=TARGET)
    assert caught.value.step == "signature"
