"""The statements that reviewers are asked to sign, and the audit's signature over these and all they name."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from assess_registry.catalogue import ATTESTATION_NAME
from assess_registry.dsse import MAX_ENVELOPE_BYTES, parse_envelope, sign_envelope
from assess_registry.errors import RegistryError
from assess_registry.files import read_bounded
from assess_registry.index.create import LOCK_TIMEOUT_S
from assess_registry.keys import PrivateKey
from assess_registry.names import Sha256
from assess_registry.review.rules import Rules
from assess_registry.verdict import PAYLOAD_TYPE, Verdict
from assess_registry.verdict.attestation import Attestation, AuditedWheel, Found, check_attestation

WAITED = timedelta(seconds=LOCK_TIMEOUT_S)
"""The time is taken before one waits for the lock: who was faster, of two that submit at once, may bear a later one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Audited:
    """A wheel that was audited.

    Attributes:
        found: what the audit said of it.
        verdict: what reviewers would sign; of a wheel that was rejected, nothing is made of it.
    """

    found: Found
    verdict: Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Attested:
    """What one audit leaves.

    Attributes:
        statements: of the wheels in their order; None for all of them where one was rejected.
        attestation: signed, as the file is.
    """

    statements: tuple[bytes | None, ...]
    attestation: bytes


def attest(wheels: Sequence[Audited], *, before: Path, key: PrivateKey, rules: Rules) -> Attested:
    """Statements of the wheels of a release, and the audit's signature.

    An audit that says the same again must not make reviewers sign again: where it differs in nothing but its time from
    one that was signed `before`, it keeps that time.
    """
    old = _earlier(before / ATTESTATION_NAME, rules)
    statements, attestation = _made(wheels, rules.now)
    if old is not None:
        again, same = _made(wheels, old.audited_at)
        if same == old:
            statements, attestation = again, same
    envelope = sign_envelope(attestation.statement(), PAYLOAD_TYPE, [key])
    return Attested(statements=statements, attestation=envelope.data())


def _made(wheels: Sequence[Audited], at: datetime) -> tuple[tuple[bytes | None, ...], Attestation]:
    verdicts = [replace(each.verdict, verified_at=at) for each in wheels]
    whole = all(each.found != "rejected" for each in wheels)
    statements = tuple(verdict.statement() if whole else None for verdict in verdicts)
    first = verdicts[0]
    attestation = Attestation(
        wheels=tuple(
            AuditedWheel(
                filename=verdict.filename,
                sha256=verdict.sha256,
                permissions_sha256=verdict.permissions_sha256,
                verdict=each.found,
                statement_sha256=None if statement is None else Sha256(hashlib.sha256(statement).hexdigest()),
            )
            for each, verdict, statement in zip(wheels, verdicts, statements, strict=True)
        ),
        lock_sha256=first.lock_sha256,
        report_sha256=first.report_sha256,
        sbom_sha256=first.sbom_sha256,
        policy_sha256=first.policy_sha256,
        audited_at=at,
    )
    return statements, attestation


def _earlier(path: Path, rules: Rules) -> Attestation | None:
    """What was signed before by a key that counts still; its time is nobody's else."""
    try:
        envelope = parse_envelope(read_bounded(path, MAX_ENVELOPE_BYTES))
        return check_attestation(envelope, keys=rules.audit_keys, at=rules.now + WAITED, thing=str(path))
    except (OSError, RegistryError):
        return None
