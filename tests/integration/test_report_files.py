"""`assess run --report FORMAT=FILE`: a report takes the place of an older one, and of nothing else."""

import json
import os
import stat
from pathlib import Path

from tests.support.live_place import Place, made, place
from tests.support.up import assess

__all__ = ["made", "place"]


def run(place: Place, *reports: str) -> tuple[int, str]:
    argv = [word for report in reports for word in ("--report", report)]
    done = assess("run", "--assessment", "short", *argv, config=place.path, state=place.state)
    return done.returncode, done.stderr


def test_what_is_no_report_stays_what_it_is(place: Place, tmp_path: Path) -> None:
    report, pipe, link = tmp_path / "report.json", tmp_path / "pipe", tmp_path / "link.toml"
    os.mkfifo(pipe)
    link.symlink_to(place.path)
    assert run(place, f"json={report}")[0] == 0
    configured, journal = place.path.read_bytes(), place.state / "journal.db"
    first, before = report.read_bytes(), journal.stat().st_ino
    for taken, why in (
        (pipe, "no ordinary file"),
        (place.path, "the configuration"),
        (link, "the configuration"),
        (journal, "the state directory"),
        (place.state / "new.json", "the state directory"),
    ):
        code, said = run(place, f"json={taken}")
        assert (code, why in said) == (2, True), said
    code, said = run(place, f"json={report}", f"csv={tmp_path / 'x' / '..' / report.name}")
    assert (code, "this one file" in said) == (2, True), said
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert link.is_symlink()
    assert place.path.read_bytes() == configured
    assert journal.stat().st_ino == before
    assert not (place.state / "new.json").exists()
    assert report.read_bytes() == first
    assert run(place, f"json={report}", f"csv={tmp_path / 'other.csv'}")[0] == 0, "the control"
    assert report.read_bytes() != first
    assert json.loads(report.read_bytes())["results"]
