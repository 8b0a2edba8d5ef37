"""The pages follow the registry's word: which of them a change is about, and from what they are made once it is signed.

A change of it is signed inside `followed`:

    with followed(tree, config, control, repository=repository, targets=targets):
        repository.commit(targets, ...)
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from assess_registry.catalogue import CATALOG_DIRECTORY, Catalogue, catalogue_path, parse_catalogue
from assess_registry.config import IndexConfig
from assess_registry.control import (
    PUBLISHERS_PATH,
    REVOCATIONS_PATH,
    Publishers,
    Revocations,
    parse_publishers,
    parse_revocations,
)
from assess_registry.index.tree import Tree
from assess_registry.names import ProjectName, parse_project
from assess_registry.repository import Repository
from assess_registry.review.published import catalogue_of, signed_revocations
from assess_registry.status.draft import Draft
from assess_registry.status.marks import announce
from assess_registry.status.places import dependency_place
from assess_registry.status.shelf import beginning_with
from assess_registry.status.tree import Pages
from assess_registry.status.values import House

_DIRECTORY = f"{CATALOG_DIRECTORY}/"


@contextmanager
def followed(
    tree: Tree, config: IndexConfig, control: Publishers, *, repository: Repository, targets: Mapping[str, bytes]
) -> Iterator[None]:
    """Inside, these targets become the registry's word; after it, the pages say so.

    Killed in between, the pages are made by whoever changes or refreshes the registry next.

    Args:
        tree: the registry, locked.
        config: its `registry.toml`.
        control: people and keys, as they are signed with the targets.
        repository: as it was before.
        targets: what is signed inside.

    Raises:
        ConfigError: a page that others are built upon is not what was written there.
        OSError: the pages cannot be written.
    """
    projects = concerned(tree, targets, repository=repository)
    announce(tree.root, projects)
    yield
    pages_after(tree, config, control, repository=repository, targets=targets).write(projects)


def concerned(tree: Tree, targets: Mapping[str, bytes], *, repository: Repository) -> tuple[ProjectName, ...]:
    """Projects whose pages say something else once these targets are signed.

    Also of those who run with what is revoked now, or marked.

    Args:
        tree: the registry.
        targets: about to be signed.
        repository: as it is before.
    """
    pages = {path: data for path, data in targets.items() if path.startswith(_DIRECTORY)}
    changed = {_project(path) for path, data in pages.items() if repository.read(path) != data}
    before, after = signed_revocations(repository), _revocations(targets, repository)
    known = {each.sha256 for each in before.wheels}
    spread = {each.project for each in after.wheels if each.sha256 not in known}
    for project in changed:
        page = parse_catalogue(pages[catalogue_path(project)], project)
        if page.status != catalogue_of(repository, project).status:
            spread.add(project)
    for project in sorted(spread):
        rows = beginning_with(dependency_place(project), "", read=Draft(tree).read)
        changed |= {project, *(ProjectName(row.key) for row in rows)}
    return tuple(sorted(changed))


def pages_after(
    tree: Tree, config: IndexConfig, control: Publishers, *, repository: Repository, targets: Mapping[str, bytes]
) -> Pages:
    """The pages, as of the moment in which these targets are signed.

    Args:
        tree: the registry.
        config: its `registry.toml`.
        control: people and keys, as they are signed now.
        repository: as it was before; what is not among the targets is still as it was.
        targets: what was signed.
    """

    def read(project: ProjectName) -> Catalogue:
        data = targets.get(catalogue_path(project))
        return catalogue_of(repository, project) if data is None else parse_catalogue(data, project)

    house = House(
        name=config.name,
        base_url=config.base_url,
        control=control,
        revocations=_revocations(targets, repository),
        targets=config.targets,
    )

    def projects() -> tuple[ProjectName, ...]:
        given = {_project(path) for path in targets if path.startswith(_DIRECTORY)}
        return tuple(sorted(given | {_project(path) for path in repository.paths() if path.startswith(_DIRECTORY)}))

    return Pages(tree=tree, house=house, catalogue_of=read, projects=projects)


def pages_of(tree: Tree, config: IndexConfig, repository: Repository | None) -> Pages | None:
    """The pages, as of what is signed now; None where nothing is.

    Raises:
        TrustError: it is not signed as it has to be.
    """
    control = repository.read(PUBLISHERS_PATH) if repository else None
    if repository is None or control is None:
        return None
    return pages_after(tree, config, parse_publishers(control), repository=repository, targets={})


def _project(path: str) -> ProjectName:
    return parse_project(path.removeprefix(_DIRECTORY).removesuffix(".json"))


def _revocations(targets: Mapping[str, bytes], repository: Repository) -> Revocations:
    data = targets.get(REVOCATIONS_PATH)
    return signed_revocations(repository) if data is None else parse_revocations(data)
