"""Any order of calls, deaths, starts that fail and cancellations: each call ends, and nothing is left or counted twice.

The processes are played, since thousands of them are needed; tests/integration/test_supervision.py has real ones.
"""

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from assess_core.errors import FaultKind, PluginFault
from assess_core.host import HostConfig, Policy, State, Supervisor, Turns
from assess_core.host.death import STOPPED, Cause
from assess_core.host.standing import Ended
from assess_plugin import ActionInput, Subject
from tests.support.installed import make_installed

NOON = datetime(2026, 11, 21, tzinfo=UTC)
GIVEN = ActionInput(subject=Subject(id="host:a", type="inventory-item", title="a"), checks=("it-loads",), settings={})
OFTEN = Policy(backoff_s=0.0001, deaths=1 << 30, starts=1 << 30)
STRICT = Policy(backoff_s=0.0001, most_backoff_s=0.001)


class Played:
    """A worker without a process, in a world that is a random number generator."""

    chance: random.Random
    alive: set["Played"]
    busy: int
    most_busy: int

    def __init__(self, on_ended: Callable[["Played"], None]) -> None:
        self.usable = True
        self.ended: Ended | None = None
        self._on_ended = on_ended
        self._stopped = asyncio.Event()
        self.made_at = asyncio.get_running_loop().time()
        self.alive.add(self)

    @classmethod
    async def start(cls, *_: Any, on_ended: Callable[["Played"], None], **__: Any) -> "Played":
        await asyncio.sleep(cls.chance.choice((0.0, 0.0, 0.0002)))
        if cls.chance.random() < 0.1:
            raise PluginFault("no room", plugin="it", phase="start", kind=FaultKind.START)
        return cls(on_ended)

    async def load(self) -> None:
        try:
            await asyncio.sleep(self.chance.choice((0.0, 0.0, 0.0002)))
        except asyncio.CancelledError:
            self.end(None)
            raise
        if self.chance.random() < 0.1:
            raise self.die(FaultKind.START, "load")
        if self.chance.random() < 0.1:
            asyncio.get_running_loop().call_later(self.chance.random() / 2000, self.die, FaultKind.EXITED, "idle")

    async def execute(self, *_: Any, **__: Any) -> object:
        if not self.usable:
            raise PluginFault("it was dead", plugin="it", phase="execute", kind=FaultKind.EXITED)
        Played.busy += 1
        Played.most_busy = max(Played.busy, Played.most_busy)
        try:
            for _step in range(self.chance.randrange(4)):
                await asyncio.sleep(0)
                if self._stopped.is_set():
                    raise PluginFault("stopped", plugin="it", phase="execute", kind=FaultKind.STOPPED)
        except asyncio.CancelledError:
            self.end(None)
            raise
        finally:
            Played.busy -= 1
        if self.chance.random() < 0.2:
            raise self.die(self.chance.choice((FaultKind.EXITED, FaultKind.TIMEOUT)), "execute")
        return object()

    async def stop(self, cause: Cause = STOPPED) -> None:
        self._stopped.set()
        await asyncio.sleep(0)
        self.end(None)

    def die(self, kind: FaultKind, phase: str) -> PluginFault:
        ended = Ended(at=NOON, kind=kind, phase=phase, message="died", hint="", log_tail="", by_itself=True)
        self.end(ended)
        return PluginFault("died", plugin="it", phase=phase, kind=kind)

    def end(self, ended: Ended | None) -> None:
        if self.usable:
            self.usable, self.ended = False, ended
            self.alive.discard(self)
            self._on_ended(self)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Supervisor]:
    """Makes supervisors of played workers."""
    monkeypatch.setattr("assess_core.host.supervisor.Worker", Played)
    installed = make_installed(tmp_path, {"it": ""}, plugins={"it": "it"})
    config = HostConfig(kits=lambda _: tmp_path, scratch_root=tmp_path)
    Played.alive = set()
    Played.busy = 0
    Played.most_busy = 0
    return lambda **more: Supervisor(installed, config, **more)


@pytest.mark.parametrize("seed", range(12))
def test_every_call_ends_and_nothing_is_left(world: Callable[..., Supervisor], seed: int) -> None:
    chance = Played.chance = random.Random(seed)
    policy = chance.choice((OFTEN, STRICT))

    async def one(host: Supervisor, whose: str) -> object:
        await asyncio.sleep(chance.random() / 500)
        return await host.execute("it", GIVEN, timeout_s=60, whose=whose)

    async def use() -> None:
        turns = Turns(chance.randrange(1, 5))
        hosts = [world(workers=chance.randrange(1, 4), turns=turns, policy=policy) for _ in range(3)]
        for host in hosts:
            if chance.random() < 0.5:
                await asyncio.gather(host.start(), return_exceptions=True)
        calls = [asyncio.create_task(one(chance.choice(hosts), f"a{number % 7}")) for number in range(150)]
        for each in calls:
            if chance.random() < 0.1:
                asyncio.get_running_loop().call_later(chance.random() / 100, each.cancel)
        ending = chance.choice(("done", "stop", "kill"))
        async with asyncio.timeout(60):
            if ending == "done":
                await asyncio.wait(calls)
            else:
                await asyncio.sleep(chance.random() / 100)
            await asyncio.gather(*(host.kill("no") if ending == "kill" else host.stop() for host in hosts))
            await asyncio.wait(calls)
        outcomes = [each for each in calls if not each.cancelled()]
        faults = [fault for each in outcomes if (fault := each.exception()) is not None]
        assert all(isinstance(fault, PluginFault) for fault in faults), faults
        kinds = {fault.kind for fault in faults if isinstance(fault, PluginFault)}
        assert (FaultKind.QUARANTINED in kinds) <= (policy is STRICT)
        assert Played.most_busy <= turns.limit
        assert (turns.busy, Played.busy, len(Played.alive)) == (0, 0, 0)
        assert {host.standing.state for host in hosts} == {State.STOPPED}
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left

    asyncio.run(use())


def test_a_call_whose_worker_dies_just_when_all_is_stopped_does_not_wait_for_another(
    world: Callable[..., Supervisor],
) -> None:
    class Ending(Turns):
        ending = False

        def give_back(self) -> None:
            super().give_back()
            if self.ending:  # granted, and not yet told
                self.ending = False
                next(iter(Played.alive)).end(None)
                hosts[0]._refusal = Cause(kind=FaultKind.STOPPED, message="it is being stopped")

    hosts: list[Supervisor] = []

    async def use() -> None:
        turns = Ending(1)
        host = world(turns=turns, policy=OFTEN)
        hosts.append(host)
        Played.chance = random.Random(3)
        while not Played.alive:
            await asyncio.gather(host.execute("it", GIVEN, timeout_s=60), return_exceptions=True)
        running = asyncio.create_task(host.execute("it", GIVEN, timeout_s=60))
        waiting = asyncio.create_task(host.execute("it", GIVEN, timeout_s=60))
        await asyncio.sleep(0)
        turns.ending = True
        async with asyncio.timeout(60):
            _, told = await asyncio.gather(running, waiting, return_exceptions=True)
            await host.stop()
        assert isinstance(told, PluginFault)
        assert told.kind is FaultKind.STOPPED
        assert turns.busy == 0

    asyncio.run(use())


@pytest.mark.parametrize("in_load", [False, True])
def test_what_is_ours_in_a_start_is_told_waited_after_and_tried_again(
    world: Callable[..., Supervisor],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    in_load: bool,
) -> None:
    """A machine that has no thread left, as Python puts it."""

    def full(*_: Any, **__: Any) -> None:
        raise RuntimeError("can't start new thread")

    class Steady(random.Random):
        def random(self) -> float:
            return 0.5

        def choice(self, seq: Any) -> Any:
            return seq[0]

    async def use() -> None:
        Played.chance = Steady()
        host = world(policy=Policy(backoff_s=0.1, jitter=(1.0, 1.0)))
        await host.start()
        with monkeypatch.context() as machine:
            machine.setattr(Played, "load" if in_load else "start", full)
            next(iter(Played.alive)).die(FaultKind.EXITED, "idle")
            async with asyncio.timeout(60):
                with pytest.raises(RuntimeError, match="can't start new thread"):
                    await host.execute("it", GIVEN, timeout_s=60)
        standing = host.standing
        assert (standing.state, standing.deaths, standing.quarantine) == (State.BACKING_OFF, 2, None)
        assert standing.next_start_at is not None
        assert "can't start new thread" in host.ended[-1].message
        async with asyncio.timeout(60):
            while host.standing.state is not State.READY:  # nobody calls: it is kept ready, as before
                await asyncio.sleep(0.01)
            assert len(Played.alive) == 1, "one that could not be loaded is not left behind"
            await host.stop()
        assert host.standing.restarts == 1 + in_load, "in place of the first, and of one that was there and not loaded"
        assert len(Played.alive) == 0

    asyncio.run(use())
    assert [getattr(record, "action", "") for record in caplog.records] == ["worker-not-started"]
    assert caplog.records[0].exc_info is not None
