"""Several assessments that end in errors: what is a bug of ours is raised, and no other is lost."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from assess_core.assessing.fleet import Fleet
from assess_core.assessing.plan import Unrunnable
from assess_core.assessing.recording import Recorder
from assess_core.assessing.side_by_side import assess
from assess_core.assessing.values import Executed
from assess_core.errors import CutShortError, StoreError
from tests.support.scripted import keep_nothing, scripted_context

FULL, CUT, BUG = StoreError("no room"), CutShortError("stopped"), TypeError("a bug")


class Refusing:
    """Fails to record each assessment as it was told to."""

    def __init__(self, errors: dict[str, Exception | None]) -> None:
        self._errors = errors

    keep = staticmethod(keep_nothing)

    async def record(self, executed: Executed, _holds: Callable[[], bool]) -> None:
        error = self._errors[executed.run.assessment]
        if error is not None:
            raise error


def assessed(*errors: Exception | None) -> Any:
    names = {str(number): error for number, error in enumerate(errors)}
    tasks = [Unrunnable(assessment=name, provider="p", problem="not installed") for name in names]
    fleet = Fleet(cast(Any, SimpleNamespace()), lease=cast(Any, None), turns=cast(Any, None))
    return asyncio.run(assess(tasks, fleet=fleet, recorder=cast(Recorder, Refusing(names)), context=scripted_context()))


def test_all_are_there_when_all_were_recorded() -> None:
    assert [run.assessment for run in assessed(None, None).assessments] == ["0", "1"]


@pytest.mark.parametrize(
    ("errors", "raised", "logged"),
    [
        ((None, FULL), FULL, 0),
        ((FULL, BUG), BUG, 1),
        ((BUG, FULL), BUG, 1),
        ((FULL, StoreError("no room")), FULL, 0),
        ((FULL, CUT), FULL, 0),
        ((FULL, StoreError("no right")), FULL, 1),
    ],
    ids=str,
)
def test_a_bug_comes_first_and_what_it_hides_is_logged(
    errors: tuple[Exception | None, ...], raised: Exception, logged: int, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(type(raised)) as caught:
        assessed(*errors)
    assert caught.value is raised
    assert len(caplog.records) == logged
