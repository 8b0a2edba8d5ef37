"""A runtime that assesses what is due and not recorded yet, in a process of its own that may be killed.

    python -m tests.reliability.driver CONFIG STATE COUNT AT_ONCE

Due are COUNT assessments, in turns over all that the configuration has, a second apart from `BEGAN`: so whoever reads
the journal knows every run's id. Prints `up`, then `recorded` for each, and at the end one line of JSON: what it has
open at the end of its work that it had not open before, by kind.
"""

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from assess_core.config import load
from assess_core.journal import Journal
from assess_core.results import run_id
from tests.support.nothing_left import descriptors
from tests.support.serving import serving

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def due(names: list[str], count: int) -> list[tuple[str, datetime]]:
    """What is due, and when."""
    return [(names[number % len(names)], BEGAN + timedelta(seconds=number)) for number in range(count)]


def ids(runtime: str, names: list[str], count: int) -> dict[str, str]:
    """Run id -> assessment, of all that is due."""
    return {run_id(runtime, name, at): name for name, at in due(names, count)}


async def assess_all(path: Path, state: Path, count: int, at_once: int) -> None:
    config = load(path)
    names = [assessment.id for assessment in config.assessments]
    with Journal.open(state / "journal.db") as journal:
        done = {run.run_id for run in journal.runs(limit=count)}
    left = [(name, at) for name, at in due(names, count) if run_id(config.runtime.id, name, at) not in done]
    limit = asyncio.Semaphore(at_once)
    async with serving(path, state) as live:
        print("up", flush=True)

        async def one(name: str, at: datetime) -> None:
            async with limit:
                await live.assess({name}, due_at=at)
            print("recorded", flush=True)

        async with asyncio.TaskGroup() as group:
            for name, at in left:
                group.create_task(one(name, at))


def main() -> None:
    path, state, count, at_once = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    before = descriptors()
    asyncio.run(assess_all(path, state, count, at_once))
    after = descriptors()
    more = {kind: number - before.get(kind, 0) for kind, number in after.items() if number > before.get(kind, 0)}
    print(json.dumps(more), flush=True)


if __name__ == "__main__":
    main()
