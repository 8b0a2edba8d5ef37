"""A year in four zones, with restarts and clocks that are set: every due time has the fate that a plain reading of the
rules gives it, by a reference that looks through all of them.
"""

import bisect
import random
from datetime import UTC, datetime, timedelta

import pytest

from assess_core.results import run_id
from assess_core.schedule import Misfire, Rule, parse_schedule
from tests.reliability.conftest import size
from tests.support.naive_cron import due_times
from tests.support.played_scheduler import MortalStore, Played

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca")
TEXTS = ("30 2 * * *", "0 0 * * *", "0 0 0 * * *", "15 1-3 * * SUN", "0 3 L * *", "15 * * * *")
BEGIN, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
MISFIRES: tuple[Misfire, ...] = ("run_once", "skip")
GRACE, SET_BACK = timedelta(seconds=60), timedelta(hours=3)
DOWN_S = (1, 30, 300, 5000, 90_000, 900_000)
STEPS_S = (-30, 30, -3600, 3600, -40_000, 90_000, -90_000)


class Reference:
    """A fate for each due time, decided by going through all of them."""

    def __init__(self, dues: list[datetime], misfire: str) -> None:
        self.dues = dues
        self.misfire = misfire
        self.fates: dict[datetime, str] = {}
        self.decided_to = BEGIN

    def look(self, now: datetime) -> None:
        self.decided_to = now if now < self.decided_to - SET_BACK else self.decided_to
        found = self.dues[bisect.bisect_right(self.dues, self.decided_to) : bisect.bisect_right(self.dues, now)]
        for due in found:
            late = now - due > GRACE and self.misfire == "skip"
            fate = "missed" if due != found[-1] else "misfire" if late else "run"
            if self.fates.get(due) != "run":  # what ran is not undone by a clock
                self.fates[due] = fate
            self.decided_to = due


class Year:
    """One schedule on one machine."""

    def __init__(self, zone: str, text: str, rng: random.Random) -> None:
        misfire: Misfire = rng.choice(MISFIRES)
        self.dues = due_times(text, zone, BEGIN - timedelta(days=2), END + timedelta(days=40))
        self.rule = Rule(runtime="r", assessment="host", spec=parse_schedule(text, zone), misfire=misfire, grace=GRACE)
        self.reference = Reference(self.dues, misfire)
        self.played = Played(MortalStore())
        self.played.now = BEGIN
        self.events = sorted(
            [(rng.randrange(365 * 86_400), rng.choice(DOWN_S), "down") for _ in range(60)]
            + [(rng.randrange(365 * 86_400), rng.choice(STEPS_S), "step") for _ in range(20)],
            reverse=True,
        )
        self.looks = 0

    def run(self) -> None:
        self.played.up([self.rule])
        self.look()
        while self.played.passed_s < 365 * 86_400:
            index = bisect.bisect_right(self.dues, self.played.now)
            if index == len(self.dues):
                break
            to_due_s = (self.dues[index] - self.played.now).total_seconds()
            if self.events and self.events[-1][0] <= self.played.passed_s + to_due_s:
                at_s, seconds, kind = self.events.pop()
                self.played.pass_time(max(0.0, at_s - self.played.passed_s))
                self.look()
                self.happen(kind, seconds)
            else:
                self.played.pass_time(to_due_s)
            self.look()

    def happen(self, kind: str, seconds: int) -> None:
        if kind == "step":
            self.played.set_clock(seconds)
            return
        self.played.kill()
        self.played.pass_time(seconds)
        self.played.up([self.rule])

    def look(self) -> None:
        self.looks += 1
        self.reference.look(self.played.now)
        for each in list(self.played.running):
            self.played.end(each)

    def fates(self) -> dict[datetime, str]:
        """By what is on the disk."""
        found: dict[datetime, str] = {}
        for skip, _ in self.played.store.told:
            first, last = bisect.bisect_left(self.dues, skip.first_at), bisect.bisect_right(self.dues, skip.last_at)
            found |= dict.fromkeys(self.dues[first:last], skip.why)
        ran = self.played.store.runs
        return found | {due: "run" for due in self.dues if run_id("r", "host", due) in ran}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("text", TEXTS[: size(len(TEXTS), 1)])
@pytest.mark.parametrize("zone", ZONES[: size(len(ZONES), 2)])
def test_a_year_of_due_times(zone: str, text: str) -> None:
    year = Year(zone, text, random.Random(f"{zone} {text}"))
    try:
        year.run()
        assert year.fates() == year.reference.fates
        assert not year.played.store.rows
        ran = [due for _, due in year.played.begun]
        assert len({due.run_id for due in ran}) == len(ran)
        print(f"{zone} {text!r}: {year.looks} looks, {len(ran)} runs, {len(year.reference.fates) - len(ran)} skipped")
    finally:
        year.played.close()
