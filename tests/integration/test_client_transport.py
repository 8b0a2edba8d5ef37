"""Reading a registry's files over `file:` and over real http: whole, bounded, in time, from this place alone."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from assess_registry.client.location import Location, parse_base
from assess_registry.client.transport import Deadline, Transport, open_transport
from assess_registry.errors import NotPublishedError, TransportError, TrustError
from tests.support.http_registry import HttpRegistry, cut_short, drip, endless, redirect, serve, status
from tests.support.tls import certificate, server_context

FILE = Location("files/demo/1.0+a/demo.bin")
PATH = "/files/demo/1.0%2Ba/demo.bin"
PLAIN = "/files/demo/1.0+a/demo.bin"
DATA = bytes(range(256)) * 1000
SHORT_S = 0.3
"""A whole operation's time in tests of slowness; everything on loopback that is not slow takes a hundredth."""
FAR_FROM_EVER_S = 30.0
"""What these servers do goes on without end: however slow the machine is, a deadline that is kept is kept by then."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "simple-index" / FILE
    path.parent.mkdir(parents=True)
    path.write_bytes(DATA)
    return tmp_path / "simple-index"


@pytest.fixture
def http(root: Path) -> Iterator[HttpRegistry]:
    with serve(root) as server:
        yield server


@pytest.fixture
def over_http(http: HttpRegistry) -> Iterator[Transport]:
    transport = open_transport(parse_base(http.url))
    yield transport
    transport.close()


@pytest.fixture(params=["file", "http"])
def transport(request: pytest.FixtureRequest, root: Path) -> Iterator[Transport]:
    if request.param == "http":
        yield request.getfixturevalue("over_http")
    else:
        yield open_transport(parse_base(root.as_uri()))


def read(transport: Transport, location: str = FILE, *, max_bytes: int = len(DATA), timeout_s: float = 60.0) -> bytes:
    return transport.read(Location(location), max_bytes=max_bytes, deadline=Deadline.after(timeout_s))


def test_file_of_exactly_the_allowed_size_is_read(transport: Transport) -> None:
    assert read(transport) == DATA


def test_first_excess_byte_is_refused(transport: Transport) -> None:
    with pytest.raises(TrustError) as caught:
        read(transport, max_bytes=len(DATA) - 1)
    assert caught.value.step == "length"
    assert caught.value.expected == f"at most {len(DATA) - 1} bytes"
    assert caught.value.thing.endswith("demo.bin")
    assert read(transport) == DATA


@pytest.mark.parametrize("missing", ["files/demo/2.0/demo.bin", "files/nothing/at/all", f"{FILE}/below"])
def test_missing_file_is_not_published(transport: Transport, missing: str) -> None:
    with pytest.raises(NotPublishedError) as caught:
        read(transport, missing)
    assert caught.value.url.endswith(missing.rpartition("/")[2])


def test_passed_deadline_is_no_answer(transport: Transport) -> None:
    with pytest.raises(TransportError, match="not complete within 5 s"):
        transport.read(
            FILE, max_bytes=1, deadline=Deadline(timeout_s=5, ends_at=time.monotonic(), clock=time.monotonic)
        )


def test_directory_that_is_no_registry_says_so(tmp_path: Path) -> None:
    with pytest.raises(TransportError, match="there is no registry here") as caught:
        read(open_transport(parse_base((tmp_path / "elsewhere").as_uri())))
    assert not isinstance(caught.value, NotPublishedError)


def test_fifo_in_a_registry_does_not_hang(root: Path) -> None:
    os.mkfifo(root / "files" / "pipe")
    with pytest.raises(TransportError, match="no regular file"):
        read(open_transport(parse_base(root.as_uri())), "files/pipe")


def test_nothing_listening_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    transport = open_transport(parse_base(f"http://127.0.0.1:{port}/"))
    with pytest.raises(TransportError, match="cannot be reached") as caught:
        read(transport)
    assert not isinstance(caught.value, NotPublishedError)
    transport.close()


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("to", ["https://evil.example/demo.bin", "file:///etc/passwd", "other.bin", PLAIN + "?again"])
def test_redirect_is_refused_wherever_it_leads(http: HttpRegistry, over_http: Transport, code: int, to: str) -> None:
    assert read(over_http) == DATA
    http.answers[PLAIN] = redirect(to, code)
    with pytest.raises(TrustError) as caught:
        read(over_http)
    assert caught.value.step == "redirect"
    assert to in caught.value.got
    assert http.requests == [PLAIN, PLAIN]


@pytest.mark.parametrize("to", ["http://x\x01y/", "http://\x7f", "https://[::1", "http://a:99999999/", "//", ""])
def test_redirect_to_what_is_no_url_is_refused_as_one(http: HttpRegistry, over_http: Transport, to: str) -> None:
    http.answers[PLAIN] = redirect(to)
    with pytest.raises(TrustError) as caught:
        read(over_http)
    assert (caught.value.step, caught.value.thing) == ("redirect", http.url + FILE)
    assert repr(to) in caught.value.got
    assert http.requests == [PLAIN]  # not asked twice, as a broken connection would be


@pytest.mark.parametrize("code", [201, 203, 206, 304, 400, 401, 403, 429, 500, 503])
def test_only_200_is_an_answer(http: HttpRegistry, over_http: Transport, code: int) -> None:
    http.answers[PLAIN] = status(code, b"" if code == 304 else DATA)
    with pytest.raises((TransportError, TrustError), match=str(code)) as caught:
        read(over_http)
    assert not isinstance(caught.value, NotPublishedError)
    http.answers[PLAIN] = status(200, DATA)
    assert read(over_http) == DATA


@pytest.mark.parametrize("code", [404, 410])
def test_error_page_is_never_taken_for_the_file(http: HttpRegistry, over_http: Transport, code: int) -> None:
    http.answers[PLAIN] = status(code, DATA)
    with pytest.raises(NotPublishedError, match=str(code)):
        read(over_http)


def test_file_cut_short_is_an_error_not_a_shorter_file(http: HttpRegistry, over_http: Transport) -> None:
    http.answers[PLAIN] = cut_short(len(DATA), DATA[:-1])
    with pytest.raises(TransportError, match="cut short"):
        read(over_http)
    http.answers[PLAIN] = cut_short(len(DATA) - 1, DATA[:-1])
    assert read(over_http) == DATA[:-1]


def test_announced_excess_is_refused_before_it_is_read(http: HttpRegistry, over_http: Transport) -> None:
    http.answers[PLAIN] = cut_short(10**15, b"")
    with pytest.raises(TrustError, match="announced") as caught:
        read(over_http)
    assert caught.value.step == "length"


def test_endless_body_is_stopped_at_its_bound(http: HttpRegistry, over_http: Transport) -> None:
    http.answers[PLAIN] = endless()
    with pytest.raises(TrustError, match="so far") as caught:
        read(over_http)
    assert caught.value.step == "length"


def test_bytes_that_were_packed_on_the_way_are_refused(http: HttpRegistry, over_http: Transport) -> None:
    http.answers[PLAIN] = status(200, DATA, Content_Encoding="gzip")
    with pytest.raises(TransportError, match="gzip"):
        read(over_http)
    http.answers[PLAIN] = status(200, DATA, Content_Encoding="identity")
    assert read(over_http) == DATA


def test_garbage_instead_of_http_is_a_transport_error(http: HttpRegistry, over_http: Transport) -> None:
    def garbage(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"\x16\x03\x01 garbage\r\n\r\n")

    http.answers[PLAIN] = garbage
    with pytest.raises(TransportError, match="not http"):
        read(over_http)


HEADS = {
    "silent": b"",
    "headers": b"HTTP/1.1 200 OK\r\nX-Slow: ",
    "body": b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
    "chunk size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
}


@pytest.mark.parametrize("where", HEADS)
def test_drip_ends_at_the_deadline_of_the_whole(http: HttpRegistry, over_http: Transport, where: str) -> None:
    http.answers[PLAIN] = drip(HEADS[where], http.stopping)
    began = time.monotonic()
    with pytest.raises(TransportError, match=f"not complete within {SHORT_S} s"):
        read(over_http, timeout_s=SHORT_S)
    assert SHORT_S <= time.monotonic() - began < FAR_FROM_EVER_S
    del http.answers[PLAIN]
    assert read(over_http) == DATA


def test_endless_interim_answers_end_at_the_deadline(http: HttpRegistry, over_http: Transport) -> None:
    def interim(handler: BaseHTTPRequestHandler) -> None:
        while not http.stopping.wait(0.01):
            handler.wfile.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")

    http.answers[PLAIN] = interim
    with pytest.raises(TransportError, match="not complete within"):
        read(over_http, timeout_s=SHORT_S)


def test_server_that_accepts_and_never_speaks_tls_ends_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        transport = open_transport(parse_base(f"https://127.0.0.1:{server.getsockname()[1]}/"))
        began = time.monotonic()
        with pytest.raises(TransportError, match="not complete within"):
            read(transport, timeout_s=SHORT_S)
        assert time.monotonic() - began < FAR_FROM_EVER_S
        transport.close()


def test_plain_http_behind_an_https_url_is_not_believed(http: HttpRegistry) -> None:
    transport = open_transport(parse_base(http.url.replace("http:", "https:")))
    with pytest.raises(TransportError, match="cannot be reached"):
        read(transport)
    transport.close()
    assert http.requests == []


def test_https_needs_a_certificate_that_this_machine_trusts(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(root, tls=server_context(certificate(tmp_path))) as https:
        stranger = open_transport(parse_base(https.url))
        with pytest.raises(TransportError, match="certificate verify failed"):
            read(stranger)
        stranger.close()
        assert https.requests == []
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        transport = open_transport(parse_base(https.url))
        assert read(transport) == DATA
        https.answers[PLAIN] = redirect(https.url.replace("https", "http") + FILE)
        with pytest.raises(TrustError, match="redirects"):
            read(transport)
        transport.close()


def test_proxies_of_the_environment_are_not_used(http: HttpRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    transport = open_transport(parse_base(http.url))
    assert read(transport) == DATA
    transport.close()


def test_two_threads_may_share_a_transport(over_http: Transport) -> None:
    read_by: list[bytes] = []
    threads = [threading.Thread(target=lambda: read_by.append(read(over_http))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_by == [DATA] * 4
