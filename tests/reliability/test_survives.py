"""An assessment that runs keeps its version, whatever other processes do to the plugin meanwhile; one that fails its
health check never serves a call.

The commands are typed as an administrator would, in processes of their own, beside a runtime that goes on running.
"""

import asyncio
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from assess_core.live.live import Live
from assess_core.results import Run
from tests.reliability.conftest import size
from tests.support.fleet_place import SOURCE, Fleet, assessment, make_fleet, one_of_many
from tests.support.nothing_left import Adopted, left_of
from tests.support.serving import serving

NAME = "fleet-00"
SUBJECTS = size(100, 30)
FOLLOWS_S = 60.0
"""How long a runtime may take to follow a change, on a machine that others use."""

LONG = assessment(NAME, subjects=SUBJECTS, timeout_s=600) | {"id": "long"}

NEVER = {
    "raises while it is imported": "raise RuntimeError('not today')\n",
    "exits while it is imported": "import os\nos._exit(3)\n",
    "hangs while it is imported": "import signal\nsignal.pause()\n",
    "has no such hook": SOURCE.replace("def assess_execute", "def assess_everything"),
    "has a hook with other arguments": SOURCE.replace("(self, input: ActionInput)", "(self, given: ActionInput)"),
}


@pytest.fixture
def one(tmp_path: Path) -> Fleet:
    fleet = make_fleet(tmp_path / "fleet", count=1)
    fleet.configure(plugins={NAME: {"settings": {"gate": str(gate(fleet))}}}, assessments=[LONG])
    return fleet


def gate(one: Fleet) -> Path:
    """The long assessment ends when it is there."""
    return one.directory / "gate"


def test_a_running_assessment_survives_upgrade_rollback_pin_and_prune(one: Fleet, adopted: Adopted) -> None:
    asyncio.run(survives(one))
    assert not left_of(one.state)


async def survives(one: Fleet) -> None:
    first = environments(one)
    assert len(first) == 1
    async with serving(one.path, one.state) as live:
        running = asyncio.create_task(live.assess({"long"}))
        await until(lambda: live.standing[NAME][1].state == "busy", "the long assessment has begun")  # type: ignore[index]

        one.publish(one_of_many(NAME, "2.0.0"))
        await typed(one, "sync")
        await until(lambda: version(live) == "2.0.0", "it follows the upgrade")
        assert versions(await live.assess({NAME})) == {"2.0.0"}

        await typed(one, "plugins", "prune", "--keep", "0")
        assert first < environments(one), "what is in use was removed"

        await typed(one, "plugins", "rollback", NAME)
        await until(lambda: version(live) == "1.0.0", "it follows the rollback")
        await typed(one, "sync")
        assert version(live) == "1.0.0", "a rollback stays through a sync"

        await typed(one, "plugins", "pin", f"{NAME}==2.0.0")
        await typed(one, "sync")
        await until(lambda: version(live) == "2.0.0", "it follows the pin")
        await typed(one, "plugins", "prune", "--keep", "0")
        assert first < environments(one), "what is in use was removed"

        assert not running.done()
        gate(one).touch()
        run = await running
        assert versions(run) == {"1.0.0"}
        assert len(run.results) == SUBJECTS * 3
        assert {result.outcome.value for result in run.results} == {"pass"}
        await typed(one, "plugins", "prune", "--keep", "0")
        await until(lambda: not first & environments(one), "what nobody uses is gone", asking=prune(one))


@pytest.mark.parametrize("what", list(NEVER))
def test_a_version_whose_health_check_fails_never_serves_a_call(what: str, one: Fleet, adopted: Adopted) -> None:
    async def never() -> None:
        async with serving(one.path, one.state) as live:
            one.publish(one_of_many(NAME, "9.0.0", source=NEVER[what]))
            done = await asyncio.to_thread(command, one, "sync")
            assert done.returncode == 1, done.stdout + done.stderr
            assert "failed" in done.stdout
            await live.reload()
            assert version(live) == "1.0.0"
            assert versions(await live.assess({NAME})) == {"1.0.0"}
            again = await asyncio.to_thread(command, one, "sync")
            assert again.returncode == 1, again.stdout + again.stderr
            assert "held" in again.stdout, "it is not tried again at once"

    asyncio.run(never())
    assert not left_of(one.state)


def command(one: Fleet, *verb: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(one.argv(*verb), capture_output=True, text=True, timeout=300, check=False)


async def typed(one: Fleet, *verb: str) -> None:
    done = await asyncio.to_thread(command, one, *verb)
    assert done.returncode == 0, f"{verb}: {done.stdout}{done.stderr}"


def prune(one: Fleet) -> Callable[[], object]:
    return lambda: command(one, "plugins", "prune", "--keep", "0")


async def until(there: Callable[[], bool], what: str, *, asking: Callable[[], object] | None = None) -> None:
    deadline = time.monotonic() + FOLLOWS_S
    while not there():
        assert time.monotonic() < deadline, what
        if asking is not None:
            await asyncio.to_thread(asking)
        await asyncio.sleep(0.05)


def version(live: Live) -> str:
    return {str(name): installed.version for name, (installed, _) in live.standing.items()}[NAME]


def versions(run: Run) -> set[str]:
    return {result.plugin.version for result in run.results}


def environments(one: Fleet) -> set[str]:
    return {path.name for path in (one.state / "envs").iterdir() if path.is_dir()}
