"""What a plugin asks of the world in one call: compared with its rights, done, recorded.

    broker = Broker(rights, record)
    answer, descriptor = await broker.answer(request, time_left_s=12.0)

Every kind of request is one row of `_WAYS`. Nothing here waits on the loop's thread for a disk or a name: an
unreachable file system would stop every plugin.
"""

import asyncio
import errno
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from assess_core.host.aside import aside
from assess_core.host.commands import Overdue, run_command
from assess_core.host.connect import connect
from assess_core.host.files import open_file, stat_path
from assess_core.host.memory import in_memory
from assess_core.host.messages import (
    Connect,
    Connected,
    Open,
    Opened,
    Ran,
    Refused,
    Revealed,
    Run,
    Secret,
    Stat,
    Status,
    Use,
)
from assess_core.host.pace import Pace
from assess_core.host.programs import find_program
from assess_core.host.redaction import Redactor
from assess_core.host.refusals import DeniedError, ImproperError
from assess_core.host.rights import Rights
from assess_core.host.text import clean_line
from assess_core.secrets import SecretError
from assess_plugin.api import require_host_call
from assess_plugin.asking import require_argv, require_peer, require_secret_name, require_timeout
from assess_plugin.models import API_VERSION, HostError
from assess_plugin.permissions import MAX_SHOWN, peer_of
from assess_plugin.wire import CONNECTIONS_PER_S, MAX_COMMANDS, MAX_CONNECTIONS, MAX_STDERR_BYTES

INLINE_BYTES = 256 * 1024
"""Output up to this length travels in the message; more goes as a descriptor of memory."""

CUT_SHORT = "cut short with the call"
"""Error on record of a use that was under way when its worker was ended: it may have been done in part."""

MAX_UNANSWERED = 64
"""Requests of ended calls that still keep a thread each, all plugins together; further ones are refused."""

_unanswered: set[asyncio.Task[Any]] = set()

Answer = Ran | Opened | Status | Connected | Revealed | Refused
Record = Callable[[str | None, Mapping[str, Any]], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Done:
    """A request was granted and done; `noted` is what its record says beyond what was asked."""

    answer: Answer
    descriptor: int | None = None
    noted: Mapping[str, Any] = field(default_factory=dict)


class Broker:
    """Acts for one call of a plugin within its rights.

    Args:
        rights: what the plugin may do.
        record: told of each use, refused ones too.
        redactor: told of each secret before it is handed over.
        api: the plugin API that is served.
    """

    def __init__(
        self, rights: Rights, record: Record, *, redactor: Redactor | None = None, api: str = API_VERSION
    ) -> None:
        self.rights = rights
        self.redactor = Redactor() if redactor is None else redactor
        self.api = api
        self.sockets: set[int] = set()
        """Inodes of the connections that were handed over."""
        self._record = record

    @cached_property
    def connections(self) -> Pace:
        """How often this call may connect; not made for the many that never do, as the next."""
        return Pace("connections", most=MAX_CONNECTIONS, per_s=CONNECTIONS_PER_S)

    @cached_property
    def commands(self) -> Pace:
        """How often it may run something."""
        return Pace("commands", most=MAX_COMMANDS)

    async def answer(self, request: Use, *, time_left_s: float) -> tuple[Answer, int | None]:
        """The answer to send, and the descriptor that goes with it."""
        way = _WAYS[type(request)]
        use: dict[str, Any] = {way.name: way.asked(request)}
        try:
            done = await way.do(self, request, time_left_s)
        except DeniedError as error:
            self._record(request.check, {"denied": {**use, **error.noted}})
            return _refused(request, "denied", str(error)), None
        except OSError as error:
            self._record(request.check, {**use, "error": errno.errorcode.get(error.errno or 0, "unknown")})
            return _refused(request, "os", os.strerror(error.errno or 0), error.errno), None
        except (ImproperError, Overdue, HostError) as error:
            self._record(request.check, {**use, "error": clean_line(str(error))})
            return _refused(request, "failed", str(error)), None
        except asyncio.CancelledError:
            self._record(request.check, {**use, "error": CUT_SHORT})
            raise
        self._record(request.check, {**use, **done.noted})
        return done.answer, done.descriptor


async def _open(broker: Broker, request: Open, _: float) -> _Done:
    descriptor = await _in_thread(open_file, request.path, broker.rights)
    return _Done(answer=Opened(call=request.call, id=request.id), descriptor=descriptor)


async def _stat(broker: Broker, request: Stat, _: float) -> _Done:
    found: os.stat_result = await _in_thread(stat_path, request.path, broker.rights)
    answer = Status(
        call=request.call, id=request.id, mode=found.st_mode, uid=found.st_uid, gid=found.st_gid, size=found.st_size
    )
    return _Done(answer=answer)


async def _connect(broker: Broker, request: Connect, time_left_s: float) -> _Done:
    require_host_call("connect", broker.api)
    host, port = require_peer(request.host, request.port)
    timeout_s = _timeout_s(request, time_left_s)
    await broker.connections.take()
    made = await connect(host, port, broker.rights, timeout_s=timeout_s)
    broker.sockets.add(os.fstat(made.descriptor).st_ino)
    return _Done(
        answer=Connected(call=request.call, id=request.id, family="inet" if made.address.version == 4 else "inet6"),
        descriptor=made.descriptor,
        noted={"address": str(made.address)},
    )


async def _secret(broker: Broker, request: Secret, _: float) -> _Done:
    require_host_call("secret", broker.api)
    name, rights = require_secret_name(request.name), broker.rights
    if why := rights.refusal("secrets", name, lambda permissions: name in permissions.secrets):
        raise DeniedError(why, rights.noted("secrets", name))
    source = rights.secrets.get(name)
    if source is None:
        raise ImproperError(
            f'nobody has said where the secret {name} is: `secrets = {{ {name} = "…" }}` in assess.toml'
        )
    try:
        value: str = (await _in_thread(source.read)).value
    except SecretError as error:
        raise ImproperError(f"the secret {name} cannot be had: {error}") from error
    broker.redactor.mark(name, value)
    return _Done(answer=Revealed(call=request.call, id=request.id, value=value))


async def _run(broker: Broker, request: Run, time_left_s: float) -> _Done:
    argv = require_argv(request.argv)
    if why := broker.rights.refusal("commands", argv, lambda permissions: permissions.allows_run(argv)):
        raise DeniedError(why, broker.rights.noted("commands", argv))
    timeout_s = _timeout_s(request, time_left_s)
    await broker.commands.take()
    program: str = await _in_thread(find_program, argv[0])
    command = json.dumps(argv, ensure_ascii=False)[:MAX_SHOWN]
    try:
        end = await run_command(program, argv, timeout_s=timeout_s)
    except Overdue as error:
        raise Overdue(f"command {command} {error}") from error
    except OSError as error:
        raise ImproperError(f"command {command} could not be started: {error.strerror}") from error
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
    descriptor = in_memory(end.stdout) if spilled else None
    return _Done(answer=ran, descriptor=descriptor, noted={"program": program, "exit_code": end.exit_code})


@dataclass(frozen=True, kw_only=True, slots=True)
class _Way:
    """How one kind of request is served.

    Attributes:
        name: its key in the provenance. asked: what stands there.
        do: does it, given the broker, the request and the time left.
    """

    name: str
    asked: Callable[[Any], Any]
    do: Callable[[Broker, Any, float], Awaitable[_Done]]


_WAYS: Mapping[type, _Way] = {
    Run: _Way(name="run", asked=lambda request: request.argv, do=_run),
    Open: _Way(name="open", asked=lambda request: request.path, do=_open),
    Stat: _Way(name="stat", asked=lambda request: request.path, do=_stat),
    Connect: _Way(name="connect", asked=lambda request: peer_of(request.host, request.port), do=_connect),
    Secret: _Way(name="secret", asked=lambda request: request.name, do=_secret),
}


def _timeout_s(request: Run | Connect, time_left_s: float) -> float:
    try:
        return min(require_timeout(request.timeout_s), time_left_s)
    except ValueError as error:
        raise ImproperError(str(error)) from error


def _refused(request: Use, kind: Literal["denied", "os", "failed"], message: str, number: int | None = None) -> Refused:
    return Refused(call=request.call, id=request.id, kind=kind, errno=number, message=message)


async def _in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """What it returns; a descriptor that comes after the call was cancelled is closed, not leaked.

    Not in the loop's executor: what lies on a disk that does not answer keeps its thread for ever, six such calls would
    be all threads of two processors, and the journal and all other plugins would wait for one.

    Raises:
        ImproperError: too many that nobody waits for any more have not come back.
    """
    if len(_unanswered) >= MAX_UNANSWERED:
        raise ImproperError(f"{MAX_UNANSWERED} earlier requests still wait for a disk that does not answer")
    work = asyncio.get_running_loop().create_task(aside(function, *arguments))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        _unanswered.add(work)
        work.add_done_callback(_discard)
        raise


def _discard(work: asyncio.Task[Any]) -> None:
    _unanswered.discard(work)
    if not work.cancelled() and work.exception() is None and isinstance(work.result(), int):
        os.close(work.result())
