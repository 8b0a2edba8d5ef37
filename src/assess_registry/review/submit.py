"""A plugin's wheels, signed by their publisher, on their way to reviewers.

1. The key is a publisher's, valid now, and the project is theirs.
2. Inspect every wheel strictly; they are one version and require the same.
3. Lock their closure; the wheels it names are kept with the submission, and are what will be published.
4. Refuse what could not be published anyhow, before anybody spends time on it.
5. Audit each wheel with exactly these dependencies.
6. State what was audited. Where the audit rejects, there is nothing to state, and nothing to approve.
7. Where policy approves this publisher's wheels, the audit found nothing to look at and no permission grew, the audit
   key signs the statement. What is flagged waits for people, whatever the policy says.

The wheels of a version are submitted together: they share a lock, and a lock that reviewers approved does not grow.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from assess_plugin.permissions import Permissions
from assess_registry.audit.advisories import DATABASE_NAME, AdvisoryDatabase
from assess_registry.audit.pipeline import Terms, audit, idle_acceptances
from assess_registry.audit.policy import overlong_acceptances
from assess_registry.audit.values import Report
from assess_registry.audit.values import Verdict as Word
from assess_registry.closure import locked, make_closure
from assess_registry.config import CONFIG_NAME, IndexConfig
from assess_registry.errors import ConfigError, PublishError, RegistryError, TrustError
from assess_registry.files import file_lock, read_bounded
from assess_registry.index.create import INDEX_LOCK_NAME, LOCK_TIMEOUT_S
from assess_registry.index.folder import WheelFolder
from assess_registry.index.plan import require_distinct
from assess_registry.index.tree import Tree
from assess_registry.keys import PrivateKey
from assess_registry.lock import Lock, parse_lock, write_lock
from assess_registry.names import ProjectName, Sha256
from assess_registry.repository import Repository
from assess_registry.review.permissions import PermissionChange, change_of
from assess_registry.review.published import catalogue_of, last_approved, repository_of, signed_revocations
from assess_registry.review.reports import reports_document
from assess_registry.review.reviews import write_approval
from assess_registry.review.rules import rules_of
from assess_registry.review.submissions import (
    MAX_STATEMENT_BYTES,
    SBOM_NAME,
    STATEMENT_NAME,
    Submission,
    submissions_directory,
    write_submission,
)
from assess_registry.signatures import sign_detached
from assess_registry.verdict import Verdict, parse_verdict, permissions_table
from assess_registry.wheel import MAX_WHEEL_BYTES, InspectedWheel, inspect


class Judge(Protocol):
    """`audit.pipeline.audit`, or a double of it."""

    def __call__(
        self, data: bytes, filename: str, *, closure: Mapping[str, bytes], terms: Terms, evidence: bytes | None
    ) -> Report:
        """The report on a plugin's wheel."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Submitted:
    """One wheel that was submitted.

    Attributes:
        publisher: whose it is.
        report: what the audit said of it.
        change: what it may do that the version approved before it may not.
        automatic: whether policy approved it, so that no reviewer has to.
    """

    submission: Submission
    publisher: str
    report: Report
    change: PermissionChange
    automatic: bool


def submit(
    root: Path,
    wheels: Sequence[Path],
    *,
    key: PrivateKey,
    closure: Path,
    now: datetime,
    audit_key: PrivateKey | None = None,
    evidence: bytes | None = None,
    judge: Judge = audit,
) -> tuple[Submitted, ...]:
    """Every wheel is a submission, audited, as far as the audit lets it be one. Submitting again audits again.

    Args:
        root: the registry's root.
        wheels: all wheels of one version.
        key: the publisher's.
        closure: a directory with the wheels they depend on.
        now: when this happens.
        audit_key: signs what policy approves; without it, reviewers have to.
        evidence: what `tox --result-json` wrote about the wheels.
        judge: audits a wheel.

    Raises:
        TrustError: step `publisher`: the key is nobody's, or not good for this project now. Step `publish`: other bytes
            are published under a name.
        WheelError: a wheel is not acceptable.
        PublishError: the closure cannot be resolved, or the version clashes with a published one.
        ConfigError: a path is wrong, or the wheels do not belong together.
    """
    rules = rules_of(root, now)
    config = rules.config
    files = {path.name: _read(path) for path in wheels}
    inspected = tuple(inspect(data, name, kind="plugin") for name, data in files.items())  # 2
    first = _require_one_version(inspected)
    publisher = rules.control.publisher_of(key.public.id, first.project, now)  # 1
    lock, dependencies = _lock(inspected, WheelFolder(closure))  # 3
    tree = Tree(root)
    require_distinct(tree, lock.wheels)  # 4
    repository = repository_of(root)
    require_no_confusion(repository, lock, first.project)
    require_not_revoked(repository, lock)
    require_usable(config, now)
    terms = terms_of(root, config, now)
    since, before = last_approved(root, first.project, first.version)
    reports = {
        wheel.filename: judge(
            files[wheel.filename], wheel.filename, closure=dependencies, terms=terms, evidence=evidence
        )
        for wheel in inspected
    }  # 5
    document, sbom = reports_document(reports.values()), _sbom(reports[min(reports)])
    whole = all(report.verdict is not Word.REJECTED for report in reports.values())
    submitted = []
    for wheel in inspected:
        report = reports[wheel.filename]
        change = change_of(before, asked_by(wheel), since=since)
        # 7
        automatic = audit_key is not None and approves_itself(config, publisher, report, change)
        verdict = Verdict(  # 6
            project=wheel.project,
            version=wheel.version,
            filename=wheel.filename,
            sha256=wheel.sha256,
            lock_sha256=lock.sha256,
            report_sha256=Sha256(hashlib.sha256(document).hexdigest()),
            sbom_sha256=None if sbom is None else Sha256(hashlib.sha256(sbom).hexdigest()),
            permissions=permissions_table(asked_by(wheel)),
            since=change.since,
            growth=permissions_table(change.added),
            policy_sha256=config.policy.digest(),
            result="approved" if report.verdict is Word.APPROVED else "flagged",
            approved_by="policy" if automatic else "reviewers",
            verified_at=now,
        )
        directory = submissions_directory(root) / wheel.sha256
        # The statement is compared with what lies there: of two that submit at once, the second keeps the first one's.
        with file_lock(root / INDEX_LOCK_NAME, timeout_s=LOCK_TIMEOUT_S):
            submission = Submission(
                directory=directory,
                sha256=wheel.sha256,
                filename=wheel.filename,
                data=files[wheel.filename],
                signature=sign_detached(files[wheel.filename], key),
                lock=lock.data,
                lock_signature=sign_detached(lock.data, key),
                report=document,
                sbom=sbom,
                statement=_statement(verdict, directory) if whole else None,
            )
            write_submission(tree, submission, dependencies)
            if audit_key is not None and automatic and whole:
                write_approval(tree, submission, audit_key)
        submitted.append(
            Submitted(submission=submission, publisher=publisher, report=report, change=change, automatic=automatic)
        )
    return tuple(submitted)


def approves_itself(config: IndexConfig, publisher: str, report: Report, change: PermissionChange) -> bool:
    """Whether policy approves such a wheel in the reviewers' place: never permissions that no reviewer has seen."""
    return report.verdict is Word.APPROVED and publisher in config.policy.automatic_approval and not change.more


def asked_by(wheel: InspectedWheel) -> Permissions:
    """The permissions in a plugin's manifest."""
    return wheel.manifest.permissions if wheel.manifest else Permissions()


def terms_of(root: Path, config: IndexConfig, now: datetime) -> Terms:
    """What an audit for this registry judges by, today."""
    database = root / DATABASE_NAME
    advisories = AdvisoryDatabase.load(database) if database.exists() else None
    return Terms(
        policy=config.policy,
        publishers=config.publishers,
        targets=config.targets,
        published=frozenset(Tree(root).projects()),
        advisories=advisories,
        advisories_problem="" if advisories else "no advisories were imported into the index",
        as_of=now.date(),
    )


def require_usable(config: IndexConfig, now: datetime) -> None:
    """The policy accepts nothing that cannot be accepted.

    Raises:
        ConfigError: it does; all of them.
    """
    if problems := (*idle_acceptances(config.policy), *overlong_acceptances(config.policy, as_of=now.date())):
        raise ConfigError(*(f"{CONFIG_NAME}: {problem}" for problem in problems))


def require_no_confusion(repository: Repository | None, lock: Lock, plugin: ProjectName) -> None:
    """No closure brings a wheel in under the name of somebody's plugin, unless that very wheel is published.

    Pages name what lies in `files/`; a dependency called like a plugin would be its next version to every installer.

    Raises:
        PublishError: it would.
    """
    for project in sorted({each.project for each in lock.wheels} - {plugin}):
        releases = catalogue_of(repository, project).releases
        known = {wheel.sha256 for release in releases for wheel in release.wheels}
        strange = [each for each in lock.wheels if each.project == project and releases and each.sha256 not in known]
        if strange:
            raise PublishError(
                f"{strange[0].filename}: {project} is a plugin of this registry, and this wheel is no release of it; "
                "take the published one into the closure"
            )


def require_not_revoked(repository: Repository | None, lock: Lock) -> None:
    """Nothing in the lock is revoked, neither the plugin nor what it runs with.

    Raises:
        TrustError: step `revoked`; something is, and every client would refuse the release.
    """
    revocations = signed_revocations(repository)
    for wheel in lock.wheels:
        revoked = revocations.of(wheel.sha256)
        if revoked is not None:
            raise TrustError(
                f"it is revoked: {revoked.reason}",
                step="revoked",
                thing=wheel.filename,
                expected="a closure of wheels that everybody may have",
                got=f"sha256 {wheel.sha256}, revoked at {revoked.at:%Y-%m-%d}, severity {revoked.severity}",
                next_step="take another version of it",
            )


def _read(path: Path) -> bytes:
    try:
        return read_bounded(path, MAX_WHEEL_BYTES)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def _require_one_version(wheels: Sequence[InspectedWheel]) -> InspectedWheel:
    first = wheels[0]
    for other in wheels[1:]:
        if (other.project, other.version) != (first.project, first.version):
            raise ConfigError(f"{other.filename}: not a wheel of {first.project} {first.version}; submit it by itself")
        if set(other.requires_dist) != set(first.requires_dist) or other.requires_python != first.requires_python:
            message = f"requires other things than {first.filename}; wheels of a version share a lock"
            raise PublishError(f"{other.filename}: {message}")
    return first


def _lock(wheels: Sequence[InspectedWheel], folder: Mapping[str, bytes]) -> tuple[Lock, dict[str, bytes]]:
    """The lock of all the wheels, and the bytes of the dependencies it names."""
    lock = make_closure(wheels[0], folder)
    if len(wheels) > 1:
        entries = [*lock.wheels, *(locked(wheel) for wheel in wheels[1:])]
        lock = parse_lock(write_lock(entries, requires_python=lock.requires_python, environments=lock.environments))
    dependencies = {}
    for entry in lock.wheels:
        if entry.project == wheels[0].project:
            continue
        data = folder[entry.filename]
        got = Sha256(hashlib.sha256(data).hexdigest())
        if got != entry.sha256:
            raise TrustError(
                "it changed while it was being locked",
                step="publish",
                thing=entry.filename,
                expected=f"sha256 {entry.sha256}",
                got=f"sha256 {got}",
                next_step="find out who changes the wheels of the closure, and submit again",
            )
        dependencies[entry.filename] = data
    return lock, dependencies


def _statement(verdict: Verdict, directory: Path) -> bytes:
    """The verdict's statement; the one that lies there already where it differs in nothing but its time.

    An audit that says the same again must not make reviewers sign again.
    """
    try:
        old = parse_verdict(read_bounded(directory / STATEMENT_NAME, MAX_STATEMENT_BYTES))
    except (OSError, RegistryError):
        return verdict.statement()
    return replace(verdict, verified_at=old.verified_at).statement() if _same(old, verdict) else verdict.statement()


def _same(one: Verdict, other: Verdict) -> bool:
    return replace(one, verified_at=other.verified_at) == other


def _sbom(report: Report) -> bytes | None:
    for examination in report.examinations:
        if SBOM_NAME in examination.attachments:
            return examination.attachments[SBOM_NAME]
    return None
