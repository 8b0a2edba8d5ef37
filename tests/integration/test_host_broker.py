"""What a plugin may do through its host, what it may not, and what is on record afterwards."""

import asyncio
import os
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assess_core.errors import FaultKind, PluginFault
from assess_core.host import CallReport, HostConfig, LogLine, Progress, Supervisor
from assess_core.host import broker as broker_module
from assess_core.host.commands import Overdue, run_command
from assess_plugin import ActionInput, Subject
from assess_plugin.wire import COMMAND_PATH, MAX_OUTPUT_BYTES
from tests.support.installed import host_config, make_installed, make_program

SUBJECT = Subject(id="host:test", type="inventory-item", title="test")


def ask(root: Path, uses: Mapping[str, str], permissions: str, **more: Any) -> tuple[list[str], CallReport]:
    """What the plugin was told for each use of its host, and the report."""

    async def run() -> CallReport:
        supervisor = Supervisor(make_program(root, "behaves", permissions=permissions), host_config(root))
        given = ActionInput(subject=replace(SUBJECT, props=uses), checks=("ask",))
        try:
            return await supervisor.execute("it", given, timeout_s=more.pop("timeout_s", 20), **more)
        finally:
            await supervisor.stop()

    report = asyncio.run(run())
    return (report.output.results[0].actual or "").split("\n"), report


def uses(report: CallReport) -> list[Mapping[str, Any]]:
    assert {use.check for use in report.provenance} <= {"ask"}
    return [use.what for use in report.provenance]


# --- open and stat


def test_a_permitted_file_is_opened_under_its_own_name(tmp_path: Path) -> None:
    file = tmp_path / "plain"
    file.write_text("content")
    (said,), report = ask(tmp_path, {"open": str(file)}, f'read = ["{file}"]')
    assert said == f"('{file}', b'content')"
    assert uses(report) == [{"open": str(file)}]


def test_a_file_that_is_not_permitted_is_denied_with_the_line_that_would(tmp_path: Path) -> None:
    file = tmp_path / "plain"
    file.write_text("content")
    (said,), report = ask(tmp_path, {"open": str(file)}, f'read = ["{file}x"]')
    assert said == f'Denied: {file} is not permitted: add "{file}" to permissions.read in assess-plugin.toml'
    assert uses(report) == [{"denied": {"open": str(file)}}]


def test_a_link_may_lead_to_what_is_permitted_and_nowhere_else(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (inside / "file").write_text("inside")
    (outside / "file").write_text("outside")
    (inside / "good").symlink_to("file")
    (inside / "bad").symlink_to(outside / "file")
    (inside / "folder").symlink_to(outside)
    asked = {
        "open 1": f"{inside}/good",
        "open 2": f"{inside}/bad",
        "open 3": f"{inside}/folder/file",
        "stat 4": f"{inside}/folder/file",
        "stat 5": f"{inside}/bad",
    }
    said, _ = ask(tmp_path, asked, f'read = ["{inside}"]')
    assert said[0] == f"('{inside}/good', b'inside')"
    for answer, permission in ((said[1], "read"), (said[2], "read"), (said[3], "stat")):
        assert f"leads to {outside}/file" in answer
        assert f'add "{outside}/file" to permissions.{permission}' in answer
    assert said[4].startswith("FileStatus("), "the link itself lies inside, and is what stat is about"


def test_a_disk_that_does_not_answer_holds_up_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()
    monkeypatch.setattr(broker_module, "stat_path", lambda *_: answers.wait(60))
    monkeypatch.setattr(broker_module, "MAX_UNANSWERED", 40)
    given = ActionInput(subject=replace(SUBJECT, props={"stat": str(tmp_path)}), checks=("ask",))

    async def run() -> CallReport:
        program = make_program(tmp_path, "behaves", permissions=f'stat = ["{tmp_path}"]')
        supervisor = Supervisor(program, host_config(tmp_path), workers=10)
        try:
            for _ in range(4):
                calls = (supervisor.execute("it", given, timeout_s=0.5) for _ in range(10))
                for fault in await asyncio.gather(*calls, return_exceptions=True):
                    assert isinstance(fault, PluginFault)
                    assert fault.kind is FaultKind.TIMEOUT
            async with asyncio.timeout(30):
                assert await asyncio.to_thread(lambda: True), "more threads than the loop's executor has wait"
            return await supervisor.execute("it", given, timeout_s=20)
        finally:
            await supervisor.stop()

    try:
        report = asyncio.run(run())  # which waits for all threads of the executor
    finally:
        answers.set()
    assert "40 earlier requests still wait for a disk" in (report.output.results[0].actual or "")


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("{root}/missing", "FileNotFoundError: [Errno 2] No such file or directory"),
        ("{root}/fifo", "HostError: {root}/fifo is not a regular file"),
        ("{root}", "HostError: {root} is not a regular file"),
        ("{root}/../x", "HostError: '{root}/../x' is not an absolute path in its one"),
        ("relative", "HostError: 'relative' is not an absolute path in its one"),
        ("{root}/loop", "OSError: [Errno 40]"),
        ("/proc/self/environ", "Denied: /proc/self/environ is the runtime's own process"),
        ("/proc/thread-self/maps", "Denied: /proc/thread-self/maps is the runtime's own process"),
    ],
)
def test_what_cannot_be_opened_says_why(tmp_path: Path, path: str, error: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    said, _ = ask(tmp_path, {"open": path.format(root=tmp_path)}, f'read = ["{tmp_path}", "/proc"]')
    assert said[0].startswith(error.format(root=tmp_path))


def test_a_control_of_the_above_in_proc_is_readable(tmp_path: Path) -> None:
    (said,), _ = ask(tmp_path, {"open": "/proc/sys/kernel/ostype"}, 'read = ["/proc"]')
    assert said == "('/proc/sys/kernel/ostype', b'Linux\\n')"


@pytest.mark.parametrize("path", ["/proc/mounts", "/proc/net/dev"])
def test_what_is_mounted_and_the_networks_tables_are_the_machines(tmp_path: Path, path: str) -> None:
    for name in ("named", "control"):
        (tmp_path / name).mkdir()
    (said,), report = ask(tmp_path / "named", {"open": path}, f'read = ["{path}"]')
    assert said.startswith(f"('{path}', b")
    assert [use.what for use in report.provenance] == [{"open": path}]
    (said,), report = ask(tmp_path / "control", {"open": path}, 'read = ["/proc/sys"]')
    assert "is not permitted" in said
    assert [use.what for use in report.provenance] == [{"denied": {"open": path}}]


def test_the_right_to_look_is_not_the_right_to_read(tmp_path: Path) -> None:
    file = tmp_path / "shadow"
    file.write_text("secret")
    file.chmod(0o640)
    said, report = ask(tmp_path, {"stat": str(file), "open": str(file)}, f'stat = ["{file}"]')
    assert said[0].startswith("FileStatus(mode=33184, ")
    assert said[1].startswith("Denied")
    assert uses(report) == [{"stat": str(file)}, {"denied": {"open": str(file)}}]


def test_what_the_system_refused_is_on_record_with_its_error(tmp_path: Path) -> None:
    _, report = ask(tmp_path, {"stat": f"{tmp_path}/missing"}, f'stat = ["{tmp_path}"]')
    assert uses(report) == [{"stat": f"{tmp_path}/missing", "error": "ENOENT"}]


# --- run


def test_a_permitted_command_runs_in_an_environment_of_its_own(tmp_path: Path) -> None:
    (said,), report = ask(tmp_path, {"run": "env"}, 'commands = [["env"]]')
    code, stdout, *_ = eval(said)
    assert code == 0
    *fixed, marker = sorted(stdout.decode().split(), key=lambda line: line.startswith("ASSESS_COMMAND="))
    assert fixed == ["LANG=C.UTF-8", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
    assert re.fullmatch(r"ASSESS_COMMAND=[0-9a-f]{32}", marker)
    program = shutil.which("env", path=COMMAND_PATH)
    assert uses(report) == [{"run": ["env"], "program": program, "exit_code": 0}]


@pytest.mark.parametrize(
    ("argv", "error"),
    [
        ("uname\n-a", 'Denied: command ["uname", "-a"] is not permitted: add ["uname", "-a"] to permissions.commands'),
        ("uname\n-s\n-r", "Denied"),
        ("uname", "Denied"),
        ("/bin/uname\n-s", "Denied"),
        ("echo\na\nb", "Denied"),
        ("no-such-program", "HostError: command 'no-such-program' is not installed on this host"),
    ],
)
def test_a_command_that_differs_from_every_pattern_is_denied(tmp_path: Path, argv: str, error: str) -> None:
    permissions = 'commands = [["uname", "-s"], ["echo", "*"], ["no-such-program"]]'
    said, _ = ask(tmp_path, {"run 1": argv, "run 2": "uname\n-s", "run 3": "echo\n; rm -rf $HOME"}, permissions)
    assert said[0].startswith(error)
    assert eval(said[1])[:2] == (0, b"Linux\n"), "the control"
    assert eval(said[2])[1] == b"; rm -rf $HOME\n", "no shell"


def test_output_beyond_a_message_comes_whole(tmp_path: Path) -> None:
    command = 'commands = [["head", "-c", "*", "/dev/zero"]]'
    (said,), _ = ask(tmp_path, {"run": "head\n-c\n3000000\n/dev/zero"}, command)
    code, _, size, _, truncated = eval(said)
    assert (code, size, truncated) == (0, 3_000_000, False)


def test_output_without_end_is_cut_and_the_command_killed(tmp_path: Path) -> None:
    (said,), _ = ask(tmp_path, {"run": "yes"}, 'commands = [["yes"]]')
    code, _, size, _, truncated = eval(said)
    assert (code, size, truncated) == (-15, MAX_OUTPUT_BYTES, True)


def test_a_command_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    (said,), report = ask(tmp_path, {"run-briefly": "sleep\n600"}, 'commands = [["sleep", "600"]]')
    assert said == 'HostError: command ["sleep", "600"] did not end within 0.2 s and was killed'
    assert "error" in uses(report)[0]


def test_a_command_ends_with_the_call_that_asked_for_it(tmp_path: Path) -> None:
    marker = f"{600 + os.getpid()}.125"
    with pytest.raises(Exception, match=r"longer than 0\.5 s"):
        ask(tmp_path, {"run": f"sleep\n{marker}"}, 'commands = [["sleep", "*"]]', timeout_s=0.5)
    assert not [path for path in Path("/proc").glob("[0-9]*") if marker in command_line(path)]


def command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_text()
    except OSError:
        return ""


def test_a_command_leaves_nothing_in_its_group() -> None:
    async def run() -> bytes:
        argv = ["sh", "-c", "sleep 600 & echo $!"]
        return (await run_command("/bin/sh", argv, timeout_s=5)).stdout

    assert ended(int(asyncio.run(run())))


DAEMON = """
mkfifo "$1/started" "$1/never"
setsid sh -c 'echo $$ > "$1/started"; read sleep < "$1/never"' sh "$1" >/dev/null 2>&1 &
cat "$1/started" > "$1/pid"
"""
"""It waits in the shell: a process in the middle of an exec shows no environment, and the hunt can miss it."""


@pytest.mark.parametrize(
    ("then", "timeout_s"), [("echo hi", 5), ("kill -9 $$", 5), ("sleep 600", 0.5)], ids=["ends", "dies", "overdue"]
)
def test_a_command_leaves_no_daemon(tmp_path: Path, then: str, timeout_s: float) -> None:
    bystander = subprocess.Popen(["setsid", "sleep", "600"])
    try:
        with suppress(Overdue):
            asyncio.run(run_command("/bin/sh", ["sh", "-c", DAEMON + then, "sh", str(tmp_path)], timeout_s=timeout_s))
        assert ended(int((tmp_path / "pid").read_text()))
        assert bystander.poll() is None, "the control"
    finally:
        bystander.kill()
        bystander.wait()


def test_commands_side_by_side_do_not_end_each_others_daemons(tmp_path: Path) -> None:
    async def run() -> bool:
        argv = ["sh", "-c", DAEMON + "read _ < $1/go", "sh", str(tmp_path)]
        slow = asyncio.create_task(run_command("/bin/sh", argv, timeout_s=20))
        async with asyncio.timeout(10):
            while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
                await run_command("/bin/true", ["true"], timeout_s=5)
        await run_command("/bin/true", ["true"], timeout_s=5)
        alive = "sleep" in command_line(Path("/proc") / (tmp_path / "pid").read_text().strip())
        await asyncio.to_thread((tmp_path / "go").write_text, "\n")
        await slow
        return alive

    os.mkfifo(tmp_path / "go")
    assert asyncio.run(run()), "the control: alive while its own command is"
    assert ended(int((tmp_path / "pid").read_text()))


def ended(pid: int) -> bool:
    """Within five seconds; SIGKILL takes a moment."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 5)[0])
    finally:
        os.close(descriptor)


def test_a_command_that_ignores_term_is_killed() -> None:
    argv = ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]
    with pytest.raises(Overdue):
        asyncio.run(run_command("/bin/sh", argv, timeout_s=0.1))


PARENT = """
import asyncio, sys
from assess_core.host.commands import run_command
asyncio.run(run_command("/bin/sh", ["sh", "-c", f"echo $$ > {sys.argv[1]}; exec sleep 600"], timeout_s=600))
"""


def test_no_command_is_left_when_the_runtime_is_killed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pid")
    parent = subprocess.Popen([sys.executable, "-c", PARENT, tmp_path / "pid"])
    descriptor = os.pidfd_open(int((tmp_path / "pid").read_text()))
    assert not select.select([descriptor], [], [], 0)[0]
    parent.kill()
    parent.wait()
    assert select.select([descriptor], [], [], 5)[0], "still alive 5 s after its parent's death"
    os.close(descriptor)


HELD = """
import os, signal, sys
from assess_core.host import process
process._arm = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
"""


def test_no_command_is_begun_when_the_runtime_is_killed_before_it_holds_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pid")
    reader = os.open(tmp_path / "pid", os.O_RDONLY | os.O_NONBLOCK)
    parent = subprocess.run(
        [sys.executable, "-c", HELD + PARENT, tmp_path / "pid"], check=False, stdout=subprocess.PIPE, timeout=20
    )
    assert parent.returncode == -signal.SIGKILL
    assert not select.select([reader], [], [], 1)[0], "the command was begun"
    os.close(reader)


def test_a_program_that_cannot_be_executed_is_the_callers_error(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"no format known")
    program.chmod(0o755)
    with pytest.raises(OSError, match="Exec format error"):
        asyncio.run(run_command(str(program), ["program"], timeout_s=5))


def test_a_command_ignores_no_signal_that_python_ignores() -> None:
    end = asyncio.run(run_command("/bin/grep", ["grep", "^SigIgn", "/proc/self/status"], timeout_s=5))
    ignored = int(end.stdout.split()[1], 16)
    assert not ignored & (1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1)


# --- log, progress, evidence


def test_evidence_is_taken_whole_and_once(tmp_path: Path) -> None:
    given = {"evidence a": "1300000", "evidence b": "0", "evidence a ": "1"}
    said, report = ask(tmp_path, given, "")
    assert [len(report.evidence[name].data) for name in ("evidence a", "evidence b")] == [1_300_000, 0]
    assert report.evidence["evidence a"].data[:256] == bytes(range(256))
    assert said[0] == "Evidence(name='evidence a', media_type='text/plain')"


def test_evidence_beyond_its_quota_is_refused_and_the_rest_is_kept(tmp_path: Path) -> None:
    given = {"evidence a": "10000000", "evidence b": "10000000", "evidence c": "5000000"}
    said, report = ask(tmp_path, given, "")
    assert "evidence of one call may have 16777216 bytes; 'evidence b' is beyond" in said[1]
    assert sorted(report.evidence) == ["evidence a", "evidence c"]


def test_log_lines_are_clean_and_a_chatty_plugin_is_cut_not_killed(tmp_path: Path) -> None:
    events: list[LogLine | Progress] = []
    ask(tmp_path, {"log": "\x1b[31mred\x1b[0m\r\nforged line", "logs": "5000"}, "", on_event=events.append)
    lines = [event for event in events if isinstance(event, LogLine)]
    assert lines[0] == LogLine(level="warning", message="red forged line")
    assert lines[-1].message == "this call has logged too much: its further log lines and progress are dropped"
    assert 1_990 < len(lines) <= 2_000


def test_a_listener_that_raises_harms_no_call(tmp_path: Path) -> None:
    def listen(event: LogLine | Progress) -> None:
        raise RuntimeError("listener")

    async def run() -> tuple[CallReport, list[Any]]:
        loud: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: loud.append(context["exception"]))
        supervisor = Supervisor(make_program(tmp_path, "behaves"), config)
        given = ActionInput(subject=replace(SUBJECT, props={"log": "x"}), checks=("ask",))
        report = await supervisor.execute("it", given, timeout_s=10, on_event=listen)
        await supervisor.stop()
        return report, loud

    config: HostConfig = host_config(tmp_path)
    report, loud = asyncio.run(run())
    assert report.output.results[0].outcome == "pass"
    assert [str(error) for error in loud] == ["listener"]


def test_progress_is_passed_on_and_held_back_when_it_is_too_much(tmp_path: Path) -> None:
    source = "from assess_plugin import *\n@hookimpl\ndef assess_execute(input):\n"
    source += "    for done in range(10_000): input.host.progress(done, 10_000, 'working')\n"
    source += "    input.host.log('end')\n    return ActionOutput(results=())\n"
    events: list[LogLine | Progress] = []

    async def run() -> None:
        supervisor = Supervisor(make_installed(tmp_path, {"it": source}, plugins={"it": "it"}), host_config(tmp_path))
        given = ActionInput(subject=SUBJECT, checks=("a",))
        await supervisor.execute("it", given, timeout_s=10, on_event=events.append)
        await supervisor.stop()

    asyncio.run(run())
    assert events[0] == Progress(done=0, total=10_000, note="working")
    assert events[-2:] == [Progress(done=9_999, total=10_000, note="working"), LogLine(level="info", message="end")]
    assert len(events) < 500


def test_the_last_progress_comes_with_the_reply(tmp_path: Path) -> None:
    source = "from assess_plugin import *\n@hookimpl\ndef assess_execute(input):\n"
    source += "    input.host.progress(0, 1, 'working')\n    input.host.progress(1, 1)\n"
    source += "    return ActionOutput(results=())\n"
    events: list[LogLine | Progress] = []

    async def run() -> None:
        supervisor = Supervisor(make_installed(tmp_path, {"it": source}, plugins={"it": "it"}), host_config(tmp_path))
        given = ActionInput(subject=SUBJECT, checks=("a",))
        await supervisor.execute("it", given, timeout_s=10, on_event=events.append)
        await supervisor.stop()

    asyncio.run(run())
    assert events == [Progress(done=0, total=1, note="working"), Progress(done=1, total=1, note="")]


def test_a_command_is_bounded_by_the_kernel(tmp_path: Path) -> None:
    argv = "sh\n-c\nulimit -c; ulimit -d; ulimit -f; ulimit -n; ulimit -p"
    (said,), _ = ask(tmp_path, {"run": argv}, 'commands = [["sh", "-c", "*"]]')
    core, data, file, descriptors, processes = map(int, eval(said)[1].split())
    assert (core, data, file) == (0, (2 << 30) // 1024, (1 << 30) // 512)
    for got, most, of in ((descriptors, 1024, resource.RLIMIT_NOFILE), (processes, 4096, resource.RLIMIT_NPROC)):
        hard = resource.getrlimit(of)[1]
        assert got == (most if hard == resource.RLIM_INFINITY else min(most, hard))


def test_a_command_that_others_can_change_is_run_for_nobody(tmp_path: Path) -> None:
    program = tmp_path / "tool"
    program.write_text("#!/bin/sh\necho ran\n")
    said = {}
    for mode in (0o755, 0o757):
        program.chmod(mode)
        root = tmp_path / oct(mode)
        root.mkdir()
        (said[mode],), report = ask(root, {"run": str(program)}, f'commands = [["{program}"]]')
    assert eval(said[0o755])[:2] == (0, b"ran\n"), "the control"
    assert "others can change what that is" in said[0o757]
    assert "others can change" in uses(report)[0]["error"]
