"""What the pages show, as values: the registry's signed word on a release, and what the files that it names say.

A file whose digest is not the one in the signed catalogue is `NotShown`, with the reason: no word of it reaches a page.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias, TypeVar

from assess_plugin.permissions import Permissions
from assess_registry.canonical import encode
from assess_registry.catalogue import CatalogueWheel, ProjectStatus, Release
from assess_registry.config import Targets
from assess_registry.control import Publishers, Revocations, RevokedWheel
from assess_registry.lock import Lock, LockedWheel
from assess_registry.manifest import Manifest
from assess_registry.names import ProjectName, Sha256
from assess_registry.status.report import ReportWords
from assess_registry.status.style import STYLE_DIGEST
from assess_registry.verdict import Approval, read_table

LAYOUT = 1
"""Of the pages and of the files beside them: another number has every page written anew."""

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class NotShown:
    """A file that is missing, or is not the one that the signed catalogue names, or says what cannot be so."""

    filename: str
    reason: str


Shown: TypeAlias = T | NotShown


class Standing(StrEnum):
    """What a reader has to know of a release before anything else, the worst first."""

    REVOKED = "revoked"
    QUARANTINED = "quarantined"
    DEPENDENCY_REVOKED = "dependency revoked"
    DAMAGED = "damaged"
    NOT_APPROVED = "not approved"
    YANKED = "yanked"
    FLAGGED = "flagged"
    BY_POLICY = "approved by policy"
    APPROVED = "approved"

    @property
    def is_refused(self) -> bool:
        """Whether every client refuses it."""
        return self not in (Standing.YANKED, Standing.FLAGGED, Standing.BY_POLICY, Standing.APPROVED)


@dataclass(frozen=True, kw_only=True, slots=True)
class House:
    """The registry, as every page of it depends on it.

    Attributes:
        base_url: where it is served; empty when `registry.toml` does not say.
        control: publishers, reviewers and keys, as signed.
        targets: the interpreters and platforms it serves.
    """

    name: str
    base_url: str
    control: Publishers
    revocations: Revocations
    targets: Targets

    @property
    def development(self) -> bool:
        """Whether its signed word says that one person holds all keys."""
        return self.control.development

    def digest(self) -> Sha256:
        """Of what every page depends on: not of the revocations, which change the pages of what is revoked alone."""
        control = hashlib.sha256(self.control.data()).hexdigest()
        targets = [list(self.targets.pythons), list(self.targets.platforms)]
        return Sha256(
            hashlib.sha256(encode([LAYOUT, STYLE_DIGEST, self.name, self.base_url, control, targets])).hexdigest()
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class PluginWords:
    """What a wheel says of itself.

    Attributes:
        plugins, providers: its entry points, by name.
    """

    manifest: Manifest
    plugins: tuple[str, ...]
    providers: tuple[str, ...]
    licence: str

    @property
    def kinds(self) -> tuple[str, ...]:
        """`plugin`, `provider`, or both."""
        return (*(("plugin",) if self.plugins else ()), *(("provider",) if self.providers else ()))


@dataclass(frozen=True, kw_only=True, slots=True)
class WheelView:
    """One wheel of a release, and what is said of it."""

    listed: CatalogueWheel
    approval: Shown[Approval]
    plugin: Shown[PluginWords]
    report: Shown[ReportWords]

    @property
    def permissions(self) -> Permissions | None:
        """What was approved for it; None where nothing is."""
        return read_table(self.approval.verdict.permissions) if isinstance(self.approval, Approval) else None

    @property
    def new_permissions(self) -> tuple[str, Permissions]:
        """The version approved before, and what that one may not; an empty version where there was none."""
        if isinstance(self.approval, NotShown) or not self.approval.verdict.since:
            return "", Permissions()
        return self.approval.verdict.since, read_table(self.approval.verdict.growth)


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What a client gets on one of the interpreters and platforms that the registry serves.

    Attributes:
        wheels: what is installed there; none when the release does not serve it.
    """

    python: str
    platform: str
    wheels: tuple[LockedWheel, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClosureView:
    """What a release runs with.

    Attributes:
        revoked: wheels of it that nobody gets any more, by digest.
    """

    lock: Lock
    targets: tuple[Target, ...]
    revoked: Mapping[str, RevokedWheel]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseView:
    """A release, whole: everything its page says.

    Attributes:
        status: of the project, which is its releases' too; None while it is active.
        marked: projects of its closure that are not simply active, in order.
    """

    project: ProjectName
    release: Release
    wheels: tuple[WheelView, ...]
    closure: Shown[ClosureView]
    components: Shown[int] | None
    status: ProjectStatus | None = None
    marked: tuple[tuple[ProjectName, ProjectStatus], ...] = ()

    @property
    def plugin(self) -> PluginWords | None:
        """What the first readable wheel says of itself."""
        return next((each.plugin for each in self.wheels if isinstance(each.plugin, PluginWords)), None)

    @property
    def standing(self) -> Standing:
        """The worst of what is to be said."""
        if self.release.revoked:
            return Standing.REVOKED
        if self.status and self.status.is_quarantined:
            return Standing.QUARANTINED
        if isinstance(self.closure, ClosureView) and self.closure.revoked:
            return Standing.DEPENDENCY_REVOKED
        if isinstance(self.closure, NotShown) or any(isinstance(each.plugin, NotShown) for each in self.wheels):
            return Standing.DAMAGED
        if len(self.approvals) < len(self.wheels):
            return Standing.NOT_APPROVED
        return self._approved_standing()

    def _approved_standing(self) -> Standing:
        if self.release.yanked:
            return Standing.YANKED
        if any(each.verdict.result == "flagged" for each in self.approvals):
            return Standing.FLAGGED
        return Standing.BY_POLICY if any(each.automatic for each in self.approvals) else Standing.APPROVED

    @property
    def approvals(self) -> tuple[Approval, ...]:
        """Those that count."""
        return tuple(each.approval for each in self.wheels if isinstance(each.approval, Approval))

    @property
    def approved_by(self) -> tuple[str, ...]:
        """The reviewers of all its wheels, each once, in order."""
        return tuple(sorted({name for approval in self.approvals for name in approval.by}))

    @property
    def dependencies(self) -> tuple[ProjectName, ...]:
        """Projects of its closure but itself."""
        if isinstance(self.closure, NotShown):
            return ()
        return tuple(sorted({each.project for each in self.closure.lock.wheels} - {self.project}))

    @property
    def controls(self) -> tuple[str, ...]:
        """`catalogue:control`, of all its checks, each once."""
        checks = self.plugin.manifest.checks if self.plugin else ()
        return tuple(sorted({control for check in checks for control in check.controls}))


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """A release in one line of its project's table; kept beside the page, so that old releases are not read again.

    Attributes:
        made_from: digest of everything its page was made from.
    """

    version: str
    made_from: Sha256
    standing: Standing
    approved_by: tuple[str, ...]
    published: str
    dependencies: tuple[ProjectName, ...]
