"""What changes is noticed, also beside a disk that does not answer, and a fault in that ends nothing.

Real processes and a real registry (`tests/support/live_place.py`).
"""

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from assess_core.clock import utc_now
from assess_core.config import Config, load
from assess_core.live import changes, watching
from assess_core.live.live import Live
from assess_core.results import ResultOutcome
from assess_core.runtime import Runtime
from tests.support.live_place import POLL_S, Place, begun, made, outcomes, place, serving, until, versions, workers

__all__ = ["made", "place", "workers"]  # fixtures


def test_what_another_process_synced_is_followed(place: Place, workers: Callable[[], int]) -> None:
    async def main() -> None:
        async with place.live() as live:
            first = await begun(live)
            await place.publish("1.1.0")

            def sync() -> None:
                with Runtime(load(place.path), state=place.state) as runtime:
                    assert [line.action for line in runtime.sync()] == ["upgraded"]

            await asyncio.to_thread(sync)
            await until(lambda: serving(live) == "1.1.0")
            assert versions(await live.assess({"short"})) == {"1.1.0"}
            assert versions(await place.opened(first)) == {"1.0.0"}

    asyncio.run(main())


def test_the_registry_is_asked_again_by_itself(place: Place, workers: Callable[[], int]) -> None:
    place.configure(refresh_s=0.5)

    async def main() -> None:
        async with place.live() as live:
            await place.publish("1.1.0")
            await until(lambda: serving(live) == "1.1.0")

    asyncio.run(main())


def test_the_registry_is_asked_again_when_the_clock_was_set(
    place: Place, workers: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_by = timedelta()
    monkeypatch.setattr(watching, "utc_now", lambda: utc_now() + set_by)
    asked: list[str] = []

    async def main() -> None:
        nonlocal set_by
        async with place.live() as live:
            await place.publish("1.1.0")
            for by in (timedelta(seconds=30), timedelta(hours=-1)):  # the first is what it is corrected by now and then
                asked.append(serving(live))
                set_by = by
                await asyncio.sleep(5 * POLL_S)
            await until(lambda: serving(live) == "1.1.0")

    asyncio.run(main())
    assert asked == ["1.0.0", "1.0.0"]


def test_a_registry_that_is_away_revokes_nothing_and_results_are_stale(
    place: Place, workers: Callable[[], int]
) -> None:
    async def main() -> None:
        async with place.live() as live:
            assert {result.stale for result in (await live.assess({"short"})).results} == {False}
            place.tree.root.rename(place.directory / "gone")
            done = await live.reload()
            assert [line.action for line in done.synced] == ["stale"]
            run = await live.assess({"short"})
            assert ({result.stale for result in run.results}, versions(run)) == ({True}, {"1.0.0"})

    asyncio.run(main())


@pytest.mark.parametrize("hangs", [True, False])
def test_the_registry_is_heard_while_a_place_that_is_watched_does_not_answer(
    hangs: bool,
    place: Place,
    workers: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    real, on = changes.stamp_of, threading.Event()

    def stamp(path: Path) -> changes.Stamp:
        if stuck.is_set() and path.name == "1.root.json":
            on.wait(60)
        return real(path)

    stuck = threading.Event()
    monkeypatch.setattr(changes, "stamp_of", stamp)
    monkeypatch.setattr("assess_core.live.watching.LOOK_S", 0.3)
    place.configure(refresh_s=1)

    async def main() -> None:
        async with place.live() as live:
            first = await begun(live)
            if hangs:
                stuck.set()
                await until(lambda: "looking-stuck" in {getattr(each, "action", "") for each in caplog.records})
            await place.revoke("1.0.0", "kill")
            assert outcomes(await asyncio.wait_for(first, 20)) == {ResultOutcome.ERROR}
            await live.stop(within_s=1)
            assert not on.is_set()

    try:
        asyncio.run(main())
    finally:
        on.set()
    said = [getattr(each, "action", "") for each in caplog.records]
    assert said.count("looking-stuck") == (1 if hangs else 0)


def test_a_bug_of_ours_while_following_is_told_as_one_and_what_serves_goes_on(
    place: Place, workers: Callable[[], int]
) -> None:
    """A fault that nobody thought of, where the configuration is loaded."""

    def loaded() -> Config:
        if broken.is_set():
            raise KeyError("no such thing")
        return load(place.path)

    async def main() -> None:
        live = Live(loaded, place.state, poll_s=POLL_S)
        told: list[tuple[float, str]] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, said: told.append((loop.time(), repr(said["exception"]))))
        await live.start()
        try:
            assert ((await live.reload()).refused, live.refused, live.has_failed) == ("", "", False)
            broken.set()
            await until(lambda: len(told) >= 3)
            assert {error for _, error in told} == {"KeyError('no such thing')"}
            assert told[2][0] - told[0][0] >= 1.5, "asked as often as the registry is, and not at each look"
            assert (live.refused, live.has_failed) == ("a bug of assess: KeyError: 'no such thing'", True)
            assert versions(await live.assess({"short"})) == {"1.0.0"}
            broken.clear()
            await until(lambda: live.refused == "")
            assert not live.has_failed
        finally:
            await live.stop(within_s=20)

    broken = threading.Event()
    place.configure(refresh_s=1)
    asyncio.run(main())
