"""Clients that know nothing of a host connect through one: requests, httpx, boto3, whatever else is made of sockets.

    with shim(input.host):
        answer = requests.get("https://api.example.org/", timeout=10)

A worker can make no socket. While the shim is installed, `socket.socket` makes something that becomes one when it is
connected, by `host.connect`; names are not resolved, since that is the runtime's, but handed on to it as they are. What
the host refuses comes out as `Denied`, through most clients unchanged, with the line that would permit it.

There are TCP connections and nothing else: no datagrams, nothing that listens. A client that brings compiled code of
its own for connecting (libpq, libcurl) is not reached. It is for the process, all its threads: opt-in, and undone.
"""

import errno
import os
import socket
import ssl  # before anything is replaced: its sockets are made of the real one
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

from assess_plugin.models import Host, HostError

WITHOUT_TIMEOUT_S = 86_400.0
"""For a client that sets none; the call's own deadline comes first."""

WITHOUT_WAITING_S = 30.0
"""For a client that wants not to wait, such as an event loop. It waits: there is one host, and one answer at a time."""

_SERVICES = {"http": 80, "https": 443}
"""Of names in place of ports, those that clients use."""

assert issubclass(ssl.SSLSocket, socket.socket)  # noqa: S101  imported for that
_Socket = socket.socket
_IN_TYPE = getattr(socket, "SOCK_NONBLOCK", 0) | getattr(socket, "SOCK_CLOEXEC", 0)


@contextmanager
def shim(host: Host) -> Iterator[None]:
    """Sockets made in here are connected by the host."""
    undo = install(host)
    try:
        yield
    finally:
        undo()


def install(host: Host) -> Callable[[], None]:
    """From now on sockets are connected by the host; returns what undoes that."""
    before = {name: getattr(socket, name) for name in ("socket", "getaddrinfo")}
    now = {"socket": _socket_class(host), "getaddrinfo": _getaddrinfo}
    for name, value in now.items():
        setattr(socket, name, value)

    def undo() -> None:
        for name, value in before.items():
            if getattr(socket, name) is now[name]:
                setattr(socket, name, value)

    return undo


class _OfSockets(type):
    """What TLS makes of a socket, and what the host hands over, is a socket, too."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _Socket) if "_host" in cls.__dict__ else super().__instancecheck__(instance)


class _Connecting(_Socket, metaclass=_OfSockets):
    """A TCP socket that does not exist until it is connected; until then half of a pair holds its number."""

    _host: Host

    def __init__(  # the names are those of `socket.socket`
        self,
        family: int = -1,
        type: int = -1,  # noqa: A002
        proto: int = -1,
        fileno: int | None = None,
    ) -> None:
        self._is_real = fileno is not None or family == socket.AF_UNIX
        self._options: list[tuple[Any, ...]] = []
        if self._is_real:
            super().__init__(family, type, proto, fileno)
            return
        family = socket.AF_INET if family == -1 else family
        kind = socket.SOCK_STREAM if type == -1 else type & ~_IN_TYPE
        proto = 0 if proto == -1 else proto
        tcp = kind == socket.SOCK_STREAM and proto in (0, socket.IPPROTO_TCP)
        if family not in (socket.AF_INET, socket.AF_INET6) or not tcp:
            raise _refused("a plugin has no sockets but TCP connections")
        ours, theirs = socket.socketpair()
        theirs.close()
        super().__init__(family, kind, proto, ours.detach())

    def connect(self, address: Any, /) -> None:
        if self._is_real:
            super().connect(address)
            return
        timeout = self.gettimeout()
        seconds = WITHOUT_TIMEOUT_S if timeout is None else timeout or WITHOUT_WAITING_S
        with self._host.connect(_name(address[0]), address[1], timeout_s=seconds) as made:
            os.dup2(made.fileno(), self.fileno(), inheritable=False)
        self._is_real = True
        self.settimeout(timeout)
        for option in self._options:
            super().setsockopt(*option)

    def connect_ex(self, address: Any, /) -> int:
        try:
            self.connect(address)
        except OSError as error:
            return error.errno or errno.EIO
        return 0

    def setsockopt(self, *option: Any) -> None:
        if self._is_real:
            super().setsockopt(*option)
        else:
            self._options.append(option)

    def bind(self, address: Any, /) -> None:
        raise _refused(f"a plugin's connection has no address of its own to choose, not {address!r}")

    def listen(self, backlog: int = 0, /) -> None:  # noqa: ARG002  as it is
        raise _refused("a plugin listens nowhere")


def _socket_class(host: Host) -> type[_Connecting]:
    return _OfSockets("socket", (_Connecting,), {"_host": host, "__module__": "socket"})  # type: ignore[return-value]


def _getaddrinfo(  # noqa: PLR0917  as it is
    host: Any,
    port: Any,
    family: int = 0,
    type: int = 0,  # noqa: A002
    proto: int = 0,
    flags: int = 0,
) -> list[tuple[int, int, int, str, tuple[Any, ...]]]:
    """The name itself as its only address: whoever connects to it asks the host for it."""
    name = _name(host)
    of_address = _family(name)
    if (flags & socket.AI_NUMERICHOST and not of_address) or (type & ~_IN_TYPE) not in (0, socket.SOCK_STREAM):
        raise socket.gaierror(socket.EAI_NONAME, f"a plugin resolves no names, not {name} either")
    of_address = of_address or family or int(socket.AF_INET)
    if family not in (0, of_address):
        raise socket.gaierror(socket.EAI_FAMILY, f"{name} is no address of that family")
    place: tuple[Any, ...] = (name, _port(port))
    if of_address == socket.AF_INET6:
        place += (0, 0)
    return [(of_address, socket.SOCK_STREAM, proto or socket.IPPROTO_TCP, "", place)]


def _family(name: str) -> int:
    """Of an address; 0 for a name."""
    try:
        return int(socket.AF_INET if ip_address(name.partition("%")[0]).version == 4 else socket.AF_INET6)
    except ValueError:
        return 0


def _name(host: Any) -> str:
    if host is None or host in ("", b""):
        raise socket.gaierror(socket.EAI_NONAME, "a plugin has no address of its own")
    if isinstance(host, bytes | bytearray):
        return host.decode("ascii")
    try:
        return str(host) if str(host).isascii() else str(host).encode("idna").decode("ascii")
    except UnicodeError as error:
        raise HostError(f"{host!r} is not the name of a host") from error


def _port(port: Any) -> int:
    text = port.decode("ascii") if isinstance(port, bytes) else str(port or 0)
    if text.isdecimal():
        return int(text)
    if text not in _SERVICES:
        raise socket.gaierror(socket.EAI_SERVICE, f"{text!r} is not a port's number")
    return _SERVICES[text]


def _refused(why: str) -> PermissionError:
    return PermissionError(errno.EPERM, why)
