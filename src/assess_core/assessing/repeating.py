"""Asking again: what an error or a timeout leaves open may be asked once more within the run. Findings never.

A check that said pass, fail, skipped or not-applicable has spoken; asking it again until the answer is better would
make a pass of a failure. So a repetition asks only for the checks of a subject that ended in an error or a timeout, and
only where another try can come to something else: not a reply that breaks the contract, nor a plugin that may not run.

Waits are as long as the configuration says, twice as long before each further try, an hour at most, give or take half:
runtimes that failed together are not to come back together.
"""

from collections.abc import Callable

from assess_core.errors import FaultKind, PluginFault
from assess_core.host import NOT_REPORTED
from assess_core.results import BROKEN, ResultOutcome

MAX_WAIT_S = 3600.0

FINAL = frozenset((FaultKind.PROTOCOL, FaultKind.REPLY, FaultKind.STOPPED, FaultKind.QUARANTINED, FaultKind.REVOKED))
"""Faults that another try would only repeat, or must not be tried again."""


def may_repeat(fault: PluginFault) -> bool:
    """Whether what failed in this way may be asked again."""
    return fault.kind not in FINAL


def is_open(outcome: ResultOutcome, reason: str) -> bool:
    """Whether a check that came to this may be asked again; one that a complete reply leaves out has been answered."""
    return outcome in BROKEN and reason != NOT_REPORTED


def wait_s(retry: int, retry_after_s: float, random: Callable[[], float]) -> float:
    """Seconds before the retry of this number, the first of which is 1.

    Args:
        retry: counts from 1.
        retry_after_s: before the first one, give or take half.
        random: from 0 to below 1.
    """
    return min(retry_after_s * 2.0 ** (retry - 1), MAX_WAIT_S) * (0.5 + random())
