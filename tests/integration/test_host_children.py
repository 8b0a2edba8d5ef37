"""A program that has the kernel throw away how its children end cannot be told how a worker ended."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from assess_core.cli.app import main
from assess_core.errors import FaultKind, PluginFault
from assess_core.host import Supervisor
from assess_plugin import ActionInput, Subject
from tests.support.installed import host_config, make_installed

SOURCE = """
import ctypes
from assess_plugin import hookimpl

@hookimpl
def assess_execute(input):
    ctypes.string_at(0)
"""


@pytest.fixture(params=[signal.SIG_DFL, lambda *_: None, signal.SIG_IGN], ids=["default", "handled", "ignored"])
def ignored(request: pytest.FixtureRequest) -> Iterator[bool]:
    before = signal.signal(signal.SIGCHLD, request.param)
    yield request.param is signal.SIG_IGN
    signal.signal(signal.SIGCHLD, before)


def test_nothing_is_started_where_the_end_of_a_child_is_ignored(tmp_path: Path, *, ignored: bool) -> None:
    installed = make_installed(tmp_path, {"it": SOURCE}, plugins={"it": "it"})
    given = ActionInput(
        subject=Subject(id="host:test", type="inventory-item", title="test"), checks=("it-loads",), settings={}
    )

    async def run() -> PluginFault:
        supervisor = Supervisor(installed, host_config(tmp_path))
        try:
            with pytest.raises(PluginFault) as caught:
                await supervisor.execute("it", given, timeout_s=20)
        finally:
            await supervisor.stop()
        return caught.value

    fault = asyncio.run(run())
    if ignored:
        assert fault.kind is FaultKind.START
        assert "SIGCHLD" in str(fault)
        assert "signal.signal(signal.SIGCHLD, signal.SIG_DFL)" in str(fault)
    else:
        assert fault.kind is FaultKind.SIGNALLED
        assert "SIGSEGV" in str(fault)
    assert not list((tmp_path / "scratch").iterdir())


def test_the_command_takes_children_back_that_it_inherited_as_ignored(ignored: bool) -> None:
    before = signal.getsignal(signal.SIGCHLD)
    assert main(["--version"]) == 0
    assert signal.getsignal(signal.SIGCHLD) == (signal.SIG_DFL if ignored else before)
