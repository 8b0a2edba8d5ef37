"""A site may serve, and never approve: its root names the release keys of the registry whose releases it serves.

TUF lets a root name whoever it likes, so who stole a site's root keys could name release keys of their own. So a site's
root holds roots of that registry, and only these change its release keys:

    site      1.root.json, by hand        2.root.json                  3.root.json
    holds     registry's root 4           registry's roots 4, 5        registry's root 5
    names     release keys of 4           release keys of 5            release keys of 5

The first is believed because the operator was given it, with the site's root around it. From there on each root begins
with the registry's root that the one before ended with, and each of the registry's is signed by the one before it and
by itself (TUF 5.3). A root that follows one which holds none is a registry's own, and names whom it likes.
"""

import json
from typing import Any

from assess_registry.client.trust.rules import check_root
from assess_registry.client.trust.tuf_api import DeserializationError, Metadata, RepositoryError, Root
from assess_registry.errors import TrustError
from assess_registry.names import SERVED_MEMBER


def check_served(root: Root, before: Root | None, thing: str) -> None:
    """The root names the release keys that it may name.

    Args:
        root: has passed `check_document`.
        before: the root that it follows, which has passed this; None for the one that the operator was given.
        thing: its name, for messages.

    Raises:
        TrustError: step `root`; it names others.
    """
    try:
        _require_release_keys(root, before)
    except (ValueError, RepositoryError, DeserializationError) as error:
        raise TrustError(
            f"its release keys are not those of the registry that the site serves: {error}",
            step=Root.type,
            thing=thing,
            expected="the registry's release keys, which only its own roots change",
            got="others: whoever has the site's root keys wants to publish",
            next_step="take nothing from this site; find out who has its root keys, and make it anew with others",
        ) from error


def _require_release_keys(root: Root, before: Root | None) -> None:
    held = _held(root)
    known = _held(before) if before is not None else ()
    if not held and not known:
        return
    if not held:
        raise ValueError(f"{SERVED_MEMBER} is empty, and the root before it names a registry's root")
    first = held[0]
    if known and first.signed_bytes != known[-1].signed_bytes:
        raise ValueError("it does not begin with the registry's root that the root before it ends with")
    newest = first.signed
    newest.verify_delegate(Root.type, first.signed_bytes, first.signatures)
    for document in held[1:]:
        if document.signed.version != newest.version + 1:
            raise ValueError(f"the registry's root {newest.version} is followed by {document.signed.version}")
        for voucher in (newest, document.signed):
            voucher.verify_delegate(Root.type, document.signed_bytes, document.signatures)
        newest = document.signed
    if _release_keys(root) != _release_keys(newest):
        raise ValueError(f"the registry's root {newest.version} names others")


def _held(root: Root) -> tuple[Metadata[Root], ...]:
    held = root.unrecognized_fields.get(SERVED_MEMBER, [])
    if not isinstance(held, list):
        raise ValueError(f"{SERVED_MEMBER} is no list of roots")
    return tuple(_parse(each) for each in held)


def _parse(table: Any) -> Metadata[Root]:
    document = Metadata[Root].from_bytes(json.dumps(table).encode())
    if not isinstance(document.signed, Root):
        raise ValueError(f"{SERVED_MEMBER} holds what is no root")
    check_root(document.signed)
    return document


def _release_keys(root: Root) -> tuple[frozenset[str], int]:
    role = root.roles["targets"]
    return frozenset(role.keyids), role.threshold
