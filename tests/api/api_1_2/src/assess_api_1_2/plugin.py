"""One check and one subject, by 1.2."""

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

MAX_GREETING = 200
checks = Checks()


@checks.check("api-1-2-greeting")
def greeting(input: ActionInput) -> CheckResult:
    """It says hello to who says the password."""
    secret = input.host.secret("password")
    with input.host.connect("127.0.0.1", input.settings["port"]) as service:
        service.sendall(secret.encode() + b"\n")
        said = service.recv(MAX_GREETING).decode()
    return CheckResult(
        check_id="api-1-2-greeting",
        outcome=Outcome.PASS if said.startswith("hello") else Outcome.FAIL,
        reason=f"it said {said!r} to {secret}",
        expected="hello",
        actual=said,
    )


@hookimpl
def assess_execute(input: ActionInput) -> ActionOutput:
    """One result for each check asked for."""
    return checks.run(input)


@hookimpl
def assess_evaluate(input: EvaluateInput) -> EvaluateResult:
    """This host."""
    return EvaluateResult(subjects=(Subject(id="host:here", type="inventory-item", title=input.runtime),))
