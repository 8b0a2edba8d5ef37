"""When a watch looks: at once when a call begins, then often; seldom between two calls."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assess_core.host.limits import Bounds, Watch
from assess_core.host.limits import watch as module
from assess_core.host.limits.process import Seen, WatchedProcess
from assess_registry.client import Limits

SOON_S = 60.0


class Looks:
    """Counts the looks at a process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self._looked = threading.Condition()
        look = WatchedProcess.look

        def counted(process: WatchedProcess) -> Seen:
            seen = look(process)
            with self._looked:
                self.count += 1
                self._looked.notify_all()
            return seen

        monkeypatch.setattr(WatchedProcess, "look", counted)

    def reach(self, count: int, within_s: float) -> bool:
        with self._looked:
            return self._looked.wait_for(lambda: self.count >= count, within_s)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    return Looks(monkeypatch)


@pytest.fixture
def watch(looks: Looks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """Of this process, whose watch has looked once and rests for an hour."""
    monkeypatch.setattr(module, "REST_S", 3600.0)
    monkeypatch.setattr(module, "LOOK_S", 0.02)
    loop = asyncio.new_event_loop()
    found: list[Any] = []
    bounds = Bounds(limits=Limits(memory_mib=1 << 20, threads=10_000, descriptors=1 << 20))
    watch = Watch(_pid(), bounds=bounds, scratch=tmp_path, loop=loop, on_finding=found.append)
    assert looks.reach(1, SOON_S)
    yield watch
    watch.close()
    loop.close()
    assert found == []


def _pid() -> int:
    return int(Path("/proc/self").readlink().name)


def test_a_call_wakes_a_watch_that_rests_and_it_looks_often_until_it_is_over(watch: Watch, looks: Looks) -> None:
    assert not looks.reach(2, 0.3), "it rests"
    watch.begin(cpu_limit_s=3600)
    assert looks.reach(5, SOON_S), "it was woken, and goes on"
    watch.rest()
    looks.reach(looks.count + 2, 1.0)  # one that was under way, and one more
    rested = looks.count
    assert not looks.reach(rested + 1, 0.3), "it rests again"
    watch.begin(cpu_limit_s=3600)
    assert looks.reach(rested + 3, SOON_S), "and is woken again"


def test_the_most_memory_it_had_is_known_also_when_it_is_over(watch: Watch) -> None:
    most = watch.peak_bytes()
    assert most > 10 << 20
    watch.close()
    assert watch.peak_bytes() >= most
