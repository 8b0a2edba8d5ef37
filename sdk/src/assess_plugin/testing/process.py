"""A worker as the runtime starts one: another process, isolated before it loads anything, at the end of a socket.

It is held to no limits: what a manifest says of them is watched from outside, by a runtime.

Nothing is kept of what it was: its directory goes with it, and it is killed with everything in its group.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from binascii import b2a_base64
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from assess_plugin.isolation.profile import CAP_DAC_READ_SEARCH, Identity, Profile, make_profile
from assess_plugin.isolation.start import libraries_of, worker_argv, worker_environment
from assess_plugin.testing.kit import make_kit, place_of
from assess_plugin.wire import HEADER, MAX_FRAME, encode

ROOTS_WORKER = 61183
"""Who a worker is when root runs the tests: one below the user ids that runtimes give to theirs."""

START_TIMEOUT_S = 30.0
_LOG_BYTES = 64 * 1024

Message = Mapping[str, Any]


class WorkerFailedError(AssertionError):
    """The worker could not be started or isolated, raised, ended, or took too long; its log's end is in the message."""


class WorkerProcess:
    """One worker with a plugin's module to load; `say` and `hear` messages of docs/wire.md.

    Args:
        module: of the entry point; the directory it comes from and this environment's packages can be imported.
        variables: names of those of this environment that it finds, where they are set.
        isolated: as it is in earnest. Without, the plugin has all rights of whoever runs the test.
    """

    def __init__(self, module: str, *, variables: Iterable[str] = (), isolated: bool = True) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="assess-worker-"))
        self._scratch = self.directory / "scratch"
        self._scratch.mkdir()
        self._isolated = isolated
        self._uid = ROOTS_WORKER if isolated and os.geteuid() == 0 else os.geteuid()
        self._log = (self.directory / "log").open("w+b")
        kit = make_kit(self.directory / "kit")
        self._sites = dict.fromkeys((place_of(module), Path(sysconfig.get_path("purelib"))))
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                worker_argv(
                    Path(sys.executable),
                    kit=kit,
                    descriptor=theirs.fileno(),
                    environment=Path(sys.prefix),
                    sites=self._sites,
                ),
                cwd=self._scratch,
                env=worker_environment(self._scratch, variables, self._uid),
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )

    def isolate(self) -> None:
        """It is held as in earnest; nothing of the plugin is loaded yet."""
        if not self._isolated:
            return
        profile = self._profile()
        if profile.identity.uid != os.geteuid():
            os.chown(self._scratch, profile.identity.uid, profile.identity.gid)
        told = {**asdict(profile), "filter": b2a_base64(profile.filter, newline=False).decode("ascii")}
        self.say({"type": "isolate", "required": True, "profile": told})

    def say(self, message: Message, descriptor: int | None = None) -> None:
        """Send a message, and a descriptor with it.

        Raises:
            WorkerFailedError: it is gone.
        """
        frame = encode(dict(message))
        try:
            if descriptor is None:
                self._socket.sendall(frame)
            else:
                sent = socket.send_fds(self._socket, [frame], [descriptor])
                self._socket.sendall(frame[sent:])
        except OSError as error:
            raise self.failed(f"the worker is gone: {error.strerror}") from error

    def hear(self, deadline: float) -> dict[str, Any]:
        """Its next message; `deadline` is of `time.monotonic`.

        Raises:
            WorkerFailedError: none came, or something that is none.
        """
        length = int.from_bytes(self._take(HEADER, deadline), "big", signed=True)
        if not 0 <= length <= MAX_FRAME:
            raise self.failed(f"the worker announced a message of {length} bytes; the limit is {MAX_FRAME}")
        message = json.loads(self._take(length, deadline))
        if not isinstance(message, dict):
            raise self.failed(f"the worker sent {message!r}"[:500])
        return message

    def failed(self, what: str) -> WorkerFailedError:
        """The error that says so, with the end of the worker's log."""
        self._log.seek(max(0, os.fstat(self._log.fileno()).st_size - _LOG_BYTES))
        log = self._log.read(_LOG_BYTES).decode(errors="replace").strip()
        return WorkerFailedError(f"{what}\n{log}" if log else what)

    def end(self) -> None:
        """Nothing is left of it."""
        self._socket.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # not reaped: the number is its own
        self._process.wait()
        self._log.close()
        shutil.rmtree(self.directory)

    def _take(self, count: int, deadline: float) -> bytes:
        taken = bytearray()
        while len(taken) < count:
            left = deadline - time.monotonic()
            if left <= 0:
                raise self.failed("the worker took too long")
            self._socket.settimeout(left)
            try:
                got = self._socket.recv(count - len(taken))
            except TimeoutError as error:
                raise self.failed("the worker took too long") from error
            except OSError as error:
                raise self.failed(f"the worker is gone: {error.strerror}") from error
            if not got:
                raise self.failed(f"the worker ended{self._ending()}")
            taken += got
        self._socket.settimeout(None)
        return bytes(taken)

    def _ending(self) -> str:
        try:
            code = self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            return ""
        return f" by {signal.Signals(-code).name}" if code < 0 else f" with code {code}"

    def _profile(self) -> Profile:
        root = os.geteuid() == 0
        return make_profile(
            machine=os.uname().machine,
            pid=self._process.pid,
            parent=os.getpid(),
            identity=Identity(
                uid=self._uid,
                gid=ROOTS_WORKER if root else os.getegid(),
                capabilities=CAP_DAC_READ_SEARCH if root else 0,
            ),
            read=[
                *libraries_of(Path(sys.executable)),
                str(self.directory / "kit"),
                sys.prefix,
                *map(str, self._sites),
            ],
            write=str(self._scratch),
            limits={},
        )
