"""An index as simple clients see it: what `plugins.json` and its pages say, strictly read and not believed.

    index = load_index("https://plugins.example.org/assess")
    entry = find_entry(index, "demo-plugin>=1.2")
    entry.artifact, entry.sha256, entry.signature

`load_index` reads one file under 20 kB, `find_entry` one page of a few kB, however many plugins there are. What they
say is for looking; `install` believes signatures alone.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.utils import parse_wheel_filename

from assess_registry.client import Access, Target, parse_base
from assess_registry.client.choose import check_target, choose_version
from assess_registry.client.location import Base, Location
from assess_registry.client.page import MAX_PAGE_BYTES, PageWheel
from assess_registry.client.transport import NO_ACCESS, Deadline, open_transport
from assess_registry.errors import ConfigError, NotPublishedError
from assess_registry.index.flat import FLAT_ROOT, names_path, page_path
from assess_registry.names import ProjectName, normalize_project, parse_project, parse_version
from assess_registry.simple.install import parse_requirement, place_url
from assess_registry.simple.pages import RegistryEntry, parse_entries, parse_names, parse_root

MAX_ROOT_BYTES = 64 * 1024
MAX_NAMES_BYTES = 4 << 20
"""70,000 names in one of 256 lists."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistryIndex:
    """An index that was found.

    Attributes:
        url: of its root.
        shards: which lists of names it has.
        timeout_s: for each of its operations.
        access: proxy, authorities and credentials, for https.
    """

    url: str
    shards: tuple[str, ...]
    timeout_s: float
    access: Access = NO_ACCESS

    def projects(self) -> tuple[ProjectName, ...]:
        """Names of all plugins; reads every list. One that was taken off the root since has none any more.

        Raises:
            TransportError, TrustError: as for `load_index`.
        """
        with _opened(self) as (base, read):
            return tuple(sorted(name for shard in self.shards for name in _names(shard, read, base)))

    def entries(self, project: str) -> tuple[RegistryEntry, ...]:
        """The wheels of a plugin, in the order of versions; none when all were revoked.

        Raises:
            NotPublishedError: there is no such plugin.
            TransportError, TrustError: as for `load_index`.
        """
        name = parse_project(project)
        with _opened(self) as (base, read):
            return parse_entries(read(page_path(name), MAX_PAGE_BYTES), name, base)


def load_index(index: str | Path, *, timeout_s: float = 60.0, access: Access = NO_ACCESS) -> RegistryIndex:
    """The index at this URL or path; reads its `plugins.json`.

    Raises:
        ConfigError: the URL is none, or not one that is read.
        NotPublishedError: there is no `plugins.json`.
        TransportError: it could not be read in time.
        TrustError: step `index`, it is not one; step `length` or `redirect`.
    """
    url = place_url(index)
    try:
        parse_base(url)
    except ValueError as error:
        raise ConfigError(f"index: {error}") from error
    found = RegistryIndex(url=url, shards=(), timeout_s=timeout_s, access=access)
    with _opened(found) as (base, read):
        return replace(found, shards=parse_root(read(FLAT_ROOT, MAX_ROOT_BYTES), base))


def find_entry(index: RegistryIndex, requirement: str, *, target: Target | None = None) -> RegistryEntry:
    """The wheel that `NAME`, `NAME==VERSION` or another specifier means on this interpreter.

    The highest version that matches or none, as `resolve` has it; a yanked one only when pinned.

    Raises:
        ConfigError: `requirement` is none.
        NotPublishedError: no such plugin, or no version that matches.
        TransportError: the page could not be read in time.
        TrustError: step `index`, the page is damaged; step `tags` or `python`, that version is not for the interpreter.
    """
    wanted, running = parse_requirement(requirement), target or Target.running()
    try:
        project = normalize_project(wanted.name)
    except ValueError as error:
        raise ConfigError(f"{requirement!r}: {error}") from error
    try:
        entries = index.entries(project)
    except NotPublishedError as error:
        message = f"{index.url}: no plugin {project!r}; check its spelling: assess-registry list"
        raise NotPublishedError(message, url=error.url) from error
    offered = {_as_wheel(entry): entry for entry in entries}
    version = choose_version(wanted, tuple(offered), url=index.url)
    check_target(project, version, tuple(offered), running)
    fitting = [wheel for wheel in offered if wheel.version == version and running.rank(wheel.tags) is not None]
    return offered[min(fitting, key=lambda wheel: running.rank(wheel.tags) or 0)]


def _as_wheel(entry: RegistryEntry) -> PageWheel:
    return PageWheel(
        filename=entry.filename,
        version=parse_version(entry.version),
        tags=parse_wheel_filename(entry.filename)[3],
        location=Location(f"files/{entry.name}/{entry.version}/{entry.filename}"),
        sha256=entry.sha256,
        size=entry.size,
        requires_python=SpecifierSet(entry.requires_python),
        yanked=entry.yanked is not None,
        yanked_reason=entry.yanked or "",
    )


_Read = Callable[[str, int], bytes]
"""A file by its path below the root, of at most so many bytes."""


def _names(shard: str, read: _Read, base: Base) -> tuple[ProjectName, ...]:
    try:
        return tuple(parse_names(read(names_path(shard), MAX_NAMES_BYTES), shard, base))
    except NotPublishedError:
        if shard in parse_root(read(FLAT_ROOT, MAX_ROOT_BYTES), base):
            raise
        return ()


@contextlib.contextmanager
def _opened(index: RegistryIndex) -> Iterator[tuple[Base, _Read]]:
    """Inside, its files can be read, all of them within its one deadline."""
    base = parse_base(index.url)
    with contextlib.closing(open_transport(base, index.access)) as transport:
        deadline = Deadline.after(index.timeout_s)

        def read(path: str, max_bytes: int) -> bytes:
            return transport.read(Location(path), max_bytes=max_bytes, deadline=deadline)

        yield base, read
