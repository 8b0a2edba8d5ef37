"""What becomes of a release after it was published: yanked, taken back from that, or revoked.

A yanked release is still there for whoever pins exactly its version. A revoked one is there for nobody: its wheels are
on no page, its catalogue entry says so, and its digests stand among the revocations, so that also who has it already
learns of it. Its files stay on the disk, for whoever has to find out what happened.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from packaging.version import InvalidVersion, Version

from assess_registry.catalogue import Catalogue, Release, RevocationSeverity, Revoked, Yanked, catalogue_path, outranks
from assess_registry.control import REVOCATIONS_PATH, RevokedWheel
from assess_registry.errors import ConfigError
from assess_registry.index.tree import digest
from assess_registry.names import ProjectName, Sha256
from assess_registry.publish.transaction import ReleaseKeys, Transaction, transaction
from assess_registry.review.published import catalogue_of, signed_revocations

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Changed:
    """What was changed about a version.

    Attributes:
        wheels: filename -> digest of the wheels it is about.
        control: what changed of publishers, reviewers and keys.
        written: files changed, relative to the root; empty when it was so already.
    """

    project: ProjectName
    version: str
    wheels: Mapping[str, Sha256]
    control: tuple[str, ...]
    written: tuple[str, ...]


def yank(
    root: Path,
    project: ProjectName,
    version: str,
    *,
    reason: str | None,
    keys: ReleaseKeys,
    now: datetime,
    accept_registry_changes: bool = False,
) -> Changed:
    """Nothing new uses the release, for this reason; with None it is as if it had never been yanked.

    Raises:
        ConfigError: there is no such release, it is revoked, or the reason is no line of text.
        TrustError: steps `control` and `metadata`, as for a publish.
    """
    _check_version(project, version)
    with transaction(root, keys=keys, now=now, accept_registry_changes=accept_registry_changes) as work:
        catalogue, release = _release(work, project, version)
        if release.revoked:
            raise ConfigError(f"{project} {version}: is revoked, which is for ever and more than yanked")
        work.require_time(catalogue)
        wanted = None if reason is None else _yanked(reason, release, now)
        page = catalogue.with_release(replace(release, yanked=wanted))
        work.listing(page).write(project)
        control = work.commit({catalogue_path(project): page.data()})
        wheels = {wheel.filename: wheel.sha256 for wheel in release.wheels}
        return Changed(
            project=project, version=release.version, wheels=wheels, control=control, written=tuple(work.tree.written)
        )


def revoke(
    root: Path,
    project: ProjectName,
    version: str,
    *,
    reason: str,
    severity: RevocationSeverity,
    keys: ReleaseKeys,
    now: datetime,
    accept_registry_changes: bool = False,
) -> Changed:
    """Nobody gets any wheel of this version any more, a plugin's or a dependency's; once revoked it stays so.

    What is revoked already can be revoked with `kill`, and nothing else of it changes any more.

    Raises:
        ConfigError: nothing of this version is here, or the reason is no line of text.
        TrustError: steps `control` and `metadata`, as for a publish.
    """
    _check_version(project, version)
    with transaction(root, keys=keys, now=now, accept_registry_changes=accept_registry_changes) as work:
        catalogue = catalogue_of(work.repository, project)
        release = catalogue.release(version)
        spelling = release.version if release else version
        wheels = {
            name: digest(work.tree.file(project, spelling, name))[0] for name in work.tree.wheels(project, spelling)
        }
        # What was approved is revoked as it was approved, whatever lies on the disk by now.
        wheels |= {wheel.filename: wheel.sha256 for wheel in (release.wheels if release else ())}
        if not wheels:
            raise ConfigError(f"{project} {version}: nothing of it is published here; see: list")
        work.require_time(catalogue)
        revocations = _parsed(
            lambda: signed_revocations(work.repository).plus(
                RevokedWheel(project=project, version=spelling, sha256=sha256, reason=reason, severity=severity, at=now)
                for sha256 in sorted(set(wheels.values()))
            )
        )
        targets = {REVOCATIONS_PATH: revocations.data()}
        page = catalogue
        if release:
            revoked = Revoked(reason=reason, severity=severity, at=now)
            if release.revoked and not outranks(severity, release.revoked.severity):
                revoked = release.revoked
            page = catalogue.with_release(replace(release, revoked=revoked))
            targets[catalogue_path(project)] = page.data()
        work.listing(page, revocations=revocations).write(project)
        control = work.commit(targets)
        return Changed(
            project=project, version=spelling, wheels=wheels, control=control, written=tuple(work.tree.written)
        )


def _check_version(project: ProjectName, version: str) -> None:
    try:
        Version(version)
    except InvalidVersion as error:
        raise ConfigError(f"{project}: {version[:80]!r} is no version (PEP 440); see: list {project}") from error


def _release(work: Transaction, project: ProjectName, version: str) -> tuple[Catalogue, Release]:
    catalogue = catalogue_of(work.repository, project)
    release = catalogue.release(version)
    if release is None:
        known = ", ".join(each.version for each in catalogue.releases) or "none"
        raise ConfigError(f"{project} {version}: no such release; there are: {known}")
    return catalogue, release


def _yanked(reason: str, release: Release, now: datetime) -> Yanked:
    """As it is when it was yanked for the same reason already: the same command again changes nothing."""
    if release.yanked and release.yanked.reason == reason:
        return release.yanked
    return _parsed(lambda: Yanked(reason=reason, at=now))


def _parsed(make: Callable[[], T]) -> T:
    try:
        return make()
    except ValueError as error:
        raise ConfigError(f"reason: {error}") from error
