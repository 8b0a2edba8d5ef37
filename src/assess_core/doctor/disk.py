"""Room and rights where state and scratch lie."""

import os
from collections.abc import Iterator
from pathlib import Path

from assess_core.doctor.values import Line
from assess_core.runtime import Runtime

MIB = 1 << 20

LOW_BYTES, NO_BYTES = 1024 * MIB, 64 * MIB
"""Free: below the first it is time to see to it, below the second the next plugin or run may find no room."""

LOW_INODES, NO_INODES = 20_000, 1_000
"""An environment with eighty wheels has some ten thousand files."""

_FIX = "free some room: `assess plugins prune` removes what no plugin uses any more; or choose another --state-dir"


def lines(runtime: Runtime) -> Iterator[Line]:
    """A line for the state directory, and one for scratch where that lies on another file system."""
    state = runtime.store.root
    yield _line(state)
    scratch = state / "scratch"
    if scratch.exists() and scratch.stat().st_dev != state.stat().st_dev:
        yield _line(scratch)


def _line(path: Path) -> Line:
    found = os.statvfs(path)
    free, inodes = found.f_bavail * found.f_frsize, found.f_favail
    text = f"{path}: {free // MIB} MiB free" + (f", {inodes} inodes" if found.f_files else "")
    if found.f_flag & os.ST_RDONLY or not os.access(path, os.W_OK):
        fix = "make it writable: neither results nor plugins can be written; or choose another --state-dir"
        return Line(topic="disk", state="fail", text=f"{text}, and it is read-only", fix=fix)
    counted = found.f_files > 0  # btrfs has as many as it needs, and says none
    if free < NO_BYTES or (counted and inodes < NO_INODES):
        return Line(topic="disk", state="fail", text=text, fix=_FIX)
    if free < LOW_BYTES or (counted and inodes < LOW_INODES):
        return Line(topic="disk", state="warn", text=text, fix=_FIX)
    return Line(topic="disk", state="ok", text=text)
