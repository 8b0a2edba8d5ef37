"""Samples, their medians and spreads, and ratios of samples that were taken alternately.

Machines drift, other processes come and go: a ratio is taken round by round, and the median of the ratios is what
counts. Spread is the range from the lower to the upper quartile.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Literal

Unit = Literal["us", "ms", "s", "%", "KiB", "MiB", "/s", "x", "files"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """The same thing measured once a round.

    Raises:
        ValueError: nothing was measured.
    """

    unit: Unit
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("a sample needs at least one value")

    @property
    def median(self) -> float:
        """The middle one."""
        return median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        """Lower and upper quartile; of fewer than four values the smallest and the largest."""
        if len(self.values) < 4:
            return min(self.values), max(self.values)
        lower, _, upper = quantiles(self.values, n=4, method="inclusive")
        return lower, upper

    def scaled(self, factor: float, unit: Unit) -> "Sample":
        """Each value times `factor`, in another unit."""
        return Sample(unit=unit, values=tuple(value * factor for value in self.values))


def combined(ours: Sample, theirs: Sample, unit: Unit, by: Callable[[float, float], float]) -> Sample:
    """`by` of each round's two values.

    Raises:
        ValueError: the samples have different numbers of rounds, so they were not taken alternately.
    """
    if len(ours.values) != len(theirs.values):
        raise ValueError(f"{len(ours.values)} rounds beside {len(theirs.values)}: not taken alternately")
    return Sample(unit=unit, values=tuple(map(by, ours.values, theirs.values)))


def ratio(ours: Sample, theirs: Sample) -> Sample:
    """Ours over theirs, round by round.

    Raises:
        ValueError: they were not taken alternately, or have different units.
    """
    if ours.unit != theirs.unit:
        raise ValueError(f"{ours.unit} over {theirs.unit} is not a ratio")
    return combined(ours, theirs, "x", lambda one, other: one / other)


def excess(ours: Sample, theirs: Sample) -> Sample:
    """By how many percent ours is more than theirs, round by round."""
    return combined(ours, theirs, "%", lambda one, other: (one / other - 1) * 100)


def difference(ours: Sample, theirs: Sample) -> Sample:
    """Ours less theirs, round by round, in their unit."""
    return combined(ours, theirs, ours.unit, lambda one, other: one - other)
