"""Wheels of one closure share a directory: who puts a file into another's place.

A plugin's package is the plugin's alone. A file that a dependency puts into it is imported as the plugin's code, but
would be judged by the milder measure of dependencies; so would one that replaces a module of it. And two projects
that bring different files of one path cannot be installed together at all.

Equal files of two wheels are one file, and wheels of one project are never installed together.
"""

from collections.abc import Iterator, Mapping, Sequence

from assess_registry.audit.values import Finding
from assess_registry.names import ProjectName, Sha256
from assess_registry.wheel import InspectedWheel
from assess_registry.wheel.layout import site_paths, top_level

RULE = "assess: a plugin's package holds the plugin's files"

_Places = Mapping[str, Sha256]


def shared_places(plugin: InspectedWheel, dependencies: Sequence[InspectedWheel]) -> Iterator[Finding]:
    """At most two findings for a dependency: of its files in the plugin's packages, and of those that others bring."""
    own = _places(plugin)
    tops = {top_level(path).lower() for path in own}
    owners: dict[str, dict[ProjectName, Sha256]] = {}
    for path, digest in own.items():
        owners.setdefault(path, {})[plugin.project] = digest
    found = {wheel.filename: _places(wheel) for wheel in dependencies}
    for wheel in dependencies:
        for path, digest in found[wheel.filename].items():
            owners.setdefault(path, {})[wheel.project] = digest
    directories: dict[str, set[ProjectName]] = {}
    for path, projects in owners.items():
        for parent in _parents(path):
            directories.setdefault(parent, set()).update(projects)
    for wheel in dependencies:
        places = found[wheel.filename]
        inside = [path for path in places if top_level(path).lower() in tops]
        if inside:
            yield _finding(
                "closure-shadows-plugin",
                wheel,
                inside,
                f"a dependency puts it into the package of the plugin, {plugin.project}",
                "keep the plugin's code in the plugin's own wheel, and other code in packages of another name",
            )
        differing = {
            path: other
            for path, digest in places.items()
            if (other := _other(wheel.project, digest, owners[path]) or _below(wheel.project, directories.get(path)))
        }
        if differing:
            yield _finding(
                "closure-file-conflict",
                wheel,
                list(differing),
                f"{differing[min(differing)]} brings something else at this path, so they cannot be installed together",
                "depend on other versions, or on one of them",
            )


def _places(wheel: InspectedWheel) -> _Places:
    """Path in the site directory -> digest."""
    digests = {entry.path: entry.sha256 for entry in wheel.entries}
    return {target: digests[path] for path, target in site_paths(list(digests), wheel.left_out).items()}


def _parents(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _other(project: ProjectName, digest: Sha256, owners: Mapping[ProjectName, Sha256]) -> ProjectName | None:
    return min((name for name, other in owners.items() if name != project and other != digest), default=None)


def _below(project: ProjectName, projects: set[ProjectName] | None) -> ProjectName | None:
    """Who has a directory where this one has a file."""
    return min((name for name in projects or () if name != project), default=None)


def _finding(kind: str, wheel: InspectedWheel, paths: Sequence[str], message: str, advice: str) -> Finding:
    count = f" (and {len(paths) - 1} more)" if len(paths) > 1 else ""
    return Finding(
        id=kind,
        severity="high",
        entry=f"{wheel.filename}: {min(paths)}",
        message=message + count,
        advice=advice,
        rule=RULE,
    )
