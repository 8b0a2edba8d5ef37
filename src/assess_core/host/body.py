"""What a worker is made of: a user id, a scratch directory, a process.

    body = await make_body(installed, config, rights)
    ...                                     # the worker is talked to over `body.launched.socket`
    death = await body.end(cause, config)

Had in this order, given back in the other.
"""

import asyncio
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from assess_core.errors import FaultKind, PluginFault, StoreError
from assess_core.host.aside import aside
from assess_core.host.config import HostConfig
from assess_core.host.confinement import HAS_TABLE, MACHINE, REMEDY, UnheldError, for_process, profile_of
from assess_core.host.death import Cause, Death, unheld
from assess_core.host.ending import end_worker
from assess_core.host.identities import Identity, IdentityError, lease
from assess_core.host.launch import Launched, launch
from assess_core.host.rights import Rights
from assess_core.host.scratch import make_scratch, remove_scratch
from assess_core.host.starting import Slot, beside, slot_to_start
from assess_core.store import InstalledPlugin
from assess_plugin.isolation.profile import Profile
from assess_plugin.isolation.start import worker_environment
from assess_registry.client import TrustError

IGNORED = (
    "this program ignores SIGCHLD, so that the kernel tells nobody how a worker ended, and gives its process id away "
    "at once: call signal.signal(signal.SIGCHLD, signal.SIG_DFL) before plugins are run"
)

PLACE_S = 60.0
"""How long a start waits for a disk; the worker's own deadline begins when there is a process."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """All that there is of one worker on this machine.

    Attributes:
        profile: how the process is to isolate itself; None where it is not to.
        slot: of its start, over when the plugin is loaded.
    """

    installed: InstalledPlugin
    identity: Identity
    scratch: Path
    launched: Launched
    profile: Profile | None
    slot: Slot

    @property
    def pid(self) -> int:
        """The process's id, which is also that of its session and group."""
        return self.launched.process.pid

    async def end(self, cause: Cause, config: HostConfig) -> Death:
        """Nothing is left of it, and its user id may be another's."""
        self.slot.over()
        whose = self.installed.distribution
        death = await end_worker(self.launched, self.scratch, cause, config=config, whose=whose)
        self.identity.release()
        return death


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """What a process needs before there is one, had on disk and so beside the loop."""

    kit: Path
    identity: Identity
    scratch: Path
    environment: Mapping[str, str]
    profile: Profile | None

    def give_back(self) -> None:
        remove_scratch(self.scratch)
        self.identity.release()


async def make_body(installed: InstalledPlugin, config: HostConfig, rights: Rights, *, spawned: bool = False) -> Body:
    """A process that waits for its first message; one that was forked only if it may be, and is not to be `spawned`.

    Raises:
        PluginFault: a part of it could not be had; none is left.
    """
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        raise start_fault(installed, IGNORED)
    slot = await slot_to_start()
    try:
        isolating = _isolating(config)
        async with asyncio.timeout(PLACE_S):
            place = await beside(partial(_make_place, installed, config, rights, isolating=isolating), _Place.give_back)
        # A process that forks is found by an environment of its own (`escapees`). One that is isolated cannot.
        fork = config.start_workers == "fork" and config.isolation == "required" and not spawned
        launched = await _launched(installed, place, fork=fork)
    except UnheldError as error:
        slot.over()
        raise start_fault(installed, unheld(str(error)).message) from error
    except TimeoutError as error:
        slot.over()
        message = f"it got no scratch directory in {config.scratch_root} within {PLACE_S:g} s: does that disk answer?"
        raise start_fault(installed, message) from error
    except BaseException:
        slot.over()
        raise
    return Body(
        installed=installed,
        identity=place.identity,
        scratch=place.scratch,
        launched=launched,
        profile=None if place.profile is None else for_process(place.profile, launched.process.pid),
        slot=slot,
    )


def _make_place(installed: InstalledPlugin, config: HostConfig, rights: Rights, *, isolating: bool) -> _Place:
    try:
        config.before_start(installed)
    except (StoreError, TrustError) as error:
        raise start_fault(installed, f"it may not be started: {error}") from error
    try:
        kit = config.kit_of(installed)
    except (StoreError, TrustError) as error:
        raise start_fault(installed, f"there is nothing to start it with: {error}") from error
    try:
        identity = lease() if isolating else Identity(uid=os.geteuid(), gid=os.getegid())
    except IdentityError as error:
        raise start_fault(installed, unheld(str(error)).message) from error
    try:
        scratch = make_scratch(config.scratch_root, identity)
    except BaseException as error:
        identity.release()
        if isinstance(error, OSError):
            raise start_fault(installed, f"its scratch directory could not be made: {error}") from error
        raise
    try:
        return _Place(
            kit=kit,
            identity=identity,
            scratch=scratch,
            environment=worker_environment(scratch, rights.permissions.env, identity.uid),
            profile=profile_of(installed, kit=kit, scratch=scratch, identity=identity) if isolating else None,
        )
    except BaseException:
        remove_scratch(scratch)
        identity.release()
        raise


async def _launched(installed: InstalledPlugin, place: _Place, *, fork: bool) -> Launched:
    try:
        return await launch(installed, kit=place.kit, scratch=place.scratch, environment=place.environment, fork=fork)
    except BaseException as error:
        await aside(place.give_back)
        if isinstance(error, OSError):
            raise start_fault(installed, f"its process could not be started: {error}") from error
        raise


def start_fault(installed: InstalledPlugin, message: str) -> PluginFault:
    """A worker of it could not be started."""
    return PluginFault(message, plugin=installed.distribution, phase="start", kind=FaultKind.START)


def _isolating(config: HostConfig) -> bool:
    """Whether a worker is told to isolate itself.

    Raises:
        UnheldError: it must, and cannot on this machine.
    """
    if config.isolation == "required" and not HAS_TABLE:
        raise UnheldError(f"nothing is known of the system calls of {MACHINE}. {REMEDY}")
    return config.isolation != "off" and HAS_TABLE
