"""Bytes in, proof out: a `VerifiedWheel` is made here and nowhere else, and only of bytes that passed every step.

What is believed is the registry's signed word, or the trusted keys where there is none, and nothing besides: not the
page, not where the bytes came from, not even the `ResolvedWheel` they came with, for that may have been put together
from a store somebody had a hand in. The first step that fails ends it, with its name in the error; nothing has been
unpacked or written by then.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from packaging.version import Version

from assess_registry.client.choose import ASK, check_bytes, select_own
from assess_registry.client.fetch import FetchedWheel
from assess_registry.client.registry import Registry
from assess_registry.client.resolve import ResolvedWheel
from assess_registry.client.standing import (
    Listed,
    check_closure_not_revoked,
    check_verdict,
    find_listed,
    read_standing,
)
from assess_registry.client.target import Target
from assess_registry.errors import TrustError, WheelError
from assess_registry.keys import KeyId, TrustedKeys
from assess_registry.lock import Lock, LockedWheel, parse_lock
from assess_registry.signatures import verify_detached
from assess_registry.verdict import Approval
from assess_registry.wheel import InspectedWheel, UnpackedFile, inspect, unpacked_files


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifiedWheel:
    """Proof that these bytes are what a trusted publisher signed and reviewers approved, and that they fit the target.

    Attributes:
        inspected: what strict inspection found in `data`.
        data: the verified bytes themselves; a path could be exchanged afterwards.
        signer: the publisher's key; None for a dependency, which the signed lock of its plugin vouches for.
        signature, lock_signature: contents of the `.sig` files; empty for a dependency.
        lock: the signed closure; None for a dependency.
        closure: the verified dependencies; empty for a dependency.
        approval: who approved it; None for a dependency, and by the publishers' keys alone.
        verdict: content of its `.verdict.json`, to be kept with it.
        development: it was approved in a development registry, by that registry's signed word.
        stale: it was judged by what is remembered of the registry; nothing may be installed anew on it.
    """

    inspected: InspectedWheel
    data: bytes = field(repr=False)
    signer: KeyId | None
    signature: bytes = field(repr=False)
    lock: Lock | None = field(repr=False)
    lock_signature: bytes = field(repr=False)
    closure: tuple["VerifiedWheel", ...]
    approval: Approval | None = None
    verdict: bytes = field(repr=False, default=b"")
    development: bool = False
    stale: bool = False

    def files(self) -> Iterator[UnpackedFile]:
        """Every file to install, each hashed once more as it is inflated."""
        return unpacked_files(self.data, self.inspected)


def verify(fetched: FetchedWheel, *, registry: Registry, target: Target) -> VerifiedWheel:
    """What was fetched, proven.

    1. By the registry's word: it is on the signed page, not revoked, and its publisher may publish this project.
    2. Length and hash of the wheel are what the page says, or what was resolved.
    3. The publisher signed exactly these bytes: with the one key that the page names, or with a trusted one.
    4. The same bytes pass strict inspection as a plugin.
    5. They are the project and version that was asked for.
    6. Their tags and their Python requirement fit the target.
    7. The lock is the one the page names, is signed by the same key, and selects this very wheel for the target.
    8. By the registry's word: enough reviewers, or the audit where that is allowed, approved this wheel with these
       permissions and this lock, by a policy that is known.
    9. Each wheel the lock selects besides is there and not revoked: length, hash, inspection as a dependency, name,
       version, target.

    Raises:
        TrustError: the step that failed: `length`, `hash`, `signature`, `inspect`, `identity`, `tags`, `python`,
            `lock`, `signer` or `closure`; by the registry's word also `catalogue`, `control`, `revoked`, `publisher`,
            `envelope`, `verdict`, `approval`, and those of `TrustState.remembered`.
    """
    resolved = fetched.resolved
    # 1
    listed = _find_listed(resolved, registry) if registry.approved else None
    keys = listed.keys if listed else registry.trusted
    # 2
    size, sha256 = (listed.wheel.size, listed.wheel.sha256) if listed else (resolved.size, resolved.sha256)
    by = "signed page" if listed else "lock"
    check_bytes(fetched.data, size=size, sha256=sha256, thing=resolved.filename, by=by)
    # 3
    signer = verify_detached(fetched.data, fetched.signature, keys, thing=resolved.filename)
    # 4
    inspected = inspect_as("plugin", fetched.data, resolved.filename)
    # 5
    check_identity(inspected, project=resolved.project, version=resolved.version)
    # 6
    _check_target(inspected, target)
    # 7
    url = registry.base.url_of(resolved.lock_location)
    if listed is not None:
        _check_lock_bytes(resolved.lock.data, listed, url)
    lock, dependencies = _check_lock(fetched, inspected, signer=signer, keys=keys, url=url, target=target)
    # 8
    approval = check_verdict(fetched.verdict, listed, inspected, lock.sha256) if listed else None
    # 9
    if listed is not None:
        check_closure_not_revoked(listed.standing, dependencies)
    arrived = {wheel.filename: data for wheel, data in fetched.dependencies}
    closure = tuple(_verify_dependency(wheel, arrived.get(wheel.filename), target) for wheel in dependencies)
    return VerifiedWheel(
        inspected=inspected,
        data=fetched.data,
        signer=signer,
        signature=fetched.signature,
        lock=lock,
        lock_signature=resolved.lock_signature,
        closure=closure,
        approval=approval,
        verdict=fetched.verdict,
        development=listed.standing.publishers.development if listed else False,
        stale=listed.standing.stale if listed else False,
    )


def _find_listed(resolved: ResolvedWheel, registry: Registry) -> Listed:
    # Asked of the registry's word again: what came along as `resolved.listed` is only somebody's reading.
    standing = read_standing(resolved.project, registry.known_word(), registry.deadline(), registry=registry)
    return find_listed(standing, version=resolved.version, filename=resolved.filename)


def inspect_as(kind: Literal["plugin", "dependency"], data: bytes, filename: str) -> InspectedWheel:
    """What strict inspection found in these bytes.

    Raises:
        TrustError: step `inspect`; with every issue.
    """
    try:
        return inspect(data, filename, kind=kind)
    except WheelError as error:
        raise TrustError(
            f"it is not acceptable as a {kind}",
            step="inspect",
            thing=filename,
            next_step="its publisher has to correct it and release another version",
            issues=error.issues,
        ) from error


def check_identity(inspected: InspectedWheel, *, project: str, version: str) -> None:
    """The wheel says itself that it is this project and version.

    Raises:
        TrustError: step `identity`.
    """
    # Versions as values: a dependency's METADATA may spell 2024.07.04 what its filename spells 2024.7.4 (PEP 440).
    if inspected.project != project or Version(inspected.version) != Version(version):
        raise TrustError(
            "it calls itself something else than what was asked for",
            step="identity",
            thing=inspected.filename,
            expected=f"{project} {version}",
            got=f"{inspected.project} {inspected.version}",
            next_step=ASK,
        )


def inspect_locked(locked: LockedWheel, data: bytes) -> InspectedWheel:
    """A dependency, which is what the signed lock says: whichever targets it is for.

    Raises:
        TrustError: step `length`, `hash`, `inspect` or `identity`.
    """
    check_bytes(data, size=locked.size, sha256=locked.sha256, thing=locked.filename)
    inspected = inspect_as("dependency", data, locked.filename)
    check_identity(inspected, project=locked.project, version=locked.version)
    return inspected


def _check_target(inspected: InspectedWheel, target: Target) -> None:
    if target.rank(inspected.tags) is None:
        raise TrustError(
            "it is not for this interpreter and platform",
            step="tags",
            thing=inspected.filename,
            expected=f"{target.tags[0]} or another of {len(target.tags)} tags" if target.tags else "nothing",
            got=", ".join(sorted(str(tag) for tag in inspected.tags)),
            next_step="use an interpreter it was built for, or ask its publisher for a wheel for this one",
        )
    if not target.admits_python(inspected.requires_python):
        raise TrustError(
            "it is not for this Python",
            step="python",
            thing=inspected.filename,
            expected=str(inspected.requires_python),
            got=str(target.python),
            next_step="use an interpreter it supports, or ask its publisher for a version for this one",
        )


def _check_lock_bytes(data: bytes, listed: Listed, url: str) -> None:
    lock = listed.release.lock
    check_bytes(data, size=lock.size, sha256=lock.sha256, thing=url, by="signed page")


def _check_lock(
    fetched: FetchedWheel, inspected: InspectedWheel, *, signer: KeyId, keys: TrustedKeys, url: str, target: Target
) -> tuple[Lock, tuple[LockedWheel, ...]]:
    resolved = fetched.resolved
    lock_signer = verify_detached(resolved.lock.data, resolved.lock_signature, keys, thing=url)
    # Two trusted publishers are still two: one must not be able to say what the other's plugin runs with.
    if lock_signer != signer:
        raise TrustError(
            "the wheel and its lock were signed by different publishers",
            step="signer",
            thing=resolved.filename,
            expected=f"both by {signer}",
            got=f"the lock by {lock_signer}",
            next_step=ASK,
        )
    # Parsed again from the bytes that were signed: what came along as `resolved.lock` is only somebody's reading.
    lock = parse_lock(resolved.lock.data)
    own, closure = select_own(lock, project=resolved.project, version=resolved.version, target=target)
    if (own.filename, own.sha256, own.size) != (inspected.filename, inspected.sha256, inspected.size):
        raise TrustError(
            "its lock selects another wheel for this target",
            step="lock",
            thing=url,
            expected=f"{inspected.filename} sha256 {inspected.sha256}",
            got=f"{own.filename} sha256 {own.sha256}",
            next_step=ASK,
        )
    return lock, closure


def _verify_dependency(locked: LockedWheel, data: bytes | None, target: Target) -> VerifiedWheel:
    if data is None:
        raise TrustError(
            "the lock names it and it is not there",
            step="closure",
            thing=locked.filename,
            expected=f"{locked.size} bytes, sha256 {locked.sha256}",
            got="nothing",
            next_step=ASK,
        )
    inspected = inspect_locked(locked, data)
    _check_target(inspected, target)
    return VerifiedWheel(
        inspected=inspected, data=data, signer=None, signature=b"", lock=None, lock_signature=b"", closure=()
    )
