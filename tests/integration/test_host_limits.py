"""A plugin that takes more than its manifest says is ended, told what it took, and nobody beside it notices.

Each is tried beyond its limit and just below it, isolated - where the kernel may refuse first - and not, where nothing
but the watch keeps it.
"""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from assess_core.errors import FaultKind, PluginFault
from assess_core.host import CallReport, Isolation, Supervisor
from assess_core.host.identities import Identity, lease
from assess_core.host.limits import UnwatchableError, tree, watch
from assess_core.host.limits.process import WatchedProcess
from assess_core.store import InstalledPlugin
from assess_plugin import ActionInput, Subject
from tests.support.installed import PROGRAMS, host_config, make_installed

SUBJECT = Subject(id="host:test", type="inventory-item", title="test")
LIMITS = "memory_mib = 96\nscratch_mib = 16\nthreads = 16\ndescriptors = 64"
EVERYWHERE: tuple[Isolation, ...] = ("required", "off")

MEMORY = "limits.memory_mib = 96"
SCRATCH = "limits.scratch_mib = 16"
DEVOURED = [
    # what, beyond, below, the limit that is named
    ("bytearrays", 200, 60, MEMORY),
    ("shared-memory", 200, 60, MEMORY),
    ("shared-memory-given-back", 200, 60, MEMORY),
    ("memory-in-threads", 200, 56, MEMORY),
    ("page-tables", 100, 40, MEMORY),
    ("more-than-there-is", 4096, 60, MEMORY),
    ("threads", 40, 14, "limits.threads = 16"),
    ("descriptors", 100, 50, "limits.descriptors = 64"),
    ("one-file", 40, 14, SCRATCH),
    ("many-files", 40, 14, SCRATCH),
    ("empty-files", 10_000, 3_000, SCRATCH),
    ("unlinked-files", 40, 14, SCRATCH),
    ("mapped-files", 40, 14, SCRATCH),
    ("files-in-flight", 10, 0, SCRATCH),
    ("files-behind-one-more-socket", 10, 0, SCRATCH),
    ("deep-tree", 60, 30, SCRATCH),
    ("closed-directory", 40, 14, SCRATCH),
]
BRIEFLY_S = 0.5
"""Ten looks, when they are four times as frequent as usual; what is beyond is held for as long as ever."""

COUNTED_S = 2.0
"""In which a tree of many files, which takes long to count, is counted more than once, when it may take that often."""

Wish = tuple[str, int] | tuple[str, int, dict[str, float]]
"""A check, how much of it, and more settings."""

NOT_POSSIBLE_ISOLATED = "closed-directory"
"""No plugin may change a mode."""


def devourer(root: Path, limits: str = LIMITS, name: str = "devours") -> InstalledPlugin:
    source = (PROGRAMS / "devours.py").read_text()
    return make_installed(
        root, {"devours": source}, plugins={"it": "devours"}, settings=f"[limits]\n{limits}\n", distribution=name
    )


async def devour(
    supervisor: Supervisor, what: str, size: int, timeout_s: float = 30.0, **more: float
) -> CallReport | PluginFault:
    try:
        given = ActionInput(subject=SUBJECT, checks=(what,), settings={"size": size, **more})
        return await supervisor.execute("it", given, timeout_s=timeout_s)
    except PluginFault as fault:
        return fault


def devoured(
    root: Path, *wishes: Wish, isolation: Isolation = "required", limits: str = LIMITS, timeout_s: float = 30
) -> list[CallReport | PluginFault]:
    """What became of a call for each wish, one after the other, in one supervisor."""

    async def run() -> list[CallReport | PluginFault]:
        supervisor = Supervisor(devourer(root, limits), host_config(root, isolation=isolation))
        try:
            return [
                await devour(supervisor, what, size, timeout_s, **(more[0] if more else {}))
                for what, size, *more in wishes
            ]
        finally:
            await supervisor.stop()

    outcomes = asyncio.run(run())
    assert not list((root / "scratch").iterdir())
    return outcomes


def limit_of(outcome: CallReport | PluginFault) -> str:
    assert isinstance(outcome, PluginFault)
    assert outcome.kind is FaultKind.LIMIT
    return str(outcome)


@pytest.fixture
def looking_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LOOK_S", 0.05)
    monkeypatch.setattr(watch, "SCAN_SHARE", 5)


@pytest.mark.parametrize("isolation", EVERYWHERE)
@pytest.mark.parametrize(("what", "beyond", "below", "limit"), DEVOURED, ids=[what for what, *_ in DEVOURED])
def test_what_is_beyond_a_limit_ends_and_what_is_below_it_passes(
    tmp_path: Path, looking_often: None, what: str, beyond: int, below: int, limit: str, isolation: Isolation
) -> None:
    if isolation == "required" and what == NOT_POSSIBLE_ISOLATED:
        (refused,) = devoured(tmp_path, (what, below))
        assert "Operation not permitted" in str(refused)
        return
    if what == "mapped-files" and os.geteuid() != 0:
        below = 1  # nobody but root is told how large such a file is: each counts as the largest there may be
    held = {"held_s": COUNTED_S if what == "empty-files" else BRIEFLY_S}
    long = {} if what == "empty-files" else {"held_s": 25.0}  # until it is looked at, however late that is
    good, bad, after = devoured(tmp_path, (what, below, held), (what, beyond, long), ("well", 0), isolation=isolation)
    assert isinstance(good, CallReport), str(good)
    assert f"{limit} in assess-plugin.toml of devours" in limit_of(bad)
    assert isinstance(after, CallReport)


@pytest.mark.parametrize("isolation", EVERYWHERE)
def test_processor_time_counts_for_each_call_with_all_its_threads(tmp_path: Path, isolation: Isolation) -> None:
    wishes = [("processor", 6), ("processor", 6), ("processor", 600)]
    *good, bad = devoured(tmp_path, *wishes, isolation=isolation, limits="cpu_s = 1")
    assert all(isinstance(each, CallReport) for each in good), "1.2 s together, and 1 s is the limit of each"
    assert "s of processor time; limits.cpu_s = 1 in assess-plugin.toml of devours" in limit_of(bad)


def test_what_takes_too_long_without_taking_anything_is_still_a_timeout(tmp_path: Path) -> None:
    (fault,) = devoured(tmp_path, ("bytearrays", 1), timeout_s=0.5)
    assert isinstance(fault, PluginFault)
    assert fault.kind is FaultKind.TIMEOUT


def test_a_start_is_watched_too(tmp_path: Path) -> None:
    source = "import time\nkept = b'x' * (200 << 20)\ntime.sleep(30)\n"
    installed = make_installed(
        tmp_path, {"it": source}, plugins={"it": "it"}, settings=f"[limits]\n{LIMITS}\n", distribution="devours"
    )

    async def run() -> None:
        supervisor = Supervisor(installed, host_config(tmp_path))
        with pytest.raises(PluginFault, match=r"MiB of memory; limits.memory_mib = 96 in .* of devours") as caught:
            await supervisor.start()
        assert caught.value.kind is FaultKind.START

    asyncio.run(run())


def test_a_start_that_meets_a_limit_names_it(tmp_path: Path) -> None:
    installed = make_installed(
        tmp_path,
        {"it": "kept = [open('/dev/null') for _ in range(100)]"},
        plugins={"it": "it"},
        settings=f"[limits]\n{LIMITS}\n",
        distribution="devours",
    )

    async def run() -> None:
        supervisor = Supervisor(installed, host_config(tmp_path))
        with pytest.raises(PluginFault, match=r"limits.descriptors = 64 in assess-plugin.toml of devours"):
            await supervisor.start()

    asyncio.run(run())


def test_what_begins_when_the_call_is_over_ends_an_idle_worker(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        supervisor = Supervisor(devourer(tmp_path), host_config(tmp_path))
        before, first = await devour(supervisor, "well", 0), await devour(supervisor, "threads-left-behind", 200)
        async with asyncio.timeout(60):
            while not any(getattr(each, "action", "") == "idle-worker-beyond-limits" for each in caplog.records):
                await asyncio.sleep(0.05)
        after = await devour(supervisor, "well", 0)
        assert isinstance(first, CallReport), "what it left behind had not begun yet"
        assert isinstance(before, CallReport)
        assert isinstance(after, CallReport), "nobody called it when it was ended"
        pids = [report.output.results[0].actual for report in (before, first, after)]
        assert pids[0] == pids[1] != pids[2]
        await supervisor.stop()

    asyncio.run(run())
    (told,) = [each for each in caplog.records if getattr(each, "action", "") == "idle-worker-beyond-limits"]
    assert "limits.memory_mib = 96 in assess-plugin.toml of devours" in told.getMessage()


@pytest.mark.parametrize("isolation", EVERYWHERE)
def test_good_neighbours_notice_nothing(tmp_path: Path, isolation: Isolation) -> None:
    limits = "memory_mib = 96\nscratch_mib = 16\nthreads = 16"
    names = [f"good-{number}" for number in range(6)]

    async def run() -> tuple[list[CallReport | PluginFault], list[CallReport | PluginFault]]:
        config = host_config(tmp_path, isolation=isolation)
        good = [Supervisor(devourer(tmp_path, name=name), config) for name in names]
        bad = Supervisor(devourer(tmp_path, limits), config, workers=3)
        devouring = [devour(bad, what, 400) for what in ("bytearrays", "many-files", "threads")]
        behaving = [devour(host, what, 1) for host in good for what in ("well", "one-file", "well", "bytearrays")]
        outcomes = await asyncio.gather(*behaving, *devouring)
        for host in (*good, bad):
            await host.stop()
        return outcomes[: len(behaving)], outcomes[len(behaving) :]

    good, bad = asyncio.run(run())
    assert all(isinstance(each, CallReport) for each in good)
    assert [limit_of(each).partition("limits.")[2].split()[0] for each in bad] == [
        "memory_mib",
        "scratch_mib",
        "threads",
    ]


def test_one_hard_to_count_tree_is_counted_to_its_bound_and_no_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looking_often: None
) -> None:
    monkeypatch.setattr(tree, "MAX_ENTRIES", 2_000)
    limits = "scratch_mib = 65536"
    good, bad = devoured(tmp_path, ("empty-files", 1_900, {"held_s": COUNTED_S}), ("empty-files", 5_000), limits=limits)
    assert isinstance(good, CallReport)
    assert "since it has more than 2000 files and directories; limits.scratch_mib = 65536" in limit_of(bad)


def test_a_worker_that_cannot_be_watched_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: WatchedProcess) -> None:
        raise UnwatchableError("/proc/PID/fd: Permission denied")

    monkeypatch.setattr(WatchedProcess, "look", refuse)
    (fault,) = devoured(tmp_path, ("well", 0))
    assert isinstance(fault, PluginFault)
    assert "nobody may see what it uses: /proc/PID/fd: Permission denied" in str(fault)
    assert "CAP_SYS_PTRACE" in str(fault)


def test_a_worker_that_somebody_else_killed_says_so(tmp_path: Path) -> None:
    async def run() -> CallReport | PluginFault:
        supervisor = Supervisor(devourer(tmp_path), host_config(tmp_path))
        report = await devour(supervisor, "well", 0)
        assert isinstance(report, CallReport)
        calling = asyncio.create_task(devour(supervisor, "bytearrays", 1, held_s=25))
        await asyncio.sleep(0.3)
        os.kill(int(report.output.results[0].actual or "0"), signal.SIGKILL)
        outcome = await calling
        await supervisor.stop()
        return outcome

    fault = asyncio.run(run())
    assert isinstance(fault, PluginFault)
    assert fault.kind is FaultKind.SIGNALLED
    assert "killed by SIGKILL from outside: was the machine, or its control group, out of memory?" in str(fault)


def test_a_worker_without_a_directory_is_a_fault_and_takes_no_user_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leased: list[Identity] = []

    def leasing() -> Identity:
        leased.append(lease())
        return leased[-1]

    monkeypatch.setattr("assess_core.host.body.lease", leasing)

    async def run() -> None:
        config = host_config(tmp_path)
        config.scratch_root.rmdir()
        with pytest.raises(PluginFault, match=r"its scratch directory could not be made: .*No such file") as caught:
            await Supervisor(devourer(tmp_path), config).start()
        assert caught.value.kind is FaultKind.START

    asyncio.run(run())
    (identity,) = leased
    again = lease(uids=[identity.uid])  # nobody has it
    again.release()
