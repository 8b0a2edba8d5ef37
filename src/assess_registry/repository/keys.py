"""Our Ed25519 keys as the keys of TUF metadata: ids derived from the key, one key in one role, nothing else accepted.

TUF counts key *ids* towards a threshold and takes an id from whoever wrote the metadata. So one key under two ids would
meet a threshold of two, and a weak key would let anybody sign. Every root and every targets metadata that this package
reads or writes passes `check_root` or `check_targets`.

A TUF key id is the hexadecimal part of a `KeyId`.
"""

from collections.abc import Iterable, Mapping
from typing import Self

from assess_registry.errors import TrustError
from assess_registry.keys import KeyId, PrivateKey, PublicKey
from assess_registry.repository.tuf_api import Key, Role, Root, SecretsHandler, Signature, Signer, SSlibKey, Targets

ED25519 = "ed25519"
"""Both the key type and the scheme; nothing else is used here."""

ONLINE_ROLES = ("snapshot", "timestamp")
"""Signed by the online keys, which sign nothing else."""

TOP_ROLES = ("root", "targets", *ONLINE_ROLES)
"""The four roles of every root (TUF 4.3)."""

_ID_PREFIX = "sha256:"


def tuf_key_id(key: PublicKey) -> str:
    """The id this key has in TUF metadata: 64 hexadecimal digits, derived."""
    return key.id.removeprefix(_ID_PREFIX)


def key_id(tuf_id: str) -> KeyId:
    """The same id as everywhere else in the registry."""
    return KeyId(_ID_PREFIX + tuf_id)


def to_tuf_key(key: PublicKey) -> SSlibKey:
    """The key as TUF metadata holds it."""
    return SSlibKey(tuf_key_id(key), ED25519, ED25519, {"public": key.raw.hex()})


def keys_of(root: Root, role: str) -> tuple[PublicKey, ...]:
    """The keys of a role, as public keys."""
    return tuple(public_key(root.keys[each], thing=f"{root.version}.root.json") for each in root.roles[role].keyids)


def public_key(key: Key, *, thing: str) -> PublicKey:
    """The key that metadata holds, if it is a safe one under its own id.

    Raises:
        TrustError: step `keys`; another scheme, more fields than a key has, a weak key, or an id that is not its own.
    """
    public = key.keyval.get("public")
    if (key.keytype, key.scheme) != (ED25519, ED25519) or set(key.keyval) != {"public"} or key.unrecognized_fields:
        raise _refused("not an Ed25519 key", thing, ED25519, f"{key.keytype}, {key.scheme}, {sorted(key.keyval)}")
    try:
        found = PublicKey(bytes.fromhex(public) if isinstance(public, str) else b"")
    except ValueError as error:
        raise _refused(f"not a usable key: {error}", thing, "a safe Ed25519 key", repr(public)[:80]) from error
    if public != found.raw.hex():
        raise _refused("a second spelling of a key", thing, found.raw.hex(), repr(public)[:80])
    if key.keyid != tuf_key_id(found):
        raise _refused("a key under an id that is not its own", thing, tuf_key_id(found), str(key.keyid)[:80])
    return found


def check_root(root: Root, *, thing: str) -> None:
    """Every key of the root is safe, has its own id and one role, and every threshold can be met by distinct keys.

    Raises:
        TrustError: step `keys`.
    """
    _check_keys(root.keys, thing)
    for name in TOP_ROLES:
        _check_plain(name, root.roles[name], thing)
    groups = {
        "root": root.roles["root"].keyids,
        "release": root.roles["targets"].keyids,
        "online": sorted({each for role in ONLINE_ROLES for each in root.roles[role].keyids}),
    }
    owner: dict[str, str] = {}
    for group, keyids in groups.items():
        for each in keyids:
            first = owner.setdefault(each, group)
            if first != group:
                raise _refused("one key in two roles", thing, f"{each[:16]}… as {first} alone", f"as {group}, too")
    for name in TOP_ROLES:
        _check_role(name, root.roles[name].keyids, root.roles[name].threshold, root.keys, thing)
    if set(root.keys) != set(owner):
        stray = ", ".join(sorted(set(root.keys) - set(owner)))
        raise _refused("keys without a role", thing, "each key in one role", stray)
    if root.consistent_snapshot is not True:
        raise _refused("not a consistent snapshot (TUF 6.2)", thing, "true", str(root.consistent_snapshot).lower())


def check_targets(targets: Targets, root: Root, *, thing: str) -> None:
    """The bins are signed by keys as safe as the root's, none of which has another role.

    Raises:
        TrustError: step `keys`.
    """
    delegations = targets.delegations
    if delegations is None or delegations.succinct_roles is None:
        raise _refused("not delegated to hash bins", thing, "succinct roles (TAP 15)", "other delegations, or none")
    _check_keys(delegations.keys, thing)
    bins = delegations.succinct_roles
    _check_plain("bins", bins, thing)
    _check_role("bins", bins.keyids, bins.threshold, delegations.keys, thing)
    others = {each for role in ("root", *ONLINE_ROLES) for each in root.roles[role].keyids}
    if shared := sorted(others & set(bins.keyids)):
        raise _refused("one key in two roles", thing, f"{shared[0][:16]}… in one role", "in root metadata and in bins")


def _check_keys(keys: Mapping[str, Key], thing: str) -> None:
    for keyid, key in keys.items():
        found = public_key(key, thing=thing)
        if keyid != tuf_key_id(found):
            raise _refused("a key under an id that is not its own", thing, tuf_key_id(found), keyid[:80])


def _check_plain(name: str, role: Role, thing: str) -> None:
    # python-tuf takes what JSON has here: a null among the ids, one and a half signatures.
    if any(not isinstance(each, str) for each in role.keyids) or type(role.threshold) is not int:
        raise _refused(f"role {name} is not spelt out", thing, "ids of keys, and a whole number", "something else")


def _check_role(name: str, keyids: Iterable[str], threshold: int, keys: Mapping[str, Key], thing: str) -> None:
    listed = list(keyids)
    usable = {each for each in listed if each in keys}
    if len(usable) != len(listed):
        raise _refused(f"role {name} names a key twice, or one that is not there", thing, "each once", str(len(listed)))
    if not 1 <= threshold <= len(usable):
        raise _refused(f"role {name} has a threshold that its keys cannot meet", thing,
                       f"1 to {len(usable)}", str(threshold))  # fmt: skip


def _refused(message: str, thing: str, expected: str, got: str) -> TrustError:
    return TrustError(
        message,
        step="keys",
        thing=thing,
        expected=expected,
        got=got,
        next_step="sign nothing with it; find out who wrote it, and restore the metadata from a backup",
    )


class KeySigner(Signer):
    """Signs TUF metadata with one of our private keys."""

    def __init__(self, key: PrivateKey) -> None:
        self._key = key
        self._public = to_tuf_key(key.public)

    @property
    def public_key(self) -> Key:
        """The key as metadata holds it."""
        return self._public

    def sign(self, payload: bytes) -> Signature:
        """A signature over the canonical bytes."""
        return Signature(self._public.keyid, self._key.sign(payload).hex())

    @classmethod
    def from_priv_key_uri(
        cls, priv_key_uri: str, public_key: Key, secrets_handler: SecretsHandler | None = None
    ) -> Self:
        """Not offered: keys are loaded by `load_private_key`, which looks at who may read them.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(f"load the key first: {priv_key_uri}")
