"""Other people's programs on other people's files, kept on a short lead.

A tool reads hostile input: a million lines, deep nesting, names made to confuse. So it gets a session, a home and an
environment of its own, limits of the kernel on memory, processor time, files and descriptors, a deadline, and a bound
on what it may say. It ends with everything it started, whichever way we leave. What it did is returned, never raised:
a tool that did not do its work is something to report, not an accident.

    ran = run_tool([sys.executable, "-I", "-m", "bandit", "--version"], cwd=subject.unpacked)
    if ran.problem:
        incomplete.append(ran.problem)          # one sentence, for the report
"""

import contextlib
import os
import resource
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO

_CHUNK = 64 << 10
_LINGER_S = 10.0
"""For the pipes to close once the whole session was killed; longer only where somebody left the session."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolLimits:
    """What one run of a tool may take.

    The limits of time are for tools that hang: what a tool is given is bounded so that it never comes close to them,
    or a verdict would depend on how fast the machine is (`batches`).

    Attributes:
        timeout_s: on the wall, from start to last byte.
        cpu_s: of processor time of any one process.
        memory_mib: of address space of any one process.
        file_mib: of any file written.
        open_files: descriptors of any one process.
        stdout_bytes: more is a failure; the tool is killed.
        stderr_bytes: more is read and dropped; whoever decides by what a tool says there has to ask for all of it.
    """

    timeout_s: float = 900.0
    cpu_s: int = 600
    memory_mib: int = 1024
    file_mib: int = 64
    open_files: int = 256
    stdout_bytes: int = 32 << 20
    stderr_bytes: int = 64 << 10


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolRun:
    """What a tool did.

    Attributes:
        exit_code: its own; the negative signal that ended it; None when it never started.
        stdout, stderr: what it wrote, up to the limits.
        problem: why its output cannot be relied on: missing, crashed, killed, timed out, too much output. One line
            without paths of this machine; empty when it ended by itself. Whether the exit code is a good one is for
            the caller to judge, who knows the tool.
    """

    exit_code: int | None
    stdout: bytes = b""
    stderr: bytes = b""
    problem: str = ""


def run_tool(
    argv: Sequence[str],
    *,
    cwd: Path,
    limits: ToolLimits | None = None,
    environment: Mapping[str, str] | None = None,
) -> ToolRun:
    """Run it to its end or ours; nothing that it started is left when this returns or raises.

    Args:
        argv: the program and its arguments; never a shell.
        cwd: where it runs.
        limits: what it may take.
        environment: variables besides PATH, HOME and LANG, which are ours; of our own environment it gets nothing.
    """
    limits = limits or ToolLimits()
    name = tool_name(argv)
    with tempfile.TemporaryDirectory(prefix="assess-tool-", ignore_cleanup_errors=True) as home:
        try:
            process = subprocess.Popen(
                list(argv),
                cwd=cwd,
                env={**(environment or {}), "PATH": os.defpath, "HOME": home, "LANG": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            return ToolRun(exit_code=None, problem=f"{name}: could not be started: {error.strerror}")
        with process:
            try:
                _limit(process.pid, limits)
                return _watch(process, name, limits)
            finally:
                # Before the process is reaped: until then nobody else can be given its number.
                _kill_session(process)


def tool_name(argv: Sequence[str]) -> str:
    """What to call it in a sentence: the last name of the module after `-m`, else the program's own."""
    program = PurePath(argv[0]).name
    if program.startswith("python") and "-m" in argv[:-1]:
        return argv[argv.index("-m") + 1].rpartition(".")[2]
    return program


def _limit(pid: int, limits: ToolLimits) -> None:
    # Set from outside, at once: an interpreter needs milliseconds to its first line, and code between fork and exec
    # (`preexec_fn`) would not be safe in a process with threads.
    wanted = {
        resource.RLIMIT_AS: limits.memory_mib << 20,
        resource.RLIMIT_CPU: limits.cpu_s,
        resource.RLIMIT_FSIZE: limits.file_mib << 20,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_CORE: 0,
    }
    for kind, value in wanted.items():
        hard = resource.getrlimit(kind)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with contextlib.suppress(ProcessLookupError):
            # One second of processor time between the limits: SIGXCPU tells what happened, SIGKILL would not.
            grace = 1 if kind == resource.RLIMIT_CPU and bound != hard else 0
            resource.prlimit(pid, kind, (bound, bound + grace))


@dataclass(slots=True)
class _Stream:
    """One pipe of the tool, and what came out of it."""

    pipe: IO[bytes]
    max_bytes: int
    data: bytearray
    is_over: bool = False

    def take(self) -> bool:
        """Read once; False at the end."""
        chunk = os.read(self.pipe.fileno(), _CHUNK)
        room = self.max_bytes - len(self.data)
        self.is_over = self.is_over or len(chunk) > room
        self.data += chunk[:room]
        return bool(chunk)


def _watch(process: subprocess.Popen[bytes], name: str, limits: ToolLimits) -> ToolRun:
    """1. Read until both pipes close, the process ends, or a limit is passed. 2. Kill the session; read the rest."""
    assert process.stdout is not None  # noqa: S101  asked for above
    assert process.stderr is not None  # noqa: S101
    stdout = _Stream(process.stdout, limits.stdout_bytes, bytearray())
    stderr = _Stream(process.stderr, limits.stderr_bytes, bytearray())
    problem = ""
    deadline = time.monotonic() + limits.timeout_s
    ended = os.pidfd_open(process.pid)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(ended, selectors.EVENT_READ)
            for stream in (stdout, stderr):
                selector.register(stream.pipe, selectors.EVENT_READ, stream)
            if not _read(selector, deadline, stdout, until_end_of=ended):  # 1
                problem = f"timed out after {limits.timeout_s:g} s"
            elif stdout.is_over:
                problem = f"wrote more than {limits.stdout_bytes} bytes"
            _kill_session(process)  # 2
            selector.unregister(ended)
            if not problem and not _read(selector, time.monotonic() + _LINGER_S, stdout):
                problem = "left a process behind that holds its output open"
    finally:
        os.close(ended)
    exit_code = process.wait()
    problem = problem or _ending(name, exit_code, bytes(stderr.data))
    return ToolRun(
        exit_code=exit_code,
        stdout=bytes(stdout.data),
        stderr=bytes(stderr.data),
        problem=f"{name}: {problem}" if problem else "",
    )


def _read(
    selector: selectors.BaseSelector, deadline: float, stdout: _Stream, *, until_end_of: int | None = None
) -> bool:
    """Take what comes until nothing can come any more; False when the deadline was first."""
    while selector.get_map() and not stdout.is_over:
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        for key, _ in selector.select(left):
            if key.fd == until_end_of:
                return True
            if not key.data.take():
                selector.unregister(key.fileobj)
    return True


def _kill_session(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _ending(name: str, exit_code: int, stderr: bytes) -> str:
    if exit_code < 0:
        return f"killed by {signal.Signals(-exit_code).name}"
    if exit_code and stderr.rstrip().endswith(f"No module named {name}".encode()):
        return "not installed"
    return ""
