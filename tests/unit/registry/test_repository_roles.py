"""How a registry's metadata is named, divided into bins and dated."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assess_registry.config import Expiry
from assess_registry.keys import generate_key
from assess_registry.repository.expiry import alarm_before
from assess_registry.repository.roles import (
    BINS,
    MAX_BINS,
    Signers,
    bins_of,
    days,
    delegations,
    metadata_name,
    new_root,
    role_of_target,
    target_file,
    target_name,
    until,
)
from assess_registry.repository.tuf_api import Targets

NOW = datetime(2026, 11, 21, 12, 0, 0, 999, tzinfo=UTC)
ROOT = new_root(
    Signers(
        root_keys=(generate_key().public,),
        root_threshold=1,
        release_keys=(generate_key().public,),
        online_keys=(generate_key().public,),
    ),
    version=1,
    expires=NOW,
)
ROLES = bins_of(Targets(expires=NOW, delegations=delegations(ROOT, 16)))


@pytest.mark.parametrize("path", ["catalog/acme-demo.json", "catalog/a.json", "catalog/0.json"])
def test_pages_go_to_bins(path: str) -> None:
    assert role_of_target(path, ROLES).startswith("bins-")


def test_control_files_are_in_targets_itself() -> None:
    assert role_of_target("control/publishers.json", ROLES) == "targets"


@pytest.mark.parametrize(
    "path",
    [
        "catalog/../control/publishers.json",
        "catalog/a/b.json",
        "catalog/A.json",
        "catalog/a.json\n",
        "catalog/.json",
        "catalog/-a.json",
        "catalog/a-.json",
        "catalog/ä.json",
        "catalog/a",
        "/catalog/a.json",
        "other/a.json",
        "catalog/" + "a" * 300 + ".json",
        "",
    ],
)
def test_nothing_else_is_a_target(path: str) -> None:
    with pytest.raises(ValueError, match="target path"):
        role_of_target(path, ROLES)


def test_bins_divide_evenly() -> None:
    count = dict.fromkeys(ROLES.get_roles(), 0)
    for number in range(1600):
        count[role_of_target(f"catalog/project-{number}.json", ROLES)] += 1
    assert min(count.values()) > 50
    assert len(count) == 16


@pytest.mark.parametrize("bins", [2, BINS, MAX_BINS])
def test_a_number_of_bins_is_a_power_of_two(bins: int) -> None:
    found = delegations(ROOT, bins).succinct_roles
    assert found is not None
    assert found.number_of_bins == bins


@pytest.mark.parametrize("bins", [-2, 0, 1, 3, 100, MAX_BINS * 2])
def test_other_numbers_are_refused(bins: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        delegations(ROOT, bins)


def test_a_target_lies_under_its_hash() -> None:
    name = target_name(target_file("catalog/acme.json", b"{}"))
    assert name == "catalog/44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a.acme.json"


def test_only_the_timestamp_has_no_version_in_its_name() -> None:
    assert metadata_name("bins-0f", 3) == "3.bins-0f.json"
    assert metadata_name("timestamp", 3) == "timestamp.json"


def test_times_are_utc_and_whole_seconds() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=2)))
    assert until(Expiry(), "timestamp", there) == datetime(2026, 11, 28, 12, 0, 0, tzinfo=UTC)
    assert until(Expiry(), "timestamp", there).tzinfo is UTC


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        until(Expiry(), "root", NOW.replace(tzinfo=None))


@given(st.sampled_from(["root", "targets", "bins-3", "snapshot", "timestamp"]), st.integers(1, 5000))
def test_an_alarm_rings_within_the_role_s_life_and_never_for_more_than_a_month(role: str, life_d: int) -> None:
    expiry = Expiry(root_d=life_d, targets_d=life_d, bins_d=life_d, snapshot_d=life_d, timestamp_d=life_d)
    assert days(expiry, role) == life_d
    assert timedelta(0) < alarm_before(role, expiry) <= min(timedelta(days=life_d) / 3, timedelta(days=30))
