"""The development server, as a process: what it answers to honest clients, what it refuses, and how it ends."""

import http.client
import re
import shutil
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from assess_registry.cli import main
from assess_registry.config import CONFIG_NAME, IndexConfig
from assess_registry.index.create import create_index
from assess_registry.index.pages import JSON_TYPE
from assess_registry.serve.server import MAX_HEAD_BYTES
from tests.support.air_gap import Gap
from tests.support.approved_place import ApprovedPlace
from tests.support.registry_tree import copy_registry_tree
from tests.support.served import first_line, registry_process, registry_server

WHEEL = b"PK" + bytes(range(256)) * 1000
WHEEL_PATH = "/files/demo-plugin/1.0.0/demo_plugin-1.0.0-py3-none-any.whl"
SECRETS = {
    ".submissions/0f/statement.json": "nobody approved it",
    ".staged/root.json": "nobody signed it",
    "files/release.key": "PRIVATE",
    "keys/online/main.key": "PRIVATE",
    "simple/.tmp-0f": "half a page",
    "notes.txt": "not listed",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    root: Path
    host: str

    def ask(self, path: str, *, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        """One request, its path exactly as given; header names with `_` for `-`."""
        connection = http.client.HTTPConnection(self.host, timeout=60)
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers=sent)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("served") / "registry"
    create_index(root, IndexConfig(name="test", development=True))
    page = root / "simple" / "demo-plugin"
    files = {
        f".{WHEEL_PATH}": WHEEL,
        f".{WHEEL_PATH}.metadata": b"Name: demo-plugin\n",
        f".{WHEEL_PATH}.sig": b"AA==\n",
    }
    files |= {name: text.encode() for name, text in SECRETS.items()}
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    page.mkdir()
    (page / "index.html").write_text("<a>html</a>")
    (page / "index.json").write_text('{"name": "demo-plugin"}')
    (root / "files" / "out").symlink_to("/etc")
    (root / "files" / "in").symlink_to("../.submissions")
    with registry_server(root) as url:
        yield Server(root=root, host=urlsplit(url).netloc)


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        (WHEEL_PATH, "application/octet-stream"),
        (f"{WHEEL_PATH}.metadata", "text/plain; charset=utf-8"),
        (f"{WHEEL_PATH}.sig", "text/plain; charset=utf-8"),
        ("/plugins.json", "application/json"),
        ("/simple/index.json", JSON_TYPE),
        ("/simple/index.html", "text/html; charset=utf-8"),
    ],
)
def test_a_file_is_sent_whole_under_its_type(path: str, media_type: str, server: Server) -> None:
    status, headers, body = server.ask(path)
    data = (server.root / path.removeprefix("/")).read_bytes()
    assert (status, headers["content-type"], body) == (200, media_type, data)
    assert headers["content-length"] == str(len(data))
    assert headers["x-content-type-options"] == "nosniff"
    head = server.ask(path, method="HEAD")
    assert (head[0], head[1]["content-length"], head[2]) == (200, str(len(data)), b"")


@pytest.mark.parametrize(
    ("accept", "query", "status", "media_type"),
    [
        ("", "", 200, "text/html; charset=utf-8"),
        ("*/*", "", 200, "text/html; charset=utf-8"),
        (f"{JSON_TYPE}, text/html;q=0.1", "", 200, JSON_TYPE),
        (f"{JSON_TYPE};q=0.1, text/html", "", 200, "text/html; charset=utf-8"),
        ("application/vnd.pypi.simple.v1+html", "", 200, "application/vnd.pypi.simple.v1+html"),
        ("text/html", "?format=application/vnd.pypi.simple.v1%2Bjson", 200, JSON_TYPE),
        ("text/html", "?format=application/vnd.pypi.simple.v1+json", 200, JSON_TYPE),
        ("text/html", "?format=application/vnd.pypi.simple.latest%2Bjson&x=1", 200, JSON_TYPE),
        ("text/html", "?format=application/xml", 406, "text/plain; charset=utf-8"),
        ("application/json", "", 406, "text/plain; charset=utf-8"),
    ],
)
@pytest.mark.parametrize("page", ["/simple/", "/simple/demo-plugin/"])
def test_a_page_comes_in_the_form_that_was_asked_for(
    page: str, accept: str, query: str, status: int, media_type: str, server: Server
) -> None:
    got, headers, body = server.ask(page + query, Accept=accept)
    assert (got, headers["content-type"], headers["vary"]) == (status, media_type, "Accept")
    if status == 200:
        name = "index.json" if "json" in media_type else "index.html"
        assert body == (server.root / page.removeprefix("/") / name).read_bytes()
    else:
        assert JSON_TYPE.encode() in body  # it says what is to be had


@pytest.mark.parametrize(
    ("path", "to"),
    [
        ("/", "/simple/"),
        ("/simple", "/simple/"),
        ("/simple/demo-plugin", "/simple/demo-plugin/"),
        ("/simple/Demo_Plugin/", "/simple/demo-plugin/"),
        ("/simple/Demo.Plugin", "/simple/demo-plugin/"),
    ],
)
def test_another_spelling_leads_to_the_page(path: str, to: str, server: Server) -> None:
    status, headers, _ = server.ask(path)
    assert (status in (301, 307), headers["location"]) == (True, to)


@pytest.mark.parametrize(
    ("given", "status", "content_range", "data"),
    [
        ("bytes=0-0", 206, f"bytes 0-0/{len(WHEEL)}", WHEEL[:1]),
        ("bytes=100-199", 206, f"bytes 100-199/{len(WHEEL)}", WHEEL[100:200]),
        ("bytes=256000-", 206, f"bytes 256000-{len(WHEEL) - 1}/{len(WHEEL)}", WHEEL[256000:]),
        ("bytes=-10", 206, f"bytes {len(WHEEL) - 10}-{len(WHEEL) - 1}/{len(WHEEL)}", WHEEL[-10:]),
        ("bytes=10-9999999", 206, f"bytes 10-{len(WHEEL) - 1}/{len(WHEEL)}", WHEEL[10:]),
        ("bytes=9999999-", 416, f"bytes */{len(WHEEL)}", None),
        # Several at once may be had for the asking of one, and cost more: all instead.
        ("bytes=0-1,5-6", 200, None, WHEEL),
        # What is no range of bytes is not looked at (RFC 9110, 14.2).
        ("items=0-1", 200, None, WHEEL),
        ("bytes=abc", 200, None, WHEEL),
        ("bytes=-", 200, None, WHEEL),
        ("bytes=--5", 200, None, WHEEL),
    ],
)
def test_a_range(given: str, status: int, content_range: str | None, data: bytes | None, server: Server) -> None:
    got, headers, body = server.ask(WHEEL_PATH, Range=given)
    assert (got, headers.get("content-range")) == (status, content_range)
    assert headers.get("accept-ranges", "bytes") == "bytes"
    if data is not None:
        assert body == data


def test_a_range_of_what_has_changed_since_is_all_of_it(server: Server) -> None:
    etag = server.ask(WHEEL_PATH)[1]["etag"]
    assert server.ask(WHEEL_PATH, Range="bytes=0-3", If_Range=etag)[::2] == (206, WHEEL[:4])
    assert server.ask(WHEEL_PATH, Range="bytes=0-3", If_Range='"another"')[::2] == (200, WHEEL)
    assert server.ask(WHEEL_PATH, Range="bytes=0-3", If_Range=f"W/{etag}")[::2] == (200, WHEEL)


def test_what_a_client_has_is_not_sent_again_until_it_changes(server: Server) -> None:
    page = "/simple/demo-plugin/"
    path = server.root / "simple/demo-plugin/index.json"
    before = path.read_bytes()
    etag = server.ask(page, Accept=JSON_TYPE)[1]["etag"]
    status, headers, body = server.ask(page, Accept=JSON_TYPE, If_None_Match=f'"x", {etag}')
    assert (status, headers["etag"], headers["vary"], body) == (304, etag, "Accept", b"")
    assert server.ask(page, Accept="text/html", If_None_Match=etag)[0] == 200  # another form is another thing
    # As a publish does: another file in its place, of the same size.
    (path.parent / ".tmp-1").write_bytes(before.replace(b"demo", b"emod"))
    (path.parent / ".tmp-1").rename(path)
    assert server.ask(page, Accept=JSON_TYPE, If_None_Match=etag)[0] == 200
    path.write_bytes(before)


@pytest.mark.parametrize(
    "path",
    [
        *(f"/{name}" for name in SECRETS),
        f"/{CONFIG_NAME}",
        "/.lock",
        "/files/../.submissions/0f/statement.json",
        "/files/%2e%2e/.submissions/0f/statement.json",
        "/files/%2e%2e%2f.submissions%2f0f%2fstatement.json",
        "/files/..%5c.submissions%5c0f%5cstatement.json",
        "/files/%252e%252e/registry.toml",
        "/files//etc/passwd",
        "//etc/passwd",
        "/files/out/passwd",
        "/files/in/0f/statement.json",
        "/files/%2E%73ubmissions/x",
        "/%2esubmissions/0f/statement.json",
        "/simple/%00",
        "/simple/%ff%fe/",
        f"{WHEEL_PATH}/",
        f"{WHEEL_PATH}/x",
        "/files/",
        "/files/demo-plugin/1.0.0/",
        "/simple/nothing/",
    ],
)
def test_what_is_not_published_is_not_there(path: str, server: Server) -> None:
    status, headers, body = server.ask(path)
    assert (status, headers["content-type"]) == (404, "text/plain; charset=utf-8")
    assert body == b"404: nothing of this name is published here\n"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_but_reading(method: str, server: Server) -> None:
    status, headers, _ = server.ask("/simple/", method=method)
    assert (status, headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_only_who_asks_for_this_machine_gets_an_answer(host: str, server: Server) -> None:
    assert server.ask("/plugins.json", Host=host)[0] in (400, 421)
    port = server.host.rpartition(":")[2]
    for name in ("127.0.0.1", "localhost"):
        assert server.ask("/plugins.json", Host=f"{name}:{port}")[0] == 200


def test_a_request_that_is_too_long_is_refused(server: Server) -> None:
    assert server.ask("/simple/", X_Long="x" * 15_000)[0] == 200
    with socket.create_connection(("127.0.0.1", int(server.host.rpartition(":")[2])), timeout=60) as client:
        client.sendall(f"GET /simple/ HTTP/1.1\r\nHost: {server.host}\r\nX: ".encode() + b"x" * 300_000)
        assert client.recv(12) == b"HTTP/1.1 400"


def head(host: str, size: int, filler: bytes = b"x", *, more: bool = False) -> bytes:
    """A request's head of so many bytes; the last of its connection, or there are `more`."""
    connection = "keep-alive" if more else "close"
    begin = f"GET /plugins.json HTTP/1.1\r\nHost: {host}\r\nConnection: {connection}\r\nX: x".encode()
    end = b"x\r\n\r\n"
    return begin + filler * (size - len(begin) - len(end)) + end


def statuses(host: str, *pieces: bytes) -> list[int]:
    """The statuses of all answers to what is sent, until the server ends the connection."""
    received = b""
    with socket.create_connection(("127.0.0.1", int(host.rpartition(":")[2])), timeout=60) as client:
        for piece in pieces:
            client.sendall(piece)
        while data := _received(client):
            received += data
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+)", received)]


@pytest.mark.parametrize("filler", [b"x", b" "])
def test_a_head_is_bounded_to_the_byte_also_when_it_comes_at_once(filler: bytes, server: Server) -> None:
    assert statuses(server.host, head(server.host, MAX_HEAD_BYTES, filler)) == [200]
    for size in (MAX_HEAD_BYTES + 1, 20_000, 250_000):
        assert statuses(server.host, head(server.host, size, filler)) == [400], size
    short, long = head(server.host, 200, more=True), head(server.host, 20_000, filler)
    assert statuses(server.host, short + head(server.host, 200)) == [200, 200]  # the control
    assert statuses(server.host, short + long) == [200, 400]
    assert statuses(server.host, short, long) == [200, 400]


def test_a_body_that_nobody_wants_is_not_waited_for(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", int(server.host.rpartition(":")[2])), timeout=60) as client:
        client.sendall(
            f"GET /plugins.json HTTP/1.1\r\nHost: {server.host}\r\nContent-Length: 99999999999\r\n\r\n".encode()
        )
        assert client.recv(15).startswith(b"HTTP/1.1 200")


GARBAGE = {
    "no request": [b"\x16\x03\x01\x02\x00\r\n\r\n"],
    "no request, twice": [b"GARBAGE\r\n\r\n", b"GARBAGE\r\n\r\n"],
    "a body that is none": [b"POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n"],
    "a body that becomes none": [
        b"GET /files/large HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"1\r\nx\r\n" + b"ZZZ\r\n",
    ],
    "a body and garbage": [b"GET / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1\r\n\r\nxGARBAGE\r\n\r\n"],
    "garbage behind a request": [b"GET / HTTP/1.1\r\nHost: HOST\r\n\r\nGARBAGE\r\n\r\n"],
    "garbage behind the last": [b"GET / HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\nGARBAGE\r\n\r\n"],
    "half a body": [b"GET / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 9\r\n\r\nx"],
    "a wait for 100": [b"GET / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"],
    "another protocol": [b"GET / HTTP/1.1\r\nHost: HOST\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"],
    "a tunnel": [b"CONNECT HOST HTTP/1.1\r\nHost: HOST\r\n\r\n", b"GARBAGE"],
    "HTTP/1.0": [b"GET / HTTP/1.0\r\nHost: HOST\r\n\r\nGARBAGE"],
    "two lengths": [b"GET / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"],
    "no host": [b"GET / HTTP/1.1\r\n\r\n"],
    "two hosts": [b"GET / HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n\r\n"],
    "nothing": [b""],
}


def test_whatever_comes_is_answered_or_ended_and_is_no_failure(tmp_path: Path) -> None:
    create_index(tmp_path, IndexConfig(name="test"))
    (tmp_path / "files").mkdir()
    (tmp_path / "files/large").write_bytes(bytes(64 << 20))
    with registry_process(tmp_path, before="import assess_registry.serve.server as s; s.IDLE_S = 1") as process:
        assert process.stdout is not None
        host = urlsplit(first_line(process.stdout)).netloc
        got = {
            name: statuses(host, *(piece.replace(b"HOST", host.encode()) for piece in pieces))
            for name, pieces in GARBAGE.items()
        }
        assert statuses(host, head(host, 200)) == [200]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert process.stderr is not None
        said = process.stderr.read()
    assert "Traceback" not in said
    assert "rror" not in said
    assert got["no request"] == got["a body that is none"] == got["two lengths"] == got["two hosts"] == [400]
    assert got["garbage behind a request"] == [307, 400]
    assert got["garbage behind the last"] == got["half a body"] == got["HTTP/1.0"] == [307]
    assert got["a body that becomes none"] in ([200], [400])
    assert got["nothing"] == []


def test_a_site_is_served_as_a_registry_is(tmp_path: Path) -> None:
    tree = copy_registry_tree(tmp_path / "registry")
    gap = Gap(tree=tree, directory=tmp_path)
    gap.export()
    gap.take_in()
    with registry_server(gap.site) as url:
        server = Server(root=gap.site, host=urlsplit(url).netloc)
        status, _, page = server.ask("/simple/demo-plugin/", Accept=JSON_TYPE)
        assert (status, page) == (200, (gap.site / "simple/demo-plugin/index.json").read_bytes())
        assert server.ask("/metadata/timestamp.json")[0] == 200
        for hidden in (".import/trust/clock.json", ".lock", "status/search/?q=demo"):
            assert server.ask(f"/{hidden}")[0] == 404
        place = ApprovedPlace(tree=tree, state=tmp_path / "runtime", url=url)
        assert place.chain("demo-plugin").inspected.version == "1.0.0"


def test_a_copy_of_what_is_published_is_served_as_it_is(tmp_path: Path) -> None:
    """As docs/index.md makes one for a static host: what says that it is a registry, or a site, is not among it."""
    tree, copy = copy_registry_tree(tmp_path / "registry"), tmp_path / "public"
    for name in ("simple", "files", "metadata", "catalog", "control", "plugins", "status"):
        if (tree.root / name).exists():
            shutil.copytree(tree.root / name, copy / name)
    with registry_server(copy) as url:
        server = Server(root=copy, host=urlsplit(url).netloc)
        assert server.ask("/simple/demo-plugin/")[0] == 200
        static = (copy / "status/search/index.html").read_bytes()
        assert server.ask("/status/search/?q=demo")[::2] == (200, static), "as from any other host of files"
    shutil.rmtree(copy / "metadata")
    assert "no registry here" in refused(copy)


@pytest.mark.parametrize(
    "command",
    ["init", "init --development", "gc --index", "reindex --index", "keys list --index"],
)
def test_no_command_makes_a_registry_of_a_site(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An import would then refuse it, with all that it serves."""
    gap = Gap(tree=copy_registry_tree(tmp_path / "registry"), directory=tmp_path)
    gap.export()
    gap.take_in()
    before = gap.served()
    assert main([*command.split(), str(gap.site)]) == 2
    err = capsys.readouterr().err
    assert "a site, into which bundles are imported" in err
    assert "assess-registry init" not in err
    assert gap.served() == before
    assert gap.take_in().written == ()


QUICK = "import assess_registry.serve.server as server; server.REQUEST_S = server.CONNECTION_S = 2.0"


def connect(url: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), timeout=60)


def test_a_connection_that_asks_for_nothing_or_never_ends_is_ended(tmp_path: Path) -> None:
    create_index(tmp_path, IndexConfig(name="test"))
    (tmp_path / "files").mkdir()
    (tmp_path / "files/large").write_bytes(bytes(64 << 20))
    with registry_process(tmp_path, before=QUICK) as process:
        assert process.stdout is not None
        url = first_line(process.stdout)
        with connect(url) as mute, connect(url) as half, connect(url) as slow, connect(url) as honest:
            half.sendall(b"GET / HTTP/1.1\r\nHost: 127")
            slow.sendall(b"GET /files/large HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")  # and reads nothing of it
            honest.sendall(b"GET /plugins.json HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            assert b"200 OK" in honest.recv(1000)
            assert _received(mute) == _received(half) == b""
            # Only now: what was sent lies in buffers, and the rest never comes.
            assert 0 < sum(map(len, iter(lambda: _received(slow), b""))) < 64 << 20


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_also_in_the_middle_of_an_answer(number: signal.Signals, tmp_path: Path) -> None:
    create_index(tmp_path, IndexConfig(name="test"))
    (tmp_path / "files").mkdir()
    (tmp_path / "files/large").write_bytes(bytes(64 << 20))
    with registry_process(tmp_path, before="import assess_registry.serve.server as s; s.STOP_S = 1") as process:
        assert process.stdout is not None
        url = first_line(process.stdout)
        with connect(url) as idle, connect(url) as slow:
            slow.sendall(b"GET /files/large HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert slow.recv(12) == b"HTTP/1.1 200"
            process.send_signal(number)
            assert process.wait(60) == 0
            assert _received(idle) == b""
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def refused(root: Path, *arguments: str) -> str:
    with registry_process(root, *arguments) as process:
        _, error = process.communicate(timeout=60)
    assert process.returncode == 2
    return error


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_other_machines_are_let_in_only_under_a_frightening_name(host: str, tmp_path: Path) -> None:
    create_index(tmp_path, IndexConfig(name="test"))
    assert "--serve-unauthenticated-to-the-network" in refused(tmp_path, "--host", host)
    if host == "0.0.0.0":
        with registry_server(tmp_path, "--host", host, "--serve-unauthenticated-to-the-network") as url:
            answer = Server(root=tmp_path, host=f"127.0.0.1:{urlsplit(url).port}").ask(
                "/plugins.json", Host="mirror.lan"
            )
            assert answer[0] == 200


@pytest.mark.parametrize("library", ["starlette", "uvicorn"])
def test_without_its_extra_it_says_what_to_install(library: str, tmp_path: Path) -> None:
    create_index(tmp_path, IndexConfig(name="test"))
    with registry_process(tmp_path, before=f"import sys; sys.modules[{library!r}] = None") as process:
        _, error = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "assess-runtime[serve]" in error


def test_what_cannot_be_served_is_said(tmp_path: Path) -> None:
    assert CONFIG_NAME in refused(tmp_path)
    create_index(tmp_path, IndexConfig(name="test"))
    assert "expected an address" in refused(tmp_path, "--host", "example.org")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "cannot listen" in refused(tmp_path, "--port", str(taken.getsockname()[1]))


def _received(client: socket.socket) -> bytes:
    try:
        return client.recv(1 << 20)
    except ConnectionResetError:
        return b""
