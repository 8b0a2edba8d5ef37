"""Attacks on a registry's metadata, built for real with the keys each needs, by whoever controls the web server.

Every attack is a function of `evil`. With `evil=False` the very same is done but for the one thing that makes it an
attack, and the client goes along. A client that was attacked believes what it believed, and recovers by itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tuf.api.metadata import MetaFile, TargetFile  # type: ignore[attr-defined]  # in no list of exports

from assess_registry.client import ExpiredError, TrustError
from assess_registry.keys import PrivateKey, generate_key
from tests.support.trust_client import CONTROL, DEMO, OTHER, TrustClient
from tests.support.tuf_tree import TufTree, bin_of, make_tuf_tree, stored, tuf_key

PAST = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
STRANGER = generate_key()
BIN = bin_of(DEMO)
EMPTY = next(name for name in ("bin-0", "bin-1", "bin-2", "bin-3") if name not in {BIN, bin_of(OTHER)})


@pytest.fixture
def client(tmp_path: Path) -> TrustClient:
    tree = make_tuf_tree(tmp_path / "registry")
    tree.put({DEMO: b"demo 1", OTHER: b"other 1", CONTROL: b"revoked: none"})
    tree.put({DEMO: b"demo 2", CONTROL: b"revoked: 1"})
    client = TrustClient(tree=tree, state=tmp_path / "state")
    assert client.read(DEMO) == b"demo 2"
    assert client.read(CONTROL) == b"revoked: 1"
    return client


@dataclass(frozen=True)
class Attack:
    """`do(tree, evil)`; evil ends in `step` about `thing`, saying `said`; the control ends in the page `then`."""

    do: Callable[[TufTree, bool], object]
    step: str
    thing: str
    said: str
    then: bytes = b"demo 2"


def rollback_timestamp(tree: TufTree, evil: bool) -> None:
    tree.write_timestamp(step=-1 if evil else 1)


def rollback_snapshot(tree: TufTree, evil: bool) -> None:
    """The online key is stolen: a newer timestamp names an older snapshot, truly signed then."""
    tree.write(
        "timestamp", change=lambda t: setattr(t.snapshot_meta, "version", tree.signed("snapshot").version - evil)
    )


def rollback_role(role: str) -> Callable[[TufTree, bool], None]:
    """The online key is stolen: a newer snapshot names an older page list, truly signed by the release keys then."""

    def do(tree: TufTree, evil: bool) -> None:
        version = tree.signed(role).version - evil
        tree.write("snapshot", change=lambda s: s.meta.update({f"{role}.json": MetaFile(version)}))
        tree.write_timestamp()

    return do


def drop_role(tree: TufTree, evil: bool) -> None:
    tree.write("snapshot", change=lambda s: s.meta.pop(f"{BIN}.json") if evil else None)
    tree.write_timestamp()


def freeze(role: str) -> Callable[[TufTree, bool], None]:
    """What was true is served on after it has expired; everything else is renewed."""

    def do(tree: TufTree, evil: bool) -> None:
        def expire(signed: Any) -> None:
            if evil:
                signed.expires = PAST

        if role == "timestamp":
            tree.write_timestamp(expires=PAST if evil else None)
            return
        tree.write(role, change=expire)
        if role == "snapshot":
            tree.write_timestamp()
        elif role != "root":
            tree.announce(role)

    return do


def mix(tree: TufTree, evil: bool) -> None:
    """Documents of two moments under one snapshot: the name says the new version, the content is the older one's."""
    older = (tree.metadata / f"{tree.signed(BIN).version}.{BIN}.json").read_bytes()
    tree.put({DEMO: b"demo 3"})
    if evil:
        (tree.metadata / f"{tree.signed(BIN).version}.{BIN}.json").write_bytes(older)


def swap_bins(tree: TufTree, evil: bool) -> None:
    """Another bin, of the same version and by the same keys, in the place of the page's own."""
    tree.put({DEMO: b"demo 3", OTHER: b"other 2"})
    other = bin_of(OTHER)
    assert other != BIN
    while tree.signed(other).version < tree.signed(BIN).version:
        tree.write(other)
    tree.announce(other)
    if evil:
        version = tree.signed(BIN).version
        bytes_of_other = (tree.metadata / f"{version}.{other}.json").read_bytes()
        (tree.metadata / f"{version}.{BIN}.json").write_bytes(bytes_of_other)


def empty_bin(tree: TufTree, evil: bool) -> None:
    """The same with a bin that lists nothing, which nothing but its name tells from the right one."""
    tree.put({DEMO: b"demo 3"})
    version = tree.signed(BIN).version
    while tree.signed(EMPTY).version < version:
        path = tree.write(EMPTY)
    tree.announce(EMPTY)
    if evil:
        (tree.metadata / f"{version}.{BIN}.json").write_bytes(path.read_bytes())


def misnamed_bin(role: str, other: str) -> Callable[[TufTree, bool], None]:
    """The online key is stolen: the snapshot says that what is signed for one role is another's."""

    def do(tree: TufTree, evil: bool) -> None:
        while tree.signed(other).version <= tree.signed(role).version:
            path = tree.write(other)
        version = tree.signed(other).version
        named = {f"{role}.json" if evil else f"{other}.json": MetaFile(version)}
        tree.write("snapshot", change=lambda s: s.meta.update(named))
        tree.write_timestamp()
        if evil:
            (tree.metadata / f"{version}.{role}.json").write_bytes(path.read_bytes())

    return do


def by(role: str, keys: Callable[[TufTree], list[PrivateKey]]) -> Callable[[TufTree, bool], None]:
    """A new version of a role, signed by keys that are not enough for it."""

    def do(tree: TufTree, evil: bool) -> None:
        signers = keys(tree) if evil else None
        if role == "timestamp":
            tree.write_timestamp(keys=signers)
            return
        tree.write(role, keys=signers)
        if role == "snapshot":
            tree.write_timestamp()
        else:
            tree.announce(role)

    return do


def new_root(**options: Any) -> Callable[[TufTree, bool], None]:
    """A next root; the options are what makes it evil, a callable among them is asked for the tree's own."""

    def do(tree: TufTree, evil: bool) -> None:
        given = {name: value(tree) if name == "keys" else value for name, value in options.items()} if evil else {}
        tree.write("root", **given)

    return do


def hidden_root(tree: TufTree, evil: bool) -> None:
    """The root that takes the online key from a thief is held back; the thief signs on with the old one."""
    for role in ("snapshot", "timestamp"):
        path = tree.rotate(role, new=[STRANGER])
        if evil:
            path.unlink()  # TUF's clients see the end of the chain: below it the old online key is still the right one
    tree.put({DEMO: b"demo 3"})


def target(change: Callable[[bytes], bytes]) -> Callable[[TufTree, bool], None]:
    def do(tree: TufTree, evil: bool) -> None:
        tree.put({DEMO: b"demo 3"})
        path = tree.root / stored(DEMO, b"demo 3")
        path.write_bytes(change(path.read_bytes()) if evil else path.read_bytes())

    return do


def keys_of(role: str, entry: Callable[[], tuple[str, Any]]) -> Callable[[TufTree, bool], None]:
    """A rightly signed document in which a key stands that must not be there."""

    def do(tree: TufTree, evil: bool) -> None:
        def change(signed: Any) -> None:
            keyid, key = entry()
            where = signed if role == "root" else signed.delegations
            roles = signed.roles["timestamp"] if role == "root" else signed.delegations.succinct_roles
            if not evil:
                keyid, key = STRANGER.public.hex_id, tuf_key(STRANGER.public)
            where.keys[keyid] = key
            roles.keyids.append(keyid)

        tree.write(role, change=change)
        if role == "targets":
            tree.announce("targets")

    return do


def under_another_id() -> tuple[str, Any]:
    return "ab" * 32, tuf_key(STRANGER.public, keyid="ab" * 32)


def weak() -> tuple[str, Any]:
    key = tuf_key(STRANGER.public)
    key.keyval["public"] = "01" + "00" * 31
    key.keyid = "4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a"
    return key.keyid, key


def another_algorithm() -> tuple[str, Any]:
    key = tuf_key(STRANGER.public)
    key.keytype, key.scheme = "ecdsa", "ecdsa-sha2-nistp256"
    return key.keyid, key


def two_roles(role: str, other: str) -> Callable[[TufTree, bool], None]:
    """One key in two roles; the control adds a fresh one to the same role."""

    def do(tree: TufTree, evil: bool) -> None:
        key = tree.keys[other][0] if evil else STRANGER
        tree.write("root", change=lambda root: root.add_key(tuf_key(key.public), role))

    return do


def bins_by_online_key(tree: TufTree, evil: bool) -> None:
    key = tree.keys["timestamp"][0] if evil else STRANGER
    added = key.public.hex_id

    def change(targets: Any) -> None:
        targets.delegations.keys[added] = tuf_key(key.public)
        targets.delegations.succinct_roles.keyids.append(added)

    tree.write("targets", change=change)
    tree.announce("targets")


def inconsistent(tree: TufTree, evil: bool) -> None:
    tree.write("root", change=lambda root: setattr(root, "consistent_snapshot", not evil))


def odd_prefix(tree: TufTree, evil: bool) -> None:
    """The release keys delegate to bins whose names lead out of the directory."""
    name = "../../up" if evil else "bin"
    tree.write("targets", change=lambda t: setattr(t.delegations.succinct_roles, "name_prefix", name))
    tree.announce("targets")


def bin_delegates(tree: TufTree, evil: bool) -> None:
    given = tree.signed("targets").delegations if evil else None
    tree.write(BIN, change=lambda b: setattr(b, "delegations", given))
    tree.announce(BIN)


def raw(role: str, change: Callable[[bytes], bytes]) -> Callable[[TufTree, bool], None]:
    """The file as it is sent, changed; the control sends the same honest new version."""

    def do(tree: TufTree, evil: bool) -> None:
        if role == "timestamp":
            tree.write_timestamp()
            path = tree.metadata / "timestamp.json"
        else:
            path = tree.write(role)
            if role == "snapshot":
                tree.write_timestamp()
            elif role != "root":
                tree.announce(role)
        if evil:
            path.write_bytes(change(path.read_bytes()))

    return do


def as_another_role(tree: TufTree, evil: bool) -> None:
    """The online key signs snapshot and timestamp: one in the place of the other."""
    tree.write("snapshot")
    tree.write_timestamp()
    if evil:
        version = tree.signed("snapshot").version
        (tree.metadata / "timestamp.json").write_bytes((tree.metadata / f"{version}.snapshot.json").read_bytes())


def no_sha256(tree: TufTree, evil: bool) -> None:
    listed = TargetFile.from_data(DEMO, b"demo 2", ["sha512"] if evil else ["sha256"])
    tree.write(BIN, change=lambda b: b.targets.update({DEMO: listed}))
    tree.announce(BIN)


def path_as_sha256(tree: TufTree, evil: bool) -> None:
    listed = TargetFile.from_data(DEMO, b"demo 2", ["sha256"])
    if evil:
        listed.hashes["sha256"] = "../../elsewhere/x"
    tree.write(BIN, change=lambda b: b.targets.update({DEMO: listed}))
    tree.announce(BIN)


def two_of(role: str) -> Callable[[TufTree], list[PrivateKey]]:
    return lambda tree: tree.keys[role][:2]


def one_root(tree: TufTree) -> list[PrivateKey]:
    return tree.keys["root"][:1]


NAMED = f"metadata/*.{BIN}.json"

ATTACKS: dict[str, Attack] = {
    # rollback
    "rollback of timestamp": Attack(rollback_timestamp, "timestamp", "metadata/timestamp.json", "or later"),
    "rollback of snapshot": Attack(rollback_snapshot, "timestamp", "metadata/timestamp.json", "snapshot version"),
    "rollback of a bin": Attack(rollback_role(BIN), "snapshot", "metadata/*.snapshot.json", BIN),
    "rollback of targets": Attack(rollback_role("targets"), "snapshot", "metadata/*.snapshot.json", "targets"),
    "role left out": Attack(drop_role, "snapshot", "metadata/*.snapshot.json", "missing info"),
    # freeze
    "frozen timestamp": Attack(freeze("timestamp"), "timestamp", "metadata/timestamp.json", "expired"),
    "frozen snapshot": Attack(freeze("snapshot"), "snapshot", "metadata/*.snapshot.json", "expired"),
    "frozen targets": Attack(freeze("targets"), "targets", "metadata/*.targets.json", "expired"),
    "frozen bin": Attack(freeze(BIN), "targets", NAMED, "expired"),
    "frozen root": Attack(freeze("root"), "root", "metadata/root.json", "expired"),
    # mix and match
    "bin of another moment": Attack(mix, "targets", NAMED, "version", b"demo 3"),
    "bin in place of another": Attack(swap_bins, "targets", NAMED, "another role's", b"demo 3"),
    "empty bin in place of another": Attack(empty_bin, "targets", NAMED, "another role's", b"demo 3"),
    "another bin by the online key": Attack(misnamed_bin(BIN, EMPTY), "targets", NAMED, "another role's"),
    "bin as targets": Attack(misnamed_bin("targets", EMPTY), "targets", "metadata/*.targets.json", "another role's"),
    "targets as bin": Attack(misnamed_bin(BIN, "targets"), "targets", NAMED, "another role's"),
    "snapshot as timestamp": Attack(as_another_role, "timestamp", "metadata/timestamp.json", "timestamp"),
    # signatures
    "timestamp by a stranger": Attack(
        by("timestamp", lambda _: [STRANGER]), "timestamp", "metadata/timestamp.json", "enough"
    ),
    "timestamp unsigned": Attack(by("timestamp", lambda _: []), "timestamp", "metadata/timestamp.json", "enough"),
    "snapshot by a stranger": Attack(
        by("snapshot", lambda _: [STRANGER]), "snapshot", "metadata/*.snapshot.json", "enough"
    ),
    "targets by the online key": Attack(
        by("targets", lambda t: t.keys["timestamp"]), "targets", "metadata/*.targets.json", "enough"
    ),
    "bin by the online key": Attack(by(BIN, lambda t: t.keys["timestamp"]), "targets", NAMED, "enough"),
    "bin by a root key": Attack(by(BIN, one_root), "targets", NAMED, "enough"),
    # root
    "root by one of two": Attack(new_root(keys=one_root), "root", "metadata/2.root.json", "enough"),
    "root by nobody": Attack(new_root(keys=lambda _: []), "root", "metadata/2.root.json", "enough"),
    "root by release keys": Attack(new_root(keys=two_of("targets")), "root", "metadata/2.root.json", "enough"),
    "root of another version": Attack(new_root(step=2, name="2.root.json"), "root", "metadata/2.root.json", "version"),
    "root held back": Attack(hidden_root, "timestamp", "metadata/timestamp.json", "enough", b"demo 3"),
    "files without their hash": Attack(inconsistent, "root", "metadata/2.root.json", "consistent_snapshot"),
    # keys
    "key under another id": Attack(keys_of("root", under_another_id), "root", "metadata/2.root.json", "own digest"),
    "key of small order": Attack(keys_of("root", weak), "root", "metadata/2.root.json", "small order"),
    "key of another kind": Attack(keys_of("root", another_algorithm), "root", "metadata/2.root.json", "no Ed25519"),
    "bins' key under another id": Attack(
        keys_of("targets", under_another_id), "targets", "metadata/*.targets.json", "own digest"
    ),
    "bins' key of small order": Attack(keys_of("targets", weak), "targets", "metadata/*.targets.json", "small order"),
    "online key is a root key": Attack(two_roles("root", "timestamp"), "root", "metadata/2.root.json", "two roles"),
    "online key is a release key": Attack(
        two_roles("targets", "timestamp"), "root", "metadata/2.root.json", "two roles"
    ),
    "release key is a root key": Attack(two_roles("root", "targets"), "root", "metadata/2.root.json", "two roles"),
    "bins by the online key": Attack(bins_by_online_key, "targets", "metadata/targets.json", "as well"),
    # delegations
    "bins with path parts": Attack(odd_prefix, "targets", "metadata/*.targets.json", "plain name"),
    "bin that delegates": Attack(bin_delegates, "targets", NAMED, "delegates further"),
    # targets
    "page swapped": Attack(target(lambda _: b"demo 4"), "targets", stored(DEMO, b"demo 3"), "not the bytes", b"demo 3"),
    "page of before": Attack(
        target(lambda _: b"demo 2"), "targets", stored(DEMO, b"demo 3"), "not the bytes", b"demo 3"
    ),
    "page shortened": Attack(target(lambda d: d[:-1]), "targets", stored(DEMO, b"demo 3"), "not the bytes", b"demo 3"),
    "page lengthened": Attack(target(lambda d: d + b" "), "length", stored(DEMO, b"demo 3"), "longer", b"demo 3"),
    "page without sha256": Attack(no_sha256, "targets", DEMO, "SHA-256"),
    "page with a path for its sha256": Attack(path_as_sha256, "targets", DEMO, "SHA-256"),
    # documents
    "timestamp too large": Attack(
        raw("timestamp", lambda d: d + b" " * 20_000), "length", "metadata/timestamp.json", "longer"
    ),
    "root too large": Attack(raw("root", lambda d: d + b" " * 600_000), "length", "metadata/2.root.json", "longer"),
    "snapshot too large": Attack(
        raw("snapshot", lambda d: d + b" " * 2_000_001), "length", "metadata/*.snapshot.json", "longer"
    ),
    "key twice": Attack(
        raw("timestamp", lambda d: d.replace(b"{", b'{"signed": {},', 1)), "timestamp", "timestamp.json", "twice"
    ),
    "NaN": Attack(raw("snapshot", lambda d: d.replace(b"{", b'{"x": NaN,', 1)), "snapshot", "snapshot.json", "NaN"),
    "nested deeply": Attack(
        raw("root", lambda d: d.replace(b"{", b'{"x":' + b"[" * 50_000 + b"]" * 50_000 + b",", 1)),
        "root",
        "2.root.json",
        "nested",
    ),
    "an error page": Attack(raw("timestamp", lambda _: b"<html>"), "timestamp", "timestamp.json", "JSON"),
    "something else": Attack(raw("snapshot", lambda _: b"{}"), "snapshot", "snapshot.json", "not metadata"),
}


def about(thing: str, pattern: str) -> bool:
    head, _, tail = pattern.partition("*")
    return head in thing and thing.endswith(tail)


@pytest.mark.parametrize(
    ("options", "expired"),
    [({}, True), ({"step": -1}, False), ({"keys": [STRANGER]}, False), ({"keys": []}, False)],
    ids=["expired", "and rolled back", "and forged", "and unsigned"],
)
def test_only_what_is_rightly_signed_and_not_older_has_merely_expired(
    client: TrustClient, options: dict[str, Any], expired: bool
) -> None:
    """A runtime goes on by what it knew after the one, and stops at the others."""
    client.tree.write_timestamp(**{"step": 1, **options}, expires=PAST)
    with pytest.raises(TrustError) as caught:
        client.read()
    assert isinstance(caught.value, ExpiredError) == expired, str(caught.value)
    assert caught.value.step == "timestamp"


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_is_refused_and_what_was_believed_stays(client: TrustClient, name: str) -> None:
    attack = ATTACKS[name]
    attack.do(client.tree, True)
    for _ in range(2):  # a second attempt is refused the same: the first left nothing behind that helps
        with pytest.raises(TrustError) as caught:
            client.read()
        error = caught.value
        assert error.step == attack.step, str(error)
        assert about(error.thing, attack.thing), str(error)
        assert attack.said in str(error)
        assert isinstance(error, ExpiredError) == (attack.said == "expired")
        assert error.next_step
    assert client.remembered() == b"demo 2"
    assert client.remembered(CONTROL) == b"revoked: 1"


@pytest.mark.parametrize("name", ATTACKS)
def test_the_same_without_the_attack_is_accepted(client: TrustClient, name: str) -> None:
    attack = ATTACKS[name]
    attack.do(client.tree, False)
    assert client.read() == attack.then
    assert client.remembered() == attack.then
