"""Guards around every test: no home directory, no network beyond loopback, no changed environment, no child left.

Tests of this process do not wait for the disk either: a registry is made by a hundred and fifty calls of fsync, half of
what a test takes. What programs and commands do, they do in full, and so does every test with ASSESS_TEST_FSYNC=1.
"""

import gc
import ipaddress
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.examples import load_profile

OUTSIDE = {
    "ASSESS_CONFIG",
    "ASSESS_STATE_DIR",
    "XDG_STATE_HOME",
    "XDG_CONFIG_HOME",
    "PIP_FIND_LINKS",
    "PIP_EXTRA_INDEX_URL",
}
"""What the person who runs the tests may have set, and no test may depend on."""

_guarding = False


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse connections that leave this machine; the tests of this process need none."""
    if not _guarding or event != "socket.connect":
        return
    address = arguments[1]
    if isinstance(address, tuple) and not _is_loopback(str(address[0])):
        raise RuntimeError(f"a test tried to connect to {address!r}; only loopback is allowed")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


sys.addaudithook(_audit)


def pytest_configure() -> None:
    """Temporary directories lie where ASSESS_TEST_TMP says; `ci/in-memory` makes such a place."""
    load_profile()
    if place := os.environ.get("ASSESS_TEST_TMP"):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", place)


def pytest_collection_finish() -> None:
    """Five thousand collected tests live until the end: nobody needs to go through them again to find what does not."""
    gc.collect()
    gc.freeze()


def _synced(file: Any) -> None:
    """As `os.fsync`, but for the disk: it is an error to synchronise what is not open."""
    os.fstat(file if isinstance(file, int) else file.fileno())


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_the_disk() -> Iterator[None]:
    """A kill takes nothing that the kernel has; what a power cut takes no test can show."""
    with pytest.MonkeyPatch.context() as patch:
        if "ASSESS_TEST_FSYNC" not in os.environ:
            patch.setattr(os, "fsync", _synced)
        yield


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Directories that nobody has written to, one after the other: the same again for as long as that holds."""
    return _unwritten(tmp_path_factory.mktemp("homes"))


def _unwritten(top: Path) -> Iterator[Path]:
    for number in itertools.count():
        home = top / str(number)
        home.mkdir(mode=0o700)
        while home.is_dir() and not any(home.iterdir()):
            yield home


@pytest.fixture(autouse=True)
def guards(homes: Iterator[Path]) -> Iterator[None]:
    """Every test runs between these. Set up before a test's own `monkeypatch`, and so checked after that is undone."""
    global _guarding  # noqa: PLW0603  an audit hook cannot be removed, only switched off
    with pytest.MonkeyPatch.context() as patch:
        for name in OUTSIDE & os.environ.keys():
            patch.delenv(name)
        patch.setenv("HOME", str(next(homes)))
        patch.setenv("PIP_CONFIG_FILE", os.devnull)
        patch.setenv("UV_NO_CONFIG", "1")
        before, children = _environment(), _children()
        _guarding = True
        yield
        _guarding = False
        left = {pid: name for pid, name in _children().items() if pid not in children}
        after = _environment()
    assert not left, f"child processes left alive: {left}"
    assert after == before, f"environment changed: {sorted({name for name, _ in before.items() ^ after.items()})}"


def _environment() -> dict[bytes, bytes]:
    """But for what pytest says in it; as the system holds it: to decode all of it takes longer than a test."""
    copied: dict[bytes, bytes] = dict(os.environ._data)  # type: ignore[attr-defined]
    copied.pop(b"PYTEST_CURRENT_TEST", None)
    return copied


def _children() -> dict[int, str]:
    """Direct children of this process by pid, with their names; unreaped ones count."""
    found: dict[int, str] = {}
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return found  # said by one call, where looking takes a dozen
    for task in Path("/proc/self/task").iterdir():
        try:
            pids = (task / "children").read_text().split()
        except FileNotFoundError:
            continue  # the thread ended while we looked
        for pid in pids:
            try:
                found[int(pid)] = Path("/proc", pid, "comm").read_text().strip()
            except FileNotFoundError:
                continue  # the child ended while we looked
    return found
