"""Checks: one that breaks does not take the others with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from assess_plugin import ActionInput, CheckResult, Checks, Denied, Outcome, Subject
from assess_plugin.models import MAX_TEXT


class Host:
    """Remembers which check was attributed what progress was told."""

    def __init__(self) -> None:
        self.attributed: list[str] = []
        self.told: list[tuple[int, int, str]] = []

    @contextmanager
    def attribute(self, check_id: str) -> Iterator[None]:
        self.attributed.append(check_id)
        yield

    def progress(self, done: int, total: int, note: str = "") -> None:
        self.told.append((done, total, note))


def run(checks: Checks, *ids: str, host: Any = None) -> list[CheckResult]:
    subject = Subject(id="a", type="component", title="a")
    return list(checks.run(ActionInput(subject=subject, checks=ids, host=cast(Any, host or Host()))).results)


def table(function: Any) -> Checks:
    checks = Checks()
    checks.check("broken")(function)
    checks.check("sound")(lambda _: CheckResult(check_id="sound", outcome=Outcome.PASS))
    return checks


def raising(error: BaseException) -> Any:
    def function(input: ActionInput) -> CheckResult:
        raise error

    return function


@pytest.mark.parametrize(
    ("function", "outcome", "reason"),
    [
        (raising(ValueError("no")), Outcome.ERROR, "ValueError: no"),
        (raising(RecursionError()), Outcome.ERROR, "RecursionError: "),
        (raising(Denied("add it")), Outcome.ERROR, "add it"),
        (raising(PermissionError(13, "no", "/x")), Outcome.SKIPPED, "/x may not be read by this user"),
        (raising(FileNotFoundError(2, "no", "/x")), Outcome.ERROR, "FileNotFoundError: [Errno 2] no: '/x'"),
        (lambda _: None, Outcome.ERROR, "returned None"),
        (lambda _: True, Outcome.ERROR, "returned True"),
        (raising(ValueError("x" * 9999)), Outcome.ERROR, "ValueError: " + "x" * (MAX_TEXT - 13) + "…"),
    ],
)
def test_a_broken_check_is_its_own_result_and_the_next_one_runs(function: Any, outcome: Outcome, reason: str) -> None:
    broken, sound = run(table(function), "broken", "sound")
    assert (broken.check_id, broken.outcome, broken.reason) == ("broken", outcome, reason)
    assert sound.outcome is Outcome.PASS


def test_a_check_may_speak_for_itself_only() -> None:
    (stolen,) = run(table(lambda _: CheckResult(check_id="sound", outcome=Outcome.PASS)), "broken")
    assert (stolen.check_id, stolen.outcome) == ("broken", Outcome.ERROR)


def test_only_what_is_asked_for_runs_in_that_order_attributed_and_told() -> None:
    host = Host()
    results = run(table(raising(AssertionError("ran"))), "sound", "unheard-of", host=host)
    assert [result.check_id for result in results] == ["sound"]
    assert host.attributed == ["sound"]
    assert host.told == [(0, 1, "sound"), (1, 1, "")]


def test_progress_ends_when_all_is_done() -> None:
    host = Host()
    run(table(raising(ValueError())), "sound", "broken", host=host)
    assert host.told == [(0, 2, "sound"), (1, 2, "broken"), (2, 2, "")]


def test_tables_are_combined_in_order_and_keep_to_themselves() -> None:
    first, second = Checks(), table(raising(ValueError()))
    first.check("first")(lambda _: CheckResult(check_id="first", outcome=Outcome.PASS))
    both = Checks().include(first).include(second)
    assert both.ids == ("first", "broken", "sound")
    assert (first.ids, second.ids) == (("first",), ("broken", "sound"))
    assert [result.check_id for result in run(both, "sound", "first")] == ["sound", "first"]


def test_tables_that_share_an_id_are_not_combined() -> None:
    first, second = Checks(), table(raising(ValueError()))
    first.check("sound")(lambda _: CheckResult(check_id="sound", outcome=Outcome.PASS))
    with pytest.raises(ValueError, match="two checks have the id 'sound'"):
        first.include(second)
    assert first.ids == ("sound",)


def test_an_interrupt_is_nobodys_result() -> None:
    with pytest.raises(KeyboardInterrupt):
        run(table(raising(KeyboardInterrupt())), "broken", "sound")


def test_one_id_one_check() -> None:
    checks = table(raising(ValueError()))
    assert checks.ids == ("broken", "sound")
    with pytest.raises(ValueError, match="two checks have the id 'sound'"):
        checks.check("sound")(raising(ValueError()))
