"""A registry's root on disk: what is published in it, and writes that change only what differs.

    files/<project>/<version>/   a wheel with its .metadata, for plugins also .sig, pylock.toml and pylock.toml.sig
    simple/<project>/            index.html and index.json, written from what lies in files/
    simple/                      the same two, over all projects that have pages: `root_tree.py`

One rule makes it safe to be killed anywhere: **a wheel is written after everything that belongs to it, a page after
every wheel it names, the root page after every page it names.** So what a page names is complete, and what was cut
off is invisible until it is finished. What has to change under a page is taken off the page first.
"""

import hashlib
import os
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from packaging.metadata import parse_email
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from assess_registry.catalogue import ProjectStatus
from assess_registry.errors import ConfigError
from assess_registry.files import atomic_write, read_bounded, sync_directory
from assess_registry.index.pages import HTML_NAME, JSON_NAME, PageFile, project_html, project_json
from assess_registry.lock import LOCK_NAME
from assess_registry.names import ProjectName, Sha256, parse_project, parse_version

FILES, SIMPLE = "files", "simple"
WHEEL_SUFFIX, METADATA_SUFFIX = ".whl", ".metadata"

MAX_METADATA_BYTES = 4 << 20
"""The longest METADATA on the package index is under 1 MiB."""

_CHUNK = 1 << 20

_NONE: Mapping[str, PageFile] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Tree:
    """A registry's root. Changing it is for the holder of its lock."""

    root: Path
    written: list[str] = field(default_factory=list, compare=False)
    """Paths relative to the root, in the order in which they were changed through this value."""
    only_compares: bool = False
    """Whether nothing is changed, and `written` is what would have been."""

    def file(self, project: str, version: str, filename: str) -> Path:
        """Where a file of a version lies."""
        return self.root / FILES / project / version / filename

    def versions(self, project: ProjectName) -> tuple[str, ...]:
        """Versions that have a directory, as spelled; complete or not.

        Raises:
            ConfigError: somebody put something there that is no version.
        """
        directory = self.root / FILES / project
        return tuple(sorted(_version(path) for path in _visible(directory)))

    def wheels(self, project: ProjectName, version: str) -> tuple[str, ...]:
        """Filenames of the published wheels of a version."""
        directory = self.root / FILES / project / version
        return tuple(sorted(path.name for path in _visible(directory) if path.suffix == WHEEL_SUFFIX))

    def page_files(
        self, project: ProjectName, *, known: Mapping[str, PageFile] = _NONE, without: Container[str] = ()
    ) -> tuple[PageFile, ...]:
        """Every published wheel of a project but those in `without`, described from its very bytes.

        Those that are `known`, by filename, are not read: the signed catalogue has their digests.
        """
        return tuple(
            known[filename] if filename in known else self._page_file(project, version, filename)
            for version in self.versions(project)
            for filename in self.wheels(project, version)
            if filename not in without
        )

    def projects(self) -> tuple[ProjectName, ...]:
        """Projects that have both pages: the HTML page, which is written last and removed first.

        One look a project, for a hundred thousand of them.
        """
        try:
            with os.scandir(self.root / SIMPLE) as entries:
                names = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
        except FileNotFoundError:
            return ()
        top = str(self.root / SIMPLE)
        return tuple(parse_project(name) for name in names if os.path.isfile(f"{top}/{name}/{HTML_NAME}"))  # noqa: PTH113

    def locks(self) -> tuple[Path, ...]:
        """Every lock in the tree, also of versions that are not complete."""
        return tuple(sorted((self.root / FILES).glob(f"*/*/{LOCK_NAME}")))

    def write(self, path: Path, data: bytes) -> bool:
        """`path` holds `data`, durably; False when it did already and nothing was touched."""
        if _holds(path, data):
            return False
        if not self.only_compares:
            _make_directory(path.parent)
            atomic_write(path, data)
        self.written.append(path.relative_to(self.root).as_posix())
        return True

    def remove(self, path: Path) -> bool:
        """There is no file `path`; False when there was none and nothing was touched."""
        if not path.is_file():
            return False
        if not self.only_compares:
            path.unlink()
            sync_directory(path.parent)
        self.written.append(path.relative_to(self.root).as_posix())
        return True

    def write_pages_of(
        self, project: ProjectName, files: Iterable[PageFile], status: ProjectStatus | None = None
    ) -> None:
        """The project's two pages list these files, and say what has become of it."""
        listed = tuple(files)
        directory = self.root / SIMPLE / project
        self.write(directory / JSON_NAME, project_json(project, listed, status))
        self.write(directory / HTML_NAME, project_html(project, listed, status))

    def _page_file(self, project: ProjectName, version: str, filename: str) -> PageFile:
        wheel = self.file(project, version, filename)
        metadata = read_bounded(wheel.with_name(filename + METADATA_SUFFIX), MAX_METADATA_BYTES)
        sha256, size = digest(wheel)
        return PageFile(
            project=project,
            version=version,
            filename=filename,
            sha256=sha256,
            size=size,
            metadata_sha256=Sha256(hashlib.sha256(metadata).hexdigest()),
            requires_python=_requires_python(metadata, wheel),
        )


def digest(path: Path) -> tuple[Sha256, int]:
    """SHA-256 and size of a file, read in pieces."""
    state, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            state.update(chunk)
            size += len(chunk)
    return Sha256(state.hexdigest()), size


def _requires_python(metadata: bytes, wheel: Path) -> SpecifierSet:
    try:
        return SpecifierSet(parse_email(metadata)[0].get("requires_python") or "")
    except InvalidSpecifier as error:
        raise ConfigError(f"{wheel}{METADATA_SUFFIX}: Requires-Python: {error}; somebody changed it by hand") from error


def _visible(directory: Path) -> Iterator[Path]:
    """Entries but for hidden ones, which are leftovers of killed writers; none when there is no such directory."""
    if directory.is_dir():
        yield from (path for path in directory.iterdir() if not path.name.startswith("."))


def _version(directory: Path) -> str:
    try:
        return str(parse_version(directory.name))
    except ValueError as error:
        raise ConfigError(f"{directory}: does not belong into a registry: {error}; move it away") from error


def _holds(path: Path, data: bytes) -> bool:
    if path.is_symlink() or not path.is_file() or path.stat().st_size != len(data):
        return False
    return read_bounded(path, len(data)) == data


def _make_directory(path: Path) -> None:
    """Make it and what is missing above it, each name on disk before anything is put inside."""
    if path.is_dir():
        return
    _make_directory(path.parent)
    path.mkdir(exist_ok=True)
    sync_directory(path.parent)
