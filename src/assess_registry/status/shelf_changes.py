"""One row more in a list, or one fewer: which parts of it change, and which are no more.

    draft(with_row("names", Row(key="acme-demo", ...), read=read))

The result is what `shelf.all_parts` would make of the rows: a part that gets too long becomes several, and parts that
have room in one become that one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from assess_registry.status.places import DATA
from assess_registry.status.shelf import PART_ROWS, Part, Read, Row, built, part_place, read_part


@dataclass(frozen=True, kw_only=True, slots=True)
class Gone:
    """A part that is no more."""

    prefix: str


def with_row(shelf: str, row: Row, *, read: Read) -> Iterator[Part]:
    """The parts that change when this row is put in, or takes the place of the one with its key; lowest first.

    Raises:
        ConfigError: what is there is not what was written there.
    """
    branch = list(_branch(shelf, row.key, read))
    last = branch.pop()
    rows = {each.key: each for each in last.rows} | {row.key: row}
    ordered = tuple(rows[key] for key in sorted(rows))
    yield from (changed := tuple(built(last.prefix, ordered)) if not last.below else (replace(last, rows=ordered),))
    yield from _upwards(branch, changed[-1])


def without_row(shelf: str, key: str, *, read: Read) -> Iterator[Part | Gone]:
    """The parts that change when the row with this key is taken out, lowest first, and those that are no more.

    Raises:
        ConfigError: what is there is not what was written there.
    """
    branch = list(_branch(shelf, key, read))
    last = branch.pop()
    changed = _joined(shelf, replace(last, rows=tuple(row for row in last.rows if row.key != key)), read)
    changes: dict[str, Part | Gone] = dict(_of(last, changed, shelf, read))
    for part in reversed(branch):
        below = dict(part.below)
        character = changed.prefix[len(part.prefix)]
        if changed.is_empty:
            changes[changed.prefix] = Gone(prefix=changed.prefix)
            below.pop(character, None)
        else:
            below[character] = changed.jump
        above = replace(part, below=below)
        changed = _joined(shelf, above, _over(shelf, changes, read))
        changes |= _of(above, changed, shelf, _over(shelf, changes, read))
    yield from changes.values()


def _of(before: Part, after: Part, shelf: str, read: Read) -> dict[str, Part | Gone]:
    """The part itself, and where it holds now what was below it, those below as gone."""
    gone = _all_below(shelf, before, read) if before.below and not after.below else ()
    return {**{part.prefix: Gone(prefix=part.prefix) for part in gone}, after.prefix: after}


def _joined(shelf: str, part: Part, read: Read) -> Part:
    """The part with all that is below it, where that has room in one."""
    if not part.below:
        return part
    rows = (row for each in (part, *_lazily_below(shelf, part, read)) for row in each.rows)
    found = tuple(islice(rows, PART_ROWS + 1))
    if len(found) > PART_ROWS:
        return part
    return Part(prefix=part.prefix, rows=tuple(sorted(found, key=lambda row: row.key)))


def _over(shelf: str, changes: Mapping[str, Part | Gone], read: Read) -> Read:
    """Reads what is there, as these changes make it."""
    files = {f"{part_place(shelf, prefix)}/{DATA}": each for prefix, each in changes.items()}

    def read_changed(path: str) -> bytes | None:
        change = files.get(path)
        if change is None:
            return read(path)
        return change.data() if isinstance(change, Part) else None

    return read_changed


def _all_below(shelf: str, part: Part, read: Read) -> tuple[Part, ...]:
    return tuple(_lazily_below(shelf, part, read))


def _lazily_below(shelf: str, part: Part, read: Read) -> Iterator[Part]:
    """Every part below, also those that links skip."""
    for character in sorted(part.below):
        found = read_part(shelf, part.prefix + character, read=read)
        if found is not None:
            yield found
            yield from _lazily_below(shelf, found, read)


def _branch(shelf: str, key: str, read: Read) -> Iterator[Part]:
    """The parts from the top down to where the key is, or belongs."""
    prefix = ""
    while True:
        part = read_part(shelf, prefix, read=read) or Part(prefix=prefix)
        yield part
        if not part.below or key == prefix:
            return
        prefix = key[: len(prefix) + 1]


def _upwards(branch: list[Part], changed: Part) -> Iterator[Part]:
    """The parts above, each with its link to the one below it; as many as differ."""
    for part in reversed(branch):
        character = changed.prefix[len(part.prefix)]
        if part.below.get(character) == changed.jump:
            return
        changed = replace(part, below={**part.below, character: changed.jump})
        yield changed
