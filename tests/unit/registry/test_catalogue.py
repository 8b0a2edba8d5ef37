import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assess_registry.canonical import encode
from assess_registry.catalogue import (
    MAX_CATALOGUE_BYTES,
    REVOCATION_SEVERITIES,
    Catalogue,
    CatalogueWheel,
    FileRef,
    Release,
    Revoked,
    Yanked,
    catalogue_path,
    parse_catalogue,
)
from assess_registry.errors import TrustError
from assess_registry.keys import KeyId
from assess_registry.manifest import SEVERITIES, parse_severity
from assess_registry.names import ProjectName, Sha256

NOW = datetime(2026, 11, 21, 5, 10, tzinfo=UTC)
ACME = ProjectName("acme-x")
SIGNER = KeyId("sha256:" + "0" * 64)


def wheel(version: str = "1.0.0", *, tag: str = "py3-none-any", **changes: Any) -> CatalogueWheel:
    name = f"acme_x-{version}-{tag}.whl"
    beside = {key: FileRef.of(name + end, b"x") for key, end in
              (("signature", ".sig"), ("metadata", ".metadata"), ("verdict", ".verdict.json"))}  # fmt: skip
    given_: dict[str, Any] = {
        "filename": name,
        "size": 7,
        "sha256": Sha256("1" * 64),
        "requires_python": ">=3.11",
        "publisher": "acme",
        "signer": SIGNER,
        **beside,
    }
    return CatalogueWheel(**(given_ | changes))


def release(version: str = "1.0.0", *wheels: CatalogueWheel, **changes: Any) -> Release:
    given_: dict[str, Any] = {
        "version": version,
        "wheels": wheels or (wheel(version),),
        "lock": FileRef.of("pylock.toml", b"l"),
        "lock_signature": FileRef.of("pylock.toml.sig", b"s"),
        "sbom": FileRef.of("sbom.cdx.json", b"b"),
        "audit": FileRef.of("audit.json", b"a"),
        "attestation": FileRef.of("audit.dsse.json", b"d"),
        "published_at": NOW,
    }
    return Release(**(given_ | changes))


PAGE = Catalogue(
    project=ACME,
    releases=(
        release(
            "1.0.0",
            wheel(tag="cp311-cp311-manylinux_2_28_x86_64"),
            wheel(tag="cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64"),
            wheel(requires_python=""),
            yanked=Yanked(reason="broken on 3.12", at=NOW),
        ),
        release("1.1rc1", sbom=None, attestation=None),
        release("1.1", revoked=Revoked(reason="leaks /etc/shadow", severity="critical", at=NOW)),
        release("1!0.1+local.2"),
    ),
)


# --- a value and its page -----------------------------------------------------------------------------------------


def test_a_page_is_read_back() -> None:
    assert parse_catalogue(PAGE.data(), ACME) == PAGE
    assert parse_catalogue(PAGE.data(), ACME).data() == PAGE.data()
    assert parse_catalogue(Catalogue(project=ACME).data(), ACME).releases == ()


def test_a_release_can_be_revoked_with_every_severity_and_kill() -> None:
    for severity in REVOCATION_SEVERITIES:
        page = Catalogue(project=ACME, releases=(release(revoked=Revoked(reason="r", severity=severity, at=NOW)),))
        assert parse_catalogue(page.data(), ACME) == page
    assert (*SEVERITIES, "kill") == REVOCATION_SEVERITIES
    with pytest.raises(ValueError, match="no severity"):  # of a finding there is none
        parse_severity("kill")


@settings(max_examples=25)
@given(versions=st.permutations(["0.9", "1.0", "1.0.post1", "1.1.dev1", "1.1", "1.10", "2.0a1"]))
def test_order_makes_no_second_page(versions: list[str]) -> None:
    page = Catalogue(project=ACME, releases=tuple(release(version) for version in versions))
    assert [each.version for each in page.releases] == ["0.9", "1.0", "1.0.post1", "1.1.dev1", "1.1", "1.10", "2.0a1"]
    assert page.data() == Catalogue(project=ACME, releases=page.releases[::-1]).data()
    one, two = wheel(), wheel(tag="cp311-cp311-win_amd64")
    assert release("1.0.0", one, two) == release("1.0.0", two, one)


@settings(max_examples=25)
@given(
    ago=st.timedeltas(min_value=timedelta(days=-9000), max_value=timedelta(days=9000)),
    zone=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
)
def test_a_time_is_a_moment_whatever_its_zone(ago: timedelta, zone: timezone) -> None:
    at = (NOW - ago).astimezone(zone)
    page = Catalogue(project=ACME, releases=(release(published_at=at),))
    assert parse_catalogue(page.data(), ACME) == page
    assert page.data() == Catalogue(project=ACME, releases=(release(published_at=at.astimezone(UTC)),)).data()


def test_a_release_is_found_however_its_version_is_spelt() -> None:
    assert PAGE.release("1.1.0") is PAGE.release("1.1") is not None
    assert PAGE.release("1.2") is None


def test_a_release_takes_the_place_of_its_own_version_only() -> None:
    yanked = release("1.1", yanked=Yanked(reason="r", at=NOW))
    page = PAGE.with_release(yanked).with_release(release("3.0"))
    assert [each.version for each in page.releases] == ["1.0.0", "1.1rc1", "1.1", "3.0", "1!0.1+local.2"]
    assert page.release("1.1") == yanked
    assert page.release("1.0") == PAGE.release("1.0")


def test_every_file_of_a_release_is_named() -> None:
    names = [file.filename for file in release().files()]
    whl = "acme_x-1.0.0-py3-none-any.whl"
    assert names == [
        *(whl + end for end in ("", ".sig", ".metadata", ".verdict.json")),
        *("pylock.toml", "pylock.toml.sig", "sbom.cdx.json", "audit.json", "audit.dsse.json"),
    ]
    assert "sbom.cdx.json" not in [file.filename for file in release(sbom=None).files()]
    assert "audit.dsse.json" not in [file.filename for file in release(attestation=None).files()]


def test_a_page_is_one_target() -> None:
    assert catalogue_path(ACME) == "catalog/acme-x.json"


# --- what is no page ----------------------------------------------------------------------------------------------


def document() -> dict[str, Any]:
    value: dict[str, Any] = json.loads(PAGE.data())
    return value


def first(value: dict[str, Any]) -> dict[str, Any]:
    table: dict[str, Any] = value["releases"][0]
    return table


def in_release(**members: Any) -> Callable[[dict[str, Any]], None]:
    return lambda value: first(value).update(members)


def in_wheel(**members: Any) -> Callable[[dict[str, Any]], None]:
    return lambda value: first(value)["wheels"][2].update(members)


def in_file(of: str, **members: Any) -> Callable[[dict[str, Any]], None]:
    return lambda value: first(value)[of].update(members)


def renamed(value: dict[str, Any], name: str) -> None:
    """The last wheel, with all that lies beside it, under another name."""
    table = first(value)["wheels"][2]
    table["filename"] = name
    for key, end in (("signature", ".sig"), ("metadata", ".metadata"), ("verdict", ".verdict.json")):
        table[key]["filename"] = name + end


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "another project": lambda value: value.update(project="acme-y"),
    "a name that normalises to it": lambda value: value.update(project="Acme_X"),
    "another schema": lambda value: value.update(schema=2),
    "a schema that is true": lambda value: value.update(schema=True),
    "a member more": lambda value: value.update(extra=1),
    "a member less": lambda value: value.pop("releases"),
    "releases in another order": lambda value: value["releases"].reverse(),
    "wheels in another order": lambda value: first(value)["wheels"].reverse(),
    "a release twice": lambda value: value["releases"].append(value["releases"][0]),
    "a release in another spelling": lambda value: value["releases"].insert(1, first(value) | {"version": "1.0"}),
    "no wheels": in_release(wheels=[]),
    "a wheel twice": lambda value: first(value)["wheels"].append(first(value)["wheels"][2]),
    "a wheel of another project": in_wheel(filename="acme_y-1.0.0-py3-none-any.whl"),
    "a wheel of another version": in_wheel(filename="acme_x-1.0.1-py3-none-any.whl"),
    "a version that is none": in_release(version="newest"),
    "a version not in normal form": in_release(version="v1.0.0"),
    "a file that is no wheel": in_wheel(filename="acme_x-1.0.0.tar.gz"),
    "a path": in_wheel(filename="../acme_x-1.0.0-py3-none-any.whl"),
    "a path of another system": in_wheel(filename="..\\acme_x-1.0.0-py3-none-any.whl"),
    "a look-alike": in_wheel(filename="\u0430cme_x-1.0.0-py3-none-any.whl"),
    "an url": in_wheel(filename="https://e.example/acme_x-1.0.0-py3-none-any.whl"),
    "a signature elsewhere": lambda value: first(value)["wheels"][2]["signature"].update(filename="other.sig"),
    "a lock elsewhere": in_file("lock", filename="pylock.other.toml"),
    "a report elsewhere": in_file("audit", filename="../audit.json"),
    "another report": in_file("audit", filename="other.json"),
    "another sbom": in_file("sbom", filename="other.json"),
    "another attestation": in_file("attestation", filename="other.json"),
    "another lock's signature": in_file("lock_signature", filename="other.sig"),
    "a wheel of another project, complete": lambda value: renamed(value, "acme_y-1.0.0-py3-none-any.whl"),
    "a wheel of another version, complete": lambda value: renamed(value, "acme_x-1.0.1-py3-none-any.whl"),
    "nothing in a file": in_file("lock", size=0),
    "a negative size": in_wheel(size=-1),
    "a size that is no number": in_wheel(size="7"),
    "a size that is true": in_wheel(size=True),
    "a fraction": in_wheel(size=7.0),
    "a size beyond bounds": in_wheel(size=1 << 40),
    "a short digest": in_wheel(sha256="1" * 63),
    "a digest in capitals": in_wheel(sha256="A" * 64),
    "a signer that is no key": in_wheel(signer="acme"),
    "a publisher with a path": in_wheel(publisher="../acme"),
    "a specifier with a line break": in_wheel(requires_python=">=3\n"),
    "no sbom, said aloud": in_release(sbom=None),
    "a time without a zone": in_release(published_at="2026-11-21T05:10:00"),
    "a time with an offset": in_release(published_at="2026-11-21T05:10:00+00:00"),
    "a time in another spelling": in_release(published_at="2026-11-21T05:10:00.000000Z"),
    "a day that is none": in_release(published_at="2026-02-30T05:10:00Z"),
    "yanked without a reason": lambda value: first(value)["yanked"].update(reason=""),
    "yanked, reason reordered": lambda value: first(value)["yanked"].update(reason="a\u202eb"),
    "yanked, with a severity": lambda value: first(value)["yanked"].update(severity="low"),
    "revoked without a severity": in_release(revoked={"reason": "r", "at": "2026-11-21T05:10:00Z"}),
    "revoked, severity unknown": in_release(
        revoked={"reason": "r", "severity": "urgent", "at": "2026-11-21T05:10:00Z"}
    ),
    "a lone surrogate": lambda value: first(value)["yanked"].update(reason="\ud800"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_else_was_signed_is_no_page(name: str) -> None:
    value = document()
    assert parse_catalogue(json_bytes(value), ACME) == PAGE
    CHANGES[name](value)
    assert json_bytes(value) != PAGE.data()
    with pytest.raises(TrustError) as refused:
        parse_catalogue(json_bytes(value), ACME)
    assert (refused.value.step, refused.value.thing) == ("catalogue", "catalog/acme-x.json")
    assert refused.value.next_step


def json_bytes(value: object) -> bytes:
    """As `encode`, which refuses some of what an attacker may write."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def test_a_page_of_a_later_schema_says_that_this_program_is_too_old_for_it() -> None:
    with pytest.raises(TrustError, match=r"catalogue\.schema: expected 1, got 2") as refused:
        parse_catalogue(json_bytes(document() | {"schema": 2}), ACME)
    assert refused.value.next_step.startswith("update this program")


@pytest.mark.parametrize(
    "spell",
    [
        lambda data: data + b" ",
        lambda data: data.replace(b'"schema":1', b'"schema":1.0'),
        lambda data: data.replace(b'"schema":1', b'"schema":0,"schema":1'),
        lambda data: data.replace(b'"size":7', b'"size":7e0'),
        lambda data: data.replace(b'"size":7', b'"size":NaN'),
        lambda data: data.replace(b"broken", b"\\u0062roken"),
        lambda data: json.dumps(json.loads(data)).encode(),
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.decode().encode("utf-16"),
        lambda _: b"[" * 100_000 + b"]" * 100_000,
        lambda _: b"9" * 5000,
        lambda data: data[:-1],
    ],
)
def test_a_page_has_one_spelling(spell: Callable[[bytes], bytes]) -> None:
    data = PAGE.data()
    assert spell(data) != data
    with pytest.raises(TrustError):
        parse_catalogue(spell(data), ACME)


def test_a_page_of_one_project_is_not_anothers() -> None:
    with pytest.raises(TrustError, match="expected 'acme-y', got 'acme-x'"):
        parse_catalogue(PAGE.data(), ProjectName("acme-y"))


def test_a_page_that_no_client_reads_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    length = len(PAGE.data())
    monkeypatch.setattr("assess_registry.catalogue.page.MAX_CATALOGUE_BYTES", length)
    assert PAGE.data()
    monkeypatch.setattr("assess_registry.catalogue.page.MAX_CATALOGUE_BYTES", length - 1)
    with pytest.raises(ValueError, match=f"at most {length - 1} bytes"):
        PAGE.data()
    with pytest.raises(TrustError, match="at most"):
        parse_catalogue(b" " * (MAX_CATALOGUE_BYTES + 1), ACME)


def test_two_wheels_for_one_tag_are_refused_whatever_their_build() -> None:
    plain = wheel()
    built = wheel("1.0.0", tag="2-py3-none-any")
    assert built.filename == "acme_x-1.0.0-2-py3-none-any.whl"
    assert Catalogue(project=ACME, releases=(release("1.0.0", built),)).releases[0].wheels == (built,)
    with pytest.raises(ValueError, match="are both for py3-none-any"):
        release("1.0.0", plain, built)
    with pytest.raises(ValueError, match="are both for py3-none-any"):
        release("1.0.0", plain, wheel(tag="py2.py3-none-any"))


def test_versions_that_are_one_are_refused_also_as_one_object() -> None:
    one = release("1.0")
    with pytest.raises(ValueError, match="are one version"):
        Catalogue(project=ACME, releases=(one, one))
    with pytest.raises(ValueError, match="are one version"):
        Catalogue(project=ACME, releases=(one, release("1.0.0")))
    assert len(Catalogue(project=ACME, releases=(one, release("1.0.1"))).releases) == 2


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".hidden",
        "-rf",
        "a/b",
        "a\\b",
        "a b",
        "a\tb",
        "C:a",
        "a%2fb",
        "a?b",
        "a#b",
        "é",
        "a\x00",
        "a.",
        "x" * 256,
    ],
)
def test_a_file_is_in_the_directory_and_nowhere_else(name: str) -> None:
    assert FileRef.of("a-b_c+d!e.f", b"x").size == 1
    with pytest.raises(ValueError, match="filename"):
        FileRef.of(name, b"x")


def test_naive_times_are_refused() -> None:
    for make in (
        lambda at: release(published_at=at),
        lambda at: Yanked(reason="r", at=at),
        lambda at: Revoked(reason="r", severity="low", at=at),
    ):
        assert make(NOW) == make(NOW.astimezone(timezone(timedelta(hours=1))))
        with pytest.raises(ValueError, match="no time zone"):
            make(NOW.replace(tzinfo=None))


def test_a_change_is_a_new_value() -> None:
    changed = replace(release(), yanked=Yanked(reason="r", at=NOW))
    assert PAGE.with_release(changed) != PAGE
    assert encode({"schema": 1, "project": "acme-x", "releases": []}) == Catalogue(project=ACME).data()
