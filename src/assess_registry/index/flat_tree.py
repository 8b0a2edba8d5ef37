"""The flat pages of `flat.py` on disk: written where they differ, a page before the list that names it, root last."""

from collections.abc import Iterable

from assess_registry.files import read_bounded
from assess_registry.index.flat import NAMES_TEMPLATE, PAGE_TEMPLATE, all_flat_files, changed_flat_files
from assess_registry.index.pages import PageFile
from assess_registry.index.tree import Tree
from assess_registry.names import ProjectName

MAX_FLAT_BYTES = 8 << 20
"""A list of 100,000 names has 6 MiB; there are 256 lists."""


def write_flat_pages(tree: Tree, project: ProjectName, files: Iterable[PageFile]) -> None:
    """`plugins.json` and what it leads to list exactly these wheels for this project, and what they did for others.

    Reads and writes three files, whatever the registry holds. For the holder of its lock.

    Args:
        tree: the registry.
        project: a plugin's, no mere dependency's.
        files: wheels of its own, without revoked ones; none takes it off the list of names.

    Raises:
        ConfigError: a published list is not what was written there.
        OSError: the tree cannot be written.
    """

    def read(path: str) -> bytes | None:
        try:
            return read_bounded(tree.root / path, MAX_FLAT_BYTES)
        except FileNotFoundError:
            return None

    for path, data in changed_flat_files(project, files, read=read):
        if data is None:
            tree.remove(tree.root / path)
        else:
            tree.write(tree.root / path, data)


def write_all_flat_pages(tree: Tree, projects: Iterable[tuple[ProjectName, Iterable[PageFile]]]) -> None:
    """The same for a whole registry, made from nothing but its files; without any, an empty `plugins.json`.

    Raises:
        OSError: the tree cannot be written.
    """
    wanted = set()
    for path, data in all_flat_files(projects):
        tree.write(tree.root / path, data)
        wanted.add(tree.root / path)
    for template in (PAGE_TEMPLATE.format(name="*"), NAMES_TEMPLATE.format(shard="*")):
        for stray in sorted(set(tree.root.glob(template)) - wanted):
            if not stray.name.startswith("."):  # what a killed writer left is collected by its age
                tree.remove(stray)
