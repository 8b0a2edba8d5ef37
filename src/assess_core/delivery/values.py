"""What the first half of the pipeline works with, and what it says it did."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from packaging.specifiers import SpecifierSet

from assess_core.clock import Clock
from assess_core.config import PluginConfig
from assess_core.errors import AssessError
from assess_core.grants import Growth
from assess_core.host import HostConfig
from assess_core.store import InstalledPlugin, Interpreter, Interpreters, Pin, Store
from assess_registry.client import ProjectName, Registry, RegistryError, Sha256, TrustError, VerifiedWheel

Say = Callable[[str], None]
"""Takes one sentence for the person who waits."""


class Action(StrEnum):
    """What `sync` did, or would do, about one plugin."""

    PRESENT = "present"
    INSTALLED = "installed"
    UPGRADED = "upgraded"
    REMOVED = "removed"
    WAITING = "waiting"
    WITHHELD = "withheld"
    WOULD_INSTALL = "would-install"
    WOULD_UPGRADE = "would-upgrade"
    WOULD_REMOVE = "would-remove"
    WOULD_WAIT = "would-wait"
    STALE = "stale"
    HELD = "held"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class Synced:
    """One line of a sync: what was done, from which version to which, and why if it went wrong.

    Attributes:
        distribution: which; of a folder that is refused as a whole, the folder.
        previous: the version that served before, and goes on serving when this one could not be brought up; empty when
            there is none, or it may not serve any more either.
        reason: in one line what went wrong, for people.
        refusal: of what was refused; of what is stale because the registry's word has expired, that.
        growth: what a version asks for that waits for consent, whatever the action; None when none waits.
        withheld: why the configuration does not let this version start, one sentence for each thing.
        warnings: what of the configuration has no effect on this version.
    """

    distribution: str
    action: Action
    version: str = ""
    previous: str = ""
    reason: str = ""
    refusal: TrustError | None = None
    growth: Growth | None = None
    withheld: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """Everything the first half of the pipeline works with.

    Attributes:
        registry: None where every plugin comes from a folder.
        interpreters: whom plugins may run under.
        retry: versions that failed here are brought up again at once, and what failed is forgotten.
    """

    registry: Registry | None
    store: Store
    interpreters: Interpreters
    host: HostConfig
    notify: Say
    clock: Clock
    dry_run: bool = False
    offline: bool = False
    retry: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """What is to be installed: named by digests, and fetched and verified only if it is not there yet.

    Attributes:
        interpreter: whom it is for.
        registry: by whose word it was chosen; None of a folder.
        development: that word says that the registry is for development.
    """

    project: ProjectName
    version: str
    sha256: Sha256
    lock_sha256: Sha256
    interpreter: Interpreter
    verified: Callable[[], VerifiedWheel]
    registry: Registry | None = None
    development: bool = False


def line_of(release: Release, active: InstalledPlugin | None, action: Action, **said: Any) -> Synced:
    """What was done about a release."""
    previous = active.version if active else ""
    return Synced(distribution=release.project, action=action, version=release.version, previous=previous, **said)


def failed(name: str, active: InstalledPlugin | None, action: Action, error: AssessError | RegistryError) -> Synced:
    """What went wrong; `active` serves meanwhile."""
    return Synced(
        distribution=name,
        action=action,
        previous=active.version if active else "",
        reason=str(error),
        refusal=error if isinstance(error, TrustError) else None,
    )


def specifier_of(plugin: PluginConfig, pin: Pin | None) -> str:
    """Which versions are asked for: what the configuration says, and of these the pinned one."""
    return plugin.version if pin is None else f"=={pin.version}"


def fits(plugin: PluginConfig, installed: InstalledPlugin) -> bool:
    """Whether an installed version is one that the configuration asks for."""
    return admits(plugin, installed.version)


def admits(plugin: PluginConfig, version: str) -> bool:
    """Whether a version is one that the configuration asks for; a pre-release is, too, where it is there."""
    return SpecifierSet(plugin.version).contains(version, prereleases=True)
