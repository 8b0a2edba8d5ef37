"""A registry served over http; the only file that imports httpx and httpcore.

httpx bounds the gap between two packets and nothing else: a server that drips a byte a second held a client with a
"1.5 s" timeout for 201 s. So the total deadline is enforced where bytes come in: every connect, handshake, write and
read of the socket is clamped to what is left (that covers dripped headers and endless 1xx answers), and the body is
counted chunk by chunk as it arrives. Resolving the host's name is the system resolver's business, with its time limits.

Proxies of the environment are not used: what is asked of a registry must not depend on who started the process.
"""

import contextlib
import socket
import ssl
import threading
import weakref
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

from assess_registry.client.location import Base, Location
from assess_registry.client.transport.access import NO_ACCESS, Access
from assess_registry.client.transport.port import Deadline, ForbiddenError, overdue, oversized
from assess_registry.errors import ConfigError, NotPublishedError, TransportError, TrustError

_HEADERS = {
    # Bytes as they lie on the server: what is hashed and bounded is what was published.
    "accept-encoding": "identity",
    "user-agent": "assess-registry-client",
}


class HttpTransport:
    """Reads over https, or over http on loopback. May be shared by threads; one request runs at a time."""

    def __init__(self, base: Base, access: Access = NO_ACCESS) -> None:
        self._base = base
        self._clamp = _Clamp()
        self._client = httpx.Client(
            transport=_Pool(self._clamp, access, tls=base.url.startswith("https:")),
            follow_redirects=False,
            timeout=None,  # noqa: S113  the clamp bounds every socket operation
            trust_env=False,
            # Before httpx looks where a redirect leads, which it does also where none is followed, and fails over some.
            event_hooks={"response": [_refuse_redirect]},
            headers=_HEADERS | ({"authorization": access.credentials.header()} if access.credentials else {}),
        )
        self._turn = threading.Lock()

    def read(self, location: Location, *, max_bytes: int, deadline: Deadline) -> bytes:
        """The whole file at `location`; see `Transport.read`."""
        url = self._base.url_of(location)
        if not self._turn.acquire(timeout=deadline.remaining_s(url)):
            raise overdue(url, deadline)
        try:
            self._clamp.set(deadline, url)
            with self._answer(url) as response:
                _check_status(response, url)
                return _body(response, url, max_bytes=max_bytes, deadline=deadline)
        except httpx.TimeoutException as error:
            raise overdue(url, deadline) from error
        except httpx.ConnectError as error:
            raise TransportError(f"{url}: the registry cannot be reached ({error}); is it running?", url=url) from error
        except httpx.HTTPError as error:
            message = f"{url}: the answer was cut short or is not http ({error}); try again"
            raise TransportError(message, url=url) from error
        finally:
            self._turn.release()

    def _answer(self, url: str) -> contextlib.closing[httpx.Response]:
        request = self._client.build_request("GET", url)
        try:
            response = self._client.send(request, stream=True)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            # What a connection looks like that the server closed after its last answer: nothing of this one has come,
            # so asking again, on a fresh connection and within the same deadline, is safe.
            response = self._client.send(request, stream=True)
        return contextlib.closing(response)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def abandon(self) -> None:
        """No answer is waited for any more; see `Transport.abandon`."""
        self._clamp.abandon()


def _refuse_redirect(response: httpx.Response) -> None:
    if 300 <= response.status_code < 400:
        raise TrustError(
            "the server redirects, and a registry's files lie below its own URL",
            step="redirect",
            thing=str(response.request.url),
            expected="200 OK",
            got=f"{_status(response)} to {response.headers.get('location', 'nowhere')[:200]!r}",
            next_step="configure the URL under which the registry really lies",
        )


def _status(response: httpx.Response) -> str:
    return f"{response.status_code} {response.reason_phrase}".strip()


def _check_status(response: httpx.Response, url: str) -> None:
    status = _status(response)
    if response.status_code in (401, 403, 407):
        raise ForbiddenError(
            f"{url}: the registry answered {status}; check the credentials configured for it, and who may read it",
            url=url,
        )
    if response.status_code in (404, 410):
        raise NotPublishedError(f"{url}: the registry does not have it ({status})", url=url)
    if response.status_code != 200:
        raise TransportError(f"{url}: the registry answered {status}, expected 200 OK; try again later", url=url)
    encoding = response.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise TransportError(f"{url}: sent with Content-Encoding {encoding[:40]!r} though none was accepted", url=url)


def _body(response: httpx.Response, url: str, *, max_bytes: int, deadline: Deadline) -> bytes:
    announced = response.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced[:20]) > max_bytes:
        raise oversized(url, max_bytes=max_bytes, got=f"{announced[:20]} announced")
    body = bytearray()
    # No chunk size: with one, httpx collects until it is full, and neither the deadline nor the bound is looked at.
    for chunk in response.iter_raw():
        deadline.remaining_s(url)
        body += chunk
        if len(body) > max_bytes:
            raise oversized(url, max_bytes=max_bytes, got=f"{len(body)} so far")
    return bytes(body)


class _Clamp:
    """How long the socket operations of the request at hand may take."""

    def __init__(self) -> None:
        self._deadline: Deadline | None = None
        self._url = ""
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._abandoned = False

    def set(self, deadline: Deadline, url: str) -> None:
        self._deadline, self._url = deadline, url

    def opened(self, stream: httpcore.NetworkStream) -> None:
        """Its socket is one of those that are abandoned."""
        found = stream.get_extra_info("socket")
        if isinstance(found, socket.socket):
            self._sockets.add(found)
            if self._abandoned:
                _shut(found)

    def abandon(self) -> None:
        """Who reads or writes is told that there is nothing more to come, and who is about to fails."""
        self._abandoned = True
        for each in tuple(self._sockets):
            _shut(each)

    def __call__(self, timeout: float | None) -> float:
        if self._abandoned:
            raise TransportError(f"{self._url}: given up: nobody waits for it any more", url=self._url)
        # Before the first request there is nothing to clamp, and no socket either.
        left = self._deadline.remaining_s(self._url) if self._deadline is not None else 0.0
        return left if timeout is None else min(timeout, left)


class _Pool(httpx.HTTPTransport):
    """httpx's own transport over sockets that know the deadline (it offers no argument for the backend)."""

    def __init__(self, clamp: _Clamp, access: Access, *, tls: bool) -> None:
        context = _authorities(access) if tls else None
        backend = _Backend(clamp)
        if access.proxy:
            self._pool = httpcore.HTTPProxy(access.proxy, ssl_context=context, http2=False, network_backend=backend)
        else:
            self._pool = httpcore.ConnectionPool(ssl_context=context, http2=False, network_backend=backend)


def _authorities(access: Access) -> ssl.SSLContext:
    if access.ca_file is None:
        # SSL_CERT_FILE and SSL_CERT_DIR are honoured by create_ssl_context, as sites with their own authority expect.
        # It reads a whole file of authorities, about 30 ms: not for a loopback registry.
        return httpx.create_ssl_context()
    try:
        return ssl.create_default_context(cafile=str(access.ca_file))
    except OSError as error:  # also for a file in which no certificate is
        raise ConfigError(f"registry ca_file: {access.ca_file}: {error.strerror or error}") from error


class _Backend(httpcore.NetworkBackend):
    def __init__(self, clamp: _Clamp) -> None:
        self._clamp = clamp
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        error: Exception | None = None
        # Address by address: left to itself the socket module gives each of a host's addresses the whole time.
        for address in _addresses(host, port):
            try:
                stream = self._inner.connect_tcp(address, port, self._clamp(timeout), local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                error = failed
            else:
                self._clamp.opened(stream)
                return _Stream(stream, self._clamp)
        raise error or httpcore.ConnectError(f"{host} has no address")


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, clamp: _Clamp) -> None:
        self._inner = inner
        self._clamp = clamp

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._clamp(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._clamp(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._inner.start_tls(ssl_context, server_hostname, self._clamp(timeout))
        self._clamp.opened(stream)  # another socket object, which the first one's number now belongs to
        return _Stream(stream, self._clamp)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _shut(connected: socket.socket) -> None:
    with contextlib.suppress(OSError):  # closed already, at either end
        # Not the shutdown of an SSLSocket: that takes away what a reading thread is just using.
        socket.socket.shutdown(connected, socket.SHUT_RDWR)


def _addresses(host: str, port: int) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpcore.ConnectError(f"{host}: {error}") from error
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
