"""What was revoked ends what it began, or is ended where it runs, and is given to nobody.

Real processes and a real registry (`tests/support/live_place.py`).
"""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from assess_core.host.standing import State
from assess_core.journal import Journal
from assess_core.results import ResultOutcome, Run
from tests.support.live_place import (
    DEMO,
    SOURCE,
    Place,
    begun,
    made,
    outcomes,
    place,
    serving,
    until,
    versions,
    workers,
)
from tests.support.plugin_folder import make_folder

__all__ = ["made", "place", "workers"]  # fixtures


@pytest.mark.parametrize("what", ["demo-plugin", "pluggy"])
def test_revoked_with_kill_it_is_ended_and_nothing_of_what_it_said_counts(
    what: str, place: Place, workers: Callable[[], int], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with place.live() as live:
            first = await begun(live)
            (version,) = (path.name for path in (place.tree.root / "files" / what).iterdir())
            await place.revoke(version, "kill", project=what)
            done = await live.reload()
            assert [line.action for line in done.synced] == ["refused"]
            run = await first
            assert outcomes(run) == {ResultOutcome.ERROR}
            assert len(run.results) == 3
            assert all("revoked: sends it away" in result.reason for result in run.results)
            assert "revoked: sends it away" in (run.assessments[0].problem or "")
            assert workers() == 0
            second = await live.assess({"short"})
            assert not second.results
            assert "revoked" in (second.assessments[0].problem or "")
            assert live.standing == {}
            if what == DEMO:  # nothing is published any more with a dependency that is revoked
                await place.publish("1.1.0")
                await live.reload()
                assert versions(await live.assess({"short"})) == {"1.1.0"}

    asyncio.run(main())
    killed = [record for record in caplog.records if getattr(record, "action", "") == "revoked-killed"]
    assert len(killed) == 1


@pytest.mark.parametrize("revoked", [True, False])
def test_revoked_with_kill_while_another_process_writes_to_the_journal(
    revoked: bool, place: Place, workers: Callable[[], int]
) -> None:
    async def main() -> Run:
        async with place.live() as live:
            first = await begun(live)
            with closing(sqlite3.connect(place.state / "journal.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                place.gate.touch()
                fleet = live._underway.fleet
                assert fleet is not None
                await until(lambda: fleet.serving[DEMO].supervisor.standing.state is State.READY)
                await asyncio.sleep(0.2)  # all is answered, and waits to be recorded
                if revoked:
                    await place.revoke("1.0.0", "kill")
                    await live.reload()
                assert not first.done()
                other.execute("ROLLBACK")
            return await first

    run = asyncio.run(main())
    with Journal.open(place.state / "journal.db") as journal:
        assert journal.results(run.assessments[0].run_id) == run.results
    if revoked:
        assert outcomes(run) == {ResultOutcome.ERROR}
        assert "revoked: sends it away" in (run.assessments[0].problem or "")
    else:
        assert (outcomes(run), run.assessments[0].problem) == ({ResultOutcome.PASS}, None)


def test_revoked_with_less_it_ends_what_it_began_and_begins_nothing(place: Place, workers: Callable[[], int]) -> None:
    async def main() -> None:
        async with place.live() as live:
            first = await begun(live)
            await place.revoke("1.0.0", "critical")
            await live.reload()
            second = await live.assess({"short"})
            assert not second.results
            assert "revoked" in (second.assessments[0].problem or "")
            run = await place.opened(first)
            assert (versions(run), outcomes(run)) == ({"1.0.0"}, {ResultOutcome.PASS})
            await until(lambda: workers() == 0)

    asyncio.run(main())


def test_revoked_with_kill_while_only_who_began_with_it_still_has_it(place: Place, workers: Callable[[], int]) -> None:
    async def main() -> None:
        async with place.live() as live:
            first = await begun(live)
            await place.publish("1.1.0")
            await live.reload()
            await place.revoke("1.0.0", "kill")
            await live.reload()
            assert outcomes(await first) == {ResultOutcome.ERROR}
            assert versions(await live.assess({"short"})) == {"1.1.0"}

    asyncio.run(main())


@pytest.mark.parametrize("to_folder", [True, False])
def test_kill_reaches_what_came_from_the_registry_when_a_folder_serves_by_now(
    to_folder: bool, place: Place, tmp_path: Path, workers: Callable[[], int]
) -> None:
    async def main() -> None:
        async with place.live() as live:
            first = await begun(live)
            await place.publish("1.1.0")
            if to_folder:
                folder = make_folder(tmp_path / "other", place.tree)
                folder.install("demo-plugin==1.1.0")
                place.configure(
                    entry=f'workers = 3\ndir = "{folder.path}"\ntrusted_keys = "{place.tree.trusted_keys}"\n'
                )
            assert not (await live.reload()).refused
            assert serving(live) == "1.1.0"
            await place.revoke("1.0.0", "kill")
            await live.reload()
            assert outcomes(await asyncio.wait_for(first, 20)) == {ResultOutcome.ERROR}
            assert versions(await live.assess({"short"})) == {"1.1.0"}

    (tmp_path / "other").mkdir()
    asyncio.run(main())


@pytest.mark.parametrize("which", ["idle", "busy", "ending"])
def test_kill_asks_nobody_to_go(which: str, place: Place, workers: Callable[[], int]) -> None:
    slow = "    @hookimpl\n    def assess_shutdown(self) -> None:\n        time.sleep(4)\n\n"
    source = SOURCE.replace("class Assess:\n", f"class Assess:\n{slow}")

    async def main() -> None:
        await place.publish("1.1.0", source)
        async with place.live(poll_s=3600) as live:
            assert serving(live) == "1.1.0"
            first = await begun(live) if which == "busy" else None
            if which == "ending":
                await place.publish("1.2.0")
                await live.reload()
                assert workers() == 6
            await place.revoke("1.1.0", "kill")
            began = asyncio.get_running_loop().time()
            await live._following.hear()
            assert workers() == (3 if which == "ending" else 0)
            assert asyncio.get_running_loop().time() - began < 3
            if first is not None:
                assert outcomes(await first) == {ResultOutcome.ERROR}

    asyncio.run(main())
