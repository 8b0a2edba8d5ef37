"""PluginManager: several packages behind one synchronous face."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from assess_core.errors import AssessError, ConfigError, FaultKind, PluginFault
from assess_core.host.rights import Rights
from assess_core.manager import ManagerConfig, PluginManager
from assess_core.store import InstalledPlugin
from assess_plugin import ActionInput, EvaluateInput, Outcome, Subject
from assess_registry.client import PluginName, ProjectName
from tests.support.installed import host_config, make_program

SUBJECT = Subject(id="host:test", type="inventory-item", title="test")


def given(*checks: str) -> ActionInput:
    return ActionInput(subject=SUBJECT, checks=checks)


def config(root: Path, *plugins: InstalledPlugin, workers: int = 1) -> ManagerConfig:
    return ManagerConfig(plugins=plugins, host=host_config(root, kill_after_s=0.1), workers=workers)


def test_each_package_has_a_process_of_its_own_and_none_is_left(tmp_path: Path) -> None:
    first = make_program(tmp_path, "behaves", name="first")
    second = make_program(tmp_path, "misbehaves", name="second")
    threads = threading.active_count()
    with PluginManager(config(tmp_path, first, second)) as manager:
        pids = {
            manager.execute("first", given("process")).results[0].actual,
            manager.execute("first", given("process")).results[0].actual,
            manager.execute("second", given("well")).results[0].actual,
        }
        report = manager.evaluate("firsts-subjects", EvaluateInput(selector={}, runtime="web-01"))
    assert len(pids) == 2
    assert str(os.getpid()) not in pids
    assert [subject.title for subject in report.result.subjects] == ["web-01"]
    assert threading.active_count() == threads
    assert not list((tmp_path / "scratch").iterdir())


def test_it_can_be_started_again(tmp_path: Path) -> None:
    manager = PluginManager(config(tmp_path, make_program(tmp_path, "behaves")))
    for _ in range(2):
        manager.start()
        assert manager.execute("it", given("process")).results[0].outcome is Outcome.PASS
        manager.stop()
    manager.stop()


def test_many_threads_may_call(tmp_path: Path) -> None:
    with (
        PluginManager(config(tmp_path, make_program(tmp_path, "behaves"), workers=2)) as manager,
        ThreadPoolExecutor(4) as pool,
    ):
        outputs = list(pool.map(lambda _: manager.execute("it", given("process")), range(20)))
    assert len({output.results[0].actual for output in outputs}) == 2


def test_a_plugin_that_cannot_start_does_not_keep_the_others(tmp_path: Path) -> None:
    broken, sound = make_program(tmp_path, "exits_early", name="broken"), make_program(tmp_path, "behaves")
    manager = PluginManager(config(tmp_path, broken, sound))
    (fault,) = manager.start()
    assert (fault.kind, fault.plugin) == (FaultKind.START, "exits-early-plugin")
    assert manager.execute("it", given("process")).results[0].outcome is Outcome.PASS
    with pytest.raises(PluginFault, match="exited with code 5"):
        manager.execute("broken", given("x"))
    manager.stop()


def test_the_manifest_says_how_long_a_call_may_take_unless_the_caller_does(tmp_path: Path) -> None:
    installed = make_program(tmp_path, "misbehaves")
    limits = replace(installed.manifest.limits, timeout_s=0.3)
    brief = replace(installed, manifest=replace(installed.manifest, limits=limits))
    with PluginManager(config(tmp_path, brief)) as manager:
        with pytest.raises(PluginFault, match=r"longer than 0\.3 s"):
            manager.execute("it", given("hangs"))
        with pytest.raises(PluginFault, match=r"longer than 0\.2 s"):
            manager.call("it", given("hangs"), timeout_s=0.2)


def test_stop_ends_an_open_call(tmp_path: Path) -> None:
    manager = PluginManager(config(tmp_path, make_program(tmp_path, "misbehaves")))
    manager.start()
    begun = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(manager.call, "it", given("hangs"), on_event=lambda _: begun.set())
        assert begun.wait(60)
        manager.stop()
        with pytest.raises(PluginFault) as caught:
            call.result(10)
    assert caught.value.kind is FaultKind.STOPPED


def test_each_distribution_has_the_rights_that_it_was_given(tmp_path: Path) -> None:
    asked = 'read = ["/etc/passwd"]'
    plugin = make_program(tmp_path, "behaves", permissions=asked)
    uses = replace(SUBJECT, props={"open": "/etc/passwd"})
    told = []
    for rights in ({}, {plugin.distribution: Rights()}):
        with PluginManager(replace(config(tmp_path, plugin), rights=rights)) as manager:
            told.append(manager.call("it", replace(given("ask"), subject=uses)).provenance[0].what)
    assert told == [{"open": "/etc/passwd"}, {"denied": {"open": "/etc/passwd"}}]


def test_an_idle_manager_says_so(tmp_path: Path) -> None:
    manager = PluginManager(config(tmp_path, make_program(tmp_path, "behaves")))
    with pytest.raises(AssessError, match="is not running"):
        manager.execute("it", given("process"))
    with manager, pytest.raises(AssessError, match="started already"):
        manager.start()
    with pytest.raises(AssessError, match="is not running"):
        manager.execute("it", given("process"))


def test_an_unknown_name_is_refused_with_those_there_are(tmp_path: Path) -> None:
    manager = PluginManager(config(tmp_path, make_program(tmp_path, "behaves")))
    with pytest.raises(ConfigError, match=r"has a plugin 'its-subjects'; there are it$"):
        manager.execute("its-subjects", given("process"))


def test_one_distribution_twice_or_one_name_twice_is_refused_at_once(tmp_path: Path) -> None:
    first = make_program(tmp_path, "behaves")
    newer = replace(first, version="2.0.0")
    other = replace(first, distribution=ProjectName("other"))
    with pytest.raises(ConfigError) as caught:
        PluginManager(config(tmp_path, first, newer, other))
    assert caught.value.problems == (
        "behaves-plugin is listed twice: 1.0.0 and 2.0.0; keep one",
        "behaves-plugin 1.0.0 and other 1.0.0 both have a plugin 'it'; one name, one plugin",
        "behaves-plugin 1.0.0 and other 1.0.0 both have a provider 'its-subjects'; one name, one plugin",
    )
    apart = replace(other, entries=tuple(replace(e, name=PluginName(f"{e.name}2")) for e in other.entries))
    PluginManager(config(tmp_path, first, apart))  # the control: differs in one field, and raises nothing
