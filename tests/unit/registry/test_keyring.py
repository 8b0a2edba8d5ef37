import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assess_registry.errors import ConfigError, TrustError
from assess_registry.keys import (
    ROLES,
    KeyRing,
    Role,
    TimedKey,
    check_distinct,
    generate_key,
    load_trusted_keys,
    parse_base64_key,
    parse_key_id,
)

NOW = datetime(2026, 11, 21, 5, 10, tzinfo=UTC)
DAY = timedelta(days=1)
WEAK = """\
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
-----END PUBLIC KEY-----
"""
"""The neutral element: a point of small order."""


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    """A reviewer's key with a passphrase, and a publisher's and a root key without."""
    ring = KeyRing(tmp_path / "keys")
    ring.create("reviewer", "alice", passphrase=b"correct horse")
    ring.create("publisher", "acme", passphrase=None)
    ring.create("root", "alice", passphrase=None)
    return ring


# --- a ring -------------------------------------------------------------------------------------------------------


def test_keys_lie_under_their_role_and_come_back(ring: KeyRing) -> None:
    assert [str(each) for each in ring.entries()] == ["root alice", "reviewer alice", "publisher acme"]
    one = ring.of_role("reviewer")[0]
    assert one.private == ring.directory / "reviewer/alice.key"
    assert one.private.stat().st_mode & 0o777 == 0o600
    assert ring.load("reviewer", "alice", passphrase=b"correct horse").public == one.key
    assert ring.load("publisher", "acme").sign(b"x")
    assert b"ENCRYPTED" in one.private.read_bytes()
    assert (ring.directory / "reviewer").stat().st_mode & 0o077 == 0
    assert [each.key for each in load_trusted_keys(ring.directory / "publisher")] == [ring.of_role("publisher")[0].key]


def test_a_ring_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert KeyRing(tmp_path / "absent").entries() == ()
    assert not (tmp_path / "absent").exists()


def test_the_public_half_of_anothers_key_can_be_kept(ring: KeyRing) -> None:
    key = generate_key()
    added = ring.add_public("reviewer", "bob", key.public)
    assert (added.private, ring.of_role("reviewer")[1]) == (None, added)
    with pytest.raises(ConfigError, match="no private key 'bob'"):
        ring.load("reviewer", "bob")
    with pytest.raises(ConfigError, match="never overwritten"):
        ring.add_public("reviewer", "bob", generate_key().public)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("way", ["take", "add_public"])
def test_a_key_that_is_in_the_ring_comes_in_no_second_time(ring: KeyRing, role: Role, way: str) -> None:
    key = ring.load("publisher", "acme")
    before = sorted(path for path in ring.directory.rglob("*") if path.suffix in (".key", ".pub"))
    ways: dict[str, Callable[[], object]] = {
        "take": lambda: ring.take(role, "second", key, passphrase=None),
        "add_public": lambda: ring.add_public(role, "second", key.public),
    }
    with pytest.raises(TrustError, match="here already, as publisher acme") as refused:
        ways[way]()
    assert (refused.value.step, refused.value.got) == ("keys", key.public.id)
    assert sorted(path for path in ring.directory.rglob("*") if path.suffix in (".key", ".pub")) == before
    assert ring.take(role, "second", generate_key(), passphrase=None).role == role


def copy(ring: KeyRing, source: str, target: str) -> None:
    path = ring.directory / target
    path.parent.mkdir(exist_ok=True)
    shutil.copy(ring.directory / source, path)


SPOILT: dict[str, tuple[Callable[[KeyRing], object], str]] = {
    "one key in two roles": (lambda ring: copy(ring, "publisher/acme.pub", "reviewer/zoe.pub"), "key-duplicate"),
    "one key under two names": (lambda ring: copy(ring, "publisher/acme.pub", "publisher/zoe.pub"), "key-duplicate"),
    "a weak key": (lambda ring: (ring.directory / "publisher/zoe.pub").write_text(WEAK), "key-unusable"),
    "no key": (lambda ring: (ring.directory / "publisher/zoe.pub").write_text("zoe"), "key-unusable"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_ring_is_used_for_nothing(ring: KeyRing, name: str) -> None:
    assert ring.load("publisher", "acme").public == ring.of_role("publisher")[0].key
    spoil, issue = SPOILT[name]
    spoil(ring)
    for use in (
        ring.entries,
        lambda: ring.load("publisher", "acme"),
        lambda: ring.create("audit", "new", passphrase=None),
        lambda: ring.add_public("audit", "new", generate_key().public),
    ):
        with pytest.raises(TrustError, match="zoe") as refused:
            use()
        assert [each.id for each in refused.value.issues] == [issue]
    assert not list((ring.directory).glob("audit/*"))
    (ring.directory / "publisher/zoe.pub").unlink(missing_ok=True)
    (ring.directory / "reviewer/zoe.pub").unlink(missing_ok=True)
    assert ring.create("audit", "new", passphrase=None).role == "audit"


@pytest.mark.parametrize("place", ["", "publisher", "publisher/acme.pub"])
def test_a_ring_that_others_can_change_is_refused(ring: KeyRing, place: str) -> None:
    path = ring.directory / place
    mode = path.stat().st_mode & 0o777
    path.chmod(mode | 0o020)
    with pytest.raises(TrustError, match="others can change"):
        ring.entries()
    path.chmod(mode)
    assert len(ring.entries()) == 3


def test_a_private_key_that_others_can_read_is_refused(ring: KeyRing) -> None:
    path = ring.directory / "publisher/acme.key"
    path.chmod(0o640)
    with pytest.raises(TrustError, match="no longer private"):
        ring.load("publisher", "acme")
    path.chmod(0o600)
    assert ring.load("publisher", "acme").public == ring.of_role("publisher")[0].key


def test_a_private_key_under_anothers_name_is_refused(ring: KeyRing) -> None:
    ring.create("publisher", "other", passphrase=None)
    (ring.directory / "publisher/other.key").replace(ring.directory / "publisher/acme.key")
    with pytest.raises(TrustError, match="not the one that its") as refused:
        ring.load("publisher", "acme")
    assert refused.value.expected == ring.of_role("publisher")[0].key.id


@pytest.mark.parametrize(
    ("passphrase", "says"), [(None, "give --passphrase-file"), (b"wrong horse", "wrong passphrase")]
)
def test_a_locked_key_opens_for_its_passphrase_alone(ring: KeyRing, passphrase: bytes | None, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        ring.load("reviewer", "alice", passphrase=passphrase)


@pytest.mark.parametrize("name", ["", "../x", "a/b", "A", "x.", ".x"])
def test_a_name_is_a_name_and_no_path(ring: KeyRing, name: str) -> None:
    with pytest.raises(ConfigError, match="key name"):
        ring.create("publisher", name, passphrase=None)
    with pytest.raises(ConfigError, match="key name"):
        ring.add_public("publisher", name, generate_key().public)


def test_a_name_is_taken_once_in_a_role(ring: KeyRing) -> None:
    with pytest.raises(ConfigError, match="never overwritten"):
        ring.create("publisher", "acme", passphrase=None)
    assert ring.create("audit", "acme", passphrase=None).name == "acme"


# --- a key's times ------------------------------------------------------------------------------------------------


def timed(**times: Any) -> TimedKey:
    return TimedKey(key=generate_key().public, **{"valid_from": NOW, **times})


@pytest.mark.parametrize(
    ("times", "at", "why"),
    [
        ({}, NOW, ""),
        ({}, NOW + 9000 * DAY, ""),
        ({}, NOW - DAY, "not valid before 2026-11-21T05:10:00Z"),
        ({"valid_until": NOW + DAY}, NOW + DAY / 2, ""),
        ({"valid_until": NOW + DAY}, NOW + DAY, "expired at 2026-11-22T05:10:00Z"),
        ({"valid_until": NOW + DAY, "revoked": "lost"}, NOW + DAY / 2, ""),
        ({"valid_until": NOW + DAY, "revoked": "lost"}, NOW + DAY, "revoked as of 2026-11-22T05:10:00Z: lost"),
        ({"valid_until": NOW}, NOW, "expired at 2026-11-21T05:10:00Z"),
    ],
)
def test_a_key_counts_from_its_beginning_and_not_at_its_end(times: dict[str, Any], at: datetime, why: str) -> None:
    key = timed(**times)
    assert (key.invalid_because(at), key.valid_at(at)) == (why, not why)


@pytest.mark.parametrize(
    ("times", "says"),
    [
        ({"valid_from": NOW.replace(tzinfo=None)}, "no time zone"),
        ({"valid_until": NOW.replace(tzinfo=None)}, "no time zone"),
        ({"valid_until": NOW - DAY}, "before its beginning"),
        ({"revoked": "lost"}, "has an end"),
        ({"revoked": "a\u202eb", "valid_until": NOW + DAY}, "printable"),
        ({"revoked": "x" * 501, "valid_until": NOW + DAY}, "printable"),
    ],
)
def test_times_that_mean_nothing_are_refused(times: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        timed(**times)


# --- spellings ----------------------------------------------------------------------------------------------------


def test_a_key_is_spelt_in_one_way_in_a_table() -> None:
    key = generate_key().public
    assert parse_base64_key(key.base64()) == key
    assert parse_key_id(key.id) == key.id == "sha256:" + key.hex_id
    text = key.base64()
    for other in (text.rstrip("="), text + "\n", " " + text, text + "AAAA", "", key.id, "é" * 44):
        with pytest.raises(ValueError):
            parse_base64_key(other)
    for other in (key.hex_id, key.id.upper(), "sha512:" + key.hex_id, key.id + " ", ""):
        with pytest.raises(ValueError):
            parse_key_id(other)


def test_a_key_has_one_use_also_if_both_are_called_the_same() -> None:
    one, two = generate_key().public, generate_key().public
    check_distinct([("audit", one), ("audit", two)])
    for uses in ([("audit", one), ("audit", one)], [("audit", one), ("root", two), ("release", one)]):
        with pytest.raises(ValueError, match="are one key"):
            check_distinct(uses)
