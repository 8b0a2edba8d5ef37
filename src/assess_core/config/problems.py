"""What is wrong with a configuration, all of it, in sentences: key path, what, expected, got, nearest valid word."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

from pydantic import ValidationError

from assess_core.config.model import REPEATED, TABLES, keys_of
from assess_core.config.values import ceiling_of
from assess_core.config.words import key_path, nearest, quoted

MAX_DEPTH = 16
"""Levels of tables and arrays in settings and selectors; they go to a plugin as JSON, and JSON readers recurse."""

_INT64 = range(-(2**63), 2**63)
_EXPECTED: Mapping[str, str] = {
    "string_type": "a string",
    "bool_type": "true or false",
    "float_type": "a number",
    "int_type": "an integer",
    "path_type": "a path, as a string",
    "is_instance_of": "a path, as a string",
    "mapping_type": "a table",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "tuple_type": "an array",
}
_FREE_TABLES = (("plugins", "settings"), ("assessments", "selector"))
_NAMED_ONCE = (
    ("plugins", "name", "distribution"),
    ("assessments", "id", "assessment id"),
    ("maintenance", "id", "maintenance id"),
)

KeyPath = tuple[str | int, ...]


def invalid_values(error: ValidationError) -> Iterator[str]:
    """One sentence for each thing that the model refused."""
    for detail in error.errors(include_url=False):
        parts = tuple(part for part in detail["loc"] if part != "[key]")
        yield f"{key_path(parts)}: {_sentence(detail['type'], parts, detail)}"


def not_json(document: Mapping[str, Any]) -> Iterator[str]:
    """One sentence for each value in settings and selectors that cannot be handed to a plugin."""
    for table, key in _FREE_TABLES:
        for index, entry in enumerate(_tables(document, table)):
            if isinstance(entry, dict):
                yield from _not_json((table, index, key), entry.get(key, {}), MAX_DEPTH)


def named_twice(document: Mapping[str, Any]) -> Iterator[str]:
    """One sentence for each distribution or assessment that is there a second time."""
    for table, key, what in _NAMED_ONCE:
        first: dict[str, int] = {}
        for index, entry in enumerate(_tables(document, table)):
            name = entry.get(key) if isinstance(entry, dict) else None
            if isinstance(name, str) and first.setdefault(name, index) != index:
                yield f"{table}[{index}].{key}: {what} {quoted(name)} is taken by {table}[{first[name]}]"


def unclear_sources(document: Mapping[str, Any]) -> Iterator[str]:
    """One sentence for each thing that is missing, or too much, about where plugins come from."""
    entries = [(index, entry) for index, entry in enumerate(_tables(document, "plugins")) if isinstance(entry, dict)]
    whole: dict[str, int] = {}
    for index, entry in entries:
        where = f"plugins[{index}]"
        yield from _folder_keys(where, entry)
        folder = entry.get("dir")
        if isinstance(folder, str) and "name" not in entry and whole.setdefault(folder, index) != index:
            yield f"{where}.dir: folder {quoted(folder)} is taken by plugins[{whole[folder]}]"
    if "registry" not in document and not (entries and all("dir" in entry for _, entry in entries)):
        yield f"registry: missing; expected {_description(('registry',))}"


def impossible_grants(document: Mapping[str, Any]) -> Iterator[str]:
    """One sentence for each thing in a table of grants that no manifest could ask for."""
    for index, entry in enumerate(_tables(document, "plugins")):
        table = entry.get("grant") if isinstance(entry, dict) else None
        if isinstance(table, dict):
            yield from (f"plugins[{index}].grant.{each.entry}: {each.message}" for each in ceiling_of(table)[1])


def _folder_keys(where: str, entry: Mapping[str, Any]) -> Iterator[str]:
    if "dir" not in entry:
        if "name" not in entry:
            yield f"{where}.name: missing; expected {_description(('plugins', 'name'))}"
        if "trusted_keys" in entry:
            yield f"{where}.trusted_keys: goes with dir; what counts for a registry is registry.root"
        return
    if "trusted_keys" not in entry:
        yield f"{where}.trusted_keys: missing; expected {_description(('plugins', 'trusted_keys'))}"
    for key in ("version", "settings", "grant", "secrets", "run_with_less", "workers"):
        if key in entry and "name" not in entry:
            yield f"{where}.{key}: a folder may hold several plugins; say with name which one is meant"


def _sentence(kind: str, parts: KeyPath, detail: Mapping[str, Any]) -> str:
    if kind == "extra_forbidden":
        return f"unknown key{nearest(str(parts[-1]), _keys_of(parts[:-1]))}"
    if kind == "missing":
        return f"missing; expected {_description(parts)}"
    if kind == "value_error":
        message, value = str(detail["ctx"]["error"]), detail["input"]
        said = (isinstance(value, str) and repr(value) in message) or _is_secret(parts)
        return message if said else f"{message}, got {_shown(value)}"
    expected = _EXPECTED.get(kind)
    if expected is not None and _is_secret(parts):
        return f"expected {expected}"
    if expected is None:  # a kind of error this file has not met; pydantic's words are better than none
        return f"{detail['msg']}, got {_shown(detail['input'])}"
    return f"expected {expected}, got {_shown(detail['input'])}{_brackets(parts, detail['input'])}"


def _is_secret(parts: KeyPath) -> bool:
    """Whether somebody may have written a secret here, in place of where it is: that must not get into a log."""
    return parts[0] == "plugins" and parts[2:3] == ("secrets",)


def _brackets(parts: KeyPath, value: object) -> str:
    """The commonest slip of all: single brackets for double ones, or the other way round."""
    if len(parts) != 1 or parts[0] not in TABLES:
        return ""
    if parts[0] in REPEATED:
        return f"; write [[{parts[0]}]]" if isinstance(value, dict) else ""
    return f"; write [{parts[0]}], once" if isinstance(value, list) else ""


def _keys_of(table: KeyPath) -> Sequence[str]:
    if any(isinstance(part, str) for part in table[1:]):
        return ()
    name = str(table[0]) if table else ""
    return tuple(keys_of(TABLES[name])) if name in TABLES else ()


def _description(parts: KeyPath) -> str:
    table = TABLES[str(parts[0]) if len(parts) > 1 else ""]
    return str(keys_of(table)[str(parts[-1])].description)


def _tables(document: Mapping[str, Any], name: str) -> Sequence[Any]:
    entries = document.get(name)
    return entries if isinstance(entries, list) else ()


def _not_json(path: KeyPath, value: object, depth: int) -> Iterator[str]:
    match value:
        case dict() | list() if depth == 0:
            yield f"{key_path(path)}: nested more than {MAX_DEPTH} levels deep"
        case dict():
            for key, item in value.items():
                yield from _not_json((*path, key), item, depth - 1)
        case list():
            for index, item in enumerate(value):
                yield from _not_json((*path, index), item, depth - 1)
        case float() if not math.isfinite(value):
            yield f"{key_path(path)}: expected a finite number, got {value}"
        case int() if value not in _INT64:
            yield f"{key_path(path)}: expected an integer of at most 64 bits"
        case date() | time():
            yield f"{key_path(path)}: dates and times are not handed to plugins; write a string, {_shown(str(value))}"
        case _:
            return


def _shown(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            # A URL with a password in it is refused, and must not get into a log for that.
            return quoted(re.sub(r"//[^/@\s]*@", "//…@", value))
        case int():
            return str(value) if value in _INT64 else "an integer of more than 64 bits"
        case float():
            return f"{value:g}"
        case datetime() | date() | time():
            return str(value)
        case dict():
            return "a table"
        case list() | tuple():
            return "an array" if value else "an empty array"
        case _:
            return f"a {type(value).__name__}"
