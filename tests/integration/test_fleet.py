"""Versions are swapped while assessments begin and end: each keeps one version, and nothing is left of the others."""

import asyncio
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from assess_core.assessing.fleet import Fleet, Use, sorted_out
from assess_core.assessing.plan import Callee
from assess_core.errors import AssessError, FaultKind, PluginFault, StoreError
from assess_core.host import Supervisor, copies, prepared
from assess_core.host.standing import Policy
from assess_core.host.turns import Turns
from assess_core.store import InstalledPlugin
from assess_core.store.leases import Lease
from assess_plugin.models import ActionInput, Subject
from assess_registry.client import PluginName, ProjectName
from tests.support.installed import host_config, make_installed

SOURCE = """\
import time

from assess_plugin import ActionOutput, CheckResult, Outcome, hookimpl
{extra}


class Assess:
    @hookimpl
    def assess_execute(self, input):
        time.sleep(0.02)
        return ActionOutput(
            results=tuple(CheckResult(check_id=each, outcome=Outcome.PASS, reason="{version}") for each in input.checks)
        )


plugin = Assess()
"""

NAME = ProjectName("swapped")


class Leases:
    """Which environments are kept, and how often."""

    def __init__(self) -> None:
        self.held: Counter[str] = Counter()
        self.gone: set[str] = set()

    def take(self, installed: InstalledPlugin) -> Lease:
        if installed.env_key in self.gone:
            raise StoreError(f"{installed.version} is gone")
        self.held[installed.env_key] += 1
        leases = self

        class Counted(Lease):
            def release(self) -> None:
                leases.held[installed.env_key] -= 1

            def __del__(self) -> None:
                """Released by hand only: what is forgotten shows."""

        return Counted(installed.environment, None)


def version(root: Path, number: str, extra: str = "") -> Callee:
    source = SOURCE.format(version=number, extra=extra)
    installed = make_installed(
        root, {"swapped": source}, plugins={"it": "swapped:plugin"}, distribution=NAME, version=number
    )
    return Callee(installed=replace(installed, env_key=number), name=PluginName("it"), settings={})


async def bring(fleet: Fleet, callee: Callee) -> dict[ProjectName, str]:
    made, missing = sorted_out(await fleet.make([callee]))
    if not missing:
        fleet.swap(made)
    return missing


async def ask(use: Use, times: int = 1) -> set[str]:
    subject = Subject(id="host:a", type="inventory-item", title="a")
    given = ActionInput(subject=subject, checks=("it-loads",), settings={})
    reports = await asyncio.gather(*(use.hosts[NAME].execute("it", given, timeout_s=30) for _ in range(times)))
    return {result.reason for report in reports for result in report.output.results}


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def scratches(root: Path) -> int:
    return len(list((root / "scratch").iterdir()))


def test_whatever_is_swapped_when_each_has_one_version_and_nothing_is_left(tmp_path: Path) -> None:
    callees = [version(tmp_path, number) for number in ("1.0", "1.1", "1.2")]
    broken = version(tmp_path, "9.9", "raise RuntimeError('not today')")
    leases, rng = Leases(), random.Random(7)
    before = descriptors()
    seen: Counter[str] = Counter()

    async def assessments(fleet: Fleet, until: asyncio.Event) -> None:
        while not until.is_set():
            current = fleet.serving[NAME].installed
            use = fleet.take([Callee(installed=current, name=PluginName("it"), settings={})])
            try:
                for _ in range(rng.randrange(1, 6)):
                    assert await ask(use) == {current.version}
                    assert leases.held[current.env_key] > 0
                seen[current.version] += 1
            finally:
                use.release()

    async def main() -> None:
        fleet = Fleet(host_config(tmp_path), lease=leases.take, turns=Turns(16))
        until = asyncio.Event()
        await bring(fleet, callees[0])
        running = [asyncio.create_task(assessments(fleet, until)) for _ in range(4)]
        for number in range(24):
            if number % 6 == 5:
                assert "not today" in (await bring(fleet, broken))[NAME]
            assert await bring(fleet, rng.choice(callees)) == {}
            await asyncio.sleep(rng.random() / 10)
        until.set()
        await asyncio.gather(*running)
        await asyncio.sleep(0)
        assert [plugin.version for plugin in fleet.running] == [fleet.serving[NAME].installed.version]
        await fleet.stop()

    asyncio.run(main())
    assert set(seen) == {"1.0", "1.1", "1.2"}
    assert not +leases.held
    assert not -leases.held, "none is released twice"
    assert scratches(tmp_path) == 0
    assert descriptors() <= before + 4  # what a process opens once


def test_a_version_that_comes_back_before_the_last_one_left_it_serves_again(tmp_path: Path) -> None:
    old, new = version(tmp_path, "1.0"), version(tmp_path, "1.1")

    async def main() -> None:
        fleet = Fleet(host_config(tmp_path), lease=Leases().take, turns=Turns(8))
        await bring(fleet, old)
        first = fleet.take([old])
        await bring(fleet, new)
        await bring(fleet, old)
        second = fleet.take([old])
        assert second.hosts[NAME] is first.hosts[NAME], "its processes are there still"
        first.release()
        first.release()
        await asyncio.sleep(0.1)
        assert await ask(second, 3) == {"1.0"}
        second.release()
        assert await ask(fleet.take([old])) == {"1.0"}
        await fleet.stop()

    asyncio.run(main())
    assert scratches(tmp_path) == 0


def test_killed_it_answers_nobody_and_is_not_had_again(tmp_path: Path) -> None:
    old, new = version(tmp_path, "1.0"), version(tmp_path, "1.1")

    async def main() -> None:
        fleet = Fleet(host_config(tmp_path), lease=Leases().take, turns=Turns(8))
        await bring(fleet, old)
        use, other = fleet.take([old]), fleet.take([old])
        asking = asyncio.create_task(ask(use, 1000))
        await asyncio.sleep(0.1)
        await fleet.kill("1.0", "revoked: sends it away")
        with pytest.raises(PluginFault, match="sends it away") as fault:
            await asking
        assert fault.value.kind is FaultKind.REVOKED
        with pytest.raises(PluginFault, match="sends it away"):
            await ask(other)
        assert use.distrusted == other.distrusted == "revoked: sends it away"
        assert scratches(tmp_path) == 0
        with pytest.raises(KeyError):
            fleet.take([old])
        await bring(fleet, new)
        with pytest.raises(ValueError, match=r"planned with 1\.0"):
            fleet.take([old])
        control = fleet.take([new])
        assert (await ask(control), control.distrusted) == ({"1.1"}, "")
        use.release()
        other.release()
        assert [plugin.version for plugin in fleet.running] == ["1.1"]
        await fleet.stop()

    asyncio.run(main())


def test_stopped_it_leaves_no_prepared_parent_and_another_fleet_has_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "SPAWNED_FIRST", 0)

    def parents() -> set[int]:
        alive = [Path(f"/proc/{pid}") for pid in copies.children()]
        return {int(each.name) for each in alive if b"prepared.py" in (each / "cmdline").read_bytes()}

    async def main() -> None:
        one, other = (Fleet(host_config(tmp_path), lease=Leases().take, turns=Turns(8)) for _ in range(2))
        await bring(one, version(tmp_path, "1.0"))
        first = parents()
        assert len(first) == 1, "it is there until then"
        await one.stop()
        assert parents() == set()
        assert await bring(other, version(tmp_path, "1.1")) == {}
        assert len(parents()) == 1
        assert not parents() & first
        await other.stop()
        assert parents() == set()

    asyncio.run(main())
    assert scratches(tmp_path) == 0


def test_what_is_gone_is_said_and_others_serve(tmp_path: Path) -> None:
    old, leases = version(tmp_path, "1.0"), Leases()
    leases.gone.add("1.0")

    async def main() -> None:
        fleet = Fleet(host_config(tmp_path), lease=leases.take, turns=Turns(8), policy=Policy.patient())
        made = await fleet.make([old])
        assert isinstance(made[NAME], AssessError)
        assert sorted_out(made) == ({}, {NAME: "1.0 is gone"})
        leases.gone.clear()
        assert await bring(fleet, old) == {}
        assert await ask(fleet.take([old])) == {"1.0"}
        await fleet.stop()

    asyncio.run(main())
    assert not +leases.held


def test_cancelled_while_it_starts_nothing_is_left_of_it(tmp_path: Path) -> None:
    slow, leases = version(tmp_path, "1.0", "time.sleep(100)"), Leases()

    async def main() -> None:
        fleet = Fleet(host_config(tmp_path), lease=leases.take, turns=Turns(8))
        making = asyncio.create_task(fleet.make([slow]))
        async with asyncio.timeout(60):
            while not scratches(tmp_path):
                await asyncio.sleep(0.05)
        making.cancel()
        await asyncio.wait([making])
        assert making.cancelled()
        await fleet.stop()

    asyncio.run(main())
    assert not +leases.held
    assert scratches(tmp_path) == 0


@pytest.mark.parametrize(
    ("error", "is_bug"), [(TypeError("a bug"), True), (OSError(28, "No space left on device"), False)]
)
def test_what_cannot_be_ended_is_told_and_a_bug_of_ours_as_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, error: Exception, is_bug: bool
) -> None:
    told: list[object] = []

    class Unending(Fleet):
        def _supervisor(self, callee: Callee) -> Supervisor:
            class Stuck(Supervisor):
                async def stop(self) -> None:
                    await super().stop()
                    raise error

            return Stuck(callee.installed, self.host, None, turns=self.turns)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: told.append(context["exception"]))
        fleet = Unending(host_config(tmp_path), lease=leases.take, turns=Turns(1))
        made, _ = sorted_out(await fleet.make([version(tmp_path, "1.0")], started=False))
        fleet.swap(made)
        fleet.swap({})
        await fleet.stop()
        assert fleet.alive == ()

    leases = Leases()
    asyncio.run(main())
    assert not leases.held["1.0"], "nothing else is left"
    assert told == ([error] if is_bug else [])
    assert [getattr(record, "action", "") for record in caplog.records] == ([] if is_bug else ["end-failed"])
