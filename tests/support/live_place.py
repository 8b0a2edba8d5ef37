"""A runtime that goes on running, for tests: its registry, its configuration and a plugin that waits.

The plugin waits for a file to be there before it answers for its second subject, so that an assessment runs for as long
as a test wants.
"""

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from assess_core.config import load
from assess_core.journal import Journal
from assess_core.live.live import Live
from assess_core.results import ResultOutcome, Run
from assess_core.runtime import Runtime
from assess_core.store.leases import claim
from assess_registry.names import ProjectName
from assess_registry.publish.after import revoke
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
