"""One of many plugins: its checks pass, its provider knows as many subjects as it is asked for, and it can be slow."""

import time

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

VERSION = "1.0.0"


class Plugin:
    @hookimpl
    def assess_execute(self, input: ActionInput) -> ActionOutput:
        if pause_ms := input.settings["pause_ms"]:
            time.sleep(pause_ms / 1000)
        return ActionOutput(
            results=tuple(CheckResult(check_id=check, outcome=Outcome.PASS, actual=VERSION) for check in input.checks)
        )


class Provider:
    @hookimpl
    def assess_evaluate(self, input: EvaluateInput) -> EvaluateResult:
        return EvaluateResult(
            subjects=tuple(
                Subject(id=f"host:{number:03}", type="inventory-item", title=f"host {number}")
                for number in range(int(input.selector.get("count", 1)))
            )
        )


plugin = Plugin()
provider = Provider()
