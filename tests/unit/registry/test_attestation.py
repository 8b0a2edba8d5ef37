"""The audit's word: read back as it was written, and believed of whom the registry names only."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from assess_registry.canonical import encode
from assess_registry.dsse import Envelope, pae, sign_envelope
from assess_registry.errors import TrustError
from assess_registry.keys import TimedKey, generate_key
from assess_registry.names import Sha256
from assess_registry.verdict import PAYLOAD_TYPE
from assess_registry.verdict.attestation import Attestation, AuditedWheel, check_attestation, parse_attestation

NOW = datetime(2026, 11, 21, 5, 10, tzinfo=UTC)
AUDIT, EVE = generate_key(), generate_key()
KEYS = (TimedKey(key=AUDIT.public, valid_from=NOW - timedelta(days=10)),)
ONE = AuditedWheel(
    filename="acme_x-1.2.0-py3-none-any.whl",
    sha256=Sha256("1" * 64),
    permissions_sha256=Sha256("5" * 64),
    verdict="flagged",
    statement_sha256=Sha256("6" * 64),
)
ATTESTATION = Attestation(
    wheels=(ONE,),
    lock_sha256=Sha256("2" * 64),
    report_sha256=Sha256("3" * 64),
    sbom_sha256=Sha256("7" * 64),
    policy_sha256=Sha256("4" * 64),
    audited_at=NOW,
)


def signed(attestation: Attestation = ATTESTATION) -> Envelope:
    return sign_envelope(attestation.statement(), PAYLOAD_TYPE, [AUDIT])


def check(envelope: Envelope, keys: tuple[TimedKey, ...] = KEYS, at: datetime = NOW) -> Attestation:
    return check_attestation(envelope, keys=keys, at=at, thing="x.whl")


@pytest.mark.parametrize(
    "attestation",
    [
        ATTESTATION,
        replace(ATTESTATION, sbom_sha256=None),
        replace(ATTESTATION, wheels=(replace(ONE, verdict="rejected", statement_sha256=None),)),
        replace(ATTESTATION, wheels=(replace(ONE, filename="b.whl", sha256=Sha256("8" * 64)), ONE)),
    ],
)
def test_what_is_stated_is_read_back(attestation: Attestation) -> None:
    assert check(signed(attestation)) == attestation
    found = attestation.wheel(ONE.sha256)
    assert found is not None
    assert attestation.wheel("0" * 64) is None


@pytest.mark.parametrize(
    "change",
    [
        {"wheels": ()},
        {"wheels": (ONE, ONE)},
        {"lock_sha256": "A" * 64},
        {"sbom_sha256": ""},
        {"audited_at": NOW.replace(tzinfo=None)},
    ],
)
def test_what_no_audit_says_does_not_exist(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        replace(ATTESTATION, **change)


@pytest.mark.parametrize("change", [{"verdict": "rejected"}, {"verdict": "fine"}, {"sha256": "1"}])
def test_nothing_is_put_before_reviewers_that_was_rejected(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        replace(ONE, **change)


P = "predicate"
CHANGES: Mapping[str, Callable[[dict[str, Any]], object]] = {
    "another predicate": lambda value: value.update(predicateType="https://slsa.dev/verification_summary/v1"),
    "another statement": lambda value: value.update(_type="https://in-toto.io/Statement/v0.1"),
    "another auditor": lambda value: value[P]["auditor"].update(id="urn:other"),
    "no subject": lambda value: value["subject"].pop(),
    "a subject more": lambda value: value["subject"].append(value["subject"][0]),
    "another name of the subject": lambda value: value["subject"][0].update(name="b.whl"),
    "no wheel": lambda value: value[P]["wheels"].pop(),
    "no report": lambda value: value[P].update(results=[]),
    "results turned round": lambda value: value[P]["results"].reverse(),
    "another lock's name": lambda value: value[P]["lock"].update(name="other.toml"),
    "another policy's name": lambda value: value[P]["policy"].update(name="other.json"),
    "a verdict that is none": lambda value: value[P]["wheels"][0].update(verdict="passed"),
    "rejected, with a statement": lambda value: value[P]["wheels"][0].update(verdict="rejected"),
    "a local time": lambda value: value[P].update(auditedAt="2026-11-21T05:10:00"),
    "a member more": lambda value: value[P].update(extra=1),
}


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_else_the_key_signed_is_no_audit(name: str) -> None:
    value = json.loads(ATTESTATION.statement())
    assert parse_attestation(encode(value)) == ATTESTATION  # the control
    CHANGES[name](value)
    with pytest.raises(TrustError, match="not the word of an audit") as refused:
        check(sign_envelope(encode(value), PAYLOAD_TYPE, [AUDIT]))
    assert refused.value.step == "attestation"


@pytest.mark.parametrize(
    ("envelope", "keys", "at", "says"),
    [
        (sign_envelope(ATTESTATION.statement(), PAYLOAD_TYPE, [EVE]), KEYS, NOW, "audits nothing here"),
        (sign_envelope(ATTESTATION.statement(), PAYLOAD_TYPE, []), KEYS, NOW, "no signature"),
        (signed(), (), NOW, "audits nothing here"),
        (signed(), (replace(KEYS[0], valid_until=NOW),), NOW, "expired"),
        (signed(), (replace(KEYS[0], valid_until=NOW, revoked="stolen"),), NOW, "revoked as of"),
        (signed(), (replace(KEYS[0], valid_from=NOW + timedelta(days=1)),), NOW, "not valid before"),
        (signed(), KEYS, NOW - timedelta(seconds=1), "2026-11-21T05:10:00Z"),
        (sign_envelope(ATTESTATION.statement(), "application/json", [AUDIT]), KEYS, NOW, "application/json"),
        (
            replace(signed(), signatures=((AUDIT.public.id, AUDIT.sign(pae("text/plain", ATTESTATION.statement()))),)),
            KEYS,
            NOW,
            "does not fit",
        ),
    ],
)
def test_nobody_else_audits(envelope: Envelope, keys: tuple[TimedKey, ...], at: datetime, says: str) -> None:
    with pytest.raises(TrustError) as refused:
        check(envelope, keys, at)
    assert refused.value.step == "attestation"
    assert says in refused.value.got
    assert refused.value.next_step
    assert check(signed()) == ATTESTATION  # the control
