"""Runs beside a systemd that is process 1 of a namespace: plays an operator, and writes down what systemd says.

    python3 -I in_systemd.py OUT        each step a line of JSON

Standard library only: it is run by the system's Python.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

UNIT = "assess.service"
SHOWN = ("ActiveState", "SubState", "Result", "NRestarts", "MainPID", "StatusText", "ExecMainStatus")
WAIT_S = 60.0


def show() -> dict[str, str]:
    """How the unit stands."""
    argv = ["systemctl", "show", UNIT, *(f"-p{name}" for name in SHOWN)]
    said = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=30).stdout
    return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)


def until(true: Callable[[], bool], within_s: float = WAIT_S) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.1)
    return False


def assess(*argv: str) -> subprocess.CompletedProcess[str]:
    """A command of ours, as the service's user: nobody else's commands work with its state."""
    owner = Path("/var/lib/assess").stat()
    return subprocess.run(
        ["/mnt/assess", *argv],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        user=owner.st_uid,
        group=owner.st_gid,
        extra_groups=(),
    )


def newest() -> str:
    """Id of the newest run that is recorded; empty when none is."""
    try:
        return str(json.loads(assess("results", "list", "--output", "json").stdout)["runs"][0]["run_id"])
    except (ValueError, LookupError):
        return ""


def processes() -> list[str]:
    """What is there beside systemd and us."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) not in (1, os.getpid()):
            try:
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue
            if "assess" in words and "in_systemd" not in words:
                found.append(words[:200])
    return found


def main() -> None:
    """The steps."""
    with open(sys.argv[1], "w", encoding="utf-8") as out:  # noqa: PTH123

        def say(step: str, **more: Any) -> None:
            out.write(json.dumps({"step": step, **show(), **more}) + "\n")
            out.flush()

        try:
            steps(say)
        except Exception as error:
            say("failed", error=repr(error))


def steps(say: Callable[..., None]) -> None:
    """Start, work, reload, a bad edit, death, a hang, stop."""
    log = Path("/mnt/out/log")
    until(lambda: show().get("ActiveState") in ("active", "failed"))
    say("started", log=log.read_text(errors="replace")[-4000:] if log.exists() else "")
    until(lambda: newest() != "", 30)
    say("worked", shown=assess("results", "show", newest(), "--output", "json").stdout)
    # A process of ours has what systemd told in its first environment; no other one may have it in any.
    say("environment", told=told())

    reloaded = subprocess.run(["systemctl", "reload", UNIT], check=False, capture_output=True, timeout=60)
    until(lambda: show()["ActiveState"] == "active")  # it says itself when it begins to reload, and when it has
    say("reloaded", code=reloaded.returncode)

    config = Path("/mnt/assess.toml")
    good = config.read_text()
    config.write_text("[runtime]\nid = 3\n")
    subprocess.run(["systemctl", "reload", UNIT], check=False, capture_output=True, timeout=60)
    before = newest()
    say("bad edit", more_runs=until(lambda: newest() != before, 20))

    # Killed before it is repaired: what was followed last stands in.
    pid = main_pid()
    os.kill(pid, signal.SIGKILL)
    came = until(lambda: show()["ActiveState"] == "active" and show()["MainPID"] not in ("0", str(pid)))
    before = newest()
    say("killed", came=came, more_runs=until(lambda: newest() != before, 20))
    config.write_text(good)

    pid = main_pid()
    os.kill(pid, signal.SIGSTOP)  # it feeds no watchdog any more
    came = until(lambda: show()["ActiveState"] == "active" and show()["MainPID"] not in ("0", str(pid)))
    say("hung", came=came)

    began = time.monotonic()
    stopped = subprocess.run(["systemctl", "stop", UNIT], check=False, capture_output=True, timeout=120)
    say("stopped", code=stopped.returncode, took_s=time.monotonic() - began, left=processes())


def main_pid() -> int:
    """That of the service, which is up or comes up.

    It is 0 while there is none, and to kill that is to kill the process group of whoever began all this.
    """
    until(lambda: show().get("MainPID", "0") != "0")
    pid = int(show().get("MainPID", "0"))
    if pid <= 1:
        raise RuntimeError(f"the service has no process: {show()}")
    return pid


def told() -> list[str]:
    """Which processes but the service's main one have systemd's variables in their environment."""
    main = show()["MainPID"]
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or entry.name in ("1", main, str(os.getpid())):
            continue
        try:
            environment = (entry / "environ").read_bytes()
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
        except OSError:
            continue
        if b"NOTIFY_SOCKET=" in environment or b"WATCHDOG_" in environment:
            found.append(words.decode("utf-8", "replace")[:200])
    return found


if __name__ == "__main__":
    main()
