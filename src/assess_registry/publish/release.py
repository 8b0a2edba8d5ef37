"""A whole release: submissions that belong together, the files they become, and their entry in the catalogue."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from assess_registry.catalogue import (
    ATTESTATION_NAME,
    AUDIT_NAME,
    METADATA_SUFFIX,
    SBOM_NAME,
    VERDICT_SUFFIX,
    CatalogueWheel,
    FileRef,
    Release,
)
from assess_registry.errors import ConfigError
from assess_registry.index.plan import PlannedFile, wheel_files
from assess_registry.lock import LOCK_NAME, specifier_text
from assess_registry.names import ProjectName
from assess_registry.review.check import CheckedSubmission
from assess_registry.signatures import SIGNATURE_SUFFIX
from assess_registry.verdict import Approval
from assess_registry.wheel import inspect


@dataclass(frozen=True, kw_only=True, slots=True)
class ApprovedSubmission:
    """A submission with its verdict as it will be published."""

    checked: CheckedSubmission
    approval: Approval
    verdict: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class WholeRelease:
    """Checked submissions that are one release: one version, one lock, one audit, all wheels that the lock names."""

    checked: tuple[CheckedSubmission, ...]

    @classmethod
    def of(cls, checked: Sequence[CheckedSubmission]) -> "WholeRelease":
        """The release of these submissions.

        Raises:
            ConfigError: they were not submitted together, or one is missing.
        """
        if not checked:
            raise ConfigError("expected at least one submission")
        first = checked[0]
        for other in checked[1:]:
            ours, theirs = first.submission, other.submission
            if (theirs.lock, theirs.attestation) != (ours.lock, ours.attestation):
                raise ConfigError(f"{other.wheel.filename}: was not submitted together with {first.wheel.filename}")
        locked = {each.filename for each in first.lock.wheels if each.project == first.wheel.project}
        given = {each.wheel.filename for each in checked}
        if missing := sorted(locked - given):
            raise ConfigError(
                f"{', '.join(missing)}: belongs to {first.wheel.project} {first.wheel.version} as well; "
                "a release is published whole: name all its submissions"
            )
        return cls(checked=tuple(sorted(checked, key=lambda each: each.wheel.filename)))

    @property
    def first(self) -> CheckedSubmission:
        """The first of them by filename, for all that they share."""
        return self.checked[0]

    @property
    def project(self) -> ProjectName:
        """Whose version it is."""
        return self.first.wheel.project

    @property
    def version(self) -> str:
        """Which version."""
        return self.first.wheel.version

    @property
    def dependencies(self) -> tuple[str, ...]:
        """Filenames of what the lock names besides."""
        return tuple(each.filename for each in self.first.lock.wheels if each.project != self.project)


def planned_files(release: WholeRelease, approved: Sequence[ApprovedSubmission]) -> Iterator[PlannedFile]:
    """Every file, in the order to write them in: a wheel after all that belongs to it."""
    first = release.first
    for entry in first.lock.wheels:
        if entry.project != release.project:
            data = first.dependencies[entry.filename]
            metadata = inspect(data, entry.filename, kind="dependency").metadata
            yield from wheel_files(entry.project, entry.version, entry.filename, metadata=metadata, data=data)
    beside = _planner(release.project, release.version)
    yield beside(LOCK_NAME, first.submission.lock)
    yield beside(LOCK_NAME + SIGNATURE_SUFFIX, first.submission.lock_signature)
    yield beside(AUDIT_NAME, first.submission.report)
    if first.submission.attestation is not None:
        yield beside(ATTESTATION_NAME, first.submission.attestation)
    if first.submission.sbom is not None:
        yield beside(SBOM_NAME, first.submission.sbom)
    for each in approved:
        wheel, submission = each.checked.wheel, each.checked.submission
        name = wheel.filename
        yield beside(name + SIGNATURE_SUFFIX, submission.signature, name)
        yield beside(name + VERDICT_SUFFIX, each.verdict, name)
        yield from wheel_files(wheel.project, wheel.version, name, metadata=wheel.metadata, data=submission.data)


def of_approval_alone(file: PlannedFile) -> bool:
    """Whether only an approved release has such a file."""
    return file.filename in (AUDIT_NAME, SBOM_NAME, ATTESTATION_NAME) or file.filename.endswith(VERDICT_SUFFIX)


def catalogue_entry(release: WholeRelease, approved: Sequence[ApprovedSubmission], now: datetime) -> Release:
    """What the signed page says of the release."""
    submission = release.first.submission
    return Release(
        version=release.version,
        wheels=tuple(_catalogue_wheel(each) for each in approved),
        lock=FileRef.of(LOCK_NAME, submission.lock),
        lock_signature=FileRef.of(LOCK_NAME + SIGNATURE_SUFFIX, submission.lock_signature),
        sbom=FileRef.of(SBOM_NAME, submission.sbom) if submission.sbom is not None else None,
        audit=FileRef.of(AUDIT_NAME, submission.report),
        attestation=(
            FileRef.of(ATTESTATION_NAME, submission.attestation) if submission.attestation is not None else None
        ),
        published_at=now,
    )


def _catalogue_wheel(each: ApprovedSubmission) -> CatalogueWheel:
    wheel, submission = each.checked.wheel, each.checked.submission
    return CatalogueWheel(
        filename=wheel.filename,
        size=wheel.size,
        sha256=wheel.sha256,
        signature=FileRef.of(wheel.filename + SIGNATURE_SUFFIX, submission.signature),
        metadata=FileRef.of(wheel.filename + METADATA_SUFFIX, wheel.metadata),
        verdict=FileRef.of(wheel.filename + VERDICT_SUFFIX, each.verdict),
        requires_python=specifier_text(wheel.requires_python),
        publisher=each.checked.publisher,
        signer=each.checked.signer,
    )


def is_same(known: Release, release: WholeRelease) -> bool:
    """Whether the published release is this one."""
    published = {(wheel.filename, wheel.sha256) for wheel in known.wheels}
    given = {(each.wheel.filename, each.wheel.sha256) for each in release.checked}
    return published == given and known.lock.sha256 == hashlib.sha256(release.first.lock.data).hexdigest()


def _planner(project: ProjectName, version: str) -> Callable[..., PlannedFile]:
    def planned(filename: str, data: bytes, wheel: str = "") -> PlannedFile:
        return PlannedFile(project=project, version=version, filename=filename, wheel=wheel, data=data)

    return planned
