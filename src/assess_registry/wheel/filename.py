"""A wheel's filename, which says what it is before anything is read.

read_filename("demo_plugin-1.0.0-py3-none-any.whl", kind="plugin", issues=[]).project    ->    "demo-plugin"
"""

from dataclasses import dataclass

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from assess_registry.errors import Issue
from assess_registry.names import ProjectName, parse_project
from assess_registry.wheel.values import Kind

RULE = "binary distribution format, file name convention"
_MAX_CHARS = 255
_MAX_TAGS = 500
"""Single tags of a compressed tag set; three long lists would multiply to a hundred thousand."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WheelName:
    """The parts of a wheel's filename; `stem` is `<name>-<version>` as it is spelt there."""

    project: ProjectName
    version: Version
    build: tuple[()] | tuple[int, str]
    tags: frozenset[Tag]
    stem: str


def read_filename(filename: str, *, kind: Kind, issues: list[Issue]) -> WheelName | None:
    """The parts of `filename`, or None when it has none; a plugin's must be in normal form."""
    try:
        name = _parse(filename)
    except ValueError as error:  # InvalidWheelFilename is one
        issues.append(Issue(id="filename", entry="", message=str(error), rule=RULE))
        return None
    normal = f"{name.project.replace('-', '_')}-{name.version}"
    if kind == "plugin" and name.stem != normal:
        message = f"expected name and version in normal form, {normal!r}, got {name.stem!r}"
        issues.append(Issue(id="filename-not-normal", entry="", message=message, rule=RULE))
    elif kind == "plugin" and filename != (normal := _normal(normal, name.build, filename)):
        message = f"expected build and tags in normal form, {normal!r}, got {filename!r}"
        issues.append(Issue(id="filename-not-normal", entry="", message=message, rule=RULE))
    return name


def _normal(stem: str, build: tuple[()] | tuple[int, str], filename: str) -> str:
    """The one spelling of this filename: a number without zeros before it, lower case, no tag twice.

    The order of tags is left as it is: no tool has sorted them always, and a name in two orders is two wheels.
    """
    tags = (dict.fromkeys(part.lower().split(".")) for part in filename.removesuffix(".whl").split("-")[-3:])
    number = [f"{build[0]}{build[1].lower()}"] if build else []
    return "-".join([stem, *number, *map(".".join, tags)]) + ".whl"


def _parse(filename: str) -> WheelName:
    if (
        len(filename) > _MAX_CHARS
        or not filename.isascii()
        or not filename.isprintable()
        or set(filename) & set("/\\ ")
    ):
        raise ValueError(
            f"expected at most {_MAX_CHARS} ASCII characters without '/', '\\' or space, got {filename!r:.80}"
        )
    parts = filename.removesuffix(".whl").split("-")
    if len(parts) >= 3:
        python, abi, platform = (part.count(".") + 1 for part in parts[-3:])
        if python * abi * platform > _MAX_TAGS:
            raise ValueError(f"the compressed tags stand for more than {_MAX_TAGS} tags")
    try:
        project, version, build, tags = parse_wheel_filename(filename)
    except InvalidWheelFilename as error:
        raise ValueError(str(error)) from error
    return WheelName(project=parse_project(project), version=version, build=build, tags=tags, stem="-".join(parts[:2]))
