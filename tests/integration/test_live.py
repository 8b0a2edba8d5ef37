"""A runtime that goes on running follows what changes, and drops no assessment for it.

Real processes and a real registry. The plugin waits for a file to be there before it answers for its second subject, so
that an assessment runs for as long as a test wants.
"""

import asyncio
import json
import logging
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from assess_core.config import Config, load
from assess_core.errors import AssessError, ConfigError, CutShortError, StoreError
from assess_core.host.standing import State
from assess_core.journal import Journal
from assess_core.live import changes
from assess_core.live.following import Reloaded
from assess_core.live.live import Live
from assess_core.results import ResultOutcome, Run
from assess_core.runtime import Runtime
from assess_core.store import InstalledPlugin
from assess_core.store.leases import Lease, claim
from assess_registry.names import ProjectName
from assess_registry.publish.after import revoke
from tests.support.http_registry import HttpRegistry, serve
from tests.support.plugin_folder import make_folder
from tests.support.registry_tree import RegistryTree, make_registry_tree
from tests.support.wheels import demo_manifest, demo_plugin_wheel

DEMO = ProjectName("demo-plugin")
POLL_S = 0.1

SOURCE = '''\
"""Says its version of each subject; of all but the first once the gate is open."""

import time

from assess_plugin import (
    ActionInput, ActionOutput, CheckResult, EvaluateInput, EvaluateResult, Outcome, Subject, hookimpl,
)


class Assess:
    @hookimpl
    def assess_execute(self, input: ActionInput) -> ActionOutput:
        while input.subject.id != "host:0":
            input.host.log("waiting")
            try:
                input.host.stat(input.settings["greeting"])
                break
            except FileNotFoundError:
                time.sleep(0.1)
        return ActionOutput(
            results=tuple(CheckResult(check_id=each, outcome=Outcome.PASS, reason="VERSION") for each in input.checks)
        )


class Provide:
    @hookimpl
    def assess_evaluate(self, input: EvaluateInput) -> EvaluateResult:
        return EvaluateResult(
            subjects=tuple(
                Subject(id=f"host:{number}", type="inventory-item", title=str(number))
                for number in range(input.selector["count"])
            )
        )


plugin = Assess()
provider = Provide()
'''


def wheel(version: str, source: str = SOURCE) -> tuple[str, bytes]:
    permissions = f"stat = [{json.dumps(tempfile.gettempdir())}]"
    manifest = demo_manifest(("demo-one",), permissions=permissions)
    return demo_plugin_wheel(version, source=source.replace("VERSION", version), manifest=manifest)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A registry, a configuration and a state directory."""

    tree: RegistryTree
    directory: Path

    @property
    def state(self) -> Path:
        return self.directory / "state"

    @property
    def path(self) -> Path:
        return self.directory / "assess.toml"

    @property
    def gate(self) -> Path:
        return self.directory / "gate"

    def configure(
        self, *, entry: str = "workers = 3\n", assessment: str = "", refresh_s: float = 3600, runtime: str = ""
    ) -> None:
        """Write assess.toml, whole, as an editor does."""
        values = {
            "url": self.tree.root.as_uri(),
            "root": str(self.directory / "1.root.json"),
            "development": True,
            "refresh_s": refresh_s,
        }
        registry = "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
        text = (
            f'[runtime]\nid = "web-01"\n{runtime}[registry]\n{registry}[[plugins]]\nname = "demo-plugin"\n{entry}'
            f"settings = {{ greeting = {json.dumps(str(self.gate))} }}\n"
            '[[assessments]]\nid = "long"\nplugin = "demo"\nprovider = "demo-subjects"\nselector = { count = 3 }\n'
            '[[assessments]]\nid = "short"\nplugin = "demo"\nprovider = "demo-subjects"\nselector = { count = 1 }\n'
            f"{assessment}"
        )
        new = self.path.with_suffix(".new")
        new.write_text(text)
        new.replace(self.path)

    async def publish(self, version: str, source: str = SOURCE) -> None:
        await asyncio.to_thread(self.tree.publish, *wheel(version, source))

    async def revoke(self, version: str, severity: Any, *, project: str = DEMO) -> None:
        said: dict[str, Any] = {"reason": "sends it away", "severity": severity, "now": datetime.now(UTC)}
        keys = self.tree.everybody.release_keys
        await asyncio.to_thread(partial(revoke, self.tree.root, ProjectName(project), version, keys=keys, **said))

    async def opened(self, running: "asyncio.Task[Run]") -> Run:
        """What comes of an assessment that waited for this."""
        assert not running.done()
        self.gate.touch()
        run = await running
        self.gate.unlink()
        return run

    def copy(self, directory: Path) -> "Place":
        shutil.copytree(self.directory, directory, dirs_exist_ok=True, symlinks=True)
        place = replace(self, tree=replace(self.tree, directory=directory / "registry"), directory=directory)
        place.configure()
        return place

    @asynccontextmanager
    async def live(self, **more: Any) -> AsyncIterator[Live]:
        live = Live(lambda: load(self.path), self.state, **{"poll_s": POLL_S, **more})
        await live.start()
        try:
            yield live
        finally:
            await live.stop(within_s=20)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """1.0.0 is installed."""
    directory = tmp_path_factory.mktemp("made")
    place = Place(tree=make_registry_tree(directory / "registry", plugins=[wheel("1.0.0")]), directory=directory)
    shutil.copy2(place.tree.root_metadata, directory / "1.root.json")
    place.configure()
    with Runtime(load(place.path), state=place.state) as runtime:
        assert [line.version for line in runtime.sync()] == ["1.0.0"]
    return place


@pytest.fixture
def place(made: Place, tmp_path: Path) -> Place:
    return made.copy(tmp_path / "place")


@pytest.fixture
def workers(place: Place) -> Iterator[Callable[[], int]]:
    """How many worker processes of this place there are; none may be left."""

    def count() -> int:
        return len(list((place.state / "scratch").glob("*/*")))

    yield count
    assert count() == 0


def versions(run: Run) -> set[str]:
    """Which version answered, by its own word and by ours."""
    assert run.results
    return {result.reason for result in run.results} | {result.plugin.version for result in run.results}


def outcomes(run: Run) -> set[ResultOutcome]:
    return {result.outcome for result in run.results}


async def until(true: Callable[[], bool], within_s: float = 20.0) -> None:
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.02)


async def begun(live: Live, assessment: str = "long") -> "asyncio.Task[Run]":
    """This assessment runs: its plugin has answered for one subject, and is busy with the next."""
    asked = asyncio.Event()
    task = asyncio.create_task(live.assess({assessment}, notify=lambda _assessment, _event: asked.set()))
    waiting = asyncio.create_task(asked.wait())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED, timeout=30)
    assert not task.done()
    assert waiting.done()
    return task


def serving(live: Live) -> str:
    return {name: installed.version for name, (installed, _) in live.standing.items()}.get(DEMO, "")


def removable(lease: Path) -> bool:
    """Whether somebody who prunes would remove what this lease is on."""
    claimed = claim(lease)
    if claimed is not None:
        claimed.release()
    return claimed is not None


def recorded(place: Place) -> list[Any]:
    with Journal.open(place.state / "journal.db") as journal:
        return list(journal.runs())


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
