"""Who may publish and who may approve, one by one: what `control/publishers.json` says of a name."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from assess_registry.canonical import Members
from assess_registry.control.timed_keys import key_tables, read_keys
from assess_registry.keys import TimedKey
from assess_registry.names import parse_project

MAX_APPROVALS = 16
"""As many signatures as a verdict's envelope may carry."""

MAX_PROJECTS = 1000


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


def read_publisher(value: object, path: str) -> PublisherTrust:
    """The publisher in this object, which stands at `path`.

    Raises:
        ValueError: it is none.
    """
    table = Members.of(value, path, required=("projects", "approvals", "automatic", "keys"))
    return PublisherTrust(
        projects=table.strings("projects", parse_pattern, max_items=MAX_PROJECTS),
        approvals=table.integer("approvals", low=1, high=MAX_APPROVALS),
        automatic=table.boolean("automatic"),
        keys=read_keys(table),
    )


def publisher_table(trust: PublisherTrust) -> dict[str, Any]:
    """The object that `read_publisher` reads."""
    return {
        "projects": list(trust.projects),
        "approvals": trust.approvals,
        "automatic": trust.automatic,
        "keys": key_tables(trust.keys),
    }


def read_reviewer(value: object, path: str) -> ReviewerTrust:
    """The reviewer in this object, which stands at `path`.

    Raises:
        ValueError: it is none.
    """
    return ReviewerTrust(keys=read_keys(Members.of(value, path, required=("keys",))))


def reviewer_table(trust: ReviewerTrust) -> dict[str, Any]:
    """The object that `read_reviewer` reads."""
    return {"keys": key_tables(trust.keys)}
