"""Workers that are started to see whether they can be: what holds one here, and whether a plugin loads."""

import asyncio

from assess_core.delivery.admission import asking_of, grant_of, rights_of, start_refusals
from assess_core.host import Held, health_check, probe, probe_forking
from assess_core.runtime import Runtime
from assess_core.store import InstalledPlugin


def try_isolation(runtime: Runtime) -> Held:
    """What holds a worker on this machine, whether or not the configuration asks for it.

    Raises:
        PluginFault: nothing does; the message says why.
    """
    return asyncio.run(probe(runtime.interpreter, runtime.host()))


def why_spawned(runtime: Runtime) -> str:
    """Why workers are not forked although they may be; empty when they are, or are not to be.

    Raises:
        PluginFault: none can be started.
    """
    host = runtime.host()
    return asyncio.run(probe_forking(runtime.interpreter, host)) if host.start_workers == "fork" else ""


def try_start(plugin: InstalledPlugin, runtime: Runtime) -> tuple[str, ...]:
    """Why this plugin may not be started by the configuration; nothing once it was started, loaded and stopped.

    Raises:
        PluginFault: it may be started, and cannot.
    """
    asking = asking_of(plugin)
    withheld = start_refusals(runtime.config, asking)
    if not withheld:
        asyncio.run(health_check(plugin, runtime.host(), rights_of(grant_of(runtime.config, asking))))
    return withheld
