"""Whether a submission still is what its statement says; done anew by everybody who approves or publishes it.

A submission lies on a disk that others may write to. So nothing is taken from it but what fits together: the wheel by
its digest, the publisher by a signature, the report, the lock and the statement by the audit's signature and by what
the statement says of them, the dependencies by the lock. What changed around it since - the policy, the age of the
audit - makes it stale.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from assess_registry.catalogue import SBOM_NAME
from assess_registry.errors import ConfigError, TrustError, WheelError
from assess_registry.keys import KeyId
from assess_registry.lock import Lock, parse_lock
from assess_registry.review.audited import require_audited
from assess_registry.review.reports import verdict_and_day
from assess_registry.review.rules import Rules
from assess_registry.review.submissions import REPORT_NAME, Submission
from assess_registry.signatures import verify_detached
from assess_registry.verdict import Verdict, parse_verdict, permissions_table
from assess_registry.verdict.attestation import Attestation
from assess_registry.wheel import InspectedWheel, inspect

_CORRECT = f"read {REPORT_NAME}; its publisher has to correct it and submit another version"
_AGAIN = "submit the wheel again, which audits it again; reviewers then look at what changed"


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedSubmission:
    """A submission whose parts fit together, and whose publisher may publish it now."""

    submission: Submission
    wheel: InspectedWheel
    verdict: Verdict
    attestation: Attestation
    lock: Lock
    publisher: str
    signer: KeyId
    dependencies: Mapping[str, bytes]


def check(submission: Submission, rules: Rules) -> CheckedSubmission:
    """The submission, proven consistent and current; approved or not.

    Raises:
        ConfigError: the registry names no audit key.
        TrustError: step `publisher` or `signature` when whoever signed it may not publish it; `attestation` when the
            audit did not sign what lies there; `review` when the audit rejected it; `statement` when a part is not the
            one that the statement names; `stale` when it needs another audit.
    """
    thing = submission.filename
    wheel = _inspect(submission)
    lock = parse_lock(submission.lock)
    signer, publisher = _publisher(submission, wheel, rules)
    attestation = require_audited(submission, wheel, rules)
    if submission.statement is None:
        raise _refused("review", thing, "the audit rejected it", expected="a statement", got="none", next_step=_CORRECT)
    verdict = parse_verdict(submission.statement)
    asked = permissions_table(wheel.manifest.permissions) if wheel.manifest else {}
    for name, said, found in (
        ("project", verdict.project, wheel.project),
        ("version", verdict.version, wheel.version),
        ("filename", verdict.filename, wheel.filename),
        ("sha256", verdict.sha256, wheel.sha256),
        ("lock", verdict.lock_sha256, lock.sha256),
        (REPORT_NAME, verdict.report_sha256, hashlib.sha256(submission.report).hexdigest()),
        (SBOM_NAME, verdict.sbom_sha256, submission.sbom_sha256),
        ("permissions", dict(verdict.permissions), asked),
        ("policy", verdict.policy_sha256, attestation.policy_sha256),
    ):
        if said != found:
            message = f"its {name} is not the one that was audited"
            raise _refused("statement", thing, message, expected=str(said), got=str(found))
    _require_current(submission, verdict, rules)
    return CheckedSubmission(
        submission=submission,
        wheel=wheel,
        verdict=verdict,
        attestation=attestation,
        lock=lock,
        publisher=publisher,
        signer=signer,
        dependencies=_whole_dependencies(submission, wheel, lock),
    )


def _inspect(submission: Submission) -> InspectedWheel:
    try:
        return inspect(submission.data, submission.filename, kind="plugin")
    except WheelError as error:
        raise TrustError(
            "it is not acceptable as a plugin",
            step="inspect",
            thing=submission.filename,
            next_step="its publisher has to correct it and submit another version",
            issues=error.issues,
        ) from error


def _publisher(submission: Submission, wheel: InspectedWheel, rules: Rules) -> tuple[KeyId, str]:
    trusted = rules.publishers_keys()
    signer = verify_detached(submission.data, submission.signature, trusted, thing=submission.filename)
    lock_signer = verify_detached(submission.lock, submission.lock_signature, trusted, thing="pylock.toml")
    if signer != lock_signer:
        message = "the wheel and its lock were signed by different keys"
        raise _refused("signature", submission.filename, message, expected=signer, got=lock_signer)
    return signer, rules.publisher_of(signer, wheel.project)


def _require_current(submission: Submission, verdict: Verdict, rules: Rules) -> None:
    thing = submission.filename
    current = rules.config.policy.digest()
    if verdict.policy_sha256 != current:
        message = "the policy changed since it was audited"
        raise _refused("stale", thing, message, expected=f"sha256 {current}", got=f"sha256 {verdict.policy_sha256}")
    word, day = _said(submission)
    if word != verdict.result:
        raise _refused("statement", thing, "its report says something else", expected=verdict.result, got=word)
    age, most = (rules.now.date() - day).days, rules.config.policy.advisories_max_age_days
    if age > most:
        message = "the audit is too old: advisories may have come since"
        raise _refused("stale", thing, message, expected=f"at most {most} days", got=f"{age} days")


def _said(submission: Submission) -> tuple[str, date]:
    """Verdict and day of the report about this wheel."""
    try:
        return verdict_and_day(submission.report, submission.sha256)
    except ValueError as error:
        message = "the report cannot be read"
        raise _refused("statement", submission.filename, message, expected="an audit report", got=str(error)) from error


def _whole_dependencies(submission: Submission, wheel: InspectedWheel, lock: Lock) -> dict[str, bytes]:
    try:
        return _dependencies(submission, wheel, lock)
    except (OSError, ConfigError) as error:
        message = "the wheels of its closure cannot be read"
        expected = "the locked wheels"
        raise _refused("statement", submission.filename, message, expected=expected, got=str(error)) from error


def _dependencies(submission: Submission, wheel: InspectedWheel, lock: Lock) -> dict[str, bytes]:
    folder = submission.closure
    found = {}
    for entry in lock.wheels:
        if entry.project == wheel.project:
            continue
        data = folder.get(entry.filename, b"")
        got = hashlib.sha256(data).hexdigest()
        if got != entry.sha256:
            message = "it is not the wheel that was locked"
            raise _refused("statement", entry.filename, message, expected=f"sha256 {entry.sha256}", got=f"sha256 {got}")
        found[entry.filename] = data
    for extra in sorted(set(folder) - set(found)):
        message = "it lies among the wheels of the closure, and the lock does not name it"
        raise _refused("statement", extra, message, expected="the locked wheels and no other", got=extra)
    return found


def _refused(step: str, thing: str, message: str, *, expected: str, got: str, next_step: str = _AGAIN) -> TrustError:
    return TrustError(message, step=step, thing=thing, expected=expected, got=got, next_step=next_step)
