"""Tables `[publishers.NAME]` and `[reviewers.NAME]` become values; every mistake is noted in the readers' issues.

A key belongs to one name in one role. Whoever could sign as publisher and as reviewer would approve their own work, and
a key that two people share says of neither that they signed.
"""

from collections.abc import Iterator

from assess_registry.config.values import Publisher, Reviewer
from assess_registry.manifest.reader import Reader, join, show
from assess_registry.names import parse_id, parse_project, parse_sha256

PUBLISHER_KEYS = ("keys", "projects", "approvals")
REVIEWER_KEYS = ("keys",)

MAX_APPROVALS = 16
"""As many signatures as a verdict may carry."""

_MAX_ITEMS = 1000
_KEY_ID = "sha256:"


def read_people(document: Reader) -> tuple[tuple[Publisher, ...], tuple[Reviewer, ...]]:
    """Every `[publishers.NAME]` and every `[reviewers.NAME]`, in the order of their names."""
    holders: dict[str, str] = {}
    publishers = tuple(_publisher(name, table, holders) for name, table in _named(document, "publishers"))
    reviewers = tuple(_reviewer(name, table, holders) for name, table in _named(document, "reviewers"))
    return publishers, reviewers


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


def _publisher(name: str, table: Reader, holders: dict[str, str]) -> Publisher:
    table.only(PUBLISHER_KEYS)
    projects = table.items("projects", project_pattern, max_items=_MAX_ITEMS)
    if not table.table.get("projects"):
        table.refuse("missing-key", "projects", 'expected at least one pattern of projects, for example ["acme-*"]')
    return Publisher(
        name=name,
        keys=_keys(table, holders),
        projects=projects,
        approvals=table.integer("approvals", low=1, high=MAX_APPROVALS, default=1),
    )


def _reviewer(name: str, table: Reader, holders: dict[str, str]) -> Reviewer:
    table.only(REVIEWER_KEYS)
    return Reviewer(name=name, keys=_keys(table, holders))


def _keys(table: Reader, holders: dict[str, str]) -> tuple[str, ...]:
    keys = table.items("keys", _key_id, max_items=_MAX_ITEMS)
    for key in keys:
        holder = holders.setdefault(key, table.path)
        if holder != table.path:
            table.refuse("duplicate", "keys", f"{key} is a key of {holder} too; a key has one holder in one role")
    return keys


def _key_id(value: object) -> str:
    if not isinstance(value, str) or not value.startswith(_KEY_ID):
        raise ValueError(f"expected a key's id, sha256:…, as `assess-registry keys list` shows it, got {show(value)}")
    parse_sha256(value.removeprefix(_KEY_ID))
    return value
