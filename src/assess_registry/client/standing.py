"""What the registry's signed word says about a project, and whether a wheel may be used by it: rules, no files read.

A `Standing` is read once from one word. `Listed` is one wheel of it, and the keys whose signature over it counts: the
one key the catalogue names, if its publisher held it when the release was published, and may publish this project.
A release is judged by the time it was published at, which the release keys signed: what was signed while a key was
valid stays good when the key is replaced, and falls when the key is revoked from before that time on.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import parse_wheel_filename

from assess_registry.catalogue import Catalogue, CatalogueWheel, Release, catalogue_path, parse_catalogue
from assess_registry.client.location import Location
from assess_registry.client.page import PageWheel
from assess_registry.client.registry import Registry
from assess_registry.client.transport import Deadline
from assess_registry.client.trust import Word
from assess_registry.control import (
    POLICY_PATH,
    PUBLISHERS_PATH,
    REVOCATIONS_PATH,
    PolicyWord,
    Publishers,
    Revocations,
    parse_policy_word,
    parse_publishers,
    parse_revocations,
)
from assess_registry.dsse import parse_envelope
from assess_registry.errors import NotPublishedError, RevokedError, TrustError
from assess_registry.keys import PublicKey, TrustedKeys
from assess_registry.lock import LockedWheel
from assess_registry.manifest import Manifest
from assess_registry.names import ProjectName, Sha256, parse_version
from assess_registry.verdict import Approval, check_approval, permissions_table

_ASK = "do not use it; ask the registry's maintainer, and do not try again before they have answered"


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """A project's signed page, and by what its releases are judged.

    Attributes:
        refreshed_at, stale: of the word it was read from.
    """

    catalogue: Catalogue
    publishers: Publishers
    revocations: Revocations
    policy: PolicyWord
    refreshed_at: datetime
    stale: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """One wheel of a signed page.

    Attributes:
        publisher: by the name that `control/publishers.json` gives them.
        keys: the one key whose signature counts.
    """

    standing: Standing
    release: Release
    wheel: CatalogueWheel
    publisher: str
    keys: TrustedKeys


class KnownWheel(Protocol):
    """What a verdict has to be about: a wheel just inspected, or one that was when it was installed."""

    @property
    def project(self) -> ProjectName: ...  # noqa: D102  described by the class

    @property
    def version(self) -> str: ...  # noqa: D102  described by the class

    @property
    def filename(self) -> str: ...  # noqa: D102  described by the class

    @property
    def sha256(self) -> Sha256: ...  # noqa: D102  described by the class

    @property
    def manifest(self) -> Manifest | None: ...  # noqa: D102  described by the class


def read_standing(project: ProjectName, word: Word, deadline: Deadline, *, registry: Registry) -> Standing:
    """What `word` says about `project`; of a development registry only where the operator wants one.

    Raises:
        NotPublishedError: nothing; there is no such project.
        TransportError: a file could not be had in time.
        TrustError: steps `catalogue`, `control`, `targets`; a file is not what it has to be. Step `keys`; one key has
            two roles. Step `development`.
    """
    url = registry.base.url
    page = word.read(catalogue_path(project), deadline)
    if page is None:
        raise NotPublishedError(
            f"{url}: no project {project!r}; check its spelling, or publish it to this registry first", url=url
        )
    publishers = parse_publishers(_control(word, PUBLISHERS_PATH, deadline))
    publishers.check_apart(word.signing_keys())
    check_development(publishers, registry)
    return Standing(
        catalogue=parse_catalogue(page, project),
        publishers=publishers,
        revocations=parse_revocations(_control(word, REVOCATIONS_PATH, deadline)),
        policy=parse_policy_word(_control(word, POLICY_PATH, deadline)),
        refreshed_at=word.refreshed_at,
        stale=word.stale,
    )


def check_development(publishers: Publishers, registry: Registry) -> None:
    """It is no development registry, or one is wanted.

    Raises:
        TrustError: step `development`.
    """
    if publishers.development and not registry.config.development:
        raise TrustError(
            "it is a development registry: one person holds all its keys, and nobody else approved anything",
            step="development",
            thing=registry.base.url,
            expected="a registry whose keys are in several hands",
            got="its signed word says development",
            next_step="use another registry; if this is your own, say development = true where it is configured",
        )


def offered(standing: Standing) -> tuple[PageWheel, ...]:
    """Every wheel of the page, as `choose` looks at wheels."""
    return tuple(
        PageWheel(
            filename=wheel.filename,
            version=parse_version(release.version),
            tags=parse_wheel_filename(wheel.filename)[3],
            location=beside(standing.catalogue.project, release.version, wheel.filename),
            sha256=wheel.sha256,
            size=wheel.size,
            requires_python=_specifier(wheel),
            yanked=release.yanked is not None,
            yanked_reason=release.yanked.reason if release.yanked else "",
        )
        for release in standing.catalogue.releases
        for wheel in release.wheels
    )


def find_listed(standing: Standing, *, version: str, filename: str) -> Listed:
    """The wheel on the signed page, not revoked, and by a publisher whose project this is.

    Raises:
        TrustError: steps `catalogue`, `revoked`, `publisher`.
    """
    project = standing.catalogue.project
    release = standing.catalogue.release(version)
    wheel = next((each for each in release.wheels if each.filename == filename), None) if release else None
    if release is None or wheel is None:
        raise TrustError(
            "the registry does not vouch for it",
            step="catalogue",
            thing=filename,
            expected=f"one of the wheels of {project} {version} on its signed page",
            got="none of this name",
            next_step=_ASK,
        )
    check_not_revoked(standing, release, wheel)
    publisher, key = check_publisher(standing, release, wheel)
    return Listed(standing=standing, release=release, wheel=wheel, publisher=publisher, keys=TrustedKeys.of(key))


def is_revoked(standing: Standing, release: Release) -> bool:
    """Whether nobody gets anything of this release any more."""
    return release.revoked is not None or any(standing.revocations.of(wheel.sha256) for wheel in release.wheels)


def check_not_revoked(standing: Standing, release: Release, wheel: CatalogueWheel) -> None:
    """Neither the page nor the list of revocations says that it is.

    Raises:
        TrustError: step `revoked`.
    """
    revoked = standing.revocations.of(wheel.sha256) or release.revoked
    if revoked is not None:
        raise RevokedError(wheel.filename, reason=revoked.reason, severity=revoked.severity, at=revoked.at)


def check_not_quarantined(standing: Standing) -> None:
    """Something new may be installed of the project: nobody waits to know whether it is what it seems.

    Raises:
        TrustError: step `status`.
    """
    status = standing.catalogue.status
    if status is not None and status.is_quarantined:
        raise TrustError(
            f"the project is quarantined: {status.reason}",
            step="status",
            thing=standing.catalogue.project,
            expected="a project of which something may be installed",
            got=f"quarantined since {status.at:%Y-%m-%dT%H:%M:%SZ}",
            next_step="wait until the registry's maintainer takes it back, or revokes what is wrong; what was verified "
            "before is kept: assess run --offline",
        )


def check_closure_not_revoked(standing: Standing, closure: tuple[LockedWheel, ...]) -> None:
    """Nothing that it runs with is revoked.

    Raises:
        TrustError: step `revoked`.
    """
    for locked in closure:
        check_not_among_revoked(standing, locked.filename, locked.sha256)


def check_not_among_revoked(standing: Standing, filename: str, sha256: Sha256) -> None:
    """This file is not revoked, whichever project it belongs to.

    Raises:
        TrustError: step `revoked`.
    """
    if (revoked := standing.revocations.of(sha256)) is not None:
        raise RevokedError(filename, reason=revoked.reason, severity=revoked.severity, at=revoked.at)


def check_publisher(standing: Standing, release: Release, wheel: CatalogueWheel) -> tuple[str, PublicKey]:
    """The publisher whom the catalogue names held the key it names then, and may publish this project.

    Raises:
        TrustError: step `publisher`.
    """
    project = standing.catalogue.project
    publisher = standing.publishers.publisher_of(wheel.signer, project, release.published_at)
    if publisher != wheel.publisher:
        raise TrustError(
            "the key belongs to another publisher than the one it is listed under",
            step="publisher",
            thing=wheel.filename,
            expected=wheel.publisher,
            got=publisher,
            next_step=_ASK,
        )
    keys = standing.publishers.publishers[publisher].keys
    return publisher, next(timed.key for timed in keys if timed.key.id == wheel.signer)


def check_listed_is_locked(listed: Listed, own: LockedWheel, *, lock_url: str) -> None:
    """The wheel that the page offers for this target is the one that the lock selects for it.

    Raises:
        TrustError: step `lock`.
    """
    wheel = listed.wheel
    if (wheel.filename, wheel.sha256, wheel.size) != (own.filename, own.sha256, own.size):
        raise TrustError(
            "its lock selects another wheel for this target than the signed page offers",
            step="lock",
            thing=lock_url,
            expected=f"{wheel.filename} sha256 {wheel.sha256}",
            got=f"{own.filename} sha256 {own.sha256}",
            next_step=_ASK,
        )


def check_verdict(envelope: bytes, listed: Listed, inspected: KnownWheel, lock_sha256: str) -> Approval:
    """Enough of those who may approve this publisher's work approved exactly this, by a policy that is known.

    Raises:
        TrustError: step `envelope`, `verdict` or `approval`.
    """
    approval = check_approval(
        parse_envelope(envelope),
        control=listed.standing.publishers,
        publisher=listed.publisher,
        at=listed.release.published_at,
    )
    check_verdict_is_about(approval, listed, inspected, lock_sha256)
    check_policy_known(approval, listed)
    return approval


def check_verdict_is_about(approval: Approval, listed: Listed, inspected: KnownWheel, lock_sha256: str) -> None:
    """What was approved is this wheel, with these permissions, this closure, this report and this SBOM.

    Raises:
        TrustError: step `verdict`; the first difference.
    """
    verdict = approval.verdict
    asked = inspected.manifest.permissions if inspected.manifest else None
    sbom = listed.release.sbom
    pairs: tuple[tuple[str, object, object], ...] = (
        ("project", inspected.project, verdict.project),
        ("version", inspected.version, verdict.version),
        ("filename", inspected.filename, verdict.filename),
        ("wheel's digest", inspected.sha256, verdict.sha256),
        ("permissions", permissions_table(asked) if asked else None, verdict.permissions),
        ("lock's digest", lock_sha256, verdict.lock_sha256),
        ("report's digest", listed.release.audit.sha256, verdict.report_sha256),
        ("bill of materials' digest", sbom.sha256 if sbom else None, verdict.sbom_sha256),
    )
    for what, expected, got in pairs:
        if expected != got:
            raise TrustError(
                f"its verdict is about something else: another {what}",
                step="verdict",
                thing=inspected.filename,
                expected=str(expected)[:500],
                got=str(got)[:500],
                next_step=_ASK,
            )


def check_policy_known(approval: Approval, listed: Listed) -> None:
    """It was judged by a policy that is, or was, this registry's.

    Raises:
        TrustError: step `verdict`.
    """
    policy = listed.standing.policy
    if not policy.knows(approval.verdict.policy_sha256):
        raise TrustError(
            "its verdict was reached under a policy that this registry never had",
            step="verdict",
            thing=listed.wheel.filename,
            expected=f"{policy.sha256}, or one of {len(policy.earlier)} before it",
            got=approval.verdict.policy_sha256,
            next_step=_ASK,
        )


def beside(project: ProjectName, version: str, filename: str) -> Location:
    """Where a release's files lie; the page names files, never places."""
    return Location(f"files/{project}/{version}/{filename}")


def _control(word: Word, path: str, deadline: Deadline) -> bytes:
    data = word.read(path, deadline)
    if data is None:
        raise TrustError(
            "the registry's signed word is not complete",
            step="control",
            thing=path,
            expected="the file among its targets",
            got="nothing",
            next_step="ask the registry's maintainer to publish again",
        )
    return data


def _specifier(wheel: CatalogueWheel) -> SpecifierSet:
    try:
        return SpecifierSet(wheel.requires_python)
    except InvalidSpecifier as error:
        raise TrustError(
            f"requires_python: {wheel.requires_python!r} is no version specifier (PEP 440)",
            step="catalogue",
            thing=wheel.filename,
            next_step=_ASK,
        ) from error
