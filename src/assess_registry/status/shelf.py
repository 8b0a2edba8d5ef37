"""A list of any length on pages of bounded size: a trie, of which a change writes one branch.

    names/index.html            everything, while it fits; else one link for each beginning
    names/~a/index.html         what begins with `a`, while that fits; and so on
    names/~a/index.json         the same for programs, and what the next change starts from

A part holds up to `PART_ROWS` rows, so one row more costs one part and never more than those above it, among a hundred
thousand rows as among ten. The parts depend on the rows alone: not on their order, nor on what was there before.

A part that has a single part below is skipped by links: a hundred names `acme-…` are one click away, not six.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from assess_registry.errors import ConfigError
from assess_registry.status.harmless import encode_harmless
from assess_registry.status.places import DATA, NODE_MARK, STATUS

PART_ROWS = 100
SCHEMA = 1
MAX_PART_BYTES = 1 << 20
"""Of one part as JSON: a hundred rows of all that the longest may hold."""

Read = Callable[[str], bytes | None]
"""The content of a file by its path below `status/`; None when there is none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One thing in a list.

    Attributes:
        key: by which it is found and ordered, unique in the list: ASCII without `/`, not beginning with `~`.
        place: the directory of its page, below `status/`.
        title: in its author's words; empty for none.
        notes: more words, such as its version and kind.
        standing: of what it leads to; empty for none.
    """

    key: str
    place: str
    title: str = ""
    notes: tuple[str, ...] = ()
    standing: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """The rows whose keys begin with `prefix`, or where to look for them.

    Attributes:
        rows: all of them; where there are parts below, at most the one whose key is the prefix itself.
        below: next character -> the prefix of the first part below that has something to choose from.
    """

    prefix: str
    rows: tuple[Row, ...] = ()
    below: Mapping[str, str] = field(default_factory=dict)

    def data(self) -> bytes:
        """The part as JSON; the same for the same part."""
        rows = [row_table(row) for row in self.rows]
        document = {"schema": SCHEMA, "prefix": self.prefix, "rows": rows, "below": dict(self.below)}
        return encode_harmless(document)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in it or below it."""
        return not self.rows and not self.below

    @property
    def jump(self) -> str:
        """Where a link to this part leads."""
        return next(iter(self.below.values())) if len(self.below) == 1 and not self.rows else self.prefix


def part_place(shelf: str, prefix: str) -> str:
    """The directory of a part."""
    return f"{shelf}/{NODE_MARK}{prefix}" if prefix else shelf


def all_parts(rows: Iterable[Row]) -> Iterator[Part]:
    """The whole list from its rows, a part after all that are below it."""
    yield from built("", tuple(sorted({row.key: row for row in rows}.values(), key=lambda row: row.key)))


def beginning_with(shelf: str, start: str, *, read: Read) -> Iterator[Row]:
    """Rows whose keys begin so, in order, each part read when it is come to.

    Raises:
        ConfigError: a part is not what was written there.
    """
    prefix = ""
    while (part := read_part(shelf, prefix, read=read)) is not None:
        if not part.below or len(start) <= len(prefix):
            yield from (row for row in part.rows if row.key.startswith(start))
            for _, jump in sorted(part.below.items()):
                yield from _below(shelf, jump, read)
            return
        prefix = start[: len(prefix) + 1]


def _below(shelf: str, prefix: str, read: Read) -> Iterator[Row]:
    part = read_part(shelf, prefix, read=read) or Part(prefix=prefix)
    yield from part.rows
    for _, jump in sorted(part.below.items()):
        yield from _below(shelf, jump, read)


def read_part(shelf: str, prefix: str, *, read: Read) -> Part | None:
    """The part as it is published; None when there is none.

    Raises:
        ConfigError: it is not what was written there.
    """
    path = f"{part_place(shelf, prefix)}/{DATA}"
    data = read(path)
    if data is None:
        return None
    try:
        document = json.loads(data)
        rows = tuple(parse_row(each) for each in document["rows"])
        below = {str(character): str(jump) for character, jump in document["below"].items()}
        if document["prefix"] != prefix or document["schema"] != SCHEMA:
            raise ValueError("another part")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(path) from error
    return Part(prefix=prefix, rows=rows, below=below)


def damaged(path: str) -> ConfigError:
    """The refusal to build on a file that somebody changed."""
    return ConfigError(
        f"{STATUS}/{path}: not what was written there; the catalogue's pages are made from signed files alone: "
        f"remove the directory {STATUS} and run `assess-registry refresh`, which writes all of them anew"
    )


def built(prefix: str, rows: tuple[Row, ...]) -> Iterator[Part]:
    """The part of this beginning, after all that are below it, from its rows in order."""
    if len(rows) <= PART_ROWS:
        yield Part(prefix=prefix, rows=rows)
        return
    own = tuple(row for row in rows if row.key == prefix)
    below = {}
    for character in sorted({row.key[len(prefix)] for row in rows if row.key != prefix}):
        start = prefix + character
        for part in built(start, tuple(row for row in rows if row.key.startswith(start))):
            yield part
        below[character] = part.jump
    yield Part(prefix=prefix, rows=own, below=below)


def row_table(row: Row) -> dict[str, Any]:
    """The row as JSON values; what is empty is left out."""
    table: dict[str, Any] = {"key": row.key, "place": row.place}
    table |= {"title": row.title} if row.title else {}
    table |= {"notes": list(row.notes)} if row.notes else {}
    return table | ({"standing": row.standing} if row.standing else {})


def parse_row(table: Any) -> Row:
    """The row that `row_table` wrote so.

    Raises:
        ValueError, TypeError, AttributeError: it is none.
    """
    texts = {name: table.get(name, "") for name in ("key", "place", "title", "standing")}
    notes = table.get("notes", [])
    if not all(isinstance(each, str) for each in (*texts.values(), *notes)) or not texts["key"]:
        raise ValueError("not a row")
    return Row(notes=tuple(notes), **texts)
