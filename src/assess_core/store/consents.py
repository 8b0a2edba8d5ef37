"""What was consented to of each distribution: one small file each, replaced whole.

    consents/assess-host-baseline.json
        {"schema": 1, "baseline": {"version": …, "permissions": {…}}, "ran": ["<sha256>", …], "waiting": {…} or null,
         "given": [{…}, …]}

The baseline is what the version asks for that became active last: what a new version asks for beyond it waits. It is
kept here, and not read from what is installed, so that an environment that was lost or damaged does not make the next
version look like the first one. Rules only; `store.py` holds the lock around a change.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from assess_core.store.jsontext import json_of
from assess_core.store.layout import Layout
from assess_core.store.tables import as_json, fields_in, moment, read_table, text
from assess_core.store.untouched import PRIVATE
from assess_registry.client import (
    Permissions,
    ProjectName,
    Sha256,
    atomic_write,
    parse_sha256,
)

SCHEMA = 1

MAX_RAN = 100
"""Wheels that are remembered as having been active."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline:
    """What the version asks for that became active last."""

    version: str
    permissions: Permissions


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """A version that is installed, and does not run before somebody consents.

    Attributes:
        added: what it asks for that was not consented to. since: the version that this is compared with.
        seen_at: when that was first seen.
    """

    version: str
    sha256: Sha256
    since: str
    added: Permissions
    seen_at: datetime

    def same(self, other: "Waiting | Consent") -> bool:
        """Whether the other is about the same wheel, and the same difference."""
        return (self.version, self.sha256, self.added) == (other.version, other.sha256, other.added)


@dataclass(frozen=True, kw_only=True, slots=True)
class Consent:
    """Somebody's word that one wheel may have what it asks for beyond the version before it.

    Attributes:
        digest: what was typed, which names wheel and difference.
        by: the user, as the system has it.
    """

    version: str
    sha256: Sha256
    digest: str
    added: Permissions
    at: datetime
    by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Consents:
    """All that is known of one distribution's consents.

    Attributes:
        ran: the wheels that were active, the last one last: to go back to one of them asks for nothing new.
        given: in the order in which they were given.
    """

    baseline: Baseline | None = None
    ran: tuple[Sha256, ...] = ()
    waiting: Waiting | None = None
    given: tuple[Consent, ...] = ()

    def for_wheel(self, sha256: Sha256) -> Permissions:
        """Everything that was consented to for this very wheel."""
        given = [each.added for each in self.given if each.sha256 == sha256]
        return Permissions(**{key: tuple(entry for each in given for entry in getattr(each, key)) for key in _KEYS})

    def with_active(self, baseline: Baseline, sha256: Sha256) -> "Consents":
        """When this wheel has become active: nothing waits, and the next one is compared with it."""
        ran = (*(each for each in self.ran if each != sha256), sha256)
        return replace(self, baseline=baseline, ran=ran[-MAX_RAN:], waiting=None)

    def with_consent(self, consent: Consent) -> "Consents":
        """With this one, too; the same one twice is once."""
        known = any((each.sha256, each.digest) == (consent.sha256, consent.digest) for each in self.given)
        return self if known else replace(self, given=(*self.given, consent))


def read_consents(layout: Layout, distribution: ProjectName) -> Consents:
    """What is on record for this distribution; an empty value when nothing is.

    Raises:
        DamagedError: it is no such record.
        TrustError: step `state`; somebody else can have written it.
        StoreError: it may not be read.
    """
    damage = (
        f"nothing new of {distribution} starts before that is put right. Restore it from a backup, or remove it: then "
        "the version that runs counts as consented to"
    )
    return read_table(layout.consents(distribution), layout.root, decode_consents, damage=damage) or Consents()


def write_consents(layout: Layout, distribution: ProjectName, consents: Consents) -> None:
    """This is on record from now on, also after a crash. Under the store's lock only."""
    atomic_write(layout.consents(distribution), encode_consents(consents), mode=PRIVATE)


def encode_consents(consents: Consents) -> bytes:
    """The record as JSON."""
    return json.dumps({"schema": SCHEMA, **as_json(consents)}, indent=1).encode() + b"\n"


def decode_consents(data: bytes) -> Consents:
    """The record in this file.

    Raises:
        ValueError, TypeError, KeyError: it is none of this schema.
    """
    document = json_of(data)
    if not isinstance(document, dict) or document.keys() != {"schema", "baseline", "ran", "waiting", "given"}:
        raise ValueError("expected schema, baseline, ran, waiting and given")
    if document["schema"] != SCHEMA:
        raise ValueError(f"schema: expected {SCHEMA}, got {document['schema']!r}")
    baseline, waiting, given = document["baseline"], document["waiting"], document["given"]
    if not isinstance(given, list) or not isinstance(document["ran"], list):
        raise ValueError("ran and given: expected arrays")
    return Consents(
        baseline=None if baseline is None else Baseline(**fields_in(baseline, Baseline, _value)),
        ran=tuple(parse_sha256(each) for each in document["ran"]),
        waiting=None if waiting is None else Waiting(**fields_in(waiting, Waiting, _value)),
        given=tuple(Consent(**fields_in(each, Consent, _value)) for each in given),
    )


_KEYS = tuple(table.name for table in fields(Permissions))


def _value(name: str, value: Any) -> Any:
    if name in ("permissions", "added"):
        return _permissions(value)
    if name in ("at", "seen_at"):
        return moment(name, value)
    if name == "sha256":
        return parse_sha256(text(name, value))
    return text(name, value)


def _permissions(table: Mapping[str, Any]) -> Permissions:
    """A key that is not there is of a permission that the release did not know which wrote this."""
    if not isinstance(table, dict) or not table.keys() <= set(_KEYS):
        raise ValueError(f"expected a table of permissions, keys among {', '.join(_KEYS)}")
    return Permissions(**{key: tuple(_entry(key, entry) for entry in entries) for key, entries in table.items()})


def _entry(key: str, entry: Any) -> Any:
    words = entry if key == "commands" else [entry]
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise ValueError(f"{key}: expected {'arrays of texts' if key == 'commands' else 'texts'}")
    return tuple(words) if key == "commands" else entry
