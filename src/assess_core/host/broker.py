"""What a plugin asks of the world: compared with its permissions, done, recorded.

    answer, descriptor = await Broker(permissions, record).answer(request, time_left_s=12.0)

Nothing here waits on the loop's thread for a disk: an unreachable file system would stop every plugin.
"""

import asyncio
import errno
import json
import math
import os
from collections.abc import Callable, Mapping
from typing import Any

from assess_core.host.commands import Overdue, find_program, run_command
from assess_core.host.files import MANIFEST, DeniedError, ImproperError, open_file, stat_path
from assess_core.host.messages import Open, Opened, Ran, Refused, Run, Stat, Status
from assess_core.host.text import clean_line
from assess_registry.client import Permissions

INLINE_BYTES = 256 * 1024
"""Output up to this length travels in the message; more goes as a descriptor of memory."""

MAX_STDERR_BYTES = 64 * 1024
MAX_ARGV_BYTES = 128 * 1024

Answer = Ran | Opened | Status | Refused
Record = Callable[[str | None, Mapping[str, Any]], None]


class Broker:
    """Acts for one plugin within its permissions; `record` is told of each use, refused ones too."""

    def __init__(self, permissions: Permissions, record: Record) -> None:
        self._permissions = permissions
        self._record = record

    async def answer(self, request: Run | Open | Stat, *, time_left_s: float) -> tuple[Answer, int | None]:
        """The answer to send, and the descriptor that goes with it."""
        use: dict[str, Any] = {"run": request.argv} if isinstance(request, Run) else _use_of(request)
        try:
            match request:
                case Run():
                    return await self._run(request, use, time_left_s)
                case Open():
                    descriptor = await _in_thread(open_file, request.path, self._permissions)
                    self._record(request.check, use)
                    return Opened(call=request.call, id=request.id), descriptor
                case Stat():
                    found = await _in_thread(stat_path, request.path, self._permissions)
                    self._record(request.check, use)
                    return _status(request, found), None
        except DeniedError as error:
            self._record(request.check, {"denied": use})
            return _refused(request, "denied", str(error)), None
        except OSError as error:
            self._record(request.check, {**use, "error": errno.errorcode.get(error.errno or 0, "unknown")})
            return _refused(request, "os", os.strerror(error.errno or 0), error.errno), None
        except asyncio.CancelledError:  # the worker is being ended: what was under way was done in part
            self._record(request.check, {**use, "error": "cut short with the call"})
            raise
        except (ImproperError, Overdue) as error:
            self._record(request.check, {**use, "error": clean_line(str(error))})
            return _refused(request, "failed", str(error)), None

    async def _run(self, request: Run, use: dict[str, Any], time_left_s: float) -> tuple[Answer, int | None]:
        argv, command = request.argv, json.dumps(request.argv, ensure_ascii=False)[:500]
        if not self._permissions.allows_run(argv):
            raise DeniedError(
                f"command {command} is not permitted: add {command} to permissions.commands in {MANIFEST}"
            )
        if any("\0" in argument for argument in argv) or sum(map(len, argv)) > MAX_ARGV_BYTES:
            raise ImproperError(
                f"an argument of {argv[0]!r} holds a NUL, or all are longer than {MAX_ARGV_BYTES} bytes"
            )
        if not (math.isfinite(request.timeout_s) and request.timeout_s > 0):
            raise ImproperError(f"timeout_s must be a positive number, got {request.timeout_s}")
        program = find_program(argv[0])
        if program is None:
            raise ImproperError(f"command {argv[0]!r} is not installed on this host")
        try:
            end = await run_command(program, argv, timeout_s=min(request.timeout_s, time_left_s))
        except Overdue as error:
            raise Overdue(f"command {command} {error}") from error
        except OSError as error:
            raise ImproperError(f"command {command} could not be started: {error.strerror}") from error
        self._record(request.check, {**use, "exit_code": end.exit_code})
        spilled = len(end.stdout) > INLINE_BYTES
        ran = Ran(
            call=request.call,
            id=request.id,
            exit_code=end.exit_code,
            stdout=b"" if spilled else end.stdout,
            stderr=end.stderr[:MAX_STDERR_BYTES],
            truncated=end.truncated or len(end.stderr) > MAX_STDERR_BYTES,
            spilled=len(end.stdout) if spilled else None,
        )
        return ran, _spill(end.stdout) if spilled else None


def _use_of(request: Open | Stat) -> dict[str, Any]:
    return {"open" if isinstance(request, Open) else "stat": request.path}


def _status(request: Stat, found: os.stat_result) -> Status:
    return Status(
        call=request.call, id=request.id, mode=found.st_mode, uid=found.st_uid, gid=found.st_gid, size=found.st_size
    )


def _refused(request: Run | Open | Stat, kind: Any, message: str, number: int | None = None) -> Refused:
    return Refused(call=request.call, id=request.id, kind=kind, errno=number, message=message)


def _spill(data: bytes) -> int:
    with os.fdopen(os.memfd_create("assess-output", os.MFD_CLOEXEC), "wb") as file:
        file.write(data)
        file.flush()
        return os.open(f"/proc/self/fd/{file.fileno()}", os.O_RDONLY | os.O_CLOEXEC)  # a new offset, and not writable


async def _in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """`asyncio.to_thread`, but a descriptor that comes after the call was cancelled is closed, not leaked."""
    work = asyncio.get_running_loop().run_in_executor(None, function, *arguments)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        work.add_done_callback(_discard)
        raise


def _discard(work: "asyncio.Future[Any]") -> None:
    if not work.cancelled() and work.exception() is None and isinstance(work.result(), int):
        os.close(work.result())
