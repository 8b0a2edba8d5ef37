"""A verdict: what an audit found in exact bytes, as an in-toto statement that reviewers sign and clients check.

The statement is SLSA's verification summary: its subjects are the wheel and its locked closure, its predicate says by
which policy, from which audit report, and with which permissions. An envelope around it (`dsse`) carries the
signatures; `check_approval` says whether they suffice, for publishers and for clients alike.

    verdict.statement()                              what reviewers sign, as PAYLOAD_TYPE
    check_approval(envelope, control=publishers, publisher="acme", at=published_at).by    ->    ("alice", "bob")
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from assess_registry.canonical import Members, decode, encode, require_zone, write_time
from assess_registry.catalogue import check_belongs
from assess_registry.control import POLICY_PATH, Publishers
from assess_registry.dsse import MAX_PAYLOAD_BYTES, Envelope
from assess_registry.errors import Issue, TrustError
from assess_registry.keys import KeyId
from assess_registry.lock import LOCK_NAME
from assess_registry.manifest import Permissions
from assess_registry.manifest.permissions import PERMISSION_KEYS, read_permissions
from assess_registry.manifest.reader import Reader
from assess_registry.names import ProjectName, Sha256, parse_project, parse_sha256, parse_version

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/verification_summary/v1"
VERIFIER_ID = "urn:assess-registry:audit:1"
SLSA_VERSION = "1.1"

Result = Literal["approved", "flagged"]
ApprovedBy = Literal["reviewers", "policy"]

_LEVELS: Mapping[Result, str] = {"approved": "ASSESS_AUDIT_APPROVED", "flagged": "ASSESS_AUDIT_FLAGGED"}
"""What the audit itself said, as a level of the summary; a level may have any name that does not begin with SLSA_."""

_OURS = "assess_approval"
"""Our own fields, under one name that bears ours (in-toto: names of extensions are to be kept apart)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What an audit said of one wheel and its closure.

    Attributes:
        sha256: the wheel's digest; `lock_sha256` that of its `pylock.toml`, `report_sha256` that of its `audit.json`.
        permissions: the `[permissions]` table of its manifest, as `permissions_table` writes it.
        policy_sha256: the version of the policy it was judged by.
        result: `flagged` needs reviewers. There is no third: what was rejected has no verdict.
        approved_by: whose signatures make it count: the reviewers', or an audit key's where the policy says so.

    Raises:
        ValueError: one of them is malformed, or it was flagged and is to be approved by policy.
    """

    project: ProjectName
    version: str
    filename: str
    sha256: Sha256
    lock_sha256: Sha256
    report_sha256: Sha256
    permissions: Mapping[str, Any]
    policy_sha256: Sha256
    result: Result
    approved_by: ApprovedBy
    verified_at: datetime

    def __post_init__(self) -> None:
        parse_project(self.project)
        parse_version(self.version)
        check_belongs(self.filename, self.project, self.version)
        for digest in (self.sha256, self.lock_sha256, self.report_sha256, self.policy_sha256):
            parse_sha256(digest)
        require_zone(self.verified_at)
        if permissions_table(read_table(self.permissions)) != self.permissions:
            raise ValueError("permissions: not in their one spelling: every table there, entries sorted and each once")
        if self.result not in _LEVELS or self.approved_by not in ("reviewers", "policy"):
            raise ValueError(f"expected a verdict that can be approved, got {self.result!r} by {self.approved_by!r}")
        if self.result == "flagged" and self.approved_by == "policy":
            raise ValueError("what was flagged is approved by reviewers, never by policy")

    @property
    def permissions_sha256(self) -> Sha256:
        """Digest of the permissions' one spelling."""
        return permissions_digest(self.permissions)

    def statement(self) -> bytes:
        """The in-toto statement; the same for the same verdict."""
        return encode(
            {
                "_type": STATEMENT_TYPE,
                "subject": [
                    {"name": self.filename, "digest": {"sha256": self.sha256}},
                    {"name": LOCK_NAME, "digest": {"sha256": self.lock_sha256}},
                ],
                "predicateType": PREDICATE_TYPE,
                "predicate": {
                    "verifier": {"id": VERIFIER_ID},
                    "timeVerified": write_time(self.verified_at),
                    "resourceUri": _resource(self.project, self.version, self.filename),
                    "policy": {"uri": POLICY_PATH, "digest": {"sha256": self.policy_sha256}},
                    "inputAttestations": [{"uri": "audit.json", "digest": {"sha256": self.report_sha256}}],
                    "verificationResult": "PASSED",
                    "verifiedLevels": [_LEVELS[self.result]],
                    "slsaVersion": SLSA_VERSION,
                    _OURS: {
                        "project": self.project,
                        "version": self.version,
                        "permissions": self.permissions,
                        "permissionsDigest": {"sha256": self.permissions_sha256},
                        "approvedBy": self.approved_by,
                    },
                },
            }
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Approval:
    """That a verdict counts, and by whose signatures.

    Attributes:
        verdict: what they signed.
        by: names of the reviewers, in order; empty when the policy approved.
        automatic: whether the policy did.
        keys: the keys whose signatures were counted.
    """

    verdict: Verdict
    by: tuple[str, ...]
    automatic: bool
    keys: tuple[KeyId, ...]

    def __str__(self) -> str:
        return f"approved-by: {'policy' if self.automatic else ', '.join(self.by)}"


def permissions_table(permissions: Permissions) -> dict[str, Any]:
    """The permissions as a verdict holds them: every table there, entries sorted, for their order grants nothing."""
    return {
        "read": sorted(permissions.read),
        "stat": sorted(permissions.stat),
        "commands": sorted(list(argv) for argv in permissions.commands),
        "network": sorted(permissions.network),
        "env": sorted(permissions.env),
    }


def permissions_digest(table: Mapping[str, Any]) -> Sha256:
    """Digest of a permissions table's one spelling."""
    return Sha256(hashlib.sha256(encode(table)).hexdigest())


def read_table(table: object) -> Permissions:
    """The permissions in such a table.

    Raises:
        ValueError: something in it is no permission.
    """
    issues: list[Issue] = []
    members = Members.of(table, "permissions", required=PERMISSION_KEYS)
    permissions = read_permissions(Reader(members.values, "permissions", issues))
    if issues:
        raise ValueError("; ".join(f"{issue.entry}: {issue.message}" for issue in issues))
    return permissions


def parse_verdict(payload: bytes) -> Verdict:
    """The verdict in a statement, which must be as `Verdict.statement` writes it.

    Raises:
        TrustError: step `verdict`; another type of statement or predicate, a verification that failed, or a spelling
            of its own.
    """
    try:
        return _parse(payload)
    except ValueError as error:
        raise TrustError(
            f"not a verdict that approves: {error}",
            step="verdict",
            thing="verdict",
            next_step="do not use what it is about; ask who runs the registry why it was published with it",
        ) from error


def check_approval(envelope: Envelope, *, control: Publishers, publisher: str, at: datetime) -> Approval:
    """The envelope holds a verdict, and enough of those who may approve this publisher's work have signed it.

    1. The payload is a verdict, and was signed as one.
    2. By policy: the publisher is one whose work an audit may approve, and an audit key signed that is valid then.
    3. By reviewers: signatures of as many reviewers as the publisher needs, each by a key that is valid then. One
       counts once, whatever the number of their keys; the publisher never, neither by name nor with a key of theirs.

    Args:
        envelope: a `<wheel>.verdict.json`.
        control: who publishes and who reviews.
        publisher: whose wheel it is, as `Publishers.publisher_of` said.
        at: when the release was published, or now when it is about to be.

    Raises:
        TrustError: step `verdict`; it is none. Step `approval`; too few count, with the reason why each other does not.
    """
    if envelope.payload_type != PAYLOAD_TYPE:
        raise TrustError(
            "what was signed is not a statement",
            step="verdict",
            thing="verdict",
            expected=PAYLOAD_TYPE,
            got=envelope.payload_type,
            next_step="do not use what it is about; get the verdict again",
        )
    verdict = parse_verdict(envelope.payload)
    trust = control.publishers.get(publisher)
    if trust is None:
        raise _refused(verdict, f"there is no publisher {publisher!r}", "a publisher of this registry", publisher)
    if verdict.approved_by == "policy":
        return _by_policy(envelope, verdict, control, publisher, at)
    return _by_reviewers(envelope, verdict, control, publisher, at)


def _by_policy(envelope: Envelope, verdict: Verdict, control: Publishers, publisher: str, at: datetime) -> Approval:
    if not control.publishers[publisher].automatic:
        expected = f"signatures of reviewers: {publisher} is not in [policy] automatic_approval"
        raise _refused(verdict, "the policy approves nothing of this publisher", expected, "approved-by: policy")
    signed = envelope.signers({timed.key.id: timed.key for timed in control.audit_keys})
    valid = sorted(timed.key.id for timed in control.audit_keys if timed.key.id in signed and timed.valid_at(at))
    if not valid:
        got = _uncounted(envelope, control, publisher, at) or "no signature"
        raise _refused(verdict, "no audit key approved it", "the signature of an audit key that is valid", got)
    return Approval(verdict=verdict, by=(), automatic=True, keys=tuple(KeyId(key) for key in valid))


def _by_reviewers(envelope: Envelope, verdict: Verdict, control: Publishers, publisher: str, at: datetime) -> Approval:
    needed = control.publishers[publisher].approvals
    own = {timed.key.id for timed in control.publishers[publisher].keys}
    counted: dict[str, KeyId] = {}
    for name, reviewer in sorted(control.reviewers.items()):
        signed = envelope.signers({timed.key.id: timed.key for timed in reviewer.keys})
        valid = sorted(timed.key.id for timed in reviewer.keys if timed.key.id in signed - own and timed.valid_at(at))
        if valid and name != publisher:
            counted[name] = KeyId(valid[0])
    # Distinct names with distinct keys: `Publishers` holds no key twice, and nothing here relies on that.
    if min(len(counted), len(set(counted.values()))) < needed:
        got = f"{len(counted)}: {', '.join(counted) or 'nobody'}"
        if others := _uncounted(envelope, control, publisher, at):
            got += f"; not counted: {others}"
        message = "too few of those who may approve it have"
        raise _refused(verdict, message, f"{needed} reviewers, none of them {publisher}", got)
    return Approval(verdict=verdict, by=tuple(counted), automatic=False, keys=tuple(counted.values()))


def _uncounted(envelope: Envelope, control: Publishers, publisher: str, at: datetime) -> str:
    """Why each other signature does not count."""
    known = {timed.key.id: (use, timed) for use, timed in control.uses()}
    signed = envelope.signers({key_id: timed.key for key_id, (_, timed) in known.items()})
    reasons = []
    for key_id, _ in envelope.signatures:
        use, timed = known.get(key_id, ("", None))
        if timed is None:
            reasons.append(f"{key_id[:19]}… is nobody's key")
        elif key_id not in signed:
            reasons.append(f"the signature of {use} does not fit")
        elif why := timed.invalid_because(at):
            reasons.append(f"the key of {use} is {why}")
        elif use == f"reviewer {publisher}":
            reasons.append(f"{use} is the publisher")
        elif not use.startswith("reviewer "):
            reasons.append(f"{use} is no reviewer")
    return "; ".join(reasons)


def _parse(payload: bytes) -> Verdict:
    statement = Members.of(
        decode(payload, max_bytes=MAX_PAYLOAD_BYTES),
        "statement",
        required=("_type", "subject", "predicateType", "predicate"),
    )
    statement.exactly("_type", STATEMENT_TYPE)
    statement.exactly("predicateType", PREDICATE_TYPE)
    wheel, lock = _subjects(statement)
    predicate = Members.of(
        statement.values["predicate"],
        statement.at("predicate"),
        required=(
            *("verifier", "timeVerified", "resourceUri", "policy", "inputAttestations"),
            *("verificationResult", "verifiedLevels", "slsaVersion", _OURS),
        ),
    )
    predicate.exactly("verificationResult", "PASSED")
    ours = Members.of(
        predicate.values[_OURS],
        predicate.at(_OURS),
        required=("project", "version", "permissions", "permissionsDigest", "approvedBy"),
    )
    reports = [_digest(value, path, ("uri",)) for value, path in predicate.items("inputAttestations", max_items=1)]
    if lock[0] != LOCK_NAME or not reports:
        raise ValueError(f"expected a wheel and {LOCK_NAME} as subjects and one report, got {lock[0]!r:.80}")
    verdict = Verdict(
        project=ours.parsed("project", parse_project),
        version=ours.parsed("version", str),
        filename=wheel[0],
        sha256=wheel[1],
        lock_sha256=lock[1],
        report_sha256=reports[0],
        permissions=ours.values["permissions"],
        policy_sha256=_digest(predicate.values["policy"], predicate.at("policy"), ("uri",)),
        result=_result(predicate),
        approved_by=ours.parsed("approvedBy", _approved_by),
        verified_at=predicate.time("timeVerified"),
    )
    # What was not looked at one by one above - verifier, URIs, the permissions' digest - has one value only.
    if verdict.statement() != payload:
        raise ValueError("its verifier, URIs or digests are not those of such a verdict")
    return verdict


def _subjects(statement: Members) -> tuple[tuple[str, Sha256], tuple[str, Sha256]]:
    found = []
    for value, path in statement.items("subject", max_items=2):
        table = Members.of(value, path, required=("name", "digest"))
        found.append((table.parsed("name", str), _digest(value, path, ("name",))))
    if len(found) != 2:
        raise ValueError(f"{statement.at('subject')}: expected a wheel and its lock, got {len(found)} subjects")
    return found[0], found[1]


def _digest(value: object, path: str, beside: tuple[str, ...]) -> Sha256:
    table = Members.of(value, path, required=("digest", *beside))
    return Members.of(table.values["digest"], table.at("digest"), required=("sha256",)).parsed("sha256", parse_sha256)


def _result(predicate: Members) -> Result:
    levels = predicate.strings("verifiedLevels", str, max_items=1)
    found: Result | None = next((result for result, level in _LEVELS.items() if levels == (level,)), None)
    if found is None:
        raise ValueError(f"{predicate.at('verifiedLevels')}: expected one of {', '.join(_LEVELS.values())}")
    return found


def _approved_by(text: str) -> ApprovedBy:
    if text == "reviewers":
        return "reviewers"
    if text == "policy":
        return "policy"
    raise ValueError(f"expected reviewers or policy, got {text[:80]!r}")


def _resource(project: ProjectName, version: str, filename: str) -> str:
    """The wheel as a package URL, which escapes nothing of names and versions in normal form but `+` and `!`."""
    escaped = version.replace("!", "%21").replace("+", "%2B")
    return f"pkg:pypi/{project}@{escaped}?file_name={filename.replace('!', '%21').replace('+', '%2B')}"


def _refused(verdict: Verdict, message: str, expected: str, got: str) -> TrustError:
    return TrustError(
        message,
        step="approval",
        thing=verdict.filename,
        expected=expected,
        got=got,
        next_step="have it reviewed: assess-registry review approve; if it is published already, do not use it",
    )
