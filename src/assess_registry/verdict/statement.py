"""A verdict: what an audit found in exact bytes, as an in-toto statement that reviewers sign and clients check.

The statement is SLSA's verification summary: its subjects are the wheel and its locked closure, its predicate says by
which policy, from which audit report and SBOM, with which permissions, and what of these is new. An envelope around it
(`dsse`) carries the signatures; `approval` says whether they suffice.

    verdict.statement()                              what reviewers sign, as PAYLOAD_TYPE
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from assess_registry.canonical import Members, decode, encode, require_zone, write_time
from assess_registry.catalogue import AUDIT_NAME, SBOM_NAME, check_belongs
from assess_registry.control import POLICY_PATH
from assess_registry.dsse import MAX_PAYLOAD_BYTES
from assess_registry.errors import TrustError
from assess_registry.lock import LOCK_NAME
from assess_registry.names import ProjectName, Sha256, parse_project, parse_sha256, parse_version
from assess_registry.verdict.permissions import permissions_digest, permissions_table, read_table

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/verification_summary/v1"
VERIFIER_ID = "urn:assess-registry:audit:1"
SLSA_VERSION = "1.1"

NOTHING_BEFORE = "none"
"""In the place of the version that permissions were compared with; no version is called so (PEP 440)."""

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
        sha256: the wheel's digest; `lock_sha256` that of its `pylock.toml`, `report_sha256` that of its `audit.json`,
            `sbom_sha256` that of its `sbom.cdx.json`, None where the audit made none.
        permissions: the `[permissions]` table of its manifest, as `permissions_table` writes it.
        since: the version that the permissions were compared with; empty where there was none.
        growth: those of the permissions that this version did not have, in the same table. This is what an approval
            covers: a publish that finds more than these to be new is refused.
        policy_sha256: the version of the policy it was judged by.
        result: `flagged` needs reviewers. There is no third: what was rejected has no verdict.
        approved_by: whose signatures make it count: the reviewers', or an audit key's where the policy says so.

    Raises:
        ValueError: one of them is malformed, or is to be approved by policy and was flagged, or asks for what nobody
            has seen.
    """

    project: ProjectName
    version: str
    filename: str
    sha256: Sha256
    lock_sha256: Sha256
    report_sha256: Sha256
    sbom_sha256: Sha256 | None
    permissions: Mapping[str, Any]
    since: str
    growth: Mapping[str, Any]
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
        if self.sbom_sha256 is not None:
            parse_sha256(self.sbom_sha256)
        if self.since:
            parse_version(self.since)
        require_zone(self.verified_at)
        for name, table in (("permissions", self.permissions), ("growth", self.growth)):
            if permissions_table(read_table(table)) != table:
                raise ValueError(f"{name}: not in their one spelling: every table there, entries sorted and each once")
        if any(entry not in self.permissions[kind] for kind, entries in self.growth.items() for entry in entries):
            raise ValueError("growth: something in it is not among the permissions")
        if self.result not in _LEVELS or self.approved_by not in ("reviewers", "policy"):
            raise ValueError(f"expected a verdict that can be approved, got {self.result!r} by {self.approved_by!r}")
        if self.result == "flagged" and self.approved_by == "policy":
            raise ValueError("what was flagged is approved by reviewers, never by policy")
        if self.approved_by == "policy" and any(self.growth.values()):
            raise ValueError("permissions that nobody has seen are approved by reviewers, never by policy")

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
                    "inputAttestations": [
                        {"uri": name, "digest": {"sha256": digest}}
                        for name, digest in ((AUDIT_NAME, self.report_sha256), (SBOM_NAME, self.sbom_sha256))
                        if digest is not None
                    ],
                    "verificationResult": "PASSED",
                    "verifiedLevels": [_LEVELS[self.result]],
                    "slsaVersion": SLSA_VERSION,
                    _OURS: {
                        "project": self.project,
                        "version": self.version,
                        "permissions": self.permissions,
                        "permissionsDigest": {"sha256": self.permissions_sha256},
                        "growth": {"since": self.since or NOTHING_BEFORE, "permissions": self.growth},
                        "approvedBy": self.approved_by,
                    },
                },
            }
        )


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
        required=("project", "version", "permissions", "permissionsDigest", "growth", "approvedBy"),
    )
    growth = Members.of(ours.values["growth"], ours.at("growth"), required=("since", "permissions"))
    since = growth.parsed("since", str)
    reports = [_digest(value, path, ("uri",)) for value, path in predicate.items("inputAttestations", max_items=2)]
    if lock[0] != LOCK_NAME or not reports:
        raise ValueError(f"expected a wheel and {LOCK_NAME} as subjects and a report, got {lock[0]!r:.80}")
    verdict = Verdict(
        project=ours.parsed("project", parse_project),
        version=ours.parsed("version", str),
        filename=wheel[0],
        sha256=wheel[1],
        lock_sha256=lock[1],
        report_sha256=reports[0],
        sbom_sha256=reports[1] if len(reports) > 1 else None,
        permissions=ours.values["permissions"],
        since="" if since == NOTHING_BEFORE else since,
        growth=growth.values["permissions"],
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
