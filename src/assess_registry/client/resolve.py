"""Which wheel is meant by `demo-plugin>=1.2`, for which we have somebody's signed word and not only a page's.

By the registry's signed word, where its root is configured:

1. The clock, the lock of the trust state, and the registry's current word, by TUF.
2. The name in its normal form; its signed page, of a project that is not quarantined.
3. The version: the highest that the requirement admits, never a revoked one, a yanked one only when pinned with `==`.
4. Tags and Python: the wheel that fits the target best.
5. Revocations, and whether its publisher may publish this project.
6. The lock that the page names, by length and digest, signed by that publisher's key; it selects wheel and closure.

By the publishers' keys alone:

1. Read the project's page; it says what exists and has no authority.
2. Choose the version: the highest the requirement admits (PEP 440), yanked ones only when pinned with `==` (PEP 592).
3. Make sure that this version serves the interpreter: tags first, then Python.
4. Read the lock that lies beside the wheels and its signature; from here on the lock decides.
5. Every wheel the page offers of this version must be in the lock, with the same digest.
6. The lock chooses the wheel and its closure for the target.

Not found by the second way: a page that is old but once true, and that somebody approved it.
"""

from dataclasses import dataclass, field

from packaging.requirements import Requirement
from packaging.version import Version

from assess_registry.client.choose import (
    best_wheel,
    check_page_against_lock,
    check_target,
    choose_version,
    select_own,
)
from assess_registry.client.location import Location
from assess_registry.client.page import MAX_PAGE_BYTES, PageWheel, page_location, parse_page
from assess_registry.client.registry import Registry
from assess_registry.client.release_files import locate_locked, read_listed_lock, read_signature
from assess_registry.client.standing import (
    Listed,
    Standing,
    beside,
    check_closure_not_revoked,
    check_listed_is_locked,
    check_not_quarantined,
    check_not_revoked,
    find_listed,
    is_revoked,
    offered,
    read_standing,
)
from assess_registry.client.target import Target
from assess_registry.client.transport import Deadline
from assess_registry.errors import ConfigError, NotPublishedError, TrustError
from assess_registry.keys import KeyId
from assess_registry.lock import LOCK_NAME, MAX_LOCK_BYTES, Lock, LockedWheel, parse_lock
from assess_registry.names import ProjectName, Sha256, normalize_project
from assess_registry.signatures import verify_detached


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedWheel:
    """A wheel and its closure, as the signed lock states them; no byte of the wheels has been read.

    Attributes:
        location, url: where the wheel lies.
        lock: parsed from the bytes its signature covers.
        lock_location: where it lies; the closure's places are relative to it.
        signer: the key that signed the lock.
        listed: the wheel on the registry's signed page; None by the publishers' keys alone.
        closure: what the lock selects for the target besides the wheel itself.
    """

    project: ProjectName
    version: str
    filename: str
    location: Location
    url: str
    sha256: Sha256
    size: int
    lock: Lock = field(repr=False)
    lock_location: Location
    lock_signature: bytes = field(repr=False)
    signer: KeyId
    closure: tuple[LockedWheel, ...]
    listed: Listed | None = field(default=None, repr=False)

    @property
    def development(self) -> bool:
        """Whether the registry's signed word says that it is for development."""
        return self.listed is not None and self.listed.standing.publishers.development


def resolve(requirement: Requirement, *, registry: Registry, target: Target) -> ResolvedWheel:
    """The one wheel that satisfies `requirement` on `target`.

    The highest version that matches is the answer, or nothing is. An installer for applications would fall back to an
    older version when the newest has no wheel for this platform; here that would mean that two hosts under one
    configuration quietly run different checks, and that whoever can hide a wheel can choose the version. So it is
    refused, step `tags` or `python`, naming the versions that would do: ask for one of those by number to get it.

    Raises:
        ConfigError: the requirement has a URL, extras or a marker.
        NotPublishedError: no such project, or no version that matches.
        TransportError: the registry could not be read in time.
        TrustError: steps `tags`, `python`, `lock`, `hash`, `signature`, `length`, `redirect`; by the registry's word
            also those of `TrustState.refresh`, `catalogue`, `control`, `status`, `revoked`, `publisher`; by keys
            alone `index`.
    """
    if registry.approved:
        return _resolve_by_word(requirement, registry=registry, target=target)
    return _resolve_by_keys(requirement, registry=registry, target=target)


def _resolve_by_word(requirement: Requirement, *, registry: Registry, target: Target) -> ResolvedWheel:
    deadline = registry.deadline()
    word = registry.current_word(deadline)  # 1
    project = _project(requirement)  # 2
    standing = read_standing(project, word, deadline, registry=registry)
    check_not_quarantined(standing)
    version = _choose_release(requirement, standing, registry)  # 3
    on_page = offered(standing)
    check_target(project, version, on_page, target)  # 4
    best = best_wheel((wheel for wheel in on_page if wheel.version == version), target)
    listed = find_listed(standing, version=str(version), filename=best.filename)  # 5
    lock_location = beside(project, str(version), LOCK_NAME)  # 6
    lock, signature, signer = read_listed_lock(listed, registry, deadline)
    own, closure = select_own(lock, project=project, version=str(version), target=target)
    check_listed_is_locked(listed, own, lock_url=registry.base.url_of(lock_location))
    check_closure_not_revoked(standing, closure)
    return _resolved(
        own,
        lock=lock,
        at=lock_location,
        signature=signature,
        signer=signer,
        closure=closure,
        registry=registry,
        listed=listed,
    )


def _choose_release(requirement: Requirement, standing: Standing, registry: Registry) -> Version:
    """The version that is meant; when only revoked ones would do, that is said, for it is no mistyped number."""
    revoked = [release for release in standing.catalogue.releases if is_revoked(standing, release)]
    numbers = {release.version for release in revoked}
    remaining = tuple(wheel for wheel in offered(standing) if str(wheel.version) not in numbers)
    try:
        return choose_version(requirement, remaining, url=registry.base.url)
    except NotPublishedError:
        for release in sorted(revoked, key=lambda each: Version(each.version), reverse=True):
            if requirement.specifier.contains(release.version, prereleases=True):
                for wheel in release.wheels:
                    check_not_revoked(standing, release, wheel)
        raise


def _resolve_by_keys(requirement: Requirement, *, registry: Registry, target: Target) -> ResolvedWheel:
    project = _project(requirement)
    deadline = registry.deadline()
    on_page = _read_page(project, registry, deadline)  # 1
    version = choose_version(requirement, on_page, url=registry.base.url_of(page_location(project)))  # 2
    wheels = tuple(wheel for wheel in on_page if wheel.version == version)
    check_target(project, version, on_page, target)  # 3
    lock_location = _beside(wheels[0].location, LOCK_NAME)
    lock, signature, signer = _read_lock(lock_location, registry, deadline)  # 4
    check_page_against_lock(wheels, lock, lock_url=registry.base.url_of(lock_location))  # 5
    own, closure = select_own(lock, project=project, version=str(version), target=target)  # 6
    return _resolved(
        own, lock=lock, at=lock_location, signature=signature, signer=signer, closure=closure, registry=registry
    )


def _resolved(
    own: LockedWheel,
    *,
    lock: Lock,
    at: Location,
    signature: bytes,
    signer: KeyId,
    closure: tuple[LockedWheel, ...],
    registry: Registry,
    listed: Listed | None = None,
) -> ResolvedWheel:
    location = locate_locked(own, at, registry)
    return ResolvedWheel(
        project=own.project,
        version=own.version,
        filename=own.filename,
        location=location,
        url=registry.base.url_of(location),
        sha256=own.sha256,
        size=own.size,
        lock=lock,
        lock_location=at,
        lock_signature=signature,
        signer=signer,
        closure=closure,
        listed=listed,
    )


def _project(requirement: Requirement) -> ProjectName:
    problems = []
    if requirement.url:
        problems.append(f"{requirement}: a URL is not accepted; plugins come from the configured registry alone")
    if requirement.extras:
        problems.append(f"{requirement}: extras are not accepted; a plugin's closure is locked without them")
    if requirement.marker:
        problems.append(f"{requirement}: a marker is not accepted; leave the plugin out where it shall not run")
    if problems:
        raise ConfigError(*problems)
    try:
        return normalize_project(requirement.name)
    except ValueError as error:
        raise ConfigError(f"{requirement}: {error}") from error


def _read_page(project: ProjectName, registry: Registry, deadline: Deadline) -> tuple[PageWheel, ...]:
    location = page_location(project)
    try:
        data = registry.read(location, max_bytes=MAX_PAGE_BYTES, deadline=deadline)
    except NotPublishedError as error:
        raise NotPublishedError(
            f"{registry.base.url}: no project {project!r}; check its spelling, or publish it to this registry first",
            url=error.url,
        ) from error
    return parse_page(data, project=project, base=registry.base)


def _read_lock(location: Location, registry: Registry, deadline: Deadline) -> tuple[Lock, bytes, KeyId]:
    url = registry.base.url_of(location)
    try:
        data = registry.read(location, max_bytes=MAX_LOCK_BYTES, deadline=deadline)
    except NotPublishedError as error:
        raise TrustError(
            "there is no lock beside the wheel, so nobody has said what it runs with",
            step="lock",
            thing=url,
            next_step="do not use this release; its publisher has to publish it with its lock",
        ) from error
    signature = read_signature(location, registry, deadline)
    signer = verify_detached(data, signature, registry.trusted, thing=url)
    return parse_lock(data), signature, signer


def _beside(location: Location, name: str) -> Location:
    return Location(f"{location.rpartition('/')[0]}/{name}")
