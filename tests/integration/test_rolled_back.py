"""A version that starts well and then dies at every call is left again, by itself, for the one before it.

Real processes and a real registry. What a version does at each call it reads from a file, so that one test can let it
answer first and die later.
"""

import asyncio
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assess_core.cli import main as assess
from assess_core.config import load
from assess_core.delivery import fallback
from assess_core.delivery.values import Action, Synced
from assess_core.doctor.plugins import lines
from assess_core.errors import FaultKind, StoreError
from assess_core.host import health_check
from assess_core.host.standing import State
from assess_core.live.live import Live
from assess_core.results import ResultOutcome, Run
from assess_core.runtime import Runtime
from assess_core.store import Death, Store
from assess_core.store.trials import Trials
from assess_core.versions import Resumed, listed, pin, remove_unneeded, resume, rollback, unpin
from assess_registry.client import RevokedError, parse_project
from assess_registry.publish.after import revoke
from tests.support.http_registry import HttpRegistry, serve
from tests.support.plugin_folder import make_folder
from tests.support.registry_tree import RegistryTree, make_registry_tree
from tests.support.wheels import demo_manifest, demo_plugin_wheel

DEMO = parse_project("demo-plugin")
POLL_S = 0.1
ASSESSMENTS = tuple(f"a{number}" for number in range(6))

SOURCE = '''\
"""Says its version of each subject, or dies in every call while a file says so."""

import os

from assess_plugin import (
    ActionInput, ActionOutput, CheckResult, EvaluateInput, EvaluateResult, Outcome, Subject, hookimpl,
)


def _perhaps_die(host, name):
    try:
        host.stat(name)
    except FileNotFoundError:
        return
    os._exit(3)


class Assess:
    @hookimpl
    def assess_execute(self, input: ActionInput) -> ActionOutput:
        _perhaps_die(input.host, input.settings["greeting"])
        return ActionOutput(
            results=tuple(CheckResult(check_id=each, outcome=Outcome.PASS, reason="VERSION") for each in input.checks)
        )


class Provide:
    @hookimpl
    def assess_evaluate(self, input: EvaluateInput) -> EvaluateResult:
        _perhaps_die(input.host, input.settings["greeting"])
        return EvaluateResult(subjects=(Subject(id="host:0", type="inventory-item", title="0"),))


plugin = Assess()
provider = Provide()
'''
GOOD = SOURCE.replace("    os._exit(3)\n", "    return\n")


class Place:
    """A registry with 1.0.0, which is good and serves; a configuration and a state directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state, self.path, self.deadly = directory / "state", directory / "assess.toml", directory / "deadly"
        self.tree: RegistryTree = make_registry_tree(directory / "registry", plugins=[self.wheel("1.0.0", GOOD)])
        shutil.copy2(self.tree.root_metadata, directory / "1.root.json")
        self.configure()

    def wheel(self, version: str, source: str) -> tuple[str, bytes]:
        manifest = demo_manifest(("demo-one",), permissions=f"stat = [{json.dumps(str(self.directory))}]")
        return demo_plugin_wheel(version, source=source.replace("VERSION", version), manifest=manifest)

    def configure(self, version: str = "", *, workers: int = 1, assessments: Sequence[str] = ASSESSMENTS) -> None:
        values = {"url": self.tree.root.as_uri(), "root": str(self.directory / "1.root.json"), "development": True}
        registry = "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
        asked = "".join(
            f'[[assessments]]\nid = "{name}"\nplugin = "demo"\nprovider = "demo-subjects"\n' for name in assessments
        )
        self.path.write_text(
            f'[runtime]\nid = "web-01"\n[registry]\n{registry}[[plugins]]\nname = "demo-plugin"\n'
            f'version = "{version}"\nworkers = {workers}\n'
            f"settings = {{ greeting = {json.dumps(str(self.deadly))} }}\n{asked}"
        )

    def follow_folder(self, version: str) -> None:
        """Its entry names a folder from now on, which holds this version."""
        (self.directory / "other").mkdir()
        folder = make_folder(self.directory / "other", self.tree)
        folder.install(f"demo-plugin=={version}")
        entry = f'[[plugins]]\ndir = "{folder.path}"\ntrusted_keys = "{self.tree.trusted_keys}"\n'
        self.path.write_text(self.path.read_text().replace("[[plugins]]\n", entry))

    def publish(self, version: str, source: str = SOURCE) -> None:
        self.tree.publish(*self.wheel(version, source))

    def revoke(self, version: str, severity: str = "high") -> None:
        said: dict[str, Any] = {"reason": "leaks", "severity": severity, "now": datetime.now(UTC)}
        revoke(self.tree.root, DEMO, version, keys=self.tree.everybody.release_keys, **said)

    def runtime(self) -> Runtime:
        return Runtime(load(self.path), state=self.state)

    def sync(self, *, retry: bool = False, dry_run: bool = False) -> Synced:
        with self.runtime() as runtime:
            (line,) = runtime.sync(retry=retry, dry_run=dry_run)
        return line

    def run(self) -> Run:
        """As `assess run` does it: once, all assessments."""
        with self.runtime() as runtime:
            synced = runtime.sync()
            return runtime.assess(runtime.plan(synced), synced=synced)

    def serves(self) -> str:
        with self.runtime() as runtime:
            found = runtime.store.find(DEMO)
        return "" if found is None else found.version

    def states(self) -> dict[str, tuple[str, ...]]:
        with self.runtime() as runtime:
            return {each.plugin.version: each.states for each in listed(runtime, everything=True)}

    def told(self) -> str:
        """What the doctor says of the plugin."""
        with self.runtime() as runtime:
            return "\n".join(f"{line.state} {line.text}" for line in lines(runtime))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    assert made.sync().action is Action.INSTALLED
    yield made
    assert not list((made.state / "scratch").glob("*/*")), "a worker is left"


@pytest.fixture
def upgraded(place: Place) -> Place:
    """1.1.0 serves and has passed its check."""
    place.publish("1.1.0")
    assert place.sync().action is Action.UPGRADED
    return place


def said(caplog: pytest.LogCaptureFixture, action: str) -> list[str]:
    return [record.getMessage() for record in caplog.records if getattr(record, "action", "") == action]


def passes(run: Run) -> int:
    return sum(result.outcome is ResultOutcome.PASS for result in run.results)


async def until(true: Callable[[], bool], within_s: float = 20.0) -> None:
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.02)


def serving(live: Live) -> str:
    return {name: installed.version for name, (installed, _) in live.standing.items()}.get(DEMO, "")


async def quarantined(live: Live) -> list[Run]:
    """Each assessment is one death; the fifth is one too many."""
    runs = [await live.assess({name}) for name in ASSESSMENTS[:5]]
    assert live.standing[DEMO][1].state is State.QUARANTINED
    return runs


@pytest.mark.parametrize("answers_first", [False, True])
def test_a_running_runtime_leaves_a_version_that_never_answered(
    answers_first: bool, upgraded: Place, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        live = Live(lambda: load(upgraded.path), upgraded.state, poll_s=POLL_S)
        await live.start()
        try:
            assert serving(live) == "1.1.0"
            if answers_first:
                assert passes(await live.assess({"a0"})) == 1
            upgraded.deadly.touch()
            runs = await quarantined(live)
            assert sum(map(passes, runs)) == 0
            if answers_first:
                await live.reload()
                await live.reload()
                assert serving(live) == upgraded.serves() == "1.1.0"
                assert passes(await live.assess({"a0"})) == 0
                assert not said(caplog, "rolled-back")
                return
            await until(lambda: serving(live) == "1.0.0")
            run = await live.assess({"a0"})
            assert passes(run) == 1
            assert {result.plugin.version for result in run.results} == {"1.0.0"}
            (line,) = (await live.reload()).synced
            assert (line.action, line.previous) == (Action.HELD, "1.0.0")
            assert "quarantined before its first good call" in line.reason
            assert serving(live) == "1.0.0"
            (message,) = said(caplog, "rolled-back")
            assert "1.1.0" in message
            assert "1.0.0" in message
        finally:
            await live.stop(within_s=20)

    with caplog.at_level(logging.INFO):
        asyncio.run(main())


@pytest.mark.parametrize("hangs", [True, False])
def test_a_running_runtime_leaves_it_whether_or_not_the_registry_answers(hangs: bool, upgraded: Place) -> None:
    """What is asked is not waited for: it may take an hour."""

    async def main(http: HttpRegistry) -> None:
        def never(_: object) -> None:
            asked.set()
            http.stopping.wait()

        asked = threading.Event()
        live = Live(lambda: load(upgraded.path), upgraded.state, poll_s=POLL_S)
        await live.start()
        try:
            upgraded.deadly.touch()
            if hangs:
                http.answers["/metadata/timestamp.json"] = never
            await quarantined(live)
            await until(lambda: serving(live) == "1.0.0", within_s=90)
            run = await live.assess({"a0"})
            assert (passes(run), {result.plugin.version for result in run.results}) == (1, {"1.0.0"})
            if hangs:
                await until(asked.is_set, within_s=90)
                assert upgraded.states()["1.0.0"] == ("active",)
        finally:
            await live.stop(within_s=1)

    with serve(upgraded.tree.root) as http:
        text = upgraded.path.read_text().replace(upgraded.tree.root.as_uri(), http.url)
        upgraded.path.write_text(text.replace("[registry]\n", "[registry]\ntimeout_s = 3600\n"))
        asyncio.run(main(http))
        http.answers.clear()
        assert upgraded.sync().action is Action.HELD


@pytest.mark.parametrize("answers_first", [False, True])
def test_one_shot_leaves_it_at_its_end(answers_first: bool, upgraded: Place, caplog: pytest.LogCaptureFixture) -> None:
    if answers_first:
        assert passes(upgraded.run()) == len(ASSESSMENTS)
    upgraded.deadly.touch()
    assert passes(upgraded.run()) == 0
    assert upgraded.states()["1.1.0"].count("quarantined") == 1
    if answers_first:
        assert upgraded.serves() == "1.1.0"
        assert not said(caplog, "rolled-back")
        assert passes(upgraded.run()) == 0
        return
    assert upgraded.serves() == "1.0.0"
    assert len(said(caplog, "rolled-back")) == 1
    assert upgraded.states() == {"1.1.0": ("previous", "held", "quarantined"), "1.0.0": ("active",)}
    told = upgraded.told()
    assert "warn 1.1.0" in told
    assert "quarantined before its first good call" in told
    assert passes(upgraded.run()) == len(ASSESSMENTS), "1.0.0 answers"
    line = upgraded.sync()
    assert (line.action, line.previous) == (Action.HELD, "1.0.0")
    assert "only when somebody asks for it" in line.reason
    assert len(said(caplog, "rolled-back")) == 1, "it was not tried again"


@pytest.mark.parametrize("how", ["resume", "retry"])
def test_it_is_tried_again_when_somebody_asks_for_it(how: str, upgraded: Place) -> None:
    upgraded.deadly.touch()
    upgraded.run()
    upgraded.deadly.unlink()
    if how == "resume":
        with upgraded.runtime() as runtime:
            resume(runtime, DEMO)
    assert upgraded.sync(retry=how == "retry").action is Action.UPGRADED
    assert passes(upgraded.run()) == len(ASSESSMENTS)
    assert upgraded.states()["1.1.0"] == ("active",)
    upgraded.deadly.touch()
    upgraded.run()
    assert upgraded.serves() == "1.1.0", "it has answered since"


def test_a_newer_version_is_brought_up_as_ever(upgraded: Place) -> None:
    upgraded.deadly.touch()
    upgraded.run()
    upgraded.publish("1.2.0", GOOD)
    line = upgraded.sync()
    assert (line.action, line.version, line.previous) == (Action.UPGRADED, "1.2.0", "1.0.0")


def test_nobody_goes_back_to_what_is_quarantined_before_that_is_lifted(upgraded: Place) -> None:
    upgraded.deadly.touch()
    upgraded.run()
    with upgraded.runtime() as runtime:
        with pytest.raises(StoreError, match=r"1\.1\.0 is quarantined.*assess plugins resume demo-plugin"):
            rollback(runtime, DEMO)
        assert runtime.store.choices(DEMO).pin is None
        resume(runtime, DEMO)
        assert rollback(runtime, DEMO).plugin.version == "1.1.0"


class KilledError(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("after", ["nothing", "health_check", "choose", "rollback"])
def test_killed_on_the_way_back_the_next_start_does_it(
    after: str, upgraded: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgraded.deadly.touch()
    with monkeypatch.context() as patch:

        def killing(function: Callable[..., Any]) -> Callable[..., Any]:
            def called(*arguments: Any, **named: Any) -> Any:
                done = function(*arguments, **named)
                if hasattr(done, "close"):
                    done.close()
                raise KilledError

            return called

        if after == "nothing":
            patch.setattr(fallback, "_left", killing(lambda *_arguments: None))
        elif after == "health_check":
            patch.setattr("assess_core.delivery.fallback.health_check", killing(health_check))
        else:
            patch.setattr(Store, after, killing(getattr(Store, after)))
        with pytest.raises(KilledError):
            upgraded.run()
    assert upgraded.serves() == ("1.0.0" if after == "rollback" else "1.1.0")
    run = upgraded.run()
    assert passes(run) == len(ASSESSMENTS)
    assert {result.plugin.version for result in run.results} == {"1.0.0"}
    assert upgraded.sync().action is Action.HELD
    assert upgraded.serves() == "1.0.0"


KILLED_BETWEEN = """
import os, signal, sys
from pathlib import Path
from assess_core.delivery import fallback
from assess_core.config import load
from assess_core.runtime import Runtime

fallback._left = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
with Runtime(load(Path(sys.argv[1])), state=Path(sys.argv[2])) as runtime:
    synced = runtime.sync()
    runtime.assess(runtime.plan(synced), synced=synced)
"""


def test_killed_between_quarantine_and_rollback_a_runtime_that_starts_does_it(upgraded: Place) -> None:
    upgraded.deadly.touch()
    given = [sys.executable, "-c", KILLED_BETWEEN, str(upgraded.path), str(upgraded.state)]
    done = subprocess.run(given, capture_output=True, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert upgraded.serves() == "1.1.0"
    with upgraded.runtime() as runtime:
        (found,) = (line for line in lines(runtime) if "in quarantine" in line.text)
    assert "run `assess sync`, which goes back to the version before" in found.fix

    async def main() -> None:
        live = Live(lambda: load(upgraded.path), upgraded.state, poll_s=POLL_S)
        (line,) = (await live.start()).synced
        try:
            assert (line.action, line.previous, serving(live)) == (Action.HELD, "1.0.0", "1.0.0")
            assert passes(await live.assess({"a0"})) == 1
        finally:
            await live.stop(within_s=20)

    asyncio.run(main())


@pytest.mark.parametrize("why", ["nothing", "revoked", "pruned", "not asked for"])
def test_nothing_is_gone_back_to_that_may_not_run(why: str, upgraded: Place, caplog: pytest.LogCaptureFixture) -> None:
    if why == "revoked":
        upgraded.revoke("1.0.0")
    elif why == "pruned":
        with upgraded.runtime() as runtime:
            assert remove_unneeded(runtime, keep=0).removed
    elif why == "not asked for":
        upgraded.configure("==1.1.0")
    upgraded.deadly.touch()
    assert passes(upgraded.run()) == 0
    assert upgraded.serves() == ("1.0.0" if why == "nothing" else "1.1.0")
    assert passes(upgraded.run()) == (len(ASSESSMENTS) if why == "nothing" else 0)
    refused = said(caplog, "rollback-refused")
    assert bool(refused) is (why != "nothing")
    assert all("1.1.0" in message for message in refused)


@pytest.mark.parametrize("revoked", [False, True])
def test_what_the_registry_revoked_does_not_come_back_by_way_of_a_folder(
    revoked: bool, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.publish("1.1.0")
    place.follow_folder("1.1.0")
    assert place.sync().action is Action.UPGRADED
    if revoked:
        place.revoke("1.0.0")
        with place.runtime() as runtime, pytest.raises(RevokedError):
            rollback(runtime, DEMO)
    place.deadly.touch()
    assert passes(place.run()) == 0
    assert place.serves() == ("1.1.0" if revoked else "1.0.0")
    assert passes(place.run()) == (0 if revoked else len(ASSESSMENTS))
    assert bool(said(caplog, "rollback-refused")) is revoked


@pytest.mark.parametrize("revoked", [False, True])
def test_what_the_registry_revoked_does_not_stay_because_a_folder_has_nothing_better(
    revoked: bool, place: Place
) -> None:
    place.publish("1.1.0", "raise RuntimeError\n")
    place.follow_folder("1.1.0")
    assert (place.sync().action, place.serves()) == (Action.FAILED, "1.0.0")
    assert passes(place.run()) == len(ASSESSMENTS)

    async def main() -> None:
        live = Live(lambda: load(place.path), place.state, poll_s=3600)
        await live.start()
        try:
            assert passes(await live.assess({"a0"})) == 1
            if revoked:
                place.revoke("1.0.0")
            assert not (await live.reload()).refused
            assert passes(await live.assess({"a0"})) == (0 if revoked else 1)
        finally:
            await live.stop(within_s=20)

    asyncio.run(main())
    assert passes(place.run()) == (0 if revoked else len(ASSESSMENTS))


def test_what_is_quarantined_and_was_pruned_is_not_brought_up_again(upgraded: Place) -> None:
    assert passes(upgraded.run()) == len(ASSESSMENTS)
    upgraded.deadly.touch()
    upgraded.run()
    assert upgraded.states()["1.1.0"] == ("active", "quarantined")
    with upgraded.runtime() as runtime:
        pin(runtime, DEMO, "1.0.0")
    assert upgraded.sync().action is Action.UPGRADED
    with upgraded.runtime() as runtime:
        assert [each.version for each in remove_unneeded(runtime, keep=0).removed] == ["1.1.0"]
        unpin(runtime, DEMO)
    with upgraded.runtime() as runtime:
        (compat,) = runtime.compat()
        assert ("1.1.0 is quarantined" in "".join(compat.problems), compat.version) == (True, "1.1.0")
    planned, done = upgraded.sync(dry_run=True), upgraded.sync()
    assert (planned.action, planned.reason) == (done.action, done.reason) == (Action.HELD, done.reason)
    assert upgraded.serves() == "1.0.0"
    assert list(upgraded.states()) == ["1.0.0"], "nothing was installed to find that out"
    assert passes(upgraded.run()) == len(ASSESSMENTS)
    with upgraded.runtime() as runtime:
        resume(runtime, DEMO)
        assert not runtime.compat()[0].problems
    assert upgraded.sync(dry_run=True).action is Action.WOULD_UPGRADE
    assert (upgraded.sync().action, upgraded.serves()) == (Action.UPGRADED, "1.1.0")


def test_what_was_taken_out_on_trial_is_on_none_when_it_comes_back_alone(
    upgraded: Place, caplog: pytest.LogCaptureFixture
) -> None:
    configured = upgraded.path.read_text()
    upgraded.path.write_text(configured.partition("[[plugins]]")[0])
    assert upgraded.sync().action is Action.REMOVED
    upgraded.path.write_text(configured)
    assert upgraded.sync().action is Action.INSTALLED
    upgraded.deadly.touch()
    upgraded.run()
    assert upgraded.states()["1.1.0"] == ("active", "quarantined")
    assert not said(caplog, "rollback-refused"), "there is nothing to go back to, and nobody tries"
    assert "goes back" not in upgraded.told()


class Somebody:
    """Asks for `resume` beside whoever is just leaving a version, and has done what can be done until that is over."""

    def __init__(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        self.resumed: list[Resumed] = []
        self.asked = False
        self._place = place
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._resume)
        activating = Store.activating

        def awaited(store: Store, name: Any) -> Any:
            if threading.current_thread() is self._thread:
                self._done.set()
            return activating(store, name)

        monkeypatch.setattr(Store, "activating", awaited)

    def asks(self) -> None:
        self.asked = True
        self._place.deadly.unlink()
        self._thread.start()
        assert self._done.wait(60)

    def has(self) -> Resumed:
        self._thread.join(60)
        (resumed,) = self.resumed
        return resumed

    def _resume(self) -> None:
        with self._place.runtime() as runtime:
            self.resumed.append(resume(runtime, DEMO))
        self._done.set()


def test_what_somebody_resumes_while_the_one_before_starts_stays(
    upgraded: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resuming(*arguments: Any) -> None:
        await health_check(*arguments)
        somebody.asks()

    upgraded.deadly.touch()
    with monkeypatch.context() as patch:
        somebody = Somebody(upgraded, patch)
        patch.setattr(fallback, "health_check", resuming)
        upgraded.run()
        assert somebody.has().quarantine is not None
    assert upgraded.states()["1.1.0"] == ("active",)
    assert passes(upgraded.run()) == len(ASSESSMENTS)


@pytest.mark.parametrize("moment", ["before it is on record", "before the pointer is moved", None])
def test_what_somebody_resumes_when_it_is_too_late_to_stay_comes_back(
    moment: str | None, upgraded: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose, move = Store.choose, Store.rollback

    def choosing(store: Store, name: Any, change: Any) -> Any:
        if moment == "before it is on record" and not somebody.asked:
            somebody.asks()
        return choose(store, name, change)

    def moving(store: Store, name: Any) -> Any:
        if moment == "before the pointer is moved":
            somebody.asks()
        return move(store, name)

    upgraded.deadly.touch()
    with monkeypatch.context() as patch:
        somebody = Somebody(upgraded, patch)
        patch.setattr(Store, "choose", choosing)
        patch.setattr(Store, "rollback", moving)
        upgraded.run()
        assert moment is None or somebody.has().quarantine is not None
    assert upgraded.serves() == "1.0.0"
    upgraded.deadly.unlink(missing_ok=True)
    assert upgraded.sync().action is (Action.HELD if moment is None else Action.UPGRADED)
    assert passes(upgraded.run()) == len(ASSESSMENTS)


def test_a_resume_that_has_to_wait_too_long_says_what_is_left_to_do(
    upgraded: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assess_core.store.store.LOCK_TIMEOUT_S", 0.0)
    upgraded.deadly.touch()
    upgraded.run()
    with upgraded.runtime() as runtime, runtime.store.activating(DEMO):
        with pytest.raises(StoreError, match="once more"):
            resume(runtime, DEMO)
        assert runtime.quarantines.of(DEMO) is None
    with upgraded.runtime() as runtime:
        assert [each.version for each in resume(runtime, DEMO).failed] == ["1.1.0"]


def test_a_trial_that_cannot_be_ended_does_not_make_it_a_failure(
    upgraded: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def end(_trials: Trials, env_key: str) -> None:
        raise StoreError(f"{env_key}: cannot be removed")

    upgraded.deadly.touch()
    monkeypatch.setattr(Trials, "end", end)
    upgraded.run()
    assert upgraded.serves() == "1.0.0"
    assert len(said(caplog, "rolled-back")) == 1
    assert not said(caplog, "rollback-refused")
    assert said(caplog, "trial-not-ended")


def test_the_first_version_there_is_stays_quarantined(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.publish("1.1.0")
    assert place.sync().action is Action.INSTALLED
    place.deadly.touch()
    assert passes(place.run()) == 0
    assert place.serves() == "1.1.0"
    assert place.states() == {"1.1.0": ("active", "quarantined")}


def test_neither_of_two_that_never_answered_is_taken_for_the_other_for_ever(place: Place) -> None:
    place.publish("1.1.0")
    place.publish("1.2.0")
    place.configure("==1.1.0")
    assert place.sync().action is Action.UPGRADED
    place.configure()
    assert place.sync().action is Action.UPGRADED
    place.deadly.touch()
    assert passes(place.run()) == 0
    assert place.serves() == "1.1.0"
    assert passes(place.run()) == 0
    assert place.serves() == "1.1.0", "1.2.0 is held, so nothing is gone back to"
    assert passes(place.run()) == 0
    place.deadly.unlink()
    with place.runtime() as runtime:
        resume(runtime, DEMO)
    assert place.sync().action is Action.UPGRADED
    assert passes(place.run()) == len(ASSESSMENTS)


def test_what_is_pinned_is_left_as_well_and_the_pin_stays(upgraded: Place) -> None:
    with upgraded.runtime() as runtime:
        pin(runtime, DEMO, "1.1.0")
    upgraded.deadly.touch()
    upgraded.run()
    assert upgraded.serves() == "1.0.0"
    assert upgraded.states()["1.1.0"] == ("previous", "pinned", "held", "quarantined")
    assert (upgraded.sync().action, upgraded.serves()) == (Action.HELD, "1.0.0")


def test_a_dry_run_says_what_it_would_do_and_does_nothing(upgraded: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    upgraded.deadly.touch()
    with monkeypatch.context() as patch:
        patch.setattr(fallback, "_left", lambda *_arguments: (_ for _ in ()).throw(KilledError))
        with pytest.raises(KilledError):
            upgraded.run()
    line = upgraded.sync(dry_run=True)
    assert (line.action, line.previous) == (Action.HELD, "1.0.0")
    assert upgraded.serves() == "1.1.0"


def test_workers_that_somebody_kills_at_once_are_no_reason(upgraded: Place) -> None:
    upgraded.configure(workers=5)

    async def main() -> None:
        live = Live(lambda: load(upgraded.path), upgraded.state, poll_s=POLL_S)
        await live.start()
        try:
            supervisor = live._underway.serving.serving[DEMO].supervisor
            pids = [worker.pid for worker in supervisor._workers]
            assert len(pids) == 5
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            await until(lambda: len(supervisor.ended) == 5)
            await until(lambda: live.standing[DEMO][1].state is State.READY)
            await live.reload()
            assert serving(live) == "1.1.0"
            assert live.standing[DEMO][1].quarantine is None
            assert passes(await live.assess({"a0"})) == 1
        finally:
            await live.stop(within_s=20)

    asyncio.run(main())
    assert upgraded.serves() == "1.1.0"


def died_before(place: Place, times: int) -> None:
    """So often the version that serves died in other processes, hours apart."""
    with place.runtime() as runtime:
        pointer = runtime.store.pointer(DEMO)
        assert pointer is not None
        for number in range(times):
            at = datetime.now(UTC) - timedelta(hours=times - number)
            death = Death(at=at, began_at=at, kind=FaultKind.EXITED, phase="evaluate", message="it left")
            assert len(runtime.store.trials.died(pointer.env_key, death, at_once_s=5.0)) == number + 1


@pytest.mark.parametrize("answers_after", [None, 2])
def test_one_death_in_each_run_is_enough(
    answers_after: int | None, upgraded: Place, caplog: pytest.LogCaptureFixture
) -> None:
    upgraded.configure(assessments=["a0"])
    for number in range(5):
        if number == answers_after:
            upgraded.deadly.unlink()
            assert passes(upgraded.run()) == 1
        upgraded.deadly.touch()
        assert upgraded.serves() == "1.1.0"
        assert passes(upgraded.run()) == 0
    if answers_after is not None:
        assert upgraded.serves() == "1.1.0"
        assert upgraded.states()["1.1.0"] == ("active",)
        return
    assert upgraded.serves() == "1.0.0"
    assert "after 5 deaths" in upgraded.sync().reason
    assert len(said(caplog, "rolled-back")) == 1
    assert passes(upgraded.run()) == 1


@pytest.mark.parametrize("others", [3, 4])
def test_a_running_runtime_with_few_calls_counts_what_died_hours_ago(others: int, upgraded: Place) -> None:
    async def main() -> None:
        live = Live(lambda: load(upgraded.path), upgraded.state, poll_s=POLL_S)
        await live.start()
        try:
            upgraded.deadly.touch()
            died_before(upgraded, others)
            assert passes(await live.assess({"a0"})) == 0
            if others == 4:
                await until(lambda: serving(live) == "1.0.0")
                assert passes(await live.assess({"a0"})) == 1
                return
            await until(lambda: live.standing[DEMO][1].state is State.READY)
            await live.reload()
            assert serving(live) == "1.1.0"
            assert live.standing[DEMO][1].quarantine is None
        finally:
            await live.stop(within_s=20)

    asyncio.run(main())


def test_killed_between_the_fifth_death_and_the_quarantine_the_next_death_does_it(upgraded: Place) -> None:
    upgraded.configure(assessments=["a0"])
    upgraded.deadly.touch()
    died_before(upgraded, 5)
    assert passes(upgraded.run()) == 0
    assert upgraded.serves() == "1.0.0"


def test_what_is_resumed_is_tried_as_often_again(upgraded: Place) -> None:
    upgraded.configure("==1.1.0", assessments=["a0"])
    upgraded.deadly.touch()
    died_before(upgraded, 4)
    upgraded.run()
    assert upgraded.states()["1.1.0"] == ("active", "quarantined"), "the version before is not asked for"
    with upgraded.runtime() as runtime:
        assert resume(runtime, DEMO).quarantine is not None
    upgraded.run()
    assert upgraded.states()["1.1.0"] == ("active",)


def test_a_death_that_cannot_be_counted_is_said_and_changes_nothing_else(
    upgraded: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def died(_trials: Trials, env_key: str, _death: Death, *, at_once_s: float) -> tuple[Death, ...]:
        raise StoreError(f"{env_key}: no room after {at_once_s} s")

    upgraded.configure(assessments=["a0", "a1"])
    upgraded.deadly.touch()
    monkeypatch.setattr(Trials, "died", died)
    assert passes(upgraded.run()) == 0
    assert upgraded.states()["1.1.0"] == ("active",)
    assert len(said(caplog, "trial-not-counted")) == 1


def test_another_environment_of_what_is_quarantined_and_was_pruned_is_brought_up(upgraded: Place) -> None:
    """Of the same version with another wheel nothing is known."""
    assert passes(upgraded.run()) == len(ASSESSMENTS)
    upgraded.deadly.touch()
    upgraded.run()
    with upgraded.runtime() as runtime:
        kept = runtime.quarantines.of(DEMO)
        assert kept is not None
        pin(runtime, DEMO, "1.0.0")
    upgraded.sync()
    with upgraded.runtime() as runtime:
        remove_unneeded(runtime, keep=0)
        unpin(runtime, DEMO)
        runtime.quarantines.put(DEMO, replace(kept, env_key="0" * 64))
    assert upgraded.sync(dry_run=True).action is Action.WOULD_UPGRADE
    assert upgraded.sync().action is Action.UPGRADED


@pytest.mark.parametrize("answers_first", [False, True])
def test_compat_and_pin_say_what_a_sync_says(
    answers_first: bool, upgraded: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    def typed(*arguments: str) -> tuple[int, str, str]:
        code = assess([*arguments, "--config", str(upgraded.path), "--state-dir", str(upgraded.state)])
        told = capsys.readouterr()
        return code, told.out, told.err

    if answers_first:
        assert passes(upgraded.run()) == len(ASSESSMENTS)
    upgraded.deadly.touch()
    upgraded.run()
    code, out, err = typed("plugins", "compat")
    assert (code, "1.1.0" in out, "no" in out.split()) == (1, True, True)
    assert "1.1.0 is quarantined since" in err
    assert ("1.1.0 failed once under Python" in err) is not answers_first, "what serves is not brought up"
    if not answers_first:
        assert upgraded.sync().reason in err
    code, out, err = typed("plugins", "pin", "demo-plugin==1.1")
    assert (code, "is not brought up as things are" in out) == (0, True)
    assert "assess plugins resume demo-plugin" in err
    assert ("1.1.0 failed once under Python" in err) is not answers_first
    code, out, _ = typed("plugins", "pin", "demo-plugin==1.1.0", "--output", "json")
    assert len(json.loads(out)["problems"]) == (1 if answers_first else 2)
    assert typed("plugins", "pin", "demo-plugin==1.0.0")[2] == "", "of another version it says nothing"
    assert typed("plugins", "compat")[:2] == (0, typed("plugins", "compat", "demo-plugin==1.0.0")[1])
    assert typed("plugins", "pin", "demo-plugin==1.1.0")[0] == typed("plugins", "resume", "demo-plugin")[0] == 0
    assert typed("plugins", "compat")[0] == 0
    assert "the next `assess sync` brings it up" in typed("plugins", "pin", "demo-plugin==1.1.0")[1]


@pytest.mark.parametrize("holds_it", [False, True])
def test_what_was_revoked_with_kill_is_killed_unless_the_folder_of_its_entry_holds_it(
    holds_it: bool, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """It came from the registry, and serves because the folder's version fails its check; or it came from there."""
    place.publish("1.1.0", GOOD if holds_it else "raise RuntimeError\n")
    place.follow_folder("1.1.0")
    version = "1.1.0" if holds_it else "1.0.0"
    place.sync()
    assert place.serves() == version

    async def main() -> None:
        live = Live(lambda: load(place.path), place.state, poll_s=3600)
        await live.start()
        try:
            assert passes(await live.assess({"a0"})) == 1
            place.revoke(version, "kill")
            await live.reload()
            assert len(said(caplog, "revoked-killed")) == (0 if holds_it else 1)
            assert not said(caplog, "revoked-retired")
            assert passes(await live.assess({"a0"})) == (1 if holds_it else 0)
        finally:
            await live.stop(within_s=20)

    asyncio.run(main())
    assert ("revoked" in place.states()[version]) is not holds_it
