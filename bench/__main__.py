"""`python -m bench`: measure, print, and write `docs/benchmarks.md`."""

import argparse
import sys
import textwrap
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

from bench import (
    brokered,
    commands,
    inspect_wheels,
    installs,
    isolation,
    journal,
    machine,
    many,
    many_releases,
    neighbours,
    one_more,
    overhead,
    refresh,
    roundtrip,
    schedules,
    spawn,
    verify_plugin,
    whole_audit,
)
from bench.document import replaced
from bench.effort import Effort
from bench.rows import Report, table

DOCUMENT = Path(__file__).parents[1] / "docs" / "benchmarks.md"

BENCHMARKS: Mapping[str, ModuleType] = {
    "overhead": overhead,
    "roundtrip": roundtrip,
    "spawn": spawn,
    "many": many,
    "neighbours": neighbours,
    "isolation": isolation,
    "brokered": brokered,
    "installs": installs,
    "commands": commands,
    "journal": journal,
    "schedules": schedules,
    "inspect": inspect_wheels,
    "verify": verify_plugin,
    "audit": whole_audit,
    "refresh": refresh,
    "releases": many_releases,
    "publish": one_more,
}
"""By name, in the document's order. Each module has a `TITLE` and `run(effort) -> Report`."""


def main() -> int:
    """Measure what the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure assess beside its peers.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(BENCHMARKS)}; all if none is given")
    parser.add_argument("--quick", action="store_true", help="few repetitions, as a smoke test; writes nothing")
    parser.add_argument("--no-write", action="store_true", help="leave the document as it is")
    parser.add_argument("--wait", type=float, default=0.0, metavar="S", help="wait up to S seconds for a quiet machine")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in BENCHMARKS]:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    for name in arguments.names or BENCHMARKS:
        text = measured(name, Effort(quick=arguments.quick), wait_s=arguments.wait)
        print(text, flush=True)
        if not (arguments.quick or arguments.no_write):
            DOCUMENT.write_text(replaced(DOCUMENT.read_text() if DOCUMENT.exists() else "", name, text))
    return 0


def measured(name: str, effort: Effort, *, wait_s: float = 0.0) -> str:
    """The part of the document about this benchmark, measured now."""
    benchmark = BENCHMARKS[name]
    run: Callable[[Effort], Report] = benchmark.run
    load, started = machine.wait_until_quiet(wait_s), time.perf_counter()
    report = run(effort)
    took = time.perf_counter() - started
    conditions = (
        f"{datetime.now(UTC):%Y-%m-%d}, {machine.description()}; load average {load:.2f} before, "
        f"{machine.load():.2f} after; {took:.0f} s for `python -m bench {name}`."
    )
    return written(benchmark.TITLE, report, conditions)


def written(title: str, report: Report, conditions: str) -> str:
    """A heading, the table, how it was measured, and where and when."""
    versions = f" {', '.join(report.versions)}." if report.versions else ""
    notes = "\n".join(
        textwrap.fill(note, width=118, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
        for note in (*report.notes, conditions + versions)
    )
    return f"## {title}\n\n{table(report.rows)}\n{notes}\n"


if __name__ == "__main__":
    sys.exit(main())
