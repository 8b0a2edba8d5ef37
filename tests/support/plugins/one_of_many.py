"""One of many plugins: its checks pass, its provider knows as many subjects as it is asked for, and it can be slow.

With a `gate` set, all but the first two subjects wait until there is a file of that name.
"""

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
        while input.settings["gate"] and input.subject.id > "host:001" and not self._open(input):
            time.sleep(0.1)
        return ActionOutput(
            results=tuple(CheckResult(check_id=check, outcome=Outcome.PASS, actual=VERSION) for check in input.checks)
        )

    def _open(self, input: ActionInput) -> bool:
        try:
            input.host.stat(input.settings["gate"])
        except FileNotFoundError:
            return False
        return True


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
