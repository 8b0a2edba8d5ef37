"""Bytes that were fetched once and kept, made ready to be verified again without a network.

The store keeps what a `VerifiedWheel` was made of. Its own word that this was verified once is worth nothing after
somebody had a hand in it, so the same `verify` runs over the kept bytes:

    verify(reopen(kept, registry=registry, target=target), registry=registry, target=target)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from assess_registry.client.choose import select_own
from assess_registry.client.fetch import FetchedWheel
from assess_registry.client.location import Location
from assess_registry.client.registry import Registry
from assess_registry.client.resolve import ResolvedWheel
from assess_registry.client.standing import find_listed, read_standing
from assess_registry.client.target import Target
from assess_registry.errors import TrustError
from assess_registry.lock import LOCK_NAME, parse_lock
from assess_registry.signatures import verify_detached


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptWheel:
    """What has to be kept of a plugin so that it can be verified and installed again.

    Attributes:
        filename: of the plugin's own wheel.
        data, signature: the wheel and the content of its `.sig`.
        lock, lock_signature: `pylock.toml` and the content of its `.sig`.
        dependencies: filename -> bytes, of each wheel the plugin runs with.
        verdict: content of its `.verdict.json`; empty by the publishers' keys alone. The signed page and what it is
            judged by are kept by the trust state.
    """

    filename: str
    data: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    lock: bytes = field(repr=False)
    lock_signature: bytes = field(repr=False)
    dependencies: Mapping[str, bytes] = field(repr=False)
    verdict: bytes = field(repr=False, default=b"")


def reopen(kept: KeptWheel, *, registry: Registry, target: Target) -> FetchedWheel:
    """The kept bytes as if they had just been fetched; the registry is not contacted, only its keys are used.

    A dependency that is gone is left out here and missed by `verify`.

    Raises:
        TrustError: steps `signature` and `lock`; the kept lock is not the publisher's, or does not hold the wheel. By
            the registry's word also those of `TrustState.remembered`, `catalogue`, `revoked` and `publisher`.
    """
    thing = f"{LOCK_NAME} of {kept.filename}"
    if not registry.approved:
        verify_detached(kept.lock, kept.lock_signature, registry.trusted, thing=thing)
    lock = parse_lock(kept.lock)
    locked = lock.find(kept.filename)
    if locked is None:
        raise TrustError("the lock kept with it does not hold it", step="lock", thing=kept.filename)
    keys = registry.trusted
    if registry.approved:
        # Which key counts is known by the project only, which the lock has just named; `verify` asks all of it again.
        standing = read_standing(locked.project, registry.known_word(), registry.deadline(), registry=registry)
        keys = find_listed(standing, version=locked.version, filename=locked.filename).keys
    signer = verify_detached(kept.lock, kept.lock_signature, keys, thing=thing)
    own, closure = select_own(lock, project=locked.project, version=locked.version, target=target)
    directory = f"files/{own.project}/{own.version}"
    location = Location(f"{directory}/{own.filename}")
    resolved = ResolvedWheel(
        project=own.project,
        version=own.version,
        filename=own.filename,
        location=location,
        url=registry.base.url_of(location),
        sha256=own.sha256,
        size=own.size,
        lock=lock,
        lock_location=Location(f"{directory}/{LOCK_NAME}"),
        lock_signature=kept.lock_signature,
        signer=signer,
        closure=closure,
    )
    present = tuple(
        (wheel, kept.dependencies[wheel.filename]) for wheel in closure if wheel.filename in kept.dependencies
    )
    return FetchedWheel(
        resolved=resolved, data=kept.data, signature=kept.signature, dependencies=present, verdict=kept.verdict
    )
