"""What is published already by the registry's own signed word, read from its disk and verified from the root down."""

import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path

from packaging.version import Version

from assess_plugin.comparing import common
from assess_plugin.permissions import Permissions
from assess_registry.catalogue import (
    CATALOG_DIRECTORY,
    Catalogue,
    CatalogueWheel,
    FileRef,
    Release,
    catalogue_path,
    parse_catalogue,
)
from assess_registry.control import (
    PUBLISHERS_PATH,
    REVOCATIONS_PATH,
    Publishers,
    Revocations,
    parse_publishers,
    parse_revocations,
)
from assess_registry.dsse import parse_envelope
from assess_registry.errors import TrustError
from assess_registry.files import read_bounded
from assess_registry.index.tree import Tree
from assess_registry.names import ProjectName
from assess_registry.repository import Repository
from assess_registry.repository.state import METADATA
from assess_registry.verdict import Verdict, parse_verdict, read_table


def repository_of(root: Path) -> Repository | None:
    """The registry's repository; None where it has no root metadata, and so approves nothing.

    Raises:
        TrustError: it is not signed as it has to be.
    """
    return Repository.load(root) if (root / METADATA).is_dir() else None


def catalogue_of(repository: Repository | None, project: ProjectName) -> Catalogue:
    """The project's releases; empty when there are none.

    Raises:
        TrustError: its page is not what was signed.
    """
    data = repository.read(catalogue_path(project)) if repository else None
    return Catalogue(project=project) if data is None else parse_catalogue(data, project)


def releases_of(repository: Repository | None) -> Iterator[tuple[ProjectName, Release]]:
    """Every release of every project, as signed.

    Raises:
        TrustError: something is not what was signed.
    """
    for catalogue in catalogues_of(repository):
        yield from ((catalogue.project, release) for release in catalogue.releases)


def catalogues_of(repository: Repository | None) -> Iterator[Catalogue]:
    """Every project's page, as signed; also one without releases, of a dependency that is marked.

    Raises:
        TrustError: something is not what was signed.
    """
    for path, data in repository.items() if repository else ():
        directory, _, name = path.partition("/")
        if directory == CATALOG_DIRECTORY:
            yield parse_catalogue(data, ProjectName(name.removesuffix(".json")))


def signed_publishers(repository: Repository | None) -> Publishers | None:
    """Who publishes, reviews and audits, as signed; None where nothing was signed yet.

    Raises:
        TrustError: the file is not what was signed.
    """
    data = repository.read(PUBLISHERS_PATH) if repository else None
    return None if data is None else parse_publishers(data)


def signed_revocations(repository: Repository | None) -> Revocations:
    """What is revoked.

    Raises:
        TrustError: the list is not what was signed.
    """
    data = repository.read(REVOCATIONS_PATH) if repository else None
    return Revocations() if data is None else parse_revocations(data)


def last_approved(
    tree: Tree, repository: Repository | None, project: ProjectName, version: str
) -> tuple[str, Permissions]:
    """The highest version below this one that still stands, and what it may do; an empty version for none.

    Of a release with several wheels, what all of them may do: what one may is new to those who run another.
    Below, not the latest: whoever runs 1.4 and is offered 1.5 is not helped by what 2.0 was allowed.

    Raises:
        TrustError: what is on disk is not what was signed.
    """
    catalogue = catalogue_of(repository, project)
    standing = [
        each for each in catalogue.releases if each.revoked is None and Version(each.version) < Version(version)
    ]
    if not standing:
        return "", Permissions()
    release = max(standing, key=lambda each: Version(each.version))
    first, *others = (read_table(verdict_of(tree, project, release, wheel).permissions) for wheel in release.wheels)
    return release.version, functools.reduce(common, others, first)


def verdict_of(tree: Tree, project: ProjectName, release: Release, wheel: CatalogueWheel) -> Verdict:
    """The verdict that a published wheel carries.

    Raises:
        TrustError: it is not the one that the catalogue names.
    """
    return parse_verdict(parse_envelope(published_file(tree, project, release.version, wheel.verdict)).payload)


def published_file(tree: Tree, project: ProjectName, version: str, file: FileRef) -> bytes:
    """The bytes of a file that the catalogue names.

    Raises:
        TrustError: step `catalogue`; it is not there, or other bytes are.
    """
    path = tree.file(project, version, file.filename)
    try:
        data = read_bounded(path, file.size)
        got = hashlib.sha256(data).hexdigest()
    except (OSError, ValueError) as error:
        data, got = b"", str(error)
    if got != file.sha256:
        raise TrustError(
            "it is not the file that the signed catalogue names",
            step="catalogue",
            thing=f"{project} {version}: {file.filename}",
            expected=f"{file.size} bytes, sha256 {file.sha256}",
            got=got,
            next_step="find out who changed it, and restore it from a backup",
        )
    return data
