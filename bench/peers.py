"""The other ends that peers need: processes started here, spoken to here, and ended here."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.place import PROGRAMS, ROOT

grpc: Any = import_module("grpc")  # has no types


@contextmanager
def process(argv: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process with pipes to and from it, ended afterwards by the end of its stdin."""
    started = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)
    with started:
        try:
            yield started
        finally:
            if started.stdin is not None:
                started.stdin.close()
            try:
                started.wait(timeout=10)
            except subprocess.TimeoutExpired:
                started.kill()


def children() -> list[int]:
    """Process ids of this process's children."""
    return [int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]


class GrpcPeer:
    """A server in another process, and a channel to it."""

    def __init__(self, channel: Any, pid: int) -> None:
        self._execute = channel.unary_unary("/bench.Plugin/Execute")
        self.pid = pid

    def call(self, request: Any) -> Any:
        """One round trip of JSON."""
        return json.loads(self._execute(encode(request), timeout=30))

    def begin(self, request: Any) -> Any:
        """A round trip under way; give it to `finish`."""
        return self._execute.future(encode(request), timeout=30)

    @staticmethod
    def finish(under_way: Any) -> Any:
        """Its reply."""
        return json.loads(under_way.result())


@contextmanager
def grpc_peer(directory: Path, name: str) -> Iterator[GrpcPeer]:
    """One that serves."""
    address = f"unix:{directory / name}.sock"
    argv = [sys.executable, "-m", "bench.programs.grpc_server", address]
    with process(argv, cwd=ROOT) as server:
        assert server.stdout is not None
        if server.stdout.readline() != b"ready\n":
            raise RuntimeError("the gRPC server did not start")
        with grpc.insecure_channel(address) as channel:
            grpc.channel_ready_future(channel).result(timeout=10)
            yield GrpcPeer(channel, server.pid)


class EchoPeer:
    """The floor: as many bytes there and back, no codec, no loop."""

    def __init__(self, channel: socket.socket, pid: int, *, request: int, reply: int) -> None:
        self._channel, self._request, self._buffer = channel, b"x" * request, bytearray(reply)
        self.pid = pid

    def call(self) -> None:
        """One round trip."""
        self._channel.sendall(self._request)
        self._channel.recv_into(self._buffer, len(self._buffer), socket.MSG_WAITALL)


@contextmanager
def echo_peer(*, request: int, reply: int) -> Iterator[EchoPeer]:
    """A child that answers `request` bytes with `reply` bytes."""
    ours, theirs = socket.socketpair()
    argv = [sys.executable, "-I", "-S", str(PROGRAMS / "echo.py"), str(theirs.fileno()), str(request), str(reply)]
    with theirs, process(argv, pass_fds=(theirs.fileno(),)) as child, ours:
        theirs.close()
        yield EchoPeer(ours, child.pid, request=request, reply=reply)


def encode(document: Any) -> bytes:
    """As compact JSON in UTF-8."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
