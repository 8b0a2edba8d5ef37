"""How nice a worker's threads are made: the arithmetic alone."""

import pytest

from assess_core.host.limits.share import nice_of

WEIGHTS = {5: 335, 9: 137, 12: 70, 15: 36, 18: 18, 19: 15}
"""What the kernel's scheduler gives each nice value (sched_prio_to_weight)."""


@pytest.mark.parametrize(("threads", "nice"), [(1, 5), (2, 9), (4, 12), (8, 15), (16, 18)])
def test_many_threads_weigh_no_more_than_one(threads: int, nice: int) -> None:
    assert nice_of(threads, 5) == nice
    assert threads * WEIGHTS[nice] <= WEIGHTS[5]


@pytest.mark.parametrize(("threads", "first", "nice"), [(0, 5, 5), (64, 5, 19), (4, 19, 19), (1, -20, -20)])
def test_it_is_never_nicer_than_the_nicest_nor_less_nice_than_at_first(threads: int, first: int, nice: int) -> None:
    assert nice_of(threads, first) == nice
