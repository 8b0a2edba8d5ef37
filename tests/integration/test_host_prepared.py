"""Workers forked from a prepared parent are what spawned ones are; and whatever goes wrong there, a worker starts."""

import ast
import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from assess_core.errors import FaultKind, PluginFault, StoreError
from assess_core.host import CallReport, HostConfig, Policy, Supervisor, copies, prepared
from assess_core.host import process as host_process
from assess_core.host.worker import Worker
from assess_core.store import InstalledPlugin
from assess_plugin import ActionInput, Subject
from tests.integration.test_host import gone
from tests.integration.test_host_isolation import changed_kit, lone_environment, wait_until
from tests.support.checkout import ROOT
from tests.support.installed import host_config, make_installed, one_kit

T = TypeVar("T")

SOURCE = """
import sys
BEFORE = sorted(sys.modules)

import ctypes, os, threading
from assess_plugin import ActionOutput, CheckResult, Outcome, hookimpl

def tell():
    return {
        "modules": BEFORE,
        "environment": dict(os.environ),
        "by the C library": {name: (ctypes.CDLL(None).getenv(name.encode()) != 0) for name in ("LANG", "GRANTED")},
        "sys": {name: repr(getattr(sys, name)) for name in (
            "prefix", "exec_prefix", "base_prefix", "base_exec_prefix", "executable", "_base_executable", "path",
            "argv", "flags", "warnoptions", "_xoptions", "dont_write_bytecode")},
        "streams": [
            (each.fileno(), each.encoding, each.errors, each.line_buffering) for each in (sys.stdout, sys.stderr)],
        "parent": os.getppid(),
        "session": [os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid()],
        "thread": threading.get_native_id() == os.getpid(),
        "cwd": os.getcwd() == os.environ["HOME"],
        "layout": hash("assess"),
    }

def threads():
    lock, found = threading.RLock(), []
    def work():
        with lock, lock:
            found.append(threading.get_native_id())
    started = [threading.Thread(target=work) for _ in range(4)]
    for each in started: each.start()
    for each in started: each.join()
    return len(set(found))

@hookimpl
def assess_execute(input):
    how = input.settings.get("how", "tell")
    if how == "abort": os.abort()
    if how == "raise": ctypes.CDLL(None)["raise"](6)
    if how == "segv": ctypes.string_at(0)
    if how == "exit": os._exit(3)
    said = threads() if how == "threads" else tell()
    return ActionOutput(results=tuple(
        CheckResult(check_id=check, outcome=Outcome.PASS, actual=repr(said)[:20000]) for check in input.checks))
"""


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first worker is forked already."""
    monkeypatch.setattr(prepared, "SPAWNED_FIRST", 0)


@pytest.fixture
def installed(tmp_path: Path) -> InstalledPlugin:
    return make_installed(
        tmp_path,
        {"it": SOURCE},
        plugins={"it": "it"},
        permissions='env = ["GRANTED", "LC_ALL"]',
        settings='[settings.how]\ntype = "string"\ndefault = "tell"\n',
    )


def given(how: str = "tell") -> ActionInput:
    subject = Subject(id="host:a", type="inventory-item", title="a")
    return ActionInput(subject=subject, checks=("it-loads",), settings={"how": how})


async def told(worker: Worker, how: str = "tell") -> Any:
    report = await worker.execute("it", given(how), timeout_s=20)
    return ast.literal_eval(report.output.results[0].actual or "")


async def started(installed: InstalledPlugin, config: HostConfig, **how: Any) -> Worker:
    worker = await Worker.start(installed, config, **how)
    await worker.load()
    return worker


def using(installed: InstalledPlugin, config: HostConfig, use: Callable[[Worker], Awaitable[T]], **how: Any) -> T:
    """What `use` makes of a worker, after which nothing of it is left."""

    async def run() -> T:
        worker = await started(installed, config, **how)
        try:
            return await use(worker)
        finally:
            await worker.stop()

    result = asyncio.run(run())
    assert not list(config.scratch_root.iterdir())
    return result


def command(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode().rstrip("\0").split("\0")


def is_forked(worker: Worker) -> bool:
    return command(worker.pid)[0].startswith("assess-worker ")


def parents() -> list[int]:
    """Prepared parents of this process, alive."""
    return [pid for pid in copies.children() if "prepared.py" in " ".join(command(pid)) and not gone(pid)]


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


# --- what a forked worker is


def test_it_differs_from_a_spawned_one_in_nothing_that_a_plugin_could_rely_on(
    tmp_path: Path, installed: InstalledPlugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRANTED", "sesame")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    config = host_config(tmp_path)
    forked = using(installed, config, told)
    spawned = using(installed, config, told, spawned=True)
    for each in (forked, spawned):
        for name in ("HOME", "TMPDIR", "USER"):
            each["environment"].pop(name)
    own = {"assess_plugin.worker.forking", "assess_plugin.worker.siblings"}
    assert set(forked.pop("modules")) == set(spawned.pop("modules")) | own
    assert forked.pop("layout") != spawned.pop("layout"), "or it was no other way of starting"
    assert forked == spawned
    assert forked["environment"] == {
        "LANG": "C.UTF-8",
        "OPENBLAS_NUM_THREADS": "1",
        "GRANTED": "sesame",
        "TZ": "Europe/Berlin",
    }
    assert forked["parent"] == os.getpid()


def test_it_shows_whose_it_is_and_holds_what_a_spawned_one_holds(tmp_path: Path, installed: InstalledPlugin) -> None:
    async def look(worker: Worker) -> tuple[list[str], str, list[str]]:
        links = [path.readlink() for path in Path(f"/proc/{worker.pid}/fd").iterdir()]
        held = sorted(str(link).partition(":")[0] for link in links)
        return command(worker.pid), Path(f"/proc/{worker.pid}/comm").read_text(), held

    title, name, held = using(installed, host_config(tmp_path), look)
    assert (title, name) == (["assess-worker plain-plugin 1.0.0"], "assess-worker\n")
    assert held == ["/dev/null", "pipe", "pipe", "pipe", "socket"]
    assert using(installed, host_config(tmp_path), look, spawned=True)[2] == held


MODULES = """
    __future__ __main__ _abc _assess_pluggy _ast _bisect _codecs _collections _collections_abc _ctypes _datetime
    _frozen_importlib _frozen_importlib_external _functools _imp _io _json _opcode _opcode_metadata _operator _signal
    _socket _sre _stat _string _struct _thread _tokenize _typing _warnings _weakref _weakrefset abc assess_plugin ast
    binascii builtins codecs collections contextlib copy copyreg ctypes dataclasses dis encodings enum errno
    faulthandler functools gc genericpath importlib inspect io itertools json keyword linecache marshal opcode operator
    os posix posixpath re reprlib resource signal stat struct sys textwrap time token tokenize types typing warnings
    weakref zipimport it"""


def test_what_all_have_in_memory_is_no_more_than_they_need_and_holds_no_secret_state(
    tmp_path: Path, installed: InstalledPlugin
) -> None:
    """A ratchet: each costs every worker, and one like `random` or `_ssl` would be at the same state in all."""
    found = {name.partition(".")[0] for name in using(installed, host_config(tmp_path), told)["modules"]}
    assert sorted(found - set(MODULES.split())) == []
    assert not found & {"random", "_random", "_hashlib", "_ssl", "secrets", "uuid", "tempfile"}


@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        ("abort", FaultKind.SIGNALLED, "killed by SIGABRT"),
        ("raise", FaultKind.SIGNALLED, "killed by SIGABRT"),
        ("segv", FaultKind.SIGNALLED, "killed by SIGSEGV"),
        ("exit", FaultKind.EXITED, "exited with code 3"),
    ],
)
def test_how_it_died_is_told_as_of_any_other(
    tmp_path: Path, installed: InstalledPlugin, how: str, kind: FaultKind, words: str
) -> None:
    async def use(worker: Worker) -> PluginFault:
        assert is_forked(worker)
        with pytest.raises(PluginFault, match=words) as caught:
            await told(worker, how)
        return caught.value

    fault = using(installed, host_config(tmp_path), use)
    assert fault.kind is kind
    assert ("Fatal Python error" in fault.log_tail) == (how != "exit")


def test_its_threads_and_locks_know_whose_they_are(tmp_path: Path, installed: InstalledPlugin) -> None:
    assert using(installed, host_config(tmp_path), lambda worker: told(worker, "threads")) == 4


# --- which are forked


def test_the_first_of_a_loop_is_spawned_and_those_after_it_share_a_parent(
    tmp_path: Path, installed: InstalledPlugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "SPAWNED_FIRST", 1)
    config = host_config(tmp_path)

    async def run() -> tuple[list[bool], int, list[int]]:
        workers = [await started(installed, config) for _ in range(4)]
        ways, layouts = [is_forked(worker) for worker in workers], [(await told(each))["layout"] for each in workers]
        count = len(parents())
        for worker in workers:
            await worker.stop()
        return ways, count, layouts

    ways, count, layouts = asyncio.run(run())
    assert ways == [False, True, True, True]
    assert count == 1
    assert len(set(layouts)) == 2
    assert not parents(), "it ends with the loop"


@pytest.mark.parametrize(
    "change",
    [{"start_workers": "spawn"}, {"isolation": "wanted"}, {"isolation": "off"}],
    ids=["configured", "isolation-wanted", "isolation-off"],
)
def test_none_is_forked_where_it_is_not_to_be(
    tmp_path: Path, installed: InstalledPlugin, change: dict[str, Any]
) -> None:
    async def way(worker: Worker) -> bool:
        return is_forked(worker)

    assert using(installed, host_config(tmp_path), way), "the control"
    assert not using(installed, replace(host_config(tmp_path), **change), way)


def test_one_whose_environment_counts_before_python_begins_is_spawned(
    tmp_path: Path, installed: InstalledPlugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")

    async def way(worker: Worker) -> bool:
        return is_forked(worker)

    assert not using(installed, host_config(tmp_path), way)


def test_what_takes_the_place_of_one_that_died_is_spawned(tmp_path: Path, installed: InstalledPlugin) -> None:
    """Or a plugin could try one guess at the layout of its siblings' memory after the other."""

    async def run() -> list[int]:
        host = Supervisor(installed, host_config(tmp_path), policy=Policy.patient())
        try:
            layouts = [await layout(host)]
            with pytest.raises(PluginFault, match="SIGSEGV"):
                await host.execute("it", given("segv"), timeout_s=20)
            layouts.append(await layout(host))
            return [*layouts, len(parents())]
        finally:
            await host.stop()

    async def layout(host: Supervisor) -> int:
        report: CallReport = await host.execute("it", given(), timeout_s=20)
        return int(ast.literal_eval(report.output.results[0].actual or "")["layout"])

    first, second, count = asyncio.run(run())
    assert first != second
    assert count == 1, "the parent of the first is still there"


def test_a_parent_serves_so_many_and_is_ended_when_nobody_needs_it(
    tmp_path: Path, installed: InstalledPlugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "MOST_STARTS", 2)
    config = host_config(tmp_path)

    async def run() -> tuple[list[int], int, int]:
        before = descriptors()
        layouts = []
        for _ in range(4):
            worker = await started(installed, config)
            layouts.append((await told(worker))["layout"])
            await worker.stop()
        monkeypatch.setattr(prepared, "IDLE_S", 0.05)
        await (await started(installed, config)).stop()
        deadline = time.monotonic() + 60
        while parents() or descriptors() > before:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        return layouts, before, descriptors()

    layouts, before, after = asyncio.run(run())
    assert layouts[0] == layouts[1] != layouts[2] == layouts[3]
    assert before == after


def test_an_interpreter_that_was_replaced_is_prepared_anew(tmp_path: Path, installed: InstalledPlugin) -> None:
    async def run() -> tuple[int, int]:
        one = prepared._Kind.of(installed.python, one_kit_of(installed, tmp_path))
        worker = await started(installed, host_config(tmp_path))
        await worker.stop()
        (before,) = parents()
        seen = (*one.seen[:3], one.seen[3] + 1)
        line = prepared._line_of(asyncio.get_running_loop(), replace(one, seen=seen))
        deadline = time.monotonic() + 60
        while before in parents():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        return len(parents()), len(line.starts)

    assert asyncio.run(run()) == (0, 0)


def one_kit_of(installed: InstalledPlugin, root: Path) -> Path:
    return host_config(root).kit_of(installed)


# --- ends


def test_the_end_of_its_parent_is_nothing_to_it_and_the_next_gets_another(
    tmp_path: Path, installed: InstalledPlugin
) -> None:
    config = host_config(tmp_path)

    async def run() -> tuple[bool, bool, int]:
        first = await started(installed, config)
        (parent,) = parents()
        os.kill(parent, signal.SIGKILL)
        wait_until(lambda: gone(parent))
        still = (await told(first))["parent"] == os.getpid()
        second = await started(installed, config)
        ways = is_forked(second)
        count = len(parents())
        for worker in (first, second):
            await worker.stop()
        return still, ways, count

    assert asyncio.run(run()) == (True, True, 1)


RUNTIME = """
import asyncio, sys
from pathlib import Path
from assess_core.host import copies, prepared
from assess_core.host.worker import Worker
from tests.support.installed import host_config, make_program
prepared.SPAWNED_FIRST = 0

async def main(root):
    installed, config = make_program(root, "behaves"), host_config(root)
    workers = [await Worker.start(installed, config) for _ in range(3)]
    for worker in workers[:2]:
        await worker.load()
    print(*(worker.pid for worker in workers), *copies.children(), flush=True)
    await asyncio.sleep(600)

asyncio.run(main(Path(sys.argv[1])))
"""


def test_a_runtime_that_is_killed_takes_all_of_them_along_one_that_has_only_begun_too(tmp_path: Path) -> None:
    runtime = subprocess.Popen(
        [sys.executable, "-c", RUNTIME, tmp_path], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=lone_environment()
    )
    assert runtime.stdout is not None
    pids = {int(pid) for pid in runtime.stdout.readline().split()}
    assert len(pids) == 4, "three workers and their parent"
    assert not any(map(gone, pids))
    runtime.kill()
    runtime.communicate()
    wait_until(lambda: all(map(gone, pids)))


ORPHAN = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from assess_core.host import prepared
from assess_core.host.worker import Worker
from tests.support.installed import host_config, make_installed, one_kit
prepared.SPAWNED_FIRST = 0
SOURCE = (
    "import threading, time\\nfrom assess_plugin import hookimpl\\n"
    "@hookimpl\\ndef assess_execute(input): ...\\n"
    "threading.Thread(target=time.sleep, args=(600,)).start()\\n"  # its end of the socket ends nothing
)

async def main(root, kit):
    installed = make_installed(root, {"it": SOURCE}, plugins={"it": "it"})
    worker = await Worker.start(installed, replace(host_config(root), kits=one_kit(Path(kit))))
    if sys.argv[3] == "unarmed":
        worker._process.arm = lambda: None
    await worker.load()
    print(worker.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
"""


@pytest.mark.parametrize("lifeline", ["armed", "unarmed"])
def test_its_lifeline_alone_ends_it_with_the_runtime(tmp_path: Path, lifeline: str) -> None:
    """Without what the kernel does for isolated ones (PR_SET_PDEATHSIG), which is left out of this copy of the kit."""
    kit = changed_kit(tmp_path, isolate={'    _prctl("pdeathsig", _PDEATHSIG, signal.SIGKILL)  # 6\n': ""})
    command = [sys.executable, "-c", ORPHAN, str(tmp_path), str(kit), lifeline]
    runtime = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=lone_environment())
    assert runtime.stdout is not None
    worker = int(runtime.stdout.readline())
    assert not gone(worker)
    runtime.kill()
    runtime.communicate()
    if lifeline == "armed":
        wait_until(lambda: gone(worker))
        return
    time.sleep(0.5)
    left = not gone(worker)
    os.kill(worker, signal.SIGKILL)
    assert left, "the control: nothing else ends it"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to read the memory of a process that has other rights")
def test_nothing_of_a_worker_is_in_the_memory_of_the_parent_that_the_next_begins_with(
    tmp_path: Path, installed: InstalledPlugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = f"sesame-{os.urandom(8).hex()}"
    monkeypatch.setenv("GRANTED", secret)

    async def look(worker: Worker) -> tuple[bool, bool]:
        (parent,) = parents()
        assert (await told(worker))["environment"]["GRANTED"] == secret
        return secret.encode() in memory(parent), secret.encode() in memory(worker.pid)

    assert using(installed, host_config(tmp_path), look) == (False, True)


def memory(pid: int) -> bytes:
    """All that the process may write."""
    found = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as file:  # noqa: PTH123  read from many places
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            area, rights = line.split()[:2]
            if rights.startswith("rw") and "[v" not in line:
                first, last = (int(each, 16) for each in area.split("-"))
                file.seek(first)
                found.append(file.read(last - first))
    return b"".join(found)


def test_a_parent_killed_while_it_is_asked_leaves_nothing_and_every_worker_starts(
    tmp_path: Path, installed: InstalledPlugin
) -> None:
    """A copy that was made and not announced is found and waited for: else it would be ours, a zombie, for ever."""
    config = host_config(tmp_path)

    async def run(delay_s: float) -> None:
        await (await started(installed, config)).stop()
        (parent,) = parents()
        asyncio.get_running_loop().call_later(delay_s, os.kill, parent, signal.SIGKILL)
        workers = await asyncio.gather(*(started(installed, config) for _ in range(8)))
        assert all([(await told(worker))["parent"] == os.getpid() for worker in workers])
        for worker in workers:
            await worker.stop()
        deadline = time.monotonic() + 60
        while set(copies.children()) - set(parents()):
            assert time.monotonic() < deadline, [command(pid) for pid in copies.children()]
            await asyncio.sleep(0.01)

    for turn in range(6):
        asyncio.run(run(0.002 * turn))
    assert not list(config.scratch_root.iterdir())


def test_a_copy_that_nobody_was_told_of_is_found_and_shares_nothing_with_the_next(
    tmp_path: Path, installed: InstalledPlugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the parent had been killed between making it and saying so: it is silent from then on."""
    silent = {"                control.sendmsg(": "                time.sleep(600)\n                control.sendmsg("}
    config = replace(host_config(tmp_path), kits=one_kit(changed_kit(tmp_path, siblings=silent)))
    monkeypatch.setattr(prepared, "ANSWER_S", 0.5)

    async def run() -> bool:
        worker = await started(installed, config)
        way = is_forked(worker)
        await worker.stop()
        deadline = time.monotonic() + 60
        while left := list(copies.children()):
            assert time.monotonic() < deadline, [command(pid) for pid in left]
            await asyncio.sleep(0.01)
        return way

    assert not asyncio.run(run())


def test_a_start_that_is_given_up_leaves_nothing(tmp_path: Path, installed: InstalledPlugin) -> None:
    config = host_config(tmp_path)

    async def run() -> None:
        await (await started(installed, config)).stop()
        before = descriptors()
        for turns in range(12):
            task = asyncio.create_task(Worker.start(installed, config))
            for _ in range(turns):
                await asyncio.sleep(0.001)
            if not task.done():
                task.cancel()
            outcome = (await asyncio.gather(task, return_exceptions=True))[0]
            if isinstance(outcome, Worker):
                await outcome.stop()
        deadline = time.monotonic() + 60
        while descriptors() > before or list(config.scratch_root.iterdir()) or len(list(copies.children())) > 1:
            assert time.monotonic() < deadline, [
                (command(pid), Path(f"/proc/{pid}/stat").read_text()[:60]) for pid in copies.children()
            ]
            await asyncio.sleep(0.01)

    asyncio.run(run())


# --- where it cannot be had


CANNOT = {
    "the C library": ("forking", {"self._tid = _tid_address()": 'raise UnforkableError("it is another C library")'}),
    "the kernel": ("forking", {"        none, tid = ": '        raise OSError(1, "no")\n        none, tid = '}),
    "the parent": ("siblings", {"    die_with_parent()\n": '    sys.exit("it ends at once")\n'}),
}


@pytest.mark.parametrize("what", CANNOT)
def test_where_none_can_be_forked_all_are_spawned_and_that_is_said_once(
    tmp_path: Path, installed: InstalledPlugin, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    module, changes = CANNOT[what]
    config = replace(host_config(tmp_path), kits=one_kit(changed_kit(tmp_path, **{module: changes})))

    async def run() -> list[bool]:
        ways = []
        for _ in range(3):
            worker = await started(installed, config)
            ways.append(is_forked(worker))
            await worker.stop()
        return ways

    with caplog.at_level(logging.WARNING, "assess_core.host.prepared"):
        assert asyncio.run(run()) == [False] * 3
    said = [record for record in caplog.records if getattr(record, "action", "") == "workers-spawned"]
    assert len(said) == 1
    words = {
        "the C library": "it is another C library",
        "the kernel": "Operation not permitted",
        "the parent": "it ends at once",
    }
    assert words[what] in said[0].getMessage()


def test_a_parent_that_does_not_answer_is_ended_and_the_worker_spawned(
    tmp_path: Path, installed: InstalledPlugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = host_config(tmp_path)

    async def run() -> tuple[bool, bool]:
        await (await started(installed, config)).stop()
        (parent,) = parents()
        os.kill(parent, signal.SIGSTOP)
        monkeypatch.setattr(prepared, "ANSWER_S", 0.3)
        worker = await started(installed, config)
        await worker.stop()
        return gone(parent), parent in parents()

    assert asyncio.run(run()) == (True, False)


def test_what_refuses_a_start_beforehand_is_the_starts_fault(tmp_path: Path, installed: InstalledPlugin) -> None:
    def refuse(_: InstalledPlugin) -> None:
        raise StoreError("it was tampered with")

    config = replace(host_config(tmp_path), before_start=refuse)
    with pytest.raises(PluginFault, match="it was tampered with") as caught:
        asyncio.run(started(installed, config))
    assert caught.value.kind is FaultKind.START
    assert not list(config.scratch_root.iterdir())


# --- process ids


@pytest.mark.parametrize("spawned", [True, False])
def test_an_embedder_that_waits_for_everything_costs_a_worker_its_exit_code_and_nothing_else(
    tmp_path: Path, installed: InstalledPlugin, *, spawned: bool
) -> None:
    config, over = host_config(tmp_path), threading.Event()

    def reap() -> None:
        while not over.is_set():
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                over.wait(0.001)

    embedder = threading.Thread(target=reap)

    async def use(worker: Worker) -> PluginFault:
        embedder.start()
        with pytest.raises(PluginFault) as caught:
            await told(worker, "exit")
        return caught.value

    try:
        fault = using(installed, config, use, spawned=spawned)
        again = using(installed, config, told, spawned=True)
    finally:
        over.set()
        embedder.join()
    assert fault.kind is FaultKind.EXITED
    assert again["parent"] == os.getpid()


@pytest.mark.parametrize("knows", [True, False], ids=["kernel-6.9", "older"])
def test_a_group_is_signalled_by_a_descriptor_and_never_by_a_number_that_may_be_anothers(
    monkeypatch: pytest.MonkeyPatch, *, knows: bool
) -> None:
    if not knows:
        monkeypatch.setattr(host_process, "_by_descriptor", False)
    groups: list[int] = []
    killpg = os.killpg

    def signal_group(group: int, number: int) -> None:
        groups.append(group)
        killpg(group, number)

    monkeypatch.setattr(os, "killpg", signal_group)
    with subprocess.Popen(
        ["sh", "-c", "sleep 600 & echo $!; wait"], start_new_session=True, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        inner = int(process.stdout.readline())
        pidfd = os.pidfd_open(process.pid)
        host_process._signal_group(pidfd, process.pid, signal.SIGKILL)
        wait_until(lambda: gone(inner))
        process.wait()
        assert groups == ([process.pid] if host_process._by_descriptor is False else [])
        groups.clear()
        # Reaped: the number is nobody's, or anybody's.
        try:
            host_process._signal_group(pidfd, process.pid, signal.SIGKILL)
        except ProcessLookupError:
            assert host_process._by_descriptor
        assert not groups
        os.close(pidfd)


PIDS = """
import asyncio, os, signal, subprocess, sys
from pathlib import Path
from assess_core.host import copies, prepared
from assess_core.host.worker import Worker
from tests.support.installed import host_config, make_program
Path("/proc/sys/kernel/pid_max").write_text("310")
prepared.SPAWNED_FIRST = 0
busy = subprocess.Popen(["sh", "-c", "while :; do /bin/true; done"], start_new_session=True)
others = [subprocess.Popen(["sleep", "600"], start_new_session=True) for _ in range(8)]

async def main(root):
    installed, config, seen = make_program(root, "behaves"), host_config(root), []
    async def one(number):
        worker = await Worker.start(installed, config, spawned=number % 5 == 0)
        seen.append(worker.pid)
        if number % 2:
            worker._process.signal_group(signal.SIGKILL)
            await worker._process.wait(60)
        await worker.stop()
    for first in range(0, 60, 6):
        await asyncio.gather(*(one(number) for number in range(first, first + 6)))
    known = {busy.pid, *(each.pid for each in others)}
    parents = [pid for pid in copies.children() if pid not in known]
    print(len(seen), len(set(seen)), busy.poll(), [each.poll() for each in others], len(parents), flush=True)

asyncio.run(main(Path(sys.argv[1])))
for each in (busy, *others):
    each.kill()
    each.wait()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a namespace of process ids")
def test_where_numbers_come_round_quickly_none_but_its_own_processes_are_signalled_and_waited_for(
    tmp_path: Path,
) -> None:
    inside = subprocess.run(
        ["unshare", "-pf", "--mount-proc", sys.executable, "-c", PIDS, tmp_path],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=lone_environment(),
        timeout=200,
        check=False,
    )
    if "Operation not permitted" in inside.stderr:
        pytest.skip("no namespace of process ids can be made here")
    assert inside.returncode == 0, inside.stderr
    assert inside.stdout.splitlines()[-1] in {f"60 {n} None {[None] * 8} 1" for n in range(1, 59)}, inside.stdout
