"""Web servers that programs of others and `assess-registry serve` are, each a process on a loopback port.

with registry_server(root) as url: ...            url ends in a slash
"""

import contextlib
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

SERVE = "import sys; from assess_registry.cli import main; sys.exit(main(['serve', *sys.argv[1:]]))"
START_S = 60.0


@contextlib.contextmanager
def registry_server(root: Path, *arguments: str) -> Iterator[str]:
    """`assess-registry serve` for a registry; gives the URL that it printed, and stops it as Ctrl-C does."""
    with registry_process(root, *arguments) as process:
        assert process.stdout is not None
        yield first_line(process.stdout).strip()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


@contextlib.contextmanager
def registry_process(root: Path, *arguments: str, before: str = "") -> Iterator[subprocess.Popen[str]]:
    """The same, started and no more; `before` is Python that it does first."""
    command = [sys.executable, "-c", f"{before}\n{SERVE}", "--index", str(root), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def other_server(command: Sequence[str], port: int, environment: Mapping[str, str]) -> Iterator[str]:
    """A program that listens at this loopback port; inside it does."""
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=dict(environment)
    ) as process:
        try:
            _wait(port, process)
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(60)
            process.kill()


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def first_line(stream: IO[str]) -> str:
    """The first line, or a failure when none comes."""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        assert selector.select(START_S), "no line came"
    return stream.readline()


def _wait(port: int, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        if process.poll() is not None:
            raise AssertionError(f"it ended with {process.returncode}: {process.communicate()[1]}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        # There is no signal that another's server listens but that it does.
        time.sleep(0.05)
    raise AssertionError(f"nobody listens at port {port}")
