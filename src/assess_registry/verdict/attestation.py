"""The audit's own word: what it was given, what it found, and what it put before reviewers, signed by its key.

A report lies on a disk that others may write to. So the machine that audits signs one in-toto statement over everything
that belongs together: the wheels of a release, their lock, the report, the bill of materials, the policy, and of each
wheel its permissions, its verdict and the statement that reviewers are asked to sign. An older one is about another
report, lock, policy or statement, and so does not fit.

    envelope = sign_envelope(attestation.statement(), PAYLOAD_TYPE, [audit_key])
    check_attestation(envelope, keys=control.audit_keys, at=now, thing="x.whl").wheel(sha256).verdict   ->  "flagged"
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from assess_registry.canonical import Members, decode, encode, require_zone, write_time
from assess_registry.catalogue import AUDIT_NAME, MAX_WHEELS, SBOM_NAME
from assess_registry.control import POLICY_PATH
from assess_registry.dsse import MAX_PAYLOAD_BYTES, Envelope
from assess_registry.errors import TrustError
from assess_registry.keys import KeyId, TimedKey
from assess_registry.lock import LOCK_NAME
from assess_registry.names import Sha256, parse_sha256
from assess_registry.verdict.statement import PAYLOAD_TYPE, STATEMENT_TYPE, VERIFIER_ID

AUDITED_TYPE = "urn:assess-registry:audited:1"
"""Our own predicate: no other tool's says what an audit was given and which statement it put before whom."""

Found = Literal["approved", "flagged", "rejected"]

_FOUND: tuple[Found, ...] = ("approved", "flagged", "rejected")


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditedWheel:
    """One wheel of the release.

    Attributes:
        permissions_sha256: digest of the permissions' one spelling.
        statement_sha256: what reviewers are asked to sign; None where there is nothing to approve.
    """

    filename: str
    sha256: Sha256
    permissions_sha256: Sha256
    verdict: Found
    statement_sha256: Sha256 | None

    def __post_init__(self) -> None:
        for digest in (
            self.sha256,
            self.permissions_sha256,
            *((self.statement_sha256,) if self.statement_sha256 else ()),
        ):
            parse_sha256(digest)
        if self.verdict not in _FOUND:
            raise ValueError(f"expected one of {', '.join(_FOUND)}, got {self.verdict!r}")
        if self.verdict == "rejected" and self.statement_sha256 is not None:
            raise ValueError("what was rejected has no statement")


@dataclass(frozen=True, kw_only=True, slots=True)
class Attestation:
    """What one audit of a release was about, and what it said.

    Raises:
        ValueError: a digest is none, a wheel is in it twice, or the time has no zone.
    """

    wheels: tuple[AuditedWheel, ...]
    lock_sha256: Sha256
    report_sha256: Sha256
    sbom_sha256: Sha256 | None
    policy_sha256: Sha256
    audited_at: datetime

    def __post_init__(self) -> None:
        for digest in (self.lock_sha256, self.report_sha256, self.policy_sha256):
            parse_sha256(digest)
        if self.sbom_sha256 is not None:
            parse_sha256(self.sbom_sha256)
        require_zone(self.audited_at)
        object.__setattr__(self, "wheels", tuple(sorted(self.wheels, key=lambda wheel: wheel.filename)))
        if not 1 <= len({wheel.filename for wheel in self.wheels}) == len(self.wheels) <= MAX_WHEELS:
            raise ValueError(f"expected 1 to {MAX_WHEELS} wheels, each once, got {len(self.wheels)}")

    def wheel(self, sha256: str) -> AuditedWheel | None:
        """What was said of the wheel with this digest; None if nothing was."""
        return next((wheel for wheel in self.wheels if wheel.sha256 == sha256), None)

    def statement(self) -> bytes:
        """The in-toto statement; the same for the same value."""
        files = ((AUDIT_NAME, self.report_sha256), (SBOM_NAME, self.sbom_sha256))
        return encode(
            {
                "_type": STATEMENT_TYPE,
                "subject": [_named(wheel.filename, wheel.sha256) for wheel in self.wheels],
                "predicateType": AUDITED_TYPE,
                "predicate": {
                    "auditor": {"id": VERIFIER_ID},
                    "auditedAt": write_time(self.audited_at),
                    "lock": _named(LOCK_NAME, self.lock_sha256),
                    "policy": _named(POLICY_PATH, self.policy_sha256),
                    "results": [_named(name, digest) for name, digest in files if digest is not None],
                    "wheels": [_wheel_table(wheel) for wheel in self.wheels],
                },
            }
        )


def parse_attestation(payload: bytes) -> Attestation:
    """The attestation in a statement, which must be as `Attestation.statement` writes it.

    Raises:
        ValueError: it is anything else.
    """
    statement = Members.of(
        decode(payload, max_bytes=MAX_PAYLOAD_BYTES),
        "statement",
        required=("_type", "subject", "predicateType", "predicate"),
    )
    statement.exactly("_type", STATEMENT_TYPE)
    statement.exactly("predicateType", AUDITED_TYPE)
    predicate = Members.of(
        statement.values["predicate"],
        statement.at("predicate"),
        required=("auditor", "auditedAt", "lock", "policy", "results", "wheels"),
    )
    subjects = [_digest(value, path) for value, path in statement.items("subject", max_items=MAX_WHEELS)]
    wheels = [Members.of(*item, required=_WHEEL, optional=("statement",)) for item in _items(predicate)]
    results = [_digest(value, path) for value, path in predicate.items("results", max_items=2)]
    if not results or len(subjects) != len(wheels):
        raise ValueError(f"expected a report, and as many wheels as subjects, got {len(wheels)} of {len(subjects)}")
    attestation = Attestation(
        wheels=tuple(_wheel(table, digest) for table, digest in zip(wheels, subjects, strict=True)),
        lock_sha256=_digest(predicate.values["lock"], predicate.at("lock")),
        report_sha256=results[0],
        sbom_sha256=results[1] if len(results) > 1 else None,
        policy_sha256=_digest(predicate.values["policy"], predicate.at("policy")),
        audited_at=predicate.time("auditedAt"),
    )
    # Names, the auditor, and the order of the wheels have one value only.
    if attestation.statement() != payload:
        raise ValueError("its auditor or names are not those of an audit, or its wheels not in their order")
    return attestation


def check_attestation(envelope: Envelope, *, keys: Iterable[TimedKey], at: datetime, thing: str) -> Attestation:
    """The envelope holds the audit's word, signed by one of these keys that is valid at this time.

    Raises:
        TrustError: step `attestation`; it is anything else, of nobody who audits here, or of a time to come.
    """
    keys = tuple(keys)
    if envelope.payload_type != PAYLOAD_TYPE:
        raise _refused(thing, "what was signed is not a statement", PAYLOAD_TYPE, envelope.payload_type)
    signed = envelope.signers({timed.key.id: timed.key for timed in keys})
    if not any(timed.valid_at(at) for timed in keys if timed.key.id in signed):
        raise _refused(
            thing,
            "no key that audits for this registry signed its report",
            f"the signature of an audit key that is valid at {write_time(at)}",
            _why_not(envelope, keys, signed, at),
        )
    try:
        attestation = parse_attestation(envelope.payload)
    except ValueError as error:
        raise _refused(thing, f"not the word of an audit: {error}", "a statement of this kind", "another") from error
    if attestation.audited_at > at:
        got = write_time(attestation.audited_at)
        raise _refused(thing, "its audit is of a time that has not come", f"at most {write_time(at)}", got)
    return attestation


_WHEEL = ("filename", "permissionsDigest", "verdict")


def _items(predicate: Members) -> Iterable[tuple[Any, str]]:
    return predicate.items("wheels", max_items=MAX_WHEELS)


def _wheel(table: Members, sha256: Sha256) -> AuditedWheel:
    statement = _sha256(table, "statement") if "statement" in table.values else None
    return AuditedWheel(
        filename=table.parsed("filename", str),
        sha256=sha256,
        permissions_sha256=_sha256(table, "permissionsDigest"),
        verdict=table.parsed("verdict", _found),
        statement_sha256=statement,
    )


def _wheel_table(wheel: AuditedWheel) -> dict[str, Any]:
    return {
        "filename": wheel.filename,
        "permissionsDigest": {"sha256": wheel.permissions_sha256},
        "verdict": wheel.verdict,
        **({"statement": {"sha256": wheel.statement_sha256}} if wheel.statement_sha256 else {}),
    }


def _named(name: str, sha256: Sha256) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": sha256}}


def _digest(value: object, path: str) -> Sha256:
    return _sha256(Members.of(value, path, required=("name", "digest")), "digest")


def _sha256(table: Members, key: str) -> Sha256:
    return Members.of(table.values[key], table.at(key), required=("sha256",)).parsed("sha256", parse_sha256)


def _found(text: str) -> Found:
    found = next((each for each in _FOUND if each == text), None)
    if found is None:
        raise ValueError(f"expected one of {', '.join(_FOUND)}, got {text[:80]!r}")
    return found


def _why_not(envelope: Envelope, keys: tuple[TimedKey, ...], signed: frozenset[KeyId], at: datetime) -> str:
    known = {timed.key.id: timed for timed in keys}
    reasons = []
    for key_id, _ in envelope.signatures:
        if key_id not in known:
            reasons.append(f"{key_id} audits nothing here")
        elif key_id not in signed:
            reasons.append(f"the signature of {key_id} does not fit")
        else:
            reasons.append(f"{key_id} is {known[key_id].invalid_because(at)}")
    return "; ".join(reasons) or "no signature"


def _refused(thing: str, message: str, expected: str, got: str) -> TrustError:
    return TrustError(
        message,
        step="attestation",
        thing=thing,
        expected=expected,
        got=got,
        next_step="submit it again, with an audit key that the registry names: assess-registry submit --audit-key KEY",
    )
