"""Records runs of 50 results in the journal it is given, and says `recorded <run id>` after each.

journal_recorder.py PATH stop-inside      two runs; says `inside` and waits in the middle of the second
journal_recorder.py PATH count NAME       twenty runs, once a line was read
journal_recorder.py PATH forever NAME     until killed
"""

import itertools
import sys
from collections.abc import ItemsView, Iterator, Mapping
from pathlib import Path

from tests.support.results import make_assessment, make_result

from assess_core.journal import Journal


class StopsInside(Mapping[str, tuple[str, bytes]]):
    """No evidence, but it is looked at twice: before the transaction, and inside it, after results were written."""

    looked = 0

    def __getitem__(self, key: str) -> tuple[str, bytes]:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def items(self) -> ItemsView[str, tuple[str, bytes]]:
        self.looked += 1
        if self.looked == 2:
            print("inside", flush=True)
            sys.stdin.read()
        return super().items()


NOTHING: Mapping[str, tuple[str, bytes]] = {}


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
            journal.record(run, results, StopsInside() if assessment == "second" else NOTHING)
            print(f"recorded {run.run_id}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
