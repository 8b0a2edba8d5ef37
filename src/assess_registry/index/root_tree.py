"""The root pages on disk: after every page they name, and by a publish only while they are short."""

from collections.abc import Iterable

from assess_registry.errors import ConfigError
from assess_registry.files import read_bounded
from assess_registry.index.pages import HTML_NAME, JSON_NAME
from assess_registry.index.root_pages import MARK_BYTES, is_late, projects_on_root, root_html, root_json
from assess_registry.index.tree import SIMPLE, Tree
from assess_registry.names import ProjectName

MAX_SHORT_BYTES = 1 << 20
"""No page without the mark that is written here is longer; what is was changed by hand."""


def add_to_root_pages(tree: Tree, projects: Iterable[ProjectName]) -> None:
    """The root pages name these projects, too, unless they are left to a refresh: at most `AT_ONCE` names are read.

    Raises:
        OSError: the tree cannot be written.
    """
    pages = (tree.root / SIMPLE / JSON_NAME, tree.root / SIMPLE / HTML_NAME)
    if not all(page.is_file() for page in pages):
        return write_root_pages(tree)
    with pages[0].open("rb") as file:
        if is_late(file.read(MARK_BYTES)):
            return None
    try:
        known = projects_on_root(read_bounded(pages[0], MAX_SHORT_BYTES))
    except (ValueError, ConfigError):  # changed by hand, or longer; the pages of the projects say what there is
        return write_root_pages(tree)
    return write_root_pages_of(tree, {*known, *projects})


def write_root_pages(tree: Tree) -> None:
    """The root pages name every project that has pages, however many that are.

    Raises:
        OSError: the tree cannot be written.
    """
    write_root_pages_of(tree, tree.projects())


def write_root_pages_of(tree: Tree, projects: Iterable[ProjectName]) -> None:
    """The root pages name exactly these projects.

    Raises:
        OSError: the tree cannot be written.
    """
    names = sorted(projects)
    tree.write(tree.root / SIMPLE / JSON_NAME, root_json(names))
    tree.write(tree.root / SIMPLE / HTML_NAME, root_html(names))
