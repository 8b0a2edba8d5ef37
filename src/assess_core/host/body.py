"""What a worker is made of: a user id, a scratch directory, a process. Had in this order, given back in the other.

body = make_body(installed, config, rights, loop=loop, on_exit=...)
...                                     # the worker is talked to over `body.launched.socket`
death = await body.end(cause, config)
"""

import asyncio
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from assess_core.errors import FaultKind, PluginFault, StoreError
from assess_core.host.config import HostConfig
from assess_core.host.confinement import HAS_TABLE, MACHINE, REMEDY, UnheldError, profile_of
from assess_core.host.death import Cause, Death, unheld
from assess_core.host.ending import end_worker
from assess_core.host.identities import Identity, IdentityError, lease
from assess_core.host.launch import Launched, launch
from assess_core.host.rights import Rights
from assess_core.host.scratch import make_scratch, remove_scratch
from assess_core.store import InstalledPlugin
from assess_plugin.isolation.profile import Profile
from assess_registry.client import TrustError


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """All that there is of one worker on this machine.

    Attributes:
        profile: how the process is to isolate itself; None where it is not to.
    """

    installed: InstalledPlugin
    identity: Identity
    scratch: Path
    launched: Launched
    profile: Profile | None

    @property
    def pid(self) -> int:
        """The process's id, which is also that of its session and group."""
        return self.launched.process.pid

    async def end(self, cause: Cause, config: HostConfig) -> Death:
        """Nothing is left of it, and its user id may be another's."""
        whose = self.installed.distribution
        death = await end_worker(self.launched, self.scratch, cause, config=config, whose=whose)
        self.identity.release()
        return death


def make_body(
    installed: InstalledPlugin,
    config: HostConfig,
    rights: Rights,
    *,
    loop: asyncio.AbstractEventLoop,
    on_exit: Callable[[], None],
) -> Body:
    """A process that waits for its first message.

    Raises:
        PluginFault: a part of it could not be had; none is left.
    """
    try:
        kit = config.kit_of(installed)
    except (StoreError, TrustError) as error:
        raise start_fault(installed, f"there is nothing to start it with: {error}") from error
    with ExitStack() as given_back:
        try:
            isolating = _isolating(config)
            identity = lease() if isolating else Identity(uid=os.geteuid(), gid=os.getegid())
        except (IdentityError, UnheldError) as error:
            raise start_fault(installed, unheld(str(error)).message) from error
        given_back.callback(identity.release)
        try:
            scratch = make_scratch(config.scratch_root, identity)
        except OSError as error:
            raise start_fault(installed, f"its scratch directory could not be made: {error}") from error
        given_back.callback(remove_scratch, scratch)
        try:
            launched = launch(
                installed,
                kit=kit,
                scratch=scratch,
                uid=identity.uid,
                variables=rights.permissions.env,
                loop=loop,
                on_exit=on_exit,
            )
        except OSError as error:
            raise start_fault(installed, f"its process could not be started: {error}") from error
        given_back.pop_all()
    pid = launched.process.pid
    profile = profile_of(installed, kit=kit, scratch=scratch, pid=pid, identity=identity) if isolating else None
    return Body(installed=installed, identity=identity, scratch=scratch, launched=launched, profile=profile)


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
