"""What another policy would make of everything that is published: nothing is changed, every wheel is audited anew.

Each wheel is examined once where both policies ask the checks the same, else twice; then both policies judge it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from assess_registry.audit.pipeline import Examined, Terms, conclude, context_of, examine
from assess_registry.audit.values import Report
from assess_registry.files import read_bounded
from assess_registry.index.plan import plugin_wheels
from assess_registry.index.tree import Tree
from assess_registry.lock import LOCK_NAME, MAX_LOCK_BYTES, parse_lock
from assess_registry.names import ProjectName
from assess_registry.wheel import MAX_WHEEL_BYTES, inspect


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """One published wheel under the policy that holds, and under the one that might."""

    current: Report
    other: Report

    @property
    def differs(self) -> bool:
        """Whether the verdict would be another."""
        return self.current.verdict is not self.other.verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedWheel:
    """A plugin's wheel in an index, with the wheels that its lock names."""

    filename: str
    data: bytes
    closure: Mapping[str, bytes]


def compare(root: Path, current: Terms, other: Terms) -> tuple[Compared, ...]:
    """Every published plugin wheel under both; those whose verdict differs first, then by filename.

    Raises:
        OSError, ConfigError: a file that a lock names is missing, or no registry's.
    """
    compared = [_compare(wheel, current, other) for wheel in published_wheels(root)]
    return tuple(sorted(compared, key=lambda each: (not each.differs, each.current.filename)))


def published_wheels(root: Path) -> Iterator[PublishedWheel]:
    """Plugins' wheels of the registry at `root`, read one at a time."""
    tree = Tree(root)
    for project in tree.projects():
        for version in tree.versions(project):
            for filename in plugin_wheels(tree, project, version):
                yield PublishedWheel(
                    filename=filename,
                    data=read_bounded(tree.file(project, version, filename), MAX_WHEEL_BYTES),
                    closure=_closure(tree, project, version),
                )


def _closure(tree: Tree, project: ProjectName, version: str) -> Mapping[str, bytes]:
    lock = parse_lock(read_bounded(tree.file(project, version, LOCK_NAME), MAX_LOCK_BYTES))
    return {
        each.filename: read_bounded(tree.file(each.project, each.version, each.filename), MAX_WHEEL_BYTES)
        for each in lock.wheels
        if each.project != project
    }


def _compare(wheel: PublishedWheel, current: Terms, other: Terms) -> Compared:
    now = _examine(wheel, current)
    then = now if _asks_the_same(wheel, now, other) else _examine(wheel, other)
    return Compared(current=conclude(now, current), other=conclude(then, other))


def _examine(wheel: PublishedWheel, terms: Terms) -> Examined:
    return examine(wheel.data, wheel.filename, closure=wheel.closure, terms=terms)


def _asks_the_same(wheel: PublishedWheel, examined: Examined, terms: Terms) -> bool:
    if examined.context is None:
        return True  # refused by inspection, which no policy changes
    context = context_of(inspect(wheel.data, wheel.filename, kind="plugin"), terms)
    return replace(context, advisories=examined.context.advisories) == examined.context
