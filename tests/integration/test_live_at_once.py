"""Started at once, what is installed serves before anybody was asked - and nothing that is known to be revoked."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from assess_core.config import load
from assess_core.live.live import Live
from assess_core.runtime import Runtime
from tests.support.fleet_place import one_of_many
from tests.support.http_registry import serve
from tests.support.live_place import POLL_S, Place, made, place, until, versions, workers

__all__ = ["made", "place", "workers"]  # fixtures


@asynccontextmanager
async def at_once(place: Place, **more: Any) -> AsyncIterator[Live]:
    live = Live(lambda: load(place.path), place.state, **{"poll_s": POLL_S, **more})
    await live.start(at_once=True)
    try:
        yield live
    finally:
        await live.stop(within_s=20)


async def synced(live: Live) -> None:
    """The first time that all was brought to what is configured is over."""
    await until(lambda: live._first is None)


@pytest.mark.parametrize("silent", [True, False])
def test_at_once_it_waits_for_no_registry_and_every_result_says_so(
    silent: bool, place: Place, workers: Callable[[], int]
) -> None:
    place.gate.touch()

    def never(_: object) -> None:
        http.stopping.wait()

    async def main() -> None:
        if silent:
            http.answers["/metadata/timestamp.json"] = never
        async with at_once(place) as live:  # an hour before the registry's deadline, or the test's is over
            run = await live.assess()
            assert (versions(run), {result.stale for result in run.results}) == ({"1.0.0"}, {True})
            if not silent:
                await synced(live)
                run = await live.assess()
                assert (versions(run), {result.stale for result in run.results}) == ({"1.0.0"}, {False})
                assert workers() == 3, "they wait for calls as they always do"

    with serve(place.tree.root) as http:
        place.configure()
        text = place.path.read_text().replace(place.tree.root.as_uri(), http.url)
        place.path.write_text(text.replace("[registry]\n", "[registry]\ntimeout_s = 3600\n"))
        with Runtime(load(place.path), state=place.state) as runtime:
            runtime.sync()
        asyncio.run(main())


@pytest.mark.parametrize("revoked", [True, False])
def test_at_once_nothing_runs_that_is_known_to_be_revoked(
    revoked: bool, place: Place, workers: Callable[[], int]
) -> None:
    if revoked:
        asyncio.run(place.revoke("1.0.0", "high"))
    with Runtime(load(place.path), state=place.state) as runtime:
        assert runtime.vouching.ask() is None
    place.tree.root.rename(place.directory / "gone")

    async def main() -> None:
        async with at_once(place) as live:
            first = await live.assess({"short"})
            if revoked:
                assert not first.results
                assert "revoked: sends it away" in (first.assessments[0].problem or "")
            else:
                assert versions(first) == {"1.0.0"}

    asyncio.run(main())


def test_at_once_what_is_refused_by_memory_waits_for_what_the_registry_says(
    place: Place, workers: Callable[[], int]
) -> None:
    """What is remembered is gone, or too old: that is no reason to record that nothing could be assessed."""
    shutil.rmtree(place.state / "trust")

    async def main() -> None:
        async with at_once(place) as live:
            assert versions(await live.assess({"short"})) == {"1.0.0"}

    asyncio.run(main())


def test_at_once_what_is_not_installed_yet_waits_for_that_and_the_rest_runs(
    place: Place, workers: Callable[[], int]
) -> None:
    more = '[[assessments]]\nid = "more"\nplugin = "other"\nprovider = "demo-subjects"\nselector = { count = 1 }\n'
    other = one_of_many("other")
    place.tree.publish(other.filename, other.build())
    place.configure(assessment=f'[[plugins]]\nname = "other"\n{more}')

    async def main() -> None:
        async with at_once(place) as live:
            later = asyncio.create_task(live.assess({"more"}))
            assert versions(await live.assess({"short"})) == {"1.0.0"}
            run = await later
            assert (run.assessments[0].problem, len(run.results)) == (None, 3)

    asyncio.run(main())


def test_who_asks_is_told_of_each_configuration_in_the_moment_it_is_followed(
    place: Place, workers: Callable[[], int]
) -> None:
    told: list[tuple[str, int]] = []

    async def main() -> None:
        live = Live(lambda: load(place.path), place.state, poll_s=POLL_S)
        live.on_followed(lambda config, tasks: told.append((config.runtime.id, len(tasks))))
        await live.start(at_once=True)
        try:
            assert told == [("web-01", 2)]
            await synced(live)
            place.path.write_text("[runtime]\nid = 3\n")
            await live.reload()
            assert set(told) == {("web-01", 2)}
            place.configure(assessment='[[assessments]]\nid = "x"\nplugin = "demo"\nprovider = "demo-subjects"\n')
            await live.reload()
            assert told[-1] == ("web-01", 3)
        finally:
            await live.stop(within_s=1)

    asyncio.run(main())
