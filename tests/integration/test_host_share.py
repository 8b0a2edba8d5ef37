"""A worker is nicer than the runtime, and with many threads as nice as weighs no more than one."""

import asyncio
import os
from pathlib import Path

import pytest

from assess_core.host import CallReport, HostConfig, Isolation, Supervisor
from assess_core.host.limits.share import nice_of
from assess_plugin import ActionInput, Subject
from assess_plugin.worker.serve import NICER
from tests.support.installed import host_config, make_installed

SOURCE = """
import os, threading, time
from assess_plugin import ActionOutput, CheckResult, Outcome, hookimpl

over = threading.Event()
at_load = os.getpriority(os.PRIO_PROCESS, 0)

@hookimpl
def assess_execute(input):
    wanted, said = int(input.settings["threads"]), ""
    found = []
    threads = [threading.Thread(target=over.wait, daemon=True) for _ in range(wanted - 1)]
    for each in threads:
        each.start()
    time.sleep(input.settings["rest_s"])
    ends = time.monotonic() + 30  # a busy machine looks at us when it comes to it
    while time.monotonic() < ends and {
        os.getpriority(os.PRIO_PROCESS, each) for each in (0, *(each.native_id for each in threads))
    } != {input.settings["expected"]}:
        time.sleep(0.02)
    last = threading.Thread(target=lambda: found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id())))
    last.start()
    last.join()
    nice = [os.getpriority(os.PRIO_PROCESS, each.native_id) for each in threads]
    try:
        os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0))
        said = "may"
    except OSError as error:
        said = type(error).__name__
    words = f"{at_load} {os.getpriority(os.PRIO_PROCESS, 0)} {min([*nice, *found])} {said}"
    passed = {"outcome": Outcome.PASS, "actual": words}
    return ActionOutput(results=tuple(CheckResult(check_id=check, **passed) for check in input.checks))
"""
SETTINGS = '[settings.threads]\ntype = "integer"\ndefault = 1\n[settings.rest_s]\ntype = "number"\ndefault = 0\n'
SETTINGS += '[settings.expected]\ntype = "integer"\ndefault = 0\n'
OURS = os.getpriority(os.PRIO_PROCESS, 0)


def told(root: Path, threads: int, *, isolation: Isolation = "required", rest_s: float = 0.7) -> list[list[str]]:
    """Of two workers, which are spawned and forked: nice when loaded, after a while, of the least nice, and a try."""
    installed = make_installed(root, {"it": SOURCE}, plugins={"it": "it"}, settings=SETTINGS)
    given = ActionInput(
        subject=Subject(id="host:test", type="inventory-item", title="test"),
        checks=("it-loads",),
        settings={"threads": threads, "rest_s": rest_s, "expected": nice_of(threads, OURS + NICER)},
    )

    async def run(config: HostConfig) -> list[CallReport]:
        supervisor = Supervisor(installed, config, workers=2)
        try:
            await supervisor.start()
            return await asyncio.gather(*(supervisor.execute("it", given, timeout_s=60) for _ in range(2)))
        finally:
            await supervisor.stop()

    reports = asyncio.run(run(host_config(root, isolation=isolation)))
    return [str(report.output.results[0].actual).split() for report in reports]


@pytest.mark.parametrize("isolation", ["required", "off"])
def test_a_worker_is_nicer_than_the_runtime_before_any_of_its_plugin_runs(tmp_path: Path, isolation: Isolation) -> None:
    for at_load, now, _, _ in told(tmp_path, 1, isolation=isolation, rest_s=0):
        assert (int(at_load), int(now)) == (OURS + NICER, OURS + NICER)


def test_isolated_it_may_not_take_that_back(tmp_path: Path) -> None:
    assert {said for *_, said in told(tmp_path, 1, rest_s=0)} == {"PermissionError"}


def test_one_that_is_not_isolated_is_not_kept_from_it(tmp_path: Path) -> None:
    assert {said for *_, said in told(tmp_path, 1, rest_s=0, isolation="off")} == {"may"}


@pytest.mark.parametrize("threads", [1, 2, 14])
def test_all_threads_of_a_worker_weigh_together_what_one_does(tmp_path: Path, threads: int) -> None:
    for at_load, now, least, _ in told(tmp_path, threads):
        assert int(at_load) == OURS + NICER
        assert int(now) == int(least) == nice_of(threads, OURS + NICER)
