"""What nobody needs any more is removed: environments first, then what only they needed.

    pruned = prune(store, kits=frozenset({"<digest>-cpython-311"}), keep=1)

What is needed say the records (`needed.py`); what is used says the kernel (`leases.py`), and what is being brought up
at this moment the lock that is held meanwhile. What is removed counts as gone from its first step on, and every step
can be the last: what is left then is removed by the next.

1. under the store's lock, with the environment's lease for oneself alone  2. its record, so that it does not count any
more  3. the environment, moved to staging in one step  4. the lists about it, and the lease  5. what is in staging
6. unpacked copies, wheels, locks and kits that no record names
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from assess_core.store.active import pointed_distributions, read_pointer, remove_pointer
from assess_core.store.layout import DamagedError, Layout, explained
from assess_core.store.leases import Lease, claim, is_free
from assess_core.store.needed import Known, needed
from assess_core.store.records import Record
from assess_core.store.store import Store
from assess_registry.client import LockTimeoutError, ProjectName, file_lock, sync_directory

_ENV_KEY = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)
_LISTS = ("contents", "stat")
_BLOCK_BYTES = 512
"""Of `st_blocks`, on every file system (POSIX leaves it open, Linux does not)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Removal:
    """One environment that was, would be, or could not be removed; no names where its record cannot be read."""

    env_key: str
    distribution: ProjectName | None
    version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Pruned:
    """What was removed, or would be.

    Attributes:
        removed: environments. in_use: those that nobody needs and somebody uses at this moment.
        others: unpacked copies, wheels, locks and kits, by their paths in the state directory.
        freed_bytes: what the disk gets back: of files whose last name is gone.
    """

    removed: tuple[Removal, ...] = ()
    in_use: tuple[Removal, ...] = ()
    others: tuple[str, ...] = ()
    freed_bytes: int = 0


def prune(store: Store, *, kits: frozenset[str], keep: int = 1, dry_run: bool = False) -> Pruned:
    """Nothing is left that is neither needed nor used; `keep` older versions of each distribution are needed.

    The kits with these names, which are the runtime's own, stay.

    Raises:
        StoreError: the state directory cannot be used.
        LockTimeoutError: another process kept the store for two minutes.
    """
    layout = store.layout
    if not layout.root.exists():
        return Pruned()
    with explained(layout.root), ExitStack() as stack:
        if not dry_run:
            stack.enter_context(layout.locked())
        wanted = needed(store, keep=keep)
        unneeded = [
            each for each in (*wanted.known, *_nameless(layout, wanted.known)) if each.env_key not in wanted.keys
        ]
        work = _Work(layout, stack, dry_run=dry_run)
        work.environments(unneeded)
        work.others_beside(wanted.known)
        work.kits(kits)
        return work.done()


def uninstall(store: Store, distribution: ProjectName) -> Pruned:
    """Nothing serves for this distribution, nothing is known of it, and only what is in use is left of it, until then.

    Raises:
        StoreError: the state directory cannot be used.
        LockTimeoutError: another process kept the store, or is bringing up a version of it, for two minutes.
    """
    layout = store.layout
    with explained(layout.root), ExitStack() as stack:
        stack.enter_context(store.activating(distribution))
        stack.enter_context(layout.locked())
        remove_pointer(layout, distribution)  # first: killed later, it does not serve
        known = needed(store, keep=0).known
        work = _Work(layout, stack, dry_run=False, bringing_up=distribution)
        work.environments([each for each in known if each.distribution == distribution])
        work.others_beside(known)
        pruned = work.done()
        # Last: as long as anything of it is here, what was consented to and what failed is known.
        for path in (layout.quarantine(distribution), layout.choices(distribution), layout.consents(distribution)):
            path.unlink(missing_ok=True)
            sync_directory(path.parent)
        return pruned


class _Work:
    """What is to go is chosen and locked first, weighed together, and then removed: files may have names in several."""

    def __init__(
        self, layout: Layout, stack: ExitStack, *, dry_run: bool, bringing_up: ProjectName | None = None
    ) -> None:
        self._layout = layout
        self._stack = stack
        self._dry_run = dry_run
        self._locked: dict[ProjectName, bool] = {} if bringing_up is None else {bringing_up: True}
        self._leases: dict[str, Lease] = {}
        self._others: list[Path] = []
        self._kits: list[Path] = []
        self._removed: list[Known] = []
        self._in_use: list[Known] = []

    def environments(self, chosen: Iterable[Known]) -> None:
        """These are to go, if nobody uses them or is about to."""
        for each in chosen:
            free = self._settled(each.distribution) and self._claimed(each.env_key)
            (self._removed if free else self._in_use).append(each)

    def others_beside(self, known: Iterable[Known]) -> None:
        """What only those needed that are to go, is to go, too."""
        gone = {each.env_key for each in self._removed}
        left = [each.record for each in known if each.env_key not in gone]
        if None not in left:  # else nobody knows what that one needs
            self._others += _unnamed([record for record in left if record is not None], self._layout)

    def kits(self, ours: frozenset[str]) -> None:
        """All kits but these are to go, if nobody uses them."""
        found = (path for path in _entries(self._layout.path("kits")) if path.is_dir() and path.name not in ours)
        self._kits += [path for path in found if self._claimed(f"kit-{path.name}")]

    def done(self) -> Pruned:
        """It is gone; what was and what the disk gets back."""
        layout = self._layout
        environments = [layout.environment(each.env_key) for each in self._removed]
        freed = _weight((*environments, *self._others, *self._kits))
        if not self._dry_run:
            for each in self._removed:
                self._remove(each.env_key, layout.record(each.env_key), layout.environment(each.env_key))
            for path in self._others:
                self._discard(path)
                if path.parent.parent == layout.path("wheels"):  # the last unpacked copy of a wheel that stays
                    sync_directory(path.parent)
            for path in self._kits:
                self._remove(f"kit-{path.name}", layout.path("kits") / f"{path.name}.contents", path)
            self._tidy()
        return Pruned(
            removed=tuple(map(_shown, self._removed)),
            in_use=tuple(map(_shown, self._in_use)),
            others=tuple(path.relative_to(layout.root).as_posix() for path in (*self._others, *self._kits)),
            freed_bytes=freed,
        )

    def _settled(self, distribution: ProjectName | None) -> bool:
        """Whether nobody is bringing up a version of this: installed and not active yet, it looks unneeded."""
        if distribution is None:
            return True
        if distribution not in self._locked:
            path = self._layout.activation_lock(distribution)
            try:
                if not self._dry_run or path.exists():
                    # Nothing is waited for, so this may be taken in any order.
                    self._stack.enter_context(file_lock(path, timeout_s=0))
                self._locked[distribution] = True
            except LockTimeoutError:
                self._locked[distribution] = False
        return self._locked[distribution]

    def _claimed(self, name: str) -> bool:
        path = self._layout.lease(name)
        if self._dry_run:
            return is_free(path)
        lease = claim(path)
        if lease is not None:
            self._leases[name] = lease
            self._stack.callback(lease.release)
        return lease is not None

    def _remove(self, name: str, counts: Path, tree: Path) -> None:
        """`counts` is what makes it count. After each step it is gone, or one that nobody can find."""
        counts.unlink(missing_ok=True)
        sync_directory(counts.parent)  # before the tree: a record without its files would be found after a power cut
        with self._layout.staging() as staging:
            if os.path.lexists(tree):
                tree.rename(staging)
            for what in _LISTS:
                counts.with_suffix(f".{what}").unlink(missing_ok=True)
            self._layout.lease(name).unlink(missing_ok=True)  # last, and locked: see `leases.take`
            self._leases.pop(name).release()

    def _discard(self, path: Path) -> None:
        with self._layout.staging() as staging:
            path.rename(staging)

    def _tidy(self) -> None:
        """Lists and leases whose environment is gone: of a removal that was killed."""
        layout = self._layout
        present = {path.name for path in _entries(layout.path("envs"))}
        for path in _entries(layout.path("installed")):
            if path.suffix != ".json" and not layout.record(path.stem).exists() and path.stem not in present:
                path.unlink()
        kits = {f"kit-{path.name}" for path in _entries(layout.path("kits")) if path.is_dir()}
        for path in _entries(layout.path("leases")):
            if path.name not in kits and path.name not in present and (lease := claim(path)) is not None:
                with lease:
                    path.unlink()
        self._tidy_trials()

    def _tidy_trials(self) -> None:
        """Only what serves is on trial; also what lies in the shared store."""
        pointers = (read_pointer(self._layout, each) for each in pointed_distributions(self._layout))
        try:
            serving = {pointer.env_key for pointer in pointers if pointer is not None}
        except DamagedError:  # whose pointer, and what it named, is not known: said where one goes by it
            return
        for path in _entries(self._layout.path("trials")):
            if path.name not in serving:
                path.unlink()


def _nameless(layout: Layout, known: Iterable[Known]) -> Iterator[Known]:
    """Environments without a record: of a removal, or an installation, that was killed."""
    names = {each.env_key for each in known}
    for path in _entries(layout.path("envs")):
        if path.name not in names and _ENV_KEY.match(path.name):
            yield Known(env_key=path.name)


def _unnamed(records: Iterable[Record], layout: Layout) -> Iterator[Path]:
    """Unpacked copies, wheels and locks that none of these records names."""
    tags: dict[str, set[str]] = {}
    locks = set()
    for record in records:
        locks.add(record.plugin.lock_sha256)
        for wheel in record.wheels:
            tags.setdefault(wheel.sha256, set()).add(record.interpreter.cache_tag)
    for path in _entries(layout.path("wheels")):
        if path.name not in tags:
            yield path
        else:
            yield from (copy for copy in _entries(path) if copy.is_dir() and copy.name not in tags[path.name])
    yield from (path for path in _entries(layout.path("locks")) if path.name not in locks)


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except FileNotFoundError:
        return []


def _weight(trees: Iterable[Path]) -> int:
    """Bytes on disk of every directory in these, and of every file all of whose names are in these."""
    names: dict[tuple[int, int], int] = {}
    total = 0
    for tree in trees:
        for status in _statuses(tree):
            inode = status.st_dev, status.st_ino
            names[inode] = names.get(inode, 0) + 1
            if stat.S_ISDIR(status.st_mode) or names[inode] == status.st_nlink:
                total += status.st_blocks * _BLOCK_BYTES
    return total


def _statuses(tree: Path) -> Iterator[os.stat_result]:
    try:
        yield tree.lstat()
    except FileNotFoundError:
        return
    for directory, directories, files in os.walk(tree):
        for name in (*directories, *files):
            yield Path(directory, name).lstat()


def _shown(known: Known) -> Removal:
    return Removal(env_key=known.env_key, distribution=known.distribution, version=known.version)
