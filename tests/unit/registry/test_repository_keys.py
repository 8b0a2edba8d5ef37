"""Which keys TUF metadata may hold. Each refusal has a control that differs in the one thing refused."""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from assess_registry.errors import TrustError
from assess_registry.keys import PrivateKey, generate_key
from assess_registry.repository.keys import KeySigner, check_root, check_targets, public_key, to_tuf_key, tuf_key_id
from assess_registry.repository.roles import Signers, delegations, new_root
from assess_registry.repository.tuf_api import Root, SSlibKey, Targets

NOW = datetime(2026, 11, 21, tzinfo=UTC)
A, B, C, D, E = (generate_key() for _ in range(5))
SIGNERS = Signers(
    root_keys=(A.public, B.public, C.public), root_threshold=2, release_keys=(D.public,), online_keys=(E.public,)
)
SMALL_ORDER = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"


def root(**changes: object) -> Root:
    return new_root(dataclasses.replace(SIGNERS, **changes), version=1, expires=NOW)  # type: ignore[arg-type]


def targets(of: Root) -> Targets:
    return Targets(expires=NOW, delegations=delegations(of, 4))


def held(key: PrivateKey, **changes: object) -> SSlibKey:
    found = to_tuf_key(key.public)
    for name, value in changes.items():
        setattr(found, name, value)
    return found


def test_an_id_is_derived_and_the_key_comes_back() -> None:
    assert "sha256:" + tuf_key_id(A.public) == A.public.id
    assert public_key(to_tuf_key(A.public), thing="t") == A.public


def test_a_signature_is_one_that_the_library_verifies() -> None:
    signature = KeySigner(A).sign(b"data")
    to_tuf_key(A.public).verify_signature(signature, b"data")
    assert signature.keyid == tuf_key_id(A.public)
    assert not B.public.verifies(bytes.fromhex(signature.signature), b"data")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keyid": tuf_key_id(B.public)}, "not its own"),
        ({"scheme": "rsassa-pss-sha256"}, "not an Ed25519 key"),
        ({"keytype": "ecdsa"}, "not an Ed25519 key"),
        ({"keyval": {"public": A.public.raw.hex().upper()}}, "second spelling"),
        ({"keyval": {"public": A.public.raw.hex()[:-2]}}, "not a usable key"),
        ({"keyval": {"public": "00" * 32}}, "small order"),
        ({"keyval": {"public": SMALL_ORDER}}, "small order"),
        ({"keyval": {"public": "ed" + "ff" * 30 + "7f"}}, "canonical"),
        ({"keyval": {"public": A.public.raw.hex(), "private": "x"}}, "not an Ed25519 key"),
        ({"unrecognized_fields": {"note": "x"}}, "not an Ed25519 key"),
    ],
)
def test_a_key_in_metadata_is_safe_and_under_its_own_id(changes: dict[str, object], message: str) -> None:
    public_key(held(A), thing="1.root.json")  # the control
    with pytest.raises(TrustError, match=message) as refused:
        public_key(held(A, **changes), thing="1.root.json")
    assert (refused.value.step, refused.value.thing) == ("keys", "1.root.json")


def test_a_root_of_distinct_keys_passes() -> None:
    check_root(root(), thing="t")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"release_keys": (A.public,)}, "one key in two roles"),
        ({"online_keys": (A.public,)}, "one key in two roles"),
        ({"online_keys": (D.public,)}, "one key in two roles"),
        ({"root_keys": (A.public, A.public)}, "one key twice"),
        ({"root_threshold": 4}, "cannot meet"),
        ({"release_keys": ()}, "cannot meet"),
        ({"release_threshold": 2}, "cannot meet"),
    ],
)
def test_each_key_has_one_role_and_thresholds_can_be_met(changes: dict[str, object], message: str) -> None:
    check_root(root(root_threshold=3), thing="t")
    with pytest.raises(TrustError, match=message):
        check_root(root(**changes), thing="t")


def one_key_under_two_ids(found: Root) -> None:
    # As an attacker with one root key of three would: their key again, under the id of another.
    other = tuf_key_id(B.public)
    found.keys[other] = SSlibKey(other, "ed25519", "ed25519", {"public": A.public.raw.hex()})


def mapped_under_another_id(found: Root) -> None:
    found.keys[tuf_key_id(B.public)] = to_tuf_key(A.public)


def without_consistent_snapshot(found: Root) -> None:
    found.consistent_snapshot = False


def with_a_stray_key(found: Root) -> None:
    stray = to_tuf_key(generate_key().public)
    found.keys[stray.keyid] = stray


def naming_a_key_that_is_missing(found: Root) -> None:
    del found.keys[tuf_key_id(C.public)]


def naming_a_key_by_no_text(found: Root) -> None:
    found.roles["snapshot"].keyids.append(None)  # type: ignore[arg-type]  # as JSON may have it


def with_a_threshold_of_a_half_more(found: Root) -> None:
    found.roles["root"].threshold = 1.5  # type: ignore[assignment]  # as JSON may have it


@pytest.mark.parametrize(
    "attack",
    [
        naming_a_key_by_no_text,
        with_a_threshold_of_a_half_more,
        one_key_under_two_ids,
        mapped_under_another_id,
        without_consistent_snapshot,
        with_a_stray_key,
        naming_a_key_that_is_missing,
    ],
)
def test_a_root_that_was_tampered_with_is_refused(attack: Callable[[Root], None]) -> None:
    found = root()
    check_root(found, thing="t")
    attack(found)
    with pytest.raises(TrustError) as refused:
        check_root(found, thing="t")
    assert refused.value.step == "keys"
    assert refused.value.next_step


def test_bins_are_signed_by_keys_of_no_other_role() -> None:
    found = targets(root())
    check_targets(found, root(), thing="t")
    check_targets(found, root(online_keys=(generate_key().public,)), thing="t")
    with pytest.raises(TrustError, match="one key in two roles"):
        check_targets(found, root(online_keys=(D.public,), release_keys=(E.public,)), thing="t")


def test_the_only_delegation_is_to_bins() -> None:
    with pytest.raises(TrustError, match="hash bins"):
        check_targets(Targets(expires=NOW), root(), thing="t")


def test_a_bin_key_is_as_safe_as_a_root_key() -> None:
    found = targets(root())
    assert found.delegations is not None
    check_targets(found, root(), thing="t")
    found.delegations.keys[tuf_key_id(D.public)].keyval["public"] = SMALL_ORDER
    with pytest.raises(TrustError, match="small order"):
        check_targets(found, root(), thing="t")


def test_bins_name_no_key_that_is_not_there() -> None:
    found = targets(root())
    assert found.delegations is not None
    assert found.delegations.succinct_roles is not None
    check_targets(found, root(), thing="t")
    found.delegations.succinct_roles.keyids.append(tuf_key_id(generate_key().public))
    with pytest.raises(TrustError, match="one that is not there"):
        check_targets(found, root(), thing="t")
