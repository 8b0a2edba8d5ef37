"""What a runtime that is up answers: the text of its numbers is made once for all who ask, and beside the loop."""

import asyncio
import math
import threading
import time
from pathlib import Path

import pytest

from assess_core.config import ObserveConfig
from assess_core.errors import StoreError
from assess_core.observe.crash import Crashes
from assess_core.observe.metrics import Metrics, Standing
from assess_core.up import observing
from assess_core.up.observing import Observing

MANY = 10_000


class Shown:
    """How things stand, as a test says."""

    def __init__(self) -> None:
        self.ails = self.lacks = ""
        self.standing: Standing | None = Standing(running=3)
        self.broken = False
        self.looked = 0

    def ailment(self) -> str:
        return self.ails

    def unready(self) -> str:
        return self.lacks

    async def look(self) -> Standing | None:
        self.looked += 1
        await asyncio.sleep(0)
        if self.broken:
            raise StoreError("journal /secret/journal.db: it is locked")
        return self.standing


@pytest.fixture
def shown() -> Shown:
    return Shown()


@pytest.fixture
def observe(shown: Shown, tmp_path: Path) -> Observing:
    return Observing(build={"version": "1"}, crashes=Crashes(tmp_path), shown=shown)


def test_all_who_ask_at_once_get_one_text_that_is_made_elsewhere(
    observe: Observing, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, text = [], Metrics.text

    def counted(self: Metrics, standing: Standing) -> bytes:
        made.append(threading.current_thread())
        return text(self, standing)

    monkeypatch.setattr(Metrics, "text", counted)

    async def ask() -> None:
        answers = await asyncio.gather(*(observe.numbers() for _ in range(32)))
        assert {answer.status for answer in answers} == {200}
        assert b"assess_running 3.0\n" in answers[0].body
        observe._fresh_until_s = math.inf  # however long this machine takes to the next line
        shown.standing = Standing(running=4)
        assert (await observe.numbers()).body == answers[0].body, "it is fresh"
        assert len(made) == shown.looked == 1
        observe._fresh_until_s = 0.0
        assert b"assess_running 4.0\n" in (await observe.numbers()).body, "the control"

    asyncio.run(ask())
    assert len(made) == 2
    assert threading.main_thread() not in made


def test_who_goes_away_takes_nobodys_answer_along(observe: Observing, shown: Shown) -> None:
    async def ask() -> None:
        impatient = asyncio.create_task(observe.numbers())
        await asyncio.sleep(0)
        patient = asyncio.create_task(observe.numbers())
        await asyncio.sleep(0)
        impatient.cancel()
        assert (await patient).status == 200

    asyncio.run(ask())
    assert shown.looked == 1


def test_numbers_of_ten_thousand_do_not_stop_the_loop(observe: Observing, shown: Shown) -> None:
    for number in range(MANY):
        name = f"assessment-{number}"
        observe.metrics.run_ended(name, complete=True, outcomes={"pass": 1, "fail": 1}, seconds=1.0)
    names = [f"assessment-{number}" for number in range(MANY)]
    shown.standing = Standing(next_start_at=dict.fromkeys(names, 1.0), last_complete_at=dict.fromkeys(names, 1.0))

    async def ask() -> tuple[float, float]:
        asked = asyncio.create_task(observe.numbers())
        began = last = time.process_time()  # of all threads: nobody's who makes the machine slow
        longest = 0.0
        while not asked.done():
            await asyncio.sleep(0)
            longest = max(longest, time.process_time() - last)
            last = time.process_time()
        assert asked.result().body.count(b"\n") > 6 * MANY
        return time.process_time() - began, longest

    took_s, longest_s = asyncio.run(ask())
    assert longest_s < took_s / 3, "made on the loop it would be all of it"


def test_what_is_counted_meanwhile_comes_with_the_next(observe: Observing) -> None:
    before = observe.metrics.copy()
    observe.metrics.run_ended("host", complete=True, outcomes={"pass": 1}, seconds=1.0)
    observe.metrics.skipped("host", "missed")
    observe.metrics.started(0.0)
    assert b'assessment="host"' not in before.text(Standing())
    assert b"assess_start_lateness_seconds_count 0.0" in before.text(Standing())
    assert b'assessment="host"' in observe.metrics.copy().text(Standing())


@pytest.mark.parametrize(("standing", "broken"), [(None, False), (Standing(), True)])
def test_what_is_not_known_is_not_told_as_zeros(
    standing: Standing | None, broken: bool, observe: Observing, shown: Shown
) -> None:
    shown.standing, shown.broken, shown.lacks = standing, broken, "" if broken else "starting"
    answer = asyncio.run(observe.numbers())
    assert (answer.status, answer.body) == (503, b"the journal does not tell\n" if broken else b"starting\n")
    shown.standing, shown.broken, shown.lacks = Standing(), False, ""
    assert asyncio.run(observe.numbers()).status == 200, "the control: it is asked again"


def test_what_no_restart_mends_is_said_and_is_no_reason_for_one(observe: Observing, shown: Shown) -> None:
    shown.lacks = "nothing begins"
    health, ready = asyncio.run(observe.health()), asyncio.run(observe.readiness())
    assert (health.status, health.body) == (200, b"it works; nothing begins\n")
    assert (ready.status, ready.body) == (503, b"nothing begins\n")
    shown.ails = "the schedule does not go on"
    assert asyncio.run(observe.health()).status == 503
    shown.ails = shown.lacks = ""
    assert [asyncio.run(ask()).body for ask in (observe.health, observe.readiness)] == [b"ok\n", b"ok\n"]


def test_of_two_changes_at_once_the_second_is_followed(observe: Observing, monkeypatch: pytest.MonkeyPatch) -> None:
    listening: list[str] = []

    async def listen(_: Observing, at: str) -> None:
        listening.append(at)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # closing takes a turn of the loop, in which the other change is followed
            listening.remove(at)

    monkeypatch.setattr(Observing, "_answer", listen)

    async def change() -> None:
        await observe.follow(ObserveConfig(listen="127.0.0.1:1"))
        await asyncio.sleep(0)
        await asyncio.gather(*(observe.follow(ObserveConfig(listen=f"127.0.0.1:{port}")) for port in (2, 3)))
        for _ in range(10):
            await asyncio.sleep(0)
        assert listening == ["127.0.0.1:3"]
        await observe.close()
        assert listening == []

    asyncio.run(change())


def test_making_them_is_a_fifth_of_the_time_at_most() -> None:
    assert observing.REST >= 4
    assert observing.FRESH_S == 1.0
