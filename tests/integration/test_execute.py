"""A task becomes results, one for each check of each subject, whatever its plugin does; real processes."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from assess_core.assessing import tries as module
from assess_core.assessing.execute import execute
from assess_core.assessing.plan import Callee, Task
from assess_core.assessing.values import Context, Event, Executed, Keep, Reached
from assess_core.host import LogLine, Progress, Supervisor
from assess_core.journal import Evidence, Journal
from assess_core.results import ResultOutcome
from assess_core.store import InstalledPlugin
from assess_registry.client import PluginName
from tests.support.installed import host_config, make_installed, make_program

NOW = datetime(2026, 11, 21, tzinfo=UTC)
PROVIDER = """
from assess_plugin import *
@hookimpl
def assess_evaluate(input):
    input.host.progress(0, 1, "looking")
    input.host.log("found one")
    return EvaluateResult(subjects=(Subject(id="host:a", type="component", title="a"),))
"""


def executed(
    root: Path, *checks: str, permissions: str = "", timeout_s: float = 10, keep: Keep | None = None
) -> tuple[Executed, dict[str, tuple[str, bytes]], list[tuple[str, Event]]]:
    """What becomes of one assessment by `misbehaves`, the evidence that was kept, and what was said meanwhile."""
    plugin = make_program(root, "misbehaves", checks=checks, permissions=permissions)
    provider = make_installed(root, {"finder": PROVIDER}, plugins={}, providers={"finds": "finder"})
    told: list[tuple[str, Event]] = []
    kept: dict[str, tuple[str, bytes]] = {}

    async def remember(evidence: Evidence) -> None:
        kept.update(evidence)

    context = Context(
        runtime="web-01",
        labels={},
        registry="development",
        clock=lambda: NOW,
        notify=lambda assessment, event: told.append((assessment, event)),
    )
    task = Task(
        assessment="host",
        plugin=callee(plugin, "it"),
        provider=callee(provider, "finds"),
        selector={},
        checks=tuple(spec for spec in plugin.manifest.checks if spec.id in checks),
        subjects=(),
        timeout_s=timeout_s,
    )

    async def run() -> Executed:
        config = host_config(root, kill_after_s=0.2)
        hosts = {each.distribution: Supervisor(each, config) for each in (plugin, provider)}
        try:
            return await execute(task, hosts=hosts, context=context, due_at=NOW, keep=keep or remember)
        finally:
            for host in hosts.values():
                await host.stop()

    return asyncio.run(run()), kept, told


def callee(installed: InstalledPlugin, name: str) -> Callee:
    return Callee(installed=installed, name=PluginName(name), settings={})


@pytest.mark.parametrize(
    ("check", "outcome"),
    [
        ("touches-then-hangs", ResultOutcome.TIMEOUT),
        ("touches-then-exits", ResultOutcome.ERROR),
        ("touches-then-raises", ResultOutcome.ERROR),
    ],
)
def test_results_of_a_call_that_failed_say_what_it_touched(tmp_path: Path, check: str, outcome: ResultOutcome) -> None:
    done, kept, _ = executed(tmp_path, check, "well", permissions='read = ["/etc/passwd"]', timeout_s=1)
    results = {result.check: result for result in done.results}
    assert {result.outcome for result in done.results} == {outcome}
    shared: Mapping[str, Any] = {"stat": "/etc/passwd"}
    assert results[check].provenance == (shared, {"open": "/etc/passwd"})
    assert results["well"].provenance == (shared,), "what was done for the other check is not its"
    assert [item.name for item in results[check].evidence] == ["seen"]
    assert results["well"].evidence == ()
    assert kept == {results[check].evidence[0].sha256: ("text/plain", b"root")}
    assert results[check].started_at > NOW, "when the call began, not when it was planned"


@pytest.mark.parametrize(("most", "fits"), [(4, True), (3, False)])
def test_evidence_beyond_what_a_run_may_have_is_not_kept_and_fails_its_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, fits: bool
) -> None:
    """Four bytes are handed over; where they fit, the fault is the plugin's own."""
    monkeypatch.setattr(module, "MAX_RUN_EVIDENCE_BYTES", most)
    check = "touches-then-raises"
    done, kept, _ = executed(tmp_path, check, permissions='read = ["/etc/passwd"]')
    (result,) = done.results
    assert result.outcome is ResultOutcome.ERROR
    assert bool(kept) is bool(result.evidence) is fits
    assert ("that of this call is beyond and was not kept" in result.reason) is not fits
    assert {"open": "/etc/passwd"} in result.provenance


@pytest.mark.parametrize(("most", "fits"), [(4, True), (3, False)])
def test_evidence_that_the_journal_has_no_room_for_fails_its_call_alone(tmp_path: Path, most: int, fits: bool) -> None:
    with Journal.open(tmp_path / "journal.db") as journal:
        journal.limit_evidence(most)

        async def keep(evidence: Evidence) -> None:
            journal.keep(evidence)

        done, _, _ = executed(tmp_path, "touches-then-raises", permissions='read = ["/etc/passwd"]', keep=keep)
        (result,) = done.results
        assert bool(result.evidence) is fits
        assert all(journal.evidence(item.sha256) == ("text/plain", b"root") for item in result.evidence)
    assert done.run.problem is None
    assert result.outcome is ResultOutcome.ERROR
    assert ("results.evidence_mib" in result.reason) is not fits
    assert {"open": "/etc/passwd"} in result.provenance


def test_what_a_provider_says_is_passed_on_and_how_far_it_is(tmp_path: Path) -> None:
    done, _, told = executed(tmp_path, "well")
    assert [result.outcome for result in done.results] == [ResultOutcome.PASS]
    assert told == [
        ("host", Progress(done=0, total=1, note="looking")),
        ("host", LogLine(level="info", message="found one")),
        ("host", Reached(done=1, found=1, failing=0)),
    ]


FLAKY = """
from assess_plugin import *
tries = []
@hookimpl
def assess_execute(input):
    tries.append(input.checks)
    first = {"comes-back": Outcome.ERROR, "has-failed": Outcome.FAIL}
    return ActionOutput(results=tuple(
        CheckResult(check_id=check, outcome=first[check] if len(tries) == 1 else Outcome.PASS, reason=f"asked {tries}")
        for check in input.checks
    ))
"""


@pytest.mark.parametrize("retries", [0, 1])
def test_an_error_is_asked_again_of_a_real_plugin_and_a_failure_is_not(tmp_path: Path, retries: int) -> None:
    plugin = make_installed(
        tmp_path, {"flaky": FLAKY}, plugins={"it": "flaky"}, checks=("comes-back", "has-failed"), distribution="flaky"
    )
    provider = make_installed(tmp_path / "p", {"finder": PROVIDER}, plugins={}, providers={"finds": "finder"})
    context = Context(
        runtime="web-01", labels={}, registry="development", clock=lambda: NOW, notify=lambda _name, _event: None
    )
    task = Task(
        assessment="host",
        plugin=callee(plugin, "it"),
        provider=callee(provider, "finds"),
        selector={},
        checks=tuple(spec for spec in plugin.manifest.checks if spec.id in {"comes-back", "has-failed"}),
        subjects=(),
        timeout_s=10,
        retries=retries,
        retry_after_s=0.01,
    )

    async def keep(_evidence: Evidence) -> None:
        return

    async def run() -> Executed:
        config = host_config(tmp_path)
        hosts = {each.distribution: Supervisor(each, config) for each in (plugin, provider)}
        try:
            return await execute(task, hosts=hosts, context=context, due_at=NOW, keep=keep)
        finally:
            for host in hosts.values():
                await host.stop()

    comes_back, has_failed = asyncio.run(run()).results
    assert has_failed.outcome is ResultOutcome.FAIL
    assert (has_failed.attempts, has_failed.earlier) == (1, ())
    assert comes_back.outcome is (ResultOutcome.PASS if retries else ResultOutcome.ERROR)
    assert comes_back.attempts == 1 + retries
    assert comes_back.reason.endswith("('comes-back',)]" if retries else "'has-failed')]")
