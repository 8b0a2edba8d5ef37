"""A runtime that is busy for as long as it is let: an assessment is due every so many milliseconds, in turns.

    python -m bench.programs.soaked CONFIG STATE PER_SECOND LIVING

Prints `up`; goes on until its stdin ends, and prints how many assessments have ended, and how late the latest began.
A runtime of its own process, so that its memory is its own. What is due while `AT_ONCE` are under way is late, and no
second one is due in its stead. What lives in its memory is written to LIVING.
"""

import asyncio
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.support.serving import serving

from assess_core.config import load
from bench.programs.living import witness

AT_ONCE = 16


async def soak(path: Path, state: Path, per_second: float) -> tuple[int, float]:
    names = [assessment.id for assessment in load(path).assessments]
    enough, limit = asyncio.Event(), asyncio.Semaphore(AT_ONCE)
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), enough.set)
    ended, latest = 0, 0.0
    async with serving(path, state) as live, asyncio.TaskGroup() as group:
        print("up", flush=True)
        due, begun = time.monotonic(), 0

        async def one(name: str) -> None:
            nonlocal ended
            try:
                await live.assess({name}, due_at=datetime.now(UTC))
                ended += 1
            finally:
                limit.release()

        while not enough.is_set():
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await limit.acquire()
            latest = max(latest, time.monotonic() - due)
            group.create_task(one(names[begun % len(names)]))
            begun += 1
            due = max(due + 1 / per_second, time.monotonic() - 1)
        loop.remove_reader(sys.stdin.fileno())
    return ended, latest


def main() -> None:
    witness(Path(sys.argv[4]))
    ended, latest = asyncio.run(soak(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])))
    print(f"{ended} {latest:.3f}", flush=True)


if __name__ == "__main__":
    main()
