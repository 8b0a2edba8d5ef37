"""A release as its page shows it: from the signed catalogue, and from files that it names, each held to its digest.

1. The verdict: what was signed, whether it is about this wheel, and whether enough people approve it.
2. The wheel itself, inspected: what it says of itself.
3. The audit's report, the lock and the bill of materials.

Nothing here fails because a file is damaged: the page then says so in the place of what the file would have said.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from assess_registry.audit.licences import read_licence
from assess_registry.catalogue import Catalogue, CatalogueWheel, FileRef, Release
from assess_registry.config import Targets
from assess_registry.dsse import parse_envelope
from assess_registry.errors import RegistryError, TrustError
from assess_registry.index.tree import Tree
from assess_registry.lock import MAX_LOCK_BYTES, Lock, LockTarget, parse_lock
from assess_registry.names import PLUGIN_GROUP, PROVIDER_GROUP, ProjectName, Sha256
from assess_registry.review.published import published_file
from assess_registry.status.report import ReportWords, report_words
from assess_registry.status.values import (
    ClosureView,
    House,
    NotShown,
    PluginWords,
    ReleaseView,
    Shown,
    Target,
    WheelView,
)
from assess_registry.strict_json import parse_json
from assess_registry.targets import targets_of
from assess_registry.verdict import Approval, check_approval, permissions_table
from assess_registry.wheel import MAX_WHEEL_BYTES, inspect

MAX_DOCUMENT_BYTES = 16 << 20
"""Of an audit's report or a bill of materials; what is longer is named on the page and not read."""

MAX_DEPTH = 40

T = TypeVar("T")


def read_release(tree: Tree, house: House, catalogue: Catalogue, release: Release) -> ReleaseView:
    """Everything that the page of this release shows."""
    project = catalogue.project

    def read(file: FileRef, max_bytes: int) -> bytes:
        if file.size > max_bytes:
            raise ValueError(f"it has {file.size} bytes, more than the {max_bytes} that are read for a page")
        try:
            return published_file(tree, project, release.version, file)
        except (RegistryError, OSError) as error:  # whose words name paths of this machine
            raise ValueError("it is not the file that the signed catalogue names") from error

    return ReleaseView(
        project=project,
        release=release,
        wheels=tuple(_wheels(read, house, project, release)),
        closure=_shown(release.lock, lambda: _closure(read(release.lock, MAX_LOCK_BYTES), house, project)),
        components=_components(read, release),
        status=catalogue.status,
    )


Read = Callable[[FileRef, int], bytes]


def _shown(file: FileRef, make: Callable[[], T]) -> Shown[T]:
    try:
        return make()
    except (RegistryError, OSError, ValueError) as error:
        return NotShown(filename=file.filename, reason=str(error))


def _wheels(read: Read, house: House, project: ProjectName, release: Release) -> Iterator[WheelView]:
    audit = _shown(release.audit, lambda: parse_json(read(release.audit, MAX_DOCUMENT_BYTES), max_depth=MAX_DEPTH))
    for wheel in release.wheels:
        approval, plugin = _approval(read, house, project, release, wheel), _plugin(read, wheel)
        if isinstance(approval, Approval) and isinstance(plugin, PluginWords):
            approved, asked = approval.verdict.permissions, permissions_table(plugin.manifest.permissions)
            if approved != asked:
                approval = NotShown(filename=wheel.verdict.filename, reason="other permissions than the wheel asks for")
        yield WheelView(listed=wheel, approval=approval, plugin=plugin, report=_report(audit, release, wheel.sha256))


def _approval(
    read: Read, house: House, project: ProjectName, release: Release, wheel: CatalogueWheel
) -> Shown[Approval]:
    def judge() -> Approval:
        envelope = parse_envelope(read(wheel.verdict, MAX_DOCUMENT_BYTES))
        approval = check_approval(envelope, control=house.control, publisher=wheel.publisher, at=release.published_at)
        said = approval.verdict
        about = (said.project, said.version, said.filename, said.sha256)
        files = (said.lock_sha256, said.report_sha256, said.sbom_sha256)
        sbom = release.sbom.sha256 if release.sbom else None
        if about != (project, release.version, wheel.filename, wheel.sha256):
            raise ValueError("it is about another wheel")
        if files != (release.lock.sha256, release.audit.sha256, sbom):
            raise ValueError("it is about another lock, report or bill of materials")
        return approval

    return _shown(wheel.verdict, judge)


def _plugin(read: Read, wheel: CatalogueWheel) -> Shown[PluginWords]:
    def words() -> PluginWords:
        inspected = inspect(read(wheel.file, MAX_WHEEL_BYTES), wheel.filename, kind="plugin")
        if inspected.manifest is None:
            raise ValueError("it carries no manifest")
        licence = read_licence(inspected.metadata)
        points = sorted((point.group, point.name) for point in inspected.entry_points)
        return PluginWords(
            manifest=inspected.manifest,
            plugins=tuple(name for group, name in points if group == PLUGIN_GROUP),
            providers=tuple(name for group, name in points if group == PROVIDER_GROUP),
            licence=licence.expression or licence.said,
        )

    return _shown(wheel.file, words)


def _report(audit: Shown[Any], release: Release, sha256: Sha256) -> Shown[ReportWords]:
    if isinstance(audit, NotShown):
        return audit
    return _shown(release.audit, lambda: report_words(audit, sha256))


def _closure(data: bytes, house: House, project: ProjectName) -> ClosureView:
    lock = parse_lock(data)
    revoked = {str(each.sha256): found for each in lock.wheels if (found := house.revocations.of(each.sha256))}
    return ClosureView(lock=lock, targets=tuple(_targets(lock, house, project)), revoked=revoked)


@functools.lru_cache(maxsize=4)
def _targets_of(targets: Targets) -> tuple[tuple[str, str, LockTarget], ...]:
    """Thousands of tags, which are the same for every release."""
    names = [(python, platform) for python in targets.pythons for platform in targets.platforms]
    return tuple((*name, target) for name, target in zip(names, targets_of(targets), strict=True))


def _targets(lock: Lock, house: House, project: ProjectName) -> Iterator[Target]:
    for python, platform, target in _targets_of(house.targets):
        try:
            wheels = lock.select(target)
        except TrustError:  # that it is not served is what the page says
            wheels = ()
        served = any(each.project == project for each in wheels)
        yield Target(python=python, platform=platform, wheels=wheels if served else ())


def _components(read: Read, release: Release) -> Shown[int] | None:
    """How many components the bill of materials names; None when there is none."""
    sbom = release.sbom
    if sbom is None:
        return None

    def count() -> int:
        document = parse_json(read(sbom, MAX_DOCUMENT_BYTES), max_depth=MAX_DEPTH)
        components = document.get("components") if isinstance(document, dict) else None
        if not isinstance(components, list):
            raise ValueError("it names no components")
        return len(components) + 1  # the wheel itself stands above them

    return _shown(sbom, count)
