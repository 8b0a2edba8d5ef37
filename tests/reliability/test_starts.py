"""Starts, one after another, for longer than one prepared parent lives: none of them fails by how it was started."""

import asyncio
import os
from pathlib import Path

from assess_core.host import Supervisor
from assess_core.host.prepared import MOST_STARTS
from tests.support.installed import PROGRAMS, host_config, make_installed
from tests.support.nothing_left import children_of

SOURCE = (PROGRAMS / "offends.py").read_text()
PARENTS = 3


def test_starts_outlive_the_parents_they_are_forked_from(tmp_path: Path) -> None:
    """The last start of a parent was killed with it, as long as it was in its process group."""
    installed = make_installed(tmp_path, {"offends": SOURCE}, plugins={"it": "offends:plugin"})
    config = host_config(tmp_path)

    async def start_all() -> list[BaseException]:
        failed: list[BaseException] = []
        for _ in range(PARENTS * MOST_STARTS + 2):
            supervisor = Supervisor(installed, config)
            try:
                await supervisor.start()
            except Exception as error:
                failed.append(error)
            finally:
                await supervisor.stop()
        return failed

    assert asyncio.run(start_all()) == []
    assert children_of(os.getpid()) == []
