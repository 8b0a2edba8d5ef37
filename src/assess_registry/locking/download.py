"""Wheels from a package index that was named, each held to the digest under which it was chosen.

Which wheels is uv's choice; where they lie and what their digests are, the index's own pages said, and the bytes come
through `upstream`: no more of them than a wheel may have, nor all of them together than a closure may.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from packaging.markers import Environment
from packaging.pylock import Package, PackageWheel, Pylock, PylockSelectError
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from assess_registry.errors import PublishError
from assess_registry.files import atomic_write
from assess_registry.locking.mirror import Mirror, require_digest
from assess_registry.locking.upstream import Upstream
from assess_registry.names import ProjectName, normalize_project
from assess_registry.targets import RegistryTarget
from assess_registry.wheel import MAX_WHEEL_BYTES


@dataclass(frozen=True, kw_only=True, slots=True)
class Download:
    """One wheel of an index."""

    project: ProjectName
    filename: str


def taken_by_targets(chosen: Pylock, targets: Sequence[RegistryTarget]) -> tuple[Download, ...]:
    """The wheels that an installer on some target would take (PEP 751), and nothing else of what the index has.

    Raises:
        PublishError: a target finds no wheel; all such targets, each with the project.
    """
    taken: dict[str, Download] = {}
    problems = []
    selected: set[str] = set()
    for target in targets:
        environment = cast("Environment", dict(target.environment))
        try:
            for package, wheel in chosen.select(environment=environment, tags=target.tags):
                if isinstance(wheel, PackageWheel):
                    taken |= {wheel.filename: _download(package, wheel)}
                    selected.add(package.name)
        except PylockSelectError as error:
            problems.append(f"  {target.name}: {error}")
    if problems:
        lines = "\n".join(problems)
        raise PublishError(f"the index has no wheels for every target of the registry:\n{lines}")
    # Chosen, and taken by no target as such: some patch level of its Python needs it, which the closure finds out.
    for package in chosen.packages:
        if package.name not in selected:
            taken |= {each.filename: _download(package, each) for each in _fitting(package, targets)}
    return tuple(taken[name] for name in sorted(taken))


def download(wanted: Sequence[Download], directory: Path, *, ours: Mirror, upstream: Upstream, max_bytes: int) -> None:
    """Every one of them is in the directory, whole and as it was announced.

    Raises:
        TrustError: step `hash`: other bytes than announced; `length`, `redirect`.
        TransportError: not to be had, or not by the deadline.
    """
    left = max_bytes
    for each in wanted:
        found = ours.found(each.project, each.filename)
        data = upstream.read(each.filename, found.url, max_bytes=_bound(each, left))
        require_digest(each.filename, data, found.sha256 or "")
        left -= len(data)
        atomic_write(directory / each.filename, data)


def _bound(each: Download, left: int) -> int:
    if left <= 0:
        raise PublishError(f"{each.filename}: the closure is larger than a closure may be")
    return min(MAX_WHEEL_BYTES, left)


def _download(package: Package, wheel: PackageWheel) -> Download:
    return Download(project=normalize_project(package.name), filename=wheel.filename)


def _fitting(package: Package, targets: Sequence[RegistryTarget]) -> Iterator[PackageWheel]:
    tags = {tag for target in targets for tag in target.tags}
    for wheel in package.wheels or ():
        try:
            if parse_wheel_filename(wheel.filename)[3] & tags:
                yield wheel
        except InvalidWheelFilename:
            continue
