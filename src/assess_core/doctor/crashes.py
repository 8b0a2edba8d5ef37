"""Reports of faults of assess itself, which somebody should see."""

from collections.abc import Iterator

from assess_core.doctor.values import Line
from assess_core.observe.crash import CRASHES, reports_in
from assess_core.runtime import Runtime


def lines(runtime: Runtime) -> Iterator[Line]:
    """One line: how many there are, and where the newest is."""
    found = reports_in(runtime.store.root / CRASHES)
    if not found:
        yield Line(topic="crash", state="ok", text="no fault of assess itself was written down")
        return
    fix = "attach them to a report of the fault, once you have read them; then remove them"
    yield Line(topic="crash", state="warn", text=f"{len(found)} fault(s) of assess, the last in {found[-1]}", fix=fix)
