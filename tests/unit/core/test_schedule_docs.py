"""docs/schedules.md says what is."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from assess_core.config import parse
from assess_core.schedule import WHYS, Cron, SkipWhy, parse_schedule
from assess_core.schedule.decide import MAX_ATTEMPTS, MAX_PARALLEL, SET_BACK

DOCUMENT = (Path(__file__).parents[3] / "docs" / "schedules.md").read_text()
BERLIN = ZoneInfo("Europe/Berlin")


def test_the_examples_load() -> None:
    blocks = re.findall(r"^```toml\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    assert all(parse(block.encode(), Path("assess.toml")).assessments for block in blocks)


def test_every_reason_is_documented() -> None:
    assert set(re.findall(r"^\| `([a-z]+)` \|", DOCUMENT, re.MULTILINE)) == set(get_args(SkipWhy)) == set(WHYS)


@pytest.mark.parametrize(
    ("text", "day", "shown"),
    [
        ("30 2 * * *", "2027-03-28", ["03:00"]),
        ("30 2 * * *", "2027-10-31", ["02:30"]),
        ("*/30 * * * *", "2027-03-28", ["01:30", "03:00"]),
        ("*/30 * * * *", "2027-10-31", ["02:00", "02:30", "02:00", "02:30"]),
    ],
)
def test_the_two_odd_days_are_as_they_are_said_to_be(text: str, day: str, shown: list[str]) -> None:
    cron, moment = Cron(text, "Europe/Berlin"), datetime.fromisoformat(f"{day}T00:59:59+02:00")
    if day == "2027-03-28":
        moment = datetime.fromisoformat(f"{day}T01:29:59+01:00")
    else:
        moment += timedelta(hours=1)
    found = []
    for _ in shown:
        due = cron.after(moment)
        assert due is not None
        found.append(due.astimezone(BERLIN).strftime("%H:%M"))
        moment = due
    assert found == shown
    row = next(line for line in DOCUMENT.splitlines() if line.startswith(f"| `{text}` |"))
    cell = row.split("|")[2 if day == "2027-03-28" else 3]
    assert re.findall(r"\d\d:\d\d", cell) == shown


@pytest.mark.parametrize("text", ["0 3 L * *", "0 3 LW * *", "0 3 * * 5L", "0 3 * * MON#2", "0 3 1,15 JAN-MAR *"])
def test_what_is_said_to_be_understood_is(text: str) -> None:
    assert parse_schedule(text).times.after(datetime.fromisoformat("2027-01-01T00:00:00+00:00")) is not None


def test_numbers_are_those_of_the_code() -> None:
    assert (8, 3, timedelta(hours=3)) == (MAX_PARALLEL, MAX_ATTEMPTS, SET_BACK)
    assert "up to eight at a time" in DOCUMENT
    assert "tried three\ntimes" in DOCUMENT
    assert "up to three hours" in DOCUMENT
