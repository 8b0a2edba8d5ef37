"""A runtime that is stopped, in whatever moment, leaves nothing behind and loses nothing that it may still record.

Real processes and a real registry (`tests/support/live_place.py`).
"""

import asyncio
import logging
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from assess_core.config import load
from assess_core.errors import AssessError, ConfigError, CutShortError
from assess_core.live.following import Reloaded
from assess_core.live.live import Live
from assess_core.results import ResultOutcome, Run
from tests.support.http_registry import HttpRegistry, serve
from tests.support.live_place import (
    POLL_S,
    Place,
    begun,
    made,
    outcomes,
    place,
    recorded,
    serving,
    until,
    versions,
    workers,
)

__all__ = ["made", "place", "workers"]  # fixtures


def test_stopped_it_gives_what_runs_time_and_then_ends_it(place: Place, workers: Callable[[], int]) -> None:
    async def main(within_s: float) -> Run | BaseException:
        async with place.live() as live:
            first = await begun(live)
            asyncio.get_running_loop().call_later(0.5, place.gate.touch)
            await live.stop(within_s=within_s)
            (run,) = await asyncio.gather(first, return_exceptions=True)
            place.gate.unlink(missing_ok=True)
            with pytest.raises(Exception, match="not running"):
                await live.assess()
            return run

    run = asyncio.run(main(20))
    assert isinstance(run, Run)
    assert outcomes(run) == {ResultOutcome.PASS}
    assert isinstance(asyncio.run(main(0.1)), CutShortError)
    assert [each.run_id for each in recorded(place)] == [run.assessments[0].run_id], (
        "what was cut short is not recorded"
    )


def test_what_cannot_begin_says_why_and_leaves_nothing(place: Place, workers: Callable[[], int]) -> None:
    place.configure(assessment='[[assessments]]\nid = "x"\nplugin = "nothing"\nprovider = "demo-subjects"\n')

    async def main() -> None:
        with pytest.raises(ConfigError, match="nothing"):
            async with place.live():
                raise AssertionError

    asyncio.run(main())
    place.configure()

    async def control() -> None:
        async with place.live() as live:
            assert versions(await live.assess({"short"})) == {"1.0.0"}

    asyncio.run(control())


def children() -> set[str]:
    """Processes that this one started, by name."""
    found = set()
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = each.read_text().rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if rest.split()[1] == str(os.getpid()) and rest.split()[0] != "Z":
            found.add(f"{each.parent.name} {name.partition('(')[2]}")
    return found


def held(state: Path) -> set[str]:
    """What of the state directory is open here."""
    found = set()
    for each in Path("/proc/self/fd").iterdir():
        try:
            target = str(each.readlink())
        except FileNotFoundError:
            continue
        if target.startswith(str(state)):
            found.add(target)
    return found


@pytest.mark.parametrize("asked", ["before", "meanwhile"])
def test_a_reload_beside_the_end_leaves_no_process(asked: str, place: Place, workers: Callable[[], int]) -> None:
    before = children()

    async def main() -> None:
        live = Live(lambda: load(place.path), place.state, poll_s=POLL_S)
        await live.start()
        first = await begun(live)
        with closing(sqlite3.connect(place.state / "journal.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            recording = asyncio.create_task(live.assess({"short"}))  # so that the end takes a while
            await asyncio.sleep(1)
            ending = asyncio.create_task(live.stop(within_s=0.3))
            await asyncio.sleep(0.2 if asked == "before" else 0.5)
            reloading = [asyncio.create_task(live.reload()) for _ in range(2)]
            await asyncio.sleep(1)
            assert not ending.done()
            other.execute("ROLLBACK")
        await ending
        assert {type(each) for each in await asyncio.gather(*reloading, return_exceptions=True)} <= {
            AssessError,
            Reloaded,
        }
        with pytest.raises(CutShortError):
            await first
        assert outcomes(await recording) == {ResultOutcome.PASS}
        assert workers() == 0
        with pytest.raises(AssessError, match="not running"):
            await live.reload()

    asyncio.run(main())
    assert not {each for each in children() - before if "assess-worker" in each or "demo-plugin" in each}


@pytest.mark.parametrize("after_s", [0.0, 0.02, 0.1, 0.2, 0.3, 0.4, 0.6, None])
def test_stopped_while_it_starts_it_does_not_start(
    after_s: float | None, place: Place, workers: Callable[[], int], caplog: pytest.LogCaptureFixture
) -> None:
    before = held(place.state)

    async def main() -> None:
        live = Live(lambda: load(place.path), place.state, poll_s=POLL_S)
        starting = asyncio.create_task(live.start())
        if after_s is None:  # the control
            await starting
            assert serving(live) == "1.0.0"
        else:
            await asyncio.sleep(after_s)
        began = starting.done()
        await live.stop(within_s=1)
        assert live.standing == {}
        assert workers() == 0
        assert held(place.state) == before
        if not began:
            with pytest.raises(AssessError, match=r"not running|stopped meanwhile"):
                await starting
        with pytest.raises(AssessError):
            await live.start()

    asyncio.run(main())
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


def test_two_who_stop_it_wait_for_the_same_end(place: Place, workers: Callable[[], int]) -> None:
    async def main() -> None:
        live = Live(lambda: load(place.path), place.state, poll_s=POLL_S)
        await live.start()
        await asyncio.gather(live.stop(within_s=1), live.stop(within_s=1))
        assert (workers(), live.standing) == (0, {})
        await live.stop(within_s=1)

    asyncio.run(main())


@pytest.mark.parametrize("hangs", [True, False])
def test_the_end_waits_for_no_registry(hangs: bool, place: Place, workers: Callable[[], int]) -> None:
    def configure(http: HttpRegistry) -> None:
        place.path.write_text(place.path.read_text().replace(place.tree.root.as_uri(), http.url) + "\n")

    async def main(http: HttpRegistry) -> None:
        def never(_: object) -> None:
            http.stopping.wait(100)

        async with place.live() as live:
            if hangs:
                http.answers["/metadata/timestamp.json"] = never
            asked = len(http.requests)
            configure(http)
            await until(lambda: "/metadata/timestamp.json" in http.requests[asked:])
            began = asyncio.get_running_loop().time()
            await live.stop(within_s=1)
            assert asyncio.get_running_loop().time() - began < 10

    with serve(place.tree.root) as http:
        configure(http)
        asyncio.run(main(http))


@pytest.mark.parametrize("cancelled", [True, False])
def test_the_end_waits_for_what_is_being_recorded(cancelled: bool, place: Place, workers: Callable[[], int]) -> None:
    place.gate.touch()

    async def main() -> None:
        async with place.live() as live:
            with closing(sqlite3.connect(place.state / "journal.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                running = asyncio.create_task(live.assess({"short"}))
                await asyncio.sleep(1.5)
                if cancelled:
                    running.cancel()
                ending = asyncio.create_task(live.stop(within_s=0.1))
                await asyncio.sleep(1)
                assert not ending.done()
                other.execute("ROLLBACK")
            await ending
            await asyncio.wait([running])
            assert running.cancelled() is cancelled

    asyncio.run(main())
    assert len(recorded(place)) == 1
