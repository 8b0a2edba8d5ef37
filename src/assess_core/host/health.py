"""Does an installed plugin start, and load all it promises? Asked before it is made active."""

from assess_core.host.config import HostConfig
from assess_core.host.worker import Worker
from assess_core.store import InstalledPlugin


async def health_check(installed: InstalledPlugin, config: HostConfig) -> None:
    """The plugin was started, shook hands, loaded every entry point, and has stopped again.

    Raises:
        PluginFault: one of these failed; the message says which and why.
    """
    worker = Worker(installed, config)
    try:
        await worker.load()
    finally:
        await worker.stop()
