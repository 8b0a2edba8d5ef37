"""What holds a worker: seen from inside, as root and as an ordinary user, and what happens where it cannot be had."""

import asyncio
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assess_core.errors import FaultKind, PluginFault
from assess_core.host import CallReport, HostConfig, Isolation, Supervisor, body, confinement
from assess_core.store import InstalledPlugin, Store
from tests.integration.test_host import given, gone, supervised
from tests.support.checkout import ORDINARY_USER, ROOT
from tests.support.installed import PROGRAMS, host_config, kit, make_installed, make_program, one_kit
from tests.support.interpreters import describe_interpreter, worker_kit
from tests.support.programs import refuse_or_skip

PROGRAM = Path(__file__).parent / "programs" / "lone_host.py"
pytestmark = pytest.mark.usefixtures("both_ways")
NOT_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="needs root to become somebody else")

HELD = {
    "reads-elsewhere": "EACCES",
    "reads-a-secret": "EACCES",
    "writes-elsewhere": "EACCES",
    "truncates-what-it-may-read": "EPERM",
    "writes-its-own-code": "EACCES",
    "forks": "EPERM",
    "executes": "EPERM",
    "connects": "EPERM",
    "signals-the-runtime": "EPERM",
}
WORKS = {
    "writes-its-scratch": "xxx",
    "moves-to-another-directory": "moved",
    "uses-null": "1",
    "runs-threads": "8",
    "imports-late": "colorsys Europe/Berlin True",
}


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A directory that everybody may use, unlike `tmp_path`, which root keeps to itself."""
    directory = Path(tempfile.mkdtemp(prefix="assess-test-open-"))
    directory.chmod(0o777)
    yield directory
    shutil.rmtree(directory)


def secret(directory: Path) -> Path:
    path = directory / "secret"
    path.write_text("sesame")
    path.chmod(0o666)
    return path


def tried(
    root: Path,
    *checks: str,
    installed: InstalledPlugin | None = None,
    config: HostConfig | None = None,
) -> CallReport:
    """What a plugin that tries these things reports."""
    path = secret(root)

    async def run() -> CallReport:
        host = Supervisor(installed or make_program(root, "tries"), config or host_config(root))
        try:
            return await host.execute("it", given(*checks, settings={"secret": str(path)}), timeout_s=20)
        finally:
            await host.stop()

    return asyncio.run(run())


def said(report: CallReport) -> dict[str, str | None]:
    return {result.check_id: result.actual for result in report.output.results}


def lone(
    root: Path, *checks: str, user: str | None = None, without: str | None = None, isolation: Isolation = "required"
) -> dict[str, Any]:
    """What a runtime in a process of its own says, run by this user."""
    whose: dict[str, Any] = {}
    python = sys.executable
    if user is not None:
        entry = pwd.getpwnam(user)
        whose = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        python = anybodys_python()
    command = lone_command(root, *checks, without=without, isolation=isolation)
    done = subprocess.run(
        [python, *command[1:]],
        cwd=ROOT,
        env=lone_environment(),
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
        **whose,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def lone_command(root: Path, *checks: str, without: str | None = None, isolation: str = "required") -> list[str]:
    asked = {"root": str(root), "plugin": "tries", "checks": checks, "settings": {"secret": str(root / "secret")}}
    return [sys.executable, "-B", str(PROGRAM), json.dumps({**asked, "isolation": isolation, "without": without})]


def lone_environment() -> dict[str, str]:
    """Whichever interpreter of this version it is, it finds what these tests find."""
    packages = [path for path in sys.path if path.endswith("-packages") or Path(path, "assess_core").is_dir()]
    sdk = ROOT / "sdk/src"
    return {**os.environ, "PYTHONPATH": ":".join([str(ROOT), str(sdk), *packages]), "HOME": "/nonexistent"}


def anybodys_python() -> str:
    """This interpreter, unless it lies in a private home: then the system's, which must be of the same version."""
    if all(parent.stat().st_mode & 0o001 for parent in Path(sys.executable).resolve().parents):
        return sys.executable
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = shutil.which(name, path="/usr/local/bin:/usr/bin")
    if found is None:
        refuse_or_skip(f"{name}, which any user may run,")
    return str(found)


def other_place(directory: Path) -> Path:
    other = directory / "other"
    other.mkdir()
    other.chmod(0o777)
    secret(other)
    return other


def other_python(version: str, *, private: bool = False) -> Path:
    """An interpreter of this version; one below root's home, where there is one."""
    found = sorted(Path("/root/.pyenv/versions").glob(f"{version}.*/bin/python")) if os.getuid() == 0 else []
    elsewhere = shutil.which(f"python{version}")
    if not found and (private or elsewhere is None):
        pytest.skip(f"there is no Python {version} here")
    return found[-1] if found else Path(str(elsewhere))


def changed_kit(root: Path, **changes: dict[str, str]) -> Path:
    """A copy of the kit in which modules of the worker say something else: module -> text -> what replaces it."""
    changed = root / "changed-kit"
    shutil.copytree(kit(), changed, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (changed, *changed.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    for module, texts in changes.items():
        path = changed / "assess_plugin" / "worker" / f"{module}.py"
        source = path.read_text()
        for before, after in texts.items():
            assert source.count(before) == 1, before
            source = source.replace(before, after)
        path.write_text(source)
    return changed


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# --- what it is held from, and what it can do all the same


def test_a_worker_is_held_from_the_world_and_can_compute(tmp_path: Path) -> None:
    report = tried(tmp_path, *HELD, *WORKS)
    assert said(report) == HELD | WORKS
    assert (tmp_path / "secret").read_text() == "sesame"
    assert report.held.isolation == "full"
    assert report.held.landlock_abi >= 1


def test_without_isolation_the_same_succeeds(tmp_path: Path) -> None:
    config = host_config(tmp_path, isolation="off")
    tries = [check for check in HELD if check != "truncates-what-it-may-read"]  # that file is the interpreter's own
    report = tried(tmp_path, *tries, *WORKS, config=config)
    answers = said(report)
    assert not {name: answer for name, answer in answers.items() if answer in ("EACCES", "EPERM")}
    assert answers["reads-a-secret"] == "sesame"
    assert (tmp_path / "secret").read_text() == "sesamex"
    assert (report.held.isolation, report.held.user, report.held.landlock_abi) == ("none", f"uid:{os.geteuid()}", 0)


@NOT_ROOT
def test_each_worker_of_root_is_a_user_of_its_own(tmp_path: Path) -> None:
    async def use(host: Any) -> list[CallReport]:
        await host.start()
        return [await host.execute("it", given("who"), timeout_s=20) for _ in range(4)]

    reports = supervised(make_program(tmp_path, "tries"), tmp_path, use, workers=2)
    found = {(report.held.user, said(report)["who"]) for report in reports}
    assert len(found) == 2
    for user, who in found:
        uid = user.removeprefix("uid:")
        assert who == f"({uid}, {uid}, {uid}) ({uid}, {uid}, {uid}) 0"
        assert int(uid) in range(61184, 65520)


@NOT_ROOT
def test_an_ordinary_users_workers_are_held_alike(open_place: Path) -> None:
    secret(open_place)
    answer = lone(open_place, *HELD, *WORKS, user=ORDINARY_USER)
    assert answer["actual"] == HELD | WORKS
    assert answer["held"][:2] == ["full", f"uid:{pwd.getpwnam(ORDINARY_USER).pw_uid}"]
    control = lone(other_place(open_place), "reads-a-secret", "forks", "connects", user=ORDINARY_USER, isolation="off")
    assert control["actual"] == {"reads-a-secret": "sesame", "forks": "done", "connects": "done"}


@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_it_holds_and_works_on_other_interpreters_also_below_a_private_home(tmp_path: Path, version: str) -> None:
    interpreter = describe_interpreter(other_python(version))
    source = (PROGRAMS / "tries.py").read_text()
    installed = make_installed(tmp_path, {"tries": source}, plugins={"it": "tries"}, interpreter=interpreter)
    config = replace(host_config(tmp_path), kits=one_kit(worker_kit(Store(tmp_path / "state"), interpreter)))
    report = tried(tmp_path, *HELD, *WORKS, "names-its-interpreter", installed=installed, config=config)
    assert said(report) == {**HELD, **WORKS, "names-its-interpreter": version}


@pytest.mark.parametrize("abi", [1, 2, 3, 4, 5, 6])
def test_the_landlock_of_an_older_kernel_holds_as_much(tmp_path: Path, abi: int) -> None:
    kit = changed_kit(tmp_path, isolate={"abi = landlock_abi()  # 1": f"abi = {abi}"})
    report = tried(tmp_path, *HELD, *WORKS, config=replace(host_config(tmp_path), kits=one_kit(kit)))
    moving = {"moves-to-another-directory": "EXDEV"} if abi == 1 else {}  # it knows no such right
    assert said(report) == HELD | WORKS | moving
    assert report.held.landlock_abi == abi


def test_a_worker_dies_with_its_runtime_whatever_it_did_to_its_lifeline(tmp_path: Path) -> None:
    command = lone_command(tmp_path, "cuts-the-lifeline-and-spins")
    runtime = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=lone_environment())
    assert runtime.stdout is not None
    worker = int(runtime.stdout.readline())
    assert not gone(worker)
    runtime.kill()
    assert runtime.wait() == -signal.SIGKILL
    runtime.stdout.close()
    wait_until(lambda: gone(worker))


# --- where it cannot be had

USERS = [None, pytest.param(ORDINARY_USER, marks=NOT_ROOT)]


@pytest.mark.parametrize("user", USERS)
def test_without_landlock_nothing_starts_and_the_message_says_which_key(open_place: Path, user: str | None) -> None:
    secret(open_place)
    answer = lone(open_place, "who", user=user, without="landlock")
    assert answer["kind"] == "start"
    assert re.search(
        r"cannot be isolated: the kernel has no Landlock \(landlock_create_ruleset: Function not implemented\)\. "
        r".*/sys/kernel/security/lsm.*`require_isolation = \"none\"` in \[runtime\] of assess\.toml",
        answer["fault"],
    )


@pytest.mark.parametrize("user", USERS)
def test_where_it_is_no_condition_the_plugin_runs_and_its_record_says_how(open_place: Path, user: str | None) -> None:
    secret(open_place)
    answer = lone(open_place, "reads-a-secret", user=user, without="landlock", isolation="wanted")
    uid = os.getuid() if user is None else pwd.getpwnam(user).pw_uid
    assert answer["actual"] == {"reads-a-secret": "sesame"}
    assert answer["held"] == ["none", f"uid:{uid}", 0]
    held = lone(other_place(open_place), "reads-a-secret", user=user, isolation="wanted")
    assert held["actual"] == {"reads-a-secret": "EACCES"}, "it is isolated all the same where the kernel can"
    assert held["held"][0] == "full"


@pytest.mark.parametrize(("isolation", "starts"), [("required", False), ("wanted", True)])
def test_a_machine_whose_calls_nobody_wrote_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, isolation: Isolation, starts: bool
) -> None:
    monkeypatch.setattr(body, "HAS_TABLE", False)
    monkeypatch.setattr(body, "MACHINE", "sparc64")
    config = host_config(tmp_path, isolation=isolation)
    if starts:
        assert tried(tmp_path, "who", config=config).held.isolation == "none"
        return
    with pytest.raises(PluginFault, match="nothing is known of the system calls of sparc64") as caught:
        tried(tmp_path, "who", config=config)
    assert caught.value.kind is FaultKind.START


@NOT_ROOT
def test_an_interpreter_that_its_user_cannot_read_is_named_at_once(
    open_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interpreter = describe_interpreter(other_python("3.12", private=True))
    source = (PROGRAMS / "tries.py").read_text()
    installed = make_installed(open_place, {"tries": source}, plugins={"it": "tries"}, interpreter=interpreter)
    config = replace(host_config(open_place), kits=one_kit(worker_kit(Store(open_place / "state"), interpreter)))
    config.scratch_root.chmod(0o755)
    assert said(tried(open_place, "names-its-interpreter", installed=installed, config=config))
    monkeypatch.setattr(confinement, "_kept", lambda _identity: 0)  # as in a container without CAP_DAC_READ_SEARCH
    with pytest.raises(PluginFault, match=r"library below /root/\S+ cannot be read by user 6\d{4}") as caught:
        tried(open_place, "names-its-interpreter", installed=installed, config=config)
    assert caught.value.kind is FaultKind.START


# --- nobody is believed: each step left out of the worker's own code is noticed

STEPS = {
    "identity": '_become(**profile["identity"])  # 4',
    "landlock": "_libc.syscall(ctypes.c_long(_RESTRICT), ctypes.c_int(ruleset), ctypes.c_uint32(0))",
    "seccomp": '_prctl("seccomp", _SET_SECCOMP, _SECCOMP_FILTER, ctypes.addressof(program))',
}


@pytest.mark.parametrize("step", [pytest.param("identity", marks=NOT_ROOT), "landlock", "seccomp"])
def test_a_step_left_out_is_noticed_from_inside(tmp_path: Path, step: str) -> None:
    kit = changed_kit(tmp_path, isolate={STEPS[step]: "0"})
    with pytest.raises(PluginFault, match="cannot be isolated: self-check: ") as caught:
        tried(tmp_path, "who", config=replace(host_config(tmp_path), kits=one_kit(kit)))
    assert caught.value.kind is FaultKind.START


@pytest.mark.parametrize("step", [pytest.param("identity", marks=NOT_ROOT), "seccomp"])
def test_a_step_left_out_is_noticed_from_outside_even_if_the_worker_says_all_is_well(tmp_path: Path, step: str) -> None:
    kit = changed_kit(tmp_path, isolate={STEPS[step]: "0"}, serve={"        selfcheck(profile)\n": ""})
    expected = {"identity": "says Uid", "seccomp": "says Seccomp '0', expected '2'"}
    with pytest.raises(PluginFault, match=rf"cannot be isolated: /proc/\d+/status {expected[step]}") as caught:
        tried(tmp_path, "who", config=replace(host_config(tmp_path), kits=one_kit(kit)))
    assert caught.value.kind is FaultKind.START


def test_a_worker_that_says_nothing_of_isolation_is_not_believed_to_be_isolated(tmp_path: Path) -> None:
    kit = changed_kit(tmp_path, serve={'channel.send(encode({"type": "isolated", "landlock_abi": abi}))': "None"})
    with pytest.raises(PluginFault, match="sent welcome while it was being started"):
        tried(tmp_path, "who", config=replace(host_config(tmp_path), kits=one_kit(kit)))


def test_nothing_of_the_environment_can_be_imported_before_the_worker_is_isolated(tmp_path: Path) -> None:
    """As if the interpreter lacked a module that the worker's own code asks for, and a dependency brought one."""
    source = (PROGRAMS / "tries.py").read_text()
    mark = tmp_path / "ran"
    brought = f"open({str(mark)!r}, 'w').close()\n"
    modules = {"tries": source, "brought": brought}
    installed = make_installed(tmp_path, modules, plugins={"it": "tries"})
    asks = {"import ctypes\n": "import ctypes\ntry:\n    import brought\nexcept ImportError:\n    pass\n"}
    config = replace(host_config(tmp_path), kits=one_kit(changed_kit(tmp_path, isolate=asks)))
    assert said(tried(tmp_path, "uses-null", installed=installed, config=config)) == {"uses-null": "1"}
    assert not mark.exists()
    control = make_installed(
        tmp_path, {**modules, "tries": f"import brought\n{source}"}, plugins={"it": "tries"}, version="1.0.1"
    )
    with pytest.raises(PluginFault, match=r"cannot be loaded: PermissionError.*\(brought\.py:1\)"):
        tried(tmp_path, "uses-null", installed=control, config=config)


def test_a_copied_kit_as_it_is_works(tmp_path: Path) -> None:
    """The control of all those that change one."""
    report = tried(tmp_path, "uses-null", config=replace(host_config(tmp_path), kits=one_kit(changed_kit(tmp_path))))
    assert said(report) == {"uses-null": "1"}
