"""A plugin that tells a secret in every way there is: in its reply, in evidence, in errors, in what it asks for."""

import base64
import sys

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

CHUNK = 512 * 1024
_LEARNT: list[str] = []


@hookimpl
def assess_execute(input: ActionInput) -> ActionOutput:
    value = input.props.get("value") or input.host.secret("db")
    _LEARNT.append(value)
    say = globals()[input.checks[0].replace("-", "_")]
    result = say(input, value)
    return ActionOutput(results=(result or _result(input),))


@hookimpl
def assess_evaluate(input: EvaluateInput) -> EvaluateResult:
    value = str(input.selector.get("value") or (_LEARNT or [""])[0] or input.host.secret("db"))
    labels = {"label": value}
    found = Subject(id=f"host:{value}", type="inventory-item", title=f"title {value}", labels=labels, props=labels)
    return EvaluateResult(subjects=(found,))


def results(input: ActionInput, value: str) -> CheckResult:
    return CheckResult(
        check_id=input.checks[0],
        outcome=Outcome.FAIL,
        reason=f"reason {value}",
        expected=f"expected {base64.b64encode(value.encode()).decode()}",
        actual=f"actual {value.encode().hex()}",
        remediation=f"remediation {value}" * 100,
    )


def setting(input: ActionInput, _: str) -> CheckResult:
    reason = f"set to {input.settings.get('token')}"
    return CheckResult(check_id=input.checks[0], outcome=Outcome.FAIL, reason=reason)


def notices(input: ActionInput, value: str) -> None:
    input.host.log(f"log {value}")
    input.host.progress(1, 2, f"progress {value}")
    input.host.log("flush")


def evidence(input: ActionInput, value: str) -> CheckResult:
    data = b"x" * (CHUNK - 3) + value.encode() + b" " + value.encode("utf-16-le") + b"."
    piece = input.host.evidence("dump", data)
    return CheckResult(check_id=input.checks[0], outcome=Outcome.PASS, evidence=(piece,))


def evidence_name(input: ActionInput, value: str) -> CheckResult:
    try:
        input.host.evidence(f"name {value}", b"")
    except Exception as error:
        return CheckResult(check_id=input.checks[0], outcome=Outcome.ERROR, reason=f"{type(error).__name__}: {error}")
    return _result(input)


def raises(_: ActionInput, value: str) -> None:
    raise ValueError(f"raised {value}")


def unknown_check(_: ActionInput, value: str) -> CheckResult:
    return CheckResult(check_id=f"check {value}", outcome=Outcome.PASS)


def output(_: ActionInput, value: str) -> None:
    sys.stdout.write(f"printed {value}\n")
    sys.stderr.write(f"printed {value}\n")
    raise ValueError("now look at what was printed")


def uses(input: ActionInput, value: str) -> None:
    for ask in (
        lambda: input.host.open(f"/nowhere/{value}"),
        lambda: input.host.run(["echo", value]),
        lambda: input.host.run(["true", value]),
        lambda: input.host.connect(f"{value}.example.org", 80),
    ):
        try:
            ask()
        except Exception as error:
            input.host.log(f"{type(error).__name__}: {error}")


def _result(input: ActionInput) -> CheckResult:
    return CheckResult(check_id=input.checks[0], outcome=Outcome.PASS)
