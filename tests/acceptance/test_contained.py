"""A plugin that tries everything, through the real chain, beside twenty that behave: contained, each try named.

The same wheel then runs with `run_plugins_without_isolation`, and its tries succeed: so it is the sandbox that held
them. Both as the user who runs the tests and, where that is root, as an ordinary one.
"""

import os
import platform
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.sites import Site, make_site, one_document
from tests.support.checkout import ORDINARY_USER, ROOT, Checkout
from tests.support.wheels import DEMO_SOURCE, WheelBuilder, demo_manifest

SOURCE = ROOT / "tests/support/plugins/reaches_out.py"
TRIES: tuple[str, ...] = tuple(runpy.run_path(str(SOURCE))["TRIES"])
GOOD = tuple(f"good-{number:02}" for number in range(1, 21))

NEVER_POSSIBLE = frozenset(("inherited-descriptors", "inherited-environment"))
"""Nothing is inherited, isolated or not."""

ROOTS_ALONE = frozenset(
    (
        "become-root",
        "kernel-programs",
        "make-a-device",
        "mount",
        "namespace-of-another",
        "network-namespace",
        "packets",
        "raw",
    )
)
"""What the kernel keeps from ordinary users anyway."""

LIMITS = "memory_mib = 96\ntimeout_s = 20\ncpu_s = 2\nscratch_mib = 16\nthreads = 16\ndescriptors = 64\n"

DEVOURS = {
    "bytearrays": "limits.memory_mib = 96",
    "shared-memory": "limits.memory_mib = 96",
    "more-than-there-is": "limits.memory_mib = 96",
    "processor": "limits.cpu_s = 2",
    "threads": "limits.threads = 16",
    "descriptors": "limits.descriptors = 64",
    "one-file": "limits.scratch_mib = 16",
    "many-files": "limits.scratch_mib = 16",
    "unlinked-files": "limits.",  # of scratch space, or, on a quick disk, of descriptors
}
"""What is taken, 1,000 of it -> the limit that is named."""

BREAKS_THE_PIPE = {
    "half-frame-and-close": "closed the pipe",
    "lying-length": "announced a message of 2147483647 bytes",
    "garbage": "JSON is malformed",
    "deep-json": "Expected `object`, got `array`",
    "nan": "JSON is malformed",
    "wrong-call": "sent a message of call 2",
    "wrong-check": "'not-asked-for', which was not asked for",
    "flood-of-logs": "more than 2000 log lines",
    "flood-of-requests": "broke the protocol",
}
FOREIGN = {"by-i386": "SIGSYS", "by-x32": "SIGSYS"} if platform.machine() == "x86_64" else {}

DEATHS = 4
"""Of a plugin's workers in one run. Five, and it is quarantined: nothing more of it would be tried."""


def _in_turn(name: str, checks: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """As many plugins, all alike, as it takes for each check to end a worker."""
    each = sorted(checks)
    parts = [each[start : start + DEATHS] for start in range(0, len(each), DEATHS)]
    return {f"{name}-{number}": {check: checks[check] for check in part} for number, part in enumerate(parts, 1)}


SOURCES = {"devours": DEVOURS, "breaks_wire": BREAKS_THE_PIPE, "foreign_calls": FOREIGN}
WORSE = {
    plugin: (source, checks)
    for source, ends in SOURCES.items()
    for plugin, checks in _in_turn(source.replace("_", "-"), ends).items()
}
"""Plugin -> where its code is; check -> how its worker ends."""

BYSTANDER = """\
import ctypes, time
memory = ctypes.create_string_buffer(b"secret12")
print(ctypes.addressof(memory), flush=True)
time.sleep(600)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A site of a user's own, and what lies around in it to be reached for."""

    site: Site
    root: bool

    def run(self, planted: Mapping[str, str], *, isolated: bool) -> Any:
        """The document of one run of everything."""
        plugins: list[Any] = [{"name": "reaches-out", "settings": {"planted": dict(planted)}}, "demo-plugin", *GOOD]
        tries = {"id": "tries", "plugin": "reaches-out", "provider": "demo-subjects"}
        good = [{"id": name, "plugin": name, "provider": "demo-subjects"} for name in GOOD]
        worse = [
            {"id": check, "plugin": plugin, "provider": "demo-subjects", "checks": [check]}
            for plugin, (source, checks) in WORSE.items()
            for check in checks
            if isolated or source == "foreign_calls"
        ]
        self.site.configure(plugins=[*plugins, *WORSE], assessments=[tries, *worse, *good])
        if not isolated:
            text = self.site.config.read_text()
            frightening = "[runtime]\nrun_plugins_without_isolation = true\n"
            self.site.config.write_text(text.replace("[runtime]\n", frightening))
        done = self.site.assess("run", "--output", "json", environment={planted["variable"]: "secret12"})
        assert "Traceback" not in done.stderr
        return one_document(done.stdout)


@pytest.fixture(scope="module", params=["whoever runs the tests", "an ordinary user"])
def place(ran: Checkout, request: pytest.FixtureRequest) -> Iterator[Place]:
    ordinary = request.param == "an ordinary user"
    if ordinary and os.geteuid() != 0:
        pytest.skip("whoever runs these tests is an ordinary user")
    user = ORDINARY_USER if ordinary else None
    base = Path(tempfile.mkdtemp(prefix="assess-contained-"))
    try:
        site = make_site(replace(ran, user=user), base / "site")
        site.publish(hostile(), WheelBuilder(), *map(worse, WORSE), *map(well_behaved, GOOD))
        if ordinary:
            for path in (base, *base.rglob("*")):
                shutil.chown(path, ORDINARY_USER, "nogroup")
        yield Place(site=site, root=os.geteuid() == 0 and not ordinary)
    finally:
        shutil.rmtree(base)


def hostile() -> WheelBuilder:
    manifest = demo_manifest(TRIES, plugin="reaches-out", permissions="read = []\n")
    return WheelBuilder(
        name="reaches-out",
        files={"reaches_out/__init__.py": SOURCE.read_text()},
        manifest=manifest.replace(
            "[permissions]", '[settings.planted]\ntype = "object"\ndefault = {}\n\n[permissions]'
        ),
        entry_points={"assess.plugins": {"reaches-out": "reaches_out:plugin"}},
    )


def worse(name: str) -> WheelBuilder:
    module = name.replace("-", "_")
    source, checks = WORSE[name]
    manifest = demo_manifest(tuple(checks), plugin=name)
    return WheelBuilder(
        name=name,
        files={f"{module}/__init__.py": (SOURCE.parent / f"{source}.py").read_text()},
        manifest=manifest.partition("[limits]")[0].replace(
            "[permissions]", '[settings.size]\ntype = "integer"\ndefault = 1000\n\n[permissions]'
        )
        + f"[limits]\n{LIMITS}",
        entry_points={"assess.plugins": {name: module}},
    )


def well_behaved(name: str) -> WheelBuilder:
    module = name.replace("-", "_")
    return WheelBuilder(
        name=name,
        files={f"{module}/__init__.py": DEMO_SOURCE},
        manifest=demo_manifest((f"{name}-stands", f"{name}-goes-on"), plugin=name),
        entry_points={"assess.plugins": {name: f"{module}:plugin"}},
    )


@contextmanager
def surroundings(place: Place) -> Iterator[Mapping[str, str]]:
    """What a plugin may reach for: all of it belongs to the user who runs it, and could be reached by that user."""
    with ExitStack() as closing:
        around = Path(tempfile.mkdtemp(prefix="assess-around-"))
        closing.callback(shutil.rmtree, around)
        secret, writable = around / "secret/key", around / "writable"
        secret.parent.mkdir(mode=0o700)
        secret.write_text("secret12")
        writable.mkdir()
        for name in ("removable", "movable", "existing"):
            (writable / name).write_text("was there before")
        user = place.site.place.user
        bystander = subprocess.Popen(
            [sys.executable if user is None else "/usr/bin/python3", "-c", BYSTANDER],
            stdout=subprocess.PIPE,
            text=True,
            user=user,
            group="nogroup" if user else None,
            extra_groups=[] if user else None,
            env={"PLANTED": "secret12"},
        )
        closing.enter_context(bystander)
        closing.callback(bystander.send_signal, signal.SIGKILL)
        assert bystander.stdout is not None
        sockets = {
            "tcp": socket.create_server(("127.0.0.1", 0)),
            "udp": socket.socket(type=socket.SOCK_DGRAM),
            "unix": socket.socket(socket.AF_UNIX),
            "unix_datagrams": socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM),
            "abstract": socket.socket(socket.AF_UNIX),
        }
        for each in sockets.values():
            closing.enter_context(each)
        sockets["udp"].bind(("127.0.0.1", 0))
        sockets["unix"].bind(str(writable / "stream"))
        sockets["unix_datagrams"].bind(str(writable / "datagrams"))
        sockets["abstract"].bind(f"\0{around.name}")
        sockets["unix"].listen()
        sockets["abstract"].listen()
        if user is not None:
            for path in (around, *around.rglob("*")):
                shutil.chown(path, user, "nogroup")
        yield {
            "secret": str(secret),
            "writable": str(writable),
            "existing": str(writable / "existing"),
            "state": str(place.site.state),
            "bystander": str(bystander.pid),
            "address": bystander.stdout.readline().strip(),
            "tcp": str(sockets["tcp"].getsockname()[1]),
            "udp": str(sockets["udp"].getsockname()[1]),
            "unix": str(writable / "stream"),
            "unix_datagrams": str(writable / "datagrams"),
            "abstract": around.name,
            "variable": "PLANTED_SECRET",
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What one run came to; `left` is what the tries have changed around them."""

    document: Any
    left: frozenset[str]

    def of(self, assessment: str) -> Mapping[str, Any]:
        return {each["check"]: each for each in self.document["results"] if each["assessment"] == assessment}


def observe(place: Place, *, isolated: bool) -> Outcome:
    with surroundings(place) as planted:
        before = _everything_in(Path(planted["writable"]))
        document = place.run(planted, isolated=isolated)
        left = frozenset(before ^ _everything_in(Path(planted["writable"])))
    return Outcome(document=document, left=left)


def _everything_in(directory: Path) -> set[str]:
    found = set()
    for path in directory.rglob("*"):
        status = path.lstat()
        found.add(f"{path.name} {status.st_mode:o} {status.st_size} {status.st_mtime_ns}")
    return found


@pytest.fixture(scope="module")
def isolated(place: Place) -> Outcome:
    return observe(place, isolated=True)


@pytest.fixture(scope="module")
def free(place: Place) -> Outcome:
    return observe(place, isolated=False)


@pytest.mark.parametrize("attempt", TRIES)
def test_each_try_is_held_and_by_isolation_alone(attempt: str, place: Place, isolated: Outcome, free: Outcome) -> None:
    held, was_free = isolated.of("tries")[attempt], free.of("tries")[attempt]
    assert held["outcome"] == "pass", (held["reason"], held["actual"])
    impossible = NEVER_POSSIBLE if place.root else NEVER_POSSIBLE | ROOTS_ALONE
    assert was_free["outcome"] == ("pass" if attempt in impossible else "fail"), (
        was_free["reason"],
        was_free["actual"],
    )


@pytest.mark.parametrize(("check", "said"), [each for checks in SOURCES.values() for each in checks.items()])
def test_whatever_else_it_does_costs_its_own_worker_alone(check: str, said: str, isolated: Outcome) -> None:
    result = isolated.of(check)[check]
    assert result["outcome"] == "error", result
    assert said in result["reason"]


@pytest.mark.parametrize("check", FOREIGN)
def test_calls_by_other_tables_end_nobody_without_isolation(check: str, free: Outcome) -> None:
    assert free.of(check)[check]["outcome"] == "pass"


def test_nothing_around_was_changed_by_isolated_tries(isolated: Outcome, free: Outcome) -> None:
    assert isolated.left == set()
    assert {"removable", "movable", "existing"} <= {entry.split()[0] for entry in free.left}


@pytest.mark.parametrize("name", GOOD)
def test_those_beside_it_are_unaffected(name: str, isolated: Outcome) -> None:
    results = isolated.of(name)
    assert {result["outcome"] for result in results.values()} == {"pass"}
    assert len(results) == 2


def test_every_result_says_what_held_it(place: Place, isolated: Outcome, free: Outcome) -> None:
    for result in isolated.document["results"]:
        assert (result["isolation"], result["relaxed"]) == ("full", [])
        assert result["landlock_abi"] >= 1
        uid = int(result["user"].removeprefix("uid:"))
        assert 61184 <= uid < 65520 if place.root else uid == 65534 or uid == os.geteuid()
    for result in free.document["results"]:
        assert result["isolation"] == "none"
        assert any("run_plugins_without_isolation" in each for each in result["relaxed"])
