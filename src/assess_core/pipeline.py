"""All stages, in order: config -> resolve -> fetch -> verify -> install -> host -> execute -> report.

`sync` is the first half (what was audited is what is installed), `assess` the second (what runs is what was installed).
Each stage takes only the proof that the stage before succeeded, so neither half can skip one.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from assess_core.config import PluginConfig
from assess_core.errors import PluginFault, StoreError
from assess_core.execute import Context, Evidence, Executed, execute
from assess_core.host import HostConfig, Supervisor, health_check
from assess_core.journal import Journal
from assess_core.plan import Task, Unrunnable
from assess_core.report import combine, commit
from assess_core.results import Run
from assess_core.store import InstalledPlugin, Interpreter, Store, install, rebuild, require_trusted
from assess_registry.client import (
    ProjectName,
    Registry,
    ResolvedWheel,
    Target,
    TransportError,
    TrustError,
    fetch,
    resolve,
    verify,
)

Notify = Callable[[str], None]
"""Takes one sentence for the person who waits."""


class Action(StrEnum):
    """What `sync` did, or would do, about one plugin."""

    PRESENT = "present"
    INSTALLED = "installed"
    UPGRADED = "upgraded"
    REMOVED = "removed"
    WOULD_INSTALL = "would-install"
    WOULD_UPGRADE = "would-upgrade"
    WOULD_REMOVE = "would-remove"
    STALE = "stale"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class Synced:
    """One line of a sync: which distribution, what was done, from which version to which, and why if it went wrong."""

    distribution: ProjectName
    action: Action
    version: str = ""
    previous: str = ""
    reason: str = ""
    refusal: TrustError | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """Everything the first half of the pipeline works with."""

    registry: Registry
    target: Target
    store: Store
    interpreter: Interpreter
    host: HostConfig
    notify: Notify
    dry_run: bool = False
    offline: bool = False


def sync(plugins: Sequence[PluginConfig], delivery: Delivery) -> tuple[Synced, ...]:
    """Every plugin the configuration names is installed, verified, has answered, and is active; others are inactive.

    A plugin that cannot be brought to that state keeps its previous version, and its line says why. Environments of
    versions no longer wanted stay on disk. A dry run changes nothing, and says what would be done.
    """
    wanted = {plugin.name for plugin in plugins}
    lines = [_sync_one(plugin, delivery) for plugin in plugins]
    for active in delivery.store.active():
        if active.distribution in wanted:
            continue
        if not delivery.dry_run:
            delivery.store.deactivate(active.distribution)
        action = Action.WOULD_REMOVE if delivery.dry_run else Action.REMOVED
        lines.append(Synced(distribution=active.distribution, action=action, previous=active.version))
    return tuple(lines)


def _sync_one(plugin: PluginConfig, delivery: Delivery) -> Synced:
    if delivery.offline:
        return _without_registry(plugin, "offline was asked for", delivery)
    active = delivery.store.find(plugin.name)
    try:
        return _brought_up(plugin, active, delivery)
    except TransportError as error:
        return _without_registry(plugin, str(error), delivery)
    except TrustError as refusal:
        return _failed(plugin, active, Action.REFUSED, refusal)
    except (PluginFault, StoreError) as fault:
        return _failed(plugin, active, Action.FAILED, fault)


def _brought_up(plugin: PluginConfig, active: InstalledPlugin | None, delivery: Delivery) -> Synced:
    """Stages resolve to install, and activation."""
    registry, target, store = delivery.registry, delivery.target, delivery.store
    resolved = resolve(Requirement(f"{plugin.name}{plugin.version}"), registry=registry, target=target)
    installed = store.installed(resolved.lock.sha256, resolved.sha256, delivery.interpreter)
    if installed is not None and active is not None and active.env_key == installed.env_key:
        return _line(resolved, active, Action.PRESENT)
    if delivery.dry_run:
        return _line(resolved, active, Action.WOULD_INSTALL if active is None else Action.WOULD_UPGRADE)
    if installed is None:
        delivery.notify(f"fetching {resolved.project} {resolved.version}")
        verified = verify(fetch(resolved, registry=registry), registry=registry, target=target)
        delivery.notify(f"installing {resolved.project} {resolved.version}")
        installed = install(
            verified, store=store, interpreter=delivery.interpreter, development=registry.config.development
        )
    # The previous version serves until this one has answered; a start that fails therefore rolls back by itself.
    asyncio.run(health_check(installed, delivery.host))
    store.activate(installed)
    return _line(resolved, active, Action.INSTALLED if active is None else Action.UPGRADED)


def _line(resolved: ResolvedWheel, active: InstalledPlugin | None, action: Action) -> Synced:
    previous = active.version if active else ""
    return Synced(distribution=resolved.project, action=action, version=resolved.version, previous=previous)


def _failed(
    plugin: PluginConfig, active: InstalledPlugin | None, action: Action, error: TrustError | PluginFault | StoreError
) -> Synced:
    return Synced(
        distribution=plugin.name,
        action=action,
        previous=active.version if active else "",
        reason=str(error),
        refusal=error if isinstance(error, TrustError) else None,
    )


def fits(plugin: PluginConfig, installed: InstalledPlugin) -> bool:
    """Whether an installed version is one that the configuration asks for."""
    return SpecifierSet(plugin.version).contains(installed.version, prereleases=True)


def _without_registry(plugin: PluginConfig, reason: str, delivery: Delivery) -> Synced:
    """The registry's word is not to be had: what was verified before runs on, if it is what is asked for.

    Its signatures are verified again, with the keys that are trusted today, and what was touched is built again.
    """
    store, registry = delivery.store, delivery.registry
    try:
        if delivery.dry_run:
            active = store.find(plugin.name)
        else:
            active = rebuild(plugin.name, store=store, registry=registry, interpreter=delivery.interpreter)
        if active is None or not fits(plugin, active):
            return Synced(distribution=plugin.name, action=Action.FAILED, reason=f"not installed: {reason}")
        require_trusted(active, store=store, trusted=registry.trusted)
    except TrustError as refusal:
        return _failed(plugin, None, Action.REFUSED, refusal)
    except StoreError as error:
        return _failed(plugin, None, Action.FAILED, error)
    return Synced(
        distribution=plugin.name,
        action=Action.STALE,
        version=active.version,
        previous=active.version,
        reason=reason,
    )


async def assess(tasks: Sequence[Task | Unrunnable], *, host: HostConfig, journal: Journal, context: Context) -> Run:
    """All tasks have been executed side by side, and each was committed to the journal as it ended.

    Raises:
        StoreError: the journal could not take a result. What was committed before stays.
    """
    started_at = context.clock()
    async with AsyncExitStack() as stack:
        hosts: dict[ProjectName, Supervisor] = {}
        for installed in _distributions(tasks):
            hosts[installed.distribution] = supervisor = Supervisor(installed, host)
            stack.push_async_callback(supervisor.stop)

        async def keep(evidence: Evidence) -> None:
            await asyncio.to_thread(journal.keep, evidence)

        async def one(task: Task | Unrunnable) -> Executed:
            executed = await execute(task, hosts=hosts, context=context, due_at=started_at, keep=keep)
            await asyncio.to_thread(commit, executed, journal=journal)
            return executed

        ended = await asyncio.gather(*(one(task) for task in tasks), return_exceptions=True)
    executed = _all_committed(ended)
    return combine(context.runtime, executed, started_at=started_at, ended_at=max(started_at, context.clock()))


def _all_committed(ended: Sequence[Executed | BaseException]) -> list[Executed]:
    """What every task ended in; the first error, when all tasks have had their turn and one could not be committed."""
    for outcome in ended:
        if isinstance(outcome, BaseException):
            raise outcome
    return [outcome for outcome in ended if isinstance(outcome, Executed)]


def _distributions(tasks: Sequence[Task | Unrunnable]) -> tuple[InstalledPlugin, ...]:
    found = {
        callee.installed.distribution: callee.installed
        for task in tasks
        if isinstance(task, Task)
        for callee in (task.provider, task.plugin)
    }
    return tuple(found.values())
