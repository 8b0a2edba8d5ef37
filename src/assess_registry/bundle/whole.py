"""A release with everything in it, verified for every platform it serves, not only for the one at hand.

The steps are those of a client, in its order, over all wheels of the release and all of the lock, whichever target
selects them. Files are read one by one and not kept: a release may be larger than memory.
"""

import hashlib
from dataclasses import dataclass

from assess_registry.catalogue import CatalogueWheel, Release
from assess_registry.client import Registry
from assess_registry.client.choose import check_bytes
from assess_registry.client.release_files import locate_locked, read_listed, read_listed_lock
from assess_registry.client.standing import (
    Listed,
    Standing,
    beside,
    check_closure_not_revoked,
    check_verdict,
    find_listed,
    read_standing,
)
from assess_registry.client.transport import Deadline
from assess_registry.client.verify import check_identity, inspect_as, inspect_locked
from assess_registry.dsse import MAX_ENVELOPE_BYTES
from assess_registry.errors import NotPublishedError, TrustError
from assess_registry.lock import LOCK_NAME, Lock, LockedWheel
from assess_registry.names import ProjectName
from assess_registry.signatures import SIGNATURE_FILE_BYTES, verify_detached
from assess_registry.verdict import Approval

MAX_SIDECAR_BYTES = 64 << 20
"""Of an audit report or an SBOM; the largest closures we met make a few MiB."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dependency:
    """A locked wheel that is not the plugin's own, and its METADATA."""

    wheel: LockedWheel
    metadata: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class WholeRelease:
    """A release of which every file was there and passed.

    Attributes:
        approvals: by whom each wheel was approved, in the order of the wheels.
        closure: what the lock names besides, for any target.
    """

    project: ProjectName
    release: Release
    approvals: tuple[Approval, ...]
    closure: tuple[Dependency, ...]


def verify_whole(project: ProjectName, version: str, *, registry: Registry, deadline: Deadline) -> WholeRelease:
    """Everything of this release, proven.

    1. The project's signed page lists it, it is not revoked, and its publisher may publish the project.
    2. The lock is the one on the page, signed by the publisher's key, and names every wheel of the release.
    3. Each wheel: length, hash, signature, strict inspection, identity, verdict and approvals; what lies beside it.
    4. Audit report and SBOM are those on the page.
    5. Each other wheel the lock names: not revoked, length, hash, inspection as a dependency, identity.

    Raises:
        NotPublishedError: a file is not there.
        TransportError: one could not be had in time.
        TrustError: the step that failed.
    """
    standing = read_standing(project, registry.known_word(), deadline, registry=registry)
    listed = _listed(standing, version)  # 1
    lock = _lock(listed, registry, deadline)  # 2
    approvals = tuple(_own(each, lock, registry, deadline) for each in listed)  # 3
    release = listed[0].release
    for file in (release.audit, release.attestation, release.sbom):  # 4
        if file is not None:
            read_listed(file, listed[0], registry, deadline, max_bytes=MAX_SIDECAR_BYTES)
    others = tuple(wheel for wheel in lock.wheels if wheel.project != project)
    check_closure_not_revoked(standing, others)  # 5
    closure = tuple(_dependency(wheel, project, release, registry, deadline) for wheel in others)
    return WholeRelease(project=project, release=release, approvals=approvals, closure=closure)


def _listed(standing: Standing, version: str) -> tuple[Listed, ...]:
    release = standing.catalogue.release(version)
    if release is None:
        raise NotPublishedError(
            f"{standing.catalogue.project} {version}: not on its signed page; there are "
            f"{', '.join(each.version for each in standing.catalogue.releases) or 'no versions'}",
            url=f"{standing.catalogue.project} {version}",
        )
    return tuple(find_listed(standing, version=release.version, filename=wheel.filename) for wheel in release.wheels)


def _lock(listed: tuple[Listed, ...], registry: Registry, deadline: Deadline) -> Lock:
    project, release = listed[0].standing.catalogue.project, listed[0].release
    # One publisher for wheel and lock, whatever the number of wheels.
    lock, *_ = [read_listed_lock(each, registry, deadline)[0] for each in listed]
    own = {wheel.filename: (wheel.sha256, wheel.size) for wheel in lock.wheels if wheel.project == project}
    on_page = {wheel.filename: (wheel.sha256, wheel.size) for wheel in release.wheels}
    if own != on_page:
        raise TrustError(
            "its lock names other wheels of it than the signed page does",
            step="lock",
            thing=registry.base.url_of(beside(project, release.version, LOCK_NAME)),
            expected=", ".join(sorted(on_page)),
            got=", ".join(sorted(own)),
            next_step="do not use this release; ask the registry's maintainer",
        )
    return lock


def _own(listed: Listed, lock: Lock, registry: Registry, deadline: Deadline) -> Approval:
    wheel, release, project = listed.wheel, listed.release, listed.standing.catalogue.project
    data = read_listed(wheel.file, listed, registry, deadline, max_bytes=wheel.size)
    signature = read_listed(wheel.signature, listed, registry, deadline, max_bytes=SIGNATURE_FILE_BYTES)
    verify_detached(data, signature, listed.keys, thing=wheel.filename)
    inspected = inspect_as("plugin", data, wheel.filename)
    check_identity(inspected, project=project, version=release.version)
    verdict = read_listed(wheel.verdict, listed, registry, deadline, max_bytes=MAX_ENVELOPE_BYTES)
    approval = check_verdict(verdict, listed, inspected, lock.sha256)
    _check_metadata(wheel, inspected.metadata, listed, registry, deadline)
    return approval


def _check_metadata(
    wheel: CatalogueWheel, metadata: bytes, listed: Listed, registry: Registry, deadline: Deadline
) -> None:
    side = read_listed(wheel.metadata, listed, registry, deadline, max_bytes=MAX_SIDECAR_BYTES)
    digest = hashlib.sha256(metadata).hexdigest()
    check_bytes(side, size=len(metadata), sha256=digest, thing=wheel.metadata.filename, by="wheel")


def _dependency(
    wheel: LockedWheel, project: ProjectName, release: Release, registry: Registry, deadline: Deadline
) -> Dependency:
    location = locate_locked(wheel, beside(project, release.version, LOCK_NAME), registry)
    inspected = inspect_locked(wheel, registry.read(location, max_bytes=wheel.size, deadline=deadline))
    return Dependency(wheel=wheel, metadata=inspected.metadata)
