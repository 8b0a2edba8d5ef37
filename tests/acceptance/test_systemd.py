"""The unit files, under a real systemd: process 1 of a namespace of its own, on a root that it cannot write to.

What it may start, what it is told and what it does about it is systemd's own; nothing is played but the operator.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from assess_core.errors import EXIT_DAMAGED
from assess_registry.console import EXIT_REFUSED, EXIT_USAGE
from tests.support.checkout import Checkout
from tests.support.programs import refuse_or_skip
from tests.support.registry_tree import DEMO_EACH_SECOND, make_registry_tree

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "contrib" / "systemd"
DRIVER = Path(__file__).parents[1] / "support" / "in_systemd.py"
SYSTEMD = Path("/lib/systemd/systemd")
WITHIN_S = 150

ALONE = """
[Unit]
DefaultDependencies=no
After=
Wants=
[Service]
ExecStart=
ExecStart=/mnt/assess up --last-good
Environment=ASSESS_CONFIG=/mnt/assess.toml
WatchdogSec=4
StandardError=append:/mnt/out/log
"""
"""What is not to be tried of the unit: the machine's boot, where assess lies, and a minute of patience."""

START = """
set -e
mount --make-rprivate /
mount -t proc proc /proc
mount --bind "$1" /mnt
mount -o remount,bind,ro /
for each in /run /var/lib /var/log; do mount -t tmpfs tmpfs $each; done
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /run/systemd/system
cp -r /mnt/units/* /run/systemd/system/
(sleep 1; PATH=/usr/bin:/bin ASSESS_CONFIG=/mnt/good.toml ASSESS_STATE_DIR=/var/lib/assess \\
    /usr/bin/python3 -I /mnt/driver.py /mnt/out/steps) > /mnt/out/driver 2>&1 &
exec env -i container=lxc PATH=/usr/bin:/bin /lib/systemd/systemd --system --unit=try.target --log-target=null \\
    --show-status=no --crash-reboot=no
"""


def missing_program() -> str:
    """What CI installs, and is not there."""
    for program in ("unshare", "systemctl", "mount"):
        if shutil.which(program) is None:
            return program
    return next((str(each) for each in (SYSTEMD, Path("/usr/bin/python3")) if not each.exists()), "")


def missing_right() -> str:
    """What the machine does not let this user do, which nothing that is installed changes."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "root on Linux, for namespaces and a process 1"
    if _hierarchy() is None:
        return "a writable cgroup2 hierarchy"
    tried = subprocess.run(
        ["unshare", "--pid", "--fork", "--mount", "--cgroup", "--uts", "--ipc", "true"],
        check=False,
        capture_output=True,
    )
    return "unshare(2)" if tried.returncode else ""


def _hierarchy() -> Path | None:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        words = line.split()
        if words[words.index("-") + 1] == "cgroup2" and os.access(words[4], os.W_OK):
            return Path(words[4])
    return None


@contextlib.contextmanager
def own_cgroup() -> Iterator[Path]:
    """A group that systemd is put into, and that is gone afterwards."""
    hierarchy = _hierarchy()
    assert hierarchy is not None
    group = hierarchy / f"assess-test-{os.getpid()}-{time.monotonic_ns()}"
    group.mkdir()
    try:
        yield group
    finally:
        for _ in range(100):
            for path in sorted(group.rglob("*"), key=lambda path: -len(path.parts)):
                if path.is_dir():
                    with contextlib.suppress(OSError):
                        path.rmdir()
            try:
                group.rmdir()
            except OSError:
                time.sleep(0.1)
            else:
                break


@pytest.fixture
def place(tmp_path: Path, ran: Checkout) -> Path:
    """What is mounted at /mnt: a registry, a configuration, a command `assess`, and room for what is said.

    That command is one that every user may run: who runs these tests may have a Python in a private home.
    """
    make_registry_tree(tmp_path / "registry")
    tmp_path.chmod(0o755)
    for name in ("assess.toml", "good.toml"):  # one for the service, one for whoever looks at what it did
        (tmp_path / name).write_text(DEMO_EACH_SECOND)
    program = "import sys; from assess_core.cli import main; sys.exit(main())"
    (tmp_path / "assess").write_text(f'#!/bin/sh\nexec {ran.bin / "python"} -c "{program}" "$@"\n')
    (tmp_path / "assess").chmod(0o755)
    (tmp_path / "out").mkdir()
    (tmp_path / "out").chmod(0o777)
    shutil.copy2(DRIVER, tmp_path / "driver.py")
    return tmp_path


def tried(place: Path, unit: str, more: str = "") -> Mapping[str, Mapping[str, Any]]:
    """What systemd said after each step, with this unit."""
    units = place / "units"
    (units / "assess.service.d").mkdir(parents=True)
    shutil.copy2(UNITS / unit, units / "assess.service")
    (units / "assess.service.d" / "alone.conf").write_text(ALONE + more)
    (units / "try.target").write_text("[Unit]\nDefaultDependencies=no\nWants=assess.service\n")
    apart = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--uts", "--ipc", "--cgroup"]
    said = place / "out" / "steps"
    with own_cgroup() as group:
        argv = [
            "sh",
            "-c",
            f'echo $$ > {group}/cgroup.procs; exec "$@"',
            "sh",
            *apart,
            "sh",
            "-c",
            START,
            "sh",
            str(place),
        ]
        with (
            (place / "out" / "machine").open("wb") as out,
            subprocess.Popen(argv, stdout=out, stderr=out, start_new_session=True) as machine,
        ):
            deadline = time.monotonic() + WITHIN_S
            while time.monotonic() < deadline and machine.poll() is None and not _is_over(said):
                time.sleep(0.2)
            machine.kill()  # process 1 dies with it, and with that everything
    assert said.exists(), "".join((place / "out" / name).read_text() for name in ("machine", "driver"))
    steps = [json.loads(line) for line in said.read_text().splitlines()]
    return {each["step"]: each for each in steps}


def _is_over(said: Path) -> bool:
    return said.exists() and any(f'"step": "{step}"' in said.read_text() for step in ("stopped", "failed"))


@pytest.mark.timeout(WITHIN_S + 30)
@pytest.mark.parametrize(
    ("unit", "more", "user"),
    [
        ("assess.service", "", r"uid:\d+"),
        ("assess-unprivileged.service", "User=nobody\nGroup=nogroup\n", "uid:65534"),
    ],
)
def test_a_real_systemd_starts_it_watches_it_and_stops_it(unit: str, more: str, user: str, place: Path) -> None:
    if missing := missing_program():
        refuse_or_skip(missing)
    if missing := missing_right():
        pytest.skip(f"needs {missing}")
    steps = tried(place, unit, more)
    log = (place / "out" / "log").read_text(errors="replace") if (place / "out" / "log").exists() else ""
    assert "failed" not in steps, (steps, log)
    assert steps["started"]["ActiveState"] == "active", (steps, log)
    assert steps["started"]["StatusText"]
    results = json.loads(steps["worked"]["shown"])["results"]
    assert {each["isolation"] for each in results} == {"full"}
    assert all(re.fullmatch(user, each["user"]) for each in results), results
    assert steps["environment"]["told"] == [], "no plugin's process may speak to systemd for us"
    assert (steps["reloaded"]["code"], steps["reloaded"]["ActiveState"]) == (0, "active")
    assert steps["bad edit"]["more_runs"], log
    assert steps["bad edit"]["ActiveState"] == "active"
    assert (steps["killed"]["came"], steps["killed"]["NRestarts"], steps["killed"]["more_runs"]) == (True, "1", True), (
        log
    )
    assert (steps["hung"]["came"], steps["hung"]["NRestarts"]) == (True, "2"), log
    stopped = steps["stopped"]
    assert (stopped["code"], stopped["ActiveState"], stopped["Result"], stopped["left"]) == (
        0,
        "inactive",
        "success",
        [],
    )


@pytest.mark.parametrize("unit", ["assess.service", "assess-unprivileged.service"])
def test_what_no_restart_mends_is_not_started_again(unit: str) -> None:
    said = dict(line.split("=", 1) for line in (UNITS / unit).read_text().splitlines() if "=" in line)
    codes = {EXIT_USAGE, EXIT_REFUSED, EXIT_DAMAGED}
    assert {int(code) for code in said["RestartPreventExitStatus"].split()} == codes
    assert f"`RestartPreventExitStatus={' '.join(map(str, sorted(codes)))}`" in (ROOT / "docs/service.md").read_text()
    assert said["Restart"] == "on-failure", "the control: what a restart may mend is"


@pytest.mark.parametrize("unit", ["assess.service", "assess-unprivileged.service"])
def test_systemd_finds_nothing_wrong_with_the_units_and_little_exposed(unit: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        refuse_or_skip("systemd-analyze")
    copy = tmp_path / unit
    text = (UNITS / unit).read_text()
    copy.write_text(text.replace("/opt/assess/bin/assess", "/bin/true").replace("=assess\n", "=nobody\n", 0))
    found = subprocess.run(["systemd-analyze", "verify", str(copy)], check=False, capture_output=True, text=True)
    assert (found.returncode, [line for line in found.stderr.splitlines() if unit in line]) == (0, [])
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", str(copy)], check=False, capture_output=True, text=True
    )
    exposure = re.search(r"exposure level for \S+: ([0-9.]+)", judged.stdout)
    assert exposure is not None, judged.stdout + judged.stderr
    assert float(exposure[1]) <= 4.0
