"""Keys come into `registry.toml`, and get an end in it, by editing its text: comments and order stay as they are.

An edit is made twice, as a value and as text, and is refused unless the text then reads as that value. So no quirk of
an editor of TOML can change whom a registry believes.

    add_key(text, Holder(role="publisher", name="acme"), key, source="registry.toml", projects=("acme-*",))
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, cast

import tomlkit
from tomlkit.container import Container
from tomlkit.items import AoT, Array, Table

from assess_registry.canonical import write_time
from assess_registry.config.load import parse_config
from assess_registry.config.values import IndexConfig, Publisher, Reviewer, key_table
from assess_registry.errors import ConfigError
from assess_registry.keys import KeyId, TimedKey

HolderRole = Literal["publisher", "reviewer", "audit"]
"""Roles whose keys `registry.toml` holds; those of the others are in TUF's root metadata."""

_TABLES = {"publisher": "publishers", "reviewer": "reviewers"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """Whose key it is; the audit has no name."""

    role: HolderRole
    name: str = ""

    def __post_init__(self) -> None:
        if bool(self.name) == (self.role == "audit"):
            raise ConfigError("--name: the audit's keys have no name, those of publishers and reviewers have one")

    def __str__(self) -> str:
        return f"{self.role} {self.name}".rstrip()

    @property
    def path(self) -> tuple[str, ...]:
        """Where the holder's table is."""
        return (_TABLES[self.role], self.name) if self.name else ("audit",)


def keys_of(config: IndexConfig) -> Iterator[tuple[Holder, TimedKey]]:
    """Every key in the file, and whose it is."""
    for publisher in config.publishers:
        for timed in publisher.keys:
            yield Holder(role="publisher", name=publisher.name), timed
    for reviewer in config.reviewers:
        for timed in reviewer.keys:
            yield Holder(role="reviewer", name=reviewer.name), timed
    for timed in config.audit_keys:
        yield Holder(role="audit"), timed


def find_key(config: IndexConfig, key_id: KeyId) -> tuple[Holder, TimedKey] | None:
    """The key with this id, and whose it is; None if the file does not hold it."""
    return next(((holder, timed) for holder, timed in keys_of(config) if timed.key.id == key_id), None)


def add_key(
    text: str, holder: Holder, timed: TimedKey, *, source: str, projects: tuple[str, ...] = (), approvals: int = 1
) -> str:
    """The file with one key more; with its holder, too, if they were not in it.

    Args:
        text: what the file holds.
        holder: whose key it is.
        timed: the key.
        source: the file's name, for messages.
        projects: patterns of the projects of a publisher who is new.
        approvals: how many reviewers such a publisher needs.

    Raises:
        ConfigError: the key is in the file already, or a new publisher has no projects.
    """
    config = parse_config(text.encode(), source=source)
    known = find_key(config, timed.key.id)
    if known is not None:
        raise ConfigError(f"{source}: {timed.key.id} is a key of {known[0]} already; every use needs a key of its own")
    new = holder.role == "publisher" and all(each.name != holder.name for each in config.publishers)
    if new and not projects:
        raise ConfigError(f"{source}: {holder} is new: say with --project which projects are theirs, as in 'acme-*'")
    if projects and not new:
        raise ConfigError(f"{source}: {holder} has projects already: edit them by hand, --project is for new ones")
    document = tomlkit.parse(text)
    table = _holder_table(document, holder)
    if new:
        table["projects"] = list(projects)
        if approvals != 1:
            table["approvals"] = approvals
    _append(table, timed)
    expected = _with_holder(config, holder, projects, approvals) if new else config
    return _checked(document, _with_key(expected, holder, timed), source)


def end_key(text: str, key_id: KeyId, until: datetime, *, source: str, revoked: str = "") -> str:
    """The file in which this key has an end; with a reason it is revoked, without one it is only replaced.

    An end that the key has already is never put off: what was not believed is not believed again.

    Raises:
        ConfigError: the file does not hold the key, or it is revoked already as of then or earlier.
    """
    config = parse_config(text.encode(), source=source)
    found = find_key(config, key_id)
    if found is None:
        raise ConfigError(
            f"{source}: no key {key_id}; `assess-registry keys list --index ROOT` lists those of publishers, reviewers "
            "and the audit, those of root, release and online are exchanged with `assess-registry root propose`"
        )
    holder, old = found
    end = max(old.valid_from, min(until, old.valid_until or until))
    if old.revoked and end == old.valid_until:
        raise ConfigError(f"{source}: {key_id} of {holder} is revoked already, as of {write_time(end)}: {old.revoked}")
    timed = replace(old, valid_until=end, revoked=revoked or old.revoked)
    document = tomlkit.parse(text)
    table = next(each for each in _holder_table(document, holder)["keys"] if each["public"] == timed.key.base64())
    for key, value in key_table(timed).items():
        if table.get(key) != value:
            table[key] = value
    return _checked(document, _with_key(config, holder, timed), source)


def _holder_table(document: Container, holder: Holder) -> Table:
    table: Any = document
    for depth, part in enumerate(holder.path):
        if part not in table:
            # A super table has no line of its own: [[reviewers.alice.keys]] says all.
            table[part] = tomlkit.table(is_super_table=depth + 1 < len(holder.path) or holder.role != "publisher")
        table = table[part]
    return cast(Table, table)


def _append(table: Table, timed: TimedKey) -> None:
    keys = table.get("keys")
    if isinstance(keys, Array):
        inline = tomlkit.inline_table()
        inline.update(key_table(timed))
        keys.append(inline)
        return
    if keys is None:
        table["keys"] = tomlkit.aot()
    one = tomlkit.table()
    one.update(key_table(timed))
    one.add(tomlkit.nl())
    cast(AoT, table["keys"]).append(one)


def _with_holder(config: IndexConfig, holder: Holder, projects: tuple[str, ...], approvals: int) -> IndexConfig:
    publisher = Publisher(name=holder.name, projects=projects, approvals=approvals)
    return replace(config, publishers=tuple(sorted((*config.publishers, publisher), key=lambda each: each.name)))


def _with_key(config: IndexConfig, holder: Holder, timed: TimedKey) -> IndexConfig:
    """The value with this key in its holder's: in place of the same key, else as the last."""
    if holder.role == "audit":
        return replace(config, audit_keys=_put(config.audit_keys, timed))
    if holder.role == "publisher":
        publishers = tuple(
            replace(each, keys=_put(each.keys, timed)) if each.name == holder.name else each
            for each in config.publishers
        )
        return replace(config, publishers=publishers)
    reviewers = {each.name: each for each in (*config.reviewers,)}
    old = reviewers.get(holder.name, Reviewer(name=holder.name))
    reviewers[holder.name] = replace(old, keys=_put(old.keys, timed))
    return replace(config, reviewers=tuple(reviewers[name] for name in sorted(reviewers)))


def _put(keys: tuple[TimedKey, ...], timed: TimedKey) -> tuple[TimedKey, ...]:
    if any(each.key == timed.key for each in keys):
        return tuple(timed if each.key == timed.key else each for each in keys)
    return (*keys, timed)


def _checked(document: tomlkit.TOMLDocument, expected: IndexConfig, source: str) -> str:
    text = tomlkit.dumps(document).rstrip("\n") + "\n"
    if parse_config(text.encode(), source=source) != expected:
        raise ConfigError(f"{source}: it is written in a way that cannot be edited safely; edit it by hand")
    return text
