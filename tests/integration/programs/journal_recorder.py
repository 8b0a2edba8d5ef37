"""Records runs of 50 results in the journal it is given, and says `recorded <run id>` after each.

journal_recorder.py PATH stop-inside      two runs; says `inside` and waits in the middle of the second
journal_recorder.py PATH count NAME       twenty runs, once a line was read
journal_recorder.py PATH forever NAME     until killed
"""

import itertools
import sys
from pathlib import Path

from tests.support.results import make_assessment, make_result

from assess_core.journal import Journal
from assess_core.journal.runs import always


def stop() -> bool:
    """Asked inside the transaction, after everything was written."""
    print("inside", flush=True)
    sys.stdin.read()
    return True


def main(path: Path, mode: str, name: str = "") -> None:
    if mode == "count":
        sys.stdin.readline()
    with Journal.open(path) as journal:
        names = {
            "stop-inside": ["first", "second"],
            "count": [f"{name}-{n}" for n in range(20)],
            "forever": (f"{name}-{n}" for n in itertools.count()),
        }[mode]
        for assessment in names:
            run = make_assessment(assessment=assessment)
            results = [make_result(assessment=assessment, check=f"check-{n}") for n in range(50)]
            journal.record(run, results, {}, holds=stop if assessment == "second" else always)
            print(f"recorded {run.run_id}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
