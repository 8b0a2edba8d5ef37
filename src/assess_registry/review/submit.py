"""A plugin's wheels, signed by their publisher, on their way to reviewers.

1. The key is a publisher's, valid now, and the project is theirs.
2. Inspect every wheel strictly; they are one version and require the same.
3. Lock their closure; the wheels it names are kept with the submission, and are what will be published.
4. Refuse what could not be published anyhow, before anybody spends time on it.
5. Audit each wheel with exactly these dependencies.
6. State what was audited, and sign with the audit's key that this is what it was. Where the audit rejects, there is
   nothing to state and nothing to approve; that it does is signed as well.
7. Where policy approves this publisher's wheels, the audit found nothing to look at and no permission grew, the audit
   key signs the statement. What is flagged waits for people, whatever the policy says.

The wheels of a version are submitted together: they share a lock, and a lock that reviewers approved does not grow.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from assess_plugin.permissions import Permissions
from assess_registry.audit.advisories import DATABASE_NAME, AdvisoryDatabase
from assess_registry.audit.pipeline import Terms, audit
from assess_registry.audit.values import Report
from assess_registry.audit.values import Verdict as Word
from assess_registry.catalogue import SBOM_NAME
from assess_registry.config import IndexConfig
from assess_registry.errors import ConfigError
from assess_registry.files import file_lock, read_bounded
from assess_registry.index.create import INDEX_LOCK_NAME, LOCK_TIMEOUT_S
from assess_registry.index.folder import WheelFolder
from assess_registry.index.plan import require_distinct
from assess_registry.index.tree import Tree
from assess_registry.keys import PrivateKey
from assess_registry.names import Sha256
from assess_registry.review.admission import require_no_confusion, require_not_revoked, require_usable
from assess_registry.review.attest import Audited, attest
from assess_registry.review.audited import require_audit_key
from assess_registry.review.locking import lock_release, require_one_version
from assess_registry.review.permissions import PermissionChange, change_of
from assess_registry.review.published import last_approved, repository_of
from assess_registry.review.reports import reports_document
from assess_registry.review.rules import rules_of
from assess_registry.review.speak import write_approval
from assess_registry.review.submissions import (
    Submission,
    submissions_directory,
    write_submission,
)
from assess_registry.signatures import sign_detached
from assess_registry.verdict import Verdict, permissions_table
from assess_registry.verdict.attestation import Found
from assess_registry.wheel import MAX_WHEEL_BYTES, InspectedWheel, inspect

_FOUND: Mapping[Word, Found] = {
    Word.APPROVED: "approved",
    Word.FLAGGED: "flagged",
    Word.REJECTED: "rejected",
}


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
    audit_key: PrivateKey,
    closure: Path,
    now: datetime,
    evidence: bytes | None = None,
    judge: Judge = audit,
) -> tuple[Submitted, ...]:
    """Every wheel is a submission, audited, as far as the audit lets it be one. Submitting again audits again.

    Args:
        root: the registry's root.
        wheels: all wheels of one version.
        key: the publisher's.
        audit_key: signs what the audit says, and what policy approves.
        closure: a directory with the wheels they depend on.
        now: when this happens.
        evidence: what `tox --result-json` wrote about the wheels.
        judge: audits a wheel.

    Raises:
        TrustError: step `publisher`: the key is nobody's, or not good for this project now. Step `publish`: other bytes
            are published under a name. Step `attestation`: nobody would believe the audit key.
        WheelError: a wheel is not acceptable.
        PublishError: the closure cannot be resolved, or the version clashes with a published one.
        ConfigError: a path is wrong, the wheels do not belong together, or the registry names no audit key.
    """
    rules = rules_of(root, now)
    config = rules.config
    require_audit_key(rules, audit_key.public)
    files = {path.name: _read(path) for path in wheels}
    inspected = tuple(inspect(data, name, kind="plugin") for name, data in files.items())  # 2
    first = require_one_version(inspected)
    publisher = rules.publisher_of(key.public.id, first.project)  # 1
    lock, dependencies = lock_release(inspected, WheelFolder(closure), config.targets)  # 3
    tree, repository = Tree(root), repository_of(root)
    require_distinct(tree, lock.wheels)  # 4
    require_no_confusion(repository, lock, first.project)
    require_not_revoked(repository, lock)
    require_usable(config, now)
    terms = terms_of(root, config, now)
    since, before = last_approved(tree, repository, first.project, first.version)
    changes = {wheel.filename: change_of(before, asked_by(wheel), since=since) for wheel in inspected}
    reports = {
        name: judge(data, name, closure=dependencies, terms=terms, evidence=evidence) for name, data in files.items()
    }  # 5
    document, sbom = reports_document(reports.values()), _sbom(reports[min(reports)])
    automatic = {
        name: approves_itself(config, publisher, report, changes[name]) for name, report in reports.items()
    }  # 7
    audited = [
        Audited(
            found=_FOUND[reports[wheel.filename].verdict],
            verdict=Verdict(  # 6
                project=wheel.project,
                version=wheel.version,
                filename=wheel.filename,
                sha256=wheel.sha256,
                lock_sha256=lock.sha256,
                report_sha256=_digest(document),
                sbom_sha256=None if sbom is None else _digest(sbom),
                permissions=permissions_table(asked_by(wheel)),
                since=changes[wheel.filename].since,
                growth=permissions_table(changes[wheel.filename].added),
                policy_sha256=config.policy.digest(),
                result="approved" if reports[wheel.filename].verdict is Word.APPROVED else "flagged",
                approved_by="policy" if automatic[wheel.filename] else "reviewers",
                verified_at=now,
            ),
        )
        for wheel in inspected
    ]
    place = submissions_directory(root)
    submitted = []
    # What is attested is compared with what lies there: of two that submit at once, the second keeps the first one's.
    with file_lock(root / INDEX_LOCK_NAME, timeout_s=LOCK_TIMEOUT_S):
        attested = attest(audited, before=place / first.sha256, key=audit_key, rules=rules)
        for wheel, statement in zip(inspected, attested.statements, strict=True):
            name = wheel.filename
            submission = Submission(
                directory=place / wheel.sha256,
                sha256=wheel.sha256,
                filename=name,
                data=files[name],
                signature=sign_detached(files[name], key),
                lock=lock.data,
                lock_signature=sign_detached(lock.data, key),
                report=document,
                sbom=sbom,
                attestation=attested.attestation,
                statement=statement,
            )
            write_submission(tree, submission, dependencies)
            if automatic[name] and statement is not None:
                write_approval(tree, submission, audit_key)
            submitted.append(
                Submitted(
                    submission=submission,
                    publisher=publisher,
                    report=reports[name],
                    change=changes[name],
                    automatic=automatic[name],
                )
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


def _read(path: Path) -> bytes:
    try:
        return read_bounded(path, MAX_WHEEL_BYTES)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def _digest(data: bytes) -> Sha256:
    return Sha256(hashlib.sha256(data).hexdigest())


def _sbom(report: Report) -> bytes | None:
    for examination in report.examinations:
        if SBOM_NAME in examination.attachments:
            return examination.attachments[SBOM_NAME]
    return None
