"""What a server that can search answers: the names, controls and dependencies that begin with what was asked for.

It reads the lists that everybody can read, a few parts of each, and nothing else: as much among a hundred thousand
projects as among ten.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from assess_registry.config import load_config
from assess_registry.control import PUBLISHERS_PATH, Publishers, Revocations, parse_publishers
from assess_registry.index.tree import Tree
from assess_registry.review.published import repository_of
from assess_registry.status.draft import Draft
from assess_registry.status.pages.front import found_page
from assess_registry.status.places import CONTROLS, DEPENDENCIES, NAMES, PAGE, SEARCH, STATUS
from assess_registry.status.shelf import Row, beginning_with
from assess_registry.status.values import House

MAX_QUERY = 100
MAX_FOUND = 50
"""Of each list; who wants more goes to the list."""

MAX_CATALOGUES = 50
"""Catalogues of controls in which a control is looked for that names none."""


def is_search(parts: Sequence[str]) -> bool:
    """Whether the parts of a path below the registry's root are those of the search."""
    return tuple(parts) in ((STATUS, SEARCH), (STATUS, SEARCH, PAGE))


def answer(root: Path, query: str) -> bytes:
    """The page that a search for this ends on.

    Raises:
        ConfigError: there is no registry here, or a list is not what was written there.
        TrustError: its word is not signed as it has to be.
    """
    config, repository = load_config(root), repository_of(root)
    control = repository.read(PUBLISHERS_PATH) if repository else None
    house = House(
        name=config.name,
        base_url=config.base_url,
        control=Publishers() if control is None else parse_publishers(control),
        revocations=Revocations(),
        targets=config.targets,
    )
    shown = query.strip()[:MAX_QUERY]
    return found_page(house, shown, search(Tree(root), shown))


def search(tree: Tree, query: str) -> tuple[tuple[str, Sequence[Row]], ...]:
    """Title and rows of each list in which something begins with this; nothing for an empty query."""
    wanted = query.strip().lower()[:MAX_QUERY]
    if not wanted:
        return ()
    # People type names as PyPI shows them: Acme_Demo is acme-demo (PEP 503).
    name = wanted.replace("_", "-").replace(".", "-").replace(" ", "-")
    read = Draft(tree).read
    return (
        ("Names", tuple(islice(beginning_with(NAMES, name, read=read), MAX_FOUND))),
        ("Controls", tuple(islice(_controls(tree, wanted), MAX_FOUND))),
        ("Dependencies", tuple(islice(beginning_with(DEPENDENCIES, name, read=read), MAX_FOUND))),
    )


def _controls(tree: Tree, wanted: str) -> Iterator[Row]:
    """Controls `cm-6` of every catalogue, or `nist-800-53:cm-6` of one."""
    read = Draft(tree).read
    catalogue, colon, control = wanted.partition(":")
    known = beginning_with(CONTROLS, catalogue if colon else "", read=read)
    for each in islice(known, MAX_CATALOGUES):
        if colon and each.key != catalogue:
            continue
        for row in beginning_with(each.place, control if colon else wanted, read=read):
            yield replace(row, key=f"{each.key}:{row.key}")
