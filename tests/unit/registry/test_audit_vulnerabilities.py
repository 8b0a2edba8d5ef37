"""The check of known vulnerabilities: what is looked up, and when nobody can say that there are none."""

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from assess_registry.audit.advisories import MIN_ADVISORIES, AdvisoryDatabase, import_advisories
from assess_registry.audit.checks import vulnerabilities
from assess_registry.audit.context import Context
from assess_registry.audit.values import Subject
from assess_registry.wheel import InspectedWheel, inspect, unpacked_files
from tests.support.osv import about_others
from tests.support.wheels import WheelBuilder, demo_plugin_wheel

CHECKED_IN = Path(__file__).parents[2] / "support" / "advisories"
DAY = date(2026, 11, 21)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> AdvisoryDatabase:
    place = tmp_path_factory.mktemp("advisories")
    documents = [json.loads(path.read_text()) for path in sorted(CHECKED_IN.glob("*.json"))]
    (place / "export.json").write_text(json.dumps([*documents, *about_others()]))
    return import_advisories(place / "export.json", place / "advisories.jsonl", imported_on=date(2026, 11, 20))


def subject(
    version: str = "1.0.1",
    *,
    closure: tuple[InspectedWheel, ...] = (),
    requires: tuple[str, ...] = (),
    as_of: date = DAY,
) -> Subject:
    filename, data = demo_plugin_wheel(version, requires=("assess-plugin>=1.0,<2", *requires))
    wheel = inspect(data, filename, kind="plugin")
    files = tuple(unpacked_files(data, wheel))
    return Subject(wheel=wheel, data=data, files=files, unpacked=Path("/nonexistent"), closure=closure, as_of=as_of)


def somelib(version: str) -> InspectedWheel:
    builder = WheelBuilder.dependency("somelib", version)
    return inspect(builder.build(), builder.filename, kind="dependency")


def test_exactly_the_affected_version_is_found(database: AdvisoryDatabase) -> None:
    context = Context(advisories=database)
    found = vulnerabilities.examine(subject("1.0.0"), context)
    (finding,) = found.findings
    assert (finding.id, finding.severity, finding.entry) == ("known-vulnerability", "critical", "")
    assert "demo-plugin 1.0.0 has TEST-2026-0001 (TEST-ALIAS-2026-1)" in finding.message
    assert finding.advice == "fixed in 1.0.1"
    assert found.incomplete == ()
    repaired = vulnerabilities.examine(subject("1.0.1"), context)
    assert (repaired.findings, repaired.incomplete) == ((), ())
    assert repaired.facts["examined"] == ["demo-plugin==1.0.1"]


def test_without_advisories_nobody_says_that_there_are_none(database: AdvisoryDatabase) -> None:
    found = vulnerabilities.examine(subject(), Context())
    assert found.findings == ()
    assert "advisories import" in found.incomplete[0]
    given = vulnerabilities.examine(subject(), Context(advisories_problem="the file is damaged"))
    assert given.incomplete == ("the file is damaged",)
    assert vulnerabilities.examine(subject(), Context(advisories=database)).incomplete == ()


def test_a_day_before_the_advisories_says_nothing_of_their_age(database: AdvisoryDatabase) -> None:
    early = vulnerabilities.examine(subject(as_of=date(2000, 1, 1)), Context(advisories=database))
    assert "cannot be told" in early.incomplete[0]
    assert vulnerabilities.examine(subject(as_of=database.newest.date()), Context(advisories=database)).incomplete == ()


@pytest.mark.parametrize(("days", "complete"), [(30, True), (31, False)])
def test_advisories_older_than_the_policy_allows_are_not_enough(
    database: AdvisoryDatabase, days: int, complete: bool
) -> None:
    as_of = database.newest.date() + timedelta(days=days)
    found = vulnerabilities.examine(subject("1.0.0", as_of=as_of), Context(advisories=database))
    assert (found.incomplete == ()) is complete
    if not complete:
        assert "31 days old (imported 31 days ago), the policy allows 30" in found.incomplete[0]
    assert len(found.findings) == 1, "what is known counts, however old"


@pytest.mark.parametrize(("others", "complete"), [(0, False), (MIN_ADVISORIES - 2, False), (MIN_ADVISORIES - 1, True)])
def test_a_few_advisories_are_no_export_and_what_they_know_counts_all_the_same(
    tmp_path: Path, others: int, *, complete: bool
) -> None:
    known = json.loads((CHECKED_IN / "TEST-2026-0001.json").read_text())
    (tmp_path / "export").write_text(json.dumps([known, *about_others(others)]))
    few = import_advisories(tmp_path / "export", tmp_path / "database", imported_on=DAY)
    found = vulnerabilities.examine(subject("1.0.0"), Context(advisories=few))
    assert [finding.id for finding in found.findings] == ["known-vulnerability"]
    repaired = vulnerabilities.examine(subject("1.0.1"), Context(advisories=few))
    assert (repaired.findings, repaired.incomplete == ()) == ((), complete)
    if not others:
        said = "too few advisories: 1 advisory about 1 project of PyPI, and an export of all of PyPI has at least 1,000"
        assert repaired.incomplete[0].startswith(said)


@pytest.mark.parametrize(("version", "count"), [("1.4.2", 1), ("1.4.3", 0)])
def test_every_wheel_of_the_closure_is_looked_up(database: AdvisoryDatabase, version: str, count: int) -> None:
    dependency = somelib(version)
    found = vulnerabilities.examine(subject(closure=(dependency,)), Context(advisories=database))
    assert [finding.entry for finding in found.findings] == [dependency.filename] * count
    assert f"somelib=={version}" in found.facts["examined"]


@pytest.mark.parametrize(
    ("requirement", "count"),
    [
        ("somelib==1.4.2", 1),
        ("Some_Lib===1.4.2", 0),
        ("SomeLib==1.4.2", 1),
        ("somelib==1.4.3", 0),
        ("somelib==1.4.*", 0),
    ],
)
def test_what_is_pinned_is_looked_up_without_its_wheel(
    database: AdvisoryDatabase, requirement: str, count: int
) -> None:
    found = vulnerabilities.examine(subject(requires=(requirement,)), Context(advisories=database))
    assert [finding.entry for finding in found.findings] == ["demo_plugin-1.0.1.dist-info/METADATA"] * count


def test_a_pin_that_the_closure_keeps_is_reported_once(database: AdvisoryDatabase) -> None:
    dependency = somelib("1.4.2")
    found = vulnerabilities.examine(
        subject(closure=(dependency,), requires=("somelib==1.4.2",)), Context(advisories=database)
    )
    assert [finding.entry for finding in found.findings] == [dependency.filename]


def test_what_cannot_be_compared_leaves_it_incomplete(tmp_path: Path) -> None:
    unclear = {
        "id": "TEST-2026-2000",
        "modified": "2026-11-20T00:00:00Z",
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": "demo-plugin"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "the second"}]}],
            }
        ],
    }
    (tmp_path / "export").write_text(json.dumps([unclear, *about_others()]))
    database = import_advisories(tmp_path / "export", tmp_path / "database", imported_on=DAY)
    found = vulnerabilities.examine(subject(), Context(advisories=database))
    assert found.findings == ()
    assert "demo-plugin 1.0.1: cannot be compared with TEST-2026-2000" in found.incomplete[0]


def test_a_database_that_is_gone_leaves_it_incomplete_and_names_no_path(
    database: AdvisoryDatabase, tmp_path: Path
) -> None:
    gone = replace(database, path=tmp_path / "gone")
    found = vulnerabilities.examine(subject("1.0.0"), Context(advisories=gone))
    assert "could not be read" in found.incomplete[0]
    assert str(tmp_path) not in found.incomplete[0]
