"""What a registry says about people, bad wheels and its policy: the TUF targets under `control/`.

These files are what clients judge by. They are made from `registry.toml` and signed by the release keys; no page or
file outside them can name a publisher, a reviewer or a key.

    Publishers.from_config(load_config(root)).publisher_of(key.id, project, at=published_at)    ->    "acme"
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from assess_registry.canonical import Members, decode, encode, parse_text, require_zone, write_time
from assess_registry.config import CONFIG_NAME, IndexConfig
from assess_registry.errors import ConfigError, TrustError
from assess_registry.keys import KeyId, PublicKey, TimedKey, check_distinct, parse_base64_key
from assess_registry.manifest import Severity, parse_severity
from assess_registry.names import ProjectName, Sha256, parse_id, parse_project, parse_sha256, parse_version

SCHEMA = 1
PUBLISHERS_PATH = "control/publishers.json"
REVOCATIONS_PATH = "control/revocations.json"
POLICY_PATH = "control/policy.json"
CONTROL_PATHS = (PUBLISHERS_PATH, REVOCATIONS_PATH, POLICY_PATH)
"""TUF target paths, all in the top-level targets role."""

MAX_CONTROL_BYTES = 4 << 20
"""Of any one control file: about 15,000 keys or revoked wheels."""

MAX_APPROVALS = 16
"""As many signatures as a verdict's envelope may carry."""

MAX_PEOPLE, MAX_KEYS, MAX_PROJECTS, MAX_REVOKED, MAX_POLICIES = 10_000, 100, 1000, 20_000, 10_000
"""More than a registry.toml of its greatest size holds, or than the file has room for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PublisherTrust:
    """Somebody who may publish.

    Attributes:
        projects: patterns of the projects that are theirs, for example `acme-*`.
        approvals: how many reviewers have to approve what they publish.
        automatic: whether an audit may approve it in the reviewers' place.
        keys: all keys they ever had here, with their times.
    """

    projects: tuple[str, ...]
    approvals: int = 1
    automatic: bool = False
    keys: tuple[TimedKey, ...] = ()

    def __post_init__(self) -> None:
        for pattern in self.projects:
            parse_pattern(pattern)
        if not 1 <= self.approvals <= MAX_APPROVALS:
            raise ValueError(f"approvals: expected 1 to {MAX_APPROVALS}, got {self.approvals}")

    def admits(self, project: str) -> bool:
        """Whether the project is theirs."""
        return any(fnmatchcase(project, pattern) for pattern in self.projects)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewerTrust:
    """Somebody who may approve what others publish; `keys` are all they ever had here, with their times."""

    keys: tuple[TimedKey, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Publishers:
    """Who publishes, who reviews, and which keys approve automatically.

    Attributes:
        development: all keys of the registry lie on one machine; clients refuse it unless they are told otherwise.

    Raises:
        ValueError: one key stands in it twice, whatever for: who held both could approve their own work.
    """

    publishers: Mapping[str, PublisherTrust] = field(default_factory=dict)
    reviewers: Mapping[str, ReviewerTrust] = field(default_factory=dict)
    audit_keys: tuple[TimedKey, ...] = ()
    development: bool = False

    def __post_init__(self) -> None:
        for name in (*self.publishers, *self.reviewers):
            parse_id(name)
        check_distinct((use, timed.key) for use, timed in self.uses())

    @classmethod
    def from_config(cls, config: IndexConfig) -> "Publishers":
        """Everybody whom `registry.toml` names, with all their keys.

        Raises:
            ConfigError: a key stands in it twice.
        """
        automatic = config.policy.automatic_approval
        try:
            return cls(
                publishers={
                    each.name: PublisherTrust(
                        projects=each.projects,
                        approvals=each.approvals,
                        automatic=each.name in automatic,
                        keys=each.keys,
                    )
                    for each in config.publishers
                },
                reviewers={each.name: ReviewerTrust(keys=each.keys) for each in config.reviewers},
                audit_keys=config.audit_keys,
                development=config.development,
            )
        except ValueError as error:
            raise ConfigError(f"{CONFIG_NAME}: {error}") from error

    def uses(self) -> Iterator[tuple[str, TimedKey]]:
        """Every key with what it is for, as `publisher acme`."""
        for name, trust in sorted(self.publishers.items()):
            for timed in trust.keys:
                yield f"publisher {name}", timed
        for name, reviewer in sorted(self.reviewers.items()):
            for timed in reviewer.keys:
                yield f"reviewer {name}", timed
        for timed in self.audit_keys:
            yield "audit", timed

    def check_apart(self, others: Iterable[tuple[str, PublicKey]]) -> None:
        """None of its keys is one of these, each with its use: those that sign the registry's own word.

        Raises:
            TrustError: step `keys`; one is. Whoever steals it would have two roles.
        """
        try:
            check_distinct([*others, *((use, timed.key) for use, timed in self.uses())])
        except ValueError as error:
            raise TrustError(
                f"a key has two roles: {error}",
                step="keys",
                thing=PUBLISHERS_PATH,
                expected="a key of its own for every role",
                got="a key of the registry's root or releases",
                next_step="ask who runs the registry; such a key is revoked, and another one made",
            ) from error

    def publisher_of(self, key_id: KeyId, project: ProjectName, at: datetime) -> str:
        """The name of the publisher whose key this is, valid at that time, and whose project this is.

        Raises:
            TrustError: step `publisher`; nobody's key, a key that was not valid then, or another publisher's project.
        """
        for name, trust in self.publishers.items():
            timed = next((timed for timed in trust.keys if timed.key.id == key_id), None)
            if timed is None:
                continue
            if why := timed.invalid_because(at):
                expected, got = f"a key of {name} that is valid at {write_time(at)}", f"{key_id}, {why}"
                raise _refused(project, f"the key of publisher {name} does not count: {why}", expected, got)
            if not trust.admits(project):
                message = f"publisher {name} may not publish it"
                raise _refused(project, message, f"one of {', '.join(trust.projects) or 'no projects'}", project)
            return name
        use = next((use for use, timed in self.uses() if timed.key.id == key_id), "")
        message = f"its key is of no publisher{f', but of {use}' if use else ''}"
        raise _refused(project, message, "a key in control/publishers.json", key_id)

    def data(self) -> bytes:
        """The control file; the same for the same value."""
        publishers = {
            name: {
                "projects": list(trust.projects),
                "approvals": trust.approvals,
                "automatic": trust.automatic,
                "keys": _key_tables(trust.keys),
            }
            for name, trust in self.publishers.items()
        }
        reviewers = {name: {"keys": _key_tables(reviewer.keys)} for name, reviewer in self.reviewers.items()}
        audit = {"keys": _key_tables(self.audit_keys)}
        page = {
            "schema": SCHEMA,
            "development": self.development,
            "publishers": publishers,
            "reviewers": reviewers,
            "audit": audit,
        }
        return encode(page, max_bytes=MAX_CONTROL_BYTES)


@dataclass(frozen=True, kw_only=True, slots=True)
class RevokedWheel:
    """Bytes that nobody gets any more, by their digest."""

    project: ProjectName
    version: str
    sha256: Sha256
    reason: str
    severity: Severity
    at: datetime

    def __post_init__(self) -> None:
        parse_project(self.project)
        parse_version(self.version)
        parse_sha256(self.sha256)
        parse_text(self.reason)
        parse_severity(self.severity)
        require_zone(self.at)


@dataclass(frozen=True, kw_only=True, slots=True)
class Revocations:
    """All revoked wheels, each once, in the order of their digests.

    Raises:
        ValueError: one digest stands in it twice.
    """

    wheels: tuple[RevokedWheel, ...] = ()

    def __post_init__(self) -> None:
        if len({wheel.sha256 for wheel in self.wheels}) != len(self.wheels):
            raise ValueError("wheels: a digest is revoked twice")
        object.__setattr__(self, "wheels", tuple(sorted(self.wheels, key=lambda wheel: wheel.sha256)))

    def of(self, sha256: str) -> RevokedWheel | None:
        """The revocation of the wheel with this digest; None if it is not revoked."""
        return next((wheel for wheel in self.wheels if wheel.sha256 == sha256), None)

    def plus(self, wheels: Iterable[RevokedWheel]) -> "Revocations":
        """These as well. What is revoked stays as it was revoked first."""
        known = {wheel.sha256: wheel for wheel in self.wheels}
        for wheel in wheels:
            known.setdefault(wheel.sha256, wheel)
        return replace(self, wheels=tuple(known.values()))

    def data(self) -> bytes:
        """The control file; the same for the same value."""
        wheels = [
            {
                "project": wheel.project,
                "version": wheel.version,
                "sha256": wheel.sha256,
                "reason": wheel.reason,
                "severity": wheel.severity,
                "at": write_time(wheel.at),
            }
            for wheel in self.wheels
        ]
        return encode({"schema": SCHEMA, "wheels": wheels}, max_bytes=MAX_CONTROL_BYTES)


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyWord:
    """The policy in force, and which ones were before it: a verdict names the one it was reached under.

    Attributes:
        sha256: its version, the digest of `text`.
        text: the policy's canonical table, for people and for comparison.
        earlier: versions that were in force before; verdicts under them still hold.

    Raises:
        ValueError: the digest is not that of the text.
    """

    sha256: Sha256
    text: str
    earlier: tuple[Sha256, ...] = ()

    def __post_init__(self) -> None:
        if hashlib.sha256(self.text.encode()).hexdigest() != self.sha256:
            raise ValueError(f"sha256: {self.sha256[:80]!r} is not the digest of the text")
        for digest in self.earlier:
            parse_sha256(digest)
        object.__setattr__(self, "earlier", tuple(sorted({*self.earlier} - {self.sha256})))

    def knows(self, sha256: str) -> bool:
        """Whether a verdict under this version of the policy holds."""
        return sha256 == self.sha256 or sha256 in self.earlier

    def data(self) -> bytes:
        """The control file; the same for the same value."""
        page = {"schema": SCHEMA, "sha256": self.sha256, "text": self.text, "earlier": list(self.earlier)}
        return encode(page, max_bytes=MAX_CONTROL_BYTES)


def parse_publishers(data: bytes) -> Publishers:
    """The value of a `control/publishers.json`.

    Raises:
        TrustError: step `control`; it is anything else, a key is unsafe, or stands in it twice.
    """
    try:
        return _publishers(data)
    except ValueError as error:
        raise _unreadable(PUBLISHERS_PATH, error) from error


def parse_revocations(data: bytes) -> Revocations:
    """The value of a `control/revocations.json`.

    Raises:
        TrustError: step `control`; it is anything else.
    """
    try:
        return _revocations(data)
    except ValueError as error:
        raise _unreadable(REVOCATIONS_PATH, error) from error


def parse_policy_word(data: bytes) -> PolicyWord:
    """The value of a `control/policy.json`.

    Raises:
        TrustError: step `control`; it is anything else, or its digest is not that of its text.
    """
    try:
        return _policy_word(data)
    except ValueError as error:
        raise _unreadable(POLICY_PATH, error) from error


def parse_pattern(text: str) -> str:
    """A normalised project name in which `*` stands for any characters.

    Raises:
        ValueError: it is anything else.
    """
    try:
        parse_project(text.replace("*", "x"))
    except ValueError as error:
        raise ValueError(
            f"expected a normalised project name (PEP 503), which may hold *, got {text[:80]!r}"
        ) from error
    return text


def _publishers(data: bytes) -> Publishers:
    required = ("schema", "development", "publishers", "reviewers", "audit")
    page = Members.of(decode(data, max_bytes=MAX_CONTROL_BYTES), "control", required=required)
    page.exactly("schema", SCHEMA)
    audit = Members.of(page.values["audit"], page.at("audit"), required=("keys",))
    return Publishers(
        publishers={
            name: _publisher(value, path)
            for name, value, path in page.named("publishers", parse_id, max_items=MAX_PEOPLE)
        },
        reviewers={
            name: ReviewerTrust(keys=_timed_keys(Members.of(value, path, required=("keys",))))
            for name, value, path in page.named("reviewers", parse_id, max_items=MAX_PEOPLE)
        },
        audit_keys=_timed_keys(audit),
        development=page.boolean("development"),
    )


def _publisher(value: object, path: str) -> PublisherTrust:
    table = Members.of(value, path, required=("projects", "approvals", "automatic", "keys"))
    return PublisherTrust(
        projects=table.strings("projects", parse_pattern, max_items=MAX_PROJECTS),
        approvals=table.integer("approvals", low=1, high=MAX_APPROVALS),
        automatic=table.boolean("automatic"),
        keys=_timed_keys(table),
    )


def _timed_keys(table: Members) -> tuple[TimedKey, ...]:
    return tuple(_timed_key(*item) for item in table.items("keys", max_items=MAX_KEYS))


def _timed_key(value: object, path: str) -> TimedKey:
    table = Members.of(value, path, required=("public", "from"), optional=("until", "revoked"))
    return TimedKey(
        key=table.parsed("public", parse_base64_key),
        valid_from=table.time("from"),
        valid_until=table.time("until") if "until" in table.values else None,
        revoked=table.text("revoked") if "revoked" in table.values else "",
    )


def _key_tables(keys: Iterable[TimedKey]) -> list[dict[str, Any]]:
    return [
        {"public": timed.key.base64(), "from": write_time(timed.valid_from)}
        | ({"until": write_time(timed.valid_until)} if timed.valid_until else {})
        | ({"revoked": timed.revoked} if timed.revoked else {})
        for timed in keys
    ]


def _revocations(data: bytes) -> Revocations:
    page = Members.of(decode(data, max_bytes=MAX_CONTROL_BYTES), "control", required=("schema", "wheels"))
    page.exactly("schema", SCHEMA)
    revocations = Revocations(wheels=tuple(_revoked(*item) for item in page.items("wheels", max_items=MAX_REVOKED)))
    if revocations.data() != data:
        raise ValueError("wheels are not in their order")
    return revocations


def _revoked(value: object, path: str) -> RevokedWheel:
    table = Members.of(value, path, required=("project", "version", "sha256", "reason", "severity", "at"))
    return RevokedWheel(
        project=table.parsed("project", parse_project),
        version=table.parsed("version", str),
        sha256=table.parsed("sha256", parse_sha256),
        reason=table.text("reason"),
        severity=table.parsed("severity", parse_severity),
        at=table.time("at"),
    )


def _policy_word(data: bytes) -> PolicyWord:
    page = Members.of(
        decode(data, max_bytes=MAX_CONTROL_BYTES), "control", required=("schema", "sha256", "text", "earlier")
    )
    page.exactly("schema", SCHEMA)
    word = PolicyWord(
        sha256=page.parsed("sha256", parse_sha256),
        text=page.parsed("text", str),
        earlier=page.strings("earlier", parse_sha256, max_items=MAX_POLICIES),
    )
    if word.data() != data:
        raise ValueError("earlier policies are not in their order")
    return word


def _refused(project: ProjectName, message: str, expected: str, got: str) -> TrustError:
    next_step = "do not use it; ask who runs the registry why it was published so"
    return TrustError(message, step="publisher", thing=project, expected=expected, got=got, next_step=next_step)


def _unreadable(path: str, error: ValueError) -> TrustError:
    return TrustError(
        f"not a control file: {error}",
        step="control",
        thing=path,
        next_step="update this program; if it is new enough, ask who runs the registry: the file was signed so",
    )
