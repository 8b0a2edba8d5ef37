"""Tables `[publishers.NAME]`, `[reviewers.NAME]` and `[audit]` become values; mistakes are noted in readers' issues."""

from collections.abc import Iterator
from dataclasses import dataclass

from assess_registry.config.keys import read_keys
from assess_registry.config.values import Publisher, Reviewer
from assess_registry.keys import TimedKey
from assess_registry.manifest.reader import Reader, join, show
from assess_registry.names import parse_id, parse_project

PUBLISHER_KEYS = ("keys", "projects", "approvals")
REVIEWER_KEYS = ("keys",)
AUDIT_KEYS = ("keys",)

MAX_APPROVALS = 16
"""As many signatures as a verdict may carry."""

_MAX_ITEMS = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class People:
    """Everybody the file names, in the order of their names, and the keys of automatic audits."""

    publishers: tuple[Publisher, ...]
    reviewers: tuple[Reviewer, ...]
    audit_keys: tuple[TimedKey, ...]


def read_people(document: Reader) -> People:
    """Every `[publishers.NAME]`, every `[reviewers.NAME]`, and `[audit]`."""
    holders: dict[bytes, str] = {}
    publishers = tuple(_publisher(name, table, holders) for name, table in _named(document, "publishers"))
    reviewers = tuple(_reviewer(name, table, holders) for name, table in _named(document, "reviewers"))
    audit = document.table_of("audit")
    audit.only(AUDIT_KEYS)
    return People(publishers=publishers, reviewers=reviewers, audit_keys=read_keys(audit, holders))


def project_pattern(value: object) -> str:
    """A normalised project name in which `*` stands for any characters.

    Raises:
        ValueError: it is anything else.
    """
    if not isinstance(value, str):
        raise ValueError(f"expected a string, got {show(value)}")
    try:
        parse_project(value.replace("*", "x"))
    except ValueError as error:
        raise ValueError(
            f"expected a normalised project name (PEP 503), which may hold *, got {show(value)}"
        ) from error
    return value


def _named(document: Reader, role: str) -> Iterator[tuple[str, Reader]]:
    table = document.table_of(role)
    for name in sorted(table.table):
        try:
            parse_id(name)
        except ValueError as error:
            table.refuse("bad-value", join("", name), str(error))
            continue
        if not isinstance(table.table[name], dict):
            table.refuse("wrong-type", name, f"expected a table, got {show(table.table[name])}")
            continue
        yield name, table.table_of(name)


def _publisher(name: str, table: Reader, holders: dict[bytes, str]) -> Publisher:
    table.only(PUBLISHER_KEYS)
    projects = table.items("projects", project_pattern, max_items=_MAX_ITEMS)
    if not table.table.get("projects"):
        table.refuse("missing-key", "projects", 'expected at least one pattern of projects, for example ["acme-*"]')
    return Publisher(
        name=name,
        keys=read_keys(table, holders),
        projects=projects,
        approvals=table.integer("approvals", low=1, high=MAX_APPROVALS, default=1),
    )


def _reviewer(name: str, table: Reader, holders: dict[bytes, str]) -> Reviewer:
    table.only(REVIEWER_KEYS)
    return Reviewer(name=name, keys=read_keys(table, holders))
