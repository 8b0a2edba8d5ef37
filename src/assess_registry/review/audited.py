"""Whether the machine that audits said what lies in a submission; anybody may have written it there.

Everything that a reader of the submission goes by is compared with the audit's signed word: the wheel, its lock, the
report, the bill of materials, the permissions, the verdict, and the statement that reviewers are asked to sign. An
older word about the same wheel is signed as well, but is about another report, lock, policy or statement.
"""

import hashlib

from assess_registry.catalogue import ATTESTATION_NAME, SBOM_NAME
from assess_registry.dsse import parse_envelope
from assess_registry.errors import ConfigError, TrustError
from assess_registry.keys import PublicKey
from assess_registry.lock import LOCK_NAME
from assess_registry.manifest import Permissions
from assess_registry.review.reports import verdict_and_day
from assess_registry.review.rules import Rules
from assess_registry.review.submissions import REPORT_NAME, STATEMENT_NAME, Submission
from assess_registry.verdict import permissions_digest, permissions_table
from assess_registry.verdict.attestation import Attestation, check_attestation
from assess_registry.wheel import InspectedWheel

_AGAIN = "submit the wheel again, which audits and signs it again: assess-registry submit --audit-key KEY"
_NO_KEY = (
    "make one on the machine that audits: assess-registry keys new NAME --role audit; let the registry name it: "
    "assess-registry keys add NAME.pub --role audit; once the registry is signed, assess-registry publish "
    "--accept-registry-changes signs that too"
)


def require_audits(rules: Rules) -> None:
    """The registry names a key whose audits count.

    Raises:
        ConfigError: it names none; says how to add one.
    """
    if not rules.audit_keys:
        where = "its signed control files name none" if rules.control.audit_keys else "registry.toml names none"
        raise ConfigError(f"the registry has no audit key, {where}, so nobody can vouch for a report: {_NO_KEY}")


def require_audit_key(rules: Rules, key: PublicKey) -> None:
    """Reports that this key signs are believed now.

    Raises:
        ConfigError: as `require_audits`.
        TrustError: step `attestation`; it is not among the registry's audit keys, or not valid now.
    """
    require_audits(rules)
    why = next((each.invalid_because(rules.now) for each in rules.audit_keys if each.key == key), "no audit key of it")
    if why:
        raise TrustError(
            f"the registry would not believe an audit that this key signs: {why}",
            step="attestation",
            thing=key.id,
            expected=", ".join(each.key.id for each in rules.audit_keys if each.valid_at(rules.now)) or "a valid key",
            got=why,
            next_step=f"name the right one with --audit-key; or {_NO_KEY}",
        )


def require_audited(submission: Submission, wheel: InspectedWheel, rules: Rules) -> Attestation:
    """The audit's word about the submission: signed by a key of the registry, and about exactly what lies there.

    Raises:
        ConfigError: as `require_audits`.
        TrustError: step `attestation`; there is none, nobody who audits here signed it, or it is about something else.
    """
    require_audits(rules)
    thing = submission.filename
    if submission.attestation is None:
        raise _refused(thing, "the machine that audits has not signed its report", ATTESTATION_NAME, "no such file")
    envelope = parse_envelope(submission.attestation)
    attestation = check_attestation(envelope, keys=rules.audit_keys, at=rules.now, thing=thing)
    said = attestation.wheel(submission.sha256)
    if said is None:
        names = ", ".join(f"{each.filename} {each.sha256}" for each in attestation.wheels)
        raise _refused(thing, "its audit was of another wheel", f"sha256 {submission.sha256}", names)
    permissions = wheel.manifest.permissions if wheel.manifest else Permissions()
    for name, signed, found in (
        ("filename", said.filename, submission.filename),
        (LOCK_NAME, attestation.lock_sha256, hashlib.sha256(submission.lock).hexdigest()),
        (REPORT_NAME, attestation.report_sha256, hashlib.sha256(submission.report).hexdigest()),
        (SBOM_NAME, attestation.sbom_sha256, submission.sbom_sha256),
        (STATEMENT_NAME, said.statement_sha256, submission.statement_sha256),
        ("permissions", said.permissions_sha256, permissions_digest(permissions_table(permissions))),
        ("verdict", said.verdict, _verdict(submission)),
    ):
        if signed != found:
            message = f"its {name} is not what the audit signed"
            raise _refused(thing, message, str(signed or "none"), str(found or "none"))
    return attestation


def _verdict(submission: Submission) -> str:
    try:
        return verdict_and_day(submission.report, submission.sha256)[0]
    except ValueError as error:
        return f"no report: {error}"


def _refused(thing: str, message: str, expected: str, got: str) -> TrustError:
    return TrustError(message, step="attestation", thing=thing, expected=expected, got=got, next_step=_AGAIN)
