"""The two notations of an inventory: text in, entries out, each with where it stands.

TOML is read whole or not at all; of CSV, a row that is wrong is one entry that is wrong.
"""

import csv
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from io import StringIO
from typing import Any

from assess_inventory.entries import EntryError

COLUMNS = ("id", "type", "title")
PREFIXES = ("label.", "prop.")

Entries = Iterator[tuple[str, Mapping[str, Any] | EntryError]]


class InventoryError(ValueError):
    """The file as a whole is not an inventory; the message says where and why."""


def toml_entries(text: str) -> Entries:
    """Each `[[subjects]]`.

    Raises:
        InventoryError: it is not TOML, or has something else than subjects in it.
    """
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InventoryError(f"not TOML: {error}") from error
    if unknown := sorted(set(document) - {"subjects"}):
        raise InventoryError(f"unknown key {unknown[0]!r}: an inventory has [[subjects]] and nothing else")
    listed = document.get("subjects", [])
    if not isinstance(listed, list):
        raise InventoryError("subjects must be written as [[subjects]], a table for each")
    for index, entry in enumerate(listed):
        where = f"subjects[{index}]"
        yield where, entry if isinstance(entry, Mapping) else EntryError("it is no table")


def csv_entries(text: str) -> Entries:
    """Each row (RFC 4180); an empty cell is no value, an empty line no row.

    Blanks around a value are not of it, unlike in RFC 4180: a table that somebody has lined up would list ` host:a`
    beside `host:a`, and no selector would find ` prod`.

    Raises:
        InventoryError: its first line does not name the columns.
    """
    # the csv module must see line ends as they are: within quotes they belong to the value
    rows = csv.reader(StringIO(text, newline=""), strict=True, skipinitialspace=True)
    columns: Sequence[str] | None = None
    line = 1
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            if columns is None:
                raise InventoryError(f"line 1: {error}") from error
            yield f"line {line}", EntryError(f"{error}: what follows it is not read")
            return
        if row is None:
            break
        if columns is None:
            columns = _columns(row)
        elif len(row) > 1 or (row and row[0].strip()):
            yield f"line {line}", _entry(columns, row)
        line = rows.line_num + 1
    if columns is None:
        raise InventoryError(f"it is empty; its first line must name its columns, {', '.join(COLUMNS)} among them")


def _columns(row: Sequence[str]) -> Sequence[str]:
    columns = [name.strip() for name in row]
    for name in columns:
        if name not in COLUMNS and not any(name.startswith(each) and name != each for each in PREFIXES):
            near = get_close_matches(name, [*COLUMNS, *PREFIXES], n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise InventoryError(f"line 1: unknown column {name[:60]!r}: id, type, title, label.NAME, prop.NAME{hint}")
    if twice := sorted({name for name in columns if columns.count(name) > 1}):
        raise InventoryError(f"line 1: column {twice[0]!r} comes twice")
    if "id" not in columns:
        raise InventoryError("line 1: there is no column 'id'")
    return columns


def _entry(columns: Sequence[str], row: Sequence[str]) -> Mapping[str, Any] | EntryError:
    if len(row) != len(columns):
        return EntryError(f"{len(row)} values for {len(columns)} columns")
    entry: dict[str, Any] = {"labels": {}, "props": {}}
    for name, value in zip(columns, map(str.strip, row), strict=True):
        if not value:
            continue
        kind, _, key = name.partition(".")
        match kind:
            case "label":
                entry["labels"][key] = value
            case "prop":
                entry["props"][key] = value
            case _:
                entry[name] = value
    return entry
