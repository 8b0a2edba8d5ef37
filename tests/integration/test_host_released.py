"""A worker that is gone leaves nothing behind that waits for the garbage collector, which may take half an hour."""

import asyncio
import gc
import os
import signal
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from assess_core.errors import PluginFault
from assess_core.host.worker import Worker
from assess_plugin import ActionInput, Subject
from tests.support.installed import host_config, make_program


@pytest.fixture
def no_collector() -> Iterator[None]:
    """References alone decide what is let go of."""
    gc.disable()
    yield
    gc.enable()


async def _killed(root: Path) -> "weakref.ref[Worker]":
    """A worker that had served and was killed from outside, with nobody left who knows it."""
    worker = await Worker.start(make_program(root, "breaks_wire"), host_config(root))
    await worker.load()
    given = ActionInput(subject=Subject(id="host:a", type="inventory-item", title="a"), checks=("decent",))
    await worker.execute("it", given, timeout_s=30)
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(PluginFault):
        await worker.execute("it", given, timeout_s=30)
    await worker.stop()
    return weakref.ref(worker)


@pytest.mark.usefixtures("no_collector")
def test_a_worker_that_was_killed_is_let_go_of_at_once(tmp_path: Path) -> None:
    async def left() -> Worker | None:
        gone = await _killed(tmp_path)
        for _ in range(1000):  # its watch's thread is at its last look
            if gone() is None:
                break
            await asyncio.sleep(0.05)
        return gone()

    assert asyncio.run(left()) is None
