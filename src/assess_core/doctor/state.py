"""What is written down in the state directory: whether all of it is somebody's, and can be read."""

from collections.abc import Iterator

from assess_core.doctor.values import Line
from assess_core.runtime import Runtime
from assess_core.store import damaged_records, stray_records


def lines(runtime: Runtime) -> Iterator[Line]:
    """A line for each file that counts as not there; a record of a plugin that serves is said of that, too."""
    layout = runtime.store.layout
    found = 0
    for path in stray_records(layout):
        found += 1
        text = f"{path}: this is no plugin's record"
        yield Line(topic="state", state="warn", text=text, fix="nothing reads it; move it away")
    for error in damaged_records(layout):
        found += 1
        fix = "what it was of counts as not installed; `assess plugins prune` removes it, and `assess sync` installs"
        yield Line(topic="state", state="warn", text=str(error), fix=fix)
    if not found:
        text = f"layout {layout.check()}, every environment's record can be read"
        yield Line(topic="state", state="ok", text=text)
