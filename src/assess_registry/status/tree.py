"""The catalogue on disk: what a change of the registry's word changes is written, and nothing else is read or touched.

1. Before the commit, each project that is about to change is marked (`marks`).
2. After it, `write` makes from what is signed now: pages of releases that changed, the project's page, the parts of
   lists that it stands in, the first page, and last the project's record. Then the marks go.
3. Killed in between, the marks are still there, and the next `write`, whatever it is about, sees to them.

So what a publish costs does not depend on how many projects there are. `write_all` makes everything anew.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from assess_registry.index.tree import Tree
from assess_registry.names import ProjectName
from assess_registry.status.compose import CatalogueOf, Composer
from assess_registry.status.draft import Draft
from assess_registry.status.front import Front, parse_front
from assess_registry.status.marks import announced, done
from assess_registry.status.pages.front import front_page, unsearched_page
from assess_registry.status.pages.lists import list_page
from assess_registry.status.places import (
    DATA,
    NAMES,
    PAGE,
    PROJECTS,
    SEARCH,
    STATUS,
    project_place,
    release_place,
)
from assess_registry.status.record import Record, parse_record
from assess_registry.status.shelf import Part, Row, all_parts, part_place
from assess_registry.status.shelf_changes import Gone, with_row, without_row
from assess_registry.status.shelves import EMPTY, FIXED, leading_rows, shelf_at
from assess_registry.status.values import House


@dataclass(frozen=True, kw_only=True, slots=True)
class Pages:
    """The catalogue's pages of a registry, for the holder of its lock.

    Attributes:
        house: the registry as it is now, after the commit.
        catalogue_of: the releases of a project as they are signed now.
        projects: all that have any; asked for only where all are needed.
    """

    tree: Tree
    house: House
    catalogue_of: CatalogueOf
    projects: Callable[[], Iterable[ProjectName]]
    _draft: Draft = field(init=False, repr=False, compare=False)
    _composer: Composer = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_composer", Composer(self.tree, self.house, self.catalogue_of))
        object.__setattr__(self, "_draft", Draft(self.tree))

    def write(self, projects: Iterable[ProjectName]) -> None:
        """The pages of these projects, and of those that somebody was killed over, say what is signed.

        Raises:
            ConfigError: what they build upon is not what was written there.
            OSError: the tree cannot be written. The marks stay.
        """
        marked = announced(self.tree.root)
        todo = sorted({*projects, *marked})
        if todo and self._front() is None:
            self._begin(is_whole={*todo} >= {*self.projects()})
        for project in todo:
            self._write_project(project)
        self._draft.write()
        done(self.tree.root, marked)

    def write_all(self) -> None:
        """Every page is made anew; what is there besides is removed.

        Raises:
            OSError: the tree cannot be written or read.
        """
        marked = announced(self.tree.root)
        rows = dict(FIXED_ROWS)
        front, kept = Front(), {PAGE, DATA, f"{SEARCH}/{PAGE}"}
        for project in self.projects():
            record = self._composer.compose(project, Record(project=project), self._draft.put)
            if not record.summaries:
                continue
            front = front.with_row(*_recent(record))
            kept |= set(_files_of(record))
            for shelf, row in record.rows:
                rows[shelf, row.key] = row
                rows |= {(above, each.key): each for above, each in leading_rows(shelf)}
            self._put(project_place(project), DATA, record.data())
            self._draft.write()
        shelves: dict[str, list[Row]] = {place: [] for place in EMPTY}
        for (shelf, _), row in rows.items():
            shelves.setdefault(shelf, []).append(row)
        for shelf, listed in sorted(shelves.items()):
            for part in all_parts(listed):
                self._put_part(shelf, part)
                kept |= {f"{part_place(shelf, part.prefix)}/{name}" for name in (PAGE, DATA)}
            self._draft.write()
        self._put(SEARCH, PAGE, unsearched_page(self.house))
        self._remove_others(kept)
        # Last: by it the next refresh knows that all of this was done.
        self._put_front(replace(front, house=self._composer.house_digest()))
        self._draft.write()
        done(self.tree.root, marked)

    def refresh(self) -> None:
        """What depends on changed people, keys, targets or layout is made anew; else what was left is finished."""
        front = self._front()
        if front is None and not any(True for _ in self.projects()):
            return
        if front is None or front.house != self._composer.house_digest():
            self.write_all()
        else:
            self.write(())

    def _begin(self, *, is_whole: bool) -> None:
        """The lists that every page leads to; where other projects have no pages yet, a refresh has to make them."""
        for shelf in EMPTY:
            for part in all_parts(row for place, row in FIXED if place == shelf):
                self._put_part(shelf, part)
        self._put(SEARCH, PAGE, unsearched_page(self.house))
        self._put_front(Front(house=self._composer.house_digest() if is_whole else ""))

    def _write_project(self, project: ProjectName) -> None:
        data = self._draft.read(f"{project_place(project)}/{DATA}")
        old = Record(project=project) if data is None else parse_record(data, project)
        record = self._composer.compose(project, old, self._draft.put)
        self._list(old, record)
        front = self._front() or Front()
        if not record.summaries:
            self._put_front(front.without_row(project))
            return
        self._put_front(front.with_row(*_recent(record)))
        # Last: what it says of lists is what they say.
        self._put(project_place(project), DATA, record.data())

    def _list(self, old: Record, new: Record) -> None:
        """The project stands in the lists of the new record and no more in others of the old one."""
        before, after = dict(old.rows), dict(new.rows)
        for shelf in sorted(before.keys() - after.keys(), reverse=True):
            self._take_out(shelf, before[shelf].key)
        for shelf, row in sorted(after.items()):
            if before.get(shelf) == row:
                continue
            self._put_parts(shelf, with_row(shelf, row, read=self._draft.read))
            for above, each in leading_rows(shelf):
                self._put_parts(above, with_row(above, each, read=self._draft.read))

    def _take_out(self, shelf: str, key: str) -> None:
        """The list without this row; an empty one goes, and the row that leads to it."""
        for change in without_row(shelf, key, read=self._draft.read):
            if isinstance(change, Gone):
                self._remove_part(shelf, change.prefix)
                continue
            self._put_part(shelf, change)
            if change.is_empty and not change.prefix and shelf not in EMPTY:
                self._remove_part(shelf, "")
                for above, row in leading_rows(shelf)[:1]:
                    self._take_out(above, row.key)

    def _remove_part(self, shelf: str, prefix: str) -> None:
        for name in (PAGE, DATA):
            self._draft.remove(f"{part_place(shelf, prefix)}/{name}")

    def _front(self) -> Front | None:
        data = self._draft.read(DATA)
        return None if data is None else parse_front(data)

    def _put_front(self, front: Front) -> None:
        self._put("", PAGE, front_page(self.house, [row for _, row in front.recent]))
        self._put("", DATA, front.data())

    def _put_parts(self, shelf: str, parts: Iterable[Part]) -> None:
        for part in parts:
            self._put_part(shelf, part)

    def _put_part(self, shelf: str, part: Part) -> None:
        place = part_place(shelf, part.prefix)
        self._put(place, PAGE, list_page(self.house, shelf_at(shelf), part))
        self._put(place, DATA, part.data())

    def _put(self, place: str, name: str, data: bytes) -> None:
        self._draft.put(f"{place}/{name}" if place else name, data)

    def _remove_others(self, kept: set[str]) -> None:
        """Pages that nobody wrote now; what is no page is left alone."""
        top = self.tree.root / STATUS
        for path in sorted(top.rglob("*")):
            name = path.relative_to(top).as_posix()
            if path.name in (PAGE, DATA) and name not in kept:
                self._draft.remove(name)


FIXED_ROWS: dict[tuple[str, str], Row] = {(shelf, row.key): row for shelf, row in FIXED}


def remove_strays(tree: Tree, projects: Iterable[ProjectName]) -> Iterator[str]:
    """Pages of projects that are none of these are gone; their directories, relative to the root."""
    known = {project_place(project) for project in projects}
    for path in sorted((tree.root / STATUS / PROJECTS).glob("*")):
        if path.is_dir() and path.relative_to(tree.root / STATUS).as_posix() not in known:
            shutil.rmtree(path)
            yield path.relative_to(tree.root).as_posix()


def _recent(record: Record) -> tuple[str, Row]:
    return record.published, dict(record.rows)[NAMES]


def _files_of(record: Record) -> Iterator[str]:
    yield from (f"{project_place(record.project)}/{name}" for name in (PAGE, DATA))
    yield from (f"{release_place(record.project, each.version)}/{PAGE}" for each in record.summaries)
