"""The closure among wheels that were given to an audit: those that were locked, or a folder with more in it."""

from collections.abc import Mapping
from dataclasses import dataclass

from assess_registry.closure.environments import targets_for
from assess_registry.closure.make import closure_for
from assess_registry.closure.survey import Names, looking_into, only_versions, survey, wheels_by
from assess_registry.config import Targets
from assess_registry.names import ProjectName
from assess_registry.wheel import InspectedWheel


@dataclass(frozen=True, kw_only=True, slots=True)
class GivenClosure:
    """What a plugin needs of the wheels at hand.

    Attributes:
        dependencies: the wheels of every project that is needed on some target.
        unserved: targets it cannot be installed on, by name, each with the reason.
    """

    dependencies: tuple[InspectedWheel, ...]
    unserved: Mapping[str, str]


def given_closure(wheel: InspectedWheel, candidates: Mapping[str, bytes], targets: Targets) -> GivenClosure:
    """The dependencies among the wheels at hand, and whom they serve. Resolves only where there is a choice.

    Raises:
        PublishError: a requirement is met by none of them; all that are not, each with who requires it.
        WheelError: one that is needed is not acceptable as a dependency.
    """
    names = only_versions(wheel, candidates)
    if names is None:
        names = _resolved(wheel, candidates, targets)
    wheels_of = wheels_by(names, looking_into(candidates))
    found = survey(wheel, wheels_of, targets_for(wheel, targets))
    dependencies = [each for project in found.needed for each in wheels_of(project)]
    return GivenClosure(
        dependencies=tuple(sorted(dependencies, key=lambda each: each.filename)), unserved=found.unserved
    )


def _resolved(wheel: InspectedWheel, candidates: Mapping[str, bytes], targets: Targets) -> Names:
    names: dict[ProjectName, frozenset[str]] = {}
    for each in closure_for(wheel, candidates, targets=targets).lock.wheels:
        if each.project != wheel.project:
            names[each.project] = names.get(each.project, frozenset()) | {each.filename}
    return names
