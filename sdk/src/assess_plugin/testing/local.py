"""The machine at hand as a host, for trying a plugin while it is being written.

The manifest is enforced; beyond that there is no isolation whatever: the plugin runs in the caller's own process.
Never a way to run a plugin that somebody else wrote.
"""

import os
import stat
import subprocess
from typing import BinaryIO

from assess_plugin.models import CommandResult, FileStatus, HostError
from assess_plugin.testing.recording import RecordingHost

MAX_OUTPUT = 1024 * 1024
"""Bytes of a command's output and of its errors that are handed on."""

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


class LocalHost(RecordingHost):
    """A `Host` that does what the manifest permits on this machine, as the user at hand."""

    def _run(self, argv: tuple[str, ...], timeout_s: float) -> CommandResult:
        try:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout_s,
                check=False,
                cwd="/",
                env=ENVIRONMENT,
            )
        except subprocess.TimeoutExpired as error:
            raise HostError(f"{argv[0]} did not end within {timeout_s:g} s") from error
        except OSError as error:
            raise HostError(f"{argv[0]} could not be started: {error.strerror}") from error
        return CommandResult(
            argv=argv,
            exit_code=done.returncode,
            stdout=done.stdout[:MAX_OUTPUT],
            stderr=done.stderr[:MAX_OUTPUT],
            truncated=max(len(done.stdout), len(done.stderr)) > MAX_OUTPUT,
        )

    def _open(self, path: str) -> BinaryIO:
        self.permit_target("open", path, os.path.realpath(path))
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO must not block the open
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise HostError(f"{path} is not a regular file")
        return os.fdopen(descriptor, "rb")

    def _stat(self, path: str) -> FileStatus:
        folder, name = os.path.split(path)
        self.permit_target("stat", path, os.path.join(os.path.realpath(folder), name))  # noqa: PTH118  keeps a link
        found = os.lstat(path)
        return FileStatus(mode=found.st_mode, uid=found.st_uid, gid=found.st_gid, size=found.st_size)
