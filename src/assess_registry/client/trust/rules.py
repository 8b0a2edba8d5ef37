"""What TUF leaves open and this registry does not: which keys, which roles, which delegations a document may have.

TUF counts key ids, and takes the ids a document states. So one key under two ids meets a threshold of two, and a key of
small order verifies what nobody signed. Here an id is derived from its key, a key is a safe Ed25519 key, and a key
has one role: whoever steals the online key of `snapshot` and `timestamp` must not hold a share of another role.
"""

import re
from typing import Any

from assess_registry.client.strict_json import parse_json
from assess_registry.client.trust.tuf_api import Key, Metadata, RepositoryError, Root, Snapshot, Targets, Timestamp
from assess_registry.errors import TrustError
from assess_registry.keys import PublicKey
from assess_registry.names import ROLE_MEMBER

ONLINE = (Timestamp.type, Snapshot.type)

_BIN_PREFIX = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z", re.ASCII)

_HEX = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)


def check_document(role: str, data: bytes, thing: str) -> None:
    """The document, signed or not, is one that our rules admit; signatures are TUF's business.

    Raises:
        TrustError: step `root`, `timestamp`, `snapshot` or `targets`; it is not strict JSON, or of another type, or its
            keys or delegations are not as they have to be.
    """
    _check_type(role, check_json(role, data, thing), thing)
    try:
        if role == Root.type:
            check_root(Metadata[Root].from_bytes(data).signed)
        elif role not in ONLINE:
            _check_release_signed(Metadata[Targets].from_bytes(data).signed, role)
    except RepositoryError:
        return  # not metadata at all: whoever asked for it is about to find that out, and says it better
    except ValueError as error:
        raise _refusal(role, thing, str(error)) from error


def check_anchor(data: bytes, thing: str) -> None:
    """The document can be what a registry is trusted by: root metadata that its own keys have signed.

    Raises:
        TrustError: step `root`; it cannot.
    """
    check_document(Root.type, data, thing)
    try:
        document = Metadata[Root].from_bytes(data)
        document.signed.verify_delegate(Root.type, document.signed_bytes, document.signatures)
    except (RepositoryError, ValueError) as error:
        raise _refusal(Root.type, thing, str(error)) from error


def check_json(role: str, data: bytes, thing: str) -> Any:
    """The document, which reads the same for every reader.

    Raises:
        TrustError: it is no JSON, or repeats a key, or nests deeply, or has NaN.
    """
    try:
        return parse_json(data)
    except ValueError as error:
        raise _refusal(role, thing, f"not strict JSON: {error}") from error


def _check_type(role: str, document: Any, thing: str) -> None:
    """It says that it is of the type that its place is for; `Metadata[Root]` gives whatever type the bytes name.

    Raises:
        TrustError: it says another.
    """
    signed = document.get("signed") if isinstance(document, dict) else None
    said = signed.get("_type") if isinstance(signed, dict) else None
    wanted = step_of(role)
    if said is not None and said != wanted:
        message = f"another type of document is served in its place: expected type {wanted!r}, got {str(said)[:80]!r}"
        raise _refusal(role, thing, message)


def check_roles_apart(root: Root, targets: Targets, thing: str) -> None:
    """No key of the release role, which root and targets name each for itself, has another role as well.

    Raises:
        TrustError: step `targets`; one has.
    """
    delegations = targets.delegations
    release = set(delegations.keys) if delegations is not None else set()
    for role in (Root.type, *ONLINE):
        for keyid in sorted(release & set(root.roles[role].keyids)):
            raise _refusal(Targets.type, thing, f"key {keyid} signs releases and is a key of {role} as well")


def signing_keys(root: Root, targets: Targets) -> tuple[tuple[str, PublicKey], ...]:
    """The role and the key of all who sign metadata, each pair once; both documents have passed `check_document`."""
    delegations = targets.delegations
    found = {("release", keyid): key for keyid, key in (delegations.keys if delegations is not None else {}).items()}
    for name, group in ((Root.type, "root"), (Targets.type, "release"), *((role, "online") for role in ONLINE)):
        found |= {(group, keyid): root.keys[keyid] for keyid in root.roles[name].keyids}
    return tuple((group, PublicKey(bytes.fromhex(key.keyval["public"]))) for (group, _), key in sorted(found.items()))


def check_root(root: Root) -> None:
    """Every key derived and safe, no key in two roles, files stored under their hash.

    Raises:
        ValueError: not so.
    """
    _check_keys(root.keys)
    if not root.consistent_snapshot:
        raise ValueError("consistent_snapshot is not true: readers would race with every publish")
    groups = {
        "root": root.roles[Root.type].keyids,
        "release": root.roles[Targets.type].keyids,
        "online": [keyid for role in ONLINE for keyid in root.roles[role].keyids],
    }
    seen: dict[str, str] = {}
    for group, keyids in groups.items():
        for keyid in keyids:
            if keyid not in root.keys:
                raise ValueError(f"key {keyid} of role {group} is not in the document")
            if seen.setdefault(keyid, group) != group:
                raise ValueError(f"key {keyid} has two roles, {seen[keyid]} and {group}")


def _check_release_signed(targets: Targets, role: str) -> None:
    check_says_role(targets, role)
    check_targets(targets, top=role == Targets.type)


def check_says_role(targets: Targets, role: str) -> None:
    """It is this role's, by its own word: the same keys sign all bins, and the snapshot names their versions alone.

    Raises:
        ValueError: it is another's, which in its place would hide what is in this one.
    """
    if (said := targets.unrecognized_fields.get(ROLE_MEMBER)) != role:
        raise ValueError(f"another role's document is served in its place: {ROLE_MEMBER} is {str(said)[:80]!r}")


def check_targets(targets: Targets, *, top: bool) -> None:
    """Delegations are hash bins of the top-level role, signed by derived and safe keys; nobody delegates further.

    Raises:
        ValueError: not so.
    """
    delegations = targets.delegations
    if delegations is None:
        return
    if not top:
        raise ValueError("a bin delegates further, and only the top-level targets role may")
    _check_keys(delegations.keys)
    if delegations.succinct_roles is None:
        raise ValueError("delegations are not hash bins (TAP 15)")
    if not _BIN_PREFIX.match(delegations.succinct_roles.name_prefix):
        raise ValueError(f"name of the bins {delegations.succinct_roles.name_prefix[:80]!r} is not a plain name")
    missing = [keyid for keyid in delegations.succinct_roles.keyids if keyid not in delegations.keys]
    if missing:
        raise ValueError(f"key {missing[0]} of the bins is not in the document")


def _check_keys(keys: dict[str, Key]) -> None:
    for problem in (problem for keyid, key in sorted(keys.items()) if (problem := _key_problem(keyid, key))):
        raise ValueError(problem)


def _key_problem(keyid: str, key: Key) -> str:
    public = key.keyval.get("public")
    if (key.keytype, key.scheme) != ("ed25519", "ed25519") or set(key.keyval) != {"public"}:
        return f"key {keyid} is no Ed25519 key"
    if not isinstance(public, str) or not _HEX.match(public):
        return f"key {keyid} is not 32 bytes in lower-case hexadecimal"
    try:
        derived = PublicKey(bytes.fromhex(public)).hex_id
    except ValueError as error:
        return f"key {keyid} is not a safe key: {error}"
    return "" if derived == keyid else f"key {keyid} is not called by its own digest, {derived}"


def _refusal(role: str, thing: str, message: str) -> TrustError:
    return TrustError(
        message,
        step=step_of(role),
        thing=thing,
        next_step="do not use this registry until its maintainer has explained the document",
    )


def step_of(role: str) -> str:
    """The verification step in which a role's document is refused: bins are targets."""
    return role if role in (Root.type, *ONLINE) else Targets.type
