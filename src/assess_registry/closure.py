"""A plugin's closure, resolved from a folder of wheels: no network, no build, no installer's configuration.

pip resolves for the interpreter that runs it; a lock has to serve several. So requirements are walked here, against
every supported Python and machine at once, and what differs between them stays a marker in the lock. One version of
each project is chosen, the highest that all who require it admit, until the choice no longer changes; there is no
backtracking. Where that is not enough, the answer is an error that names the requirements, never a guess.

    lock = make_closure(wheel, {"pluggy-1.7.0-py3-none-any.whl": data, ...})
"""

import functools
import itertools
import operator
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from packaging.markers import Marker, UndefinedComparison
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from assess_registry.errors import PublishError
from assess_registry.lock import Lock, LockedWheel, parse_lock, write_lock
from assess_registry.names import ProjectName, normalize_project
from assess_registry.wheel import InspectedWheel, inspect

PYTHONS = ("3.11", "3.12", "3.13", "3.14", "3.15")
"""Interpreters a closure is resolved for, as far as the plugin supports them."""

MACHINES = ("x86_64", "aarch64")

TARGET_MARKER = Marker('sys_platform == "linux" and implementation_name == "cpython"')
"""What a lock is limited to when a requirement was left out that only another platform has."""

MAX_ROUNDS = 50
"""Each round settles at least one project, or the requirements chase each other in a circle."""

_Condition = frozenset[Marker]
"""Markers that must all hold; the empty one always does."""

_ALWAYS: _Condition = frozenset()
_MENTIONS_EXTRA = re.compile(r"\bextra\b")


@dataclass(frozen=True, slots=True)
class _Choice:
    """The version taken of one project, and its wheels."""

    version: str
    wheels: tuple[InspectedWheel, ...]


@dataclass(slots=True)
class _Demand:
    """What is wanted of one project by those that are chosen now."""

    specifiers: dict[str, SpecifierSet] = field(default_factory=dict)
    extras: set[str] = field(default_factory=set)
    conditions: set[_Condition] = field(default_factory=set)

    def marker(self) -> Marker | None:
        """When the project belongs to the closure; None for always."""
        if _ALWAYS in self.conditions:
            return None
        terms = [functools.reduce(operator.and_, sorted(term, key=str)) for term in self.conditions]
        return functools.reduce(operator.or_, sorted(terms, key=str))


@dataclass(slots=True)
class _Walk:
    """The demands of one set of choices.

    `left_out`: a requirement was left out that another platform than the targets would have.
    """

    targets: list[dict[str, str]]
    elsewhere: list[dict[str, str]]
    demands: dict[ProjectName, _Demand]
    left_out: bool = False

    def learned(self) -> object:
        """A value that differs while following requirements still teaches something."""
        return {name: (frozenset(each.extras), frozenset(each.conditions)) for name, each in self.demands.items()}


def make_closure(wheel: InspectedWheel, candidates: Mapping[str, bytes]) -> Lock:
    """The lock of the plugin's wheel and everything it needs on any target.

    Args:
        wheel: the plugin.
        candidates: filename -> bytes of the wheels to choose from; only the bytes of chosen projects are looked at.

    Raises:
        PublishError: a requirement cannot be met, or not be locked; all of them, each with who requires it.
        WheelError: a wheel that would be needed is not acceptable as a dependency.
    """
    offered = _offered(wheel, candidates)
    inspected: dict[str, InspectedWheel] = {}
    choices = {wheel.project: _Choice(wheel.version, (wheel,))}
    for _ in range(MAX_ROUNDS):
        walk = _walk(wheel, choices)
        versions = {project: _best(demand, offered.get(project, {})) for project, demand in walk.demands.items()}
        if {project: choice.version for project, choice in choices.items()} == _met(wheel, versions):
            break
        choices = {wheel.project: choices[wheel.project]}
        for project, version in versions.items():
            if version is not None and project != wheel.project:
                names = offered[project][version]
                choices[project] = _Choice(version, tuple(_inspected(name, candidates, inspected) for name in names))
    else:
        raise PublishError(f"{wheel.project}: its requirements choose versions in a circle; pin them in the plugin")
    _require_met(wheel, walk, versions, offered)
    environments = (TARGET_MARKER,) if walk.left_out else ()
    return parse_lock(
        write_lock(_locked(walk, choices), requires_python=wheel.requires_python, environments=environments)
    )


def locked(wheel: InspectedWheel, *, marker: Marker | None = None) -> LockedWheel:
    """The lock's line for an inspected wheel."""
    return LockedWheel(
        project=wheel.project,
        version=wheel.version,
        filename=wheel.filename,
        sha256=wheel.sha256,
        size=wheel.size,
        requires_python=wheel.requires_python or None,
        marker=marker,
    )


def _offered(wheel: InspectedWheel, candidates: Iterable[str]) -> dict[ProjectName, dict[str, list[str]]]:
    """Filenames by project and version. What is no wheel's name is no candidate; the plugin stands for itself."""
    offered: dict[ProjectName, dict[str, list[str]]] = {wheel.project: {wheel.version: [wheel.filename]}}
    for filename in sorted(candidates):
        try:
            name, version, _, _ = parse_wheel_filename(filename)
            project = normalize_project(name)
        except (InvalidWheelFilename, ValueError):
            continue
        if project != wheel.project:
            offered.setdefault(project, {}).setdefault(str(version), []).append(filename)
    return offered


def _inspected(filename: str, candidates: Mapping[str, bytes], done: dict[str, InspectedWheel]) -> InspectedWheel:
    if filename not in done:
        done[filename] = inspect(candidates[filename], filename, kind="dependency")
    return done[filename]


def _walk(root: InspectedWheel, choices: Mapping[ProjectName, _Choice]) -> _Walk:
    """Follow the requirements of all choices from the root until nothing new is learned."""
    targets, elsewhere = _environments(root.requires_python)
    walk = _Walk(targets=targets, elsewhere=elsewhere, demands={root.project: _Demand(conditions={_ALWAYS})})
    before: object = None
    while (now := walk.learned()) != before:
        before = now
        for project in tuple(walk.demands):
            for wheel in choices[project].wheels if project in choices else ():
                for requirement in wheel.requires_dist:
                    _follow(walk, wheel, requirement)
    return walk


def _follow(walk: _Walk, wheel: InspectedWheel, requirement: Requirement) -> None:
    who = f"{wheel.project} {wheel.version}"
    parent = walk.demands[wheel.project]
    extras = {"", *parent.extras}
    holds = [_holds(requirement.marker, environment, extras, who) for environment in walk.targets]
    outside = [_holds(requirement.marker, environment, extras, who) for environment in walk.elsewhere]
    if not any(holds):
        walk.left_out = walk.left_out or any(outside)
        return
    conditions = parent.conditions
    if requirement.marker is not None and not (all(holds) and all(outside)):
        if _MENTIONS_EXTRA.search(str(requirement.marker)):
            raise PublishError(f"{who} requires {requirement}: a marker of an extra and a platform cannot be locked")
        conditions = {condition | {requirement.marker} for condition in parent.conditions}
    demand = walk.demands.setdefault(normalize_project(requirement.name), _Demand())
    demand.specifiers[f"{who} requires {requirement.name}{requirement.specifier}"] = requirement.specifier
    demand.extras |= {str(extra) for extra in requirement.extras}
    demand.conditions = _absorb(demand.conditions | conditions)


def _holds(marker: Marker | None, environment: Mapping[str, str], extras: Iterable[str], who: str) -> bool:
    try:
        return marker is None or any(marker.evaluate({**environment, "extra": extra}) for extra in extras)
    except (UndefinedComparison, InvalidVersion) as error:
        raise PublishError(f"{who}: marker {str(marker)!r} cannot be evaluated: {error}") from error


def _absorb(conditions: set[_Condition]) -> set[_Condition]:
    """`A or (A and B)` is `A`; without this, a circle of requirements would grow conditions for ever."""
    return {one for one in conditions if not any(other < one for other in conditions)}


def _best(demand: _Demand, offered: Iterable[str]) -> str | None:
    """The highest version that all admit; a pre-release only where PEP 440 admits one."""
    specifiers = functools.reduce(operator.and_, demand.specifiers.values(), SpecifierSet())
    return max(specifiers.filter(offered), key=Version, default=None)


def _met(root: InspectedWheel, versions: Mapping[ProjectName, str | None]) -> dict[ProjectName, str]:
    return {root.project: root.version} | {name: version for name, version in versions.items() if version is not None}


def _require_met(
    root: InspectedWheel,
    walk: _Walk,
    versions: Mapping[ProjectName, str | None],
    offered: Mapping[ProjectName, Mapping[str, object]],
) -> None:
    lines = []
    for project, version in sorted(versions.items()):
        if version is None:
            wanted = "; ".join(sorted(walk.demands[project].specifiers))
            lines.append(f"  {wanted}; offered: {', '.join(offered.get(project, ())) or 'none'}")
    if lines:
        raise PublishError(f"{root.filename}: wheels are missing from its closure:\n" + "\n".join(lines))


def _locked(walk: _Walk, choices: Mapping[ProjectName, _Choice]) -> Iterator[LockedWheel]:
    for project, choice in choices.items():
        marker = walk.demands[project].marker()
        yield from (locked(wheel, marker=marker) for wheel in choice.wheels)


def _environments(requires_python: SpecifierSet) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Marker environments (PEP 508) of the targets, and of a few others that a marker may ask for."""
    pythons = [python for python in PYTHONS if requires_python.contains(f"{python}.0")] or list(PYTHONS)
    targets = [
        _environment(python, "linux", machine, "cpython") for python, machine in itertools.product(pythons, MACHINES)
    ]
    others = (("darwin", "arm64", "cpython"), ("win32", "AMD64", "cpython"), ("linux", "x86_64", "pypy"))
    return targets, [_environment(python, *other) for python, other in itertools.product(pythons, others)]


def _environment(python: str, platform: str, machine: str, implementation: str) -> dict[str, str]:
    system = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}[platform]
    return {
        "implementation_name": implementation,
        "implementation_version": f"{python}.0",
        "os_name": "nt" if platform == "win32" else "posix",
        "platform_machine": machine,
        "platform_python_implementation": {"cpython": "CPython", "pypy": "PyPy"}[implementation],
        "platform_release": "",
        "platform_system": system,
        "platform_version": "",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": platform,
    }
