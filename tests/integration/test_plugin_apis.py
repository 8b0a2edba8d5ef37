"""Plugin APIs 1.0 to 1.3, each pinned by a checked-in plugin, in workers of today's SDK and of the released 1.0.

`tests/api/api_1_0` and `api_1_1` differ in one thing: the second says what to do about the very file it found. The
third connects, and knows a secret; the fourth finds some subjects, and says which it could not find.
"""

import asyncio
import hashlib
import re
import shutil
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from assess_core.errors import FaultKind, PluginFault
from assess_core.host import CallReport, HostConfig, Supervisor, handshake, health_check, worker
from assess_core.host.rights import Rights
from assess_core.secrets import SecretSource
from assess_core.store import InstalledPlugin
from assess_plugin import ActionInput, EvaluateInput, EvaluateResult, Outcome, Subject
from assess_plugin.api import served_api
from assess_plugin.models import API_VERSION
from assess_registry.manifest import ManifestError, parse, parse_manifest
from tests.support.closure import ROOT, closure_wheels
from tests.support.installed import host_config, make_installed, one_kit
from tests.support.installed import kit as kit_of_today
from tests.support.programs import installer_environment
from tests.support.wheels import WheelBuilder

PLUGINS = ROOT / "tests" / "api"
RELEASES = ROOT / "sdk" / "releases"
SDK_1_0 = RELEASES / "assess_plugin-1.0.0-py3-none-any.whl"
SUBJECT = Subject(id="host:here", type="inventory-item", title="here")


def source(api: str) -> Path:
    return PLUGINS / f"api_{api}" / "src" / f"assess_api_{api}"


def manifest_text(api: str) -> str:
    return (source(api) / "assess-plugin.toml").read_text()


def installed(tmp_path: Path, api: str, *, words: str = "", wanted: str = "") -> InstalledPlugin:
    """The checked-in plugin of one API; `words`: of whose code, `wanted`: another `api` in its manifest."""
    module, name = f"assess_api_{api}", f"api-{api.replace('_', '-')}"
    code = (source(words or api) / "plugin.py").read_text()
    if words:
        code = code.replace(f"api-{words.replace('_', '-')}", name)
    made = make_installed(
        tmp_path,
        {f"{module}.__init__": "", f"{module}.plugin": code},
        plugins={name: f"{module}.plugin"},
        providers={f"{name}-host": f"{module}.plugin"},
        distribution=f"assess-{name}",
    )
    text = manifest_text(api)
    if wanted:
        text = re.sub("^api = .*$", f'api = "{wanted}"', text, count=1, flags=re.MULTILINE)
    return replace(made, manifest=parse_manifest(text.encode()))


def assessed(plugin: InstalledPlugin, config: HostConfig, path: Path) -> CallReport:
    async def once() -> CallReport:
        supervisor = Supervisor(plugin, config)
        await supervisor.start()
        try:
            (check,) = plugin.manifest.checks
            asked = ActionInput(subject=SUBJECT, checks=(check.id,), settings={"path": str(path)})
            return await supervisor.execute(check.plugin, asked, timeout_s=30)
        finally:
            await supervisor.stop()

    return asyncio.run(once())


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A file that everybody may write, with a name that a shell would take apart."""
    path = tmp_path / "a file; and more"
    path.write_text("")
    path.chmod(0o666)
    return path


def allowing(plugin: InstalledPlugin, path: Path) -> InstalledPlugin:
    permissions = replace(plugin.manifest.permissions, stat=(str(path.parent),))
    return replace(plugin, manifest=replace(plugin.manifest, permissions=permissions))


@pytest.fixture(scope="module")
def kit_1_0(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a runtime that has only 1.0 gives its workers."""
    kit = tmp_path_factory.mktemp("kit-1.0")
    with zipfile.ZipFile(SDK_1_0) as wheel:
        wheel.extractall(kit, [name for name in wheel.namelist() if name.startswith("assess_plugin/")])
    shutil.rmtree(kit / "assess_plugin" / "testing")
    spec = find_spec("pluggy")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    shutil.copytree(next(iter(spec.submodule_search_locations)), kit / "_assess_pluggy")
    return kit


def of_then(config: HostConfig, kit_1_0: Path, monkeypatch: pytest.MonkeyPatch) -> HostConfig:
    """A runtime as it was with 1.0: it spoke protocol 1, which had no word for isolation."""
    monkeypatch.setattr(handshake, "PROTOCOL", 1)
    return replace(config, kits=one_kit(kit_1_0), isolation="off")


def kit_without(tmp_path: Path, line: str) -> Path:
    """A worker that does not look at this itself."""
    kit = tmp_path / "kit"
    shutil.copytree(kit_of_today(), kit, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (kit, *kit.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)
    serve = kit / "assess_plugin" / "worker" / "serve.py"
    assert line in serve.read_text()
    serve.write_text(serve.read_text().replace(line, ""))
    return kit


def test_the_released_sdk_is_as_it_was_released() -> None:
    listed = dict(re.findall(r"\| `(\S+\.whl)` \| `([0-9a-f]{64})` \|", (RELEASES / "README.md").read_text()))
    there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in RELEASES.glob("*.whl")}
    assert there == listed
    assert SDK_1_0.name in there


def test_a_plugin_of_1_1_says_what_to_do_about_this_very_file(tmp_path: Path, shared: Path) -> None:
    plugin = allowing(installed(tmp_path, "1_1"), shared)
    (result,) = assessed(plugin, host_config(tmp_path), shared).output.results
    assert (result.outcome, result.remediation) == (Outcome.FAIL, f"chmod o-w '{shared}'")
    shared.chmod(0o644)
    (result,) = assessed(plugin, host_config(tmp_path), shared).output.results
    assert (result.outcome, result.remediation) == (Outcome.PASS, None)


def test_a_plugin_of_1_0_sees_what_it_saw_in_1_0(
    tmp_path: Path, shared: Path, kit_1_0: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = allowing(installed(tmp_path, "1_0"), shared)
    reports = [assessed(plugin, host_config(tmp_path), shared)]
    reports.append(assessed(plugin, of_then(host_config(tmp_path), kit_1_0, monkeypatch), shared))
    now, then = ((report.output, report.provenance, report.evidence) for report in reports)
    assert then == now
    assert reports[0].output.results[0].outcome is Outcome.FAIL
    assert reports[0].output.results[0].remediation is None


def test_what_1_1_added_does_not_exist_where_1_0_is_served(tmp_path: Path, shared: Path) -> None:
    """The words of 1.1 under a manifest that begins at 1.0; the control asks for 1.1 and differs in nothing else."""
    for wanted in (">=1.0,<2", ">=1.1,<2"):
        plugin = allowing(installed(tmp_path / wanted[2:5], "1_0", words="1_1", wanted=wanted), shared)
        if wanted == ">=1.1,<2":
            (result,) = assessed(plugin, host_config(tmp_path), shared).output.results
            assert result.remediation == f"chmod o-w '{shared}'"
            continue
        with pytest.raises(PluginFault, match=r"has a remediation, which plugin API 1\.0 has not") as caught:
            assessed(plugin, host_config(tmp_path), shared)
        assert caught.value.kind is FaultKind.RAISED


def test_a_runtime_does_not_believe_its_worker_in_this(tmp_path: Path, shared: Path) -> None:
    """A worker that lets it through: its own check is taken out of the kit."""
    config, kit = host_config(tmp_path), kit_without(tmp_path, "    require_api(output.results, api)\n")
    plugin = allowing(installed(tmp_path, "1_0", words="1_1", wanted=">=1.0,<2"), shared)
    with pytest.raises(PluginFault, match=r"has a remediation, which plugin API 1\.0 has not") as caught:
        assessed(plugin, replace(config, kits=one_kit(kit)), shared)
    assert caught.value.kind is FaultKind.REPLY


def found(plugin: InstalledPlugin, config: HostConfig, *ids: str) -> EvaluateResult:
    (provider,) = (entry.name for entry in plugin.entries if entry.kind == "provider")
    asked = EvaluateInput(selector={"ids": ids} if ids else {}, runtime="here")

    async def once() -> EvaluateResult:
        supervisor = Supervisor(plugin, config)
        try:
            return (await supervisor.evaluate(provider, asked, timeout_s=30)).result
        finally:
            await supervisor.stop()

    return asyncio.run(once())


def test_a_provider_of_1_3_says_what_it_could_not_find(tmp_path: Path) -> None:
    plugin, config = installed(tmp_path, "1_3"), host_config(tmp_path)
    assert [subject.id for subject in found(plugin, config).subjects] == ["host:one", "host:two"]
    assert found(plugin, config).problems == ()
    partly = found(plugin, config, "host:two", "host:thre")
    assert [subject.id for subject in partly.subjects] == ["host:two"]
    (problem,) = partly.problems
    assert "there is no subject 'host:thre'" in problem
    many = found(plugin, config, *(f"host:{number}" for number in range(300)))
    assert (len(many.subjects), len(many.problems)) == (0, 100)
    assert many.problems[-1] == "and 201 more like these"


@pytest.mark.parametrize("trusted", [True, False], ids=["in the worker", "in the runtime"])
def test_below_1_3_there_is_no_finding_of_some(tmp_path: Path, *, trusted: bool) -> None:
    """The words of 1.3 under a manifest that begins at 1.2; the control, above, differs in nothing else."""
    config = host_config(tmp_path)
    if not trusted:
        config = replace(config, kits=one_kit(kit_without(tmp_path, "    require_found_api(result.problems, api)\n")))
    plugin = installed(tmp_path, "1_3", wanted=">=1.2,<2")
    assert len(found(plugin, config).subjects) == 2
    with pytest.raises(PluginFault, match=r"has problems, which plugin API 1\.2 has not") as caught:
        found(plugin, config, "host:three")
    assert caught.value.kind is (FaultKind.RAISED if trusted else FaultKind.REPLY)


@pytest.mark.parametrize(("api", "starts"), [("1_0", True), ("1_1", False)])
def test_a_runtime_that_has_only_1_0_refuses_a_plugin_of_1_1_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kit_1_0: Path, api: str, starts: bool
) -> None:
    plugin, config = installed(tmp_path, api), of_then(host_config(tmp_path), kit_1_0, monkeypatch)
    monkeypatch.setattr(worker, "served_api", partial(served_api, has=("1.0",)))
    if starts:
        asyncio.run(health_check(plugin, config))
        return
    with pytest.raises(PluginFault, match=r"assess-api-1-1.*needs plugin API .*>=1\.1.*; this host has 1\.0") as caught:
        asyncio.run(health_check(plugin, config))
    assert caught.value.kind is FaultKind.START


@pytest.mark.parametrize(("api", "reads"), [("1_0", True), ("1_1", False)])
def test_a_registry_that_knows_only_1_0_refuses_its_manifest_by_name(
    monkeypatch: pytest.MonkeyPatch, api: str, reads: bool
) -> None:
    monkeypatch.setattr(parse, "API_VERSIONS", ("1.0",))
    if reads:
        parse_manifest(manifest_text(api).encode())
        return
    with pytest.raises(ManifestError, match=r"api.*'>=1\.1,<2' admits none of the plugin APIs there are: 1\.0"):
        parse_manifest(manifest_text(api).encode())


def test_the_kit_of_1_0_refuses_it_by_name(tmp_path: Path) -> None:
    """As its author's tests do, on a machine with the 1.0 SDK."""
    said = {}
    for api in ("1_0", "1_1"):
        code = (
            "import pathlib, sys; from assess_plugin.testing import load_manifest;"
            "print(load_manifest(pathlib.Path(sys.argv[1])).api)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, source(api) / "assess-plugin.toml"],
            env={"PYTHONPATH": str(SDK_1_0)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        said[api] = (done.returncode, done.stdout.strip(), done.stderr.strip().splitlines()[-1:])
    assert said["1_0"] == (0, "1.0", [])
    (last,) = said["1_1"][2]
    assert said["1_1"][0] == 1
    assert "needs plugin API >=1.1,<2; this host has 1.0" in last


def wheel(api: str, directory: Path) -> Path:
    """The checked-in plugin as a wheel, as its pyproject.toml describes it."""
    files: Mapping[str, str] = {f"{source(api).name}/{path.name}": path.read_text() for path in source(api).iterdir()
                                if path.is_file()}  # fmt: skip
    builder = WheelBuilder(
        name=f"assess-api-{api.replace('_', '-')}",
        files={name: text for name, text in files.items() if not name.endswith(".toml")},
        manifest=manifest_text(api),
        requires=(f"assess-plugin>={api.replace('_', '.')},<2",),
    )
    path = directory / builder.filename
    path.write_bytes(builder.build())
    return path


@pytest.mark.parametrize(
    ("api", "sdk", "installs"),
    [("1_1", "1.0", False), ("1_1", "1.1", True), ("1_0", "1.0", True), ("1_1", "1.2", True), ("1_2", "1.3", True)],
)
def test_pip_refuses_it_beside_an_older_sdk(tmp_path: Path, api: str, sdk: str, installs: bool) -> None:
    folder = RELEASES if sdk < API_VERSION else closure_wheels()
    done = subprocess.run(
        [sys.executable, "-I", "-m", "pip", "install", "--isolated", "--no-index", "--dry-run", "--ignore-installed",
         f"--find-links={folder}", f"--find-links={closure_wheels()}", f"--target={tmp_path / 'there'}", "-q",
         *([f"assess-plugin=={sdk}.*"]), str(wheel(api, tmp_path))],
        env=dict(installer_environment()),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )  # fmt: skip
    assert (done.returncode == 0) is installs, done.stderr
    if not installs:
        assert re.search(r"assess-api-1-1==1\.0\.0 and assess-plugin==1\.0\.\* .*conflict", done.stdout + done.stderr)


@pytest.fixture
def service() -> Iterator[int]:
    """Says hello to whoever says the password, once."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)

        def greet() -> None:
            with suppress(OSError), server.accept()[0] as peer:
                peer.sendall(b"hello" if peer.recv(100) == b"correct horse\n" else b"go away")

        thread = threading.Thread(target=greet)
        thread.start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def greeted(tmp_path: Path, port: int, *, wanted: str = "", kit: Path | None = None) -> CallReport:
    """The plugin of 1.2, with what it asks for on this port."""
    plugin = installed(tmp_path, "1_2")
    permissions = replace(plugin.manifest.permissions, network=(f"127.0.0.1:{port}",))
    manifest = replace(plugin.manifest, permissions=permissions, api=SpecifierSet(wanted or ">=1.2,<2"))
    plugin, config = replace(plugin, manifest=manifest), host_config(tmp_path)
    (tmp_path / "password").write_text("correct horse")
    (tmp_path / "password").chmod(0o600)
    rights = Rights(permissions=permissions, secrets={"password": SecretSource.parse(f"file:{tmp_path}/password")})

    async def once() -> CallReport:
        supervisor = Supervisor(plugin, config if kit is None else replace(config, kits=one_kit(kit)), rights=rights)
        try:
            (check,) = plugin.manifest.checks
            asked = ActionInput(subject=SUBJECT, checks=(check.id,), settings={"port": port})
            return await supervisor.execute(check.plugin, asked, timeout_s=30)
        finally:
            await supervisor.stop()

    return asyncio.run(once())


def test_a_plugin_of_1_2_connects_and_knows_a_secret(tmp_path: Path, service: int) -> None:
    report = greeted(tmp_path, service)
    (result,) = report.output.results
    assert (result.outcome, result.reason) == (Outcome.PASS, "it said 'hello' to [secret password]")
    assert [use.what for use in report.provenance] == [
        {"secret": "password"},
        {"connect": f"127.0.0.1:{service}", "address": "127.0.0.1"},
    ]


@pytest.mark.parametrize("wanted", [">=1.0,<2", ">=1.1,<2"])
def test_what_1_2_added_does_not_exist_where_less_is_served(tmp_path: Path, service: int, wanted: str) -> None:
    (result,) = greeted(tmp_path, service, wanted=wanted).output.results
    assert result.outcome is Outcome.ERROR
    assert f"plugin API {wanted[2:5]} has no host.secret: a manifest that needs it begins at 1.2" in result.reason


def test_a_runtime_does_not_believe_its_worker_in_that_either(tmp_path: Path, service: int) -> None:
    """A worker that asks all the same: its own check is taken out of the kit."""
    kit = tmp_path / "kit"
    shutil.copytree(kit_of_today(), kit, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (kit, *kit.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)
    remote = kit / "assess_plugin" / "worker" / "remote.py"
    remote.write_text(re.sub(r"        require_host_call.*\n", "", remote.read_text()))
    report = greeted(tmp_path, service, wanted=">=1.1,<2", kit=kit)
    assert "plugin API 1.1 has no host.secret" in report.output.results[0].reason
    (use,) = report.provenance
    assert "plugin API 1.1 has no host.secret" in use.what["error"]


@pytest.mark.parametrize(
    ("table", "what"),
    [('secrets = ["a"]', "a secret"), ('read = ["/home/*/x"]', "'*' in a path"), ('stat = ["/*"]', "'*'")],
)
def test_a_manifest_that_begins_lower_has_none_of_what_1_2_added(table: str, what: str) -> None:
    text = 'schema = 1\napi = ">=1.1,<2"\ntitle = "T"\nsummary = "S"\n[permissions]\n' + table
    with pytest.raises(ManifestError, match=re.escape(what) + ".* needs plugin API 1.2, and `api` admits 1.1"):
        parse_manifest(text.encode())
    parse_manifest(text.replace(">=1.1", ">=1.2").encode())
