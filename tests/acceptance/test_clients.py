"""Clients that know nothing of a host work through the shim in an isolated worker, and reach what is granted alone."""

import asyncio
import socket
import threading
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from assess_core.errors import FaultKind, PluginFault
from assess_core.host import CallReport, Isolation, Supervisor
from assess_plugin import ActionInput, Subject
from tests.acceptance.test_real_wheels import downloaded
from tests.support.installed import host_config, make_program
from tests.support.tls import certificate, server_context

HTTPX = ("httpx", "httpcore", "h11", "anyio", "sniffio", "idna", "certifi", "typing-extensions")
REQUESTS = ("requests", "urllib3", "idna", "certifi", "charset-normalizer")
BOTO3 = ("boto3", "botocore", "jmespath", "s3transfer", "python-dateutil", "six", "urllib3")
CLIENTS = {
    "requests": REQUESTS,
    "httpx": HTTPX,
    "httpx-async": HTTPX,
    "boto3": BOTO3,
    "urllib": (),
    "create-connection": (),
    "streams": (),
    "by-itself": (),
}
"""Client -> the projects that it needs."""

BUCKETS = (
    b'<?xml version="1.0"?><ListAllMyBucketsResult><Owner><ID>o</ID></Owner>'
    b"<Buckets><Bucket><Name>hello</Name></Bucket></Buckets></ListAllMyBucketsResult>"
)


class _Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = BUCKETS if "AWS4" in self.headers.get("Authorization", "") else b"hello"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Hello) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield int(server.server_address[1])
        server.shutdown()
        thread.join()


def say(
    root: Path,
    check: str,
    url: str,
    *network: str,
    isolation: Isolation = "required",
    props: Mapping[str, str] | None = None,
) -> CallReport:
    entries = ", ".join(f'"{entry}"' for entry in network)
    installed = make_program(root, "clients", checks=(check,), permissions=f"network = [{entries}]", api=">=1.2,<2")
    limits = replace(installed.manifest.limits, memory_mib=1024)
    installed = replace(installed, manifest=replace(installed.manifest, limits=limits))
    for project in CLIENTS.get(check.removesuffix("-tls"), ()):
        with zipfile.ZipFile(downloaded(project)) as wheel:
            wheel.extractall(installed.site_packages)

    async def run() -> CallReport:
        supervisor = Supervisor(installed, host_config(root, isolation=isolation))
        subject = Subject(id="x", type="component", title="x", props={"url": url, **(props or {})})
        try:
            given = ActionInput(subject=subject, checks=(check,), settings={})
            return await supervisor.execute("it", given, timeout_s=60)
        finally:
            await supervisor.stop()

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("check", "calls"),
    [
        ("kept", ["kept", "kept"]),
        ("kept-by-a-thread", ["kept", "kept"]),
        ("counts", ["1", "2"]),
    ],
)
def test_a_connection_ends_with_its_call(tmp_path: Path, port: int, check: str, calls: list[str]) -> None:
    """Kept for the next call, it would be used there without being on record; who keeps none lives on: the control."""
    installed = make_program(
        tmp_path, "clients", checks=(check,), permissions=f'network = ["127.0.0.1:{port}"]', api=">=1.2,<2"
    )

    async def run() -> list[str]:
        supervisor = Supervisor(installed, host_config(tmp_path))
        subject = Subject(id="x", type="component", title="x", props={"url": f"http://127.0.0.1:{port}/"})
        given = ActionInput(subject=subject, checks=(check,), settings={})
        try:
            return [said(await supervisor.execute("it", given, timeout_s=60)) for _ in calls]
        finally:
            await supervisor.stop()

    assert asyncio.run(run()) == calls


def test_a_connection_cannot_be_kept_on_its_way(tmp_path: Path, port: int) -> None:
    """In flight through a socket of the worker's own: a new worker serves the next call, or a limit ends the first."""
    installed = make_program(
        tmp_path,
        "clients",
        checks=("kept-on-its-way",),
        permissions=f'network = ["127.0.0.1:{port}"]',
        api=">=1.2,<2",
    )

    async def run() -> list[str]:
        supervisor = Supervisor(installed, host_config(tmp_path))
        subject = Subject(id="x", type="component", title="x", props={"url": f"http://127.0.0.1:{port}/"})
        given = ActionInput(subject=subject, checks=("kept-on-its-way",), settings={})
        ends = []
        try:
            for _ in range(2):
                try:
                    ends.append(said(await supervisor.execute("it", given, timeout_s=60)))
                except PluginFault as fault:
                    ends.append(fault.kind)
        finally:
            await supervisor.stop()
        return ends

    assert set(asyncio.run(run())) <= {"kept", FaultKind.LIMIT}


def said(report: CallReport) -> str:
    return str(report.output.results[0].actual)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_reaches_what_is_granted(tmp_path: Path, port: int, client: str) -> None:
    report = say(tmp_path, client, f"http://127.0.0.1:{port}/", f"127.0.0.1:{port}")
    assert said(report) == "hello"
    assert report.held.isolation == "full"
    assert {"connect": f"127.0.0.1:{port}", "address": "127.0.0.1"} in [use.what for use in report.provenance]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_reaches_nothing_else(tmp_path: Path, port: int, client: str) -> None:
    """Another port than the one that is granted, and another name of the same address."""
    granted = f"127.0.0.1:{port}"
    for peer, instead in ((granted, "127.0.0.1:1"), (f"127.0.0.2:{port}", granted)):
        report = say(tmp_path / peer, client, f"http://{peer}/", instead)
        assert f'{peer} is not permitted: add "{peer}" to permissions.network' in said(report)
        assert {"denied": {"connect": peer}} in [use.what for use in report.provenance]


@pytest.mark.parametrize("client", ["requests-tls", "httpx-async-tls"])
def test_tls_stays_the_clients(tmp_path: Path, client: str) -> None:
    """And fails as it should: the same server under a name that its certificate does not have."""
    pem = certificate(tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Hello) as server:
        server.socket = server_context(pem).wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.server_address[1]
        props = {"authority": (tmp_path / "authority.pem").read_text()}
        try:
            for host, expected in (("127.0.0.1", "hello"), ("localhost", "CERTIFICATE_VERIFY_FAILED")):
                (root := tmp_path / host).mkdir()
                report = say(root, client, f"https://{host}:{port}/", f"{host}:{port}", props=props)
                assert expected in said(report)
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("client", ["requests", "httpx", "httpx-async", "urllib", "streams"])
def test_names_are_handed_on_and_resolved_by_the_runtime(tmp_path: Path, port: int, client: str) -> None:
    report = say(tmp_path, client, f"http://localhost:{port}/", f"localhost:{port}")
    assert said(report) == "hello"
    assert [use.what["connect"] for use in report.provenance] == [f"localhost:{port}"]


@pytest.mark.parametrize(
    ("check", "refused"),
    [
        ("datagram", "PermissionError: [Errno 1] a plugin has no sockets but TCP connections"),
        ("listener", "PermissionError: [Errno 1] a plugin's connection has no address of its own"),
        ("unix", "PermissionError: [Errno 1] Operation not permitted"),
        ("before-the-shim", "PermissionError: [Errno 1] Operation not permitted"),
    ],
)
def test_other_sockets_are_refused(tmp_path: Path, port: int, check: str, refused: str) -> None:
    assert refused in said(say(tmp_path, check, f"http://127.0.0.1:{port}/", f"127.0.0.1:{port}"))


def test_without_isolation_the_same_probes_succeed(tmp_path: Path, port: int) -> None:
    """The control: it was the sandbox that stopped what goes past the shim."""
    report = say(tmp_path / "1", "before-the-shim", f"http://127.0.0.1:{port}/", isolation="off")
    assert said(report) == "connected"
    with socket.socket(socket.AF_UNIX) as server:
        place = str(tmp_path / "unix")
        server.bind(place)
        server.listen()
        threading.Thread(target=_answer, args=(server,)).start()
        assert said(say(tmp_path / "2", "unix", f"unix://{place}", isolation="off")) == "hello"


def _answer(server: socket.socket) -> None:
    with server.accept()[0] as sock:
        sock.recv(1000)
        sock.sendall(b"\r\n\r\nhello")
