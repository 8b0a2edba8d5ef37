"""Workers that die, stop themselves or will not go, in real processes: how they stand then, and what calls are told."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from assess_core.errors import FaultKind, PluginFault
from assess_core.host import CallReport, Policy, Quarantines, State, Supervisor, Turns
from assess_core.host.worker import Worker
from assess_core.store import InstalledPlugin
from assess_plugin import ActionInput, Subject
from tests.support.installed import host_config, make_installed

SUBJECT = Subject(id="host:test", type="inventory-item", title="test")
T = TypeVar("T")

SOURCE = """
import os, signal, time
from assess_plugin import ActionOutput, CheckResult, Outcome, hookimpl

kept = []

@hookimpl
def assess_execute(input):
    what, amount = input.settings.get("do", ""), float(input.settings.get("amount", 0))
    if what == "exits":
        os.write(1, b"first words\\nlast words\\n")
        os._exit(int(amount))
    if what == "hangs":
        time.sleep(amount)
    if what == "burns":
        until = time.process_time() + amount
        while time.process_time() < until:
            pass
    if what == "takes":
        kept.append(b"x" * int(amount * (1 << 20)))
        kept.clear()
    passed = {"outcome": Outcome.PASS, "actual": str(os.getpid())}
    return ActionOutput(results=tuple(CheckResult(check_id=check, **passed) for check in input.checks))
"""

SETTINGS = '[settings.do]\ntype = "string"\ndefault = ""\n[settings.amount]\ntype = "number"\ndefault = 0\n'
QUICK = Policy(backoff_s=0.02, jitter=(1.0, 1.0))
SLOW = Policy(backoff_s=60.0, jitter=(1.0, 1.0))


def plugin(root: Path, source: str = SOURCE, *, name: str = "plain-plugin") -> InstalledPlugin:
    return make_installed(root, {"it": source}, plugins={"it": "it"}, settings=SETTINGS, distribution=name)


def change(installed: InstalledPlugin, source: str) -> None:
    """Its next worker imports this."""
    (installed.site_packages / "it.py").write_text(source)


async def call(
    host: Supervisor, do: str = "", amount: float = 0, *, timeout_s: float = 20, whose: str = ""
) -> CallReport:
    given = ActionInput(subject=SUBJECT, checks=("it-loads",), settings={"do": do, "amount": amount})
    return await host.execute("it", given, timeout_s=timeout_s, whose=whose)


async def fault(host: Supervisor, do: str = "", amount: float = 0, **more: Any) -> PluginFault:
    with pytest.raises(PluginFault) as caught:
        await call(host, do, amount, **more)
    return caught.value


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


async def watch(late: list[float]) -> None:
    """What a slow machine takes: by how much this loop wakes later than it asked to, again and again."""
    while True:
        asked = time.monotonic()
        await asyncio.sleep(0.05)
        late.append(time.monotonic() - asked - 0.05)


async def queued() -> None:
    """Who calls has a worker by now, or waits for one: it took turns of the loop, and no time in which a call ends."""
    for _ in range(10):
        await asyncio.sleep(0)


def run(
    root: Path, use: Callable[[Supervisor], Awaitable[T]], installed: InstalledPlugin | None = None, **more: Any
) -> T:
    """What `use` returns, after which nothing of the supervisor is left."""

    async def supervised() -> T:
        config = host_config(root, **more.pop("config", {}))
        host = Supervisor(installed or plugin(root), config, **({"policy": QUICK} | more))
        try:
            return await use(host)
        finally:
            await host.stop()
            assert host.standing.state is State.STOPPED

    outcome = asyncio.run(supervised())
    assert not list((root / "scratch").iterdir())
    return outcome


def state_of(host: Supervisor) -> State:
    return host.standing.state


def pid_of(report: CallReport) -> int:
    return int(report.output.results[0].actual or 0)


def test_a_deadline_that_passes_in_the_turn_of_the_loop_in_which_the_answer_came_ends_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish, due = Worker._finish_reply, []

    def finish_when_it_is_due(worker: Worker, fault: PluginFault | None = None) -> None:
        finish(worker, fault)
        deadline = worker._deadline
        if (
            worker._open is not None and deadline._timer is not None
        ):  # now, not when it is due: before whoever waits for the answer goes on
            deadline._timer.cancel()
            deadline._armed_for = time.monotonic() + 3600
            deadline._due()
            due.append(worker)

    async def use(host: Supervisor) -> None:
        pids = {pid_of(await call(host)) for _ in range(3)}
        assert len(pids) == 1
        assert len(due) >= 2
        assert not host.ended

    monkeypatch.setattr(Worker, "_finish_reply", finish_when_it_is_due)
    run(tmp_path, use)


# --- restarts


def test_a_worker_that_dies_between_two_calls_is_told_of_and_followed_by_another(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def use(host: Supervisor) -> None:
        await host.start()
        first = pid_of(await call(host))
        assert (host.standing.state, host.standing.deaths, host.standing.restarts) == (State.READY, 0, 0)
        os.kill(first, signal.SIGKILL)
        await until(lambda: host.standing.restarts == 1 and host.standing.state is State.READY)
        assert host.standing.deaths == 1
        (ended,) = host.ended
        assert (ended.kind, ended.phase, ended.by_itself) == (FaultKind.SIGNALLED, "idle", True)
        assert "SIGKILL" in ended.message
        assert ended.hint
        assert pid_of(await call(host)) != first
        assert host.standing.deaths == 0, "a call that went well"

    with caplog.at_level(logging.WARNING):
        run(tmp_path, use)
    assert [getattr(record, "action", "") for record in caplog.records] == ["idle-worker-ended"]


def test_without_a_start_none_follows_before_somebody_calls(tmp_path: Path) -> None:
    async def use(host: Supervisor) -> None:
        assert host.standing.state is State.STOPPED
        os.kill(pid_of(await call(host)), signal.SIGKILL)
        await until(lambda: bool(host.ended))
        await asyncio.sleep(0.2)
        assert (host.standing.state, host.standing.restarts) == (State.STOPPED, 0)
        await call(host)
        assert (host.standing.state, host.standing.restarts) == (State.READY, 1)

    run(tmp_path, use)


def test_a_call_waits_while_it_backs_off_no_longer_than_its_own_time(tmp_path: Path) -> None:
    async def use(host: Supervisor) -> None:
        await host.start()
        await fault(host, "exits", 3)
        assert host.standing.state is State.BACKING_OFF
        assert host.standing.next_start_at is not None
        assert 30 < (host.standing.next_start_at - datetime.now(UTC)).total_seconds() <= 60
        began = time.monotonic()
        came = await fault(host, timeout_s=0.3)
        assert 0.25 < time.monotonic() - began < 30
        assert (came.kind, came.plugin, came.phase) == (FaultKind.START, "it", "execute")
        assert (
            "within 0.3 s, after 1 that died or did not start; the last one, in execute: its process exited with code 3"
            in str(came)
        )

    run(tmp_path, use, policy=SLOW)


def test_a_call_that_waits_is_served_when_the_next_worker_is_there(tmp_path: Path) -> None:
    async def use(host: Supervisor) -> None:
        await fault(host, "exits", 3)
        began = time.monotonic()
        await call(host)
        assert time.monotonic() - began >= 0.4

    run(tmp_path, use, policy=Policy(backoff_s=0.5, jitter=(1.0, 1.0)))


def test_a_call_that_took_too_long_is_no_death_and_the_next_is_served_at_once(tmp_path: Path) -> None:
    async def use(host: Supervisor) -> None:
        assert (await fault(host, "hangs", 60, timeout_s=0.3)).kind is FaultKind.TIMEOUT
        assert (host.standing.deaths, [ended.kind for ended in host.ended]) == (0, [FaultKind.TIMEOUT])
        async with asyncio.timeout(45):
            await call(host)

    run(tmp_path, use, policy=SLOW)


# --- quarantine


def test_five_deaths_are_too_many_here_and_for_the_next_runtime_until_it_is_lifted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    installed, quarantines = plugin(tmp_path), Quarantines(tmp_path / "state" / "quarantine")

    async def die(host: Supervisor) -> None:
        kinds = [(await fault(host, "exits", 3)).kind for _ in range(4)]
        assert kinds == [FaultKind.EXITED] * 4
        fifth, waiting = await asyncio.gather(fault(host, "exits", 3), fault(host))
        assert (fifth.kind, waiting.kind) == (FaultKind.EXITED, FaultKind.QUARANTINED)
        refused = await fault(host)
        assert refused.kind is FaultKind.QUARANTINED
        assert "5 workers died" in str(refused)
        assert "exited with code 3" in str(refused)
        assert "`assess plugins resume plain-plugin`" in str(refused)
        assert host.standing.state is State.QUARANTINED

    async def refuse(host: Supervisor) -> None:
        assert host.standing.state is State.QUARANTINED
        assert (await fault(host)).kind is FaultKind.QUARANTINED
        with pytest.raises(PluginFault, match="quarantined"):
            await host.start()
        assert host.ended == ()

    async def serve(host: Supervisor) -> None:
        await call(host)

    async def resume(host: Supervisor) -> None:
        assert quarantines.lift(installed.distribution)
        host.resume()
        await call(host)
        assert host.standing.quarantine is None

    with caplog.at_level(logging.WARNING):
        run(tmp_path, die, installed, quarantines=quarantines)
    assert [getattr(record, "action", "") for record in caplog.records] == ["worker-ended"] * 5 + ["quarantined"]
    assert "exited with code 3. What to do: a plugin must not end its process" in caplog.records[0].message
    assert caplog.records[0].message.endswith("Its last line of output: last words")
    kept = quarantines.of(installed.distribution)
    assert kept is not None
    assert (kept.env_key, kept.version, kept.sha256) == (installed.env_key, "1.0.0", installed.sha256)
    assert [(death.kind, death.phase) for death in kept.deaths] == [(FaultKind.EXITED, "execute")] * 5
    run(tmp_path, refuse, installed, quarantines=quarantines)
    other = plugin(tmp_path / "other")
    object.__setattr__(other, "env_key", "1" * 64)
    run(tmp_path, serve, other, quarantines=quarantines)
    run(tmp_path, resume, installed, quarantines=quarantines)
    run(tmp_path, serve, installed, quarantines=quarantines)


@pytest.mark.parametrize(("at_once_s", "state"), [(5.0, State.READY), (0.0, State.QUARANTINED)])
def test_workers_that_somebody_kills_all_at_once_are_one_death(tmp_path: Path, at_once_s: float, state: State) -> None:
    async def use(host: Supervisor) -> None:
        await host.start()
        calls = [asyncio.create_task(call(host, "hangs", 0.3)) for _ in range(5)]
        pids = {pid_of(await each) for each in calls}
        assert len(pids) == 5
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        await until(lambda: len(host.ended) == 5)
        await until(lambda: host.standing.state is state)

    policy = Policy(backoff_s=0.02, jitter=(1.0, 1.0), at_once_s=at_once_s)
    run(tmp_path, use, workers=5, policy=policy)


def test_what_is_lifted_by_another_process_is_resumed_and_what_could_not_be_kept_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    quarantines = Quarantines(tmp_path / "quarantine")

    async def lifted(host: Supervisor) -> None:
        await asyncio.gather(*(fault(host, "exits", 3) for _ in range(6)))
        await host.resume_if_lifted()
        assert state_of(host) is State.QUARANTINED, "it is being written, or was"
        await until(lambda: quarantines.of(installed.distribution) is not None)
        await asyncio.sleep(0.05)
        await host.resume_if_lifted()
        assert state_of(host) is State.QUARANTINED
        assert quarantines.lift(installed.distribution)
        await host.resume_if_lifted()
        await call(host)

    async def serve(host: Supervisor) -> None:
        await call(host)

    async def not_kept(host: Supervisor) -> None:
        (tmp_path / "no-directory").write_text("")
        await asyncio.gather(*(fault(host, "exits", 3) for _ in range(6)))
        await until(lambda: "quarantine-not-kept" in {getattr(record, "action", "") for record in caplog.records})
        await host.resume_if_lifted()
        assert state_of(host) is State.QUARANTINED
        assert host.is_unkept
        said = [getattr(record, "action", "") for record in caplog.records]
        assert said.count("quarantine-not-kept") == 1
        (tmp_path / "no-directory").unlink()  # as if there were room again
        await host.resume_if_lifted()
        assert not host.is_unkept
        assert state_of(host) is State.QUARANTINED
        assert Quarantines(tmp_path / "no-directory").lift(installed.distribution)
        await host.resume_if_lifted()
        await call(host)
        (tmp_path / "no-directory").rmdir()
        (tmp_path / "no-directory").write_text("")

    installed = plugin(tmp_path)
    run(tmp_path, lifted, installed, quarantines=quarantines)
    run(tmp_path, not_kept, installed, quarantines=Quarantines(tmp_path / "no-directory"))
    run(tmp_path, serve, installed, quarantines=Quarantines(tmp_path / "no-directory"))
    assert getattr(caplog.records[-1], "action", "") == "quarantine-unread"


@pytest.mark.parametrize("damage", ["garbage", "a link to nothing", "readable"])
def test_one_whose_file_is_damaged_stays_quarantined_and_is_put_there_anew(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    quarantines, installed = Quarantines(tmp_path / "quarantine"), plugin(tmp_path)
    path = tmp_path / "quarantine" / "plain-plugin.json"

    async def use(host: Supervisor) -> None:
        await asyncio.gather(*(fault(host, "exits", 3) for _ in range(6)))
        await until(lambda: host._probation._on_disk)
        if damage == "garbage":
            path.write_text("{")
        elif damage == "a link to nothing":
            path.unlink()
            path.symlink_to("nowhere")
        await host.resume_if_lifted()
        assert state_of(host) is State.QUARANTINED
        assert (await fault(host)).kind is FaultKind.QUARANTINED
        assert quarantines.of(installed.distribution) is not None, "the next runtime knows it, too"
        said = [getattr(record, "action", "") for record in caplog.records]
        assert said.count("quarantine-damaged") == (damage != "readable")
        quarantines.lift(installed.distribution)
        await host.resume_if_lifted()
        await call(host)

    run(tmp_path, use, installed, quarantines=quarantines)


def test_what_runs_when_it_is_quarantined_is_done_first_and_then_nothing_runs(tmp_path: Path) -> None:
    async def use(host: Supervisor) -> None:
        await host.start()
        long = asyncio.create_task(call(host, "hangs", 1.5))
        await asyncio.sleep(0.1)
        others = {pid_of(await call(host)) for _ in range(2)}
        assert [(await fault(host, "exits", 3)).kind for _ in range(5)] == [FaultKind.EXITED] * 5
        assert host.standing.state is State.QUARANTINED
        busy = pid_of(await long)
        assert busy not in others
        await until(lambda: not list((tmp_path / "scratch").iterdir()))  # idle ones, too
        assert (await fault(host)).kind is FaultKind.QUARANTINED

    policy = Policy(backoff_s=0.02, jitter=(1.0, 1.0), at_once_s=0)  # it is one call after the other that kills them
    run(tmp_path, use, workers=3, policy=policy)


def test_a_call_waits_no_longer_also_when_one_start_after_another_fails(tmp_path: Path) -> None:
    async def use(host: Supervisor) -> None:
        await fault(host)
        late: list[float] = []
        watching = asyncio.create_task(watch(late))
        began = time.monotonic()
        first, second = await asyncio.gather(fault(host, timeout_s=60), fault(host, timeout_s=3.0))
        watching.cancel()
        assert first.phase == "load", "it was started for this one"
        assert second.phase == "execute"
        assert (
            "within 3 s, after 2 that died or did not start; the last one, in load: it took longer than 0.8 s"
            in str(second).replace("after 1 that", "after 2 that")  # where the machine took the time between the two
        )
        assert 3.0 <= time.monotonic() - began < 5.5 + sum(late), "not three seconds more after that start"

    hangs = plugin(tmp_path, "import time\ntime.sleep(60)\n" + SOURCE)
    patient = Policy(backoff_s=2.5, jitter=(1.0, 1.0), starts=9)
    run(tmp_path, use, hangs, policy=patient, config={"start_timeout_s": 0.8})


def test_a_start_that_fails_is_tried_three_times_however_many_calls_wait(tmp_path: Path) -> None:
    async def use(host: Supervisor) -> list[FaultKind]:
        return [came.kind for came in await asyncio.gather(*(fault(host) for _ in range(1000)))]

    began = time.monotonic()
    hangs = plugin(tmp_path, "import time\ntime.sleep(60)\n" + SOURCE)
    kinds = run(tmp_path, use, hangs, config={"start_timeout_s": 1.0})
    assert kinds.count(FaultKind.START) == 3
    assert kinds.count(FaultKind.QUARANTINED) == 997
    assert time.monotonic() - began < 100, "not a second for each call"


def test_workers_that_fail_to_start_side_by_side_are_no_quarantine(tmp_path: Path) -> None:
    async def use(host: Supervisor) -> None:
        with pytest.raises(PluginFault, match="cannot be loaded"):
            await host.start()
        assert host.standing.deaths == 1
        change(installed, SOURCE)
        await call(host)

    installed = plugin(tmp_path, "raise ValueError('no')")
    run(tmp_path, use, installed, workers=4)


def test_after_a_death_one_start_tries_for_all_that_wait(tmp_path: Path) -> None:
    async def use(host: Supervisor) -> list[FaultKind]:
        await fault(host)
        return [came.kind for came in await asyncio.gather(*(fault(host) for _ in range(4)))]

    kinds = run(tmp_path, use, plugin(tmp_path, "raise ValueError('no')"), workers=4)
    assert sorted(kinds) == [FaultKind.QUARANTINED] * 2 + [FaultKind.START] * 2


def test_a_machine_that_has_no_room_for_a_while_is_no_reason_for_a_quarantine(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scratch = tmp_path / "scratch"

    async def use(host: Supervisor) -> None:
        await host.start()
        scratch_of_now, away = next(scratch.iterdir()), tmp_path / "away"
        os.kill(pid_of(await call(host)), signal.SIGKILL)
        await until(lambda: not scratch_of_now.exists())
        scratch.rename(away)
        await until(lambda: len(host.ended) >= 6)
        assert state_of(host) is not State.QUARANTINED
        assert {(ended.kind, ended.phase) for ended in list(host.ended)[2:]} == {(FaultKind.START, "start")}
        came = await fault(host, timeout_s=20)
        assert "its scratch directory could not be made" in str(came)
        away.rename(scratch)
        await until(lambda: state_of(host) is State.READY)
        await call(host)
        assert host.standing.deaths == 0

    with caplog.at_level(logging.WARNING):
        run(tmp_path, use)
    assert "worker-not-started" in {getattr(record, "action", "") for record in caplog.records}


def test_calls_that_go_well_between_them_make_any_number_of_deaths_bearable(tmp_path: Path) -> None:
    async def use(host: Supervisor) -> None:
        for _ in range(6):
            assert (await fault(host, "exits", 3)).kind is FaultKind.EXITED
            await call(host)
        assert len(host.ended) == 6

    run(tmp_path, use)


# --- standing still, and not going


@pytest.mark.parametrize("timeout_s", [20.0, 0.1])
def test_a_worker_that_stopped_itself_is_named_and_killed_at_once(tmp_path: Path, timeout_s: float) -> None:
    source = SOURCE.replace("time.sleep(amount)", "os.kill(os.getpid(), signal.SIGSTOP)")

    async def use(host: Supervisor) -> None:
        await host.start()
        began = time.monotonic()
        came = await fault(host, "hangs", timeout_s=timeout_s)
        assert time.monotonic() - began < 15, "sooner than its time is over, or the 30 s of one that does not go"
        assert (came.kind, came.phase) == (FaultKind.SIGNALLED, "execute")
        assert "it had stopped itself (SIGSTOP) and was killed" in str(came)
        assert "stopped it" in host.ended[0].hint

    run(tmp_path, use, plugin(tmp_path, source), config={"kill_after_s": 30.0})


def test_one_that_hangs_is_still_told_from_one_that_stopped_itself(tmp_path: Path) -> None:
    async def use(host: Supervisor) -> PluginFault:
        return await fault(host, "hangs", 60, timeout_s=0.6)

    assert run(tmp_path, use).kind is FaultKind.TIMEOUT


def test_who_is_let_go_on_soon_is_left_alone(tmp_path: Path) -> None:
    async def use(host: Supervisor) -> None:
        pid = pid_of(await call(host))
        os.kill(pid, signal.SIGSTOP)
        answer = asyncio.create_task(call(host))
        await asyncio.sleep(0.05)
        os.kill(pid, signal.SIGCONT)
        assert pid_of(await answer) == pid

    run(tmp_path, use)


SHUTDOWN = "\n@hookimpl\ndef assess_shutdown():\n    {}\n"


@pytest.mark.parametrize(
    ("deed", "kind", "message"),
    [
        ("time.sleep(60)", FaultKind.TIMEOUT, "it had not ended 0.3 s after it was asked to, and was killed"),
        ("os._exit(7)", FaultKind.EXITED, "its process exited with code 7"),
        ("pass", None, ""),
    ],
)
def test_how_a_worker_goes_when_it_is_asked_to_is_told_and_fails_no_call(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, deed: str, kind: FaultKind | None, message: str
) -> None:
    hosts = []

    async def use(host: Supervisor) -> None:
        hosts.append(host)
        await call(host)

    with caplog.at_level(logging.WARNING):
        run(tmp_path, use, plugin(tmp_path, SOURCE + SHUTDOWN.format(deed)), config={"stop_timeout_s": 0.3})
    ends = [(ended.kind, ended.phase, ended.message) for ended in hosts[0].ended]
    assert ends == ([(kind, "shutdown", message)] if kind else [])
    actions = [getattr(record, "action", "") for record in caplog.records]
    assert actions == (["shutdown-overrun"] if kind else [])
    assert hosts[0].standing.deaths == 0


# --- stopped, killed


@pytest.mark.parametrize("in_a_task_of_its_own", [True, False])
def test_what_is_stopped_waits_for_the_call_and_not_for_what_its_caller_does_next(
    tmp_path: Path, *, in_a_task_of_its_own: bool
) -> None:
    async def use(host: Supervisor) -> None:
        await host.start()
        stopped = asyncio.Event()

        async def assessment() -> PluginFault:
            calling = fault(host, "hangs", 60)
            told = await (asyncio.create_task(calling) if in_a_task_of_its_own else calling)
            await stopped.wait()  # its next work, which may be to wait for this very end
            return told

        asked = asyncio.create_task(assessment())
        await until(lambda: state_of(host) is State.BUSY)
        async with asyncio.timeout(30):
            await host.stop()
        stopped.set()
        assert (await asked).kind is FaultKind.STOPPED, "its call was over first"

    run(tmp_path, use)


def test_what_is_killed_fails_every_call_with_the_reason_at_once(tmp_path: Path) -> None:
    async def use(host: Supervisor) -> None:
        pid = pid_of(await call(host))
        asked = [asyncio.create_task(fault(host, "hangs", 60)) for _ in range(3)]
        await until(lambda: host.standing.state is State.BUSY)
        began = time.monotonic()
        await host.kill("revoked: it mines coins")
        assert time.monotonic() - began < 30, "the calls have a minute"
        came = [await each for each in asked]
        came.append(await fault(host))
        assert {each.kind for each in came} == {FaultKind.REVOKED}
        assert all("revoked: it mines coins" in str(each) for each in came)
        assert came[0].record is not None, "the call that was open"
        assert host.ended == ()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    run(tmp_path, use)


def test_what_is_stopped_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    async def use(host: Supervisor) -> None:
        starting = asyncio.create_task(host.start())
        calling = asyncio.create_task(fault(host))
        await until(lambda: host.standing.state is State.STARTING)
        await asyncio.sleep(0.05)
        await host.stop()
        with pytest.raises(PluginFault, match="being stopped"):
            await starting
        assert (await calling).kind is FaultKind.STOPPED

    run(tmp_path, use, plugin(tmp_path, "import time\ntime.sleep(60)\n" + SOURCE))


# --- turns


def test_a_small_assessment_does_not_wait_for_a_large_one(tmp_path: Path) -> None:
    async def use(host: Supervisor) -> list[str]:
        await host.start()
        order: list[str] = []

        async def one(whose: str) -> None:
            await call(host, "hangs", 0.01, whose=whose)
            order.append(whose)

        await asyncio.gather(*(one("large") for _ in range(20)), *(one("small") for _ in range(3)))
        return order

    served = run(tmp_path, use)
    assert served[:7] == ["large", "large", "small", "large", "small", "large", "small"]
    assert served[7:] == ["large"] * 16


def test_all_plugins_together_have_no_more_calls_than_there_are_turns(tmp_path: Path) -> None:
    most = 0

    async def use() -> None:
        nonlocal most
        turns = Turns(2)
        config = host_config(tmp_path)
        hosts = [
            Supervisor(plugin(tmp_path, name=f"plugin-{n}"), config, workers=2, turns=turns, policy=QUICK)
            for n in range(3)
        ]
        try:
            await asyncio.gather(*(host.start() for host in hosts))
            calls = [asyncio.create_task(call(host, "hangs", 0.05, whose=str(n))) for n in range(4) for host in hosts]
            while not all(each.done() for each in calls):
                working = sum(host.standing.state is State.BUSY for host in hosts)
                most = max(most, working, turns.busy)
                await asyncio.sleep(0.005)
            reports = [each.result() for each in calls]
            starts = [each.started_at for each in reports]
            spans = [
                (each.started_at, each.started_at + timedelta(milliseconds=each.duration_ms - 10)) for each in reports
            ]
            assert max(sum(begun <= start < over for begun, over in spans) for start in starts) == most == 2
        finally:
            await asyncio.gather(*(host.stop() for host in hosts))

    asyncio.run(use())


def test_one_that_is_backing_off_takes_no_turn_from_the_others(tmp_path: Path) -> None:
    async def use() -> None:
        turns, config = Turns(1), host_config(tmp_path)
        bad = Supervisor(plugin(tmp_path, name="bad"), config, turns=turns, policy=SLOW)
        good = Supervisor(plugin(tmp_path, name="good"), config, turns=turns, policy=SLOW)
        try:
            await fault(bad, "exits", 3)
            waiting = asyncio.create_task(fault(bad, timeout_s=60))
            await until(lambda: bad.standing.state is State.BACKING_OFF)
            async with asyncio.timeout(45):
                await call(good)
            assert not waiting.done()
        finally:
            await asyncio.gather(bad.stop(), good.stop())
        assert (await waiting).kind is FaultKind.STOPPED

    asyncio.run(use())


def test_a_call_that_is_cancelled_while_it_waits_leaves_its_turn_to_the_next(tmp_path: Path) -> None:
    async def use(host: Supervisor) -> None:
        await host.start()
        running = asyncio.create_task(call(host, "hangs", 0.3))
        waits, next_ = (asyncio.create_task(call(host)) for _ in range(2))
        await queued()
        waits.cancel()
        await running
        await next_
        assert waits.cancelled()

    run(tmp_path, use)


def test_a_call_that_is_cancelled_just_when_it_is_granted_leaves_worker_and_turn_to_the_next(tmp_path: Path) -> None:
    class Cancelling(Turns):
        victim: asyncio.Task[CallReport] | None = None

        def give_back(self) -> None:
            super().give_back()
            if self.victim is not None:  # granted, and not yet told
                self.victim.cancel()
                self.victim = None

    async def use(host: Supervisor) -> None:
        await host.start()
        running = asyncio.create_task(call(host, "hangs", 0.2))
        await queued()
        victim = turns.victim = asyncio.create_task(call(host))
        await running
        with pytest.raises(asyncio.CancelledError):
            await victim
        async with asyncio.timeout(60):
            assert pid_of(await call(host)) == pid_of(running.result())
        assert (turns.busy, host.standing.restarts) == (0, 0)

    turns = Cancelling(1)
    run(tmp_path, use, turns=turns)


# --- what a call used


def test_a_call_is_told_what_it_used(tmp_path: Path) -> None:
    async def use(host: Supervisor) -> None:
        idle = (await call(host)).used
        burnt = (await call(host, "burns", 0.2)).used
        after = (await call(host)).used
        assert idle is not None
        assert burnt is not None
        assert after is not None
        assert 200 <= burnt.cpu_ms < 400
        assert 0 < idle.cpu_ms < 100
        assert 0 < after.cpu_ms < 100
        took = (await call(host, "takes", 60)).used
        later = (await call(host)).used
        assert took is not None
        assert later is not None
        assert idle.memory_mib < 40
        assert idle.memory_mib + 55 <= took.memory_mib <= idle.memory_mib + 80
        assert later.memory_mib >= took.memory_mib, "the highest of its process"

    run(tmp_path, use)


def test_a_call_that_failed_is_told_what_it_used_until_then(tmp_path: Path) -> None:
    source = SOURCE.replace("os._exit(int(amount))", "kept.append(b'x' * (40 << 20)); time.sleep(0.5); os._exit(3)")
    source = source.replace("time.sleep(amount)", "exec('while True: pass')")

    async def use(host: Supervisor) -> None:
        exited = await fault(host, "exits")
        assert exited.record is not None
        assert exited.record.used is not None
        assert exited.record.used.memory_mib > 40
        hung = await fault(host, "hangs", timeout_s=0.5)
        assert hung.record is not None
        assert hung.record.used is not None
        assert 10 < hung.record.used.cpu_ms < hung.record.duration_ms + 200, "what others left to it"

    run(tmp_path, use, plugin(tmp_path, source))
