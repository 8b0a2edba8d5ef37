"""Advisories: what an export may be, which versions it is about, how old it is."""

import io
import json
import zipfile
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from assess_registry.audit.advisories import Advisory, AdvisoryDatabase, import_advisories
from assess_registry.audit.advisories import export as export_module
from assess_registry.audit.advisories.ranges import decide
from assess_registry.audit.advisories.severity import base_score, severity_of
from assess_registry.audit.advisories.values import Affected, Range
from assess_registry.errors import ConfigError
from assess_registry.names import ProjectName

CHECKED_IN = Path(__file__).parents[2] / "support" / "advisories"
DAY = date(2026, 11, 21)
DEMO = ProjectName("demo-plugin")
Json = Mapping[str, Any]


def document(advisory_id: str = "TEST-2026-1000", **changes: Any) -> dict[str, Any]:
    """A well-formed document about every version of demo-plugin below 2.0."""
    affected = {
        "package": {"ecosystem": "PyPI", "name": "demo-plugin"},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.0"}]}],
    }
    return {"id": advisory_id, "modified": "2026-11-20T10:00:00Z", "affected": [affected]} | changes


def affected(**changes: Any) -> list[dict[str, Any]]:
    return [{"package": {"ecosystem": "PyPI", "name": "demo-plugin"}} | changes]


def zipped(*members: tuple[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=method)
    return data.getvalue()


def imported(tmp_path: Path, *documents: Any, on: date = DAY) -> AdvisoryDatabase:
    source = tmp_path / "export.json"
    source.write_text(json.dumps(list(documents)))
    return import_advisories(source, tmp_path / "advisories.jsonl", imported_on=on)


def refusal(tmp_path: Path, data: bytes) -> str:
    """Why this export is refused; nothing is written."""
    source, destination = tmp_path / "export", tmp_path / "refused.jsonl"
    source.write_bytes(data)
    with pytest.raises(ConfigError) as refused:
        import_advisories(source, destination, imported_on=DAY)
    assert not destination.exists()
    return str(refused.value)


def ids(found: tuple[Advisory, ...]) -> list[str]:
    return [advisory.id for advisory in found]


# --- exports ---------------------------------------------------------------------------------------------------------


def test_a_zip_an_array_and_one_document_say_the_same(tmp_path: Path) -> None:
    texts = {path.name: path.read_text() for path in sorted(CHECKED_IN.glob("*.json"))}
    assert len(texts) == 3
    sources = {
        "zip": zipped(*texts.items()),
        "array": json.dumps([json.loads(text) for text in texts.values()]).encode(),
        "one": texts["TEST-2026-0001.json"].encode(),
    }
    answers = {}
    for kind, data in sources.items():
        (tmp_path / kind).write_bytes(data)
        database = import_advisories(tmp_path / kind, tmp_path / f"{kind}.jsonl", imported_on=DAY)
        answers[kind] = database.match(DEMO, "1.0.0")
    assert answers["zip"] == answers["array"] == answers["one"]
    assert ids(answers["zip"]) == ["TEST-2026-0001"]


def test_the_same_export_gives_the_same_bytes_and_another_order_differs_in_the_source_alone(tmp_path: Path) -> None:
    one, two = document("TEST-1"), document("TEST-2", modified="2026-11-19T00:00:00Z")
    written = []
    for documents in ([one, two], [one, two], [two, one]):
        database = imported(tmp_path, *documents)
        written.append(database.path.read_bytes())
    assert written[0] == written[1] != written[2]
    assert written[0].split(b"\n", 1)[1] == written[2].split(b"\n", 1)[1]


def test_a_refused_export_leaves_what_was_imported_before(tmp_path: Path) -> None:
    database = imported(tmp_path, document())
    before = database.path.read_bytes()
    with pytest.raises(ConfigError):
        imported(tmp_path, document(), document())
    assert database.path.read_bytes() == before
    assert ids(database.match(DEMO, "1.0")) == ["TEST-2026-1000"]


WELL_FORMED = json.dumps(document()).encode()

BAD_EXPORTS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "not the JSON"),
    "empty array": (b"[]", "holds no advisories"),
    "another ecosystem": (
        json.dumps(document(affected=affected(package={"ecosystem": "npm", "name": "demo-plugin"}))).encode(),
        "holds no advisories about PyPI",
    ),
    "text": (b"<html>404</html>", "not the JSON"),
    "key twice": (b'{"id": "TEST-1", ' + WELL_FORMED[1:], "key 'id' occurs twice"),
    "NaN": (WELL_FORMED[:-1] + b', "x": NaN}', "NaN is not JSON"),
    "nested": (WELL_FORMED[:-1] + b', "x": ' + b"[" * 40 + b"]" * 40 + b"}", "nested deeper than 32"),
    "nested very deeply": (b"[" * 200_000, "nested deeper than 32"),
    "UTF-16": (WELL_FORMED.decode().encode("utf-16"), "not the JSON"),
    "a number": (b"7", "expected an object, got 7"),
    "id missing": (json.dumps(document() | {"id": None}).encode(), "id: expected a text of 1 to 128"),
    "id twice": (json.dumps([document(), document()]).encode(), "'TEST-2026-1000' is the id of another document"),
    "naive time": (json.dumps(document(modified="2026-11-20T10:00:00")).encode(), "offset from UTC"),
    "no time": (json.dumps(document(modified="yesterday")).encode(), "modified: expected a time"),
    "from the future": (json.dumps(document(modified="2027-01-01T00:00:00Z")).encode(), "one of the two clocks"),
    "affected is no list": (json.dumps(document(affected={})).encode(), "affected: expected a list"),
    "version is a number": (json.dumps(document(affected=affected(versions=[1]))).encode(), "affected[0]: versions[0]"),
    "event is a number": (
        json.dumps(document(affected=affected(ranges=[{"type": "ECOSYSTEM", "events": [{"fixed": 2}]}]))).encode(),
        "affected[0]: ranges[0]: events[0]: fixed",
    ),
    "zip cut short": (zipped(("a.json", WELL_FORMED))[:-30], "cut short"),
    "zip with another file": (zipped(("a.json", WELL_FORMED), ("run.sh", b"#!/bin/sh")), "'run.sh' is not a .json"),
    "zip bomb": (zipped(("a.json", b" " * (4 << 20) + WELL_FORMED)), "unpacks to"),
    "zip with LZMA": (zipped(("a.json", WELL_FORMED), method=zipfile.ZIP_LZMA), "expected stored or deflated"),
    "zip with a bad member": (zipped(("a.json", WELL_FORMED), ("b.json", b"{}")), "'b.json': id: expected"),
    "zip damaged": (zipped(("a.json", WELL_FORMED), method=0).replace(b"2026-11-20", b"2026-11-21", 1), "CRC"),
}


@pytest.mark.parametrize("kind", BAD_EXPORTS)
def test_an_export_that_is_none_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    data, expected = BAD_EXPORTS[kind]
    assert expected in refusal(tmp_path, data)


def test_the_control_of_those_exports_is_accepted(tmp_path: Path) -> None:
    for name, data in {"plain": WELL_FORMED, "zip": zipped(("a.json", WELL_FORMED))}.items():
        (tmp_path / name).write_bytes(data)
        assert import_advisories(tmp_path / name, tmp_path / "database", imported_on=DAY).count == 1


def test_names_twice_in_a_zip_are_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = zipped(("a.json", json.dumps(document("TEST-1"))), ("a.json", json.dumps(document("TEST-2"))))
    assert "'a.json' is in it twice" in refusal(tmp_path, data)


def test_too_many_and_too_large_documents_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = zipped(("a.json", json.dumps(document("TEST-1"))), ("b.json", json.dumps(document("TEST-2"))))
    for name, bound in (("MAX_ENTRIES", 1), ("MAX_TOTAL_BYTES", 300), ("MAX_DOCUMENT_BYTES", 100)):
        with monkeypatch.context() as patch:
            patch.setattr(export_module, name, bound)
            assert f"at most {bound}" in refusal(tmp_path, data)
    (tmp_path / "export").write_bytes(data)
    assert import_advisories(tmp_path / "export", tmp_path / "database", imported_on=DAY).count == 2


# --- which versions --------------------------------------------------------------------------------------------------


def span(*events: tuple[str, str], type: str = "ECOSYSTEM") -> Affected:
    return Affected(versions=(), ranges=(Range(type=type, events=events),))


@pytest.mark.parametrize(
    ("version", "inside"),
    [
        ("0.9", False),
        ("1.0.dev1", False),
        ("1.0a1", False),
        ("1.0", True),
        ("1.0.0", True),
        ("1.9", True),
        ("1.10", True),
        ("2.0rc1", True),
        ("2.0", False),
        ("2.0.post1", False),
        ("1!1.5", False),
        ("1.5+acme.1", True),
    ],
)
def test_ranges_are_in_the_order_of_pep_440(version: str, inside: bool) -> None:
    decision = decide(version, [span(("introduced", "1.0"), ("fixed", "2.0"))])
    assert (decision.affected, decision.uncertain) == (inside, "")


@pytest.mark.parametrize(
    ("version", "inside"), [("0.0.dev0", True), ("1.4.2", True), ("1.4.2+x", True), ("1.4.3", False)]
)
def test_zero_is_the_beginning_and_the_last_affected_version_is_affected(version: str, inside: bool) -> None:
    assert decide(version, [span(("introduced", "0"), ("last_affected", "1.4.2"))]).affected is inside


def test_events_count_in_the_order_of_versions_not_of_the_document() -> None:
    several = span(("fixed", "4"), ("introduced", "3"), ("fixed", "2"), ("introduced", "1"))
    found = [str(version) for version in map(Version, "01234") if decide(str(version), [several]).affected]
    assert found == ["1", "3"]


def test_where_one_range_ends_and_the_next_begins_the_version_is_affected() -> None:
    touching = span(("introduced", "0"), ("fixed", "2"), ("introduced", "2"), ("fixed", "3"))
    assert decide("2", [touching]).affected
    assert not decide("3", [touching]).affected


def test_a_limit_ends_a_range() -> None:
    limited = span(("introduced", "0"), ("limit", "2"))
    assert decide("1", [limited]).affected
    assert not decide("2", [limited]).affected
    assert decide("2", [span(("introduced", "0"), ("limit", "*"))]).affected


@pytest.mark.parametrize(("version", "inside"), [("1.0", True), ("1.0.0", True), ("1.0+local", True), ("1.1", False)])
def test_listed_versions_are_equal_as_versions(version: str, inside: bool) -> None:
    listed = Affected(versions=("1.0", "2004d"), ranges=())
    assert decide(version, [listed]) == decide(version, [listed, listed])
    assert (decide(version, [listed]).affected, decide(version, [listed]).uncertain) == (inside, "")


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        (span(("introduced", "0"), ("fixed", "two")), "'two', which is no version"),
        (span(("introduced", "0"), ("repaired", "2")), "'repaired'"),
        (span(("introduced", "0"), type="SEMVER"), "type 'SEMVER'"),
        (span(("fixed", "2")), "without a beginning"),
        (span(("introduced", "0"), type="GIT"), "commits only"),
        (Affected(versions=(), ranges=()), "names no versions"),
    ],
)
def test_what_cannot_be_compared_is_uncertain_and_never_unaffected(statement: Affected, why: str) -> None:
    decision = decide("1.0", [statement])
    assert not decision.affected
    assert why in decision.uncertain
    certain = decide("1.0", [statement, span(("introduced", "0"))])
    assert (certain.affected, certain.uncertain) == (True, "")


def test_commits_beside_versions_leave_nothing_uncertain() -> None:
    both = Affected(versions=("1.0",), ranges=(Range(type="GIT", events=(("introduced", "0"),)),))
    assert decide("1.0", [both]).affected
    assert decide("1.1", [both]).uncertain == ""


def test_a_version_that_is_none_is_uncertain(tmp_path: Path) -> None:
    (found,) = imported(tmp_path, document()).match(DEMO, "not a version")
    assert "not a version that can be compared" in found.uncertain


# --- matching --------------------------------------------------------------------------------------------------------


def test_the_checked_in_advisory_is_about_exactly_one_version(tmp_path: Path) -> None:
    documents = [json.loads(path.read_text()) for path in sorted(CHECKED_IN.glob("*.json"))]
    database = imported(tmp_path, *documents)
    assert (database.count, database.withdrawn) == (2, 1)
    (found,) = database.match(DEMO, "1.0.0")
    assert found == Advisory(
        id="TEST-2026-0001",
        aliases=("TEST-ALIAS-2026-1",),
        project=DEMO,
        summary="Invented for tests: demo-plugin greets strangers with their own words",
        severity="critical",
        fixed_in=("1.0.1",),
    )
    assert database.match(DEMO, "1.0.1") == database.match(DEMO, "0.9") == ()
    assert [found.severity for found in database.match(ProjectName("somelib"), "1.0")] == ["medium"]
    assert database.match(ProjectName("someother"), "1.0") == ()


@pytest.mark.parametrize("name", ["demo-plugin", "Demo_Plugin", "DEMO.plugin", "demo--plugin"])
def test_names_are_compared_in_their_normal_form(tmp_path: Path, name: str) -> None:
    entry = affected(versions=["1.0"], package={"ecosystem": "PyPI", "name": name})
    assert ids(imported(tmp_path, document(affected=entry)).match(DEMO, "1.0")) == ["TEST-2026-1000"]


@pytest.mark.parametrize(
    "package", [{"ecosystem": "npm", "name": "demo-plugin"}, {"ecosystem": "PyPI", "name": "demo"}]
)
def test_other_ecosystems_and_projects_do_not_match(tmp_path: Path, package: Json) -> None:
    entry = affected(versions=["1.0"], package=package)
    other = document("TEST-2", affected=affected(versions=["7"]))
    assert imported(tmp_path, document(affected=entry), other).match(DEMO, "1.0") == ()


def test_a_withdrawn_advisory_does_not_match(tmp_path: Path) -> None:
    assert ids(imported(tmp_path, document()).match(DEMO, "1.0")) == ["TEST-2026-1000"]
    assert imported(tmp_path, document(withdrawn="2026-11-20T10:00:00Z")).match(DEMO, "1.0") == ()


@pytest.mark.parametrize(("withdrawn", "matches"), [("2026-11-21T23:59:00Z", False), ("2026-11-22T00:01:00Z", True)])
def test_what_is_to_be_withdrawn_later_still_matches(tmp_path: Path, withdrawn: str, *, matches: bool) -> None:
    database = imported(tmp_path, document(withdrawn=withdrawn), on=DAY)
    assert bool(database.match(DEMO, "1.0")) is matches
    assert (database.count, database.withdrawn) == ((1, 0) if matches else (0, 1))


def test_documents_that_share_a_name_are_one_vulnerability_with_the_worst_severity(tmp_path: Path) -> None:
    documents = [
        document("TEST-B", aliases=["CVE-X"], database_specific={"severity": "LOW"}),
        document("TEST-A", aliases=["CVE-X", "TEST-A"], database_specific={"severity": "CRITICAL"}),
        document("TEST-C", aliases=["CVE-Y"], database_specific={"severity": "LOW"}),
    ]
    first, second = imported(tmp_path, *documents).match(DEMO, "1.0")
    assert (first.id, first.aliases, first.severity) == ("TEST-A", ("CVE-X", "TEST-B"), "critical")
    assert (second.id, second.aliases, second.severity) == ("TEST-C", ("CVE-Y",), "low")


def test_names_are_joined_through_a_third_document(tmp_path: Path) -> None:
    documents = [
        document("TEST-A", aliases=["X"]),
        document("TEST-B", aliases=["Y"]),
        document("TEST-C", aliases=["X", "Y"]),
    ]
    (found,) = imported(tmp_path, *documents).match(DEMO, "1.0")
    assert found.aliases == ("TEST-B", "TEST-C", "X", "Y")


def test_certain_beats_uncertain_under_one_alias(tmp_path: Path) -> None:
    unclear = document("TEST-A", aliases=["X"], affected=affected())
    (alone,) = imported(tmp_path, unclear).match(DEMO, "1.0")
    assert alone.uncertain
    (both,) = imported(tmp_path, unclear, document("TEST-B", aliases=["X"])).match(DEMO, "1.0")
    assert (both.id, both.uncertain) == ("TEST-B", "")


def test_fixes_are_those_above_the_version_lowest_first(tmp_path: Path) -> None:
    events = [{"introduced": "0"}, {"fixed": "1.2"}, {"introduced": "1.3"}, {"fixed": "1.10"}, {"fixed": "1.9"}]
    entry = affected(ranges=[{"type": "ECOSYSTEM", "events": events}])
    (found,) = imported(tmp_path, document(affected=entry)).match(DEMO, "1.5")
    assert found.fixed_in == ("1.9", "1.10")


# --- severity --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vector", "score"),
    [
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
        ("CVSS:3.0/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", 7.8),
        ("CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:N/A:N/E:P/RL:O", 5.9),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H", None),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", None),
        ("medium", None),
    ],
)
def test_base_scores_are_those_of_the_specifications_calculator(vector: str, score: float | None) -> None:
    assert base_score(vector) == score


@pytest.mark.parametrize(
    ("advisory_id", "vectors", "words", "expected"),
    [
        ("TEST-1", [], [], "high"),
        ("TEST-1", [], ["curious"], "high"),
        ("TEST-1", ["CVSS:4.0/AV:N"], [], "high"),
        ("TEST-1", ["CVSS:4.0/AV:N"], ["LOW"], "high"),
        ("TEST-1", ["CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N"], ["LOW"], "medium"),
        ("TEST-1", ["CVSS:4.0/AV:N"], ["CRITICAL"], "critical"),
        ("TEST-1", ["CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", "CVSS:4.0/AV:N"], [], "high"),
        ("TEST-1", [], ["LOW", "severe"], "high"),
        ("TEST-1", [], ["LOW", "unknown", ""], "low"),
        ("TEST-1", [], ["MODERATE"], "medium"),
        ("TEST-1", ["CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"], ["LOW"], "critical"),
        ("TEST-1", ["CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N"], ["HIGH"], "high"),
        ("MAL-2026-1", [], [], "critical"),
    ],
)
def test_the_worst_that_is_said_counts_and_silence_is_high(
    advisory_id: str, vectors: list[str], words: list[str], expected: str
) -> None:
    assert severity_of(advisory_id, vectors=vectors, words=words) == expected


# --- age and file ----------------------------------------------------------------------------------------------------


def test_an_old_export_imported_today_is_old(tmp_path: Path) -> None:
    database = imported(
        tmp_path, document(modified="2026-09-01T23:00:00Z"), document("TEST-2", modified="2026-08-01T00:00:00Z")
    )
    assert (database.imported_on, database.age_days(DAY)) == (DAY, 81)
    assert database.newest == datetime(2026, 9, 1, 23, tzinfo=UTC)
    assert (
        database.describe()
        == f"sha256:{database.source_sha256} of 2 advisories about 1 project of PyPI, newest 2026-09-01"
    )


def test_news_of_another_ecosystem_makes_nothing_younger(tmp_path: Path) -> None:
    old = document(modified="2026-09-01T00:00:00Z")
    npm = document("TEST-2", affected=affected(package={"ecosystem": "npm", "name": "demo-plugin"}))
    database = imported(tmp_path, old, npm)
    assert (database.count, database.age_days(DAY)) == (1, 81)
    assert imported(tmp_path, old, document("TEST-2")).age_days(DAY) == 1


def test_times_are_compared_in_utc(tmp_path: Path) -> None:
    assert imported(tmp_path, document(modified="2026-11-20T23:30:00-02:00")).newest.date() == date(2026, 11, 21)


def test_a_loaded_database_says_the_same(tmp_path: Path) -> None:
    database = imported(tmp_path, document())
    assert AdvisoryDatabase.load(database.path) == database


def test_a_database_that_is_missing_cut_short_or_changed_is_refused(tmp_path: Path) -> None:
    database = imported(tmp_path, document(), document("TEST-2"))
    data = database.path.read_bytes()
    broken = tmp_path / "broken.jsonl"
    with pytest.raises(ConfigError, match="advisories import FILE"):
        AdvisoryDatabase.load(broken)
    changes = {data[:-1], data[: len(data) // 2], b"", b"{}\n{}\n", data.replace(b"demo-plugin", b"demo-plugix", 1)}
    for changed in changes:
        broken.write_bytes(changed)
        with pytest.raises(ConfigError):
            AdvisoryDatabase.load(broken)
    broken.write_bytes(data)
    assert AdvisoryDatabase.load(broken).count == 2


def test_a_body_changed_under_a_running_audit_is_refused(tmp_path: Path) -> None:
    database = imported(tmp_path, document())
    assert database.match(DEMO, "1.0")
    database.path.write_bytes(database.path.read_bytes().replace(b'"fixed","2.0"', b'"fixed","0.0"'))
    with pytest.raises(ConfigError, match="changed since it was opened"):
        database.match(DEMO, "1.0")


def test_one_project_is_read_and_not_the_file(tmp_path: Path) -> None:
    others = [
        document(
            f"TEST-{n}", affected=affected(package={"ecosystem": "PyPI", "name": f"other-{n}"}, versions=["1"] * 500)
        )
        for n in range(200)
    ]
    database = imported(tmp_path, document(), *others)
    at, length, _ = database.places[DEMO]
    assert length < 400 < database.path.stat().st_size / 100
    # Everything else may be gone: it is never looked at.
    data = database.path.read_bytes()
    database.path.write_bytes(b"x" * at + data[at : at + length])
    assert ids(database.match(DEMO, "1.0")) == ["TEST-2026-1000"]
