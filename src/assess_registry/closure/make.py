"""A closure from a folder of wheels: chosen by uv, inspected, held against the requirements, and locked.

1. uv chooses one version of each project, for the targets whose Python the plugin admits. Where that fails, it is found
   out whether a closure can serve some of them. Where there is one version of each, and no requirement has a condition,
   there is nothing to ask uv.
2. Wheels of the chosen versions that some target would take are inspected; what nobody takes is left out.
3. On every target that is served, the requirements are followed through these wheels. What they reach, and what the
   lock selects there, has to be the same.
4. The lock is limited to what its requirements ask about: to the platforms of the targets if they ask for a platform,
   to the Pythons of the targets if later ones need what is not there.

    lock = make_closure(wheel, folder, targets=config.targets)
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from packaging.markers import Marker
from packaging.pylock import Package, Pylock
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from assess_registry.closure.environments import (
    later_pythons,
    lock_environments,
    pythons_of,
    targets_for,
)
from assess_registry.closure.markers import asked_about, simplest
from assess_registry.closure.pinned import pins_of, require_as_pinned
from assess_registry.closure.plain_markers import plain
from assess_registry.closure.resolve import resolve, wheels_in
from assess_registry.closure.survey import (
    Look,
    Names,
    best_wheel,
    looking_into,
    missing_wheel,
    only_versions,
    require_one_spelling,
    survey,
    wheels_by,
)
from assess_registry.closure.walk import Reached, WheelsOf, reached
from assess_registry.config import Targets
from assess_registry.errors import PublishError, RegistryError
from assess_registry.lock import Lock, LockedWheel, parse_lock, write_lock
from assess_registry.names import ProjectName, normalize_project
from assess_registry.targets import RegistryTarget
from assess_registry.wheel import InspectedWheel

MAX_TRIED = 24
"""Targets that are tried alone, to find out whom a closure can serve."""

_MICRO = re.compile(r"3\.\d+\.\d+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Closure:
    """A closure, and whom it serves.

    Attributes:
        lock: the plugin's wheel and all that it needs on any target served.
        meant: targets whose Python the plugin admits.
        unserved: those it cannot be installed on, by name, each with the reason.
    """

    lock: Lock
    meant: tuple[RegistryTarget, ...]
    unserved: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The wheels of the chosen version of one project, and when uv says it is needed."""

    wheels: tuple[InspectedWheel, ...]
    marker: Marker | None


def make_closure(wheel: InspectedWheel, folder: Mapping[str, bytes], *, targets: Targets | None = None) -> Lock:
    """The lock of the plugin's wheel and everything it needs; see `closure_for`."""
    return closure_for(wheel, folder, targets=targets).lock


def closure_for(wheel: InspectedWheel, folder: Mapping[str, bytes], *, targets: Targets | None = None) -> Closure:
    """The closure of a plugin's wheel, chosen from a folder without a network.

    Args:
        wheel: the plugin.
        folder: filename -> bytes of the wheels to choose from. Where a lock lies in it, it is what that lock says.
        targets: where the plugins of the registry run.

    Raises:
        PublishError: it cannot be resolved, or serves no target.
        WheelError: a wheel that would be needed is not acceptable as a dependency.
        TrustError: step `closure`: the folder is not what the lock in it says.
    """
    pins = pins_of(folder, wheel)
    meant = targets_for(wheel, targets or Targets())
    chosen, served, unserved = _choose(wheel, folder, meant)
    lock, lost = _locked(wheel, chosen, served)
    require_as_pinned(pins, wheel, lock)
    return Closure(lock=lock, meant=meant, unserved={**unserved, **lost})


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


def _choose(
    wheel: InspectedWheel, folder: Mapping[str, bytes], meant: tuple[RegistryTarget, ...]
) -> tuple[dict[ProjectName, _Chosen], tuple[RegistryTarget, ...], Mapping[str, str]]:
    """What was chosen, for which targets, and why not for the others."""
    look, names = looking_into(folder), only_versions(wheel, folder)
    if names is not None and (certain := _unconditional(wheel, wheels_by(names, look), meant)) is not None:
        return certain, meant, {}
    try:
        return _taken(wheel, folder, look, resolve(wheel, folder, meant)), meant, {}
    except PublishError as error:
        first = error
    unserved = _unserved(wheel, folder, names, look, meant)
    served = tuple(target for target in meant if target.name not in unserved)
    if not served or not unserved:
        raise first
    return _taken(wheel, folder, look, resolve(wheel, folder, served)), served, unserved


def _unconditional(
    wheel: InspectedWheel, wheels_of: WheelsOf, meant: Sequence[RegistryTarget]
) -> dict[ProjectName, _Chosen] | None:
    """The closure where there is nothing to choose and no condition: then no resolver has anything to say."""
    found = survey(wheel, wheels_of, meant)
    return None if found.markers else {project: _Chosen(tuple(wheels_of(project)), None) for project in found.needed}


def _unserved(
    wheel: InspectedWheel,
    folder: Mapping[str, bytes],
    names: Names | None,
    look: Look,
    meant: Sequence[RegistryTarget],
) -> Mapping[str, str]:
    """The targets that a closure cannot serve, if it can serve others."""
    if names is not None:
        return survey(wheel, wheels_by(names, look), meant).unserved
    unserved: dict[str, str] = {}
    for target in meant if 1 < len(meant) <= MAX_TRIED else ():
        try:
            resolve(wheel, folder, (target,))
        except PublishError as error:
            unserved[target.name] = str(error).partition("\n")[2].strip() or str(error)
    return unserved


def _taken(
    wheel: InspectedWheel, folder: Mapping[str, bytes], look: Look, pylock: Pylock
) -> dict[ProjectName, _Chosen]:
    """All wheels that the folder has of the chosen versions, inspected."""
    names: dict[tuple[ProjectName, Version], list[str]] = {}
    for filename, project, version in wheels_in(folder):
        names.setdefault((project, version), []).append(filename)
    chosen: dict[ProjectName, _Chosen] = {}
    for package in pylock.packages:
        project = normalize_project(package.name)
        if project in chosen:
            raise PublishError(
                f"{wheel.filename}: its targets would need two versions of {project}, "
                f"{chosen[project].wheels[0].version} and {package.version}, and a closure has one; "
                "say in the plugin which"
            )
        wheels = tuple(look(name) for name in names.get((project, _version(package)), ()))
        require_one_spelling(wheels)
        chosen[project] = _Chosen(wheels, package.marker)
    return chosen


def _version(package: Package) -> Version:
    if package.version is None:
        raise PublishError(f"{package.name}: it has no version")
    return package.version


def _locked(
    wheel: InspectedWheel, chosen: Mapping[ProjectName, _Chosen], targets: Sequence[RegistryTarget]
) -> tuple[Lock, Mapping[str, str]]:
    """Steps 2 to 4; the lock, and why it does not serve some targets."""
    needs = [
        (target, _reach(wheel, chosen, target.environment))
        for target in (*targets, *_micro_versions(wheel, chosen, targets))
    ]
    unserved: dict[str, str] = {}
    taken: list[tuple[RegistryTarget, dict[str, InspectedWheel]]] = []
    for target, found in needs:
        best = {name: best_wheel(chosen[name].wheels, target) for name in found.projects if name != wheel.project}
        missing = [missing_wheel(chosen[name].wheels, target) for name, one in sorted(best.items()) if one is None]
        if missing or found.problems:
            unserved.setdefault(target.name, "; ".join((*missing, *found.problems)))
        taken.append((target, {one.filename: one for one in best.values() if one is not None}))
    served = [(target, found) for target, found in needs if target.name not in unserved]
    if not served:
        lines = "\n".join(f"  {name}: {why}" for name, why in unserved.items())
        raise PublishError(f"{wheel.filename}: its closure serves no target:\n{lines}")
    kept = {
        name: one for target, wheels in taken if target.name not in unserved for name, one in sorted(wheels.items())
    }
    lock = _written(wheel, chosen, kept, served)
    _require_selected(wheel, lock, [(target, wheels) for target, wheels in taken if target.name not in unserved])
    return lock, unserved


def _written(
    wheel: InspectedWheel,
    chosen: Mapping[ProjectName, _Chosen],
    kept: Mapping[str, InspectedWheel],
    needs: Sequence[tuple[RegistryTarget, Reached]],
) -> Lock:
    served = [target for target, _ in needs]
    there = {each.project: chosen[each.project] for each in kept.values()}
    texts = frozenset(text for _, found in needs for text in found.markers)
    asked = asked_about(texts)
    later = [(each, _reach(wheel, there, each)) for each in later_pythons(served, texts)]
    reaches_on = not any(found.problems for _, found in later)
    markers: dict[ProjectName, Marker | None] = {}
    for project, one in there.items():
        now = [(target.environment, project in found.projects) for target, found in needs]
        after = [(environment, project in found.projects) for environment, found in later]
        try:
            markers[project] = simplest(one.marker, [*now, *after], asked)
        except ValueError:
            reaches_on = False
            markers[project] = _for_targets_alone(wheel, project, one.marker, now, asked)
    # A marker that could not be shortened speaks of more than was asked about, and so limits the lock.
    spoken = asked_about(str(marker) for marker in markers.values() if marker is not None)
    return parse_lock(
        write_lock(
            [locked(wheel), *(locked(each, marker=markers[each.project]) for each in kept.values())],
            requires_python=_python_bound(wheel, served),
            environments=lock_environments(served, asked | spoken, later=reaches_on),
        )
    )


def _require_selected(
    wheel: InspectedWheel, lock: Lock, taken: Sequence[tuple[RegistryTarget, Mapping[str, InspectedWheel]]]
) -> None:
    """What `packaging.pylock` selects from the lock is what following the requirements took.

    Raises:
        RegistryError: it is not, which is a defect, and nothing is locked.
    """
    # Without the plugin's own: another of its wheels, of which nothing is known here, may be the one for a target.
    entries = [each for each in lock.wheels if each.project != wheel.project]
    if not entries:
        return
    dependencies = parse_lock(write_lock(entries, requires_python=lock.requires_python, environments=lock.environments))
    for target, wheels in taken:
        selected = {each.filename for each in dependencies.select(target)}
        if selected != set(wheels):
            differing = ", ".join(sorted(selected ^ set(wheels)))
            raise RegistryError(f"{target.name}: selecting and following requirements differ in {differing}")


def _python_bound(wheel: InspectedWheel, targets: Sequence[RegistryTarget]) -> SpecifierSet:
    """The plugin's own, and the lowest target's where that is higher: nothing was resolved for what lies below."""
    lowest = pythons_of(targets)[0]
    below = any(wheel.requires_python.contains(f"3.{minor}.99") for minor in range(int(lowest.split(".")[1])))
    return wheel.requires_python & SpecifierSet(f">={lowest}") if below else wheel.requires_python


def _for_targets_alone(
    wheel: InspectedWheel,
    project: ProjectName,
    marker: Marker | None,
    truth: Sequence[tuple[Mapping[str, str], bool]],
    asked: frozenset[str],
) -> Marker | None:
    try:
        return simplest(marker, truth, asked)
    except ValueError as error:
        raise RegistryError(
            f"{wheel.filename}: uv and the metadata of its closure disagree on when {project} is needed: uv says "
            f"{str(error)!r}; this is a defect of one of them, and nothing was locked"
        ) from error


def _reach(wheel: InspectedWheel, chosen: Mapping[ProjectName, _Chosen], environment: Mapping[str, str]) -> Reached:
    return reached(wheel, lambda name: chosen[name].wheels if name in chosen else (), environment)


def _micro_versions(
    wheel: InspectedWheel, chosen: Mapping[ProjectName, _Chosen], targets: Sequence[RegistryTarget]
) -> Iterator[RegistryTarget]:
    markers = [each.marker for one in _all(wheel, chosen) for each in one.requires_dist if each.marker]
    texts = [str(plain(marker)) for marker in markers]
    for version in sorted({found for text in texts for found in _MICRO.findall(text)}):
        python, _, micro = version.rpartition(".")
        for target in targets:
            if target.environment["python_version"] == python:
                for near in {max(int(micro) - 1, 0), int(micro), int(micro) + 1}:
                    full = f"{python}.{near}"
                    changes = {"python_full_version": full, "implementation_version": full}
                    yield replace(target, environment={**target.environment, **changes})


def _all(wheel: InspectedWheel, chosen: Mapping[ProjectName, _Chosen]) -> Iterator[InspectedWheel]:
    yield wheel
    for one in chosen.values():
        yield from one.wheels
