"""Quarantines on disk: what is written is read, and what is not ours binds nobody."""

import json
import logging
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assess_core.errors import FaultKind, StoreError
from assess_core.host.quarantine import Fatality, Quarantine, Quarantines
from assess_registry.client import ProjectName

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
NAME = ProjectName("demo-plugin")
DEATH = Fatality(at=NOON, kind=FaultKind.EXITED, phase="execute", message="its process exited with code 3")
ONE = Quarantine(
    env_key="e" * 64, version="1.0.0", sha256="a" * 64, since=NOON, deaths=(DEATH,) * 5, log_tail="last words"
)

moments = st.datetimes(timezones=st.just(UTC))
fatalities = st.builds(
    Fatality, at=moments, kind=st.sampled_from(FaultKind), phase=st.sampled_from(["start", "idle"]), message=st.text()
)
quarantines = st.builds(
    Quarantine,
    env_key=st.text(),
    version=st.text(),
    sha256=st.text(),
    since=moments,
    deaths=st.lists(fatalities, max_size=5).map(tuple),
    log_tail=st.text(),
)


@given(quarantines)
def test_what_is_encoded_is_read_again(quarantine: Quarantine) -> None:
    assert Quarantine.parse(quarantine.encode()) == quarantine


def test_one_is_there_until_it_is_lifted(tmp_path: Path) -> None:
    kept = Quarantines(tmp_path / "quarantine")
    assert kept.of(NAME) is None
    assert kept.all() == {}
    kept.put(NAME, ONE)
    assert Quarantines(tmp_path / "quarantine").of(NAME) == ONE
    assert kept.all() == {NAME: ONE}
    (file,) = (tmp_path / "quarantine").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600, "a log's tail may quote what only root may read"
    assert kept.lift(NAME) is True
    assert kept.lift(NAME) is False
    assert kept.of(NAME) is None


def changed(**fields: Any) -> bytes:
    return json.dumps({**json.loads(ONE.encode()), **fields}).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        changed(schema=2),
        changed(deaths=None),
        changed(deaths=[1]),
        changed(since="2026-11-21T12:00:00"),
        changed(since="noon"),
        changed(env_key=None),
        changed(deaths=[{"at": NOON.isoformat(), "kind": "bored", "phase": "idle", "message": ""}]),
        b" " * (2 << 20),
    ],
    ids=lambda data: str(data[:40]),  # an id goes into the environment, and from process to process
)
def test_a_file_that_is_none_binds_nobody_and_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, data: bytes
) -> None:
    kept = Quarantines(tmp_path)
    kept.put(NAME, ONE)
    assert kept.of(NAME) == ONE, "the control"
    (tmp_path / f"{NAME}.json").write_bytes(data)
    (tmp_path / ".tmp-0123456789abcdef.json").write_bytes(data)
    with caplog.at_level(logging.WARNING):
        assert kept.of(NAME) is None
        assert kept.all() == {}
    assert {getattr(record, "action", "") for record in caplog.records} == {"quarantine-unreadable"}
    kept.put(NAME, ONE)
    assert kept.of(NAME) == ONE


def test_what_a_killed_process_left_is_gone_after_the_next_one_is_put(tmp_path: Path) -> None:
    kept = Quarantines(tmp_path)
    left, being_written = tmp_path / ".tmp-0123456789abcdef", tmp_path / ".tmp-fedcba9876543210"
    for path in (left, being_written):
        path.write_bytes(ONE.encode())
    hour_ago = time.time() - 3601
    os.utime(left, (hour_ago, hour_ago))
    kept.put(NAME, ONE)
    assert {path.name for path in tmp_path.iterdir()} == {f"{NAME}.json", being_written.name}


def test_a_directory_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "quarantine").write_text("a file")
    kept = Quarantines(tmp_path / "quarantine")
    with pytest.raises(StoreError, match="cannot be written"):
        kept.put(NAME, ONE)
    with pytest.raises(StoreError, match="cannot be read"):
        kept.of(NAME)
    with pytest.raises(StoreError, match="cannot be removed"):
        kept.lift(NAME)
    assert [each.name for each in tmp_path.iterdir()] == ["quarantine"]


def test_one_that_somebody_else_can_have_written_is_refused_and_lifts_nothing(tmp_path: Path) -> None:
    kept = Quarantines(tmp_path)
    kept.put(NAME, ONE)
    assert kept.of(NAME) == ONE, "the control"
    (tmp_path / f"{NAME}.json").chmod(0o666)
    with pytest.raises(StoreError, match=r"somebody else can have written it: it has mode 0666.* remove it"):
        kept.of(NAME)


def test_a_link_to_nothing_is_no_quarantine_and_is_said(tmp_path: Path) -> None:
    kept = Quarantines(tmp_path)
    assert (kept.of(NAME), kept.damage(NAME)) == (None, ""), "the control"
    (tmp_path / f"{NAME}.json").symlink_to("/nowhere/at/all")
    assert kept.of(NAME) is None
    assert "link to nothing" in kept.damage(NAME)
