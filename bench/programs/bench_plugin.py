"""The plugin that is measured: sixty checks that take as long as a setting says, and eight findings of half a kibibyte.

The same file is packed into a wheel, published and run by a worker, and imported here to be called in-process.
"""

import time
from collections.abc import Callable

from assess_plugin import (
    ActionInput,
    ActionOutput,
    CheckResult,
    EvaluateInput,
    EvaluateResult,
    Outcome,
    Subject,
    hookimpl,
)
from assess_plugin.checks import Checks

CHECKS = tuple(f"check-{number:02}" for number in range(60))
FINDINGS = tuple(f"finding-{number}" for number in range(8))

REASON = "the value in force differs from the one that is written down in the configuration of this machine"
EXPECTED = "one of: " + ", ".join(f"permitted-value-{number}" for number in range(7))
ACTUAL = "found in line 12 of the file, and overridden by a drop-in: " + "value-" * 12

checks = Checks()


def _short(check_id: str) -> Callable[[ActionInput], CheckResult]:
    def check(input: ActionInput) -> CheckResult:
        if input.settings["pause_ms"]:
            time.sleep(input.settings["pause_ms"] / 1000)
        return CheckResult(check_id=check_id, outcome=Outcome.PASS, expected="1", actual="1")

    return check


for name in CHECKS:
    checks.check(name)(_short(name))


def finding(check_id: str) -> CheckResult:
    """A check that has much to say."""
    return CheckResult(check_id=check_id, outcome=Outcome.FAIL, reason=REASON, expected=EXPECTED, actual=ACTUAL)


class Plugin:
    """Runs what was asked for."""

    @hookimpl
    def assess_execute(self, input: ActionInput) -> ActionOutput:
        """One result for each check; findings without the table of checks, whose price the overhead's rows show."""
        if input.checks == FINDINGS:
            return ActionOutput(results=tuple(finding(check_id) for check_id in input.checks))
        return checks.run(input)


class Provider:
    """Knows as many subjects as the selector asks for."""

    @hookimpl
    def assess_evaluate(self, input: EvaluateInput) -> EvaluateResult:
        """`count` subjects."""
        return EvaluateResult(subjects=tuple(subject(number) for number in range(int(input.selector["count"]))))


def subject(number: int) -> Subject:
    """The n-th one."""
    return Subject(id=f"host:{number:03}", type="inventory-item", title=f"host {number}")


plugin = Plugin()
provider = Provider()
