"""Who holds one key and the disk writes metadata that is signed in part; no commit builds on it.

Each is refused for the one signature, or the one property of a key, that it lacks: the control differs in that.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tuf.api.exceptions import RepositoryError

from assess_registry.config import Expiry
from assess_registry.errors import TrustError
from assess_registry.keys import PrivateKey, generate_key
from assess_registry.repository.ceremony import Changes, add_signature, export, propose, publish_root, sign_root
from assess_registry.repository.keys import tuf_key_id
from assess_registry.repository.roles import (
    Signers,
    metadata_name,
    new_root,
    new_snapshot,
    new_timestamp,
    serialise,
    signed_by,
    target_file,
)
from assess_registry.repository.state import read_roots, read_state
from assess_registry.repository.tuf_api import Delegations, Root, SSlibKey, Targets
from tests.support.repositories import Keys, Reader, Registry, make_registry

PAGE = "catalog/acme-demo.json"
EVIL = "control/publishers.json"


def as_it_is(targets: Targets, versions: dict[str, int]) -> None:
    """The control."""


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    made = make_registry(tmp_path / "registry")
    made.commit({PAGE: b"one"})
    return made


def put(registry: Registry, role: str, version: int, data: bytes) -> bytes:
    (registry.place / "metadata" / metadata_name(role, version)).write_bytes(data)
    return data


def rewrite(
    registry: Registry,
    *,
    targets_by: Sequence[PrivateKey],
    snapshot_by: Sequence[PrivateKey],
    timestamp_by: Sequence[PrivateKey],
    change: Callable[[Targets, dict[str, int]], None] = as_it_is,
    version: int = 50,
) -> None:
    """New targets, snapshot and timestamp, that agree with each other, by these keys."""
    current = read_state(registry.place).current
    assert current is not None
    targets, versions = current.targets.signed, current.versions()
    change(targets, versions)
    targets.version = versions["targets"] = version
    expires = targets.expires
    data = put(registry, "targets", version, serialise(signed_by(targets, targets_by)))
    snapshot = new_snapshot(versions, targets=data, version=version, expires=expires)
    data = put(registry, "snapshot", version, serialise(signed_by(snapshot, snapshot_by)))
    timestamp = new_timestamp(data, snapshot_version=version, version=version, expires=expires)
    put(registry, "timestamp", version, serialise(signed_by(timestamp, timestamp_by)))


def listing_more(targets: Targets, versions: dict[str, int]) -> None:
    targets.targets[EVIL] = target_file(EVIL, b"evil")


@pytest.mark.parametrize("lacking", ["", "targets", "snapshot", "timestamp"])
def test_every_role_is_signed_by_its_own_key(registry: Registry, lacking: str, tmp_path: Path) -> None:
    keys, thief = registry.keys, [generate_key()]
    rewrite(
        registry,
        targets_by=thief if lacking == "targets" else keys.release,
        snapshot_by=thief if lacking == "snapshot" else [keys.online],
        timestamp_by=thief if lacking == "timestamp" else [keys.online],
        change=listing_more,
    )
    if not lacking:
        assert registry.repository.paths() == (PAGE, EVIL)
        return
    with pytest.raises(TrustError, match="not signed by the keys") as refused:
        registry.commit({PAGE: b"two"})
    assert lacking in refused.value.thing
    with pytest.raises(RepositoryError):
        Reader(registry.place, tmp_path / "memory").read(PAGE)


@pytest.mark.parametrize("signer", ["release", "online"])
def test_the_online_key_signs_no_targets(registry: Registry, signer: str) -> None:
    """With the online key and the web server: hide, but not forge."""
    keys = registry.keys
    by = keys.release if signer == "release" else [keys.online]
    rewrite(registry, targets_by=by, snapshot_by=[keys.online], timestamp_by=[keys.online], change=listing_more)
    if signer == "release":
        assert EVIL in registry.repository.paths()
    else:
        with pytest.raises(TrustError, match="not signed by the keys"):
            registry.repository.paths()


def small_order(delegations: Delegations) -> None:
    (keyid,) = delegations.keys
    delegations.keys[keyid] = SSlibKey(keyid, "ed25519", "ed25519", {"public": "00" * 32})


def also_online(delegations: Delegations, online: PrivateKey) -> None:
    found = delegations.succinct_roles
    assert found is not None
    keyid = tuf_key_id(online.public)
    delegations.keys[keyid] = SSlibKey(keyid, "ed25519", "ed25519", {"public": online.public.raw.hex()})
    found.keyids.append(keyid)


@pytest.mark.parametrize("attack", ["", "weak", "two roles", "none"])
def test_bins_are_delegated_to_safe_keys_of_no_other_role(registry: Registry, attack: str) -> None:
    """By the release key itself: a mistake, or the last deed of a thief."""
    keys = registry.keys

    def change(targets: Targets, versions: dict[str, int]) -> None:
        found = targets.delegations
        assert found is not None
        match attack:
            case "weak":
                small_order(found)
            case "two roles":
                also_online(found, keys.online)
            case "none":
                targets.delegations = None

    rewrite(registry, targets_by=keys.release, snapshot_by=[keys.online], timestamp_by=[keys.online], change=change)
    if not attack:
        assert registry.repository.read(PAGE) == b"one"
        return
    with pytest.raises(TrustError) as refused:
        registry.commit({PAGE: b"two"})
    assert refused.value.step == "keys"


def test_a_snapshot_names_every_bin(registry: Registry) -> None:
    keys = registry.keys
    arguments: dict[str, Any] = {
        "targets_by": keys.release,
        "snapshot_by": [keys.online],
        "timestamp_by": [keys.online],
    }
    rewrite(registry, **arguments)
    assert registry.repository.read(PAGE) == b"one"

    def change(targets: Targets, versions: dict[str, int]) -> None:
        del versions["bins-3"]

    rewrite(registry, **arguments, change=change, version=51)
    with pytest.raises(TrustError, match="a bin is missing") as refused:
        registry.commit({PAGE: b"two"})
    assert refused.value.got == "bins-3.json"


# ---- roots -----------------------------------------------------------------------------------------------------------


def root_of(keys: Keys, *, version: int, online: PrivateKey | None = None) -> Root:
    signers = Signers(
        root_keys=tuple(key.public for key in keys.root),
        root_threshold=keys.root_threshold,
        release_keys=tuple(key.public for key in keys.release),
        online_keys=((online or keys.online).public,),
    )
    return new_root(signers, version=version, expires=datetime.now(UTC) + timedelta(days=1))


@pytest.mark.parametrize("by", ["both", "old", "new"])
def test_a_root_is_signed_by_itself_and_by_the_one_before(registry: Registry, by: str) -> None:
    """Three new root keys, two of which may be a thief's, and three old."""
    old, new = registry.keys, registry.keys.but(root=tuple(generate_key() for _ in range(3)))
    signers = {"both": (*old.root, *new.root), "old": old.root, "new": new.root}[by]
    put(registry, "root", 2, serialise(signed_by(root_of(new, version=2), signers)))
    if by == "both":
        assert len(read_roots(registry.place)) == 2
        return
    with pytest.raises(TrustError, match="not signed by the keys") as refused:
        registry.commit({PAGE: b"two"})
    assert refused.value.thing == "metadata/2.root.json"


@pytest.mark.parametrize("attack", ["", "one key in two roles"])
def test_a_root_that_every_root_key_signed_still_has_safe_keys(registry: Registry, attack: str) -> None:
    keys = registry.keys
    root = root_of(keys, version=2, online=keys.release[0] if attack else None)
    put(registry, "root", 2, serialise(signed_by(root, keys.root)))
    if not attack:
        assert len(read_roots(registry.place)) == 2
        return
    with pytest.raises(TrustError, match=attack):
        registry.commit({PAGE: b"two"})


def test_a_staged_root_with_unsafe_keys_is_not_exported(registry: Registry) -> None:
    keys = registry.keys
    propose(registry.place, Changes(), now=registry.now, expiry=Expiry())
    export(registry.place)
    staged = registry.place / ".staged" / "root.json"
    staged.write_bytes(serialise(signed_by(root_of(keys, version=2, online=keys.release[0]), ())))
    with pytest.raises(TrustError, match="one key in two roles"):
        export(registry.place)


def test_bytes_of_a_root_with_unsafe_keys_are_not_signed(registry: Registry) -> None:
    keys = registry.keys
    sign_root(signed_by(root_of(keys, version=2), ()).signed_bytes, keys.root[0])
    with pytest.raises(TrustError, match="one key in two roles"):
        sign_root(signed_by(root_of(keys, version=2, online=keys.release[0]), ()).signed_bytes, keys.root[0])


def test_a_staged_root_that_skips_a_version_is_not_counted(registry: Registry) -> None:
    staged = registry.place / ".staged" / "root.json"
    staged.parent.mkdir()
    for version in (3, 2):
        staged.write_bytes(serialise(signed_by(root_of(registry.keys, version=version), registry.keys.root)))
        if version == 3:
            with pytest.raises(TrustError, match="not the version that comes next"):
                publish_root(registry.place)
        else:
            assert publish_root(registry.place).published


# ---- after a theft ---------------------------------------------------------------------------------------------------


def test_versions_that_a_thief_drove_up_are_forgotten_with_the_key(registry: Registry, tmp_path: Path) -> None:
    """A fast-forward attack: clients that saw version 10^9 would take nothing less, were the key not exchanged."""
    keys, reader = registry.keys, Reader(registry.place, tmp_path / "memory")
    assert reader.read(PAGE) == {PAGE: b"one"}
    image = registry.metadata()
    rewrite(
        registry, targets_by=keys.release, snapshot_by=[keys.online], timestamp_by=[keys.online], version=1_000_000_000
    )
    assert reader.read(PAGE) == {PAGE: b"one"}
    for path in (registry.place / "metadata").iterdir():
        path.unlink()
    for name, data in image.items():
        (registry.place / "metadata" / name).write_bytes(data)
    registry.commit({PAGE: b"two"})
    with pytest.raises(RepositoryError):
        reader.read(PAGE)
    online = generate_key()
    propose(registry.place, Changes(online_keys=(online.public,)), now=registry.now, expiry=Expiry())
    for key in keys.root[:2]:
        add_signature(registry.place, sign_root(export(registry.place), key))
    registry.refresh(online_keys=[online])
    assert reader.read(PAGE) == {PAGE: b"two"}
