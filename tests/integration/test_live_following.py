"""A runtime that goes on running follows what changes, and drops no assessment for it.

Real processes and a real registry (`tests/support/live_place.py`).
"""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assess_core.config import load
from assess_core.errors import ConfigError, StoreError
from assess_core.live.live import Live
from assess_core.results import ResultOutcome
from assess_core.runtime import Runtime
from assess_core.store import InstalledPlugin
from assess_core.store.leases import Lease
from tests.support.live_place import (
    DEMO,
    POLL_S,
    SOURCE,
    Place,
    begun,
    made,
    outcomes,
    place,
    recorded,
    removable,
    serving,
    until,
    versions,
    wheel,
    workers,
)
from tests.support.plugin_folder import make_folder

__all__ = ["made", "place", "workers"]  # fixtures


def test_an_assessment_keeps_the_version_it_began_with_and_the_next_gets_the_new_one(
    place: Place, workers: Callable[[], int]
) -> None:
    async def main() -> None:
        async with place.live() as live:
            first = await begun(live)
            with Runtime(load(place.path), state=place.state) as runtime:
                (old,) = runtime.store.active()
            lease = runtime.store.layout.lease(old.env_key)
            await place.publish("1.1.0")
            done = await live.reload()
            assert [(line.action, line.previous, line.version) for line in done.synced] == [
                ("upgraded", "1.0.0", "1.1.0")
            ]
            assert not removable(lease)
            second = await live.assess({"short"})
            assert versions(second) == {"1.1.0"}
            run = await place.opened(first)
            assert (versions(run), len(run.results), outcomes(run)) == ({"1.0.0"}, 3, {ResultOutcome.PASS})
            await until(lambda: workers() == 3)
            await until(lambda: removable(lease))
            place.gate.touch()
            assert versions(await live.assess()) == {"1.1.0"}

    asyncio.run(main())
    assert len(recorded(place)) == 4


BROKEN = {
    "raises on import": "raise RuntimeError('not today')\n",
    "has a wrong hook": SOURCE.replace("assess_execute(self, input", "assess_execute(self, wrong"),
    "exits on import": "import os\nos._exit(3)\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_version_that_does_not_start_never_serves_a_call(
    name: str, place: Place, workers: Callable[[], int], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with place.live() as live:
            first = await begun(live)
            await place.publish("1.1.0", BROKEN[name])
            (line,) = (await live.reload()).synced
            assert line.action in ("failed", "held")
            second = await live.assess({"short"})
            assert versions(second) == versions(await place.opened(first)) == {"1.0.0"}
            assert "not with what is asked for" in (second.assessments[0].problem or "")
            await place.publish("1.2.0")  # the control
            assert [line.version for line in (await live.reload()).synced] == ["1.2.0"]
            third = await live.assess({"short"})
            assert (versions(third), third.assessments[0].problem) == ({"1.2.0"}, None)

    asyncio.run(main())
    said = [getattr(each, "action", "") for each in caplog.records]
    assert said.count("sync-failed") == 1


def test_a_changed_configuration_is_followed_and_one_that_is_none_is_not(
    place: Place, workers: Callable[[], int], caplog: pytest.LogCaptureFixture
) -> None:
    more = '[[assessments]]\nid = "more"\nplugin = "demo"\nprovider = "demo-subjects"\nselector = { count = 1 }\n'

    async def knows(live: Live, name: str) -> bool:
        try:
            await live.assess({name})
        except ConfigError:
            return False
        return True

    async def main() -> None:
        async with place.live() as live:
            assert not await knows(live, "more")
            first = await begun(live)
            place.configure(assessment=more)
            async with asyncio.timeout(20):
                while not await knows(live, "more"):
                    await asyncio.sleep(0.1)
            assert not first.done()
            assert workers() == 3, "none was replaced for it"
            place.path.write_text(place.path.read_text().replace("[runtime]", "[runtme]"))
            await until(lambda: any(getattr(each, "action", "") == "config-refused" for each in caplog.records))
            assert await knows(live, "more")
            assert outcomes(await place.opened(first)) == {ResultOutcome.PASS}
            await place.publish("1.1.0")
            done = await live.reload()  # goes by the last one that was good
            assert "runtme" in done.refused
            assert [line.action for line in done.synced] == ["upgraded"]
            assert versions(await live.assess({"more"})) == {"1.1.0"}
            place.configure()
            async with asyncio.timeout(20):
                while await knows(live, "more"):
                    await asyncio.sleep(0.1)

    with caplog.at_level(logging.INFO):
        asyncio.run(main())
    refused = [each for each in caplog.records if getattr(each, "action", "") == "config-refused"]
    assert len(refused) == 1, "once for each content"
    assert "runtme" in refused[0].getMessage()


def test_how_many_processes_there_are_is_changed_beside_what_runs(place: Place, workers: Callable[[], int]) -> None:
    async def main() -> None:
        async with place.live() as live:
            first = await begun(live)
            assert workers() == 3
            place.configure(entry="workers = 4\n")
            await live.reload()
            assert workers() == 7
            assert outcomes(await place.opened(first)) == {ResultOutcome.PASS}
            await until(lambda: workers() == 4)
            place.configure(entry='workers = 4\nversion = ">=1"\n')
            done = await live.reload()
            assert [line.action for line in done.synced] == ["present"]
            assert workers() == 4, "the same are wanted"

    asyncio.run(main())


def test_what_runs_survives_rollback_pin_and_prune_by_other_processes(place: Place, workers: Callable[[], int]) -> None:
    async def assess_plugins(*argv: str) -> str:
        command = [str(Path(sys.executable).with_name("assess")), "plugins", *argv, "--config", str(place.path)]
        process = await asyncio.create_subprocess_exec(
            *command, "--state-dir", str(place.state), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        said, _ = await process.communicate()
        assert process.returncode == 0, said.decode()
        return said.decode()

    def environments() -> int:
        return len(list((place.state / "envs").iterdir()))

    async def main() -> None:
        async with place.live() as live:
            first = await begun(live)  # with 1.0.0
            await place.publish("1.1.0")
            await live.reload()
            second = await begun(live)  # with 1.1.0
            await assess_plugins("rollback", "demo-plugin")
            await until(lambda: serving(live) == "1.0.0")
            await place.publish("1.2.0")
            assert versions(await live.assess({"short"})) == {"1.0.0"}
            await live.reload()
            assert serving(live) == "1.0.0", "pinned by the rollback"
            await assess_plugins("pin", "demo-plugin==1.2.0")
            await until(lambda: serving(live) == "1.2.0")
            await assess_plugins("prune", "--keep", "0")
            assert environments() == 3, "each is in use"
            assert versions(await live.assess({"short"})) == {"1.2.0"}
            assert not first.done()
            assert not second.done()
            place.gate.touch()
            assert [versions(await each) for each in (first, second)] == [{"1.0.0"}, {"1.1.0"}]
            await until(lambda: workers() == 3)
            await asyncio.sleep(0.2)
            await assess_plugins("prune", "--keep", "0")
            await until(lambda: environments() <= 2)  # the one before the one that serves may stay
            assert versions(await live.assess({"short"})) == {"1.2.0"}

    asyncio.run(main())


def test_a_narrower_grant_holds_for_what_begins_then_and_not_for_what_has_begun(
    place: Place, workers: Callable[[], int]
) -> None:
    async def main() -> None:
        async with place.live() as live:
            first = await begun(live)
            place.configure(entry="workers = 3\nrun_with_less = true\ngrant = { stat = [] }\n")
            assert not (await live.reload()).refused
            place.gate.touch()
            second = await live.assess({"long"})
            assert outcomes(second) == {ResultOutcome.PASS, ResultOutcome.ERROR}
            assert any("not granted" in result.reason for result in second.results)
            assert outcomes(await first) == {ResultOutcome.PASS}

    asyncio.run(main())


def test_what_was_tampered_with_is_not_started_again_and_what_runs_is_not_touched(
    place: Place, workers: Callable[[], int]
) -> None:
    def touch(environment: Path) -> None:
        (module,) = environment.glob("lib/*/site-packages/demo_plugin/__init__.py")
        module.parent.chmod(0o755)
        (module.parent / "planted.py").write_text("")

    async def main() -> None:
        async with place.live() as live:
            installed, _ = live.standing[DEMO]
            assert versions(await live.assess({"short"})) == {"1.0.0"}
            touch(installed.environment)
            assert versions(await live.assess({"short"})) == {"1.0.0"}, "loaded long ago"
            fleet = live._underway.fleet
            assert fleet is not None
            for worker in tuple(fleet.serving[DEMO].supervisor._workers):
                os.kill(worker.pid, signal.SIGKILL)
            said = ""
            async with asyncio.timeout(30):
                while "planted.py" not in said:  # the first may fail because of what it was killed by
                    run = await live.assess({"short"})
                    assert outcomes(run) <= {ResultOutcome.ERROR}
                    said = " ".join(result.reason for result in run.results) + (run.assessments[0].problem or "")
            assert "assess sync" in said
            await live.reload()  # which syncs
            assert versions(await live.assess({"short"})) == {"1.0.0"}

    asyncio.run(main())


def test_a_folder_that_was_tampered_with_leaves_what_runs_until_it_is_right_again(
    tmp_path: Path, made: Place, caplog: pytest.LogCaptureFixture
) -> None:
    folder = make_folder(tmp_path, made.tree.copy(tmp_path / "registry"))
    path, state = tmp_path / "assess.toml", tmp_path / "state"
    gate = tmp_path / "gate"
    gate.touch()
    path.write_text(
        f'[[plugins]]\ndir = "{folder.path}"\ntrusted_keys = "{folder.tree.trusted_keys}"\n'
        f'[[plugins]]\ndir = "{folder.path}"\ntrusted_keys = "{folder.tree.trusted_keys}"\nname = "demo-plugin"\n'
        f'settings = {{ greeting = "{gate}" }}\n'
        '[[assessments]]\nid = "short"\nplugin = "demo"\nprovider = "demo-subjects"\nselector = { count = 2 }\n'
    )
    good = folder.wheel.read_bytes()

    async def main() -> None:
        live = Live(lambda: load(path), state, poll_s=POLL_S)
        await live.start()
        try:
            assert versions(await live.assess()) == {"1.0.0"}
            folder.wheel.write_bytes(good[:-1] + b"!")
            await until(lambda: any(getattr(each, "action", "") == "config-refused" for each in caplog.records))
            assert versions(await live.assess()) == {"1.0.0"}
            assert "refused at step" in (await live.reload()).refused
            folder.wheel.write_bytes(good)
            done = await live.reload()
            assert (done.refused, [line.action for line in done.synced]) == ("", ["present"])
            assert versions(await live.assess()) == {"1.0.0"}
            await asyncio.to_thread(folder.tree.publish, *wheel("1.1.0"))
            await asyncio.to_thread(folder.install)
            await until(lambda: serving(live) == "1.1.0")
            assert versions(await live.assess()) == {"1.1.0"}
        finally:
            await live.stop(within_s=10)

    asyncio.run(main())


def test_a_version_that_is_installed_and_cannot_be_had_leaves_the_one_before(
    place: Place, workers: Callable[[], int], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with place.live() as live:
            fleet = live._underway.fleet
            assert fleet is not None
            take = fleet._lease

            def pruned(installed: InstalledPlugin) -> Lease:
                if installed.version == "1.1.0":
                    raise StoreError("1.1.0 was pruned meanwhile")
                return take(installed)

            fleet._lease = pruned
            await place.publish("1.1.0")
            done = await live.reload()
            assert ([line.action for line in done.synced], done.refused) == (["upgraded"], "")
            assert done.faults == {DEMO: "1.1.0 was pruned meanwhile"}
            run = await live.assess({"short"})
            assert versions(run) == {"1.0.0"}
            assert "pruned meanwhile" in (run.assessments[0].problem or "")
            assert workers() == 3
            place.configure(entry='workers = 3\nversion = ">=1.1"\n')  # nothing else will do
            await live.reload()
            run = await live.assess({"short"})
            assert not run.results
            assert "pruned meanwhile" in (run.assessments[0].problem or "")
            fleet._lease = take
            await live.reload()
            run = await live.assess({"short"})
            assert (versions(run), run.assessments[0].problem) == ({"1.1.0"}, None)

    asyncio.run(main())
    assert "start-refused" in {getattr(each, "action", "") for each in caplog.records}


def test_what_may_not_run_any_more_when_the_registry_was_silent_too_long(
    place: Place, workers: Callable[[], int]
) -> None:
    async def main() -> None:
        async with place.live() as live:
            first = await begun(live)
            place.tree.root.rename(place.directory / "gone")
            place.path.write_text(place.path.read_text().replace("refresh_s = 3600", "max_staleness_d = 0"))
            await live.reload()
            run = await live.assess({"short"})
            assert not run.results
            assert run.assessments[0].problem
            assert (versions(await place.opened(first))) == {"1.0.0"}

    asyncio.run(main())


@pytest.mark.parametrize("cancelled", [True, False])
def test_a_reload_that_was_cancelled_leaves_the_last_good_configuration(
    cancelled: bool, place: Place, workers: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    planning, on = threading.Event(), threading.Event()
    plan = Runtime.plan

    def slow(*given: Any, **more: Any) -> Any:
        planning.set()
        assert on.wait(30)
        return plan(*given, **more)

    async def main() -> None:
        async with place.live(poll_s=3600) as live:
            text = place.path.read_text()
            place.path.write_text(text.replace('id = "long"\n', 'id = "long"\nchecks = ["no-such-check"]\n'))
            monkeypatch.setattr(Runtime, "plan", slow)
            reloading = asyncio.create_task(live.reload())
            assert await asyncio.to_thread(planning.wait, 30)
            if cancelled:
                reloading.cancel()
                await asyncio.wait([reloading])
                assert reloading.cancelled()
            on.set()
            if not cancelled:
                assert "no-such-check" in (await reloading).refused
            await place.publish("1.1.0")
            assert "no-such-check" in (await live.reload()).refused
            assert serving(live) == "1.1.0"
            assert versions(await live.assess({"short"})) == {"1.1.0"}

    asyncio.run(main())


@pytest.mark.parametrize("broken", [True, False])
def test_a_root_that_was_cut_short_leaves_what_runs(broken: bool, place: Place, workers: Callable[[], int]) -> None:
    root = place.directory / "1.root.json"
    whole = root.read_bytes()

    async def main() -> None:
        async with place.live() as live:
            first = await begun(live)
            root.write_bytes(whole[: len(whole) // 2] if broken else whole)
            done = await live.reload()
            assert bool(done.refused) is broken
            assert ("1.root.json" in done.refused) is broken
            run = await live.assess({"short"})
            assert (versions(run), outcomes(run)) == ({"1.0.0"}, {ResultOutcome.PASS})
            assert outcomes(await place.opened(first)) == {ResultOutcome.PASS}
            if broken:
                root.unlink()
                assert "1.root.json" in (await live.reload()).refused
                assert outcomes(await live.assess({"short"})) == {ResultOutcome.PASS}
            root.write_bytes(whole)
            await place.publish("1.1.0")
            assert (await live.reload()).refused == ""
            assert versions(await live.assess({"short"})) == {"1.1.0"}
            await place.revoke("1.1.0", "kill")  # it is heard again
            await live.reload()
            assert versions(await live.assess({"short"})) == {"1.0.0"}

    asyncio.run(main())
