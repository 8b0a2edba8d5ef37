"""What `bench.soak --up` has at work: a real `assess up`, which has its schedules from a file.

    schedule(fleet, 500)                    # `every 20s` to `every 10m`, over all plugins
    with up(fleet, witness=file) as runtime:  # it is ready
        ...
    written = what_became(fleet)            # it has ended: how late runs began, and what was skipped

Nothing has jitter, so that much is due at the same moments; and a run that is late began later than it was due.
"""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from tests.support.fleet_place import Fleet, assessment

from assess_core.journal import Journal
from bench.place import ROOT

SHORTEST_S, LONGEST_S = 20, 600
READY_WITHIN_S = 120.0
ENDS_WITHIN_S = 120.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Became:
    """What became of due times.

    Attributes:
        runs: recorded; `again` of them were begun more than once.
        incomplete: of the recorded.
        late_s: how much later than it was due each began, sorted; those that were begun again left out.
        skipped: due times without a run, by why.
        file_kib: size of the configuration.
    """

    runs: int
    again: int
    incomplete: int
    late_s: tuple[float, ...]
    skipped: Counter[str]
    file_kib: float

    def late(self, part: float) -> float:
        """What this part of all runs is not later than."""
        return self.late_s[ceil(part * len(self.late_s)) - 1] if self.late_s else float("nan")


def periods(count: int) -> dict[str, int]:
    """Assessment -> seconds, evenly from the shortest to the longest."""
    step = (LONGEST_S - SHORTEST_S) / max(count - 1, 1)
    return {f"soak-{number:03}": round(SHORTEST_S + number * step) for number in range(count)}


def schedule(fleet: Fleet, count: int, *, pause_ms: int) -> None:
    """So many schedules, in turns over all plugins."""
    fleet.configure(
        plugins={name: {"settings": {"pause_ms": pause_ms}} for name in fleet.names},
        assessments=[
            assessment(fleet.names[number % len(fleet.names)])
            | {"id": name, "schedule": f"every {period_s}s", "jitter": "0s"}
            for number, (name, period_s) in enumerate(periods(count).items())
        ],
    )


@contextmanager
def up(fleet: Fleet, *, witness: Path) -> Iterator[subprocess.Popen[bytes]]:
    """It is ready; at the end it is asked to stop, and has.

    Args:
        fleet: its plugins and schedules.
        witness: where it writes down what lives in its memory (`bench.programs.living`).

    Raises:
        RuntimeError: it did not come up, or ended with anything but 0.
    """
    path = fleet.directory / "up.log"
    with path.open("wb") as log:
        # In a session of its own: an interrupt that ends us early is ours, and not its.
        argv = [sys.executable, "-m", "bench.programs.living", str(witness)]
        argv += ["up", "--log", "json", "--config", str(fleet.path)]
        runtime = subprocess.Popen(argv, cwd=ROOT, stderr=log, start_new_session=True)
    try:
        _wait_until_ready(fleet, runtime)
        yield runtime
        runtime.send_signal(signal.SIGTERM)
        if (code := runtime.wait(ENDS_WITHIN_S)) != 0:
            raise RuntimeError(f"the runtime ended with {code}: {path.read_text()[-2000:]}")
    finally:
        runtime.kill()
        runtime.wait()


def _wait_until_ready(fleet: Fleet, runtime: subprocess.Popen[bytes]) -> None:
    path = fleet.directory / "up.log"
    until = time.monotonic() + READY_WITHIN_S
    while not any(json.loads(line).get("action") == "up-ready" for line in _whole_lines(path.read_text())):
        if runtime.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"the runtime did not come up: {path.read_text()[-2000:]}")
        time.sleep(0.1)


def _whole_lines(text: str) -> list[str]:
    return [line for line in text.splitlines(keepends=True) if line.startswith("{") and line.endswith("\n")]


def what_became(fleet: Fleet, count: int) -> Became:
    """Of all that was due, as its journal has it."""
    skipped: Counter[str] = Counter()
    with closing(Journal.open(fleet.state / "journal.db")) as journal:
        runs = [run for run in journal.runs(limit=1_000_000) if run.assessment.startswith("soak-")]
        for name, period_s in periods(count).items():
            for skip, _ in journal.skips(name, 1_000_000):
                skipped[skip.why] += round((skip.last_at - skip.first_at).total_seconds()) // period_s + 1
    once = [run for run in runs if run.attempt == 1]
    return Became(
        runs=len(runs),
        again=len(runs) - len(once),
        incomplete=sum(run.problem is not None for run in runs),
        late_s=tuple(sorted((run.started_at - run.due_at).total_seconds() for run in once)),
        skipped=skipped,
        file_kib=fleet.path.stat().st_size / 1024,
    )
