"""Records runs on one state directory and removes old ones, until it is killed; two of it may run beside each other.

chain_keeper.py DIRECTORY NAME      says `going` once the first is recorded
"""

import sys
from datetime import timedelta
from pathlib import Path

from tests.support.chains import Site


def main(directory: Path, name: str) -> None:
    site = Site(directory)
    with site.open() as journal:
        journal._database.connection.execute("PRAGMA synchronous = FULL")
        for number in range(100_000):
            site.now += timedelta(hours=6, microseconds=hash(name) % 1000)
            site.record(journal, name, evidence=b"%d" % (number // 3) * 99 if number % 2 else b"")
            if number % 5 == 4:
                journal.retain(keep_days=3, now=site.now)
            if number == 0:
                print("going", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
