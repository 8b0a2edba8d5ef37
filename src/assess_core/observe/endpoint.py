"""`/healthz`, `/readyz` and `/metrics` for those on this machine, over HTTP/1.1 on a loopback address.

    async with Endpoint(answers, limits=Limits()).on(listen_at("127.0.0.1:9464")) as (host, port):
        ...

Whoever has an account here may connect, and a page in a browser may try: so nothing of what was found is said here, a
request is small and soon over, few are served at a time, and the name it was asked by has to be a loopback name (a name
of somebody else's that leads here is DNS rebinding). h11 reads the requests: httpx's own parser, that has seen more
hostile ones than we have.
"""

import asyncio
import ipaddress
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import h11

_log = logging.getLogger(__name__)

TEXT = "text/plain; charset=utf-8"

MAX_REQUEST = 4096
"""Bytes of a request's head; there is no body."""

TIMEOUT_S = 5.0
"""From connecting to the answer's last byte."""

AT_ONCE = 32
"""Connections; for one more the oldest that has not asked yet is closed, or itself if all have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What is said; 200 or 503."""

    status: int
    body: bytes
    content_type: str = TEXT


Answers = Mapping[str, Callable[[], Awaitable[Answer]]]
"""By path."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listen:
    """An address of this machine that no other one reaches. Port 0: a free one."""

    host: str
    port: int


def listen_at(text: str) -> Listen:
    """From `127.0.0.1:9464` or `[::1]:9464`, as the configuration has checked it (`observe.listen`)."""
    host, _, port = text.rpartition(":")
    return Listen(host=host.strip("[]"), port=int(port))


class Endpoint:
    """Answers a few paths, each request on a connection of its own."""

    def __init__(self, answers: Answers, *, timeout_s: float = TIMEOUT_S, at_once: int = AT_ONCE) -> None:
        self._answers = answers
        self._timeout_s = timeout_s
        self._at_once = at_once
        self._now = 0
        self._silent: dict[asyncio.Task[object], None] = {}
        """Those who have not sent all of their request, the oldest first."""

    @asynccontextmanager
    async def on(self, listen: Listen) -> AsyncIterator[Listen]:
        """Answer until the end of the block; gives the address with its real port.

        Raises:
            OSError: another program has the port, or the address is not there.
        """
        server = await asyncio.start_server(self._connected, listen.host, listen.port, limit=MAX_REQUEST)
        try:
            port = server.sockets[0].getsockname()[1]
            yield Listen(host=listen.host, port=port)
        finally:
            server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._now += 1
        try:
            if self._now <= self._at_once or self._let_go():
                async with asyncio.timeout(self._timeout_s):
                    await self._talk(reader, writer)
        except (TimeoutError, OSError, h11.RemoteProtocolError) as error:
            _log.debug("a connection ended early: %s", error, extra={"action": "endpoint-request"})
        except Exception:
            _log.exception("an answer failed", extra={"action": "endpoint-failed"})
        finally:
            self._now -= 1
            if writer.transport.get_write_buffer_size():
                writer.transport.abort()  # its reader does not read, and closing would wait for it
            else:
                writer.close()

    def _let_go(self) -> bool:
        """Who holds a place and asks nothing has lost it: else a few of them would keep out everybody else."""
        if not self._silent:
            return False
        oldest = next(iter(self._silent))
        del self._silent[oldest]
        oldest.cancel()
        return True

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_REQUEST)
        head_only = False
        try:
            event = await self._asked(http, reader)
            if not isinstance(event, h11.Request):
                return  # closed before it asked
            head_only = event.method == b"HEAD"
            answer = await self._answer(event)
        except h11.RemoteProtocolError as error:
            answer = _plain(error.error_status_hint, "this is no request that is understood here")
        writer.write(_bytes_of(http, answer, head_only=head_only))
        await writer.drain()

    async def _asked(self, http: h11.Connection, reader: asyncio.StreamReader) -> object:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  a connection has one
        self._silent[task] = None
        try:
            while (event := http.next_event()) is h11.NEED_DATA:
                http.receive_data(await reader.read(MAX_REQUEST))
            return event
        finally:
            self._silent.pop(task, None)

    async def _answer(self, request: h11.Request) -> Answer:
        if not _asked_by_loopback_name(request):
            return _plain(421, "this is asked by a loopback address only")
        path = request.target.partition(b"?")[0].decode("ascii", "replace")
        if (answer := self._answers.get(path)) is None:
            return _plain(404, f"there is {', '.join(self._answers)}")
        if request.method not in (b"GET", b"HEAD"):
            return _plain(405, "GET or HEAD")
        return await answer()


def _bytes_of(http: h11.Connection, answer: Answer, *, head_only: bool) -> bytes:
    headers = [
        ("content-type", answer.content_type),
        ("content-length", str(len(answer.body))),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("connection", "close"),
    ]
    response = h11.Response(status_code=answer.status, headers=headers)
    events = (response, h11.Data(data=b"" if head_only else answer.body), h11.EndOfMessage())
    return b"".join(http.send(event) or b"" for event in events)


def _asked_by_loopback_name(request: h11.Request) -> bool:
    """Whether `Host` is a name of this machine for itself; h11 refuses a request with none or with two."""
    asked = next((value for name, value in request.headers if name == b"host"), b"").decode("ascii", "replace")
    try:
        host = urlsplit(f"//{asked}").hostname
    except ValueError:
        return False
    return host is not None and _is_loopback(host)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _plain(status: int, sentence: str) -> Answer:
    return Answer(status=status, body=f"{sentence}\n".encode())
