"""One runtime on one state directory: the values that commands work with, made once from a configuration.

with Runtime(load(path, os.environ)) as runtime:
    synced = runtime.sync()
    run = runtime.assess(runtime.plan(synced))
"""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from packaging.requirements import Requirement

from assess_core.assessing.fleet import Fleet, raise_descriptor_limit, sorted_out
from assess_core.assessing.plan import EVERYTHING, Selection, Task, Unrunnable, callees_of, plan, without
from assess_core.assessing.recording import Directly
from assess_core.assessing.side_by_side import assess
from assess_core.assessing.values import Context, Event
from assess_core.clock import utc_now
from assess_core.config import Config
from assess_core.configured import calls_at_once, isolation_of, waivers_of
from assess_core.delivery.choosing import usable_for
from assess_core.delivery.compat import Compat, compat
from assess_core.delivery.consenting import consents_of, waiting
from assess_core.delivery.fallback import fall_back, fallen
from assess_core.delivery.folders import entry_of
from assess_core.delivery.pipeline import sync
from assess_core.delivery.values import Action, Delivery, Say, Synced, fits
from assess_core.delivery.vouching import Vouching
from assess_core.errors import AssessError, ConfigError
from assess_core.host import HostConfig, Scratch
from assess_core.host.quarantine import Quarantines
from assess_core.host.turns import Turns
from assess_core.journal import Journal, Signer
from assess_core.journal.identity import IDENTITY, Identity
from assess_core.results import Run, WaitingVersion
from assess_core.secrets import credentials_directory
from assess_core.store import (
    INTERPRETERS,
    EnvironmentReport,
    Failure,
    InstalledPlugin,
    Interpreters,
    Kits,
    Store,
    verify_environment,
)
from assess_registry.client import (
    ProjectName,
    RegistryError,
)

_log = logging.getLogger(__name__)

SUBJECTS_EACH_CALL = 4
"""Of one assessment, at work for each call that there may be: the next is ready when a worker is."""

NotifyEvent = Callable[[str, Event], None]
"""Takes the assessment's id and what its plugin said."""


def _failed(line: Synced) -> bool:
    """Whether what is asked for does not serve, and that is nobody's wish."""
    return line.action in (Action.FAILED, Action.HELD, Action.REFUSED) or (
        line.action is Action.WAITING and not line.previous
    )


class Runtime:
    """A configuration at work on a state directory. A context manager: leaving it closes what it opened."""

    def __init__(self, config: Config, *, state: Path) -> None:
        if os.path.lexists(state) and not state.is_dir():
            raise ConfigError(
                f"state directory: {state}: this is no directory; remove it, or name another: --state-dir"
            )
        self.config = config
        self.store = Store(state, shared=config.runtime.shared_store)
        self._kits = Kits(self.store)
        self._state = state
        self._look_for_interpreters()
        self._journal: Journal | None = None
        self._scratch: Scratch | None = None
        self.vouching = Vouching(config, self.store)

    def reconfigure(self, config: Config) -> None:
        """This configuration from now on; the state directory stays the one it is."""
        self.vouching.reconfigure(config)
        if config.runtime.interpreters != self.config.runtime.interpreters:
            self.config = config
            self._look_for_interpreters()
        self.config = config
        if self._journal is not None:
            self._journal.limit_evidence(config.results.evidence_mib << 20)

    def _look_for_interpreters(self) -> None:
        configured = self.config.runtime.interpreters
        self.interpreters = Interpreters(configured=configured, memory=self.store.root / INTERPRETERS)
        self.interpreter = self.interpreters.own

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        self.vouching.close()
        if self._scratch is not None:
            self._scratch.remove()
            self._scratch = None
        self._kits.release()

    @property
    def journal(self) -> Journal:
        """The journal, opened on first use."""
        if self._journal is None:
            signer = Signer(Identity(self._state / IDENTITY), lambda: self.config.runtime.id)
            self._journal = Journal.open(self._state / "journal.db", signer=signer)
            self._journal.limit_evidence(self.config.results.evidence_mib << 20)
        return self._journal

    @property
    def quarantines(self) -> Quarantines:
        """What is not started any more, by what is on disk."""
        return Quarantines(self.store.layout.path("quarantine"))

    def held(self, distribution: ProjectName) -> tuple[Failure, ...]:
        """Failures for which a sync would not bring up a version now, under whichever Python it may run under.

        Raises:
            StoreError: the record of them is damaged.
        """
        choices = self.store.choices(distribution)
        if not choices.failed:
            return ()
        named = {each.version: each for each in usable_for(distribution, self.store, self.interpreters)}
        holding = (
            choices.held(each.sha256, named[each.interpreter], kit_of=self._kits.name, now=utc_now())
            for each in choices.failed
            if each.interpreter in named
        )
        return tuple(dict.fromkeys(failure for failure in holding if failure is not None))

    def sync(
        self, *, notify: Say = lambda _: None, offline: bool = False, dry_run: bool = False, retry: bool = False
    ) -> tuple[Synced, ...]:
        """Bring the installed plugins to what the configuration asks for (`pipeline.sync`)."""
        return sync(self.config, replace(self.delivery(notify), offline=offline, dry_run=dry_run, retry=retry))

    def delivery(self, notify: Say = lambda _: None) -> Delivery:
        """What the first half of the pipeline works with."""
        host = self.host()
        return Delivery(
            registry=self.vouching.registry_to_ask(),
            store=self.store,
            interpreters=self.interpreters,
            host=host,
            notify=notify,
            clock=utc_now,
        )

    def compat(self, asked: Requirement | None = None) -> tuple[Compat, ...]:
        """Whether each plugin of the configuration would run here, or the one that is asked about (`compat.compat`)."""
        registry = self.vouching.registry_to_ask()
        return compat(
            self.config,
            registry=registry,
            store=self.store,
            interpreters=self.interpreters,
            kit_of=self._kits.name,
            asked=asked,
        )

    def verify(self, environment: Path | None) -> tuple[EnvironmentReport, ...]:
        """This environment, or every active one, held against the audited wheels and their signatures."""
        chosen = [environment] if environment else list(self.store.serving())
        return tuple(
            verify_environment(
                one, store=self.store, registry=self.vouching.keys_of(one), interpreters=self.interpreters
            )
            for one in chosen
        )

    def installed(self) -> tuple[InstalledPlugin, ...]:
        """The active plugins whose distribution and version the configuration asks for, in its order."""
        found = [(entry_of(self.config, plugin.distribution), plugin) for plugin in self.store.active()]
        fitting = [(entry, plugin) for entry, plugin in found if entry is not None and fits(entry, plugin)]
        order = {id(entry): index for index, entry in enumerate(self.config.plugins)}
        return tuple(plugin for _, plugin in sorted(fitting, key=lambda pair: order[id(pair[0])]))

    def usable(self, synced: Sequence[Synced]) -> tuple[InstalledPlugin, ...]:
        """Of `installed` what may run: all but what was refused with nothing left in its place."""
        barred = {line.distribution for line in synced if line.action is Action.REFUSED and not line.previous}
        return tuple(plugin for plugin in self.installed() if plugin.distribution not in barred)

    def plan(
        self,
        synced: Sequence[Synced],
        selection: Selection = EVERYTHING,
        *,
        usable: Sequence[InstalledPlugin] | None = None,
        faults: Mapping[ProjectName, str] = MappingProxyType({}),
    ) -> tuple[Task | Unrunnable, ...]:
        """What to assess, given what could be installed (`plan.plan`).

        Args:
            synced: what became of each plugin.
            selection: narrows it.
            usable: what to plan with; `usable(synced)` unless given.
            faults: why what was installed does not run all the same, by distribution.

        Raises:
            ConfigError: as `plan.plan`; or something that a plugin asks for is not granted, and nothing of it may run.
        """
        withheld = [problem for line in synced if line.action is Action.WITHHELD for problem in line.withheld]
        if withheld:
            raise ConfigError(*withheld)
        failed: dict[str, str] = {line.distribution: line.reason for line in synced if _failed(line)}
        failed.update(faults.items())
        usable = self.usable(synced) if usable is None else usable
        consents = consents_of(self.store)
        awaited = {name: known.waiting.added for name, known in consents.items() if known.waiting is not None}
        return plan(self.config, usable, failed=failed, selection=selection, awaited=awaited)

    def plan_installed(
        self, installed: Sequence[InstalledPlugin]
    ) -> tuple[tuple[Task | Unrunnable, ...], tuple[InstalledPlugin, ...]]:
        """What to assess with what is installed, nobody asked; and what of that the registry has to vouch for.

        Raises:
            ConfigError: as `plan`.
        """
        present = {plugin.distribution for plugin in installed}
        missing = {entry.name for entry in self.config.plugins if entry.name is not None} - present
        faults = dict.fromkeys(missing, "not installed yet")
        tasks = self.plan((), usable=installed, faults=faults)
        return tasks, tuple(plugin for plugin in installed if self.vouching.concerns(plugin))

    def assess(
        self,
        tasks: Sequence[Task | Unrunnable],
        *,
        synced: Sequence[Synced] = (),
        notify: NotifyEvent = lambda _assessment, _event: None,
    ) -> Run:
        """Execute the tasks, commit their results, and return them (`side_by_side.assess`)."""
        context = self.context(tasks, synced, notify=notify)
        ended: list[Run] = []

        async def main() -> None:
            # Kept, not returned: `asyncio.run` asks the enum of signal handlers about its own, which fails with a text
            # that has the task's result in it. 200 ms of 700 for 6,000 results (CPython 3.11).
            ended.append(await self._assess(tasks, context))

        asyncio.run(main())
        self.fall_back()
        return ended[0]

    def fallen(self) -> frozenset[str]:
        """The environments that serve, never answered and are quarantined: they are to be left.

        Raises:
            StoreError: the state directory may not be read.
        """
        found = (fallen(name, self.store) for name in self.store.distributions())
        return frozenset(each.env_key for each in found if each is not None)

    def fall_back(self, *, offline: bool = False) -> None:
        """What was quarantined before it ever answered is left; killed before, the next sync does it.

        Args:
            offline: by what is known of the registry, which is not asked.
        """
        for name in self.store.distributions():
            entry = entry_of(self.config, name)
            try:
                if entry is not None and fallen(name, self.store) is not None:
                    fall_back(name, entry, self.config, replace(self.delivery(), offline=offline))
            except (AssessError, RegistryError, OSError) as error:  # what was assessed is recorded, and is returned
                _log.warning("%s", error, extra={"action": "rollback-refused", "distribution": name})

    async def _assess(self, tasks: Sequence[Task | Unrunnable], context: Context) -> Run:
        fleet = self.fleet()
        try:
            made, missing = sorted_out(await fleet.make(callees_of(tasks), started=False))
            fleet.swap(made)
            return await assess(without(tasks, missing), fleet=fleet, recorder=Directly(self.journal), context=context)
        finally:
            await fleet.stop()

    def fleet(self) -> Fleet:
        """Nothing runs yet. For one event loop, which stops it."""
        raise_descriptor_limit()
        return Fleet(
            self.host(),
            lease=self.store.lease,
            turns=Turns(calls_at_once(self.config.runtime)),
            quarantines=self.quarantines,
            trials=self.store.trials,
        )

    def context(
        self,
        tasks: Sequence[Task | Unrunnable],
        synced: Sequence[Synced],
        *,
        notify: NotifyEvent = lambda _assessment, _event: None,
    ) -> Context:
        """What all results of these tasks share."""
        return Context(
            runtime=self.config.runtime.id,
            labels=self.config.runtime.labels,
            registry="production",
            from_folders=self._from_folders(tasks),
            stale=frozenset(ProjectName(line.distribution) for line in synced if line.action is Action.STALE),
            relaxed=self.config.runtime.relaxed,
            waiting=self._waiting_versions(tasks),
            clock=utc_now,
            notify=notify,
            waivers=waivers_of(self.config),
            waiver_notice_d=self.config.results.waiver_notice_d,
            subjects_at_once=SUBJECTS_EACH_CALL * calls_at_once(self.config.runtime),
        )

    def _waiting_versions(self, tasks: Sequence[Task | Unrunnable]) -> tuple[WaitingVersion, ...]:
        used = (callee.installed for task in tasks if isinstance(task, Task) for callee in (task.plugin, task.provider))
        running = {plugin.distribution: plugin.version for plugin in used}
        return tuple(
            WaitingVersion(
                distribution=growth.distribution,
                version=growth.version,
                running=running[growth.distribution],
                added=growth.words,
                consent=growth.command,
            )
            for growth in waiting(self.store)
            if growth.distribution in running
        )

    def _from_folders(self, tasks: Sequence[Task | Unrunnable]) -> frozenset[ProjectName]:
        used = {task.plugin.installed.distribution for task in tasks if isinstance(task, Task)}
        entries = {distribution: entry_of(self.config, distribution) for distribution in used}
        return frozenset(name for name, entry in entries.items() if entry is not None and entry.dir is not None)

    def host(self) -> HostConfig:
        """What all workers of this runtime share, by the configuration as it is now."""
        if self._scratch is None:
            self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._scratch = Scratch(self._state / "scratch")
        self._kits(self.interpreter)  # so that a state directory that cannot be used is not each plugin's fault
        return HostConfig(
            kits=self._kits,
            scratch_root=self._scratch.directory,
            before_start=self._before_start,
            private=self._private(),
            isolation=isolation_of(self.config.runtime),
            start_workers=self.config.runtime.start_workers,
        )

    def _before_start(self, installed: InstalledPlugin) -> None:
        """What is about to be started is as it was built, and so is the Python that it runs under.

        Raises:
            StoreError: it is not.
        """
        self.store.require_untouched(installed)
        self.interpreters.require_runnable(installed.interpreter)

    def _private(self) -> tuple[Path, ...]:
        """What no plugin is shown: what we know, what we are told, by which word the registry knows us, and secrets.

        Those of all plugins: one that may read a directory is not to find there what another one is given.
        """
        settings = self.config.registry
        credentials = settings.access.credentials if settings is not None else None
        sources = (source for plugin in self.config.plugins for source in plugin.secret_sources.values())
        files = (
            credentials.file if credentials is not None else None,
            credentials_directory(),
            *(source.path for source in sources),
        )
        return (self._state, self.config.source, *(path for path in files if path is not None))
