"""One check and one subject, by 1.0."""

from assess_plugin import (
    ActionInput,
    ActionOutput,
    CheckResult,
    Checks,
    EvaluateInput,
    EvaluateResult,
    Outcome,
    Subject,
    hookimpl,
)

OTHERS_WRITE = 0o002
checks = Checks()


@checks.check("api-1-0-shared-file")
def shared_file(input: ActionInput) -> CheckResult:
    """Nobody else can write it."""
    path = input.settings["path"]
    mode = input.host.stat(path).mode & 0o7777
    return CheckResult(
        check_id="api-1-0-shared-file",
        outcome=Outcome.FAIL if mode & OTHERS_WRITE else Outcome.PASS,
        reason=f"{path} has mode {mode:o}",
        expected="no right to write for others",
        actual=f"{mode:o}",
    )


@hookimpl
def assess_execute(input: ActionInput) -> ActionOutput:
    """One result for each check asked for."""
    return checks.run(input)


@hookimpl
def assess_evaluate(input: EvaluateInput) -> EvaluateResult:
    """This host."""
    return EvaluateResult(subjects=(Subject(id="host:here", type="inventory-item", title=input.runtime),))
