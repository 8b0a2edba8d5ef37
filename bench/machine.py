"""On what, and beside how much other work, something was measured. No names of hosts, users or paths."""

import os
import platform
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

QUIET = 0.7
"""Load average of one minute under which a machine counts as quiet."""


def description() -> str:
    """Processor, cores, system and Python, as one line."""
    kernel = ".".join(platform.release().split(".")[:2])
    implementation = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {kernel}, {_system()}, {implementation}"


def load() -> float:
    """How many processes wanted a core in the last minute, on average."""
    return os.getloadavg()[0]


def wait_until_quiet(
    at_most_s: float, *, load: Callable[[], float] = load, sleep: Callable[[float], None] = time.sleep
) -> float:
    """The load average, after waiting until it is under `QUIET`, or for `at_most_s` seconds."""
    waited = 0.0
    while load() >= QUIET and waited < at_most_s:
        sleep(5.0)
        waited += 5.0
    return load()


def versions(*projects: str) -> tuple[str, ...]:
    """`name version` of installed distributions."""
    return tuple(f"{project} {metadata.version(project)}" for project in projects)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return "unknown system"
