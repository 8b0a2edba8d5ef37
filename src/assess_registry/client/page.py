"""A project's page (PEP 691) read strictly: bytes in, the wheels it offers out, or everything that is wrong with it.

A page has no authority - it says where to look, and the publisher's signed lock decides what is right - but it is the
first thing a stranger can make us read, and "ignore what you do not understand" is how two readers of one page come to
different wheels. Keys that PEP 691 does not know are ignored, as it demands; what it knows has to be right.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from assess_registry.client.location import Base, Location
from assess_registry.client.strict_json import parse_json
from assess_registry.errors import Issue, TrustError
from assess_registry.names import ProjectName, Sha256, parse_sha256, parse_version

MAX_PAGE_BYTES = 8 * 1024 * 1024
"""A page of 10,000 wheels has about 6 MiB; ours have a few kB."""

MAX_FILES = 20_000

MAX_FILENAME = 255
"""Characters; the limit of the file systems a registry lies on."""

MAX_TAGS = 200
"""Tags a filename may expand to. `py2.py3-none-any` has 2, the widest real ones under 50; unbounded, one name of 255
characters expands to 60,000, and a page of them to hours."""

_RULE = "PEP 691"


@dataclass(frozen=True, kw_only=True, slots=True)
class PageWheel:
    """One wheel as the page describes it; nothing of it is verified.

    Attributes:
        location: where it lies, below the registry's base.
        size: in bytes, when the page says (PEP 700).
        yanked: the maintainer withdrew it (PEP 592); `yanked_reason` is a stranger's text.
    """

    filename: str
    version: Version
    tags: frozenset[Tag]
    location: Location
    sha256: Sha256
    size: int | None
    requires_python: SpecifierSet
    yanked: bool
    yanked_reason: str


def page_location(project: ProjectName) -> Location:
    """Where a project's page lies: the exact file, so that a host which only serves files will do."""
    return Location(f"simple/{project}/index.json")


def parse_page(data: bytes, *, project: ProjectName, base: Base) -> tuple[PageWheel, ...]:
    """The wheels of `project` that its page offers; other kinds of files are left out.

    Raises:
        TrustError: step `index`, with every problem found; a page that is wrong in one entry is wrong.
    """
    page = page_location(project)
    try:
        wheels, issues = _read(parse_json(data), project, page, base)
    except ValueError as error:
        wheels, issues = [], [_issue("page-malformed", "", str(error))]
    issues += _same_version_twice(wheels)
    if issues:
        raise TrustError(
            f"the page of {project} cannot be believed",
            step="index",
            thing=base.url_of(page),
            next_step="do not use this registry until its maintainer has explained the page",
            issues=tuple(issues),
        )
    return tuple(wheels)


def _read(value: Any, project: ProjectName, page: Location, base: Base) -> tuple[list[PageWheel], list[Issue]]:
    api = _typed(_typed(value, dict, "page").get("meta"), dict, "meta").get("api-version")
    if not isinstance(api, str) or api.partition(".")[0] != "1" or not api.partition(".")[2].isdecimal():
        raise ValueError(f"meta.api-version: expected 1.x, got {_shown(api)}")
    if value.get("name") != project:
        raise ValueError(f"name: expected {project!r}, got {_shown(value.get('name'))}")
    files = _typed(value.get("files"), list, "files")
    if len(files) > MAX_FILES:
        raise ValueError(f"files: expected at most {MAX_FILES}, got {len(files)}")
    wheels: list[PageWheel] = []
    issues: list[Issue] = []
    seen: set[str] = set()
    for number, entry in enumerate(files):
        where = f"files[{number}]"
        try:
            filename = _typed(_typed(entry, dict, where).get("filename"), str, f"{where}.filename")
            if filename in seen:
                raise ValueError(f"{_shown(filename)} is listed twice")
            seen.add(filename)
            if filename.endswith(".whl"):
                wheels.append(_wheel(entry, filename, project, page, base))
        except ValueError as error:
            issues.append(_issue("page-file", where, str(error)))
    return wheels, issues


def _wheel(entry: Mapping[str, Any], filename: str, project: ProjectName, page: Location, base: Base) -> PageWheel:
    version, tags = _parse_filename(filename, project)
    link = _typed(entry.get("url"), str, "url")
    location = base.locate(page, link)
    if location.rpartition("/")[2] != filename:
        raise ValueError(f"url {_shown(link)} does not end in the file's name {filename!r}")
    sha256 = parse_sha256(_typed(_typed(entry.get("hashes"), dict, "hashes").get("sha256"), str, "hashes.sha256"))
    fragment = link.partition("#")[2]
    if fragment not in ("", f"sha256={sha256}"):
        raise ValueError(f"url says {_shown(fragment)} and hashes say sha256={sha256}")
    size = entry.get("size")
    if size is not None and (type(size) is not int or size <= 0):
        raise ValueError(f"size: expected a number of bytes, got {_shown(size)}")
    yanked = entry.get("yanked", False)
    if not isinstance(yanked, bool | str):
        raise ValueError(f"yanked: expected true, false or a reason, got {_shown(yanked)}")
    return PageWheel(
        filename=filename,
        version=version,
        tags=tags,
        location=location,
        sha256=sha256,
        size=size,
        requires_python=_requires_python(entry.get("requires-python")),
        # An empty reason still withdraws the file (PEP 592: "if present", whatever its value).
        yanked=yanked is not False,
        yanked_reason=yanked if isinstance(yanked, str) else "",
    )


def _parse_filename(filename: str, project: ProjectName) -> tuple[Version, frozenset[Tag]]:
    sets = [len(part.split(".")) for part in filename.rsplit("-", 3)[1:]]
    if len(filename) > MAX_FILENAME or math.prod(sets) > MAX_TAGS:
        raise ValueError(f"{_shown(filename)} is longer, or has more tags, than any wheel's name")
    try:
        _, _, _, tags = parse_wheel_filename(filename)
    except InvalidWheelFilename as error:
        raise ValueError(f"{_shown(filename)} is no wheel's name") from error
    # Compared as spelled: `Demo_Plugin` or `demo.plugin` normalise alike, and a name with two spellings has a twin.
    name, spelled = filename.split("-")[:2]
    if name != project.replace("-", "_"):
        raise ValueError(f"{_shown(filename)} belongs to another project, expected {project.replace('-', '_')}-…")
    return parse_version(spelled), tags


def _requires_python(value: Any) -> SpecifierSet:
    if value is None:
        return SpecifierSet()
    try:
        return SpecifierSet(_typed(value, str, "requires-python"))
    except InvalidSpecifier as error:
        raise ValueError(f"requires-python: {_shown(value)} is no version specifier (PEP 440)") from error


def _same_version_twice(wheels: list[PageWheel]) -> Iterator[Issue]:
    spellings: dict[Version, str] = {}
    for wheel in wheels:
        first = spellings.setdefault(wheel.version, str(wheel.version))
        if first != str(wheel.version):
            message = f"versions {first} and {wheel.version} are one version in two spellings (PEP 440)"
            yield _issue("page-version-alias", wheel.filename, message)


def _typed(value: Any, kind: type, what: str) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"{what}: expected {kind.__name__}, got {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    return ascii(value if isinstance(value, str | int | float | bool | None) else type(value).__name__)[:120]


def _issue(issue_id: str, entry: str, message: str) -> Issue:
    return Issue(id=issue_id, entry=entry, message=message, rule=_RULE)
