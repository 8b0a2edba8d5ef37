"""One plugin of fifty misbehaves, and goes on doing it: the others keep their latency (p95 within 1.2x).

Figures are those of `python -m bench neighbours`. On a machine that others use they say little: the small variant only
asks that nobody waits for the offender.
"""

import asyncio

import pytest
from bench.neighbours import OFFENCES, noticed
from bench.stats import ratio

from tests.reliability.conftest import FULL, size

MOST = 1.2 if FULL else 3.0
CHOSEN = OFFENCES if FULL else ("floods its output", "stops itself (SIGSTOP)", "hangs in shutdown")


@pytest.mark.parametrize("what", CHOSEN)
def test_the_others_keep_their_latency(what: str) -> None:
    for _ in range(size(1, 3)):  # what others do on this machine passes; who waits for the offender does so each time
        seen = asyncio.run(noticed(*OFFENCES[what], others=size(49, 9), rounds=size(5, 3), seconds=size(6, 2)))
        measured = ratio(seen.beside, seen.without)
        if seen.offences >= 3 and measured.median <= MOST:
            break
    print(f"\n{what}: {seen.offences} times; p95 {seen.without.median:.1f} ms without, {seen.beside.median:.1f} beside")
    assert seen.offences >= 3
    assert measured.median <= MOST, (seen.without, seen.beside)
