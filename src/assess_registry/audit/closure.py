"""A plugin's dependencies: chosen from the wheels at hand, inspected as such, and held against the targets.

`assess-plugin` is the runtime's own part, so its wheel may be missing, whether other wheels are given or not. What is
missing otherwise, or refused by inspection, leaves this examination incomplete.

A closure that is complete by name may still serve nobody: wheels for another Python, another machine. So it is
resolved for every target of the registry, as an installer there would. And its wheels share one directory: who puts a
file where another has one is a finding (`sharing`).
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from packaging.requirements import Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from assess_registry.audit.dependencies import SDK
from assess_registry.audit.examining import one_line, structural
from assess_registry.audit.sharing import shared_places
from assess_registry.audit.values import Examination, Finding
from assess_registry.closure import given_closure
from assess_registry.config import Targets
from assess_registry.errors import RegistryError, WheelError
from assess_registry.manifest import Severity
from assess_registry.targets import targets_of
from assess_registry.wheel import InspectedWheel

NAME = "closure"

_RULE = "docs/policy.md: targets"
# Not `extra == ""`: pip holds that to be true of an installation without extras.
_ONLY_AN_EXTRA = re.compile(r'extra == "[^"]+"\Z')
_MAX_NAMED = 3


def examine_closure(
    wheel: InspectedWheel, candidates: Mapping[str, bytes] | None, targets: Targets
) -> tuple[tuple[InspectedWheel, ...], Examination]:
    """The dependencies, and what there is to say about them."""
    if candidates is None:
        needed = sorted({requirement.name for requirement in wheel.requires_dist if _is_needed(requirement)})
        missing = (f"the wheels of its dependencies were not given: {', '.join(needed)}",) if needed else ()
        return (), Examination(check=NAME, incomplete=missing, findings=_unserved(wheel, {}, targets))
    try:
        given = given_closure(wheel if _offers_sdk(candidates) else _without_sdk(wheel), candidates, targets)
    except WheelError as error:
        findings = tuple(
            structural(issue, f"{error.filename}: {issue.entry}" if issue.entry else error.filename)
            for issue in error.issues
        )
        incomplete = (f"a dependency was refused by inspection: {error.filename}",)
        return (), Examination(check=NAME, findings=findings, incomplete=incomplete)
    except RegistryError as error:
        return (), Examination(check=NAME, incomplete=(one_line(str(error)),))
    facts = {
        "wheels": [
            {"filename": each.filename, "sha256": each.sha256, "left_out": list(each.left_out)}
            for each in given.dependencies
        ]
    }
    findings = (*_unserved(wheel, given.unserved, targets), *shared_places(wheel, given.dependencies))
    return given.dependencies, Examination(check=NAME, facts=facts, findings=findings)


def _unserved(wheel: InspectedWheel, unserved: Mapping[str, str], targets: Targets) -> tuple[Finding, ...]:
    """Whether the closure can be installed on the targets, as far as the plugin is meant for them."""
    every = tuple(targets_of(targets))
    meant = [target for target in every if target.admits(wheel)]
    if every and not meant:
        message = f"the wheel can be installed on no target of the registry: {_some([each.name for each in every])}"
        return (_finding("closure-fits-no-target", "medium", message),)
    problems = {target.name: unserved[target.name] for target in meant if target.name in unserved}
    if not problems:
        return ()
    message = f"its closure cannot be installed: {_some([f'{name}: {why}' for name, why in problems.items()])}"
    if len(problems) == len(meant):
        return (_finding("closure-fits-no-target", "medium", message),)
    return (_finding("closure-misses-target", "low", message),)


def _some(sentences: list[str]) -> str:
    more = len(sentences) - _MAX_NAMED
    return "; ".join(sentences[:_MAX_NAMED]) + (f"; and {more} more" if more > 0 else "")


def _finding(kind: str, severity: Severity, message: str) -> Finding:
    advice = "give wheels for them, or say in [targets] where plugins of this registry run"
    return Finding(id=kind, severity=severity, entry="", message=message, advice=advice, rule=_RULE)


def _offers_sdk(candidates: Mapping[str, bytes]) -> bool:
    for filename in candidates:
        try:
            if parse_wheel_filename(filename)[0] == SDK:
                return True
        except InvalidWheelFilename:
            continue
    return False


def _without_sdk(wheel: InspectedWheel) -> InspectedWheel:
    return replace(wheel, requires_dist=tuple(each for each in wheel.requires_dist if not _is_sdk(each)))


def _is_sdk(requirement: Requirement) -> bool:
    return canonicalize_name(requirement.name) == SDK


def _is_needed(requirement: Requirement) -> bool:
    only_an_extra = requirement.marker is not None and _ONLY_AN_EXTRA.match(str(requirement.marker))
    return not only_an_extra and not _is_sdk(requirement)
