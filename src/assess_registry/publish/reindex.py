"""All pages of a registry, made anew from its signed word and its files, as if there had never been any.

Pages have no authority, and whoever writes them one at a time gets the same bytes as this does for all: whatever was
published first, whatever was yanked or marked and taken back meanwhile. So this repairs a tree that somebody changed,
and with `only_compare` says whether anybody did.
"""

from pathlib import Path

from assess_registry.config import load_config
from assess_registry.files import file_lock
from assess_registry.index.create import INDEX_LOCK_NAME, LOCK_TIMEOUT_S
from assess_registry.index.flat_tree import write_all_flat_pages
from assess_registry.index.pages import HTML_NAME, JSON_NAME
from assess_registry.index.root_tree import write_root_pages_of
from assess_registry.index.tree import FILES, SIMPLE, Tree
from assess_registry.names import ProjectName, parse_project
from assess_registry.publish.listing import Listing
from assess_registry.review.published import catalogues_of, repository_of, signed_revocations
from assess_registry.status import pages_of


def reindex(root: Path, *, only_compare: bool = False) -> tuple[str, ...]:
    """The pages are what signed word and files say; gives those that were not, relative to the root.

    Args:
        root: the registry's root.
        only_compare: change nothing.

    Raises:
        ConfigError: there is no registry here, or something in `files/` is no project or version.
        TrustError: its word is not signed as it has to be; nothing was changed.
    """
    config = load_config(root)
    with file_lock(root / INDEX_LOCK_NAME, timeout_s=LOCK_TIMEOUT_S):
        repository = repository_of(root)
        tree = Tree(root, only_compares=only_compare)
        listing = Listing(
            tree=tree,
            catalogues={each.project: each for each in catalogues_of(repository)},
            revocations=signed_revocations(repository),
            approved_only=repository is not None and not config.development,
        )
        projects = sorted({*listing.catalogues, *_named(root / FILES)})
        pages = [(project, listing.write_pages(project)) for project in projects]
        write_all_flat_pages(tree, [(project, plugins) for project, plugins in pages if plugins is not None])
        write_root_pages_of(tree, projects)
        for project in sorted(_named(root / SIMPLE) - set(projects)):  # no longer named anywhere
            for name in (HTML_NAME, JSON_NAME):
                tree.remove(root / SIMPLE / project / name)
        if people := pages_of(tree, config, repository):
            people.write_all()
        return tuple(tree.written)


def _named(directory: Path) -> frozenset[ProjectName]:
    """Projects that have a directory below this one; none when there is no such directory."""
    if not directory.is_dir():
        return frozenset()
    return frozenset(
        parse_project(path.name) for path in directory.iterdir() if path.is_dir() and not path.name.startswith(".")
    )
