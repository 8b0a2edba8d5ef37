"""A project's pages, made from its signed catalogue and from what lies in `files/` besides: for pip, and flat.

What the catalogue names is not read again; its digests are on the page as they were signed. Yanked releases say so,
revoked wheels are on no page, a quarantined project lists none. So pages follow from signed word and files alone, in
whichever order these came to be.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from packaging.specifiers import SpecifierSet

from assess_registry.catalogue import Catalogue
from assess_registry.control import Revocations
from assess_registry.index.flat_tree import write_flat_pages
from assess_registry.index.pages import PageFile
from assess_registry.index.plan import plugin_wheels
from assess_registry.index.root_tree import add_to_root_pages
from assess_registry.index.tree import Tree, digest
from assess_registry.names import ProjectName


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """What pages are made from, besides the files.

    Attributes:
        catalogues: of the projects that have one, as they are or as they are about to be.
        approved_only: whether a plugin's wheel that no catalogue names is on no page: what a killed publish left. In a
            development registry its publisher's key alone may have published it.
    """

    tree: Tree
    catalogues: Mapping[ProjectName, Catalogue]
    revocations: Revocations
    approved_only: bool = False

    def write(self, project: ProjectName, *, without: Container[str] = ()) -> None:
        """The project's pages for pip, and its flat one when it is a plugin's."""
        plugins = self.write_pages(project, without=without)
        if plugins is not None:
            write_flat_pages(self.tree, project, plugins)

    def write_pages(self, project: ProjectName, *, without: Container[str] = ()) -> Sequence[PageFile] | None:
        """The project's pages for pip; gives what belongs on its flat page, None when it is no plugin's."""
        known = self._known(project)
        signed = frozenset(self._signed(project))
        catalogue = self.catalogues.get(project)
        status = catalogue.status if catalogue else None
        hidden = _Any((self._revoked(project), without, signed - known.keys() if self.approved_only else ()))
        files: Sequence[PageFile] = ()
        if status is None or not status.is_quarantined:
            files = self.tree.page_files(project, known=known, without=hidden)
        self.tree.write_pages_of(project, files, status)
        plugins = [file for file in files if file.filename in known or file.filename in signed]
        return plugins if known or signed else None

    def write_root(self, projects: Iterable[ProjectName]) -> None:
        """The root pages name these projects, too, while they are short."""
        add_to_root_pages(self.tree, projects)

    def _known(self, project: ProjectName) -> dict[str, PageFile]:
        catalogue = self.catalogues.get(project)
        return {
            wheel.filename: PageFile(
                project=project,
                version=release.version,
                filename=wheel.filename,
                sha256=wheel.sha256,
                size=wheel.size,
                metadata_sha256=wheel.metadata.sha256,
                requires_python=SpecifierSet(wheel.requires_python),
                yanked=release.yanked.reason if release.yanked else None,
                uploaded_at=release.published_at,
            )
            for release in (catalogue.releases if catalogue else ())
            for wheel in release.wheels
        }

    def _revoked(self, project: ProjectName) -> frozenset[str]:
        """Filenames of the project that nobody shall get, by the catalogue's word or the revocations'."""
        catalogue = self.catalogues.get(project)
        releases = [each for each in (catalogue.releases if catalogue else ()) if each.revoked]
        gone = {wheel.filename for release in releases for wheel in release.wheels}
        for wheel in self.revocations.wheels:
            if wheel.project == project:
                names = self.tree.wheels(project, wheel.version)
                paths = {name: self.tree.file(project, wheel.version, name) for name in names}
                gone |= {name for name, path in paths.items() if digest(path)[0] == wheel.sha256}
        return frozenset(gone)

    def _signed(self, project: ProjectName) -> Iterator[str]:
        """Wheels on the disk that were published as a plugin's, with a signature, not mirrored."""
        for version in self.tree.versions(project):
            yield from plugin_wheels(self.tree, project, version)


@dataclass(frozen=True, slots=True)
class _Any(Container[str]):
    places: tuple[Container[str], ...]

    def __contains__(self, name: object) -> bool:
        return any(name in place for place in self.places)
