"""The site as it will be, put together in the private directory before a byte of the site changes.

There lies, verified, what the bundle brings. Beside it come what the site serves of earlier bundles, as far as it is
what was signed (`earlier`), and all pages, made from nothing but these files and signed pages. No page that is at the
site is read: whatever somebody made of it, the next import puts it right.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from assess_registry.bundle.earlier import Damaged, lay_beside, projects_of
from assess_registry.bundle.gather import Gathered
from assess_registry.bundle.way import is_directory, is_file
from assess_registry.bundle.whole import WholeRelease
from assess_registry.catalogue import Catalogue, catalogue_path, parse_catalogue
from assess_registry.control import Revocations
from assess_registry.index.flat import names_path, page_path
from assess_registry.index.flat_tree import write_all_flat_pages
from assess_registry.index.pages import HTML_NAME, JSON_NAME
from assess_registry.index.root_tree import write_root_pages_of
from assess_registry.index.tree import FILES, METADATA_SUFFIX, SIMPLE, Tree
from assess_registry.names import ProjectName
from assess_registry.publish.listing import Listing


@dataclass(frozen=True, kw_only=True, slots=True)
class Arranged:
    """What of the private directory belongs into the site, by names in the order to write them in.

    Attributes:
        files: METADATA and dependencies, what lies beside plugins' wheels, the wheels.
        pages: each after the wheels that it names, root pages last.
        strays: pages at the site of what is not there any more, to be removed.
        damaged: what earlier bundles brought and is not what it was.
    """

    files: tuple[str, ...]
    pages: tuple[str, ...]
    strays: tuple[str, ...]
    damaged: tuple[Damaged, ...]


def arrange(site: Path, gathered: Gathered) -> Arranged:
    """The site as it will be lies in the directory of what was gathered.

    Raises:
        ConfigError: a link, or something else, lies in the site where a directory has to be.
        OSError: something cannot be read.
    """
    files = tuple(_files(gathered))
    known = {ProjectName(name.split("/")[1]) for name in files} | set(projects_of(site))
    signed = {project: gathered.targets.get(catalogue_path(project)) for project in known}
    catalogues = {project: parse_catalogue(data, project) for project, data in signed.items() if data is not None}
    metadata, damaged = lay_beside(site, gathered.directory, catalogues)
    pages = _make_pages(Tree(gathered.directory), catalogues, gathered.revocations)
    strays = tuple(name for name in _pages_at(site) if name not in pages)
    return Arranged(files=(*metadata, *files), pages=pages, strays=strays, damaged=damaged)


def _files(gathered: Gathered) -> Iterator[str]:
    for release in gathered.releases:
        yield from _dependencies(gathered.directory, release)
    for release in gathered.releases:
        wheels = {wheel.filename for wheel in release.release.wheels}
        names = [file.filename for file in release.release.files()]
        for name in sorted(names, key=lambda name: (name in wheels, name)):
            yield f"{FILES}/{release.project}/{release.release.version}/{name}"


def _dependencies(directory: Path, release: WholeRelease) -> Iterator[str]:
    """Each after its METADATA, which is made of it."""
    for each in release.closure:
        name = f"{FILES}/{each.wheel.project}/{each.wheel.version}/{each.wheel.filename}"
        (directory / (name + METADATA_SUFFIX)).write_bytes(each.metadata)
        yield from (name + METADATA_SUFFIX, name)


def _make_pages(tree: Tree, catalogues: Mapping[ProjectName, Catalogue], revocations: Revocations) -> tuple[str, ...]:
    """Pages of all that the site serves: another release of one may have been yanked or revoked since."""
    projects = [ProjectName(path.name) for path in sorted((tree.root / FILES).iterdir())]
    listing = Listing(tree=tree, catalogues=catalogues, revocations=revocations)
    plugins = [(project, listing.write_pages(project)) for project in projects]
    write_all_flat_pages(tree, [(project, files) for project, files in plugins if files is not None])
    write_root_pages_of(tree, projects)
    return tuple(tree.written)


def _pages_at(site: Path) -> Iterator[str]:
    """Pages of projects, and lists of them, that lie there; HTML first, by which a project counts as listed."""
    if is_directory(site, SIMPLE):
        for path in sorted((site / SIMPLE).iterdir()):
            if path.is_dir() and not path.is_symlink():
                names = [f"{SIMPLE}/{path.name}/{name}" for name in (HTML_NAME, JSON_NAME)]
                yield from (name for name in names if is_file(site, name))
    for pattern in (names_path("*"), page_path("*")):
        directory = pattern.rpartition("/")[0]
        if is_directory(site, directory):
            found = (f"{directory}/{path.name}" for path in sorted(site.glob(pattern)) if not path.name.startswith("."))
            yield from (name for name in found if is_file(site, name))
