"""One side of `bench schedules`, in a process of its own: thousands of schedules in SQLite, some due at one instant.

python -m bench.programs.schedules ours|apscheduler DIRECTORY MANY BURST IDLE_S      prints a JSON object
"""

import asyncio
import importlib
import json
import resource
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from assess_core.journal import Journal
from assess_core.results import Run
from assess_core.schedule import Due, Every, Rule, Spec
from assess_core.schedule.scheduler import Scheduler

DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
SET_UP_S = 5.0
"""Between the end of the set-up and what is measured."""

WITHIN_S = 120.0


def main() -> None:
    """Measure one side."""
    side, directory, many, burst, idle_s = sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:6])
    work = ours if side == "ours" else theirs
    print(json.dumps(asyncio.run(work(directory, many, burst, idle_s))))


async def ours(directory: Path, many: int, burst: int, idle_s: int) -> dict[str, Any]:
    """`Scheduler` on a journal; runs end at once, and are not recorded, as jobs beside it are not."""
    instant = _in(SET_UP_S + idle_s + 10)
    late_us: list[int] = []
    nothing = Run(runtime="bench", started_at=instant, ended_at=instant, assessments=(), results=())

    async def run(due: Due) -> Run:
        late_us.append((datetime.now(UTC) - due.start_at) // MICROSECOND)
        return nothing

    rules = [_rule(f"burst-{number}", instant) for number in range(burst)]
    rules += [_rule(f"other-{number}", instant + timedelta(hours=5, seconds=number)) for number in range(many - burst)]
    begun_s = time.perf_counter()
    with Journal.open(directory / "journal.db") as journal:
        scheduler = Scheduler(journal.schedules(), run)
        await scheduler.load(rules)
        serving = asyncio.create_task(scheduler.serve())
        while len(journal.schedules().kept().cursors) < many:
            await asyncio.sleep(0.1)
        loaded_s = time.perf_counter() - begun_s
        found = await _measured(instant, burst, idle_s, late_us)
        scheduler.stop()
        await serving
    return found | {"loaded_s": loaded_s}


async def theirs(directory: Path, many: int, burst: int, idle_s: int) -> dict[str, Any]:
    """APScheduler with its SQL store on SQLite. Set up with `synchronous=OFF`, which is not what is measured."""
    late_us: list[int] = []
    scheduler = _apscheduler(directory)
    scheduler.start(paused=True)
    begun_s = time.perf_counter()
    set_up = _faster(scheduler)
    setup_s = 15 + many / 250
    instant = _in(setup_s + SET_UP_S + idle_s)
    _LATE.append(lambda: late_us.append((datetime.now(UTC) - instant) // MICROSECOND))
    for number in range(many):
        start = instant if number < burst else instant + timedelta(hours=5, seconds=number)
        # misfire_grace_time: with the default, a second, most of the burst would be dropped
        scheduler.add_job(late, "interval", days=1, start_date=start, id=str(number), misfire_grace_time=None)
    set_up()
    loaded_s = time.perf_counter() - begun_s
    scheduler.resume()
    found = await _measured(instant, burst, idle_s, late_us)
    scheduler.shutdown(wait=False)
    return found | {"loaded_s": loaded_s}


_LATE: list[Callable[[], None]] = []


async def late() -> None:
    """A job: by its name, as a store keeps no more of it."""
    _LATE[0]()


def _apscheduler(directory: Path) -> Any:
    schedulers = importlib.import_module("apscheduler.schedulers.asyncio")
    stores = importlib.import_module("apscheduler.jobstores.sqlalchemy")
    executors = importlib.import_module("apscheduler.executors.asyncio")
    return schedulers.AsyncIOScheduler(
        jobstores={"default": stores.SQLAlchemyJobStore(url=f"sqlite:///{directory}/jobs.db")},
        executors={"default": executors.AsyncIOExecutor()},
        timezone="UTC",
    )


def _faster(scheduler: Any) -> Callable[[], None]:
    """The store waits for no disk until what is returned is called."""
    event = importlib.import_module("sqlalchemy").event
    engine = scheduler._jobstores["default"].engine  # noqa: SLF001  there is no other way to it

    def off(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA synchronous=OFF")

    event.listen(engine, "connect", off)
    engine.dispose()

    def done() -> None:
        event.remove(engine, "connect", off)
        engine.dispose()

    return done


async def _measured(instant: datetime, burst: int, idle_s: int, late_us: list[int]) -> dict[str, Any]:
    await asyncio.sleep(SET_UP_S - 3)
    before_s, begun_s = _cpu_s(), time.perf_counter()
    await asyncio.sleep(idle_s)
    idle = 100 * (_cpu_s() - before_s) / (time.perf_counter() - begun_s)
    before_s, until_s = _cpu_s(), time.monotonic() + WITHIN_S
    while len(late_us) < burst and time.monotonic() < until_s:
        await asyncio.sleep(0.2)
    ordered = sorted(late_us)
    if len(ordered) < burst or (datetime.now(UTC) < instant):
        raise RuntimeError(f"{len(ordered)} of {burst} ran")
    return {
        "idle_percent": idle,
        "p50_ms": ordered[len(ordered) // 2] / 1000,
        "p99_ms": ordered[int(len(ordered) * 0.99)] / 1000,
        "burst_cpu_s": _cpu_s() - before_s,
    }


def _rule(name: str, instant: datetime) -> Rule:
    since = instant - datetime(1970, 1, 1, tzinfo=UTC)
    spec = Spec(f"every 1d at {instant.isoformat()}", "", Every(DAY, since % DAY))
    return Rule(runtime="bench", assessment=name, spec=spec)


def _in(seconds: float) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=round(seconds))


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
