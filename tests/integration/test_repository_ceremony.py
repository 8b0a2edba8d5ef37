"""The root ceremony: bytes travel, signatures come back, and nothing below either threshold becomes the root."""

import base64
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tuf.api.exceptions import RepositoryError

from assess_registry.config import Expiry
from assess_registry.errors import ConfigError, RegistryError, TrustError
from assess_registry.keys import PrivateKey, generate_key, write_private_key
from assess_registry.repository.ceremony import (
    Changes,
    add_signature,
    export,
    parse_export,
    propose,
    publish_root,
    sign_root,
    waiting,
)
from assess_registry.repository.describe import describe_proposal, describe_root, root_document
from assess_registry.repository.keys import KeySigner, keys_of, tuf_key_id
from assess_registry.repository.roles import serialise
from assess_registry.repository.staged import CURRENT_TIMESTAMP, STAGED, STAGED_TIMESTAMP
from assess_registry.repository.state import read_roots
from assess_registry.repository.tuf_api import Metadata, Root, SSlibKey
from assess_registry.signatures import encode_signature, sign_detached
from tests.support.repositories import Keys, Reader, Registry, make_registry

PAGE = "catalog/acme-demo.json"
EXPIRY = Expiry()


def public(*keys: PrivateKey) -> tuple[object, ...]:
    return tuple(key.public for key in keys)


def first(keys: Keys, **changes: object) -> Changes:
    given: dict[str, object] = {
        "root_keys": public(*keys.root),
        "release_keys": public(*keys.release),
        "online_keys": public(keys.online),
        **changes,
    }
    return Changes(**given)  # type: ignore[arg-type]


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def registry(tmp_path: Path, keys: Keys) -> Registry:
    made = make_registry(tmp_path / "registry", keys=keys)
    made.commit({PAGE: b"one"})
    return made


def signed(place: Path, *signers: PrivateKey) -> None:
    for key in signers:
        add_signature(place, sign_root(export(place), key))


def proposed(registry: Registry, **changes: object) -> None:
    propose(registry.place, Changes(**changes), now=registry.now, expiry=EXPIRY)  # type: ignore[arg-type]


# ---- the first root --------------------------------------------------------------------------------------------------


def test_a_first_root_by_two_of_three_on_other_machines(tmp_path: Path, keys: Keys) -> None:
    now, place = datetime.now(UTC), tmp_path / "registry"
    begun = propose(place, first(keys), now=now, expiry=EXPIRY)
    assert [(count.version, len(count.signed), count.threshold) for count in begun.counts] == [(1, 0, 2)]
    data = export(place)
    assert parse_export(data).version == 1
    signer, proposal = add_signature(place, sign_root(data, keys.root[2]))
    assert signer == keys.root[2].public.id
    assert not proposal.complete
    assert not publish_root(place).published
    assert read_roots(place) == ()
    signed(place, keys.root[0])
    assert publish_root(place).published
    assert not (place / STAGED).exists()
    assert waiting(place) is None
    registry = Registry(place=place, keys=keys, now=now)
    registry.refresh(release_keys=keys.release, bins=4)
    assert Reader(place, tmp_path / "memory").read(PAGE) == {PAGE: None}


def test_openssl_signs_the_exported_bytes(tmp_path: Path, keys: Keys) -> None:
    place = tmp_path / "registry"
    propose(place, first(keys), now=datetime.now(UTC), expiry=EXPIRY)
    (tmp_path / "root").write_bytes(export(place))
    write_private_key(tmp_path / "a.key", keys.root[0])
    raw = subprocess.run(
        ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", tmp_path / "a.key", "-in", tmp_path / "root"],
        check=True,
        capture_output=True,
    ).stdout
    assert add_signature(place, base64.b64encode(raw) + b"\n")[0] == keys.root[0].public.id


@pytest.mark.parametrize("missing", ["root_keys", "release_keys", "online_keys"])
def test_a_first_root_needs_all_roles(tmp_path: Path, keys: Keys, missing: str) -> None:
    with pytest.raises(ConfigError, match="the first root needs at least one"):
        propose(tmp_path, first(keys, **{missing: None}), now=datetime.now(UTC), expiry=EXPIRY)
    assert not (tmp_path / STAGED).exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"root_threshold": 4}, "cannot meet"),
        ({"root_threshold": 0}, "at least 1"),
        ({"release_threshold": 2}, "cannot meet"),
    ],
)
def test_a_threshold_that_cannot_be_met_is_not_proposed(
    tmp_path: Path, keys: Keys, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(RegistryError, match=message):
        propose(tmp_path, first(keys, **changes), now=datetime.now(UTC), expiry=EXPIRY)
    propose(tmp_path, first(keys, root_threshold=3), now=datetime.now(UTC), expiry=EXPIRY)


def test_a_key_twice_or_in_two_roles_is_not_proposed(tmp_path: Path, keys: Keys) -> None:
    now = datetime.now(UTC)
    for wrong, message in (
        (first(keys, root_keys=public(keys.root[0], keys.root[0])), "one key twice"),
        (first(keys, online_keys=public(keys.root[0])), "two roles"),
        (first(keys, release_keys=public(keys.online)), "two roles"),
    ):
        with pytest.raises(ConfigError, match=message) as slip:
            propose(tmp_path, wrong, now=now, expiry=EXPIRY)
        assert "backup" not in str(slip.value)
    propose(tmp_path, first(keys), now=now, expiry=EXPIRY)


def test_a_root_is_signed_by_no_key_that_has_another_role_in_it(tmp_path: Path, keys: Keys) -> None:
    propose(tmp_path, first(keys), now=datetime.now(UTC), expiry=EXPIRY)
    for other in (keys.release[0], keys.online):
        with pytest.raises(ConfigError, match="root keys alone"):
            sign_root(export(tmp_path), other)
    add_signature(tmp_path, sign_root(export(tmp_path), keys.root[0]))  # the control


@pytest.mark.parametrize("junk", [b"", b"junk", b"{}", b'{"_type":"timestamp"}', b"[" * 100_000])
def test_what_is_no_root_is_sent_back_to_who_sent_it(junk: bytes, keys: Keys) -> None:
    with pytest.raises(TrustError) as refused:
        sign_root(junk, keys.root[0])
    assert "ask who sent it" in refused.value.next_step


def test_a_root_that_waits_is_given_up_only_on_request(tmp_path: Path, keys: Keys) -> None:
    now = datetime.now(UTC)
    propose(tmp_path, first(keys), now=now, expiry=EXPIRY)
    signed(tmp_path, keys.root[0])
    with pytest.raises(ConfigError, match="waits for signatures already"):
        propose(tmp_path, first(keys), now=now, expiry=EXPIRY)
    found = waiting(tmp_path)
    assert found is not None
    assert len(found.counts[0].signed) == 1
    assert not propose(tmp_path, first(keys), now=now, expiry=EXPIRY, replace=True).counts[0].signed


# ---- the next root ---------------------------------------------------------------------------------------------------


def test_another_term_needs_nothing_but_signatures(registry: Registry, keys: Keys, tmp_path: Path) -> None:
    reader = Reader(registry.place, tmp_path / "memory")
    reader.read()
    later = registry.now + timedelta(days=1)
    propose(registry.place, Changes(), now=later, expiry=EXPIRY)
    signed(registry.place, *keys.root[1:])
    assert publish_root(registry.place).published
    (_, root) = read_roots(registry.place)
    assert root.signed.expires == later.replace(microsecond=0) + timedelta(days=365)
    assert reader.read(PAGE) == {PAGE: b"one"}


def test_a_root_key_is_exchanged_by_both_thresholds(registry: Registry, keys: Keys) -> None:
    new = generate_key()
    kept = keys.root[1:]
    proposed(registry, root_keys=public(*kept, new))
    # Two of the new three, but one of the old three only.
    signed(registry.place, new, kept[0])
    found = waiting(registry.place)
    assert found is not None
    assert [(len(count.signed), count.complete) for count in found.counts] == [(1, False), (2, True)]
    assert not publish_root(registry.place).published
    # The key that leaves signs as one of the old.
    signed(registry.place, keys.root[0])
    assert publish_root(registry.place).published
    assert keys_of(read_roots(registry.place)[-1].signed, "root") == public(*kept, new)


def test_new_keys_alone_make_no_root(registry: Registry) -> None:
    taken_over = [generate_key() for _ in range(3)]
    proposed(registry, root_keys=public(*taken_over))
    signed(registry.place, *taken_over)
    proposal = publish_root(registry.place)
    assert [count.complete for count in proposal.counts] == [False, True]
    assert not proposal.published
    assert len(read_roots(registry.place)) == 1


def test_one_root_key_of_three_makes_no_root(registry: Registry, keys: Keys) -> None:
    """The thief lowers the threshold, keeps the key alone, lists it twice: the old root wants two."""
    thief = keys.root[0]
    proposed(registry, root_keys=public(thief), root_threshold=1)
    signed(registry.place, thief)
    assert not publish_root(registry.place).published
    staged: Metadata[Root] = Metadata.from_bytes((registry.place / STAGED).read_bytes())
    other = tuf_key_id(keys.root[1].public)
    staged.signed.keys[other] = SSlibKey(other, "ed25519", "ed25519", {"public": thief.public.raw.hex()})
    staged.signed.roles["root"].keyids.append(other)
    (registry.place / STAGED).write_bytes(serialise(staged))
    with pytest.raises(TrustError, match="not its own"):
        publish_root(registry.place)


def test_a_signature_by_a_stranger_is_refused(registry: Registry, keys: Keys) -> None:
    proposed(registry)
    for stranger in (generate_key(), keys.online, keys.release[0]):
        with pytest.raises(TrustError, match="no root key made it") as refused:
            add_signature(registry.place, sign_detached(export(registry.place), stranger))
        assert refused.value.step == "signature"
    signed(registry.place, keys.root[0])


def test_a_signature_over_another_proposal_is_refused(registry: Registry, keys: Keys) -> None:
    proposed(registry)
    signature = sign_root(export(registry.place), keys.root[0])
    propose(registry.place, Changes(root_threshold=3), now=registry.now, expiry=EXPIRY, replace=True)
    with pytest.raises(TrustError, match="no root key made it over this root"):
        add_signature(registry.place, signature)


@pytest.mark.parametrize("change", [b"", b"x", b"=", b"\n"])
def test_a_malformed_signature_is_refused(registry: Registry, keys: Keys, change: bytes) -> None:
    proposed(registry)
    signature = sign_root(export(registry.place), keys.root[0])
    with pytest.raises(TrustError, match=r"bytes|empty"):
        add_signature(registry.place, signature[:-1] + change * 2 if change else b"")
    add_signature(registry.place, signature)


def test_the_same_signature_twice_counts_once(registry: Registry, keys: Keys) -> None:
    proposed(registry)
    signed(registry.place, keys.root[0], keys.root[0])
    assert not publish_root(registry.place).published


def test_no_root_waits(registry: Registry, keys: Keys) -> None:
    for call in (export, publish_root, lambda place: add_signature(place, encode_signature(bytes(64)))):
        with pytest.raises(ConfigError, match="no root waits"):
            call(registry.place)


# ---- what a root key signs -------------------------------------------------------------------------------------------


def test_a_root_key_signs_nothing_but_a_root(registry: Registry, keys: Keys) -> None:
    proposed(registry)
    data = export(registry.place)
    assert keys.root[0].public.verifies(base64.b64decode(sign_root(data, keys.root[0])), data)
    targets: Metadata[Root] = Metadata.from_bytes((registry.place / "metadata" / "1.targets.json").read_bytes())
    document = json.loads(data)
    for wrong in (
        b"",
        b"a wheel",
        targets.signed_bytes,
        data + b"\n",
        data[:-1],
        json.dumps(document).encode(),  # the same root in another spelling
        json.dumps({**document, "note": "and more"}, sort_keys=True, separators=(",", ":")).encode(),
        data[:-1] + b',"version":2}',
        data + b',"signatures":[]',
        b" " * (1 << 21),
    ):
        with pytest.raises(TrustError):
            sign_root(wrong, keys.root[0])


def test_a_root_says_in_words_what_it_would_make_true(registry: Registry, keys: Keys) -> None:
    proposed(registry, root_threshold=3)
    signed(registry.place, keys.root[0])
    text = describe_root(parse_export(export(registry.place)))
    assert text.startswith("root 2, until ")
    assert "3 of 3" in text
    for key in (*keys.root, *keys.release, keys.online):
        assert key.public.id in text
    found = waiting(registry.place)
    assert found is not None
    assert "1 of 2" in describe_proposal(found)
    assert "1 of 3" in describe_proposal(found)
    document = root_document(found.root)
    assert document["roles"]["root"] == {"threshold": 3, "keys": [key.public.id for key in keys.root]}


# ---- release and online keys -----------------------------------------------------------------------------------------


def test_readers_never_notice_an_exchange_of_all_other_keys(registry: Registry, keys: Keys, tmp_path: Path) -> None:
    reader = Reader(registry.place, tmp_path / "memory")
    reader.read(PAGE)
    release, online = generate_key(), generate_key()
    proposed(registry, release_keys=public(release), online_keys=public(online))
    signed(registry.place, *keys.root[:2])
    assert publish_root(registry.place).needs_refresh
    assert reader.read(PAGE) == {PAGE: b"one"}
    registry.commit({PAGE: b"two"})  # publishing goes on by the old keys until then
    assert reader.read(PAGE) == {PAGE: b"two"}
    written = registry.refresh(online_keys=[keys.online, online], release_keys=[*keys.release, release]).written
    assert written[-2:] == ("metadata/timestamp.json", "metadata/2.root.json")
    assert reader.read(PAGE) == {PAGE: b"two"}
    registry.commit({PAGE: b"three"}, release_keys=[release], online_key=online)
    assert reader.read(PAGE) == {PAGE: b"three"}
    assert Reader(registry.place, tmp_path / "new").read(PAGE) == {PAGE: b"three"}
    for stale in ({"release_keys": keys.release, "online_key": online}, {"release_keys": [release]}):
        with pytest.raises(ConfigError):
            registry.commit({PAGE: b"four"}, **stale)


def test_after_an_exchange_the_old_keys_say_nothing(registry: Registry, keys: Keys, tmp_path: Path) -> None:
    """Who stole the old release and online keys, and the web server with them, signs a page: no reader takes it."""
    release, online = generate_key(), generate_key()
    proposed(registry, release_keys=public(release), online_keys=public(online))
    signed(registry.place, *keys.root[:2])
    before = Registry(place=tmp_path / "stolen", keys=keys, now=registry.now)
    subprocess.run(["cp", "-r", registry.place, before.place], check=True)
    registry.refresh(online_keys=[keys.online, online], release_keys=[*keys.release, release])
    before.commit({PAGE: b"evil"})
    for path in before.place.rglob("*.json"):
        target = registry.place / path.relative_to(before.place)
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(path.read_bytes())
    # Not even where the disk of the registry itself says that the exchange was never finished.
    assert (registry.place / STAGED).exists()
    (registry.place / STAGED_TIMESTAMP).write_bytes((before.place / CURRENT_TIMESTAMP).read_bytes())
    (registry.place / CURRENT_TIMESTAMP).write_bytes((before.place / CURRENT_TIMESTAMP).read_bytes())
    with pytest.raises(RepositoryError, match="timestamp was signed by 0/1 keys"):
        Reader(registry.place, tmp_path / "memory").read(PAGE)
    assert Reader(before.place, tmp_path / "control").read(PAGE) == {PAGE: b"evil"}
    with pytest.raises(TrustError, match="not signed by the keys"):
        registry.commit({PAGE: b"two"}, release_keys=[release], online_key=online)


def test_a_timer_with_the_old_key_goes_on_until_the_new_keys_come(registry: Registry, keys: Keys) -> None:
    proposed(registry, online_keys=public(generate_key()))
    signed(registry.place, *keys.root[:2])
    assert registry.refresh().written[-1] == "metadata/timestamp.json"
    assert len(read_roots(registry.place)) == 1


def test_a_new_key_says_what_else_is_needed(registry: Registry, keys: Keys) -> None:
    online = generate_key()
    proposed(registry, online_keys=public(online), release_keys=public(generate_key()))
    signed(registry.place, *keys.root[:2])
    before = registry.metadata()
    with pytest.raises(ConfigError, match=r"--release-key: 1 of .* \(2.root.json\) have to sign, 0 of them given"):
        registry.refresh(online_keys=[keys.online, online])
    assert registry.metadata() == before


def test_a_higher_release_threshold_signs_every_bin_again(registry: Registry, keys: Keys, tmp_path: Path) -> None:
    second = generate_key()
    proposed(registry, release_keys=public(*keys.release, second), release_threshold=2)
    signed(registry.place, *keys.root[:2])
    assert publish_root(registry.place).needs_refresh
    written = registry.refresh(release_keys=[*keys.release, second]).written
    assert sum("bins-" in name for name in written) == 4
    with pytest.raises(ConfigError, match="1 of them given"):
        registry.commit({PAGE: b"two"})
    registry.commit({PAGE: b"two"}, release_keys=[*keys.release, second])
    assert Reader(registry.place, tmp_path / "memory").read(PAGE) == {PAGE: b"two"}


# ---- the chain of roots ----------------------------------------------------------------------------------------------


def chained(registry: Registry, keys: Keys) -> None:
    proposed(registry)
    signed(registry.place, *keys.root[:2])
    assert publish_root(registry.place).published


def test_roots_are_kept_for_ever(registry: Registry, keys: Keys) -> None:
    for _ in range(3):
        chained(registry, keys)
    registry.repository.collect(0, now=datetime.now(UTC) + timedelta(days=365))
    assert [root.signed.version for root in read_roots(registry.place)] == [1, 2, 3, 4]


def test_a_root_below_its_threshold_breaks_the_chain(registry: Registry, keys: Keys) -> None:
    chained(registry, keys)
    path = registry.place / "metadata" / "2.root.json"
    metadata: Metadata[Root] = Metadata.from_bytes(path.read_bytes())
    assert len(read_roots(registry.place)) == 2
    metadata.signatures.pop(tuf_key_id(keys.root[0].public))
    path.write_bytes(serialise(metadata))
    with pytest.raises(TrustError, match="not signed by the keys") as refused:
        registry.commit({PAGE: b"two"})
    assert refused.value.thing == "metadata/2.root.json"
    assert refused.value.got == "root was signed by 1/2 keys"


def test_a_root_that_skips_a_version_is_refused(registry: Registry, keys: Keys) -> None:
    metadata: Metadata[Root] = Metadata.from_bytes((registry.place / "metadata" / "1.root.json").read_bytes())
    metadata.signed.version = 3
    for key in keys.root:
        metadata.sign(KeySigner(key), append=True)
    (registry.place / "metadata" / "2.root.json").write_bytes(serialise(metadata))
    with pytest.raises(TrustError, match="another version than its name says"):
        registry.commit({PAGE: b"two"})


def test_a_staged_timestamp_replaces_none_that_counts(registry: Registry) -> None:
    """Left by a kill, or put there: the copy of a published root, and a timestamp of yesterday by the same keys."""
    old = (registry.place / CURRENT_TIMESTAMP).read_bytes()
    registry.commit({PAGE: b"two"})
    (registry.place / STAGED).parent.mkdir(exist_ok=True)
    (registry.place / STAGED).write_bytes((registry.place / "metadata" / "1.root.json").read_bytes())
    (registry.place / STAGED_TIMESTAMP).write_bytes(old)
    assert registry.refresh().version == 4
    assert registry.repository.read(PAGE) == b"two"
    assert not list((registry.place / STAGED).parent.iterdir())


def test_what_lies_in_staged_is_only_a_proposal(registry: Registry, keys: Keys) -> None:
    """Who can write to the disk puts a root there that no root key has seen."""
    thief = [generate_key() for _ in range(4)]
    staged: Metadata[Root] = Metadata.from_bytes((registry.place / "metadata" / "1.root.json").read_bytes())
    staged.signed.version = 2
    for key in thief:
        staged.sign(KeySigner(key), append=True)
    (registry.place / STAGED).parent.mkdir(exist_ok=True)
    (registry.place / STAGED).write_bytes(serialise(staged))
    assert not publish_root(registry.place).published
    registry.refresh()
    assert len(read_roots(registry.place)) == 1
    (registry.place / STAGED).write_bytes(b"garbage")
    with pytest.raises(TrustError, match="not TUF metadata"):
        registry.refresh()
