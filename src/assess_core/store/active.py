"""Which environment serves for each distribution: one small file each, replaced whole, remembering the one before.

    active/assess-host-baseline.json   {"schema": 1, "env_key": "…", "previous": "…" or null}

Rules only; `store.py` holds the lock around a change.
"""

import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path

from assess_core.store.jsontext import json_of
from assess_core.store.layout import MAX_RECORD_BYTES, DamagedError, Layout, explained
from assess_core.store.ownership import read_own
from assess_core.store.untouched import PRIVATE
from assess_registry.client import ProjectName, RegistryError, atomic_write, parse_project, sync_directory

_log = logging.getLogger(__name__)

SCHEMA = 1

_ENV_KEY = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pointer:
    """The environment that serves, and the one that served before it, if any."""

    env_key: str
    previous: str | None = None

    def moved_to(self, env_key: str) -> "Pointer":
        """Serving another environment, remembering this one; unchanged when it is the same."""
        return self if env_key == self.env_key else Pointer(env_key=env_key, previous=self.env_key)


def read_pointer(layout: Layout, distribution: ProjectName) -> Pointer | None:
    """What serves for this distribution; None when nothing does.

    Raises:
        DamagedError: it is no pointer.
        StoreError: it may not be read.
    """
    path = layout.pointer(distribution)
    with explained(layout.root):
        try:
            return decode_pointer(read_own(path, MAX_RECORD_BYTES))
        except FileNotFoundError as error:
            if path.is_symlink():
                raise DamagedError(f"{path}: is a link to nothing; remove it and install the plugin again") from error
            return None
        except (RegistryError, ValueError, TypeError) as error:
            raise DamagedError(f"{path}: {error}; remove this file and install the plugin again") from error


def write_pointer(layout: Layout, distribution: ProjectName, pointer: Pointer) -> None:
    """This serves from now on, also after a crash. Under the store's lock only."""
    atomic_write(layout.pointer(distribution), encode_pointer(pointer), mode=PRIVATE)


def remove_pointer(layout: Layout, distribution: ProjectName) -> None:
    """Nothing serves for this distribution, also after a crash. Under the store's lock only."""
    layout.pointer(distribution).unlink(missing_ok=True)
    sync_directory(layout.path("active"))


def pointed_distributions(layout: Layout) -> tuple[ProjectName, ...]:
    """Every distribution for which something serves, sorted.

    Raises:
        StoreError: the state directory may not be read.
    """
    with explained(layout.root):
        # A dot cannot start a project name: what `atomic_write` is writing at this moment is not a pointer.
        found = [path for path in layout.path("active").glob("*.json") if not path.name.startswith(".")]
    for path in found:
        if distribution_of(path) is None:  # a copy that somebody made, for example: `assess doctor` says it as well
            _log.warning("%s is no plugin's record", path, extra={"action": "store-stray"})
    return tuple(sorted(name for name in map(distribution_of, found) if name is not None))


def distribution_of(record: Path) -> ProjectName | None:
    """Whose record lies at this path, by its name; None when it is nobody's."""
    try:
        name = parse_project(record.stem)
    except ValueError:
        return None
    return name if name == record.stem else None


def encode_pointer(pointer: Pointer) -> bytes:
    """The pointer as JSON."""
    return json.dumps({"schema": SCHEMA, "env_key": pointer.env_key, "previous": pointer.previous}).encode() + b"\n"


def decode_pointer(data: bytes) -> Pointer:
    """The pointer in this file.

    Raises:
        ValueError: it is not a pointer of this schema.
    """
    fields = json_of(data)
    if not isinstance(fields, dict) or fields.keys() != {"schema", "env_key", "previous"} or fields["schema"] != SCHEMA:
        raise ValueError(f"expected schema {SCHEMA} with env_key and previous, got {fields!r}"[:200])
    keys = (fields["env_key"],) if fields["previous"] is None else (fields["env_key"], fields["previous"])
    if not all(isinstance(key, str) and _ENV_KEY.match(key) for key in keys):
        raise ValueError(f"expected environment keys of 64 hexadecimal digits, got {keys!r}"[:200])
    return Pointer(env_key=fields["env_key"], previous=fields["previous"])
