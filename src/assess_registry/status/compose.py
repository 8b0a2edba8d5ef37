"""A project's pages, from its signed page and its files: those of releases that changed, and its own.

Whether a release changed is seen by the digest of everything that its page is made from, which the project's record
keeps: an old release's wheel is not inspected again because a new one was published.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from assess_registry.canonical import encode, write_time
from assess_registry.catalogue import Catalogue, ProjectStatus, Release
from assess_registry.index.tree import Tree
from assess_registry.names import ProjectName, Sha256
from assess_registry.status.pages.project import newest_of, project_page
from assess_registry.status.pages.release import release_page
from assess_registry.status.places import PAGE, project_place, release_place
from assess_registry.status.read import read_release
from assess_registry.status.record import Record
from assess_registry.status.shelves import rows_of
from assess_registry.status.values import House, ReleaseView, Summary

CatalogueOf = Callable[[ProjectName], Catalogue]
Put = Callable[[str, bytes], None]
"""Takes a file's path below `status/`, and what it shall hold."""


@dataclass(frozen=True, slots=True)
class Composer:
    """Makes pages of projects, as of one moment."""

    tree: Tree
    house: House
    catalogue_of: CatalogueOf
    _statuses: dict[ProjectName, ProjectStatus | None] = field(default_factory=dict, init=False)
    _digest: list[Sha256] = field(default_factory=list, init=False)

    def compose(self, project: ProjectName, old: Record, put: Put) -> Record:
        """What is known of the project now; its pages are put. Without releases it is an empty record, and no page."""
        catalogue = self.catalogue_of(project)
        if not catalogue.releases:
            return Record(project=project)
        known = {each.version: each for each in old.summaries}
        version, summaries, views = newest_of(catalogue), [], {}
        for release in reversed(catalogue.releases):
            summary = known.get(release.version)
            # The newest is read in any case: the project's page shows it whole.
            if summary is None or release.version == version or self._is_stale(catalogue, release, summary):
                view = self._view(catalogue, release)
                put(f"{release_place(project, release.version)}/{PAGE}", release_page(self.house, view))
                summary, views[release.version] = self._summary(catalogue, view), view
            summaries.append(summary)
        newest, found = views[version], tuple(summaries)
        put(f"{project_place(project)}/{PAGE}", project_page(self.house, newest, found))
        return Record(
            project=project,
            # Of any release: taking one back makes the project no older.
            published=write_time(max(release.published_at for release in catalogue.releases)),
            summaries=found,
            rows=tuple(sorted(rows_of(newest, found), key=lambda each: each[0])),
        )

    def house_digest(self) -> Sha256:
        """Of what all pages depend on; made once."""
        if not self._digest:
            self._digest.append(self.house.digest())
        return self._digest[0]

    def _view(self, catalogue: Catalogue, release: Release) -> ReleaseView:
        view = read_release(self.tree, self.house, catalogue, release)
        return replace(view, marked=self._marked(view.dependencies))

    def _is_stale(self, catalogue: Catalogue, release: Release, summary: Summary) -> bool:
        return summary.made_from != self._made_from(catalogue, release, summary.dependencies)

    def _summary(self, catalogue: Catalogue, view: ReleaseView) -> Summary:
        return Summary(
            version=view.release.version,
            made_from=self._made_from(catalogue, view.release, view.dependencies),
            standing=view.standing,
            approved_by=view.approved_by,
            published=f"{view.release.published_at:%Y-%m-%d}",
            dependencies=view.dependencies,
        )

    def _made_from(self, catalogue: Catalogue, release: Release, dependencies: Iterable[ProjectName]) -> Sha256:
        """Digest of all that a release's page says, by the digests that the signed catalogue has of it."""
        signed = hashlib.sha256(replace(catalogue, releases=(release,)).data()).hexdigest()
        about = {catalogue.project, *dependencies}
        marked = [[name, status.marker, status.reason] for name, status in self._marked(dependencies)]
        revoked = [each.sha256 for each in self.house.revocations.wheels if each.project in about]
        return Sha256(hashlib.sha256(encode([self.house_digest(), signed, revoked, marked])).hexdigest())

    def _marked(self, dependencies: Iterable[ProjectName]) -> tuple[tuple[ProjectName, ProjectStatus], ...]:
        found = ((project, self._status(project)) for project in sorted(dependencies))
        return tuple((project, status) for project, status in found if status is not None)

    def _status(self, project: ProjectName) -> ProjectStatus | None:
        """Read once: the releases of a project run with much the same."""
        if project not in self._statuses:
            self._statuses[project] = self.catalogue_of(project).status
        return self._statuses[project]
