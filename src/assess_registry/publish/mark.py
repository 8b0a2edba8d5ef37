"""What becomes of a project as a whole (PEP 792): archived, deprecated, quarantined, and active again.

Quarantined is for the hours in which nobody knows yet: a publisher's key may be stolen, a release may do what nobody
reviewed. Nothing of the project is on any page, no client installs it, nothing is published under its name or with it
in the closure; what is installed is kept, and whoever syncs is told. Then it is taken back, or releases are revoked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from assess_registry.catalogue import Catalogue, Marker, ProjectStatus, catalogue_path
from assess_registry.errors import ConfigError, TrustError
from assess_registry.index.pages import HTML_NAME
from assess_registry.index.tree import SIMPLE
from assess_registry.lock import Lock
from assess_registry.names import ProjectName
from assess_registry.publish.transaction import ReleaseKeys, transaction
from assess_registry.review.published import catalogue_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Marked:
    """What a project is marked as now.

    Attributes:
        status: None when it is active.
        control: what changed of publishers, reviewers and keys.
        written: files changed, relative to the root; empty when it was so already.
    """

    project: ProjectName
    status: ProjectStatus | None
    control: tuple[str, ...]
    written: tuple[str, ...]


def mark(
    root: Path,
    project: ProjectName,
    marker: Marker | None,
    *,
    reason: str,
    keys: ReleaseKeys,
    now: datetime,
    accept_registry_changes: bool = False,
) -> Marked:
    """The project is what the marker says, for this reason; with None it is active, as it was before any.

    A dependency that was mirrored is marked like a plugin: pip and uv see its pages, and who publishes is held to it.

    Raises:
        ConfigError: nothing of the project is here, or the reason is no line of text.
        TrustError: steps `control` and `metadata`, as for a publish.
    """
    with transaction(root, keys=keys, now=now, accept_registry_changes=accept_registry_changes) as work:
        catalogue = catalogue_of(work.repository, project)
        if not catalogue.releases and not (root / SIMPLE / project / HTML_NAME).is_file():
            raise ConfigError(f"{project}: nothing of it is published here; see: list")
        status = None if marker is None else _status(marker, reason, catalogue.status, now)
        page = replace(catalogue, status=status)
        listing = work.listing(page)
        work.require_time(catalogue)
        targets: Mapping[str, bytes] = {} if page == catalogue else {catalogue_path(project): page.data()}
        # A page is taken off before anybody is told why, and is there again only once everybody may know.
        if status is not None and status.is_quarantined:
            listing.write(project)
            control = work.commit(targets)
        else:
            control = work.commit(targets)
            listing.write(project)
        return Marked(project=project, status=status, control=control, written=tuple(work.tree.written))


def require_open(catalogues: Mapping[ProjectName, Catalogue], lock: Lock, plugin: ProjectName) -> None:
    """The plugin's project takes releases, and nothing that it runs with is quarantined.

    Args:
        catalogues: of the plugin's project and of all that the lock names.
        lock: the release's.
        plugin: the project that the release is of.

    Raises:
        TrustError: step `status`; one is marked otherwise.
    """
    for project in sorted({plugin, *(each.project for each in lock.wheels)}):
        status = catalogues[project].status
        if status and (status.is_quarantined or (project == plugin and not status.takes_releases)):
            raise TrustError(
                f"the project is {status.marker}: {status.reason}",
                step="status",
                thing=project,
                expected="a project that is not quarantined, and a plugin's that takes releases",
                got=f"{status.marker} since {status.at:%Y-%m-%dT%H:%M:%SZ}",
                next_step=f"find out why; who holds the release keys takes it back with: mark {project} active",
            )


def _status(marker: Marker, reason: str, before: ProjectStatus | None, now: datetime) -> ProjectStatus:
    """As it is when it was marked so for the same reason: the same command again changes nothing."""
    if before and (before.marker, before.reason) == (marker, reason):
        return before
    try:
        return ProjectStatus(marker=marker, reason=reason, at=now)
    except ValueError as error:
        raise ConfigError(f"--reason: {error}") from error
