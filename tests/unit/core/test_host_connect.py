"""Connecting on a plugin's behalf: resolved by us, judged, in time; every attack beside the same thing allowed."""

import asyncio
import errno
import os
import socket
import threading
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from assess_core.host import connect as module
from assess_core.host.addresses import Address
from assess_core.host.connect import MAX_RESOLVING, Connection, Resolve, connect, look_up
from assess_core.host.refusals import DeniedError, ImproperError
from assess_core.host.rights import Rights
from assess_plugin.permissions import Permissions


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def to(host: str, port: int, *network: str, resolve: Resolve = look_up, timeout_s: float = 5) -> Connection:
    rights = Rights(permissions=Permissions(network=network))
    return asyncio.run(connect(host, port, rights, timeout_s=timeout_s, resolve=resolve))


def has(*addresses: str) -> Resolve:
    return lambda _host, _port: tuple(map(ip_address, addresses))


def test_a_named_peer_is_connected_to_in_blocking_mode(port: int) -> None:
    made = to("127.0.0.1", port, f"127.0.0.1:{port}")
    with socket.socket(fileno=made.descriptor) as sock:
        assert sock.getpeername() == ("127.0.0.1", port)
        assert os.get_blocking(sock.fileno())
        assert not os.get_inheritable(sock.fileno())
    assert str(made.address) == "127.0.0.1"


def test_localhost_may_be_named(port: int) -> None:
    os.close(to("localhost", port, f"localhost:{port}").descriptor)


@pytest.mark.parametrize("entry", ["127.0.0.1:{other}", "localhost:{port}", "127.0.0.2:{port}", "[::1]:{port}"])
def test_another_port_or_another_name_is_another_peer(port: int, entry: str) -> None:
    wanted = f'add "127.0.0.1:{port}" to permissions.network in assess-plugin.toml'
    with pytest.raises(DeniedError, match=f"127.0.0.1:{port} is not permitted: {wanted}"):
        to("127.0.0.1", port, entry.format(port=port, other=port + 1 if port < 65535 else port - 1))


def test_a_name_that_has_a_private_address_of_this_machine_is_denied(port: int) -> None:
    """DNS rebinding: the name is permitted, and its owner has it mean us."""
    entry = f"peer.example.org:{port}"
    with pytest.raises(DeniedError, match=r"peer.example.org has the loopback address 127.0.0.1") as caught:
        to("peer.example.org", port, entry, resolve=has("127.0.0.1"))
    assert caught.value.noted == {"address": "127.0.0.1"}
    with pytest.raises(DeniedError, match="metadata address"):
        to("peer.example.org", port, entry, resolve=has("192.0.2.1", "169.254.169.254"))
    os.close(to("127.0.0.1", port, f"127.0.0.1:{port}", resolve=has("127.0.0.1")).descriptor)  # the control


def test_the_address_that_was_judged_is_the_one_that_is_connected_to(port: int) -> None:
    asked: list[str] = []

    def rebinding(host: str, _: int) -> tuple[Address, ...]:
        asked.append(host)
        return (ip_address("127.0.0.2" if len(asked) == 1 else "127.0.0.1"),)

    with pytest.raises(DeniedError):
        to("localhost.example.org", port, f"localhost.example.org:{port}", resolve=rebinding)
    assert asked == ["localhost.example.org"], "once: nobody is asked again between the look and the connection"


def test_an_ipv6_address_may_be_written_in_any_way() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        port = server.getsockname()[1]
        os.close(to("0:0::1", port, f"[::1]:{port}").descriptor)
        with pytest.raises(DeniedError):
            to("::2", port, f"[::1]:{port}")


def test_nobody_listens(port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        free = gone.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        to("127.0.0.1", free, f"127.0.0.1:{free}")
    made = to("localhost", port, f"localhost:{port}", resolve=has("127.0.0.3", "127.0.0.1"))
    assert str(made.address) == "127.0.0.1", "the next address is tried"
    os.close(made.descriptor)


def test_who_never_answers_has_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(address: object, port: int) -> Connection:
        await asyncio.sleep(600)
        raise AssertionError

    monkeypatch.setattr(module, "_one", never)
    with pytest.raises(OSError, match="timed out") as caught:
        to("192.0.2.1", 80, "192.0.2.1:80", timeout_s=0.05)
    assert caught.value.errno == errno.ETIMEDOUT


def test_a_name_that_never_resolves_holds_nobody_up(port: int) -> None:
    over = threading.Event()
    entry = f"slow.example.org:{port}"

    def slow(host: str, _: int) -> tuple[Address, ...]:
        over.wait(60)
        return (ip_address("192.0.2.1"),)

    try:
        for _ in range(MAX_RESOLVING):
            with pytest.raises(OSError, match="timed out"):
                to("slow.example.org", port, entry, resolve=slow, timeout_s=0.01)
        with pytest.raises(ImproperError, match="names of this plugin are being resolved already"):
            to("slow.example.org", port, entry, resolve=slow)
        # another plugin's names, and what is no name
        for host in ("localhost", "127.0.0.1"):
            os.close(to(host, port, f"{host}:{port}").descriptor)
    finally:
        over.set()
    for thread in threading.enumerate():
        if thread.name.startswith("resolve"):
            thread.join()
    os.close(to("localhost", port, f"localhost:{port}").descriptor)


def test_a_name_without_address_says_so() -> None:
    with pytest.raises(ImproperError, match=r"the name nowhere.invalid has no address"):
        to("nowhere.invalid", 80, "nowhere.invalid:80", resolve=_unknown)


def _unknown(host: str, _: int) -> tuple[Address, ...]:
    raise ImproperError(f"the name {host} has no address: unknown")
