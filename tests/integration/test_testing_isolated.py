"""The testing kit's worker: what a plugin's test sees is what its users will see."""

import base64
import hashlib
import json
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from assess_plugin import CheckResult
from assess_plugin.permissions import Permissions
from assess_plugin.testing import (
    IsolatedPlugin,
    LocalHost,
    PlantedHost,
    PluginManifest,
    Recorder,
    Replay,
    WorkerFailedError,
    execute,
    load_manifest,
)
from tests.support.checkout import ROOT

SOURCE = """
import os, socket, sys, time
from assess_plugin import (
    ActionInput, ActionOutput, CheckResult, EvaluateInput, EvaluateResult, HostError, Outcome, Subject, hookimpl,
)
from assess_plugin.shim import shim

def through_the_host(input):
    with input.host.open("/etc/motd") as file:
        return file.read().decode()

def past_the_host(input):
    with open(input.settings["outside"]) as file:
        return file.read()

def socket_of_its_own(input):
    with socket.create_connection(("127.0.0.1", input.settings["port"])) as made:
        return "connected"

def connection(input):
    with shim(input.host), socket.create_connection(("api.example.org", 443)) as made:
        made.sendall(b"token " + input.host.secret("token").encode() + b"\\n")
        return made.makefile("r").readline()

def command(input):
    return str(len(input.host.run(["dpkg-query", "-W"]).stdout))

def status(input):
    return oct(input.host.stat("/etc/motd").mode)

def denied(input):
    try:
        input.host.open("/etc/shadow")
    except HostError as error:
        return type(error).__name__

def missing(input):
    try:
        input.host.open("/etc/missing")
    except FileNotFoundError as error:
        return f"{error.errno} {error.filename}"

def evidence(input):
    return input.host.evidence("log", b"x" * 700_000)

def talk(input):
    input.host.log("a line", "warning")
    input.host.progress(1, 2, "half")
    return "talked"

def setting(input):
    return input.settings["greeting"]

def variables(input):
    return " ".join(sorted(name for name in os.environ if name.startswith("TRIED_")))

def raises(input):
    raise KeyError("no such thing")

def leaves(input):
    print("about to leave", flush=True)
    os._exit(3)

def hangs(input):
    time.sleep(60)

@hookimpl
def assess_execute(input: ActionInput) -> ActionOutput:
    results = []
    for check in input.checks:
        if check == "not-reported":
            continue
        with input.host.attribute(check):
            got = globals()[check.replace("-", "_")](input)
        kept = (got,) if check == "evidence" else ()
        results.append(CheckResult(check_id=check, outcome=Outcome.PASS, actual=str(got)[:4000], evidence=kept))
    return ActionOutput(results=tuple(results))

@hookimpl
def assess_evaluate(input: EvaluateInput) -> EvaluateResult:
    subject = Subject(id=f"user:{input.selector['name']}", type="user", title=input.runtime, labels=dict(input.labels))
    return EvaluateResult(subjects=(subject,))
"""

MODULE = "tried_out_plugin"
MANIFEST = PluginManifest(
    checks={"it": ("through-the-host",)},
    defaults={"greeting": "hello"},
    permissions=Permissions(
        read=("/etc/motd", "/etc/missing"),
        commands=(("dpkg-query", "-W"),),
        network=("api.example.org:443",),
        secrets=("token",),
        env=("TRIED_PROXY", "TRIED_ABSENT"),
    ),
    api="1.2",
)


@pytest.fixture(scope="module", autouse=True)
def module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    directory = tmp_path_factory.mktemp("source")
    (directory / f"{MODULE}.py").write_text(SOURCE)
    sys.path.insert(0, str(directory))
    yield
    sys.path.remove(str(directory))


@pytest.fixture(scope="module")
def plugin(module: None) -> Iterator[IsolatedPlugin]:
    with IsolatedPlugin(MODULE, name="it", manifest=MANIFEST) as started:
        yield started


@pytest.fixture(scope="module")
def free(module: None) -> Iterator[IsolatedPlugin]:
    with IsolatedPlugin(MODULE, name="it", manifest=MANIFEST, isolated=False) as started:
        yield started


@pytest.fixture
def host(tmp_path: Path) -> PlantedHost:
    planted = PlantedHost(tmp_path / "host", manifest=MANIFEST, commands={("dpkg-query", "-W"): b"x" * 300_000})
    planted.plant("/etc/motd", "welcome")
    planted.secrets["token"] = "swordfish"
    return planted


@pytest.fixture
def peer() -> Iterator[tuple[str, int]]:
    """Answers one line with the same in capitals, to each who connects."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                made, _ = server.accept()
            except OSError:
                return
            with made, made.makefile("rw") as lines:
                lines.write(lines.readline().upper())

    thread = threading.Thread(target=serve)
    thread.start()
    yield server.getsockname()
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


def one(plugin: IsolatedPlugin, host: PlantedHost | Replay | Recorder, check: str, **more: object) -> CheckResult:
    return plugin.execute(host, checks=[check], **more)[check]  # type: ignore[arg-type]


def test_a_plugin_is_served_by_the_host_of_the_test(plugin: IsolatedPlugin, host: PlantedHost) -> None:
    assert plugin.landlock_abi >= 1
    assert one(plugin, host, "through-the-host").actual == "welcome"
    assert [(use.kind, use.what, use.check) for use in host.uses] == [("open", ("/etc/motd",), "through-the-host")]


@pytest.mark.parametrize(
    ("check", "actual"),
    [
        ("command", "300000"),
        ("status", "0o100644"),
        ("denied", "Denied"),
        ("missing", "2 /etc/missing"),
        ("setting", "hello"),
        ("talk", "talked"),
    ],
)
def test_every_answer_arrives(check: str, actual: str, plugin: IsolatedPlugin, host: PlantedHost) -> None:
    assert one(plugin, host, check).actual == actual


def test_what_a_plugin_says_is_kept(plugin: IsolatedPlugin, host: PlantedHost) -> None:
    one(plugin, host, "talk")
    assert host.logged == [("warning", "a line")]
    assert host.progressed == [(1, 2, "half")]
    result = one(plugin, host, "evidence")
    assert [piece.name for piece in result.evidence] == ["log"]
    assert host.taken["log"] == ("text/plain", b"x" * 700_000)


def test_a_client_connects_to_the_peer_of_the_test(
    plugin: IsolatedPlugin, host: PlantedHost, peer: tuple[str, int]
) -> None:
    host.peers["api.example.org:443"] = peer
    assert one(plugin, host, "connection").actual == "TOKEN SWORDFISH\n"


def test_past_the_host_it_is_held_and_without_isolation_it_is_not(
    plugin: IsolatedPlugin, free: IsolatedPlugin, host: PlantedHost, peer: tuple[str, int], tmp_path: Path
) -> None:
    (tmp_path / "outside").write_text("outside")
    settings = {"outside": str(tmp_path / "outside"), "port": peer[1]}
    for check, says in (("past-the-host", "outside"), ("socket-of-its-own", "connected")):
        with pytest.raises(WorkerFailedError, match="PermissionError"):
            one(plugin, host, check, settings=settings)
        assert one(free, host, check, settings=settings).actual == says
    assert free.landlock_abi == 0


def test_it_finds_the_variables_of_its_manifest_and_no_others(
    host: PlantedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIED_PROXY", "http://proxy.example.org")
    monkeypatch.setenv("TRIED_TOKEN", "swordfish")
    with IsolatedPlugin(MODULE, name="it", manifest=MANIFEST) as plugin:
        assert one(plugin, host, "variables").actual == "TRIED_PROXY"


def test_a_plugin_that_raises_fails_its_test_with_the_traceback(plugin: IsolatedPlugin, host: PlantedHost) -> None:
    with pytest.raises(WorkerFailedError, match=r"(?s)raised KeyError.*Traceback.*no such thing"):
        one(plugin, host, "raises")
    assert one(plugin, host, "setting").actual == "hello"


def test_a_plugin_that_leaves_is_told_of(host: PlantedHost) -> None:
    left = pytest.raises(WorkerFailedError, match=r"(?s)ended with code 3.*about to leave")
    with IsolatedPlugin(MODULE, name="it", manifest=MANIFEST) as plugin, left:
        one(plugin, host, "leaves")


def test_a_plugin_that_hangs_is_given_up(host: PlantedHost) -> None:
    late = pytest.raises(WorkerFailedError, match="took too long")
    with IsolatedPlugin(MODULE, name="it", manifest=MANIFEST) as plugin, late:
        one(plugin, host, "hangs", timeout_s=0.5)


def test_a_check_that_is_not_reported_fails_as_in_the_kit(plugin: IsolatedPlugin, host: PlantedHost) -> None:
    with pytest.raises(AssertionError, match="not reported"):
        one(plugin, host, "not-reported")


def test_what_cannot_be_loaded_is_told_of(host: PlantedHost) -> None:
    with pytest.raises(WorkerFailedError, match="cannot be loaded"):
        IsolatedPlugin(f"{MODULE}:nothing", name="it", manifest=MANIFEST)


def test_a_provider_finds_its_subjects(host: PlantedHost) -> None:
    with IsolatedPlugin(MODULE, name="people", manifest=MANIFEST, kind="provider") as provider:
        (found,) = provider.evaluate(host, selector={"name": "eve"}, runtime="here", labels={"a": "b"})
    assert (found.id, found.title, found.labels) == ("user:eve", "here", {"a": "b"})


def test_nothing_is_left_of_a_worker(host: PlantedHost) -> None:
    before = set(Path("/proc/self/fd").iterdir())
    with IsolatedPlugin(MODULE, name="it", manifest=MANIFEST) as plugin:
        directory = plugin._worker.directory
        pid = plugin._worker._process.pid
        one(plugin, host, "command")
    assert not directory.exists()
    assert not Path(f"/proc/{pid}").exists()
    assert set(Path("/proc/self/fd").iterdir()) == before


RECORDED = ("through-the-host", "command", "status", "missing", "denied", "evidence", "connection")


def test_a_recording_answers_as_the_host_did(
    plugin: IsolatedPlugin, free: IsolatedPlugin, host: PlantedHost, peer: tuple[str, int], tmp_path: Path
) -> None:
    host.peers["api.example.org:443"] = peer
    file = tmp_path / "recordings/one.json"
    with Recorder(host, file) as recorder:
        recorded = plugin.execute(recorder, checks=RECORDED)
    assert "swordfish" not in file.read_text().lower()
    assert b"SWORDFISH" not in file.read_bytes()
    for held in (plugin, free):
        replay = Replay(MANIFEST, file)
        replayed = held.execute(replay, checks=RECORDED)
        assert {**replayed, "connection": None} == {**recorded, "connection": None}
        assert replayed["connection"].actual is not None
        assert replayed["connection"].actual.startswith("TOKEN ")
        assert replay.differences == []
        assert replay.taken == recorder.taken
        assert replay.uses == recorder.uses


def test_a_secret_that_is_sent_is_not_in_the_recording(
    plugin: IsolatedPlugin, host: PlantedHost, peer: tuple[str, int], tmp_path: Path
) -> None:
    host.peers["api.example.org:443"] = peer
    with Recorder(host, tmp_path / "one.json") as recorder:
        plugin.execute(recorder, checks=["connection"])
    (use,) = [use for use in json.loads((tmp_path / "one.json").read_text())["uses"] if use["kind"] == "connect"]
    assert use["events"][0]["way"] == "sent"
    assert "c3dvcmRmaXNo" not in use["events"][0]["data"]  # swordfish
    assert base64.b64decode(use["events"][0]["data"]) == b"token secret token\n"


def test_what_is_not_in_a_recording_is_refused_by_name(
    plugin: IsolatedPlugin, host: PlantedHost, tmp_path: Path
) -> None:
    with Recorder(host, tmp_path / "one.json") as recorder:
        plugin.execute(recorder, checks=["status"])
    replay = Replay(MANIFEST, tmp_path / "one.json")
    assert one(plugin, replay, "status").actual == "0o100644"
    with pytest.raises(WorkerFailedError, match="not in the recording"):
        one(plugin, replay, "through-the-host")


def test_a_failed_recording_writes_no_file(host: PlantedHost, tmp_path: Path) -> None:
    with pytest.raises(KeyError), Recorder(host, tmp_path / "one.json"):
        raise KeyError
    assert not (tmp_path / "one.json").exists()


SAMPLE = ROOT / "contrib/sample_plugin/src"


def test_the_sample_plugins_verdicts_replay_to_the_same_evidence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recorded on this machine, isolated; replayed isolated, without isolation, and in this very process."""
    monkeypatch.syspath_prepend(str(SAMPLE))
    manifest = load_manifest(SAMPLE / "assess_host_baseline/assess-plugin.toml")
    entry, name, file = "assess_host_baseline.plugin", "host-baseline", tmp_path / "machine.json"
    with IsolatedPlugin(entry, name=name, manifest=manifest) as plugin:
        with Recorder(LocalHost(manifest), file) as recorder:
            recorded = plugin.execute(recorder)
        replays = [Replay(manifest, file) for _ in range(3)]
        replayed = [plugin.execute(replays[0])]
    with IsolatedPlugin(entry, name=name, manifest=manifest, isolated=False) as plugin:
        replayed.append(plugin.execute(replays[1]))
    replayed.append(execute(__import__(entry, fromlist=["x"]), name, replays[2]))
    digests = _digests(recorder.taken)
    assert len(recorded) > 50
    assert digests
    for replay, results in zip(replays, replayed, strict=True):
        assert results == recorded
        assert _digests(replay.taken) == digests
        assert replay.uses == recorder.uses


def _digests(taken: dict[str, tuple[str, bytes]]) -> dict[str, str]:
    return {name: hashlib.sha256(data).hexdigest() for name, (_, data) in taken.items()}
