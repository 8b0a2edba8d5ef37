"""Until when what a registry signed is believed: read from what is kept of it, verified before it was kept."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from assess_registry.client.trust.kept import MAX_FILE_BYTES, METADATA
from assess_registry.client.trust.own import check_own
from assess_registry.errors import ConfigError
from assess_registry.files import read_bounded

ROLES = ("root", "timestamp", "snapshot", "targets")
"""Of TUF; every other file of metadata is a bin, of which the one that expires first counts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RoleTerm:
    """One role's metadata.

    Attributes:
        role: one of `ROLES`, or `bins`.
        version: of the document; of bins that of the one that expires first.
        expires_at: UTC.
    """

    role: str
    version: int
    expires_at: datetime


def kept_terms(state: Path) -> tuple[RoleTerm, ...]:
    """Every role's term, in the order of `ROLES`; nothing where nothing is kept.

    Raises:
        TrustError: step `state`; others can write there.
        ConfigError: a document cannot be read.
    """
    if not (state / METADATA).is_dir():
        return ()
    check_own(state)
    found = sorted(_terms(state / METADATA), key=lambda term: (_rank(term.role), term.expires_at))
    first = {term.role: term for term in reversed(found)}
    return tuple(first[role] for role in (*ROLES, "bins") if role in first)


def _terms(directory: Path) -> Iterator[RoleTerm]:
    for path in directory.glob("*.json"):
        try:
            signed = json.loads(read_bounded(path, MAX_FILE_BYTES))["signed"]
            expires_at = datetime.fromisoformat(signed["expires"]).astimezone(UTC)
            role = path.stem if path.stem in ROLES else "bins"
            yield RoleTerm(role=role, version=int(signed["version"]), expires_at=expires_at)
        except FileNotFoundError:
            continue
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ConfigError(f"registry state: {path}: cannot be read: {error}; remove {directory.parent}") from error


def _rank(role: str) -> int:
    return ROLES.index(role) if role in ROLES else len(ROLES)
