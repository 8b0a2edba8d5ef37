"""A project's pages, made from its signed catalogue and from what lies in `files/` besides: for pip, and flat.

What the catalogue names is not read again; its digests are on the page as they were signed. Yanked releases say so,
revoked wheels are on no page.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from packaging.specifiers import SpecifierSet

from assess_registry.catalogue import Catalogue
from assess_registry.control import Revocations
from assess_registry.index.flat import page_path
from assess_registry.index.flat_tree import write_flat_pages
from assess_registry.index.pages import PageFile
from assess_registry.index.root_tree import add_to_root_pages
from assess_registry.index.tree import Tree, digest
from assess_registry.names import ProjectName
from assess_registry.signatures import SIGNATURE_SUFFIX


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """What pages are made from, besides the files.

    Attributes:
        catalogues: of the projects that have one, as they are or as they are about to be.
    """

    tree: Tree
    catalogues: Mapping[ProjectName, Catalogue]
    revocations: Revocations

    def write(self, project: ProjectName, *, without: Container[str] = ()) -> None:
        """The project's pages for pip, and its flat one when it is a plugin's."""
        known = self._known(project)
        gone = self._revoked(project)
        hidden = _Either(gone, without)
        files = self.tree.page_files(project, known=known, without=hidden)
        self.tree.write_pages_of(project, files)
        plugins = [file for file in files if file.filename in known or self._has_signature(file)]
        if plugins or known or (self.tree.root / page_path(project)).exists():
            write_flat_pages(self.tree, project, plugins)

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

    def _has_signature(self, file: PageFile) -> bool:
        return self.tree.file(file.project, file.version, file.filename + SIGNATURE_SUFFIX).is_file()


@dataclass(frozen=True, slots=True)
class _Either(Container[str]):
    one: Container[str]
    other: Container[str]

    def __contains__(self, name: object) -> bool:
        return name in self.one or name in self.other
