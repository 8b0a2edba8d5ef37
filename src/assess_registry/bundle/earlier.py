"""What a site serves of earlier bundles, held against what the registry signed, and put beside what a bundle brings.

1. Projects are the directories of `files/`. Of each, the signed page that the bundle brings says what its releases are.
2. A release is served if one of its wheels lies there. Each of its files is the one the page names, or it is damaged.
3. Each wheel that its lock names besides, for any target, is the one that was locked, or it is damaged.

So what a page names follows from signed word alone: what nobody vouches for is on no page, and what is damaged has the
digest that was signed, or none. What is damaged is told, with the release to export again: a site has no other copy.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from assess_registry.bundle.archive import Carried
from assess_registry.bundle.way import is_directory, is_file
from assess_registry.catalogue import Catalogue, FileRef, Release
from assess_registry.client.verify import inspect_locked
from assess_registry.errors import ConfigError, TrustError
from assess_registry.files import read_bounded
from assess_registry.index.tree import FILES, METADATA_SUFFIX, digest
from assess_registry.lock import Lock, LockedWheel, parse_lock
from assess_registry.names import ProjectName, parse_project


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Damaged:
    """A file at the site that is not what was signed, or is not there.

    Attributes:
        name: relative to the site.
        needed_by: a release that cannot be installed without it; to export again.
    """

    name: str
    needed_by: Carried


def projects_of(site: Path) -> Iterator[ProjectName]:
    """Those that have a directory in `files/`; what else lies there is somebody's, and nothing to us.

    Raises:
        ConfigError: one of them is a link.
    """
    if not is_directory(site, FILES):
        return
    for path in sorted((site / FILES).iterdir()):
        try:
            project = parse_project(path.name)
        except ValueError:
            continue
        if path.is_symlink() or path.is_dir():
            is_directory(site, f"{FILES}/{project}")
            yield project


def lay_beside(
    site: Path, staging: Path, catalogues: Mapping[ProjectName, Catalogue]
) -> tuple[tuple[str, ...], tuple[Damaged, ...]]:
    """In `staging` lies, by links, also what the site serves of earlier bundles, and the METADATA of every dependency.

    Args:
        site: where bundles were imported.
        staging: holds what a bundle brings, and wins.
        catalogues: signed pages of the site's projects.

    Returns:
        Names of METADATA made anew from verified wheels, and what is damaged.

    Raises:
        ConfigError: a link is in the way.
        OSError: something cannot be read.
    """
    beside = _Beside(site, staging)
    for project, catalogue in sorted(catalogues.items()):
        for release in catalogue.releases:
            directory = f"{FILES}/{project}/{release.version}"
            if any(is_file(site, f"{directory}/{wheel.filename}") for wheel in release.wheels):
                beside.add(directory, release, Carried(project=project, version=release.version))
    return tuple(beside.metadata), tuple(sorted(beside.damaged))


@dataclass(frozen=True, slots=True)
class _Beside:
    site: Path
    staging: Path
    metadata: list[str] = field(default_factory=list)
    damaged: list[Damaged] = field(default_factory=list)

    def add(self, directory: str, release: Release, carried: Carried) -> None:
        """A release that the site serves, and what it runs with."""
        for file in release.files():
            name = f"{directory}/{file.filename}"
            if (self.staging / name).exists():
                continue
            there = is_file(self.site, name)
            if not there or not _is_signed(self.site / name, file):
                self._report(name, release, carried)
            if there:
                self._link(name)
        lock = self._lock(f"{directory}/{release.lock.filename}", release.lock)
        for wheel in lock.wheels if lock else ():
            if wheel.project != carried.project and not self._add_dependency(wheel):
                self._report(_name(wheel), release, carried)

    def _lock(self, name: str, signed: FileRef) -> Lock | None:
        path = self.staging / name
        return parse_lock(read_bounded(path, signed.size)) if path.exists() and _is_signed(path, signed) else None

    def _add_dependency(self, wheel: LockedWheel) -> bool:
        """Whether it is what was locked."""
        name = _name(wheel)
        if (self.staging / name).exists():
            return True
        if not is_file(self.site, name):
            return False
        try:
            inspected = inspect_locked(wheel, read_bounded(self.site / name, wheel.size))
        except (TrustError, ConfigError):  # other bytes, or more of them
            return False
        self._link(name)
        (self.staging / (name + METADATA_SUFFIX)).write_bytes(inspected.metadata)
        self.metadata.append(name + METADATA_SUFFIX)
        return True

    def _link(self, name: str) -> None:
        path = self.staging / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to((self.site / name).absolute())

    def _report(self, name: str, release: Release, carried: Carried) -> None:
        # Nobody gets a revoked release any more, whatever is left of it.
        if release.revoked is None and all(each.name != name for each in self.damaged):
            self.damaged.append(Damaged(name=name, needed_by=carried))


def _name(wheel: LockedWheel) -> str:
    return f"{FILES}/{wheel.project}/{wheel.version}/{wheel.filename}"


def _is_signed(path: Path, signed: FileRef) -> bool:
    return digest(path) == (signed.sha256, signed.size)
