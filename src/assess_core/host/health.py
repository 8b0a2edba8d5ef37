"""Does an installed plugin start, and load all it promises? Asked before it is made active."""

from assess_core.host.config import HostConfig
from assess_core.host.rights import Rights
from assess_core.host.worker import Worker
from assess_core.store import InstalledPlugin


async def health_check(installed: InstalledPlugin, config: HostConfig, rights: Rights | None = None) -> None:
    """The plugin was started, shook hands, loaded every entry point, and has stopped again.

    Meanwhile it may do what `rights` say; all that it asks for unless they are given.

    Raises:
        PluginFault: one of these failed; the message says which and why.
    """
    worker = await Worker.start(installed, config, rights)
    try:
        await worker.load()
    finally:
        await worker.stop()
