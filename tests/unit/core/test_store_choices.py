"""What was pinned and what failed: when it is tried again, and what is no such record."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from assess_core.store.choices import (
    MAX_FAILED,
    MAX_REASON,
    RETRY_AFTER_S,
    Choices,
    Pin,
    decode_choices,
    encode_choices,
)
from assess_registry.client import Sha256, parse_sha256

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
WHEEL = parse_sha256("1" * 64)
PIN = Pin(version="1.0.0", at=NOW, by="root (uid 0)", why="rollback")


def failed(
    choices: Choices, *, sha256: Sha256 = WHEEL, at: datetime = NOW, interpreter: str = "3.11.9", kit: str = "kit"
) -> Choices:
    return choices.with_failure("1.1.0", sha256, interpreter=interpreter, kit=kit, at=at, reason="it died")


def test_a_failure_holds_for_longer_each_time_and_in_the_end_for_good() -> None:
    choices, now = Choices(), NOW
    for tries, after in enumerate(RETRY_AFTER_S, 1):
        choices = failed(choices, at=now)
        (failure,) = choices.failed
        assert failure.tries == tries
        assert failure.holds(now + timedelta(seconds=after - 1))
        now += timedelta(seconds=after)
        assert not failure.holds(now)
    (failure,) = failed(choices, at=now).failed
    assert failure.not_before is None
    assert failure.holds(now + timedelta(days=10_000))


def test_a_clock_that_was_set_back_lets_it_be_tried() -> None:
    (failure,) = failed(Choices()).failed
    assert failure.holds(NOW)
    assert not failure.holds(NOW - timedelta(days=1))


@pytest.mark.parametrize(
    ("pinned", "version", "names"),
    [
        ("1.0.0", "1.0.0", True),
        ("1.0", "1.0.0", True),
        ("1.0.0", "1.0", True),
        ("1.0rc1", "1.0.0rc1", True),
        ("1.0", "1.0.1", False),
        ("1.0rc1", "1.0.0", False),
        ("1.0", "1.0.0rc1", False),
    ],
)
def test_a_pin_names_a_version_however_it_is_spelled(pinned: str, version: str, names: bool) -> None:
    assert replace(PIN, version=pinned).names(version) is names


def test_another_python_runtime_or_wheel_did_not_fail() -> None:
    choices = failed(Choices())
    assert choices.failure_of(WHEEL, interpreter="3.11.9", kit="kit") is not None
    assert choices.failure_of(WHEEL, interpreter="3.13.0", kit="kit") is None
    assert choices.failure_of(WHEEL, interpreter="3.11.9", kit="other") is None
    assert choices.failure_of(parse_sha256("2" * 64), interpreter="3.11.9", kit="kit") is None


def test_what_answered_after_all_has_failed_nowhere() -> None:
    choices = failed(failed(Choices(pin=PIN)), interpreter="3.13.0")
    assert len(choices.failed) == 2
    assert choices.without(WHEEL) == Choices(pin=PIN)
    assert choices.without(parse_sha256("2" * 64)) == choices


def test_only_the_latest_failures_are_kept_and_each_within_bounds() -> None:
    choices = Choices()
    for number in range(MAX_FAILED + 5):
        choices = failed(choices, sha256=parse_sha256(f"{number:064x}"))
    assert [each.sha256 for each in choices.failed] == [f"{number:064x}" for number in range(5, MAX_FAILED + 5)]
    choices = Choices().with_failure("1", WHEEL, interpreter="3.11.9", kit="k", at=NOW, reason="x" * 10_000)
    assert len(choices.failed[0].reason) == MAX_REASON


@pytest.mark.parametrize("choices", [Choices(), Choices(pin=PIN), failed(failed(Choices(pin=PIN)), kit="other")])
def test_what_is_written_is_what_is_read(choices: Choices) -> None:
    assert decode_choices(encode_choices(choices)) == choices


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("schema",), 2),
        (("pin", "why"), "whim"),
        (("pin", "at"), "2026-11-21T12:00:00"),
        (("pin", "version"), 1),
        (("pin", "more"), "x"),
        (("failed", 0, "sha256"), "1"),
        (("failed", 0, "tries"), 0),
        (("failed", 0, "tries"), True),
        (("failed", 0, "not_before"), "soon"),
        (("failed",), {}),
        (("more",), 1),
    ],
)
def test_what_differs_in_one_field_is_refused(where: tuple[Any, ...], value: object) -> None:
    document = json.loads(encode_choices(failed(Choices(pin=PIN))))
    assert decode_choices(json.dumps(document).encode()).pin == PIN
    inner = document
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    with pytest.raises((ValueError, TypeError, KeyError)):
        decode_choices(json.dumps(document).encode())
