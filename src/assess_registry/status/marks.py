"""Marks of projects whose pages are about to change, which outlive whoever is killed before the pages have."""

from collections.abc import Iterable
from pathlib import Path

from assess_registry.files import atomic_write, sync_directory
from assess_registry.names import ProjectName, parse_project
from assess_registry.status.places import STATUS

_MARK = ".pending-"
"""Hidden, as everything that is no page; a leading dot is in no project's name."""


def announce(root: Path, projects: Iterable[ProjectName]) -> None:
    """The pages of these projects will be written by this transaction, or else by the next one."""
    for project in projects:
        if not (root / STATUS).is_dir():
            (root / STATUS).mkdir(exist_ok=True)
            sync_directory(root)
        atomic_write(root / STATUS / f"{_MARK}{project}", b"")


def announced(root: Path) -> tuple[ProjectName, ...]:
    """Projects that are marked."""
    names = (path.name.removeprefix(_MARK) for path in sorted((root / STATUS).glob(f"{_MARK}*")))
    return tuple(parse_project(name) for name in names)


def done(root: Path, projects: Iterable[ProjectName]) -> None:
    """The pages of these projects are written."""
    for project in projects:
        (root / STATUS / f"{_MARK}{project}").unlink(missing_ok=True)
