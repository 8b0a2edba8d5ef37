"""The end of a worker, whoever asked for it: its processes, its output and its directory, in this order."""

import logging
from pathlib import Path

from assess_core.host.config import HostConfig
from assess_core.host.death import Cause, Death
from assess_core.host.escapees import Mark, escapees_killed
from assess_core.host.launch import Launched
from assess_core.host.scratch import remove_scratch
from assess_core.host.starting import gone

logger = logging.getLogger(__name__)


async def end_worker(launched: Launched, scratch: Path, cause: Cause, *, config: HostConfig, whose: str) -> Death:
    """Nothing is left of the worker: no process that can be found, no descriptor, no directory."""
    process, log = launched.process, launched.log
    if cause.kind is None:
        await process.wait(config.kill_after_s)
    by_itself = process.exited.is_set()
    await process.end(config.kill_after_s)
    # Before reaping: until then the session's number cannot be anyone else's.
    mark = Mark(session=process.pid, variable=f"TMPDIR={scratch}", directory=scratch)
    escaped = await escapees_killed(mark)
    exit_code = process.reap()
    log.close()
    try:
        await gone(remove_scratch, scratch)
    except OSError as error:
        # The caller waits for the fault, whatever became of a directory; the next runtime here sweeps it.
        logger.warning("%s could not be removed: %s", scratch, error, extra={"action": "scratch-left"})
    death = Death(cause=cause, exit_code=exit_code, by_itself=by_itself, log_tail=log.text())
    logger.debug("Ended the worker of %s, process %d: %s.", whose, process.pid, death)
    if escaped:
        logger.warning(
            "Killed %d processes that plugin %s had let out of its session.",
            escaped,
            whose,
            extra={"action": "escapees-killed"},
        )
    return death
