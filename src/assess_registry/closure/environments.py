"""For whom a closure is locked: the targets of the registry, as markers for a resolver and for a lock."""

import re
from collections.abc import Iterable, Mapping, Sequence

from packaging.markers import Marker

from assess_registry.config import Targets
from assess_registry.errors import PublishError
from assess_registry.targets import RegistryTarget, targets_of
from assess_registry.wheel import InspectedWheel

LAST_MINOR = 99
"""No Python 3 will have more minor versions than `python_version` has room for here."""

_PLATFORM = ("os_name", "sys_platform", "platform_machine", "implementation_name", "platform_python_implementation")
"""What says which platform it is, in a marker given to the resolver."""


def targets_for(wheel: InspectedWheel, targets: Targets) -> tuple[RegistryTarget, ...]:
    """The targets whose Python the plugin admits; its own first Python on the registry's platforms where there is none.

    Raises:
        PublishError: it admits no Python at all.
    """
    meant = tuple(each for each in targets_of(targets) if _admits(wheel, each.environment["python_full_version"]))
    if meant:
        return meant
    own = next((f"3.{minor}" for minor in range(LAST_MINOR) if _admits(wheel, f"3.{minor}.{LAST_MINOR}")), None)
    if own is None:
        raise PublishError(f"{wheel.filename}: Requires-Python {wheel.requires_python} admits no Python 3")
    return tuple(targets_of(Targets(pythons=(own,), platforms=targets.platforms)))


def pythons_of(targets: Iterable[RegistryTarget]) -> tuple[str, ...]:
    """Their Pythons, lowest first."""
    return tuple(sorted({each.environment["python_version"] for each in targets}, key=_minor))


def later_pythons(targets: Sequence[RegistryTarget], markers: Iterable[str]) -> tuple[Mapping[str, str], ...]:
    """Environments that stand for every later Python on the targets' platforms.

    The next Python, the last, and around each that a marker names: between those nothing can change.
    """
    last = _minor(pythons_of(targets)[-1])
    named = {int(found) for marker in markers for found in re.findall(r"\b3\.(\d{1,3})\b", marker)}
    minors = {last + 1, LAST_MINOR} | {near for minor in named for near in (minor - 1, minor, minor + 1)}
    platforms = {tuple(each.environment[name] for name in _PLATFORM): each.environment for each in targets}
    return tuple(
        {**environment, **_python(f"3.{minor}")}
        for environment in platforms.values()
        for minor in sorted(minors)
        if last < minor <= LAST_MINOR
    )


def resolver_environments(targets: Sequence[RegistryTarget]) -> tuple[str, ...]:
    """Disjoint markers that hold on the targets and nowhere else, one for each platform."""
    found = {}
    for target in targets:
        platform = " and ".join(f"{name} == '{target.environment[name]}'" for name in _PLATFORM)
        pythons = pythons_of(each for each in targets if _same_platform(each, target))
        found[platform] = f"{platform} and ({_ranges(pythons)})"
    return tuple(found.values())


def lock_environments(targets: Sequence[RegistryTarget], asked: Iterable[str], *, later: bool) -> tuple[Marker, ...]:
    """Markers of which a client must satisfy one: as narrow as what the requirements ask about, and no narrower.

    Args:
        targets: those that the closure serves.
        asked: what the requirements ask about; what nobody asks about does not matter.
        later: whether later Pythons than the targets' get what they need, too.
    """
    terms: dict[str, None] = {}
    for target in targets:
        term = [f'{name} == "{target.environment[name]}"' for name in sorted(asked, reverse=True)]
        if not later:
            term.append(f'python_version == "{target.environment["python_version"]}"')
        terms[" and ".join(term)] = None
    return tuple(Marker(term) for term in terms if term)


def _ranges(pythons: Sequence[str]) -> str:
    """`python_full_version` within runs of successive Pythons; a resolver forks at every range."""
    runs: list[list[int]] = []
    for minor in map(_minor, pythons):
        if runs and minor == runs[-1][-1] + 1:
            runs[-1].append(minor)
        else:
            runs.append([minor])
    # Without a lower bound for the first: the lock's own `requires-python` says that.
    texts = [f"python_full_version < '3.{run[-1] + 1}'" for run in runs]
    lower = ["", *(f"python_full_version >= '3.{run[0]}' and " for run in runs[1:])]
    return " or ".join(f"({bound}{text})" for bound, text in zip(lower, texts, strict=True))


def _python(version: str) -> dict[str, str]:
    full = f"{version}.{LAST_MINOR}"
    return {"python_version": version, "python_full_version": full, "implementation_version": full}


def _same_platform(one: RegistryTarget, other: RegistryTarget) -> bool:
    return all(one.environment[name] == other.environment[name] for name in _PLATFORM)


def _admits(wheel: InspectedWheel, python: str) -> bool:
    return wheel.requires_python.contains(python)


def _minor(python: str) -> int:
    return int(python.split(".")[1])
