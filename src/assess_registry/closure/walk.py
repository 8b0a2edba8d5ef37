"""Follow the requirements of wheels that were chosen already, for one interpreter and platform.

Nothing is chosen here, so this is no resolver: it says what belongs to a closure and what is wrong with it. It reads
the metadata of inspected wheels with `packaging`, and shares no line with uv, whose choice it judges.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import InvalidVersion

from assess_registry.closure.plain_markers import plain
from assess_registry.errors import PublishError
from assess_registry.names import ProjectName, normalize_project
from assess_registry.wheel import InspectedWheel

WheelsOf = Callable[[ProjectName], Sequence[InspectedWheel]]
"""The wheels there are of a project, all of one version; none when there is none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reached:
    """What a plugin needs in one environment.

    Attributes:
        projects: the plugin and everything it needs, as far as it is there.
        problems: requirements that nothing meets, one sentence each.
        markers: of every requirement that could count here, whether it does or not, in words that all read alike.
    """

    projects: frozenset[ProjectName]
    problems: tuple[str, ...]
    markers: frozenset[str]


def reached(root: InspectedWheel, wheels_of: WheelsOf, environment: Mapping[str, str]) -> Reached:
    """Everything that follows from the plugin's requirements in an environment (marker variables of PEP 508).

    Raises:
        PublishError: a marker cannot be evaluated, or only on the machine that will run it, or is read differently.
    """
    extras: dict[ProjectName, set[NormalizedName]] = {root.project: set()}
    problems: dict[str, None] = {}
    markers: set[str] = set()
    waiting = deque([root.project])
    while waiting:
        project = waiting.popleft()
        for wheel in (root,) if project == root.project else wheels_of(project):
            for requirement in wheel.requires_dist:
                if requirement.marker is not None and not is_for_another_extra(requirement.marker, extras[project]):
                    markers.add(_plain(wheel, requirement.marker))
                if not _holds(wheel, requirement.marker, environment, extras[project]):
                    continue
                name = normalize_project(requirement.name)
                problems.update(dict.fromkeys(_unmet(wheel, requirement, root, name, wheels_of)))
                asked = {canonicalize_name(extra) for extra in requirement.extras}
                if name not in extras or not asked <= extras[name]:
                    extras.setdefault(name, set()).update(asked)
                    waiting.append(name)
    there = {name for name in extras if name == root.project or wheels_of(name)}
    return Reached(projects=frozenset(there), problems=tuple(problems), markers=frozenset(markers))


def is_for_another_extra(marker: Marker, active: set[NormalizedName]) -> bool:
    """Whether a requirement is an extra's alone, and nobody asked for that extra."""
    conditions = list(_conjunction(str(marker)))
    wanted = [each[len(_EXTRA) : -1] for each in conditions if each.startswith(_EXTRA)]
    return any(canonicalize_name(name) not in active for name in wanted)


_EXTRA = 'extra == "'


def _conjunction(text: str) -> Iterator[str]:
    """The terms that must all hold; the whole text where it is an `or` at its top."""
    depth, start, terms = 0, 0, []
    for at, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0 and text.startswith(" or ", at):
            yield text
            return
        if depth == 0 and text.startswith(" and ", at):
            terms.append(text[start:at])
            start = at + len(" and ")
    yield from (*terms, text[start:])


def _holds(
    wheel: InspectedWheel, marker: Marker | None, environment: Mapping[str, str], extras: set[NormalizedName]
) -> bool:
    if marker is None:
        return True
    terms = tuple(_conjunction(str(marker)))
    decided = [Marker(term) for term in terms if not _asks_about_a_kernel(term)]
    try:
        holds = any(all(term.evaluate({**environment, "extra": extra}) for term in decided) for extra in ("", *extras))
        if holds and len(decided) < len(terms):
            who = f"{wheel.project} {wheel.version}"
            raise PublishError(
                f"{who}: marker {str(marker)!r} asks about the machine's kernel, of which no target says anything: "
                "nobody could lock what it runs with; its author has to require it always, or never"
            )
        return holds
    except (UndefinedComparison, UndefinedEnvironmentName, InvalidVersion) as error:
        who = f"{wheel.project} {wheel.version}"
        raise PublishError(f"{who}: marker {str(marker)!r} cannot be evaluated: {error}") from error


def _plain(wheel: InspectedWheel, marker: Marker) -> str:
    said = plain(marker)
    if said is None:
        raise PublishError(
            f"{wheel.project} {wheel.version}: marker {str(marker)!r} compares versions of Python as text, and cannot "
            "be said in versions; resolvers read that differently, so nothing was locked: its author has to write "
            "python_version with ==, !=, < or >="
        )
    return str(said)


def _asks_about_a_kernel(term: str) -> bool:
    """Whether a marker's answer differs from machine to machine of one platform."""
    said = re.sub(r"\"[^\"]*\"|'[^']*'", "", term)
    return re.search(r"\bplatform_(release|version)\b", said) is not None


def _unmet(
    wheel: InspectedWheel, requirement: Requirement, root: InspectedWheel, name: ProjectName, wheels_of: WheelsOf
) -> Iterator[str]:
    offered = {each.version for each in ((root,) if name == root.project else wheels_of(name))}
    if not any(requirement.specifier.contains(version, prereleases=True) for version in offered):
        what = f"{requirement.name}{requirement.specifier}"
        yield f"{wheel.project} {wheel.version} requires {what}; offered: {', '.join(sorted(offered)) or 'none'}"
