"""Everybody whose keys count, and that no key counts twice: the value of `control/publishers.json`."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from assess_registry.canonical import Members, decode, encode, write_time
from assess_registry.config import CONFIG_NAME, IndexConfig
from assess_registry.control.file import MAX_CONTROL_BYTES, SCHEMA, unreadable
from assess_registry.control.people import (
    PublisherTrust,
    ReviewerTrust,
    publisher_table,
    read_publisher,
    read_reviewer,
    reviewer_table,
)
from assess_registry.control.timed_keys import key_tables, read_keys
from assess_registry.errors import ConfigError, TrustError
from assess_registry.keys import KeyId, PublicKey, TimedKey, check_distinct
from assess_registry.names import ProjectName, parse_id

PUBLISHERS_PATH = "control/publishers.json"

MAX_PEOPLE = 10_000
"""More than a registry.toml of its greatest size holds."""


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
        page = {
            "schema": SCHEMA,
            "development": self.development,
            "publishers": {name: publisher_table(trust) for name, trust in self.publishers.items()},
            "reviewers": {name: reviewer_table(trust) for name, trust in self.reviewers.items()},
            "audit": {"keys": key_tables(self.audit_keys)},
        }
        return encode(page, max_bytes=MAX_CONTROL_BYTES)


def parse_publishers(data: bytes) -> Publishers:
    """The value of a `control/publishers.json`.

    Raises:
        TrustError: step `control`; it is anything else, a key is unsafe, or stands in it twice.
    """
    try:
        return _publishers(data)
    except ValueError as error:
        raise unreadable(PUBLISHERS_PATH, error) from error


def _publishers(data: bytes) -> Publishers:
    required = ("schema", "development", "publishers", "reviewers", "audit")
    page = Members.of(decode(data, max_bytes=MAX_CONTROL_BYTES), "control", required=required)
    page.exactly("schema", SCHEMA)
    audit = Members.of(page.values["audit"], page.at("audit"), required=("keys",))
    return Publishers(
        publishers={
            name: read_publisher(value, path)
            for name, value, path in page.named("publishers", parse_id, max_items=MAX_PEOPLE)
        },
        reviewers={
            name: read_reviewer(value, path)
            for name, value, path in page.named("reviewers", parse_id, max_items=MAX_PEOPLE)
        },
        audit_keys=read_keys(audit),
        development=page.boolean("development"),
    )


def _refused(project: ProjectName, message: str, expected: str, got: str) -> TrustError:
    next_step = "do not use it; ask who runs the registry why it was published so"
    return TrustError(message, step="publisher", thing=project, expected=expected, got=got, next_step=next_step)
