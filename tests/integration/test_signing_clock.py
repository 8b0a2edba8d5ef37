"""A registry is signed by a machine whose clock is wrong: refused where its own disk shows it, or said afterwards.

Every refusal has a control: the same call an hour or a day apart, or with the option that overrules.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assess_registry.catalogue import catalogue_path
from assess_registry.cli import main, signing
from assess_registry.config import Expiry
from assess_registry.errors import TrustError
from assess_registry.keys import write_private_key
from assess_registry.publish.after import revoke, yank
from assess_registry.repository.offered import read_offer
from assess_registry.repository.state import read_state
from tests.support.approved_place import PROJECT, commit
from tests.support.registry_tree import RegistryTree, copy_registry_tree
from tests.support.repositories import Registry, make_registry

DAY = timedelta(days=1)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return make_registry(tmp_path / "registry", now=datetime(2026, 3, 1, 12, tzinfo=UTC))


def refused(error: pytest.ExceptionInfo[TrustError], thing: str) -> str:
    assert (error.value.step, error.value.thing) == ("clock", thing)
    assert "--overrule-clock-check" in error.value.next_step
    return str(error.value)


def test_nothing_is_signed_that_ends_before_what_is_signed_now(registry: Registry) -> None:
    before = registry.metadata()
    with pytest.raises(TrustError) as error:
        registry.refresh(now=registry.now - 400 * DAY)
    message = refused(error, "timestamp")
    assert "2026-03-08T12:00:00Z" in message, "the end that is signed"
    assert "2025-01-25T12:00:00Z" in message, "this clock's idea of the time"
    assert "[expiry]" in message, "or the term was shortened"
    assert registry.metadata() == before
    registry.refresh(now=registry.now - timedelta(minutes=50))  # two machines' clocks are never the same
    assert registry.metadata() != before


def test_a_commit_is_refused_as_well(registry: Registry) -> None:
    page: dict[str, bytes | None] = {"catalog/acme-demo.json": b"{}"}
    with pytest.raises(TrustError) as error:
        registry.commit(page, now=registry.now - DAY)
    refused(error, "timestamp")
    assert registry.repository.read("catalog/acme-demo.json") is None
    registry.commit(page, now=registry.now - DAY, overrule_clock=True)
    assert registry.repository.read("catalog/acme-demo.json") == b"{}"


def test_an_offer_is_refused_by_what_it_signs_itself(registry: Registry) -> None:
    page: dict[str, bytes | None] = {"catalog/acme-demo.json": b"{}"}
    with pytest.raises(TrustError) as error:
        registry.commit(page, online_key=None, now=registry.now - DAY)
    assert error.value.thing.startswith("bins-")
    refused(error, error.value.thing)
    registry.commit(page, online_key=None, now=registry.now)
    offer = read_offer(registry.place, read_state(registry.place), now=registry.now)
    with pytest.raises(TrustError) as error:
        registry.repository.take(offer, online_key=registry.keys.online, now=registry.now - DAY)
    refused(error, "timestamp")
    registry.repository.take(offer, online_key=registry.keys.online, now=registry.now)


def test_a_shortened_term_has_to_be_meant(registry: Registry) -> None:
    short = Expiry(timestamp_d=1)
    with pytest.raises(TrustError) as error:
        registry.refresh(expiry=short)
    refused(error, "timestamp")
    registry.refresh(expiry=short, overrule_clock=True)
    registry.refresh(expiry=short)


def test_what_ends_later_than_its_term_is_an_alarm_and_is_signed_anew(registry: Registry) -> None:
    """The clock was 400 days ahead once: all of that is good until then, whatever registry.toml says."""
    release = {"release_keys": registry.keys.release}
    registry.refresh(now=registry.now + 400 * DAY, **release)
    found = registry.repository.expiries(now=registry.now, expiry=Expiry())
    assert {each.role for each in found if each.beyond_term} == {"targets", "bins", "snapshot", "timestamp"}
    assert all(each.alarm for each in found if each.beyond_term)
    with pytest.raises(TrustError) as error:
        registry.refresh(**release)
    assert error.value.step == "clock"
    registry.refresh(**release, overrule_clock=True)
    again = registry.repository.expiries(now=registry.now, expiry=Expiry())
    assert not any(each.alarm for each in again)


def test_a_site_does_not_know_the_terms_of_what_it_serves(registry: Registry) -> None:
    registry.refresh(expiry=Expiry(timestamp_d=20))
    known, unknown = (
        registry.repository.expiries(now=registry.now, expiry=Expiry(), own_terms=own) for own in (True, False)
    )
    assert known[-1].beyond_term
    assert not unknown[-1].beyond_term


def test_the_table_and_the_option_as_they_are_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = datetime.now(UTC)
    place = tmp_path / "registry"
    assert main(["init", str(place)]) == 0
    made = make_registry(place, now=now)
    for name, key in (("on", made.keys.online), ("rel", made.keys.release[0])):
        write_private_key(tmp_path / f"{name}.key", key)
    typed = ["refresh", "--index", str(place), "--online-key", str(tmp_path / "on.key"), "--release-key",
             str(tmp_path / "rel.key")]  # fmt: skip
    made.refresh(now=now + 400 * DAY, release_keys=made.keys.release)
    capsys.readouterr()
    assert main(["refresh", "--index", str(place)]) == 1
    out, err = capsys.readouterr()
    assert out.count("TOO LATE") == 4
    assert "ends later than its term" in err
    assert "--overrule-clock-check" in err
    assert main(["refresh", "--index", str(place), "--output", "json"]) == 1
    roles = json.loads(capsys.readouterr().out)["roles"]
    assert [each["beyond_term"] for each in roles] == [False, True, True, True, True]
    assert main(typed) == 5
    assert "look at the clock" in capsys.readouterr().err
    assert main([*typed, "--overrule-clock-check"]) == 0
    assert "TOO LATE" not in capsys.readouterr().out
    monkeypatch.setattr("assess_registry.cli.refresh.now", lambda: signing.now() - 2 * DAY)
    assert main(typed) == 5


@pytest.fixture
def tree(tmp_path: Path) -> RegistryTree:
    return copy_registry_tree(tmp_path / "registry")


def files(tree: RegistryTree) -> dict[str, bytes]:
    return {
        path.relative_to(tree.root).as_posix(): path.read_bytes()
        for path in sorted(tree.root.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def test_a_revocation_by_a_clock_that_is_behind_changes_nothing(tree: RegistryTree) -> None:
    keys = tree.everybody.release_keys
    before = files(tree)
    arguments = {"reason": "bad", "severity": "high", "keys": keys}
    with pytest.raises(TrustError) as error:
        revoke(tree.root, PROJECT, "1.0.0", now=datetime.now(UTC) - 9 * DAY, **arguments)  # type: ignore[arg-type]
    refused(error, PROJECT)
    assert files(tree) == before, "no page may say what nobody signed"
    revoke(tree.root, PROJECT, "1.0.0", now=datetime.now(UTC), **arguments)  # type: ignore[arg-type]
    assert files(tree) != before


def publish_at(tree: RegistryTree, at: datetime) -> None:
    """Let the signed page say that everything was published then."""
    catalogue = tree.catalogue()
    page = replace(catalogue, releases=tuple(replace(each, published_at=at) for each in catalogue.releases))
    commit(tree, {catalogue_path(PROJECT): page.data()})


@pytest.mark.parametrize("ahead", [3 * DAY, timedelta(minutes=6)])
def test_no_release_is_changed_at_a_time_before_its_newest(tree: RegistryTree, ahead: timedelta) -> None:
    """Ends agree, for they are signed every day; the times that releases bear are signed once and for ever."""
    at = datetime.now(UTC).replace(microsecond=0) + ahead
    publish_at(tree, at)
    keys = tree.everybody.release_keys
    before = files(tree)
    with pytest.raises(TrustError) as error:
        yank(tree.root, PROJECT, "1.0.0", reason="bad", keys=keys, now=datetime.now(UTC))
    refused(error, PROJECT)
    assert f"{at:%Y-%m-%dT%H:%M:%SZ}" in str(error.value)
    assert files(tree) == before
    yank(tree.root, PROJECT, "1.0.0", reason="bad", keys=replace(keys, overrule_clock=True), now=datetime.now(UTC))
    assert files(tree) != before


def test_a_command_that_waited_for_the_lock_is_no_clock_that_is_behind(tree: RegistryTree) -> None:
    publish_at(tree, datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=4))
    done = yank(tree.root, PROJECT, "1.0.0", reason="bad", keys=tree.everybody.release_keys, now=datetime.now(UTC))
    assert done.written
