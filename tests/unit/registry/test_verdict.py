import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from assess_registry.canonical import encode
from assess_registry.control import Publishers, PublisherTrust, ReviewerTrust
from assess_registry.dsse import Envelope, pae, sign_envelope
from assess_registry.errors import TrustError
from assess_registry.keys import PrivateKey, TimedKey, generate_key
from assess_registry.manifest import Permissions
from assess_registry.names import ProjectName, Sha256
from assess_registry.verdict import (
    PAYLOAD_TYPE,
    Approval,
    Verdict,
    check_approval,
    parse_verdict,
    permissions_table,
    permissions_words,
    read_table,
)

NOW = datetime(2026, 11, 21, 5, 10, tzinfo=UTC)
DAY = timedelta(days=1)
ACME, ACME_OLD, ALICE, ALICE_2, BOB, EVE, AUDIT = (generate_key() for _ in range(7))

NOTHING = permissions_table(Permissions())
PERMISSIONS = Permissions(read=("/proc", "/etc/ssh"), commands=(("dpkg-query", "-W", "*"),), network=("a.example:443",))
VERDICT = Verdict(
    project=ProjectName("acme-x"),
    version="1.2.0",
    filename="acme_x-1.2.0-py3-none-any.whl",
    sha256=Sha256("1" * 64),
    lock_sha256=Sha256("2" * 64),
    report_sha256=Sha256("3" * 64),
    sbom_sha256=Sha256("6" * 64),
    permissions=permissions_table(PERMISSIONS),
    since="1.1.0",
    growth=permissions_table(Permissions(read=("/proc",))),
    policy_sha256=Sha256("4" * 64),
    result="approved",
    approved_by="reviewers",
    verified_at=NOW,
)


def timed(key: PrivateKey, **times: Any) -> TimedKey:
    return TimedKey(key=key.public, **{"valid_from": NOW - 10 * DAY, **times})


CONTROL = Publishers(
    publishers={
        "acme": PublisherTrust(
            projects=("acme-*",), approvals=2, keys=(timed(ACME_OLD, valid_until=NOW - 5 * DAY), timed(ACME))
        )
    },
    reviewers={"alice": ReviewerTrust(keys=(timed(ALICE), timed(ALICE_2))), "bob": ReviewerTrust(keys=(timed(BOB),))},
    audit_keys=(timed(AUDIT),),
)


def signed(*keys: PrivateKey, verdict: Verdict = VERDICT) -> Envelope:
    return sign_envelope(verdict.statement(), PAYLOAD_TYPE, keys)


def check(envelope: Envelope, control: Publishers = CONTROL, *, at: datetime = NOW) -> Approval:
    return check_approval(envelope, control=control, publisher="acme", at=at)


def refusal(envelope: Envelope, control: Publishers = CONTROL, *, at: datetime = NOW) -> TrustError:
    with pytest.raises(TrustError) as refused:
        check(envelope, control, at=at)
    assert refused.value.thing
    assert refused.value.next_step
    return refused.value


# --- the statement ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "verdict",
    [
        VERDICT,
        replace(VERDICT, result="flagged"),
        replace(VERDICT, approved_by="policy", growth=NOTHING),
        replace(VERDICT, permissions=NOTHING, growth=NOTHING),
        replace(VERDICT, since="", growth=VERDICT.permissions),
        replace(VERDICT, sbom_sha256=None),
        replace(VERDICT, version="1.0+local.1", filename="acme_x-1.0+local.1-py3-none-any.whl"),
        replace(VERDICT, version="2!1.0", filename="acme_x-2!1.0-py3-none-any.whl"),
        replace(VERDICT, verified_at=NOW.replace(microsecond=5)),
    ],
)
def test_what_is_stated_is_read_back(verdict: Verdict) -> None:
    assert parse_verdict(verdict.statement()) == verdict
    assert parse_verdict(verdict.statement()).statement() == verdict.statement()


def test_it_is_an_in_toto_statement_with_a_verification_summary() -> None:
    statement = json.loads(VERDICT.statement())
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/verification_summary/v1"
    assert [(subject["name"], subject["digest"]["sha256"][0]) for subject in statement["subject"]] == [
        ("acme_x-1.2.0-py3-none-any.whl", "1"),
        ("pylock.toml", "2"),
    ]
    predicate = statement["predicate"]
    # What the specification requires of a summary, and nothing of ours outside one member.
    assert {"verifier", "timeVerified", "resourceUri", "policy", "verificationResult", "verifiedLevels"} < set(
        predicate
    )
    assert {key for key in predicate if "_" in key} == {"assess_approval"}
    assert predicate["resourceUri"] == "pkg:pypi/acme-x@1.2.0?file_name=acme_x-1.2.0-py3-none-any.whl"
    assert predicate["timeVerified"] == "2026-11-21T05:10:00Z"
    assert predicate["verificationResult"] == "PASSED"
    assert not any(level.startswith("SLSA_") for level in predicate["verifiedLevels"])


def test_the_order_in_which_permissions_were_written_makes_no_second_verdict() -> None:
    other = replace(PERMISSIONS, read=tuple(reversed(PERMISSIONS.read)))
    assert permissions_table(other) == VERDICT.permissions
    more = permissions_table(replace(PERMISSIONS, read=(*PERMISSIONS.read, "/root")))
    assert replace(VERDICT, permissions=more).permissions_sha256 != VERDICT.permissions_sha256


def set_at(*path: object) -> Callable[[dict[str, Any]], None]:
    """Set the member at the path to the last item."""
    *way, key, new = path

    def change(value: Any) -> None:
        for step in way:
            value = value[step]
        value[key] = new

    return change


P = "predicate"
CHANGES: Mapping[str, Callable[[dict[str, Any]], object]] = {
    "failed": set_at(P, "verificationResult", "FAILED"),
    "no result": lambda value: value[P].pop("verificationResult"),
    "passed, in lower case": set_at(P, "verificationResult", "passed"),
    "another predicate": set_at("predicateType", "https://slsa.dev/provenance/v1"),
    "another version of the predicate": set_at("predicateType", "https://slsa.dev/verification_summary/v0.2"),
    "another statement": set_at("_type", "https://in-toto.io/Statement/v0.1"),
    "another verifier": set_at(P, "verifier", "id", "https://example.com/"),
    "no level": set_at(P, "verifiedLevels", []),
    "another level": set_at(P, "verifiedLevels", ["ASSESS_AUDIT_REJECTED"]),
    "two levels": set_at(P, "verifiedLevels", ["ASSESS_AUDIT_APPROVED", "ASSESS_AUDIT_FLAGGED"]),
    "a third subject": lambda value: value["subject"].append(value["subject"][0]),
    "one subject": lambda value: value["subject"].pop(),
    "subjects turned round": lambda value: value["subject"].reverse(),
    "another digest algorithm": set_at("subject", 0, "digest", {"sha512": "1" * 128}),
    "two digests": set_at("subject", 0, "digest", {"sha256": "1" * 64, "sha1": "1" * 40}),
    "a short digest": set_at("subject", 0, "digest", {"sha256": "1" * 63}),
    "a wheel of another project": set_at("subject", 0, "name", "acme_y-1.2.0-py3-none-any.whl"),
    "a wheel of another version": set_at("subject", 0, "name", "acme_x-1.2.1-py3-none-any.whl"),
    "a name with path parts": set_at("subject", 0, "name", "../acme_x-1.2.0-py3-none-any.whl"),
    "another lock": set_at("subject", 1, "name", "other.toml"),
    "another project": set_at(P, "assess_approval", "project", "acme-y"),
    "another version": set_at(P, "assess_approval", "version", "1.2.1"),
    "a version spelt otherwise": set_at(P, "assess_approval", "version", "01.2.0"),
    "another resource": set_at(P, "resourceUri", "pkg:pypi/acme-y@1.2.0"),
    "no report": set_at(P, "inputAttestations", []),
    "two reports": lambda value: value[P]["inputAttestations"].__setitem__(1, value[P]["inputAttestations"][0]),
    "a report after the bill of materials": lambda value: value[P]["inputAttestations"].reverse(),
    "a third input": lambda value: value[P]["inputAttestations"].append(value[P]["inputAttestations"][1]),
    "another bill of materials' name": set_at(P, "inputAttestations", 1, "uri", "other.json"),
    "no growth": lambda value: value[P]["assess_approval"].pop("growth"),
    "growth that it does not ask for": set_at(P, "assess_approval", "growth", "permissions", "read", ["/root"]),
    "growth since nobody knows when": set_at(P, "assess_approval", "growth", "since", "before"),
    "growth since an empty version": set_at(P, "assess_approval", "growth", "since", ""),
    "growth of another kind": set_at(P, "assess_approval", "growth", "permissions", "write", []),
    "another report's name": set_at(P, "inputAttestations", 0, "uri", "other.json"),
    "another policy's name": set_at(P, "policy", "uri", "other.json"),
    "a local time": set_at(P, "timeVerified", "2026-11-21T05:10:00"),
    "an offset": set_at(P, "timeVerified", "2026-11-21T05:10:00+00:00"),
    "approved by somebody else": set_at(P, "assess_approval", "approvedBy", "publisher"),
    "more permissions than their digest": lambda value: value[P]["assess_approval"]["permissions"]["read"].append(
        "/root"
    ),
    "another digest of permissions": set_at(P, "assess_approval", "permissionsDigest", "sha256", "0" * 64),
    "a table less": lambda value: value[P]["assess_approval"]["permissions"].pop("stat"),
    "a table more": set_at(P, "assess_approval", "permissions", "write", []),
    "permissions in another order": lambda value: value[P]["assess_approval"]["permissions"]["read"].reverse(),
    "a permission that is none": set_at(P, "assess_approval", "permissions", "env", ["LD_PRELOAD"]),
    "no permissions": set_at(P, "assess_approval", "permissions", None),
    "a member more": set_at(P, "extra", 1),
    "nothing of ours": lambda value: value[P].pop("assess_approval"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_else_was_signed_is_no_approval(name: str) -> None:
    value = json.loads(VERDICT.statement())
    assert parse_verdict(encode(value)) == VERDICT
    CHANGES[name](value)
    with pytest.raises(TrustError) as refused:
        parse_verdict(encode(value))
    assert refused.value.step == "verdict"
    # Signatures of everybody do not make up for it.
    envelope = sign_envelope(encode(value), PAYLOAD_TYPE, (ALICE, BOB, AUDIT))
    assert refusal(envelope).step == "verdict"
    assert check(signed(ALICE, BOB, AUDIT)).by == ("alice", "bob")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("failed", "verificationResult: expected 'PASSED', got 'FAILED'"),
        ("another predicate", "predicateType: expected 'https://slsa.dev/verification_summary/v1'"),
        ("another statement", "_type: expected 'https://in-toto.io/Statement/v1'"),
        ("more permissions than their digest", "its verifier, URIs or digests are not those of such a verdict"),
    ],
)
def test_what_it_is_instead_is_said(name: str, says: str) -> None:
    value = json.loads(VERDICT.statement())
    CHANGES[name](value)
    with pytest.raises(TrustError) as refused:
        parse_verdict(encode(value))
    assert says in str(refused.value)


@pytest.mark.parametrize("spell", [lambda data: data + b"\n", lambda data: json.dumps(json.loads(data)).encode()])
def test_a_statement_has_one_spelling(spell: Callable[[bytes], bytes]) -> None:
    with pytest.raises(TrustError, match="one spelling"):
        parse_verdict(spell(VERDICT.statement()))


@pytest.mark.parametrize(
    "change",
    [
        {"result": "flagged", "approved_by": "policy", "growth": NOTHING},
        {"approved_by": "policy"},
        {"growth": permissions_table(Permissions(read=("/root",)))},
        {"since": "x"},
        {"sbom_sha256": "A" * 64},
        {"result": "rejected"},
        {"approved_by": "publisher"},
        {"sha256": "A" * 64},
        {"verified_at": NOW.replace(tzinfo=None)},
        {"permissions": {}},
        {"permissions": permissions_table(PERMISSIONS) | {"read": ["/proc", "/etc/ssh"]}},
        {"filename": "acme_x-1.2.0.tar.gz"},
        {"project": "Acme_X"},
    ],
)
def test_a_verdict_that_cannot_be_approved_does_not_exist(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        replace(VERDICT, **change)


# --- who may approve ----------------------------------------------------------------------------------------------


def test_enough_reviewers_approve() -> None:
    approval = check(signed(ALICE, BOB))
    assert (approval.by, approval.automatic, str(approval)) == (("alice", "bob"), False, "approved-by: alice, bob")
    assert set(approval.keys) == {ALICE.public.id, BOB.public.id}
    assert approval.verdict == VERDICT


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ((), "0: nobody"),
        ((ALICE,), "1: alice"),
        ((ALICE, ALICE_2), "1: alice"),
        ((ALICE, EVE), "is nobody's key"),
        ((ALICE, ACME), "publisher acme is no reviewer"),
        ((ALICE, ACME_OLD), "publisher acme is expired at"),
        ((ALICE, AUDIT), "audit is no reviewer"),
        ((ACME, ACME_OLD, AUDIT, EVE), "0: nobody"),
    ],
)
def test_too_few_do_not(keys: tuple[PrivateKey, ...], says: str) -> None:
    error = refusal(signed(*keys))
    assert (error.step, error.expected) == ("approval", "2 reviewers, none of them acme")
    assert says in error.got
    assert check(signed(*{*keys, ALICE, BOB})).by == ("alice", "bob")


def test_signatures_over_another_verdict_do_not_count() -> None:
    other = replace(VERDICT, sha256=Sha256("5" * 64))
    mine, theirs = signed(ALICE), signed(BOB, verdict=other)
    mixed = replace(mine, signatures=(*mine.signatures, *theirs.signatures))
    assert "the signature of reviewer bob does not fit" in refusal(mixed).got
    assert check(mine.signed_by(BOB)).by == ("alice", "bob")


def test_a_signature_over_the_payload_as_another_type_does_not_count() -> None:
    envelope = signed(ALICE)
    as_text = BOB.sign(pae("text/plain", envelope.payload))
    mixed = replace(envelope, signatures=(*envelope.signatures, (BOB.public.id, as_text)))
    assert "1: alice" in refusal(mixed).got
    right = BOB.sign(pae(PAYLOAD_TYPE, envelope.payload))
    assert check(replace(mixed, signatures=(*envelope.signatures, (BOB.public.id, right)))).by == ("alice", "bob")


def test_a_statement_that_was_signed_as_something_else_is_none() -> None:
    error = refusal(sign_envelope(VERDICT.statement(), "application/json", (ALICE, BOB)))
    assert (error.step, error.expected, error.got) == ("verdict", PAYLOAD_TYPE, "application/json")


def with_reviewer(name: str, *keys: TimedKey) -> Publishers:
    return replace(CONTROL, reviewers={**CONTROL.reviewers, name: ReviewerTrust(keys=keys)})


@pytest.mark.parametrize(
    ("bob", "says"),
    [
        (timed(BOB, valid_from=NOW + DAY), "reviewer bob is not valid before 2026-11-22T05:10:00Z"),
        (timed(BOB, valid_until=NOW), "reviewer bob is expired at 2026-11-21T05:10:00Z"),
        (
            timed(BOB, valid_until=NOW - DAY, revoked="laptop stolen"),
            "bob is revoked as of 2026-11-20T05:10:00Z: laptop",
        ),
    ],
)
def test_a_reviewers_key_counts_while_it_is_valid(bob: TimedKey, says: str) -> None:
    envelope = signed(ALICE, BOB)
    assert says in refusal(envelope, with_reviewer("bob", bob)).got
    for valid in (timed(BOB, valid_from=NOW), timed(BOB, valid_until=NOW + DAY / 86_400)):
        assert check(envelope, with_reviewer("bob", valid)).by == ("alice", "bob")


def test_what_was_approved_in_time_stays_approved_when_the_key_is_revoked_later() -> None:
    envelope = signed(ALICE, BOB)
    revoked = with_reviewer("bob", timed(BOB, valid_until=NOW + DAY, revoked="left the company"))
    assert check(envelope, revoked, at=NOW).by == ("alice", "bob")
    assert "revoked as of" in refusal(envelope, revoked, at=NOW + DAY).got


def test_a_publisher_who_reviews_does_not_approve_their_own_work() -> None:
    control = with_reviewer("acme", timed(EVE))
    assert "reviewer acme is the publisher" in refusal(signed(ALICE, EVE), control).got
    assert check(signed(ALICE, BOB, EVE), control).by == ("alice", "bob")
    # The same key under another name is another person, as far as anybody can know.
    assert check(signed(ALICE, EVE), with_reviewer("eve", timed(EVE))).by == ("alice", "eve")


def test_a_key_that_is_the_publishers_too_approves_nothing() -> None:
    # No `Publishers` holds a key twice; this one was forced to, as memory that somebody else wrote to would be.
    control = with_reviewer("mallory", timed(EVE))
    object.__setattr__(control, "reviewers", {**CONTROL.reviewers, "mallory": ReviewerTrust(keys=(timed(ACME),))})
    assert "1: alice" in refusal(signed(ALICE, ACME), control).got
    object.__setattr__(
        control, "reviewers", {"alice": ReviewerTrust(keys=(timed(BOB),)), "bob": ReviewerTrust(keys=(timed(BOB),))}
    )
    assert refusal(signed(BOB), control).step == "approval"


def test_a_publisher_who_is_unknown_has_no_approval() -> None:
    with pytest.raises(TrustError, match="no publisher 'other'"):
        check_approval(signed(ALICE, BOB), control=CONTROL, publisher="other", at=NOW)


# --- approval by policy -------------------------------------------------------------------------------------------

BY_POLICY = replace(VERDICT, approved_by="policy", growth=NOTHING)
AUTOMATIC = replace(CONTROL, publishers={"acme": replace(CONTROL.publishers["acme"], automatic=True)})


def test_the_policy_approves_by_an_audit_key() -> None:
    approval = check(signed(AUDIT, verdict=BY_POLICY), AUTOMATIC)
    assert (approval.by, approval.automatic, str(approval)) == ((), True, "approved-by: policy")
    assert approval.keys == (AUDIT.public.id,)


@pytest.mark.parametrize("keys", [(), (ALICE,), (ALICE, BOB), (ACME,), (EVE,)])
def test_nobody_elses_key_approves_by_policy(keys: tuple[PrivateKey, ...]) -> None:
    assert refusal(signed(*keys, verdict=BY_POLICY), AUTOMATIC).step == "approval"
    assert check(signed(*keys, AUDIT, verdict=BY_POLICY), AUTOMATIC).automatic


def test_the_policy_approves_only_what_it_says() -> None:
    error = refusal(signed(AUDIT, ALICE, BOB, verdict=BY_POLICY), CONTROL)
    assert "automatic_approval" in error.expected
    assert check(signed(AUDIT, ALICE, BOB, verdict=BY_POLICY), AUTOMATIC).automatic


def test_an_audit_key_does_not_stand_for_reviewers() -> None:
    assert refusal(signed(AUDIT), AUTOMATIC).step == "approval"
    assert check(signed(ALICE, BOB), AUTOMATIC).by == ("alice", "bob")


@pytest.mark.parametrize(
    "times", [{"valid_from": NOW + DAY}, {"valid_until": NOW}, {"valid_until": NOW, "revoked": "x"}]
)
def test_an_audit_key_counts_while_it_is_valid(times: dict[str, Any]) -> None:
    envelope = signed(AUDIT, verdict=BY_POLICY)
    assert "the key of audit is" in refusal(envelope, replace(AUTOMATIC, audit_keys=(timed(AUDIT, **times),))).got
    assert check(envelope, replace(AUTOMATIC, audit_keys=(timed(AUDIT, valid_until=NOW + DAY),))).automatic


def test_what_was_signed_before_there_were_secrets_stays_as_it_is() -> None:
    """A table without any is spelled as it always was; one that says so with an empty list is no second spelling."""
    before = permissions_table(Permissions(read=("/proc",)))
    assert "secrets" not in before
    assert read_table(before) == Permissions(read=("/proc",))
    with pytest.raises(ValueError, match="expected to be left out where it is empty"):
        read_table({**before, "secrets": []})
    now = Permissions(read=("/proc",), secrets=("token", "db"))
    assert permissions_table(now) == {**before, "secrets": ["db", "token"]}
    assert read_table(permissions_table(now)) == replace(now, secrets=("db", "token"))
    assert permissions_words(now)[-2:] == ("know secret db", "know secret token")
    with pytest.raises(ValueError, match="expected a secret"):
        read_table({**before, "secrets": ["NOT ONE"]})
