"""Connecting on a plugin's behalf: the name resolved here, each address judged, one of them connected to.

The plugin is handed the connected socket, and nothing with which it could connect anywhere else. A name that is slow to
resolve holds a thread that nobody waits for, and each plugin has few of those: one whose names never resolve keeps no
other plugin from anything, nor itself from addresses that need no resolving.
"""

import asyncio
import errno
import logging
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

from assess_core.host.addresses import Address, refusal
from assess_core.host.refusals import DeniedError, ImproperError
from assess_core.host.rights import Rights
from assess_plugin.permissions import peer_of

logger = logging.getLogger(__name__)

MAX_RESOLVING = 8
"""Names that are being resolved at one moment for one plugin, whichever of its workers asks."""

MAX_ADDRESSES = 16
"""Of one name, that are tried."""

Resolve = Callable[[str, int], tuple[Address, ...]]

_shares: dict[tuple[str, ...], threading.BoundedSemaphore] = {}
"""By what a plugin may connect to: a worker that dies and comes again finds the same, as do workers side by side."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """A descriptor of a connected TCP socket, which is the caller's to close, and whom it is connected to."""

    descriptor: int
    address: Address


def look_up(host: str, port: int) -> tuple[Address, ...]:
    """The addresses of a name; blocks.

    Raises:
        ImproperError: it has none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError) as error:
        raise ImproperError(f"the name {host} has no address: {getattr(error, 'strerror', None) or error}") from error
    addresses = dict.fromkeys(ip_address(str(place[0]).partition("%")[0]) for *_, place in found)
    return tuple(addresses)[:MAX_ADDRESSES]


async def connect(host: str, port: int, rights: Rights, *, timeout_s: float, resolve: Resolve = look_up) -> Connection:
    """A connection to the first address of this peer that answers.

    Raises:
        DeniedError: nothing permits the peer, or it has an address that a name does not permit.
        ImproperError: it has no address.
        OSError: it has, and none of them could be connected to; of the last that was tried.
    """
    peer = peer_of(host, port)
    if why := rights.refusal("network", peer, lambda permissions: permissions.allows_connect(host, port)):
        raise DeniedError(why, rights.noted("network", peer))
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    try:
        async with asyncio.timeout(timeout_s):
            addresses = _itself(host) or await _resolved(host, port, resolve, _share(rights))
    except TimeoutError as error:
        raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)) from error
    if why := refusal(host, addresses):
        raise DeniedError(f"{peer} is not connected to: {why}", {"address": str(addresses[0])})
    return await _first(addresses, port, deadline - loop.time())


def _itself(host: str) -> tuple[Address, ...]:
    """The one address that it is; none for a name."""
    try:
        return (ip_address(host),)
    except ValueError:
        return ()


def _share(rights: Rights) -> threading.BoundedSemaphore:
    return _shares.setdefault(rights.permissions.network, threading.BoundedSemaphore(MAX_RESOLVING))


async def _resolved(host: str, port: int, resolve: Resolve, share: threading.BoundedSemaphore) -> tuple[Address, ...]:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[tuple[Address, ...]] = loop.create_future()

    def settle(addresses: tuple[Address, ...], error: Exception | None) -> None:
        if done.done():  # its call is over
            return
        if error is None:
            done.set_result(addresses)
        else:
            done.set_exception(error)

    def work() -> None:
        addresses: tuple[Address, ...] = ()
        failed: Exception | None = None
        try:
            addresses = resolve(host, port)
        except Exception as error:
            failed = error
        finally:
            share.release()
        try:
            loop.call_soon_threadsafe(settle, addresses, failed)
        except RuntimeError:  # the loop is closed
            logger.debug("Nobody waits for the addresses of %s any more.", host)

    if not share.acquire(blocking=False):
        raise ImproperError(
            f"{MAX_RESOLVING} names of this plugin are being resolved already, and {host} cannot be at this moment"
        )
    threading.Thread(target=work, name=f"resolve {host}", daemon=True).start()
    return await done


async def _first(addresses: tuple[Address, ...], port: int, timeout_s: float) -> Connection:
    failed: OSError | None = None
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    for number, address in enumerate(addresses):
        left = (deadline - loop.time()) / (len(addresses) - number)  # one that never answers leaves time for the others
        try:
            async with asyncio.timeout(left):
                return await _one(address, port)
        except TimeoutError:
            failed = OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        except OSError as error:
            failed = error
    raise failed or OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH))


async def _one(address: Address, port: int) -> Connection:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as sock:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (str(address), port))
        if sock.getsockname()[:2] == sock.getpeername()[:2]:  # nobody listens, and TCP has met itself
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        sock.setblocking(True)  # a flag that the plugin's descriptor shares
        return Connection(descriptor=sock.detach(), address=address)
