"""Whether something that is looked at again and again grows: the straight line through it, and how sure that is.

Least squares; the error is the slope's standard error, as if samples were independent of each other. Memory is not, so
that a slope within twice its error is certainly noise, and one beyond it not certainly growth.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median


@dataclass(frozen=True, kw_only=True, slots=True)
class Trend:
    """Of one quantity over time.

    Attributes:
        first, last: medians of the first and the last quarter.
        per_hour: the line's slope.
        error: of `per_hour`.
    """

    first: float
    last: float
    per_hour: float
    error: float

    def flat(self, most_per_hour: float) -> bool:
        """Whether it grows by no more than this, or by no more than noise."""
        return self.per_hour <= max(most_per_hour, 0) or self.per_hour <= 2 * self.error


def trend(times_s: Sequence[float], values: Sequence[float]) -> Trend:
    """The line through these.

    Raises:
        ValueError: there are fewer than four, or not as many times as values.
    """
    if len(times_s) != len(values) or len(values) < 4:
        raise ValueError(f"{len(values)} values at {len(times_s)} times: a trend needs four of each")
    hours = [time / 3600 for time in times_s]
    at, level = fmean(hours), fmean(values)
    spread = sum((hour - at) ** 2 for hour in hours)
    slope = sum((hour - at) * (value - level) for hour, value in zip(hours, values, strict=True)) / spread
    left = sum((value - level - slope * (hour - at)) ** 2 for hour, value in zip(hours, values, strict=True))
    quarter = max(1, len(values) // 4)
    return Trend(
        first=median(values[:quarter]),
        last=median(values[-quarter:]),
        per_hour=slope,
        error=math.sqrt(left / (len(values) - 2) / spread),
    )
