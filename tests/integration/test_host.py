"""Plugins that behave, and that misbehave without touching the pipe, in real processes."""

import ast
import asyncio
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from assess_core.errors import ConfigError, FaultKind, PluginFault
from assess_core.host import CallReport, Isolation, LogLine, Supervisor, health_check
from assess_core.store import InstalledPlugin
from assess_plugin import ActionInput, EvaluateInput, Outcome, Subject
from tests.support.installed import host_config, kit, make_installed, make_program

SUBJECT = Subject(id="host:test", type="inventory-item", title="test", labels={"role": "web"})
T = TypeVar("T")


def given(*checks: str, **more: Any) -> ActionInput:
    return ActionInput(**{"subject": SUBJECT, "checks": checks, **more})


def supervised(
    installed: InstalledPlugin,
    root: Path,
    use: Callable[[Supervisor], Awaitable[T]],
    *,
    workers: int = 1,
    **config: Any,
) -> T:
    """What `use` returns, after which nothing of the supervisor is left."""

    async def run() -> T:
        supervisor = Supervisor(installed, host_config(root, **config), workers=workers)
        try:
            return await use(supervisor)
        finally:
            await supervisor.stop()

    result = asyncio.run(run())
    assert not list((root / "scratch").iterdir())
    return result


def behave(
    root: Path, *checks: str, permissions: str = "", isolation: Isolation = "required", **more: Any
) -> CallReport:
    installed = make_program(root, "behaves", permissions=permissions)
    return supervised(
        installed, root, lambda host: host.execute("it", given(*checks, **more), timeout_s=10), isolation=isolation
    )


def misbehave(
    root: Path, *checks: str, timeout_s: float = 10.0, isolation: Isolation = "required"
) -> list[CallReport | PluginFault]:
    """What became of a call for each check, one after the other, and of one decent call afterwards.

    What an isolated plugin may not even do is tried with `isolation="off"`: the runtime must cope all the same.
    """

    async def use(host: Supervisor) -> list[CallReport | PluginFault]:
        outcomes: list[CallReport | PluginFault] = []
        for check in (*checks, "well"):
            try:
                outcomes.append(await host.execute("it", given(check), timeout_s=timeout_s))
            except PluginFault as fault:
                outcomes.append(fault)
        return outcomes

    permissions = 'read = ["/etc/passwd"]\ncommands = [["sleep", "600"]]'
    installed = make_program(root, "misbehaves", permissions=permissions)
    return supervised(installed, root, use, kill_after_s=0.2, isolation=isolation)


def gone(pid: int) -> bool:
    """Whether the process is dead (a zombie is init's to reap)."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] in (b"Z", b"X")
    except FileNotFoundError:
        return True


# --- what a decent plugin gets


@pytest.mark.usefixtures("both_ways")
def test_the_child_has_loaded_nothing_of_ours_but_the_kit(tmp_path: Path) -> None:
    actual = behave(tmp_path, "modules").output.results[0].actual or ""
    loaded = set(actual.split())
    assert loaded - sys.stdlib_module_names - {"__main__"} == {"_assess_pluggy", "assess_plugin", "behaves"}
    heavy = {"asyncio", "subprocess", "logging", "multiprocessing", "socket", "selectors", "tempfile", "pathlib"}
    assert not loaded & heavy


@pytest.mark.usefixtures("both_ways")
def test_the_child_finds_a_bare_private_place(tmp_path: Path) -> None:
    installed = make_program(tmp_path, "behaves")
    report = supervised(installed, tmp_path, lambda host: host.execute("it", given("surroundings"), timeout_s=10))
    found = ast.literal_eval(report.output.results[0].actual or "")
    cwd = found["cwd"]
    assert Path(cwd).parent == tmp_path / "scratch"
    environment = found["environment"]
    assert environment.pop("USER")
    environment.pop("TZ", None)
    assert environment == {"HOME": cwd, "TMPDIR": cwd, "LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"}
    assert found["stdin"] is True
    assert found["descriptors"][:3] == [0, 1, 2]
    assert len(found["descriptors"]) == 5, "standard ones, the socket, the lifeline"
    assert found["session"] is True
    assert found["path"][0] == str(kit())
    assert found["path"][-1] == str(installed.site_packages)
    assert found["prefix"] == [str(installed.environment)] * 2
    assert found["flags"] == [1, 1, 1]


@pytest.mark.usefixtures("both_ways")
def test_granted_variables_are_the_runtimes_and_nothing_else_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GRANTED_SET", "NOT_GRANTED", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"the runtime's {name}")
    monkeypatch.delenv("GRANTED_UNSET", raising=False)
    installed = make_program(tmp_path, "behaves", permissions='env = ["GRANTED_SET", "GRANTED_UNSET"]')
    report = supervised(installed, tmp_path, lambda host: host.execute("it", given("surroundings"), timeout_s=10))
    environment = ast.literal_eval(report.output.results[0].actual or "")["environment"]
    assert environment.keys() - {"TZ"} == {"HOME", "TMPDIR", "LANG", "USER", "OPENBLAS_NUM_THREADS", "GRANTED_SET"}
    assert environment["GRANTED_SET"] == "the runtime's GRANTED_SET"


@pytest.mark.usefixtures("both_ways")
def test_a_plugins_own_copies_are_not_what_runs(tmp_path: Path) -> None:
    source = "import assess_plugin, pluggy\nfrom assess_plugin import hookimpl, ActionOutput, CheckResult, Outcome\n"
    source += "@hookimpl\ndef assess_execute(input):\n"
    source += "    text = f'{assess_plugin.__file__} {pluggy.MINE}'\n"
    source += (
        "    return ActionOutput(results=(CheckResult(check_id='it-loads', outcome=Outcome.PASS, actual=text),))\n"
    )
    modules = {"it": source, "assess_plugin.__init__": "raise SystemExit('forged')", "pluggy": "MINE = 'own pluggy'"}
    installed = make_installed(tmp_path, modules, plugins={"it": "it"})
    report = supervised(installed, tmp_path, lambda host: host.execute("it", given("it-loads"), timeout_s=10))
    assert report.output.results[0].actual == f"{kit()}/assess_plugin/__init__.py own pluggy"


@pytest.mark.usefixtures("both_ways")
def test_a_pth_file_and_sitecustomize_never_run(tmp_path: Path) -> None:
    installed = make_program(tmp_path, "behaves")
    marker = tmp_path / "ran"
    (installed.site_packages / "evil.pth").write_text(f"import pathlib; pathlib.Path({str(marker)!r}).touch()\n")
    (installed.site_packages / "sitecustomize.py").write_text(f"open({str(marker)!r}, 'w')\n")
    supervised(installed, tmp_path, lambda host: host.execute("it", given("modules"), timeout_s=10))
    assert not marker.exists()
    subprocess.run([installed.python, "-c", "pass"], check=True)  # the control: this interpreter does run them
    assert marker.exists()


def test_what_was_not_reported_is_an_error_and_the_order_is_that_asked_for(tmp_path: Path) -> None:
    report = behave(tmp_path, "process", "not-reported", "modules")
    outcomes = [(result.check_id, result.outcome) for result in report.output.results]
    assert outcomes == [("process", Outcome.PASS), ("not-reported", Outcome.ERROR), ("modules", Outcome.PASS)]
    assert report.output.results[1].reason == "not reported"
    assert report.started_at.tzinfo is not None


def test_an_input_arrives_as_it_was_given(tmp_path: Path) -> None:
    settings = {"versions": {"openssl": "3.0"}, "many": [1, 2.5, None, True, "é\U0001f600"]}
    subject = replace(SUBJECT, props={"region": "eu"})
    report = behave(tmp_path, "settings", settings=settings, subject=subject)
    assert report.output.results[0].actual == repr((settings, {"region": "eu"}, subject))


def test_settings_that_json_cannot_say_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(PluginFault, match="nan is not a number"):
        behave(tmp_path, "settings", settings={"limit": float("nan")})


def test_a_provider_finds_more_subjects_than_a_frame_holds(tmp_path: Path) -> None:
    ask = EvaluateInput(selector={"count": 1000, "title": "t" * 4000}, runtime="web-01")
    installed = make_program(tmp_path, "behaves")
    report = supervised(installed, tmp_path, lambda host: host.evaluate("its-subjects", ask, timeout_s=20))
    assert [subject.id for subject in report.result.subjects] == [f"host:{number}" for number in range(1000)]


def test_results_may_be_more_than_a_frame_holds(tmp_path: Path) -> None:
    checks = ("many-results", *(f"check-{number}" for number in range(99)))
    installed = make_program(tmp_path, "misbehaves")
    report = supervised(installed, tmp_path, lambda host: host.execute("it", given(*checks), timeout_s=20))
    assert [result.check_id for result in report.output.results] == list(checks)
    assert {result.reason for result in report.output.results} == {"é" * 4096}


def test_a_scratch_directory_made_unreadable_is_removed_all_the_same(tmp_path: Path) -> None:
    report = behave(tmp_path, "keeps-scratch", isolation="off")
    assert not Path(report.output.results[0].actual or "/").exists()


def test_stop_lets_a_plugin_shut_down(tmp_path: Path) -> None:
    source = "import os\nfrom assess_plugin import *\n@hookimpl\ndef assess_execute(input): return None\n"
    source += f"@hookimpl\ndef assess_shutdown(): open({str(tmp_path / 'count')!r}, 'a').write('x')\n"
    installed = make_installed(tmp_path, {"it": source}, plugins={"it": "it", "it2": "it"})
    supervised(installed, tmp_path, lambda host: host.start(), isolation="off")  # or it could not say that it was told
    assert (tmp_path / "count").read_text() == "x", "one object behind two entry points is told once"


def test_several_workers_work_at_once_and_calls_queue(tmp_path: Path) -> None:
    async def use(host: Supervisor) -> set[str | None]:
        await host.start()  # or the first that is ready does it all
        reports = await asyncio.gather(*(host.execute("it", given("process"), timeout_s=10) for _ in range(12)))
        return {report.output.results[0].actual for report in reports}

    assert len(supervised(make_program(tmp_path, "behaves"), tmp_path, use, workers=2)) == 2


def test_an_unknown_plugin_is_a_configuration_error(tmp_path: Path) -> None:
    installed = make_program(tmp_path, "behaves")
    with pytest.raises(ConfigError, match="has no plugin 'its'; it has it"):
        supervised(installed, tmp_path, lambda host: host.execute("its", given("x"), timeout_s=1))


# --- what an indecent one does not


@pytest.mark.parametrize(
    ("check", "reason"),
    [
        ("raises", r"ValueError: no such table red \(misbehaves.py:\d+\)"),
        ("raises-exit", "SystemExit: 7"),
        ("raises-interrupt", "KeyboardInterrupt"),
        ("raises-unprintable", "its text could not be had: RuntimeError"),
        ("recurses", "RecursionError"),
        ("returns-none", "must return an ActionOutput, got None"),
        ("returns-list", "must return an ActionOutput, got"),
        ("surrogate", "surrogates not allowed"),
        ("wrong-evidence", "must be what host.evidence returned"),
    ],
)
def test_what_raises_fails_the_call_and_leaves_the_worker(tmp_path: Path, check: str, reason: str) -> None:
    before, fault, after = misbehave(tmp_path, "well", check)
    assert isinstance(fault, PluginFault)
    assert fault.kind is FaultKind.RAISED
    assert (fault.plugin, fault.phase) == ("it", "execute")
    assert re.search(reason, str(fault))
    assert isinstance(before, CallReport)
    assert isinstance(after, CallReport)
    assert before.output == after.output, "the same process"


@pytest.mark.parametrize(
    ("check", "reason"),
    [
        ("unknown-id", "'somebody-elses', which was not asked for"),
        ("twice", "reported check 'twice' twice"),
        ("forged-evidence", "'never-handed-over'"),
    ],
)
def test_a_wrong_reply_fails_the_call_and_leaves_the_worker(tmp_path: Path, check: str, reason: str) -> None:
    before, fault, after = misbehave(tmp_path, "well", check)
    assert isinstance(fault, PluginFault)
    assert fault.kind is FaultKind.REPLY
    assert reason in str(fault)
    assert isinstance(before, CallReport)
    assert isinstance(after, CallReport)
    assert before.output == after.output, "the same process"


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize(
    ("check", "kind", "reason"),
    [
        ("exits", FaultKind.EXITED, "exited with code 3"),
        ("crashes", FaultKind.SIGNALLED, "killed by SIGSEGV"),
        ("hangs", FaultKind.TIMEOUT, "longer than 0.5 s"),
        ("ignores-term", FaultKind.TIMEOUT, "longer than 0.5 s"),
        ("floods-stdout", FaultKind.TIMEOUT, "longer than 0.5 s"),
    ],
)
def test_what_ends_a_worker_is_classified_and_the_next_call_gets_another(
    tmp_path: Path, check: str, kind: FaultKind, reason: str
) -> None:
    before, fault, after = misbehave(tmp_path, "well", check, timeout_s=0.5)
    assert isinstance(fault, PluginFault)
    assert fault.kind is kind
    assert reason in str(fault)
    assert isinstance(before, CallReport)
    assert isinstance(after, CallReport)
    assert before.output != after.output, "another process"


@pytest.mark.usefixtures("both_ways")
def test_the_log_tail_says_what_a_plugin_said_last(tmp_path: Path) -> None:
    exited, raised, crashed, _ = misbehave(tmp_path, "exits", "raises", "crashes")
    assert isinstance(exited, PluginFault)
    assert exited.log_tail == "about to exit"
    assert isinstance(raised, PluginFault)
    assert raised.log_tail.splitlines()[0] == "Traceback (most recent call last):"
    assert "\x1b" not in raised.log_tail
    assert isinstance(crashed, PluginFault)
    assert "Segmentation fault" in crashed.log_tail


@pytest.mark.parametrize(
    ("ending", "kind"),
    [
        ("hangs", FaultKind.TIMEOUT),
        ("exits", FaultKind.EXITED),
        ("raises", FaultKind.RAISED),
        ("answers-for-another", FaultKind.REPLY),
    ],
)
def test_a_call_that_fails_keeps_the_record_of_what_it_did(tmp_path: Path, ending: str, kind: FaultKind) -> None:
    check = f"touches-then-{ending}"
    fault, after = misbehave(tmp_path, check, timeout_s=0.5)
    assert isinstance(fault, PluginFault)
    assert fault.kind is kind
    assert fault.record is not None
    assert [(use.check, dict(use.what)) for use in fault.record.provenance] == [
        (None, {"stat": "/etc/passwd"}),
        (check, {"open": "/etc/passwd"}),
    ]
    assert {name: (piece.check, piece.data) for name, piece in fault.record.evidence.items()} == {
        "seen": (check, b"root")
    }
    assert fault.record.held.isolation == "full"
    assert fault.record.duration_ms >= (500 if ending == "hangs" else 0)
    assert isinstance(after, CallReport)
    assert fault.record.started_at < after.started_at
    assert not after.provenance, "the record of one call is not that of the next"


def test_a_command_that_was_cut_short_with_its_call_is_on_record(tmp_path: Path) -> None:
    fault, _ = misbehave(tmp_path, "waits-for-a-command", timeout_s=0.5)
    assert isinstance(fault, PluginFault)
    assert fault.record is not None
    assert [dict(use.what) for use in fault.record.provenance] == [
        {"run": ["sleep", "600"], "error": "cut short with the call"}
    ]


def test_the_record_of_a_start_says_what_held_the_plugin_that_failed_it(tmp_path: Path) -> None:
    installed = make_installed(tmp_path, {"it": "x = ("}, plugins={"it": "it"})
    with pytest.raises(PluginFault) as caught:
        supervised(installed, tmp_path, lambda host: host.execute("it", given("x"), timeout_s=5))
    record = caught.value.record
    assert caught.value.kind is FaultKind.START
    assert record is not None
    assert (record.held.isolation, record.provenance, dict(record.evidence)) == ("full", (), {})


def test_printing_is_no_reply_and_no_terminal_escape(tmp_path: Path) -> None:
    printed, fault, _ = misbehave(tmp_path, "prints", "exits")
    assert isinstance(printed, CallReport)
    assert printed.output.results[0].outcome is Outcome.PASS
    assert isinstance(fault, PluginFault)
    assert fault.log_tail.splitlines() == ['{"type": "executed"}', "cleared", "\ufffd\ufffd rawabout to exit"]


def test_one_long_line_hangs_nobody(tmp_path: Path) -> None:
    report, fault, _ = misbehave(tmp_path, "one-long-line", "exits")
    assert isinstance(report, CallReport)
    assert isinstance(fault, PluginFault)
    assert fault.log_tail.splitlines()[-1].endswith("z the endabout to exit")
    assert fault.log_tail.splitlines()[0] == "(283,638 bytes before these lines were dropped)"


@pytest.mark.parametrize("check", ["forks", "double-forks"])
def test_what_a_plugin_forked_is_gone_when_its_worker_is(tmp_path: Path, check: str) -> None:
    report = misbehave(tmp_path, check, isolation="off")[0]
    assert isinstance(report, CallReport)
    assert gone(int(report.output.results[0].actual or "0"))


def test_a_thread_may_use_the_host_but_not_after_the_call(tmp_path: Path) -> None:
    report, fault, _ = misbehave(tmp_path, "threads", "exits-after-threads")
    assert isinstance(report, CallReport)
    assert len(report.provenance) == 1
    assert isinstance(fault, PluginFault)
    assert "later: the call that this host belonged to is over" in fault.log_tail


# --- starting and stopping


@pytest.mark.parametrize(
    ("source", "value", "reason"),
    [
        ("import nothing_of_the_sort", "it", "ModuleNotFoundError: No module named 'nothing_of_the_sort'"),
        ("x = (", "it", "SyntaxError"),
        ("x = 1", "it:plugin", "AttributeError: module 'it' has no attribute 'plugin'"),
        ("raise SystemExit(0)", "it", "SystemExit: 0"),
        ("x = 1", "it", "must implement assess_execute"),
        ("class P:\n    @hookimpl\n    def assess_execute(self, input): ...", "it:P", "write `PLUGIN = P()` in it"),
        ("@hookimpl\ndef assess_exekute(input): ...", "it", "assess_exekute is not a hook"),
        ("@hookimpl(optionalhook=True)\ndef other(input): ...", "it", "other is not a hook"),
        ("@hookimpl(wrapper=True)\ndef assess_execute(input):\n    yield", "it", "is a hook wrapper"),
        ("@hookimpl(hookwrapper=True)\ndef assess_execute(input):\n    yield", "it", "is a hook wrapper"),
        ("@hookimpl\ndef assess_execute(wrong): ...", "it", "PluginValidationError"),
    ],
)
def test_what_cannot_be_served_is_refused_at_the_start(tmp_path: Path, source: str, value: str, reason: str) -> None:
    installed = make_installed(
        tmp_path, {"it": f"from assess_plugin import hookimpl\n{source}\n"}, plugins={"it": value}
    )
    with pytest.raises(PluginFault) as caught:
        asyncio.run(health_check(installed, host_config(tmp_path)))
    assert caught.value.kind is FaultKind.START
    assert (caught.value.plugin, caught.value.phase) == ("it", "load")
    assert reason in str(caught.value)
    assert not list((tmp_path / "scratch").iterdir())


def test_a_sound_plugin_passes_the_health_check(tmp_path: Path) -> None:
    asyncio.run(health_check(make_program(tmp_path, "behaves"), host_config(tmp_path)))
    assert not list((tmp_path / "scratch").iterdir())


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize(
    ("program", "reason", "tail"),
    [
        ("deaf", "longer than 1 s", "waiting"),
        ("exits_early", "exited with code 5", "not today"),
        ("lies_early", "sent executed while it was being started", ""),
    ],
)
def test_what_is_never_ready_is_a_failed_start(tmp_path: Path, program: str, reason: str, tail: str) -> None:
    installed = make_program(tmp_path, program)
    with pytest.raises(PluginFault) as caught:
        asyncio.run(health_check(installed, host_config(tmp_path, start_timeout_s=1.0)))
    assert caught.value.kind is FaultKind.START
    assert reason in str(caught.value)
    assert caught.value.log_tail == tail


@pytest.mark.usefixtures("both_ways")
def test_an_interpreter_that_is_not_there_is_a_failed_start(tmp_path: Path) -> None:
    installed = make_program(tmp_path, "behaves")
    installed.python.unlink()
    with pytest.raises(PluginFault, match="could not be started"):
        asyncio.run(health_check(installed, host_config(tmp_path)))
    assert not list((tmp_path / "scratch").iterdir())


def test_stop_fails_open_and_queued_calls_and_is_quick(tmp_path: Path) -> None:
    async def run() -> list[BaseException | CallReport]:
        supervisor = Supervisor(make_program(tmp_path, "misbehaves"), host_config(tmp_path))
        begun = asyncio.Event()
        calls = [
            asyncio.create_task(supervisor.execute("it", given("hangs"), timeout_s=60, on_event=lambda _: begun.set()))
            for _ in range(3)
        ]
        await begun.wait()
        started = time.monotonic()
        await supervisor.stop()
        assert time.monotonic() - started < 30, "the call has 60 s"
        return await asyncio.gather(*calls, return_exceptions=True)

    outcomes = asyncio.run(run())
    assert [getattr(outcome, "kind", None) for outcome in outcomes] == [FaultKind.STOPPED] * 3
    assert not list((tmp_path / "scratch").iterdir())


@pytest.mark.usefixtures("both_ways")
def test_stop_during_a_start_leaves_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        supervisor = Supervisor(make_program(tmp_path, "deaf"), host_config(tmp_path))
        start = asyncio.create_task(supervisor.start())
        await asyncio.sleep(0)
        await supervisor.stop()
        with pytest.raises(PluginFault):
            await start

    asyncio.run(run())
    assert not list((tmp_path / "scratch").iterdir())


@pytest.mark.usefixtures("both_ways")
def test_a_cancelled_call_takes_its_worker_along(tmp_path: Path) -> None:
    async def use(host: Supervisor) -> None:
        told: asyncio.Queue[Any] = asyncio.Queue()
        call = asyncio.create_task(host.execute("it", given("hangs"), timeout_s=60, on_event=told.put_nowait))
        event = await told.get()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert isinstance(event, LogLine)
        assert gone(int(event.message))
        report = await host.execute("it", given("well"), timeout_s=10)
        assert report.output.results[0].actual != event.message

    supervised(make_program(tmp_path, "misbehaves"), tmp_path, use)


PARENT = """
import asyncio, sys
from pathlib import Path
from assess_core.host import Supervisor
from assess_plugin import ActionInput, Subject
from tests.support.installed import host_config, make_program

async def main(root):
    host = Supervisor(make_program(root, "misbehaves"), host_config(root, isolation="off"))  # or it could not fork
    subject = Subject(id="x", type="component", title="x")
    tell = lambda event: print(event.message, flush=True)
    await host.execute("it", ActionInput(subject=subject, checks=("spins",)), timeout_s=600, on_event=tell)

asyncio.run(main(Path(sys.argv[1])))
"""


def test_no_orphan_when_the_runtime_is_killed_while_a_plugin_is_busy(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, tmp_path], stdout=subprocess.PIPE, text=True, cwd=root, env=os.environ | {}
    )
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 2
    assert not any(map(gone, pids))
    watched = [os.pidfd_open(pid) for pid in pids]
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    for descriptor in watched:
        assert select.select([descriptor], [], [], 5)[0], "still alive 5 s after its parent's death"
        os.close(descriptor)
    assert all(map(gone, pids))
