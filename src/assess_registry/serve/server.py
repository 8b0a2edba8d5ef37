"""The server around the answers: uvicorn's, on loopback, with an end to every connection, stopped by a signal.

It is for the machine of whoever develops or tries out a registry. It has no TLS and no accounts; in production a web
server serves the same files (docs/index.md).
"""

import asyncio
import contextlib
import ipaddress
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from assess_registry.config import CONFIG_NAME, load_config
from assess_registry.errors import ConfigError
from assess_registry.repository.roles import metadata_name
from assess_registry.repository.state import METADATA
from assess_registry.serve.app import RegistryFiles

REQUEST_S = 10.0
"""In which a request has to have come, from its connection's begin."""
CONNECTION_S = 300.0
"""After which a connection ends, whatever it is doing: 512 MiB at 2 MiB/s."""
IDLE_S = 5
STOP_S = 3
"""What an answer that is being sent when the server is stopped still gets."""
MAX_HEAD_BYTES = 16 << 10
"""Of a request, up to its empty line."""
MAX_CONNECTIONS = 200
"""uv opens 50 at once."""

LOCALHOST = "localhost"


def serve_registry(
    root: Path, *, host: str, port: int, beyond_this_machine: bool, on_ready: Callable[[str], None]
) -> None:
    """The registry is served until a signal says to stop.

    Args:
        root: of the registry, of a site that bundles are imported into, or of a copy of what one publishes.
        host: an address, or `localhost`.
        port: 0 for any that is free.
        beyond_this_machine: whether the address may be one that other machines reach.
        on_ready: told the URL when it answers there.

    Raises:
        ConfigError: there is no registry, or the address is not one to listen at.
    """
    _require_servable(root)
    address = _address(host)
    if not (address.is_loopback or beyond_this_machine):
        raise ConfigError(
            f"--host {host}: other machines could read here, without TLS or accounts; let a web server serve the "
            "files to them, or say --serve-unauthenticated-to-the-network"
        )
    listener = _listener(address, port)
    shown = f"[{address}]" if address.version == 6 else str(address)
    hosts = {shown, LOCALHOST} if address.is_loopback else None
    config = uvicorn.Config(
        RegistryFiles(root.absolute(), hosts=hosts),
        http=_BoundedProtocol,
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=STOP_S + 2,
    )
    url = f"http://{shown}:{listener.getsockname()[1]}/"
    _Server(config, on_ready=lambda: on_ready(url)).run(sockets=[listener])


def _require_servable(root: Path) -> None:
    """It is what clients take for a registry: one, a site, or a copy; the latter two have no configuration.

    Raises:
        ConfigError: it is none, or what is wrong with its configuration.
    """
    if (root / CONFIG_NAME).exists() or not (root / METADATA / metadata_name("root", 1)).is_file():
        load_config(root)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, *, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # An answer that somebody still reads is cut off like any other connection, not cancelled as if it had failed.
        end = asyncio.get_running_loop().call_later(STOP_S, self._abort_connections)
        try:
            await super().shutdown(sockets)
        finally:
            end.cancel()

    def _abort_connections(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's; but a signal is how this server is meant to end, so it is not raised again afterwards."""
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _BoundedConnection(h11.Connection):
    """h11 bounds the head that it waits for the rest of, not one that came whole."""

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        before = len(self.trailing_data[0]) if self.their_state is h11.IDLE else 0
        event = super().next_event()
        if isinstance(event, h11.Request) and before - len(self.trailing_data[0]) > MAX_HEAD_BYTES:
            raise h11.RemoteProtocolError("the head is too long", error_status_hint=431)
        return event


class _BoundedProtocol(H11Protocol):
    """uvicorn bounds how long a connection is idle, not how long a request takes to come, a byte at a time."""

    _ends: tuple[asyncio.TimerHandle, ...] = ()

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.conn = _BoundedConnection(h11.SERVER, MAX_HEAD_BYTES)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._ends = (
            self.loop.call_later(REQUEST_S, self._end_without_request),
            self.loop.call_later(CONNECTION_S, transport.abort),
        )

    def connection_lost(self, exc: Exception | None) -> None:
        for end in self._ends:
            end.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """As uvicorn's; but where an answer is on its way, its request's body was what is wrong.

        What has not begun is not sent any more; what has begun cannot be taken back, and ends.
        """
        # uvicorn's type does not say that there is none before the first request.
        if self.cycle is not None and not self.cycle.response_complete:  # type: ignore[redundant-expr]
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.abort()

    def _end_without_request(self) -> None:
        if self.cycle is None:
            self.transport.abort()


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address("127.0.0.1" if host == LOCALHOST else host)
    except ValueError as error:
        raise ConfigError(f"--host {host}: expected an address, as in 127.0.0.1 or ::1, or {LOCALHOST}") from error


def _listener(address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> socket.socket:
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((str(address), port))
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"{address} port {port}: cannot listen there: {error.strerror}; name another --port"
        ) from error
    return listener
