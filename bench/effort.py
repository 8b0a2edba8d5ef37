"""How often things are repeated: enough for a figure, or just enough to see that it works."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter


@dataclass(frozen=True, kw_only=True, slots=True)
class Effort:
    """`quick` is for the smoke test, whose figures mean nothing."""

    quick: bool = False

    def of(self, full: int, quick: int) -> int:
        """The one number or the other."""
        return quick if self.quick else full


def seconds(work: Callable[[], object]) -> float:
    """How long this takes, by the wall."""
    started = perf_counter()
    work()
    return perf_counter() - started
