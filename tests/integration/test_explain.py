"""`assess explain` of an assessment: its schedule, what became of it, what comes next and why."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from assess_core.cli.app import app
from assess_core.journal import Journal
from assess_core.results import Narrowed
from assess_core.schedule import Claim, Cursor, Due, Row, Skip
from tests.support.results import make_assessment, make_result

CONFIG = """
[runtime]
id = "web-01"
tz = "Europe/Berlin"

[registry]
url = "file:simple-index"
root = "1.root.json"

[[plugins]]
name = "demo-plugin"

[[assessments]]
id = "host"
plugin = "demo"
provider = "demo-subjects"
schedule = "30 2 * * *"

[[assessments]]
id = "often"
plugin = "demo"
provider = "demo-subjects"
schedule = "every 1h"
jitter = "0s"

[[assessments]]
id = "asked"
plugin = "demo"
provider = "demo-subjects"

[[assessments]]
id = "off"
plugin = "demo"
provider = "demo-subjects"
schedule = "every 1h"
enabled = false
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "assess.toml").write_text(CONFIG)
    return tmp_path


def explain(place: Path, name: str, *more: str) -> Any:
    argv = ["explain", name, "--config", str(place / "assess.toml"), "--state-dir", str(place / "state"), *more]
    return CliRunner().invoke(app, argv, standalone_mode=False, catch_exceptions=True)


def document(place: Path, name: str) -> dict[str, Any]:
    done = explain(place, name, "--output", "json")
    assert done.exception is None, done.exception
    said: dict[str, Any] = json.loads(done.stdout)["assessment"]
    return said


def test_what_comes_next_is_said_in_the_zone_of_the_schedule(place: Path) -> None:
    said = document(place, "host")
    assert (said["schedule"], said["tz"], said["up"], said["last_run"]) == ("30 2 * * *", "Europe/Berlin", None, None)
    assert len(said["next"]) == 5
    assert said["next"][0]["due_at"] > datetime.now(UTC).isoformat()[:19]
    lines = explain(place, "host").stdout.splitlines()
    assert sum(line.startswith("next:") for line in lines) == 5
    assert all(" 02:30:00+0" in line or "does not exist" in line for line in lines if line.startswith("next:"))
    assert any(line.startswith("assess up:") and "not running" in line for line in lines)


def test_what_the_journal_knows_of_it_is_said(place: Path) -> None:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    at = [hour - timedelta(hours=back) for back in (3, 2, 1)]
    row = Due(run_id="r" * 20, assessment="often", due_at=hour, start_at=hour, claimed_at=hour)
    claim = Claim(
        at=hour,
        cursors=(Cursor(assessment="often", spec="every 1h", at=hour),),
        rows=(Row(due=row, state="queued"),),
        skips=(Skip(assessment="often", first_at=at[1], last_at=at[2], why="missed"),),
    )
    run = make_assessment(assessment="often", due_at=at[0])
    (place / "state").mkdir()
    with Journal.open(place / "state" / "journal.db") as journal:
        journal.record(run, (), {})
        journal.schedules().claim(claim)
    said = document(place, "often")
    assert said["last_run"]["run_id"] == run.run_id
    assert [(each["why"], each["state"]) for each in said["due"]] == [("schedule", "queued")]
    assert [each["why"] for each in said["skipped"]] == ["missed"]
    assert datetime.fromisoformat(said["next"][0]["due_at"]) == hour + timedelta(hours=1)
    text = explain(place, "often").stdout
    assert "it was missed, and a later one is due, too" in text
    assert "begins at the next start of assess up" in text


def test_the_last_complete_run_is_a_whole_one(place: Path) -> None:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)

    def record(name: str, back: int, **more: Any) -> None:
        at = hour - timedelta(hours=back)
        run = make_assessment(assessment="often", run_id=name, due_at=at, started_at=at, ended_at=at, **more)
        with Journal.open(place / "state" / "journal.db") as journal:
            journal.record(run, [make_result(assessment="often", run_id=name)], {})

    (place / "state").mkdir()
    record("narrowed", 4, narrowed=Narrowed(checks=("c*",)))
    assert document(place, "often")["last_complete_at"] is None
    assert ", complete, narrowed, " in explain(place, "often").stdout
    assert "never, as a whole" in explain(place, "often").stdout
    record("whole", 3)
    assert "as a whole" not in explain(place, "often").stdout
    record("narrowed again", 2, narrowed=Narrowed(checks=("c*",)))
    said = document(place, "often")
    assert said["last_run"]["narrowed"] == {"checks": ["c*"], "subjects": []}
    assert datetime.fromisoformat(said["last_complete_at"]) == hour - timedelta(hours=3)
    assert "the last one that was whole" in explain(place, "often").stdout


def test_what_runs_only_when_somebody_asks_has_no_next(place: Path) -> None:
    assert (document(place, "asked")["next"], document(place, "asked")["schedule"]) == ([], None)
    assert "when somebody asks for it" in explain(place, "asked").stdout
    assert "not enabled" in explain(place, "off").stdout


def test_a_name_that_is_neither_is_refused_with_the_nearest(place: Path) -> None:
    done = explain(place, "hots")
    assert "unknown check or assessment 'hots'; did you mean 'host'?" in str(done.exception)
