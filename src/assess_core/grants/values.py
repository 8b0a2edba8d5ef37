"""What an operator says about a plugin's permissions, as values."""

import json
from dataclasses import dataclass, fields

from assess_plugin.comparing import Entry
from assess_registry.client import Permissions

KEYS = tuple(table.name for table in fields(Permissions))
"""The tables of permissions, which are the keys of a grant."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ceiling:
    """A table that narrows what is approved.

    Attributes:
        permissions: what is granted at most, in the tables that are there.
        keys: the tables that are there, an empty one too; every other one stays as approved.
    """

    permissions: Permissions
    keys: frozenset[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Withheld:
    """Something that a plugin asks for and does not get, or not all of."""

    key: str
    value: Entry

    def __str__(self) -> str:
        return f"{self.key} {written(self.value)}"


def written(value: Entry) -> str:
    """The entry as TOML writes it, in ASCII."""
    return json.dumps(value)
