"""A registry's directory served over real http on loopback, honest unless told how to misbehave.

with serve(root) as http:
    RegistryConfig(url=http.url, ...)
    http.answers["/simple/demo-plugin/index.json"] = redirect("https://evil.example/")
"""

import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PREFIX = "/registry"
"""Where the registry begins on its host, so that there is something outside of it."""

Answer = Callable[[BaseHTTPRequestHandler], None]
"""What a path does instead of giving its file."""


@dataclass(kw_only=True)
class HttpRegistry:
    """A running server.

    Attributes:
        url: its base.
        answers: path below the base, with a leading slash -> misbehaviour; may be changed while it runs.
        requests: paths asked for, in order, as in `answers`.
        stopping: set when the server goes down; an answer that never ends waits on it.
    """

    url: str
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def serve(root: Path, *, tls: ssl.SSLContext | None = None) -> Iterator[HttpRegistry]:
    """Inside, `root` is served under `url`; over https when a context with a certificate is given."""
    registry = HttpRegistry(url="")

    class Handler(SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # headers and body are two writes: the second would wait 40 ms for an answer

        def do_GET(self) -> None:
            if not self.path.startswith(PREFIX + "/"):
                self.send_error(404)
                return
            self.path = self.path.removeprefix(PREFIX)
            registry.requests.append(self.path)
            answer = registry.answers.get(self.path)
            if answer is None:
                super().do_GET()
            else:
                self.close_connection = True
                answer(self)

        def log_message(self, format: str, *args: Any) -> None:
            """Tests look at `requests`."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that refuses an answer hangs up in the middle of it; that is what is tested."""

    with Server(("127.0.0.1", 0), partial(Handler, directory=str(root))) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        registry.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_address[1]}{PREFIX}/"
        thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01), daemon=True)
        thread.start()
        try:
            yield registry
        finally:
            registry.stopping.set()
            server.shutdown()
            thread.join()


def status(code: int, body: bytes = b"<html>no</html>", **headers: str) -> Answer:
    """Answer with this status, a body and a correct length."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in ({"Content-Length": str(len(body))} | named).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def redirect(location: str, code: int = 302) -> Answer:
    """Answer that it lies elsewhere."""
    return status(code, Location=location)


def cut_short(announced: int, body: bytes) -> Answer:
    """Announce more than is sent, and hang up."""
    return status(200, body, Content_Length=str(announced))


def endless() -> Answer:
    """Send bytes without announcing how many, for as long as anybody takes them."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 65536)

    return answer


def drip(head: bytes, stopping: threading.Event, *, gap_s: float = 0.02) -> Answer:
    """Send `head`, then a byte at a time, for ever: each gap far below any timeout between two packets."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(head)
        while not stopping.wait(gap_s):
            handler.wfile.write(b"x")
            handler.wfile.flush()

    return answer
