"""While the shim is installed sockets are connected by the host, and afterwards they are what they were."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from assess_plugin import Denied
from assess_plugin.shim import install, shim
from assess_plugin.testing import LocalHost, Permissions, PluginManifest

REAL = socket.socket
RESOLVES = socket.getaddrinfo


@pytest.fixture
def port() -> Iterator[int]:
    """Says what it heard."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def echo() -> None:
            with suppress(OSError):
                while True:
                    peer, _ = server.accept()
                    with peer:
                        peer.sendall(peer.recv(100))

        thread = threading.Thread(target=echo)
        thread.start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def host(*network: str) -> LocalHost:
    return LocalHost(PluginManifest(checks={}, defaults={}, permissions=Permissions(network=network), api="1.2"))


def test_a_socket_becomes_one_when_it_is_connected(port: int) -> None:
    with shim(host(f"localhost:{port}")), socket.socket() as sock:
        number = sock.fileno()
        sock.settimeout(7)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.connect(("localhost", port))
        assert (sock.fileno(), sock.gettimeout()) == (number, 7), "under the same number, as the client has set it up"
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        assert sock.getpeername() == ("127.0.0.1", port)
        sock.sendall(b"hi")
        assert sock.recv(10) == b"hi"


def test_what_is_not_permitted_is_denied_and_connect_ex_knows_errors(port: int) -> None:
    with shim(host("localhost:1", f"localhost:{port}")):
        with socket.socket() as sock, pytest.raises(Denied, match=f'add "localhost:{port - 1}"'):
            sock.connect(("localhost", port - 1))
        with socket.socket() as sock:
            assert sock.connect_ex(("localhost", 1)) == 111
        with socket.socket() as sock:
            assert sock.connect_ex(("localhost", port)) == 0


@pytest.mark.parametrize(
    "arguments",
    [(socket.AF_INET, socket.SOCK_DGRAM), (socket.AF_INET6, socket.SOCK_RAW), (socket.AF_NETLINK, socket.SOCK_STREAM),
     (socket.AF_INET, socket.SOCK_STREAM, 262), (socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK, 132)],
)  # fmt: skip
def test_there_are_no_other_sockets(arguments: tuple[Any, ...]) -> None:
    """Multipath TCP and SCTP among them."""
    with shim(host()), pytest.raises(PermissionError, match="no sockets but TCP connections"):
        socket.socket(*arguments)


def test_nothing_is_bound_and_nothing_listens() -> None:
    with shim(host()), socket.socket() as sock:
        with pytest.raises(PermissionError):
            sock.bind(("", 0))
        with pytest.raises(PermissionError):
            sock.listen()


def test_a_pair_of_sockets_is_what_it_was() -> None:
    with shim(host()):
        one, other = socket.socketpair()
        with one, other:
            one.sendall(b"hi")
            assert other.recv(10) == b"hi"


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (("db.example.org", 443), (socket.AF_INET, ("db.example.org", 443))),
        (("db.example.org", "https"), (socket.AF_INET, ("db.example.org", 443))),
        ((b"db.example.org", b"80"), (socket.AF_INET, ("db.example.org", 80))),
        (("dbü.example.org", 80), (socket.AF_INET, ("xn--db-yka.example.org", 80))),
        (("192.0.2.1", None), (socket.AF_INET, ("192.0.2.1", 0))),
        (("::1", 80), (socket.AF_INET6, ("::1", 80, 0, 0))),
        (("db", 80, socket.AF_INET6), (socket.AF_INET6, ("db", 80, 0, 0))),
        (("db", 80, 0, socket.SOCK_STREAM, socket.IPPROTO_TCP), (socket.AF_INET, ("db", 80))),
    ],
)
def test_a_name_is_its_own_address(asked: Any, found: tuple[Any, Any]) -> None:
    with shim(host()):
        ((family, kind, proto, canonical, place),) = socket.getaddrinfo(*asked)
    assert ((family, place), kind, proto, canonical) == (found, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")


@pytest.mark.parametrize(
    "asked",
    [(None, 80), ("", 80), ("db", "gopher"), ("db", 80, 0, socket.SOCK_DGRAM), ("::1", 80, socket.AF_INET),
     ("db", 80, 0, 0, 0, socket.AI_NUMERICHOST)],
)  # fmt: skip
def test_what_has_no_such_address_has_none(asked: Any) -> None:
    with shim(host()), pytest.raises(socket.gaierror):
        socket.getaddrinfo(*asked)


def test_it_is_undone_in_whatever_order(port: int) -> None:
    with pytest.raises(PermissionError), shim(host()):
        socket.create_server(("127.0.0.1", 0))
    assert (socket.socket, socket.getaddrinfo) == (REAL, RESOLVES)
    first = install(host())
    second = install(host(f"127.0.0.1:{port}"))
    with socket.create_connection(("127.0.0.1", port)):
        pass
    second()
    first()
    first()
    assert (socket.socket, socket.getaddrinfo) == (REAL, RESOLVES)


def test_event_loops_and_tls_take_it_for_a_socket(port: int) -> None:
    async def talk() -> bytes:
        reader, writer = await asyncio.open_connection("localhost", port)
        writer.write(b"hi")
        said = await reader.read()
        writer.close()
        await writer.wait_closed()
        return said

    with shim(host(f"localhost:{port}")):
        assert asyncio.run(talk()) == b"hi"
        with socket.create_connection(("localhost", port)) as sock:
            assert isinstance(sock, socket.socket)
            assert not isinstance(sock, ssl.SSLSocket)
            context = ssl.create_default_context()
            with pytest.raises((ssl.SSLError, ConnectionResetError)):  # the peer is no server of it
                context.wrap_socket(sock, server_hostname="localhost")
