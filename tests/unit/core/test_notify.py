"""A service manager is told, and nobody else can speak for us."""

import os
import socket
from pathlib import Path

import pytest

from assess_core.up.notify import VARIABLES, Notify


@pytest.fixture
def manager(tmp_path: Path) -> socket.socket:
    found = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    found.bind(str(tmp_path / "notify"))
    found.settimeout(5)
    return found


def test_it_tells_and_takes_the_variables_away(manager: socket.socket) -> None:
    environ = {
        "NOTIFY_SOCKET": manager.getsockname(),
        "WATCHDOG_USEC": "900000",
        "WATCHDOG_PID": str(os.getpid()),
        "A": "b",
    }
    notify = Notify(environ)
    assert (environ, notify.watchdog_s) == ({"A": "b"}, 0.9)
    assert notify.is_heard
    assert notify(READY=1, STATUS="next:\nhost 10:15")
    assert manager.recv(4096) == b"READY=1\nSTATUS=next: host 10:15"
    assert notify.reloading()
    first, second = manager.recv(4096).split(b"\n")
    assert (first, second[:15]) == (b"RELOADING=1", b"MONOTONIC_USEC=")
    notify.close()
    assert not notify(READY=1)
    manager.close()


def test_an_abstract_socket_is_one_too() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0assess-test-{os.getpid()}")
        notify = Notify({"NOTIFY_SOCKET": f"@assess-test-{os.getpid()}"})
        assert notify(STOPPING=1)
        assert manager.recv(4096) == b"STOPPING=1"
        notify.close()


def test_a_manager_that_does_not_read_holds_up_nobody(manager: socket.socket) -> None:
    notify = Notify({"NOTIFY_SOCKET": manager.getsockname()})
    sent = [notify(WATCHDOG=1) for _ in range(2000)]
    assert sent[0]
    assert not sent[-1], "the buffer is full, and nobody waited"
    notify.close()
    manager.close()


@pytest.mark.parametrize(
    ("environ", "watchdog_s"),
    [
        ({}, None),
        ({"NOTIFY_SOCKET": "/nowhere/at/all"}, None),
        ({"NOTIFY_SOCKET": "vsock:2:1234"}, None),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "3000000"}, 3.0),
    ],
)
def test_without_a_manager_it_does_nothing(environ: dict[str, str], watchdog_s: float | None) -> None:
    notify = Notify(environ)
    assert not notify(READY=1)
    assert (notify.is_heard, notify.watchdog_s) == (False, watchdog_s)
    assert not set(VARIABLES) & set(environ)
