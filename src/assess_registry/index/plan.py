"""What a publish would write, compared with what is published: decided in full before the first write.

A file counts as published when a wheel that it belongs to does; leftovers of a killed publish, which no page names,
may be overwritten. Published files never change, except where a development registry replaces on request.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from packaging.tags import Tag
from packaging.utils import parse_wheel_filename
from packaging.version import Version

from assess_registry.errors import PublishError, TrustError
from assess_registry.files import read_bounded
from assess_registry.index.tree import METADATA_SUFFIX, Tree, digest
from assess_registry.lock import LOCK_NAME, LockedWheel
from assess_registry.names import ProjectName
from assess_registry.signatures import SIGNATURE_SUFFIX
from assess_registry.wheel import MAX_WHEEL_BYTES


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedFile:
    """One file of a version.

    Attributes:
        wheel: the wheel it belongs to, or is; empty for the lock and its signature, which belong to all of a version.
    """

    project: ProjectName
    version: str
    filename: str
    wheel: str
    data: bytes

    @property
    def is_wheel(self) -> bool:
        """Whether it is the wheel itself."""
        return self.filename == self.wheel


def wheel_files(
    project: ProjectName, version: str, filename: str, *, metadata: bytes, data: bytes
) -> tuple[PlannedFile, PlannedFile]:
    """A wheel and its side file; the wheel last, because a wheel that is there is complete."""
    return (
        PlannedFile(
            project=project, version=version, filename=filename + METADATA_SUFFIX, wheel=filename, data=metadata
        ),
        PlannedFile(project=project, version=version, filename=filename, wheel=filename, data=data),
    )


def plugin_wheels(tree: Tree, project: ProjectName, version: str) -> tuple[str, ...]:
    """Published wheels of a version that were published as plugins, not mirrored as somebody's dependency."""
    return tuple(
        filename
        for filename in tree.wheels(project, version)
        if tree.file(project, version, filename + SIGNATURE_SUFFIX).is_file()
    )


def changed(tree: Tree, plan: Iterable[PlannedFile]) -> tuple[PlannedFile, ...]:
    """Planned files whose published bytes are others."""
    return tuple(file for file in plan if _is_published(tree, file) and _differs(tree, file))


def require_immutable(tree: Tree, changes: Iterable[PlannedFile], *, lock_may_grow: bool = False) -> None:
    """Nothing published changes; `lock_may_grow` excepts a version's lock, which another wheel of the version joins.

    Raises:
        TrustError: step `publish`; it would. Names the first file and both digests.
    """
    # The wheel first: when its bytes differ its signature does too, and is not what the reader should hear of.
    for file in sorted(changes, key=lambda file: not file.is_wheel):
        if lock_may_grow and not file.wheel:
            continue
        if file.filename.endswith(SIGNATURE_SUFFIX):
            message = "it is published under a signature by another key"
        elif file.filename == LOCK_NAME:
            message = "it is published with another closure"
        else:
            message = "other bytes are published under this name"
        raise TrustError(
            message,
            step="publish",
            thing=f"{file.project} {file.version}: {file.filename}",
            expected=f"sha256:{digest(tree.file(file.project, file.version, file.filename))[0]}",
            got=f"sha256:{hashlib.sha256(file.data).hexdigest()}",
            next_step="published files never change: raise the version; in a development registry, "
            "--replace-published-bytes replaces them",
        )


def require_distinct(tree: Tree, wheels: Iterable[LockedWheel]) -> None:
    """No version gets a second spelling, and no wheel stands in for another.

    Raises:
        PublishError: `1.0` and `1.0.0` would both be there, or two wheels of a version would fit one platform: an
            installer would then take the one with the higher build tag, whichever was reviewed.
    """
    versions: dict[tuple[ProjectName, str], set[str]] = defaultdict(set)
    for wheel in wheels:
        versions[wheel.project, wheel.version].add(wheel.filename)
    for (project, version), filenames in versions.items():
        for other in tree.versions(project):
            if other != version and Version(other) == Version(version) and tree.wheels(project, other):
                raise PublishError(f"{project} {version}: published as {other} already, and PEP 440 holds them equal")
        _require_no_overlap([*sorted(tree.wheels(project, version)), *sorted(filenames)])


def _require_no_overlap(filenames: Iterable[str]) -> None:
    """Those that are there come first, so that it is a new one that is named as the one too many."""
    first: dict[Tag, str] = {}
    for filename in dict.fromkeys(filenames):
        for tag in sorted(parse_wheel_filename(filename)[3], key=str):
            other = first.setdefault(tag, filename)
            if other != filename:
                raise PublishError(f"{filename}: {other} serves {tag} already; one wheel a platform, raise the version")


def _is_published(tree: Tree, file: PlannedFile) -> bool:
    wheels = (file.wheel,) if file.wheel else plugin_wheels(tree, file.project, file.version)
    return any(tree.file(file.project, file.version, wheel).is_file() for wheel in wheels)


def _differs(tree: Tree, file: PlannedFile) -> bool:
    """Whether it is there with other bytes. One that is missing beside its wheel is added, not changed."""
    path = tree.file(file.project, file.version, file.filename)
    return path.is_file() and (
        path.stat().st_size != len(file.data) or read_bounded(path, MAX_WHEEL_BYTES) != file.data
    )
