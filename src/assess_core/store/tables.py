"""Small files about one distribution: values as tables of JSON, field by field, and what it means that one is damaged.

`choices.py` and `consents.py` say what is in theirs.
"""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from assess_core.store.layout import MAX_RECORD_BYTES, DamagedError, explained
from assess_core.store.ownership import read_own
from assess_registry.client import RegistryError, TrustError

Value = TypeVar("Value")


def read_table(path: Path, root: Path, decode: Callable[[bytes], Value], *, damage: str) -> Value | None:
    """What is in a file; None when there is none.

    Args:
        path: the file.
        root: the state directory, which it is in.
        decode: raises ValueError, TypeError or KeyError for what is none.
        damage: what does not happen before a damaged file is put right, and how to do that.

    Raises:
        DamagedError: it is none.
        TrustError: step `state`; somebody else can have written it.
        StoreError: it may not be read.
    """
    with explained(root):
        try:
            return decode(read_own(path, MAX_RECORD_BYTES))
        except FileNotFoundError as error:
            if path.is_symlink():  # to a volume that is not mounted: not the same as that nothing was ever chosen
                raise DamagedError(f"{path}: is a link to nothing; {damage}") from error
            return None
        except TrustError:
            raise
        except (RegistryError, ValueError, TypeError, KeyError) as error:
            raise DamagedError(f"{path}: {error}; {damage}") from error


def as_json(value: Any) -> Any:
    """A value as JSON has it: its fields by name."""
    match value:
        case datetime():
            return value.isoformat()
        case tuple():
            return [as_json(each) for each in value]
        case _ if is_dataclass(value):
            return {field.name: as_json(getattr(value, field.name)) for field in fields(value)}
        case _:
            return value


def fields_in(table: Any, kind: type, value_of: Callable[[str, Any], Any]) -> dict[str, Any]:
    """The fields of a dataclass from a table that has these and no others; `value_of` takes name and value.

    Raises:
        ValueError: it has others, or is no table.
    """
    names = {field.name for field in fields(kind)}
    if not isinstance(table, dict) or table.keys() != names:
        raise ValueError(f"expected a table of {', '.join(sorted(names))}")
    return {name: value_of(name, value) for name, value in table.items()}


def text(name: str, value: Any) -> str:
    """The value of a field that is a text.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, str):
        raise ValueError(f"{name}: expected a text")
    return value


def moment(name: str, value: Any) -> datetime:
    """The value of a field that is a time.

    Raises:
        ValueError: it is none, or has no zone.
    """
    found = datetime.fromisoformat(text(name, value))
    if found.tzinfo is None:
        raise ValueError(f"{name}: expected a time with its zone")
    return found
