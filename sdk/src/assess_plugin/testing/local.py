"""The machine at hand as a host, for trying a plugin while it is being written.

The manifest is enforced, within the limits of the runtime; beyond that there is no isolation whatever: the plugin runs
in the caller's own process. Never a way to run a plugin that somebody else wrote.
"""

import contextlib
import json
import os
import selectors
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Mapping
from typing import BinaryIO, Literal

from assess_plugin.models import CommandResult, Denied, FileStatus, HostError
from assess_plugin.permissions import MAX_SHOWN
from assess_plugin.testing.manifest import PluginManifest
from assess_plugin.testing.recording import RecordingHost, connected
from assess_plugin.wire import COMMAND_ENVIRONMENT, COMMAND_PATH, MAX_OUTPUT_BYTES, MAX_STDERR_BYTES, READ_SIZE

KILL_AFTER_S = 1.0
"""From SIGTERM to SIGKILL."""

POLL_S = 0.05


class LocalHost(RecordingHost):
    """A `Host` that does what the manifest permits on this machine, as the user at hand.

    Attributes:
        secrets: the value of each name; one that is permitted and not here raises `HostError`.
    """

    def __init__(self, manifest: PluginManifest, secrets: Mapping[str, str] | None = None) -> None:
        super().__init__(manifest)
        self.secrets = dict(secrets or {})

    def _run(self, argv: tuple[str, ...], timeout_s: float) -> CommandResult:
        program = shutil.which(argv[0], path=COMMAND_PATH)
        if program is None:
            raise HostError(f"command {argv[0]!r} is not installed on this host")
        command = json.dumps(argv, ensure_ascii=False)[:MAX_SHOWN]
        try:
            process = subprocess.Popen(
                argv,
                executable=program,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd="/",
                env=COMMAND_ENVIRONMENT,
                start_new_session=True,
            )
        except OSError as error:
            raise HostError(f"command {command} could not be started: {error.strerror}") from error
        try:
            stdout, stderr = _capture(process, time.monotonic() + timeout_s)
        except TimeoutError as error:
            raise HostError(f"command {command} did not end within {timeout_s:g} s and was killed") from error
        finally:
            _end(process)
        full = max(len(stdout), len(stderr)) >= MAX_OUTPUT_BYTES
        return CommandResult(
            argv=argv,
            exit_code=process.returncode,
            stdout=stdout,
            stderr=stderr[:MAX_STDERR_BYTES],
            truncated=full or len(stderr) > MAX_STDERR_BYTES,
        )

    def _open(self, path: str) -> BinaryIO:
        self._permit_real("open", path, _real(path, path))
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116  before it is opened: a FIFO would block
            raise HostError(f"{path} is not a regular file, and nothing else can be opened")
        return open(path, "rb")  # noqa: PTH123  the caller's to close

    def _stat(self, path: str) -> FileStatus:
        folder, name = os.path.split(path)
        self._permit_real("stat", path, os.path.join(_real(folder, path), name))  # noqa: PTH118  keeps a link
        found = os.lstat(path)
        return FileStatus(mode=found.st_mode, uid=found.st_uid, gid=found.st_gid, size=found.st_size)

    def _connect(self, host: str, port: int, timeout_s: float) -> socket.socket:
        return connected((host, port), timeout_s)

    def _secret(self, name: str) -> str:
        if name not in self.secrets:
            raise HostError(f"nobody has said what the secret {name} is: LocalHost(manifest, secrets=...)")
        return self.secrets[name]

    def _permit_real(self, kind: Literal["open", "stat"], path: str, real: str) -> None:
        own = f"/proc/{os.getpid()}"
        if real == own or real.startswith(f"{own}/"):
            raise Denied(f"{path} is the runtime's own process, which no plugin is shown")
        self.permit_target(kind, path, real)


def _real(path: str, asked: str) -> str:
    try:
        return os.path.realpath(path, strict=True)
    except OSError as error:
        raise OSError(error.errno, error.strerror, asked) from error


def _capture(process: subprocess.Popen[bytes], deadline: float) -> tuple[bytes, bytes]:
    """What it writes to both pipes until it ends, or until one holds `MAX_OUTPUT_BYTES`."""
    assert process.stdout is not None  # noqa: S101  for the type checker
    assert process.stderr is not None  # noqa: S101
    taken: dict[int, bytearray] = {}
    with selectors.DefaultSelector() as selector:
        for pipe in (process.stdout, process.stderr):
            os.set_blocking(pipe.fileno(), False)
            selector.register(pipe, selectors.EVENT_READ)
            taken[pipe.fileno()] = bytearray()
        while selector.get_map() and max(map(len, taken.values())) < MAX_OUTPUT_BYTES:
            if time.monotonic() >= deadline:
                raise TimeoutError
            # a daemon left behind may hold the pipes for ever: whether the command itself lives is asked now and then
            over = process.poll() is not None
            ready = selector.select(0 if over else min(POLL_S, deadline - time.monotonic()))
            if over and not ready:
                break
            for key, _ in ready:
                data = os.read(key.fd, READ_SIZE)
                taken[key.fd] += data[: MAX_OUTPUT_BYTES - len(taken[key.fd])]
                if not data:
                    selector.unregister(key.fileobj)
        else:
            if not selector.get_map():
                _wait(process, deadline)
    return bytes(taken[process.stdout.fileno()]), bytes(taken[process.stderr.fileno()])


def _wait(process: subprocess.Popen[bytes], deadline: float) -> None:
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        raise TimeoutError from error


def _end(process: subprocess.Popen[bytes]) -> None:
    """The process is dead, with its group if it had to be killed, and its pipes are closed."""
    with process:
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is None:  # not reaped: the number of its group cannot be anyone else's
                os.killpg(process.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(KILL_AFTER_S)
