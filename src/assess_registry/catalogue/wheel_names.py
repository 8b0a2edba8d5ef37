"""What the name of a wheel says, and when two names on one page would be ambiguous: rules about names alone."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from assess_registry.names import ProjectName

MAX_TAG_DOTS = 40
"""Three long sets of compressed tags multiply to any number of tags; real wheels have a handful of dots."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WheelName:
    """Whose wheel it is, which version, and for which platforms."""

    project: str
    version: Version
    tags: frozenset[str]


@lru_cache(maxsize=256)
def parse_wheel_name(filename: str) -> WheelName:
    """What this filename says.

    Raises:
        ValueError: it is no wheel's.
    """
    if filename.count(".") > MAX_TAG_DOTS:
        raise ValueError(f"filename: more compressed tags than any wheel has: {filename[:80]!r}")
    try:
        project, version, _, tags = parse_wheel_filename(filename)
    except InvalidWheelFilename as error:
        raise ValueError(f"filename: {error}") from error
    return WheelName(project=project, version=version, tags=frozenset(str(tag) for tag in tags))


def check_belongs(filename: str, project: ProjectName, version: str) -> None:
    """It is the name of a wheel of this project and version.

    Raises:
        ValueError: it is not.
    """
    name = parse_wheel_name(filename)
    if name.project != project or str(name.version) != version:
        raise ValueError(f"filename: {filename!r} is not a wheel of {project} {version}")


def check_unambiguous(filenames: Iterable[str]) -> None:
    """No tag has two wheels: a later one with a build tag would otherwise take an audited one's place.

    Raises:
        ValueError: one has.
    """
    owners: dict[str, str] = {}
    for filename in filenames:
        for tag in parse_wheel_name(filename).tags:
            if tag in owners:
                raise ValueError(f"wheels: {filename} and {owners[tag]} are both for {tag}")
            owners[tag] = filename
