"""A certificate for a server of a test, and a proxy through which it is reached."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


def certificate(directory: Path) -> Path:
    """A self-signed certificate for 127.0.0.1 and its key, in one PEM file; `authority.pem` beside it has no key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "registry of a test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + made.public_bytes(Encoding.PEM)
    (directory / "server.pem").write_bytes(pem)
    (directory / "authority.pem").write_bytes(made.public_bytes(Encoding.PEM))
    return directory / "server.pem"


def server_context(pem: Path) -> ssl.SSLContext:
    """What a server with this certificate speaks TLS with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


@dataclass(kw_only=True)
class Proxy:
    """A running proxy that tunnels; `heads` are the requests it got, in full."""

    url: str
    heads: list[bytes] = field(default_factory=list)
    answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n"


@contextlib.contextmanager
def proxy() -> Iterator[Proxy]:
    """Inside, a proxy runs on loopback that connects to wherever it is asked to."""
    with socket.create_server(("127.0.0.1", 0)) as server, contextlib.ExitStack() as open_sockets:
        running = Proxy(url=f"http://127.0.0.1:{server.getsockname()[1]}")
        threads: list[threading.Thread] = []

        def start(*work: object) -> None:
            thread = threading.Thread(target=work[0], args=work[1:], daemon=True)  # type: ignore[arg-type]
            threads.append(thread)
            thread.start()

        def tunnel(client: socket.socket) -> None:
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(4096)
            running.heads.append(head)
            client.sendall(running.answer)
            host, _, port = head.split()[1].decode().rpartition(":")
            if b" 200 " in running.answer:
                upstream = open_sockets.enter_context(socket.create_connection((host, int(port))))
                start(pump, client, upstream)
                pump(upstream, client)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    start(tunnel, open_sockets.enter_context(server.accept()[0]))

        start(accept)
        yield running
        server.shutdown(socket.SHUT_RDWR)
        threads[0].join()


def pump(source: socket.socket, target: socket.socket) -> None:
    """Everything from one to the other, until one ends."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
