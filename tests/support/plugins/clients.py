"""A plugin whose checks are clients: each fetches the URL that `props` names, and says what it got."""

from typing import Any

from assess_plugin import ActionInput, ActionOutput, CheckResult, HostError, Outcome, hookimpl
from assess_plugin.shim import shim


@hookimpl
def assess_execute(input: ActionInput) -> ActionOutput:
    results = []
    for check in input.checks:
        with input.host.attribute(check):
            try:
                with shim(input.host):
                    said = globals()[check.replace("-", "_")](input.props["url"], input)
            except Exception as error:
                said = f"{type(error).__name__}: {_first(error)}"
        results.append(CheckResult(check_id=check, outcome=Outcome.PASS, actual=str(said)[:4000]))
    return ActionOutput(results=tuple(results))


def _first(error: BaseException) -> BaseException:
    """The host's word, whatever the client has wrapped it in."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, HostError | PermissionError):
            return found
        inner = found.exceptions[0] if isinstance(found, BaseExceptionGroup) else None
        found = inner or found.__cause__ or found.__context__
    return error


def requests(url: str, _: ActionInput) -> Any:
    import requests as client

    with client.Session() as session:
        return session.get(url, timeout=10).text


def httpx(url: str, _: ActionInput) -> Any:
    import httpx as client

    with client.Client(trust_env=False) as session:
        return session.get(url, timeout=10).text


def httpx_async(url: str, _: ActionInput) -> Any:
    import asyncio

    import httpx as client

    async def get() -> str:
        async with client.AsyncClient(trust_env=False) as session:
            return (await session.get(url, timeout=10)).text

    return asyncio.run(get())


def requests_tls(url: str, input: ActionInput) -> Any:
    import requests as client

    with open("authority.pem", "w") as file:  # noqa: PTH123
        file.write(input.props["authority"])
    with client.Session() as session:
        return session.get(url, timeout=10, verify="authority.pem").text


def httpx_async_tls(url: str, input: ActionInput) -> Any:
    import asyncio
    import ssl

    import httpx as client

    async def get() -> str:
        context = ssl.create_default_context(cadata=input.props["authority"])
        async with client.AsyncClient(trust_env=False, verify=context) as session:
            return (await session.get(url, timeout=10)).text

    return asyncio.run(get())


def boto3(url: str, _: ActionInput) -> Any:
    import boto3 as client  # type: ignore[import-not-found, unused-ignore]

    session = client.session.Session(
        aws_access_key_id="AKIAEXAMPLE", aws_secret_access_key="not one", region_name="us-east-1"
    )
    return session.client("s3", endpoint_url=url).list_buckets()["Buckets"][0]["Name"]


def urllib(url: str, _: ActionInput) -> Any:
    from urllib.request import ProxyHandler, build_opener

    with build_opener(ProxyHandler({})).open(url, timeout=10) as answer:
        return answer.read().decode()


def create_connection(url: str, _: ActionInput) -> Any:
    import socket

    with socket.create_connection(_place(url), timeout=10) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _spoken(sock)


def streams(url: str, _: ActionInput) -> Any:
    import asyncio

    async def get() -> str:
        reader, writer = await asyncio.open_connection(*_place(url))
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        said = (await reader.read()).rpartition(b"\r\n\r\n")[2].decode()
        writer.close()
        await writer.wait_closed()
        return said

    return asyncio.run(get())


def by_itself(url: str, input: ActionInput) -> Any:
    with input.host.connect(*_place(url)) as sock:
        return _spoken(sock)


def kept(url: str, input: ActionInput) -> Any:
    """Connects in one call, and speaks in the next."""
    if not _KEPT:
        _KEPT.append(input.host.connect(*_place(url)))
        return "kept"
    return _spoken(_KEPT[0])


def kept_on_its_way(url: str, input: ActionInput) -> Any:
    """The same, and between the two calls it has no descriptor of it."""
    import socket

    if _KEPT:
        _, (received,), _, _ = socket.recv_fds(_KEPT[1], 1, 1)
        return _spoken(socket.socket(fileno=received))
    _KEPT.extend(socket.socketpair())
    with input.host.connect(*_place(url)) as made:
        socket.send_fds(_KEPT[0], [b"x"], [made.fileno()])
    return "kept"


def kept_by_a_thread(url: str, input: ActionInput) -> Any:
    """The same: a thread waits for what comes, and nobody has a descriptor."""
    import os
    import threading
    import time

    if _KEPT:
        return "heard" if _KEPT[0].is_alive() else "silence"
    made = input.host.connect(*_place(url)).detach()
    _KEPT.append(threading.Thread(target=os.read, args=(made, 100), daemon=True))
    _KEPT[0].start()
    time.sleep(0.2)  # it waits in the kernel by then
    os.close(made)
    return "kept"


def counts(url: str, input: ActionInput) -> Any:
    """How often this process has connected; each time it closes what it got."""
    by_itself(url, input)
    _KEPT.append(None)
    return len(_KEPT)


_KEPT: list[Any] = []


def datagram(url: str, _: ActionInput) -> Any:
    import socket

    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", _place(url))


def unix(url: str, _: ActionInput) -> Any:
    import socket

    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(url.partition("//")[2])
        return _spoken(sock)


def listener(_: str, __: ActionInput) -> Any:
    import socket

    return socket.create_server(("127.0.0.1", 0)).getsockname()


def before_the_shim(url: str, _: ActionInput) -> Any:
    """The C half of `socket`, which nobody has replaced."""
    import _socket

    sock = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    sock.connect(_place(url))
    return "connected"


def _place(url: str) -> tuple[str, int]:
    host, _, port = url.split("/")[2].rpartition(":")
    return host.strip("[]"), int(port)


def _spoken(sock: Any) -> str:
    sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
    said = b""
    while data := sock.recv(1000):
        said += data
    return said.rpartition(b"\r\n\r\n")[2].decode()
