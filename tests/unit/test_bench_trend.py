"""The line by which an hour's figures are judged."""

import random

import pytest
from bench.trend import trend

MINUTES = [60.0 * minute for minute in range(46)]


def test_what_grows_steadily_grows_by_that_much() -> None:
    found = trend(MINUTES, [100 + 3 * time / 3600 for time in MINUTES])
    assert found.per_hour == pytest.approx(3)
    assert found.error == pytest.approx(0, abs=1e-6)
    assert not found.flat(1)
    assert found.flat(3.001)


def test_what_stays_is_flat_whatever_the_bound() -> None:
    found = trend(MINUTES, [7.0] * len(MINUTES))
    assert (found.per_hour, found.first, found.last) == (0, 7, 7)
    assert found.flat(0)


def test_noise_is_no_growth_and_growth_under_noise_is() -> None:
    chance = random.Random(1)
    noise = [chance.gauss(0, 2) for _ in MINUTES]
    assert trend(MINUTES, noise).flat(0)
    assert not trend(MINUTES, [value + 20 * time / 3600 for value, time in zip(noise, MINUTES, strict=True)]).flat(1)


def test_too_little_to_say_is_refused() -> None:
    with pytest.raises(ValueError, match="needs four"):
        trend([0, 1, 2], [1, 1, 1])
