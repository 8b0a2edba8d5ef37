"""Where a choice of wheels serves a plugin, target by target, and what is missing from it.

Where no project has two versions nothing has to be chosen, so this needs no resolver, and can name everything at once.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from packaging.version import Version

from assess_registry.closure.resolve import wheels_in
from assess_registry.closure.walk import WheelsOf, reached
from assess_registry.errors import PublishError
from assess_registry.names import ProjectName
from assess_registry.targets import RegistryTarget
from assess_registry.wheel import InspectedWheel, inspect

Names = Mapping[ProjectName, frozenset[str]]
"""Filenames of the wheels of each project, all of one version."""

Look = Callable[[str], InspectedWheel]
"""Gives the inspected wheel of a filename."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """What a plugin needs, and whom that serves.

    Attributes:
        needed: projects that some target needs, without the plugin.
        unserved: targets it cannot be installed on, by name, each with the reason.
        markers: of the requirements that count; none where everything is needed everywhere.
    """

    needed: tuple[ProjectName, ...]
    unserved: Mapping[str, str]
    markers: frozenset[str]


def survey(wheel: InspectedWheel, wheels_of: WheelsOf, targets: Sequence[RegistryTarget]) -> Survey:
    """The requirements followed on every target.

    Raises:
        PublishError: one is met by none of the wheels; all that are not, each with who requires it.
    """
    problems: set[str] = set()
    unserved: dict[str, str] = {}
    needed: set[ProjectName] = set()
    markers: set[str] = set()
    for target in targets:
        found = reached(wheel, wheels_of, target.environment)
        problems.update(found.problems)
        markers |= found.markers
        dependencies = sorted(found.projects - {wheel.project})
        needed.update(dependencies)
        lacking = [wheels_of(each) for each in dependencies if best_wheel(wheels_of(each), target) is None]
        if lacking:
            unserved[target.name] = "; ".join(missing_wheel(wheels, target) for wheels in lacking)
    if problems:
        lines = "\n".join(f"  {problem}" for problem in sorted(problems))
        raise PublishError(f"{wheel.filename}: wheels are missing from its closure:\n{lines}")
    return Survey(needed=tuple(sorted(needed)), unserved=unserved, markers=frozenset(markers))


def only_versions(wheel: InspectedWheel, folder: Mapping[str, bytes]) -> Names | None:
    """The wheels by project, if no project but the plugin has two versions; None if something has to be chosen."""
    versions: dict[ProjectName, dict[Version, set[str]]] = {}
    for filename, project, version in wheels_in(folder):
        if project != wheel.project:
            versions.setdefault(project, {}).setdefault(version, set()).add(filename)
    if any(len(each) > 1 for each in versions.values()):
        return None
    return {project: frozenset(*each.values()) for project, each in versions.items()}


def looking_into(folder: Mapping[str, bytes]) -> Look:
    """Inspects wheels as dependencies, each once; what nobody asks for is not looked at."""
    return functools.cache(lambda name: inspect(folder[name], name, kind="dependency"))


def wheels_by(names: Names, look: Look) -> WheelsOf:
    """Looks up the wheels of a project."""

    @functools.cache
    def wheels_of(project: ProjectName) -> tuple[InspectedWheel, ...]:
        wheels = tuple(look(name) for name in sorted(names.get(project, ())))
        require_one_spelling(wheels)
        return wheels

    return wheels_of


def require_one_spelling(wheels: Sequence[InspectedWheel]) -> None:
    """`1.0` and `1.0.0` are one version, and one of them would hide behind the other.

    Raises:
        PublishError: wheels of one version spell it in two ways.
    """
    if len({each.version for each in wheels}) > 1:
        spelled = ", ".join(sorted(each.filename for each in wheels))
        raise PublishError(f"{wheels[0].project}: one version in two spellings: {spelled}; take one of them")


def best_wheel(wheels: Sequence[InspectedWheel], target: RegistryTarget) -> InspectedWheel | None:
    """The wheel that an installer there would take: the best tag, and of those the highest build (PEP 427)."""
    ranks = {tag: -rank for rank, tag in enumerate(target.tags)}
    fitting = [each for each in wheels if target.admits(each)]
    return max(
        fitting, default=None, key=lambda each: (max(ranks[tag] for tag in each.tags if tag in ranks), each.build)
    )


def missing_wheel(wheels: Sequence[InspectedWheel], target: RegistryTarget) -> str:
    """Why `best_wheel` found none, in a sentence."""
    one = wheels[0]
    if not one.requires_python.contains(target.environment["python_full_version"]):
        return f"{one.project} {one.version} requires Python {one.requires_python}"
    return f"{one.project} {one.version} has no wheel for it, but {', '.join(sorted(each.filename for each in wheels))}"
