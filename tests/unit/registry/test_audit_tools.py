import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from assess_registry.tools import ToolLimits, ToolRun, run_tool, tool_name

FAST = ToolLimits(timeout_s=60)


def python(code: str, tmp_path: Path, limits: ToolLimits = FAST) -> ToolRun:
    return run_tool([sys.executable, "-I", "-S", "-c", code], cwd=tmp_path, limits=limits)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in ("Z", "X")


def gone(pid: int) -> bool:
    """Whether it has ended: it was killed already, and the kernel needs a moment."""
    deadline = time.monotonic() + 60
    while is_alive(pid) and time.monotonic() < deadline:
        os.sched_yield()
    return not is_alive(pid)


def test_what_a_tool_says_is_returned_with_its_exit_code(tmp_path: Path) -> None:
    ran = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)", tmp_path)
    assert ran == ToolRun(exit_code=3, stdout=b"out\n", stderr=b"err\n", problem="")


def test_a_tool_sees_nothing_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("BANDIT_CONFIG", "x")
    ran = python("import os; print(sorted(os.environ)); print(os.getcwd()); print(os.environ['HOME'])", tmp_path)
    names, cwd, home = ran.stdout.decode().split("\n")[:3]
    assert names == "['HOME', 'LANG', 'PATH']"
    assert Path(cwd) == tmp_path
    assert home not in (os.environ["HOME"], cwd)
    assert not Path(home).exists(), "its home is removed after it"


def test_a_variable_that_we_give_cannot_be_one_of_ours(tmp_path: Path) -> None:
    argv = [sys.executable, "-I", "-S", "-c", "import os; print(os.environ['HOME'], os.environ['EXTRA'])"]
    ran = run_tool(argv, cwd=tmp_path, environment={"EXTRA": "yes", "HOME": "/root"})
    assert ran.stdout.split() != [b"/root", b"yes"]
    assert ran.stdout.split()[1] == b"yes"


def test_it_has_nothing_to_read_and_a_session_of_its_own(tmp_path: Path) -> None:
    ran = python("import os, sys; print(repr(sys.stdin.read()), os.getsid(0) == os.getpid())", tmp_path)
    assert ran.stdout == b"'' True\n"


@pytest.mark.parametrize(
    ("kind", "limits", "bounds"),
    [
        ("RLIMIT_AS", ToolLimits(memory_mib=512), (512 << 20, 512 << 20)),
        ("RLIMIT_CPU", ToolLimits(cpu_s=7), (7, 8)),
        ("RLIMIT_FSIZE", ToolLimits(file_mib=3), (3 << 20, 3 << 20)),
        ("RLIMIT_NOFILE", ToolLimits(open_files=33), (33, 33)),
        ("RLIMIT_CORE", ToolLimits(), (0, 0)),
    ],
)
def test_the_kernel_holds_it_to_its_limits(
    kind: str, limits: ToolLimits, bounds: tuple[int, int], tmp_path: Path
) -> None:
    # They are set from outside, which takes a moment on a busy machine.
    code = (
        "import resource, time\n"
        "ends = time.monotonic() + 60\n"
        f"while resource.getrlimit(resource.{kind}) != {bounds} and time.monotonic() < ends:\n    time.sleep(0.01)\n"
        f"print(resource.getrlimit(resource.{kind}))\n"
    )
    ran = python(code, tmp_path, limits)
    assert ran.stdout.decode().strip() == str(bounds)
    assert resource.getrlimit(getattr(resource, kind)) != bounds, "ours must not change"


def test_memory_beyond_the_limit_is_not_given(tmp_path: Path) -> None:
    code = "import sys; x = bytearray(int(sys.argv[1]) << 20); print(len(x))"
    limits = ToolLimits(memory_mib=256)
    argv = [sys.executable, "-I", "-S", "-c", code]
    assert run_tool([*argv, "16"], cwd=tmp_path, limits=limits).exit_code == 0
    refused = run_tool([*argv, "400"], cwd=tmp_path, limits=limits)
    assert refused.exit_code == 1
    assert b"MemoryError" in refused.stderr


def test_one_that_hangs_is_killed_and_named(tmp_path: Path) -> None:
    ran = python("import time; print('begun', flush=True); time.sleep(600)", tmp_path, ToolLimits(timeout_s=0.3))
    assert ran.exit_code == -signal.SIGKILL
    assert ran.problem.endswith(": timed out after 0.3 s")
    assert ran.stdout in (b"begun\n", b"")


def test_one_that_floods_is_killed_at_its_bound(tmp_path: Path) -> None:
    code = "import sys\nwhile True: sys.stdout.write('x' * 65536)"
    ran = python(code, tmp_path, ToolLimits(stdout_bytes=100_000))
    assert len(ran.stdout) == 100_000
    assert ran.problem.endswith(": wrote more than 100000 bytes")


def test_exactly_its_bound_is_not_a_flood(tmp_path: Path) -> None:
    ran = python("print('x' * 999)", tmp_path, ToolLimits(stdout_bytes=1000))
    assert (ran.problem, len(ran.stdout), ran.exit_code) == ("", 1000, 0)


def test_much_noise_on_stderr_is_drained_and_dropped(tmp_path: Path) -> None:
    code = "import sys; sys.stderr.write('x' * (1 << 20)); print('done')"
    ran = python(code, tmp_path, ToolLimits(stderr_bytes=100))
    assert (ran.stdout, len(ran.stderr), ran.problem) == (b"done\n", 100, "")


def test_large_output_arrives_whole(tmp_path: Path) -> None:
    ran = python("print('x' * (3 << 20))", tmp_path)
    assert len(ran.stdout) == (3 << 20) + 1


def test_what_it_left_running_is_killed_with_it(tmp_path: Path) -> None:
    code = "import os, time\nif (pid := os.fork()) == 0:\n    time.sleep(600)\nprint(pid, flush=True)"
    ran = python(code, tmp_path)
    assert (ran.exit_code, ran.problem) == (0, ""), "nobody waited for the child"
    assert gone(int(ran.stdout))


def test_one_that_escapes_the_session_with_the_pipe_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assess_registry.tools._LINGER_S", 0.2)
    code = (
        "import os, time\n"
        "reader, writer = os.pipe()\n"
        "if (pid := os.fork()) == 0:\n"
        "    os.setsid()\n"
        "    os.write(writer, b'x')\n"
        "    time.sleep(600)\n"
        "os.read(reader, 1)\n"
        "print(pid, flush=True)\n"
    )
    ran = python(code, tmp_path)
    pid = int(ran.stdout)
    try:
        assert ran.problem.endswith("left a process behind that holds its output open")
    finally:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGXCPU])
def test_one_that_is_killed_says_by_what(number: signal.Signals, tmp_path: Path) -> None:
    ran = python(f"import os; os.kill(os.getpid(), {number:d})", tmp_path)
    assert ran.exit_code == -number
    assert ran.problem.endswith(f": killed by {number.name}")


def test_a_program_that_is_not_there_is_a_problem_not_an_error(tmp_path: Path) -> None:
    ran = run_tool(["/nonexistent/bandit", "-r", "."], cwd=tmp_path)
    assert ran == ToolRun(exit_code=None, problem="bandit: could not be started: No such file or directory")


def test_a_module_that_is_not_installed_is_named(tmp_path: Path) -> None:
    ran = run_tool([sys.executable, "-I", "-m", "no_such_tool"], cwd=tmp_path)
    assert ran.problem == "no_such_tool: not installed"


def test_an_interruption_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []

    def interrupted(pid: int, limits: ToolLimits) -> None:
        started.append(pid)
        raise KeyboardInterrupt

    monkeypatch.setattr("assess_registry.tools._limit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        python("import time; time.sleep(600)", tmp_path)
    assert gone(started[0])


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    python("print(1)", tmp_path)
    before = len(list(Path("/proc/self/fd").iterdir()))
    python("print(1)", tmp_path)
    python("import time; time.sleep(600)", tmp_path, ToolLimits(timeout_s=0.05))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert threading.active_count() == 1


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (["/x/python3.11", "-I", "-m", "bandit", "-r", "-m"], "bandit"),
        (["/usr/bin/grep", "-m", "1"], "grep"),
        (["python", "-I"], "python"),
    ],
)
def test_a_tool_is_called_by_its_own_name(argv: list[str], name: str) -> None:
    assert tool_name(argv) == name
