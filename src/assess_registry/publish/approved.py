"""Approved submissions into the registry: one locked transaction, of which readers see the whole or nothing.

1. Lock the root; read its rules and its signed word, verified from the root down.
2. Check every submission anew, and that enough reviewers have approved it: by the function that clients use. What of
   its permissions is new is looked at anew, too, and has to be among what was new to those who approved.
3. They are one whole release: one version, one lock, all wheels that the lock names of it.
4. Refuse whatever would change published bytes, name a version twice, or shadow a published wheel.
5. Write dependencies, then what lies beside the wheels, then the wheels.
6. Write the pages: dependencies', the plugin's, the root's. They have no authority.
7. Commit: the catalogue page under its hash, its bin, snapshot, and last the timestamp. From here on it is published.

Killed anywhere before the timestamp, clients see what they saw; the same call again finishes the work.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from assess_registry.catalogue import Catalogue, Release, Revoked, catalogue_path
from assess_registry.errors import ConfigError, TrustError
from assess_registry.index.plan import changed, require_distinct, require_immutable
from assess_registry.manifest import Permissions
from assess_registry.names import ProjectName
from assess_registry.publish.mark import require_open
from assess_registry.publish.release import (
    ApprovedSubmission,
    WholeRelease,
    catalogue_entry,
    is_same,
    of_approval_alone,
    planned_files,
)
from assess_registry.publish.replaced import stale_locks, take_off_pages
from assess_registry.publish.transaction import ReleaseKeys, Transaction, transaction
from assess_registry.review.admission import require_no_confusion, require_not_revoked
from assess_registry.review.check import CheckedSubmission, check
from assess_registry.review.permissions import change_of, require_covered
from assess_registry.review.published import catalogue_of, last_approved
from assess_registry.review.reviews import envelope_of, require_no_rejection, reviews_of
from assess_registry.review.submissions import load_submission
from assess_registry.verdict import Approval, check_approval


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedRelease:
    """What is published now, and what that changed.

    Attributes:
        approvals: by whose approval, in the order of the wheels; empty where it was published before.
        closure: filenames of the locked dependencies.
        replaced: published files whose bytes are others now; in a development registry only.
        stale: locks of other plugins, relative to the root, that name replaced bytes: those plugins are refused by
            every client until they are published again.
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
    stale: tuple[str, ...] = ()
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
            are published under one of these names; `revoked`, `control` and `metadata`.
        PublishError: its version clashes with a published one.
        ConfigError: not a whole release, a key without a role, or no such registry.
        LockTimeoutError: another process is publishing.
    """
    with transaction(root, keys=keys, now=now, accept_registry_changes=accept_registry_changes) as work:  # 1
        if replace_published and not work.rules.config.development:
            raise ConfigError(
                f"{root}: published bytes are replaced in a development registry only; publish a new version"
            )
        work.require_meant()
        # What is not signed yet was meant just now, and is signed with the release: its audit keys count as well.
        rules = replace(work.rules, audit_keys=work.rules.control.audit_keys)
        checked = [check(load_submission(each), rules) for each in submissions]  # 2
        release = WholeRelease.of(checked)  # 3
        catalogue = catalogue_of(work.repository, release.project)
        known = catalogue.release(release.version)
        if known and known.revoked:
            raise _revoked_already(release, known.revoked)
        if known and is_same(known, release):
            return _again(work, release, catalogue, known)
        approved = tuple(_approved(each, work) for each in checked)
        if known and not replace_published:
            raise _published_otherwise(known, release)
        return _publish(work, release, approved, catalogue, replace_published=replace_published)


def _approved(checked: CheckedSubmission, work: Transaction) -> ApprovedSubmission:
    """The submission with its verdict as it will be published.

    Raises:
        TrustError: step `approval`; too few of those who may have approved it, or one of them rejected it. Step
            `permissions`; more of them are new by now than those who approved were shown.
    """
    rules, wheel = work.rules, checked.wheel
    reviews = reviews_of(checked.submission, rules=rules, publisher=checked.publisher)
    require_no_rejection(checked.submission, reviews)
    envelope = envelope_of(checked.submission, reviews)
    approval = check_approval(envelope, control=rules.control, publisher=checked.publisher, at=rules.now)
    since, before = last_approved(work.tree, work.repository, wheel.project, wheel.version)
    asked = wheel.manifest.permissions if wheel.manifest else Permissions()
    require_covered(checked.verdict, change_of(before, asked, since=since))
    return ApprovedSubmission(checked=checked, approval=approval, verdict=envelope.data())


def _publish(
    work: Transaction,
    release: WholeRelease,
    approved: Sequence[ApprovedSubmission],
    catalogue: Catalogue,
    *,
    replace_published: bool,
) -> PublishedRelease:
    tree, lock = work.tree, release.first.lock
    plan = tuple(planned_files(release, approved))
    require_distinct(tree, lock.wheels)  # 4
    require_no_confusion(work.repository, lock, release.project)
    require_not_revoked(work.repository, lock)
    work.require_time(catalogue)
    changes = changed(tree, plan)
    if not replace_published:
        # What only an approved release has, and no catalogue names yet, was left by a publish that was killed.
        require_immutable(tree, [each for each in changes if not of_approval_alone(each)])
    page = catalogue.with_release(catalogue_entry(release, approved, work.rules.now))
    projects = sorted({each.project for each in lock.wheels} - {release.project})
    listing = work.listing(page, projects=projects)
    require_open(listing.catalogues, lock, release.project)
    if others := [each for each in changes if not of_approval_alone(each)]:
        take_off_pages(tree, listing, others)
    for file in plan:  # 5
        tree.write(tree.file(file.project, file.version, file.filename), file.data)
    for project in (*projects, release.project):  # 6
        listing.write(project)
    listing.write_root((*projects, release.project))
    control = work.commit({catalogue_path(release.project): page.data()})  # 7
    replaced = tuple(each.filename for each in changes if each.is_wheel)
    return PublishedRelease(
        project=release.project,
        version=release.version,
        wheels=tuple(each.checked.wheel.filename for each in approved),
        publisher=release.first.publisher,
        approvals=tuple(each.approval for each in approved),
        closure=release.dependencies,
        published_at=work.rules.now,
        replaced=replaced,
        stale=tuple(stale_locks(tree, replaced)) if replaced else (),
        control=control,
        written=tuple(tree.written),
    )


def _again(work: Transaction, release: WholeRelease, catalogue: Catalogue, known: Release) -> PublishedRelease:
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


def _revoked_already(release: WholeRelease, revoked: Revoked) -> TrustError:
    return TrustError(
        f"it was published and is revoked: {revoked.reason}",
        step="revoked",
        thing=f"{release.project} {release.version}",
        expected="a version that was never revoked",
        got=f"revoked at {revoked.at:%Y-%m-%dT%H:%M:%SZ}, severity {revoked.severity}",
        next_step="a revocation is for ever: correct the plugin, raise the version and submit that",
    )


def _published_otherwise(known: Release, release: WholeRelease) -> TrustError:
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
