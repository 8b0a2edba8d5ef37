"""Which answers may be asked again, and after how long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assess_core.assessing.repeating import MAX_WAIT_S, is_open, may_repeat, wait_s
from assess_core.errors import FaultKind, PluginFault
from assess_core.results import ResultOutcome


@pytest.mark.parametrize(
    ("kind", "again"),
    [
        (FaultKind.RAISED, True),
        (FaultKind.TIMEOUT, True),
        (FaultKind.EXITED, True),
        (FaultKind.SIGNALLED, True),
        (FaultKind.PROTOCOL, False),
        (FaultKind.START, True),
        (FaultKind.REPLY, False),
        (FaultKind.LIMIT, True),
        (FaultKind.STOPPED, False),
        (FaultKind.QUARANTINED, False),
        (FaultKind.REVOKED, False),
    ],
)
def test_what_another_try_would_only_repeat_is_final(kind: FaultKind, *, again: bool) -> None:
    assert may_repeat(PluginFault("it failed", plugin="demo", phase="execute", kind=kind)) is again


def test_every_kind_of_fault_is_judged_above() -> None:
    (mark,) = test_what_another_try_would_only_repeat_is_final.pytestmark  # type: ignore[attr-defined]
    assert {kind for kind, _ in mark.args[1]} == set(FaultKind)


@pytest.mark.parametrize("outcome", list(ResultOutcome))
def test_only_errors_and_timeouts_are_open(outcome: ResultOutcome) -> None:
    assert is_open(outcome, "it broke") is (outcome in (ResultOutcome.ERROR, ResultOutcome.TIMEOUT))
    assert not is_open(outcome, "not reported")


@given(retry=st.integers(1, 5), after=st.floats(0.001, MAX_WAIT_S), luck=st.floats(0, 1, exclude_max=True))
def test_waits_double_give_or_take_half_and_end_at_an_hour(retry: int, after: float, luck: float) -> None:
    plain = min(after * [1, 2, 4, 8, 16][retry - 1], 3600)
    assert plain / 2 <= wait_s(retry, after, lambda: luck) <= plain * 1.5
    assert wait_s(retry, after, lambda: 0.5) == plain
