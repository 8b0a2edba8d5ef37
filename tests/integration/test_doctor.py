"""`assess doctor` says what is so, and exits 1 exactly when plugins would not run as configured."""

import json
import os
import platform
import resource
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from assess_core.cli.app import main
from assess_core.delivery.vouching import Vouching
from assess_core.doctor import configuration, disk, registry, trying
from assess_core.errors import FaultKind, PluginFault, StoreError
from assess_core.host import Held, body, prepared
from assess_core.host.quarantine import Fatality, Quarantine, Quarantines
from assess_core.journal import Journal
from assess_core.observe.crash import CRASHES, Crashes
from assess_core.runtime import Runtime
from assess_core.store import Failure, InstalledPlugin, Kits, Store
from assess_core.store.choices import Pin
from assess_registry.client import RoleTerm, parse_sha256
from tests.integration.test_runtime import PLUGIN, configured, sync
from tests.integration.test_runtime_trust import revoke_release
from tests.support.checkout import ROOT
from tests.support.registry_tree import RegistryTree, copy_registry_tree
from tests.support.wheels import demo_plugin_wheel

WITHOUT_LANDLOCK = """
import sys
from tests.integration.programs.lone_host import hide_landlock
from assess_core.cli.app import main
hide_landlock()
sys.exit(main(sys.argv[1:]))
"""
"""The command on a kernel that has no Landlock."""


@pytest.fixture
def tree(tmp_path: Path) -> RegistryTree:
    return copy_registry_tree(tmp_path / "registry", plugins=[demo_plugin_wheel("1.0.0")])


def arguments(tree: RegistryTree, tmp_path: Path, *, runtime: str = "", plugins: str = PLUGIN) -> list[str]:
    config = tmp_path / "assess.toml"
    config.write_text(
        f'[runtime]\nid = "web-01"\n{runtime}\n[registry]\nurl = "{tree.root.as_uri()}"\n'
        f'root = "{tree.root_metadata}"\n'
        f"development = true\n{plugins}\n"
    )
    return ["doctor", "--config", str(config), "--state-dir", str(tmp_path / "state"), "--output", "json"]


def said(text: str) -> tuple[dict[str, list[tuple[str, str]]], int]:
    """Topic -> states and texts; and the exit code that the document names."""
    document = json.loads(text)
    lines: dict[str, list[tuple[str, str]]] = {}
    for line in document["lines"]:
        lines.setdefault(line["topic"], []).append((line["state"], line["text"]))
    return lines, document["exit"]


def doctor(capsys: pytest.CaptureFixture[str], given: list[str]) -> tuple[dict[str, list[tuple[str, str]]], int]:
    code = main(given)
    lines, exit_code = said(capsys.readouterr().out)
    assert exit_code == code
    return lines, code


def test_all_is_well_once_the_plugins_are_installed(
    tree: RegistryTree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = arguments(tree, tmp_path)
    lines, code = doctor(capsys, given)
    assert (lines["demo-plugin"], code) == ([("fail", "is not installed")], 1)
    sync(configured(tree, tmp_path), tmp_path / "state")
    lines, code = doctor(capsys, given)
    assert code == 0
    assert lines["demo-plugin"] == [
        ("ok", f"1.0.0 starts and loads under Python {platform.python_version()}, of a development registry")
    ]
    assert lines["isolation"] == [("ok", "full, seen from inside and outside a worker")]
    assert [state for state, _ in lines["registry"]] == ["warn", "ok", *["ok"] * 5]
    assert "Landlock ABI" in lines["kernel"][0][1]
    assert "relaxed" not in lines
    assert not list((tmp_path / "state" / "scratch").glob("*/*")), "nothing of the trial is left"


def test_a_plugin_that_does_not_start_is_a_problem(
    tree: RegistryTree, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = arguments(tree, tmp_path)
    sync(configured(tree, tmp_path), tmp_path / "state")

    def refuse(_plugin: Any, _runtime: Runtime) -> tuple[str, ...]:
        return ("plugins[0].grant.read: not granted",)

    monkeypatch.setattr(trying, "try_start", refuse)
    lines, code = doctor(capsys, given)
    assert (lines["demo-plugin"], code) == ([("fail", "plugins[0].grant.read: not granted")], 1)


NOBODY_FREE = PluginFault("no user id is free", plugin="demo-plugin", phase="start", kind=FaultKind.START)
ITS_OWN = PluginFault("it exited", plugin="demo-plugin", phase="load", kind=FaultKind.START, hint="tell its author")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PermissionError(13, "Permission denied", "/state/scratch/run-1/worker-1"), "this machine"),
        (StoreError("somebody changed it"), "this machine"),
        (NOBODY_FREE, "this machine"),
        (ITS_OWN, "tell its author"),
    ],
)
def test_what_to_do_when_it_does_not_start_is_said_to_whom_it_concerns(
    error: Exception, told: str, well: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_plugin: Any, _runtime: Runtime) -> NoReturn:
        raise error

    monkeypatch.setattr(trying, "try_start", fail)
    found = line(capsys, well, "demo-plugin", "fail")
    assert str(error) in found["text"]
    assert told in found["fix"]
    assert "grant" not in found["fix"]
    monkeypatch.setattr(trying, "try_start", lambda *_: ("plugins[0].grant.read: not granted",))
    assert "grant it what it needs" in line(capsys, well, "demo-plugin", "fail")["fix"]


@pytest.mark.parametrize(
    ("runtime", "state", "code"),
    [
        ("", "fail", 1),
        ('require_isolation = "none"', "warn", 0),
        ("run_plugins_without_isolation = true", "warn", 0),
    ],
)
def test_without_landlock_it_depends_on_what_is_required(
    tree: RegistryTree, tmp_path: Path, runtime: str, state: str, code: int
) -> None:
    given = arguments(tree, tmp_path, runtime=runtime, plugins="")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_LANDLOCK, *given],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines, exit_code = said(done.stdout)
    assert done.returncode == exit_code == code
    ((found, text),) = lines["isolation"]
    assert found == state
    assert text.startswith("none: it cannot be isolated: the kernel has no Landlock")
    assert ("relaxed" in lines) is bool(runtime)


def test_on_a_machine_nobody_wrote_down_it_says_so(
    tree: RegistryTree, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "HAS_TABLE", False)
    lines, code = doctor(capsys, arguments(tree, tmp_path, plugins=""))
    assert (lines["isolation"][0][0], code) == ("fail", 1)


def test_for_people_it_is_a_line_each(tree: RegistryTree, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(tree, tmp_path, runtime="run_plugins_without_isolation = true", plugins="")[:-2]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "warn isolation: switched off, and there are the means for it" in lines
    assert "     -> remove runtime.run_plugins_without_isolation" in lines
    assert "warn relaxed: runtime.run_plugins_without_isolation = true" in lines


@pytest.fixture
def tried_anew(tree: RegistryTree, tmp_path: Path) -> list[str]:
    """Arguments for a machine on which all is well: the plugin is installed, starts and is the newest."""
    sync(configured(tree, tmp_path), tmp_path / "state")
    return arguments(tree, tmp_path)


@pytest.fixture
def well(tried_anew: list[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The same for what is about plugins and state: what holds a worker here is tried once, and then remembered."""
    monkeypatch.setattr(trying, "try_isolation", held_here)
    monkeypatch.setattr(trying, "why_spawned", spawned_here)
    return tried_anew


PROBE, WHY_SPAWNED = trying.try_isolation, trying.why_spawned
_held: list[Held] = []
_spawned: dict[str, str] = {}


def held_here(runtime: Runtime) -> Held:
    if not _held:
        _held.append(PROBE(runtime))
    return _held[0]


def spawned_here(runtime: Runtime) -> str:
    how = runtime.config.runtime.start_workers
    if how not in _spawned:
        _spawned[how] = WHY_SPAWNED(runtime)
    return _spawned[how]


def line(capsys: pytest.CaptureFixture[str], given: list[str], topic: str, state: str) -> dict[str, str]:
    """The one line about a topic in this state; the document's exit code is what its lines come to."""
    code = main(given)
    document = json.loads(capsys.readouterr().out)
    assert (code == 1) is any(each["state"] == "fail" for each in document["lines"])
    found = [each for each in document["lines"] if (each["topic"], each["state"]) == (topic, state)]
    assert len(found) == 1, [each for each in document["lines"] if each["topic"] == topic]
    assert found[0].keys() == {"topic", "state", "text", "fix"}
    assert (state == "ok") or found[0]["fix"], "it says what to do"
    return dict(found[0])


def store_of(tmp_path: Path) -> Store:
    return Store(tmp_path / "state")


def the_plugin(tmp_path: Path) -> InstalledPlugin:
    (plugin,) = store_of(tmp_path).active()
    return plugin


def test_on_a_machine_where_all_is_well_nothing_of_it_is_said(
    tried_anew: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The control of all that follow."""
    assert "starts and loads" in line(capsys, tried_anew, "demo-plugin", "ok")["text"]
    lines, code = doctor(capsys, tried_anew)
    assert code == 0
    assert {topic for topic, found in lines.items() if any(state == "warn" for state, _ in found)} <= {
        "registry",  # of a test, for development
        "clock",  # of a machine that nothing synchronises
    }


def test_workers_that_cannot_be_forked_are_a_warning(
    tried_anew: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert line(capsys, tried_anew, "start", "ok")["text"] == "workers are forked from a prepared parent"

    async def refused(_self: object, _descriptors: object) -> None:
        raise prepared._RefusedError("the kernel says EPERM")

    monkeypatch.setattr(prepared._Prepared, "fork", refused)
    assert line(capsys, tried_anew, "start", "warn")["text"] == "no worker can be forked: the kernel says EPERM"


def test_a_plugin_that_was_changed_is_named(
    well: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = the_plugin(tmp_path).site_packages / "demo_plugin/__init__.py"
    module.chmod(0o644)
    module.write_text(module.read_text() + "# one more line\n")
    found = line(capsys, well, "demo-plugin", "fail")
    assert "was changed since it was installed" in found["text"]
    assert "assess plugins verify" in found["fix"]


def test_a_plugin_that_was_revoked_is_named(
    tree: RegistryTree, well: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    revoke_release(tree)
    found = line(capsys, well, "demo-plugin", "fail")
    assert "1.0.0 may not run any more" in found["text"]
    assert "revoked" in found["text"]


def test_a_newer_version_in_the_registry_is_a_warning(
    tree: RegistryTree, well: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    tree.publish(*demo_plugin_wheel("1.1.0"))
    found = line(capsys, well, "demo-plugin", "warn")
    assert (found["text"], found["fix"]) == ("1.1.0 is in the registry, 1.0.0 is installed", "run `assess sync`")


def test_one_in_quarantine_is_not_started(well: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plugin = the_plugin(tmp_path)
    kept = Quarantine(
        env_key=plugin.env_key,
        version=plugin.version,
        sha256=plugin.sha256,
        since=datetime(2026, 11, 21, 20, 15, tzinfo=UTC),
        deaths=(
            Fatality(
                at=datetime(2026, 11, 21, 20, 15, tzinfo=UTC), kind=FaultKind.EXITED, phase="load", message="it exited"
            ),
        ),
        log_tail="",
    )
    quarantines = Quarantines(tmp_path / "state/quarantine")
    quarantines.put(plugin.distribution, kept)
    found = line(capsys, well, "demo-plugin", "fail")
    assert "is in quarantine since 2026-11-21 20:15 UTC: it died 1 times, the last time: it exited" in found["text"]
    assert found["fix"].endswith("assess plugins resume demo-plugin")
    quarantines.put(plugin.distribution, replace(kept, env_key="0" * 64))  # of another version
    assert "starts and loads" in line(capsys, well, "demo-plugin", "ok")["text"]


def test_a_pin_and_a_version_that_failed_are_said(
    well: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugin, now = the_plugin(tmp_path), datetime(2026, 11, 21, 20, 15, tzinfo=UTC)
    store = store_of(tmp_path)
    pin = Pin(version="1.0.0", at=now, by="rita (uid 7)", why="pin")
    store.choose(plugin.distribution, lambda known: replace(known, pin=pin))
    found = line(capsys, well, "demo-plugin", "warn")
    assert found["text"] == "pinned to 1.0.0 by rita (uid 7) (pin)"
    assert found["fix"].endswith("assess plugins pin demo-plugin --none")
    store.choose(
        plugin.distribution,
        lambda known: replace(known, pin=None, failed=(failure_of_1_1_0(plugin, store),)),
    )
    assert line(capsys, well, "demo-plugin", "warn")["text"] == "1.1.0 failed here, and is held back: it exited"


def failure_of_1_1_0(plugin: InstalledPlugin, store: Store) -> Failure:
    """Under what this plugin runs under, with this release of the runtime."""
    return Failure(
        version="1.1.0",
        sha256=parse_sha256("1" * 64),
        interpreter=plugin.interpreter.version,
        kit=Kits(store).name(plugin.interpreter),
        at=datetime(2026, 11, 21, 20, 15, tzinfo=UTC),
        reason="it exited",
        tries=4,
        not_before=None,
    )


def test_a_registry_out_of_reach_is_a_warning_and_a_forged_one_a_failure(
    tree: RegistryTree, well: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    timestamp = tree.root / "metadata/timestamp.json"
    good = timestamp.read_bytes()
    timestamp.write_bytes(good.replace(b'"sig":"', b'"sig":"00').replace(b'"sig": "', b'"sig": "00'))
    assert timestamp.read_bytes() != good
    assert line(capsys, well, "registry", "fail")["fix"]
    timestamp.write_bytes(good)
    tree.root.rename(tmp_path / "away")
    code = main(well)
    document = json.loads(capsys.readouterr().out)
    assert code == 1, "the anchor that the configuration names lies in this registry"
    assert any(each["state"] == "fail" for each in document["lines"])


def test_what_expires_soon_is_a_warning_and_what_has_expired_a_failure() -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)

    def state(role: str, days: float) -> str:
        return registry._term(RoleTerm(role=role, version=3, expires_at=now + timedelta(days=days)), now).state

    assert [state("root", days) for days in (7.1, 6.9, 0, -1)] == ["ok", "warn", "fail", "fail"]
    assert [state("timestamp", days) for days in (1.1, 0.9, -0.1)] == ["ok", "warn", "fail"]


def test_a_clock_that_went_back_is_a_failure(
    well: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (kept,) = (tmp_path / "state/trust").glob("*/clock.json")
    kept.write_text(json.dumps({"largest": "2099-01-01T00:00:00+00:00"}))
    found = line(capsys, well, "clock", "fail")
    assert "this machine's clock went back" in found["text"]
    assert str(kept) in found["fix"]


def test_a_public_key_of_the_runtime_that_cannot_be_read_is_told(
    well: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    identity = tmp_path / "state/identity"
    identity.mkdir(exist_ok=True)
    (identity / f"{'0' * 16}.pub").write_text("junk")
    assert "cannot be read (it is no public key)" in line(capsys, well, "journal", "warn")["text"]


def test_a_damaged_journal_is_a_failure(well: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "state/journal.db"
    Journal.open(path).close()
    assert "every page can be read" in line(capsys, well, "journal", "ok")["text"]
    data = bytearray(path.read_bytes())
    assert len(data) >= 3 * 4096
    data[4096 : 2 * 4096] = b"\xff" * 4096
    path.write_bytes(data)
    assert "results" in line(capsys, well, "journal", "fail")["fix"]


@pytest.mark.parametrize(
    ("free", "inodes", "flag", "state"),
    [
        (4096, 1_000_000, 0, "ok"),
        (4096, 0, 0, "ok"),
        (500, 1_000_000, 0, "warn"),
        (10, 1_000_000, 0, "fail"),
        (4096, 5_000, 0, "warn"),
        (4096, 500, 0, "fail"),
        (4096, 1_000_000, os.ST_RDONLY, "fail"),
    ],
)
def test_room_is_looked_at_before_it_runs_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, inodes: int, flag: int, state: str
) -> None:
    found = SimpleNamespace(
        f_bavail=free << 8, f_frsize=1 << 12, f_favail=inodes, f_files=inodes and 2_000_000, f_flag=flag
    )
    monkeypatch.setattr(os, "statvfs", lambda _path: found)
    assert disk._line(tmp_path).state == state


def test_too_few_descriptors_are_a_failure(
    tree: RegistryTree, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = arguments(tree, tmp_path, plugins='[[plugins]]\nname = "demo-plugin"\nworkers = 30\n')
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (1024, 256))
    found = line(capsys, given, "machine", "fail")
    assert found["text"] == "256 open files: enough for 24 workers, and 30 are configured"
    assert "304" in found["fix"]


def test_a_configured_python_that_is_not_there_is_a_warning(
    tree: RegistryTree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = arguments(tree, tmp_path, runtime='interpreters = ["/nowhere/python3.13"]', plugins="")
    found = line(capsys, given, "interpreter", "warn")
    assert "/nowhere/python3.13, configured, cannot be used: there is no such file" in found["text"]


def test_it_says_who_decided_where_things_are(
    well: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines, _ = doctor(capsys, well)
    said = [text for _, text in lines["configuration"]]
    assert f"{tmp_path}/assess.toml, by --config" in said
    assert f"state directory {tmp_path}/state, by --state-dir" in said
    assert "[registry] from the file: development, root, url; all others by default" in said
    monkeypatch.setenv("ASSESS_CONFIG", str(tmp_path / "assess.toml"))
    monkeypatch.setenv("ASSESS_STATE_DIR", str(tmp_path / "state"))
    lines, _ = doctor(capsys, ["doctor", "--output", "json"])
    said = [text for _, text in lines["configuration"]]
    assert f"{tmp_path}/assess.toml, by ASSESS_CONFIG" in said
    assert f"state directory {tmp_path}/state, by ASSESS_STATE_DIR" in said


def test_a_topic_that_cannot_be_looked_at_does_not_end_the_others(
    well: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_path: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "statvfs", fail)
    assert "Permission denied" in line(capsys, well, "disk", "fail")["text"]
    assert "starts and loads" in line(capsys, well, "demo-plugin", "ok")["text"]


@pytest.mark.parametrize("wrong", [ValueError("no such thing"), RecursionError("too deep"), KeyError("key")])
def test_whatever_a_topic_raises_the_others_follow(
    well: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, wrong: Exception
) -> None:
    def fail(*_given: object) -> NoReturn:
        raise wrong

    monkeypatch.setattr(os, "statvfs", fail)
    found = line(capsys, well, "disk", "fail")
    assert found["text"] == f"could not be looked at: {wrong!r}"
    assert "report" in found["fix"]
    assert "starts and loads" in line(capsys, well, "demo-plugin", "ok")["text"]
    monkeypatch.setattr(configuration, "_document", fail)
    assert line(capsys, well, "configuration", "fail")["text"] == f"could not be looked at: {wrong!r}"
    monkeypatch.setattr(Vouching, "known_refusal_of", fail)
    assert line(capsys, well, "demo-plugin", "fail")["text"] == f"could not be looked at: {wrong!r}"


@pytest.mark.parametrize(
    ("kind", "topic", "state"),
    [
        ("active", "demo-plugin", "fail"),
        ("choices", "demo-plugin", "fail"),
        ("consents", "demo-plugin", "fail"),
        ("quarantine", "demo-plugin", "warn"),
        ("installed", "demo-plugin", "fail"),
    ],
)
@pytest.mark.parametrize("data", [b"[" * 200_000, b"{", b"x"])
def test_a_damaged_record_is_said_and_what_to_do_of_it(
    well: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, topic: str, state: str, data: bytes
) -> None:
    name = the_plugin(tmp_path).env_key if kind == "installed" else "demo-plugin"
    path = tmp_path / "state" / kind / f"{name}.json"
    path.write_bytes(data)
    path.chmod(0o600)
    assert str(path) in line(capsys, well, topic, state)["text"]
    assert main(["plugins", "list", *well[1:]]) in (0, 1)
    assert json.loads(capsys.readouterr().out).keys() & {"error", "plugins"}, "nothing else ends with a traceback"


def test_a_file_of_no_plugin_among_the_records_is_a_warning(
    well: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert line(capsys, well, "state", "ok")["text"].startswith("layout ")
    for kind in ("active", "choices", "consents", "quarantine"):
        stray = tmp_path / "state" / kind / "demo-plugin (copy).json"
        stray.write_text("{}")
        stray.chmod(0o600)
        found = line(capsys, well, "state", "warn")
        assert f"{stray}: this is no plugin's record" in found["text"]
        assert found["fix"] == "nothing reads it; move it away"
        assert "starts and loads" in line(capsys, well, "demo-plugin", "ok")["text"]
        for command in (["plugins", "list"], ["plugins", "prune"], ["sync"]):
            assert main([*command, *well[1:]]) == 0
        capsys.readouterr()
        stray.unlink()


@pytest.mark.parametrize("kind", ["active", "choices", "consents", "quarantine", "journal"])
def test_a_record_that_is_a_link_to_nothing_is_damaged_and_not_absent(
    well: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """As where a volume is not mounted: what was pinned, consented to and found would be forgotten in silence."""
    path = tmp_path / "state/journal.db" if kind == "journal" else tmp_path / "state" / kind / "demo-plugin.json"
    path.unlink(missing_ok=True)
    if kind != "active":  # without, nothing serves
        assert "starts and loads" in line(capsys, well, "demo-plugin", "ok")["text"]
    path.symlink_to("/nowhere/at/all")
    topic, state = "journal" if kind == "journal" else "demo-plugin", "warn" if kind == "quarantine" else "fail"
    found = line(capsys, well, topic, state)
    assert str(path) in found["text"]
    assert "link to nothing" in found["text"]


@pytest.mark.parametrize("gone", ["envs", "bin/python"])
def test_an_environment_that_is_gone_is_said(
    well: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], gone: str
) -> None:
    environment = the_plugin(tmp_path).environment
    path = environment if gone == "envs" else environment / gone
    path.rename(tmp_path / "elsewhere")
    found = line(capsys, well, "demo-plugin", "fail")
    assert path.name in found["text"]
    assert "assess sync" in found["fix"]


def test_what_keeps_an_older_environment_from_being_gone_back_to_is_said(
    well: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "state/installed" / f"{'1' * 64}.json"
    record.write_text("{")
    record.chmod(0o600)
    found = line(capsys, well, "state", "warn")
    assert str(record) in found["text"]
    assert "assess plugins prune" in found["fix"]


def test_what_is_told_to_be_done_about_a_version_that_is_held_back_can_be_done(
    well: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugin, store = the_plugin(tmp_path), store_of(tmp_path)
    store.choose(plugin.distribution, lambda known: replace(known, failed=(failure_of_1_1_0(plugin, store),)))
    fix = line(capsys, well, "demo-plugin", "warn")["fix"]
    command = fix.rpartition("assess ")[2].split()
    assert command == ["plugins", "resume", "demo-plugin"]
    assert main([*command, *well[1:]]) == 0
    capsys.readouterr()
    assert "starts and loads" in line(capsys, well, "demo-plugin", "ok")["text"]
    assert store_of(tmp_path).choices(plugin.distribution).failed == ()


def test_a_shared_store_is_looked_at(
    tree: RegistryTree, well: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = tmp_path / "shared"
    sync(configured(tree, tmp_path), shared)
    assert "shared" not in doctor(capsys, well)[0], "none is configured"
    given = arguments(tree, tmp_path, runtime=f'shared_store = "{shared}"')
    assert line(capsys, given, "shared", "ok")["text"] == f"{shared}: layout 2, 1 environments of 1 plugins"
    (record,) = (shared / "installed").glob("*.json")
    record.write_text("{")
    assert str(record) in line(capsys, given, "shared", "warn")["text"]
    shared.rename(tmp_path / "elsewhere")
    found = line(capsys, given, "shared", "warn")
    assert found["text"] == f"{shared} is not there: what it held is installed here instead"
    assert "runtime.shared_store" in found["fix"]


def test_waivers_that_somebody_has_to_look_at_are_said(
    tree: RegistryTree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sync(configured(tree, tmp_path), tmp_path / "state")
    today = datetime.now(UTC).date()
    given = {
        ("demo-kernel", "far"): today + timedelta(days=100),
        ("demo-kernel", "soon"): today + timedelta(days=3),
        ("demo-kernel", "over"): today - timedelta(days=3),
        ("demo-kernle", "far"): today + timedelta(days=100),
    }
    text = "".join(
        f'[[waivers]]\ncheck = "{check}"\nsubject = "{subject}"\nowner = "ops"\nreason = "r"\nexpires = {day}\n'
        for (check, subject), day in given.items()
    )
    lines, code = doctor(capsys, arguments(tree, tmp_path, plugins=PLUGIN + text))
    assert code == 0
    assert lines["waivers"] == [
        ("warn", f"demo-kernel on soon, ops: ends after {today + timedelta(days=3)}"),
        ("warn", f"demo-kernel on over, ops: ended after {today - timedelta(days=3)}, and counts no more"),
        ("warn", "demo-kernle on far, ops: no installed plugin has this check; did you mean 'demo-kernel'?"),
        ("ok", "1 active; what they are about still fails, and exits 3"),
    ]
    lines, _ = doctor(capsys, arguments(tree, tmp_path))
    assert "waivers" not in lines


def test_faults_of_assess_that_were_written_down_are_named(
    well: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert line(capsys, well, "crash", "ok")["fix"] == ""
    report = Crashes(tmp_path / "state" / CRASHES).report(LookupError("boom"))
    assert line(capsys, well, "crash", "warn")["text"] == f"1 fault(s) of assess, the last in {report}"
