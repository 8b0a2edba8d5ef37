"""`assess results`, as it is typed, on a journal that a runtime wrote."""

import json
import shutil
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from assess_core.cli.app import main
from assess_core.errors import EXIT_DAMAGED
from assess_core.results import Narrowed, ResultOutcome, run_id
from assess_core.up.lock import only_one
from assess_plugin.models import Subject
from tests.support.chains import Site
from tests.support.results import HOSTILE, make_assessment, make_result

CONFIG = """
[runtime]
id = "web-01"
[registry]
url = "file:index"
root = "1.root.json"
[results]
keep_days = 30
[[assessments]]
id = "host"
plugin = "host-baseline"
provider = "local-host"
"""


class Typed:
    """Commands typed on one state directory."""

    def __init__(self, site: Site, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.site, self.config, self._capsys = site, config, capsys

    def __call__(self, *args: str) -> tuple[int, str, str]:
        place = ("--config", str(self.config), "--state-dir", str(self.site.directory))
        code = main(["results", *args, *place])
        said = self._capsys.readouterr()
        return code, said.out, said.err

    def json(self, *args: str) -> tuple[int, Any]:
        code, out, _ = self(*args, "--output", "json")
        return code, json.loads(out)


@pytest.fixture
def typed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Typed:
    config = tmp_path / "assess.toml"
    config.write_text(CONFIG)
    return Typed(Site(tmp_path / "state"), config, capsys)


def record(site: Site, outcomes: Sequence[tuple[str, str, ResultOutcome]], **run: Any) -> str:
    """A run of the assessment `host` with these (subject, check, outcome), a day after the one before."""
    site.now += timedelta(days=1)
    name = run_id(site.runtime, "host", site.now)
    times: dict[str, Any] = {"due_at": site.now, "started_at": site.now, "ended_at": site.now}
    with site.open() as journal:
        journal.record(
            make_assessment(run_id=name, **times, **run),
            [
                make_result(
                    run_id=name,
                    assessment=run.get("assessment", "host"),
                    check=check,
                    subject=Subject(id=subject, type="inventory-item", title=subject),
                    outcome=outcome,
                    reason=HOSTILE,
                    started_at=site.now,
                )
                for subject, check, outcome in outcomes
            ],
            {},
        )
    return name


PASS, FAIL, ERROR = ResultOutcome.PASS, ResultOutcome.FAIL, ResultOutcome.ERROR
SKIPPED, ABSENT = ResultOutcome.SKIPPED, ResultOutcome.NOT_APPLICABLE


# -- list and show


def test_list_says_what_was_found_without_reading_results(typed: Typed) -> None:
    first = record(typed.site, [("a", "c", PASS), ("a", "d", FAIL)])
    second = record(typed.site, [("a", "c", ERROR)])
    with typed.site.hands() as connection:
        connection.execute("UPDATE results SET document = CAST('junk' AS BLOB)")
    code, found = typed.json("list")
    assert code == 0
    assert [(run["run_id"], run["complete"]) for run in found["runs"]] == [(second, False), (first, True)]
    counts = {"pass": 1, "fail": 1, "not-applicable": 0, "skipped": 0, "error": 0, "timeout": 0}
    assert found["runs"][1]["counts"] == counts
    assert "1 pass, 1 fail" in typed("list")[1]


def test_list_takes_conditions(typed: Typed) -> None:
    first = record(typed.site, [("a", "c", PASS)])
    second = record(typed.site, [("a", "c", ERROR)])

    def ids(*args: str) -> list[str]:
        return [run["run_id"] for run in typed.json("list", *args)[1]["runs"]]

    assert ids() == [second, first]
    assert ids("--limit", "1") == [second]
    assert ids("--incomplete") == [second]
    assert ids("--assessment", "host") == [second, first]
    assert typed("list", "--assessment", "other")[0] == 2
    assert ids("--since", typed.site.now.isoformat()) == [second]
    assert ids("--since", (typed.site.now + timedelta(seconds=1)).isoformat()) == []
    assert ids("--since", "2026-01-01") == [second, first]
    assert typed("list", "--since", "yesterday")[0] == 2


def test_show_says_since_when_it_fails(typed: Typed) -> None:
    record(typed.site, [("a", "c", FAIL)])
    began = typed.site.now
    name = record(typed.site, [("a", "c", FAIL), ("a", "d", PASS)])
    _, found = typed.json("show", name[:13])
    failing, passing = found["results"]
    assert failing["first_seen_at"] == failing["failing_since"] == began.isoformat(timespec="milliseconds")[:-6] + "Z"
    assert failing["last_seen_at"] > failing["first_seen_at"]
    assert passing["first_seen_at"] is passing["failing_since"] is None
    assert typed("show", "x")[0] == 2


# -- diff


def changes(found: Any) -> dict[str, list[tuple[str, str]]]:
    (one,) = found["assessments"]
    words = ("new", "resolved", "unchanged", "unknown", "gone")
    return {word: [(each["subject"], each["check"]) for each in one[word]] for word in words if one[word]}


def test_diff_tells_every_change_by_its_name(typed: Typed) -> None:
    record(
        typed.site,
        [
            ("a", "stays", FAIL), ("a", "passes", FAIL), ("a", "goes", FAIL), ("a", "skipped", FAIL),
            ("a", "unasked", FAIL), ("b", "lost", FAIL), ("a", "was-error", ERROR), ("a", "fine", PASS),
        ],
    )  # fmt: skip
    # that one was incomplete, so it is not what is compared with
    older = record(
        typed.site,
        [
            ("a", "stays", FAIL), ("a", "passes", FAIL), ("a", "goes", FAIL), ("a", "skipped", FAIL),
            ("a", "unasked", FAIL), ("b", "lost", FAIL), ("a", "fine", PASS),
        ],
    )  # fmt: skip
    newer = record(
        typed.site,
        [
            ("a", "stays", FAIL), ("a", "passes", PASS), ("a", "goes", ABSENT), ("a", "skipped", SKIPPED),
            ("a", "fine", FAIL), ("a", "more", FAIL), ("a", "good", PASS),
        ],
    )  # fmt: skip
    code, found = typed.json("diff")
    assert code == 3
    assert changes(found) == {
        "new": [("a", "fine"), ("a", "more")],
        "resolved": [("a", "passes"), ("a", "goes")],
        "unchanged": [("a", "stays")],
        "unknown": [("a", "skipped"), ("a", "unasked")],
        "gone": [("b", "lost")],
    }
    assert (found["assessments"][0]["older"]["run_id"], found["assessments"][0]["newer"]["run_id"]) == (older, newer)
    assert typed.json("diff", newer)[1] == found
    assert typed.json("diff", older, newer)[1] == found
    assert typed("diff", "--fail-on", "critical")[0] == 0


def test_diff_exits_0_when_nothing_new_fails_and_4_when_nobody_knows(typed: Typed) -> None:
    record(typed.site, [("a", "c", FAIL), ("a", "d", PASS)])
    record(typed.site, [("a", "c", FAIL), ("a", "d", PASS)])
    assert typed("diff")[0] == 0
    record(typed.site, [("a", "c", FAIL), ("a", "d", ERROR)])
    assert typed("diff")[0] == 4
    assert typed("diff", "--fail-on", "none")[0] == 4
    record(typed.site, [("a", "c", FAIL), ("a", "d", FAIL)])  # compared with the one before the incomplete one
    assert changes(typed.json("diff")[1])["new"] == [("a", "d")]


def test_a_subject_that_a_provider_with_a_problem_did_not_find_is_unknown(typed: Typed) -> None:
    record(typed.site, [("a", "c", PASS), ("b", "c", FAIL)])
    record(typed.site, [("a", "c", PASS)])
    assert changes(typed.json("diff")[1]) == {"gone": [("b", "c")]}
    record(typed.site, [("a", "c", PASS), ("b", "c", FAIL)])
    record(typed.site, [("a", "c", PASS)], problem="row 7 cannot be read")
    code, found = typed.json("diff")
    assert (code, changes(found)) == (4, {"unknown": [("b", "c")]})


def test_without_a_run_before_all_that_fails_is_new(typed: Typed) -> None:
    assert typed("diff")[0] == 2
    record(typed.site, [("a", "c", FAIL), ("a", "d", PASS)])
    code, found = typed.json("diff")
    assert (code, changes(found), found["assessments"][0]["older"]) == (3, {"new": [("a", "c")]}, None)
    assert "no complete run before it" in typed("diff")[1]


def test_diff_goes_by_what_is_configured_and_enabled_unless_an_assessment_is_named(typed: Typed) -> None:
    record(typed.site, [("a", "c", PASS)])
    record(typed.site, [("a", "c", ERROR)], assessment="removed")
    code, found = typed.json("diff")
    assert (code, [each["assessment"] for each in found["assessments"]]) == (0, ["host"])
    code, found = typed.json("diff", "--assessment", "removed")
    assert (code, [each["assessment"] for each in found["assessments"]]) == (4, ["removed"])
    code, _, said = typed("diff", "--assessment", "hots")
    assert code == 2
    assert "did you mean 'host'?" in said
    assert typed("diff", typed.json("list")[1]["runs"][0]["run_id"], "--assessment", "host")[0] == 2
    more = CONFIG.partition("[[")[2]
    typed.config.write_text(f"{CONFIG}[[{more.replace('host', 'later', 1)}")
    code, _, said = typed("diff")
    assert (code, "later: no run of it was recorded yet" in said) == (0, True)
    assert typed.json("diff")[1]["unrecorded"] == ["later"], "who reads the document reads no stderr"
    assert typed.json("diff", "--assessment", "host")[1]["unrecorded"] == []
    typed.config.write_text(f"{CONFIG}enabled = false\n")
    assert typed("diff")[0] == 2


def test_diff_refuses_two_runs_in_the_wrong_order(typed: Typed) -> None:
    older = record(typed.site, [("a", "c", FAIL)])
    typed.site.now -= timedelta(days=40)  # whatever the clock said
    newer = record(typed.site, [("a", "c", PASS)])
    code, _, said = typed("diff", newer, older)
    assert code == 2
    assert f"{older} is the older one of the two" in " ".join(said.split())
    assert "same run" in typed("diff", newer, newer)[2]
    assert changes(typed.json("diff", older, newer)[1]) == {"resolved": [("a", "c")]}


def test_a_narrowed_run_hides_nothing_and_nothing_is_held_to_it(typed: Typed) -> None:
    everything = [("a", "c", PASS), ("a", "d", PASS), ("b", "d", FAIL)]
    whole = record(typed.site, everything)
    narrowed = record(typed.site, [("a", "c", PASS), ("a", "d", PASS)], narrowed=Narrowed(subjects=("a",)))
    code, found = typed.json("diff", narrowed)
    assert (code, changes(found)) == (0, {"unknown": [("b", "d")]})
    assert found["assessments"][0]["newer"]["narrowed"] == {"checks": [], "subjects": ["a"]}
    assert "host was narrowed to subjects a; the rest was not asked" in typed("diff", narrowed)[1]
    assert "narrowed to subjects a" in typed("list")[1]
    assert "host was narrowed to subjects a" in " ".join(typed("show", narrowed)[1].split())
    record(typed.site, everything)
    code, found = typed.json("diff")
    assert (code, changes(found)) == (0, {"unchanged": [("b", "d")]})
    assert found["assessments"][0]["older"]["run_id"] == whole
    assert [run["narrowed"] is None for run in typed.json("list")[1]["runs"]] == [True, False, True]


def test_what_is_new_stays_new_whatever_was_narrowed_since(typed: Typed) -> None:
    record(typed.site, [("a", "c", PASS), ("b", "d", PASS)])
    record(typed.site, [("a", "c", PASS), ("b", "d", FAIL)])
    narrowed = record(typed.site, [("a", "c", PASS)], narrowed=Narrowed(subjects=("a",)))
    for argv in ((), ("--assessment", "host")):
        code, found = typed.json("diff", *argv)
        assert (code, changes(found)) == (3, {"new": [("b", "d")]})
    assert f"`assess results diff {narrowed}` compares it" in " ".join(typed("diff")[2].split())
    record(typed.site, [("a", "c", PASS), ("b", "d", PASS)])
    assert (typed("diff")[0], typed("diff")[2]) == (0, "")


def test_where_no_run_was_whole_a_narrowed_one_is_compared(typed: Typed) -> None:
    record(typed.site, [("a", "c", FAIL)], narrowed=Narrowed(subjects=("a",)))
    code, found = typed.json("diff")
    assert (code, changes(found)) == (3, {"new": [("a", "c")]})


# -- verify


def test_verify_exits_0_5_and_6(typed: Typed) -> None:
    record(typed.site, [("a", "c", PASS)])
    code, out, _ = typed("verify")
    assert code == 0
    assert "1 run, 1 result, 0 pieces of evidence: all as it was signed" in out
    with typed.site.hands() as connection:
        connection.execute("UPDATE runs SET counts = '{}'")
    code, out, _ = typed("verify")
    assert code == 5
    assert "CHANGED" in out
    assert "1 not as it was signed" in out
    code, found = typed.json("verify")
    assert (code, found["sound"], [trouble["word"] for trouble in found["troubles"]]) == (5, False, ["changed"])
    typed.site.path.write_bytes(b"no database " * 1000)
    assert typed("verify")[0] == EXIT_DAMAGED


def test_the_head_that_verify_prints_is_the_one_that_it_asks_for(typed: Typed) -> None:
    record(typed.site, [("a", "c", PASS)])
    head = typed.json("verify")[1]["chains"][0]["head"]
    assert f"head {head}" in typed("verify")[1]
    assert typed("verify", "--head", head)[0] == 0
    assert typed("verify", "--head", head[:-1] + ("0" if head[-1] != "0" else "1"))[0] == 5
    assert typed("verify", "--head", "2")[0] == 2


def test_a_backup_is_verified_put_back_and_accepted(typed: Typed, tmp_path: Path) -> None:
    record(typed.site, [("a", "c", PASS)])
    backup = tmp_path / "backup.db"
    assert typed("backup", str(backup))[0] == 0
    assert backup.stat().st_mode & 0o777 == 0o600
    record(typed.site, [("a", "c", PASS)])
    assert typed("verify", str(backup))[0] == 0
    assert typed.json("verify", str(backup))[1]["runs"] == 1
    for path in typed.site.directory.glob("journal.db*"):
        path.unlink()
    shutil.copy(backup, typed.site.path)
    code, out, _ = typed("verify")
    assert code == 5
    assert "CUT" in out
    code, out, _ = typed("verify", "--accept", "the disk was replaced")
    assert code == 0
    assert "the disk was replaced" in out
    assert typed("verify")[0] == 0
    assert typed("verify", str(backup), "--accept", "no")[0] == 2
    assert typed("verify", "--accept", " ")[0] == 2


def test_keys_can_be_named(typed: Typed, tmp_path: Path) -> None:
    record(typed.site, [("a", "c", PASS)])
    (own,) = (typed.site.directory / "identity").glob("*.pub")
    other = Site(tmp_path / "other").identity
    other.any_key()
    (foreign,) = other.directory.glob("*.pub")
    assert typed("verify", "--key", str(own))[0] == 0
    code, out, _ = typed("verify", "--key", str(foreign))
    assert code == 5
    assert "UNKNOWN KEY" in out


def test_what_a_plugin_or_an_intruder_wrote_moves_no_cursor(typed: Typed) -> None:
    record(typed.site, [("a", "c", FAIL)])
    with typed.site.hands() as connection:
        document = connection.execute("SELECT document FROM chain WHERE seq = 2").fetchone()[0]
        connection.execute("INSERT INTO chain VALUES (?, 1, ?, x'00', x'00')", ("\x1b[2Jweb", document))
        connection.execute("UPDATE runs SET run_id = ?", ("\x1b[2J\u202e",))
    code, out, _ = typed("verify")
    assert code == 5
    assert "\x1b" not in out
    assert "\u202e" not in out
    code, out, _ = typed("diff")
    assert "\x1b" not in out


# -- prune


def test_prune_gives_room_back_unless_somebody_is_up(typed: Typed) -> None:
    typed.site.now -= timedelta(days=400)
    for _ in range(40):
        record(typed.site, [("a", f"c{number}", PASS) for number in range(40)])
    size = typed.site.path.stat().st_size
    with only_one(typed.site.directory):
        code, _, problem = typed("prune", "--trust-clock", "--compact")
        assert (code, "runs already on" in problem) == (1, True)
        assert len(typed.json("list", "--limit", "100")[1]["runs"]) == 40
    assert typed("prune", "--compact", "--dry-run")[0] == 2
    assert typed.json("prune", "--trust-clock")[1]["given_back_bytes"] is None
    code, found = typed.json("prune", "--compact")
    assert (code, found["runs"]) == (0, 0)
    assert found["journal_bytes"] == typed.site.path.stat().st_size < size
    assert found["given_back_bytes"] > 0
    assert "the journal had" in typed("prune", "--compact")[1]
    assert typed("verify")[0] == 0


def test_prune_removes_what_is_old_and_verify_agrees(typed: Typed) -> None:
    typed.site.now -= timedelta(days=400)  # before the clock that commands go by, whenever this is run
    old = [record(typed.site, [("a", "c", PASS)]) for _ in range(3)]
    code, dry = typed.json("prune", "--dry-run")
    assert (code, dry["runs"], dry["results"], dry["keep_days"]) == (0, 2, 2, 30)
    assert len(typed.json("list")[1]["runs"]) == 3
    code, _, problem = typed("prune")  # nothing was done here for more than a year, or the clock is wrong
    assert (code, len(typed.json("list")[1]["runs"])) == (2, 3)
    assert "--trust-clock" in problem
    assert "removed 2 runs with 2 results" in typed("prune", "--trust-clock")[1]
    assert [run["run_id"] for run in typed.json("list")[1]["runs"]] == old[-1:]
    code, found = typed.json("verify")
    assert (code, found["chains"][0]["removed_runs"]) == (0, 2)
    assert "removed 0 runs" in typed("prune")[1]


def test_an_empty_list_is_an_answer_only_of_what_there_is(typed: Typed) -> None:
    record(typed.site, [("host:a", "c-one", ResultOutcome.PASS)])
    code, _, said = typed("list", "--assessment", "hots")
    assert (code, "did you mean 'host'?" in said) == (2, True), said
    assert typed("list", "--assessment", "host", "--since", "2999-01-01")[0] == 0, (
        "the control: it has a run, not since"
    )
    entry = '[[assessments]]\nid = "new"\nplugin = "demo"\nprovider = "demo-subjects"\n'
    typed.config.write_text(CONFIG + '[[plugins]]\nname = "demo"\n' + entry)
    assert typed("list", "--assessment", "new")[0] == 0, "the control: it is configured, and had no run yet"
