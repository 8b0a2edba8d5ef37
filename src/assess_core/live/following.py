"""What is configured, revoked and published now is brought up beside what runs, and takes its place when it stands.

    await following.reload()            the registry was asked, and everything is as configuration and registry say now
    await following.follow(config)      only what this configuration asks for
    await following.serve_installed(config)     at the start: what is installed serves, nobody was asked

Whatever goes wrong leaves what runs as it is. One at a time: whoever calls these holds the lock for it.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from assess_core.assessing.fleet import Served, sorted_out
from assess_core.assessing.plan import Task, Unrunnable, callees_of, without
from assess_core.config import Config
from assess_core.configured import calls_at_once
from assess_core.delivery.values import Action, Synced
from assess_core.errors import AssessError, ConfigError
from assess_core.host.identities import forget_accounts
from assess_core.live.doubts import Doubts
from assess_core.live.revoking import Revoking
from assess_core.live.saying import RefusedError, Saying
from assess_core.live.underway import Planned, Underway
from assess_core.live.watching import Watching
from assess_registry.client import ProjectName, RegistryError, RevokedError

_log = logging.getLogger(__name__)

Followed = Callable[[Config, Sequence[Task | Unrunnable]], None]
"""Takes what is followed from now on; waits for nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reloaded:
    """What came of following a change.

    Attributes:
        synced: what became of each plugin.
        refused: why the configuration as it is now is not followed; empty when it is.
        faults: why what is installed does not run, by distribution; what ran before does, where it may.
    """

    synced: tuple[Synced, ...] = ()
    refused: str = ""
    faults: Mapping[ProjectName, str] = field(default_factory=dict)


class Following:
    """From what is configured to what serves, while something serves already."""

    def __init__(self, underway: Underway, watching: Watching, revoking: Revoking, doubts: Doubts) -> None:
        self._underway = underway
        self._watching = watching
        self._revoking = revoking
        self._doubts = doubts
        self._saying = Saying()
        self._tell: list[Followed] = []
        self._synced: tuple[Synced, ...] | None = None
        """What serves was made of."""
        self._left: frozenset[str] = frozenset()
        """Environments that never answered: it was tried to leave them without asking the registry."""

    def tell(self, tell: Followed) -> None:
        """This is told of each configuration that is followed, in the moment it is."""
        self._tell.append(tell)

    async def serve_installed(self, config: Config) -> bool:
        """What is installed and asked for serves by what is remembered; False when nothing is that fits."""
        underway, runtime, fleet = self._underway, self._underway.runtime, self._underway.serving
        await self._watching.expect(config)
        await underway.beside(runtime.vouching.require_root)
        installed = await underway.beside(runtime.installed)
        if not installed:
            return False
        try:
            tasks, unasked = await underway.beside(partial(runtime.plan_installed, installed))
        except ConfigError:  # perhaps it does fit what is published
            return False
        fleet.host = await underway.beside(runtime.host)
        made, missing = sorted_out(await fleet.make(callees_of(tasks), started=False))
        tasks = without(tasks, missing)
        context = await underway.beside(partial(runtime.context, tasks, ()))
        self._doubts.begin(unasked)
        stale = frozenset(plugin.distribution for plugin in unasked)
        fleet.swap(made)
        self._take_up(config, Planned(tasks=tasks, context=replace(context, stale=stale)))
        return True

    async def reload(self) -> Reloaded:
        """The registry was asked, what it revoked is acted on; configuration and versions are followed as they are now.

        Something that is wrong with the configuration leaves the last one that was good: that is followed instead.
        """
        await self._leave_fallen()  # before the registry is asked, which may not answer
        rootless = await self.hear()  # before anything new is fetched, which may take long
        good = self._underway.followed
        try:
            config = await self._underway.beside(self._underway.load)
        except (AssessError, RegistryError, OSError) as error:
            return replace(await self.or_as_before(good), refused=self._saying.refused(error))
        done = await self.or_as_before(config)
        if not done.refused:
            if config.registry == good.registry and rootless:
                return replace(done, refused=rootless)
            self._saying.forget()
        elif config != good:
            return replace(await self.or_as_before(good), refused=done.refused)
        return done

    async def hear(self) -> str:
        """The registry was asked, and what it revoked is acted on.

        Returns why its root is none, which is a mistake in the configuration; mostly nothing.
        """
        rootless = await self._ask()
        await self._revoking.heed()
        return rootless

    async def or_as_before(self, config: Config) -> Reloaded:
        """As `follow`; whatever is wrong leaves what runs."""
        try:
            return await self.follow(config)
        except BaseException as error:
            # Not waited for, since this may have been cancelled.
            self._underway.after_all(partial(self._underway.runtime.reconfigure, self._underway.followed))
            if isinstance(error, AssessError | RegistryError | OSError):
                return Reloaded(refused=self._saying.refused(error))
            raise

    async def follow(self, config: Config) -> Reloaded:
        """What this configuration asks for serves from now on, as far as it could be brought up.

        Raises:
            ConfigError, TrustError, StoreError: not to be followed; then nothing changed of what serves.
        """
        underway, runtime = self._underway, self._underway.runtime
        # Before anything is read: what changes while it is read is a change.
        await self._watching.expect(config)
        await underway.beside(partial(runtime.reconfigure, config))
        if underway.good is not None and config.registry != underway.good.registry:
            await underway.beside(runtime.vouching.require_root)
        forget_accounts()
        synced = await underway.beside(partial(runtime.sync, notify=_notice))
        self._saying.synced(synced)
        if underway.planned is not None and (tampered := _refused_folders(config, synced)):
            raise RefusedError(*tampered)
        await self._revoking.heed()
        faults = await self._serve(config, synced)
        await self._watching.expect(config)  # with the interpreters that serve now
        for name, why in faults.items():
            _log.error("%s", why, extra={"action": "start-refused", "distribution": name})
        return Reloaded(synced=synced, faults=faults)

    async def _leave_fallen(self) -> None:
        """What never answered and is quarantined is left for the version before it, by what is known of the registry.

        Each is tried once like this; where nothing comes of it, what follows does it by the registry's word.
        """
        underway, runtime, config = self._underway, self._underway.runtime, self._underway.good
        if config is None or self._synced is None:
            return
        try:
            fallen = await underway.beside(runtime.fallen)
            tried, self._left = self._left, fallen
            if fallen <= tried:
                return
            await underway.beside(partial(runtime.fall_back, offline=True))
            if await underway.beside(runtime.fallen) != fallen:
                await self._serve(config, self._synced)
        except (AssessError, RegistryError, OSError) as error:
            self._saying.refused(error)

    async def _serve(self, config: Config, synced: tuple[Synced, ...]) -> dict[ProjectName, str]:
        """What these left installed serves from now on; why what does not start does not."""
        underway, runtime, fleet = self._underway, self._underway.runtime, self._underway.serving
        host, fleet.host = fleet.host, await underway.beside(runtime.host)
        try:
            tasks, made, faults = await self._brought(synced)
            context = await underway.beside(partial(runtime.context, tasks, synced))
        except BaseException:
            fleet.host = host
            fleet.swap(fleet.serving)  # ends what was made for nothing
            raise
        # From here on nothing is waited for: who begins has the old plan with the old versions, or both are new.
        fleet.swap(made)
        fleet.turns.limit = calls_at_once(config.runtime)
        self._doubts.forget()
        self._synced = synced
        self._take_up(config, Planned(tasks=tasks, context=context))
        return faults

    def _take_up(self, config: Config, planned: Planned) -> None:
        """This is followed from now on, by all in the same moment."""
        self._underway.planned = planned
        self._underway.good = config
        for tell in self._tell:
            tell(config, planned.tasks)

    async def _brought(
        self, synced: tuple[Synced, ...]
    ) -> tuple[tuple[Task | Unrunnable, ...], dict[ProjectName, Served], dict[ProjectName, str]]:
        """What to do, who serves it, and why what was installed does not; nothing is handed out yet.

        For what does not start, what serves now goes on, if it still may.
        """
        underway, runtime, fleet = self._underway, self._underway.runtime, self._underway.serving
        usable = list(await underway.beside(partial(runtime.usable, synced)))
        tried: set[str] = set()
        faults: dict[ProjectName, str] = {}
        while True:
            tasks = await underway.beside(partial(runtime.plan, synced, usable=tuple(usable), faults=dict(faults)))
            made, missing = sorted_out(await fleet.make(callees_of(tasks)))
            if not missing:
                return tasks, made, faults
            for name, why in missing.items():
                faults.setdefault(name, why)
                tried |= {plugin.env_key for plugin in usable if plugin.distribution == name}
                usable = [plugin for plugin in usable if plugin.distribution != name]
                before = fleet.serving.get(name)
                if before is None or before.installed.env_key in tried:
                    continue
                if await underway.beside(partial(runtime.vouching.may_stay, before.installed)):
                    usable.append(before.installed)

    async def _ask(self) -> str:
        """By a word of half a minute ago, what another process installed since would be taken back."""
        try:
            silent = await self._underway.beside(self._underway.runtime.vouching.ask)
        except (AssessError, RegistryError, OSError) as error:
            return self._saying.refused(error)
        if silent is not None:
            _log.warning("the registry's word is not to be had: %s", silent, extra={"action": "registry-silent"})
        return ""


def _notice(sentence: str) -> None:
    _log.info("%s", sentence, extra={"action": "syncing"})


def _refused_folders(config: Config, synced: tuple[Synced, ...]) -> list[str]:
    """Why a folder of plugins cannot be used. Nobody knows then what it stands for, so what runs of it goes on."""
    theirs = {str(name) for entry in config.plugins if entry.dir is not None for name in (entry.dir, entry.name)}
    refused = [line for line in synced if line.action is Action.REFUSED and line.distribution in theirs]
    # The registry's word is no fault of the folder: what it has revoked does not go on.
    return [line.reason for line in refused if not isinstance(line.refusal, RevokedError)]
