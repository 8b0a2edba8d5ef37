"""Approved submissions into the registry: one locked transaction, of which readers see the whole or nothing.

1. Lock the root; read its rules and its signed word, verified from the root down.
2. Check every submission anew, and that enough reviewers have approved it: by the function that clients use.
3. They are one whole release: one version, one lock, all wheels that the lock names of it.
4. Refuse whatever would change published bytes, name a version twice, or shadow a published wheel.
5. Write dependencies, then what lies beside the wheels, then the wheels.
6. Write the pages: dependencies', the plugin's, the root's. They have no authority.
7. Commit: the catalogue page under its hash, its bin, snapshot, and last the timestamp. From here on it is published.

Killed anywhere before the timestamp, clients see what they saw; the same call again finishes the work.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from assess_registry.catalogue import (
    AUDIT_NAME,
    METADATA_SUFFIX,
    SBOM_NAME,
    VERDICT_SUFFIX,
    Catalogue,
    CatalogueWheel,
    FileRef,
    Release,
    catalogue_path,
)
from assess_registry.errors import ConfigError, TrustError
from assess_registry.index.plan import PlannedFile, changed, require_distinct, require_immutable, wheel_files
from assess_registry.index.tree import Tree
from assess_registry.lock import LOCK_NAME, specifier_text
from assess_registry.names import ProjectName
from assess_registry.publish.listing import Listing
from assess_registry.publish.mark import require_open
from assess_registry.publish.transaction import ReleaseKeys, Transaction, transaction
from assess_registry.review.check import CheckedSubmission, check
from assess_registry.review.published import catalogue_of
from assess_registry.review.reviews import envelope_of, require_no_rejection, reviews_of
from assess_registry.review.rules import Rules
from assess_registry.review.submissions import load_submission
from assess_registry.review.submit import require_no_confusion, require_not_revoked
from assess_registry.signatures import SIGNATURE_SUFFIX
from assess_registry.verdict import Approval, check_approval
from assess_registry.wheel import inspect


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedRelease:
    """What is published now, and what that changed.

    Attributes:
        approvals: by whose approval, in the order of the wheels; empty where it was published before.
        closure: filenames of the locked dependencies.
        replaced: published files whose bytes are others now; in a development registry only.
        control: what changed of publishers, reviewers and keys.
        written: files changed, relative to the root, in order; empty when all of it was published already.
    """

    project: ProjectName
    version: str
    wheels: tuple[str, ...]
    publisher: str
    approvals: tuple[Approval, ...]
    closure: tuple[str, ...]
    published_at: datetime
    replaced: tuple[str, ...] = ()
    control: tuple[str, ...] = ()
    written: tuple[str, ...]


def publish_approved(
    root: Path,
    submissions: Sequence[Path],
    *,
    keys: ReleaseKeys,
    now: datetime,
    accept_registry_changes: bool = False,
    replace_published: bool = False,
) -> PublishedRelease:
    """The release is published, approved as every client will see; publishing it again changes nothing.

    Args:
        root: the registry's root.
        submissions: the directories of all wheels of one version.
        keys: that make it the registry's word.
        now: the release's time; publisher and reviewers are judged by it for ever.
        accept_registry_changes: what `registry.toml` says of people and keys is meant, also where it is new.
        replace_published: in a development registry, let new bytes take the place of published ones.

    Raises:
        TrustError: step `approval` when too few approved it; the steps of `review.check`; `publish` when other bytes
            are published under one of these names; `control` and `metadata`.
        PublishError: its version clashes with a published one.
        ConfigError: not a whole release, a key without a role, or no such registry.
        LockTimeoutError: another process is publishing.
    """
    with transaction(root, keys=keys, now=now, accept_registry_changes=accept_registry_changes) as work:  # 1
        if replace_published and not work.rules.config.development:
            raise ConfigError(
                f"{root}: published bytes are replaced in a development registry only; publish a new version"
            )
        checked = [check(load_submission(each), work.rules) for each in submissions]  # 2
        release = _WholeRelease.of(checked)  # 3
        catalogue = catalogue_of(work.repository, release.project)
        known = catalogue.release(release.version)
        if known and _is_same(known, release):
            return _again(work, release, catalogue, known)
        approved = tuple(_approved(each, work.rules) for each in checked)
        if known and not replace_published:
            raise _published_otherwise(known, release)
        return _publish(work, release, approved, catalogue, replace_published=replace_published)


@dataclass(frozen=True, kw_only=True, slots=True)
class _ApprovedSubmission:
    checked: CheckedSubmission
    approval: Approval
    verdict: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class _WholeRelease:
    """Checked submissions that are one release."""

    checked: tuple[CheckedSubmission, ...]

    @classmethod
    def of(cls, checked: Sequence[CheckedSubmission]) -> "_WholeRelease":
        if not checked:
            raise ConfigError("expected at least one submission")
        first = checked[0]
        for other in checked[1:]:
            if other.lock.data != first.lock.data or other.submission.report != first.submission.report:
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
        return self.checked[0]

    @property
    def project(self) -> ProjectName:
        return self.first.wheel.project

    @property
    def version(self) -> str:
        return self.first.wheel.version

    @property
    def dependencies(self) -> tuple[str, ...]:
        return tuple(each.filename for each in self.first.lock.wheels if each.project != self.project)


def _approved(checked: CheckedSubmission, rules: Rules) -> _ApprovedSubmission:
    """The submission with its verdict as it will be published.

    Raises:
        TrustError: step `approval`; too few of those who may have approved it, or one of them rejected it.
    """
    reviews = reviews_of(checked.submission, rules=rules, publisher=checked.publisher)
    require_no_rejection(checked.submission, reviews)
    envelope = envelope_of(checked.submission, reviews)
    approval = check_approval(envelope, control=rules.control, publisher=checked.publisher, at=rules.now)
    return _ApprovedSubmission(checked=checked, approval=approval, verdict=envelope.data())


def _publish(
    work: Transaction,
    release: _WholeRelease,
    approved: Sequence[_ApprovedSubmission],
    catalogue: Catalogue,
    *,
    replace_published: bool,
) -> PublishedRelease:
    tree, lock = work.tree, release.first.lock
    plan = tuple(_planned(release, approved))
    require_distinct(tree, lock.wheels)  # 4
    require_no_confusion(work.repository, lock, release.project)
    require_not_revoked(work.repository, lock)
    require_open(work.repository, lock, release.project)
    changes = changed(tree, plan)
    if not replace_published:
        # What only an approved release has, and no catalogue names yet, was left by a publish that was killed.
        require_immutable(tree, [each for each in changes if not _of_approval_alone(each)])
    page = catalogue.with_release(_release(release, approved, work.rules.now))
    projects = sorted({each.project for each in lock.wheels} - {release.project})
    listing = work.listing(page, projects=projects)
    work.require_meant()
    if replaced := [each for each in changes if not _of_approval_alone(each)]:
        _take_off_pages(tree, listing, replaced)
    for file in plan:  # 5
        tree.write(tree.file(file.project, file.version, file.filename), file.data)
    for project in (*projects, release.project):  # 6
        listing.write(project)
    listing.write_root((*projects, release.project))
    control = work.commit({catalogue_path(release.project): page.data()})  # 7
    return PublishedRelease(
        project=release.project,
        version=release.version,
        wheels=tuple(each.checked.wheel.filename for each in approved),
        publisher=release.first.publisher,
        approvals=tuple(each.approval for each in approved),
        closure=release.dependencies,
        published_at=work.rules.now,
        replaced=tuple(each.filename for each in changes if each.is_wheel),
        control=control,
        written=tuple(tree.written),
    )


def _again(work: Transaction, release: _WholeRelease, catalogue: Catalogue, known: Release) -> PublishedRelease:
    """It is published; what a killed page or a changed `registry.toml` still lacks is written."""
    listing = work.listing(catalogue)
    listing.write(release.project)
    control = work.commit({})
    return PublishedRelease(
        project=release.project,
        version=release.version,
        wheels=tuple(wheel.filename for wheel in known.wheels),
        publisher=known.wheels[0].publisher,
        approvals=(),
        closure=release.dependencies,
        published_at=known.published_at,
        control=control,
        written=tuple(work.tree.written),
    )


def _planned(release: _WholeRelease, approved: Sequence[_ApprovedSubmission]) -> Iterator[PlannedFile]:
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
    if first.submission.sbom is not None:
        yield beside(SBOM_NAME, first.submission.sbom)
    for each in approved:
        wheel, submission = each.checked.wheel, each.checked.submission
        name = wheel.filename
        yield beside(name + SIGNATURE_SUFFIX, submission.signature, name)
        yield beside(name + VERDICT_SUFFIX, each.verdict, name)
        yield from wheel_files(wheel.project, wheel.version, name, metadata=wheel.metadata, data=submission.data)


def _planner(project: ProjectName, version: str) -> Callable[..., PlannedFile]:
    def planned(filename: str, data: bytes, wheel: str = "") -> PlannedFile:
        return PlannedFile(project=project, version=version, filename=filename, wheel=wheel, data=data)

    return planned


def _of_approval_alone(file: PlannedFile) -> bool:
    return file.filename in (AUDIT_NAME, SBOM_NAME) or file.filename.endswith(VERDICT_SUFFIX)


def _release(release: _WholeRelease, approved: Sequence[_ApprovedSubmission], now: datetime) -> Release:
    submission = release.first.submission
    return Release(
        version=release.version,
        wheels=tuple(_catalogue_wheel(each) for each in approved),
        lock=FileRef.of(LOCK_NAME, submission.lock),
        lock_signature=FileRef.of(LOCK_NAME + SIGNATURE_SUFFIX, submission.lock_signature),
        sbom=FileRef.of(SBOM_NAME, submission.sbom) if submission.sbom is not None else None,
        audit=FileRef.of(AUDIT_NAME, submission.report),
        published_at=now,
    )


def _catalogue_wheel(each: _ApprovedSubmission) -> CatalogueWheel:
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


def _take_off_pages(tree: Tree, listing: Listing, changes: Sequence[PlannedFile]) -> None:
    """No page names a wheel of a version whose files are about to change."""
    versions = {(file.project, file.version) for file in changes}
    for project in sorted({project for project, _ in versions}):
        names = {name for other, version in versions if other == project for name in tree.wheels(project, version)}
        listing.write(project, without=names)


def _is_same(known: Release, release: _WholeRelease) -> bool:
    published = {(wheel.filename, wheel.sha256) for wheel in known.wheels}
    given = {(each.wheel.filename, each.wheel.sha256) for each in release.checked}
    return published == given and known.lock.sha256 == hashlib.sha256(release.first.lock.data).hexdigest()


def _published_otherwise(known: Release, release: _WholeRelease) -> TrustError:
    got = ", ".join(f"{each.wheel.filename} sha256 {each.wheel.sha256[:12]}…" for each in release.checked)
    return TrustError(
        "another release is published under this version",
        step="publish",
        thing=f"{release.project} {release.version}",
        expected=", ".join(f"{wheel.filename} sha256 {wheel.sha256[:12]}…" for wheel in known.wheels),
        got=got,
        next_step="published releases never change: raise the version; in a development registry, "
        "--replace-published-bytes replaces them",
    )
