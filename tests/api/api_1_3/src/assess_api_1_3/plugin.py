"""One check and two subjects, by 1.3."""

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
from assess_plugin.selecting import limited, parse_selector

KNOWN = tuple(
    Subject(id=f"host:{name}", type="inventory-item", title=name, labels={"role": role})
    for name, role in (("one", "web"), ("two", "db"))
)
checks = Checks()


@checks.check("api-1-3-there")
def there(input: ActionInput) -> CheckResult:
    """It is."""
    return CheckResult(check_id="api-1-3-there", outcome=Outcome.PASS, reason=input.subject.id)


@hookimpl
def assess_execute(input: ActionInput) -> ActionOutput:
    """One result for each check asked for."""
    return checks.run(input)


@hookimpl
def assess_evaluate(input: EvaluateInput) -> EvaluateResult:
    """Those of the two that match, and a problem for each id that is neither."""
    selector = parse_selector(input.selector)
    return EvaluateResult(
        subjects=tuple(subject for subject in KNOWN if selector.matches(subject)),
        problems=limited(selector.unknown(KNOWN)),
    )
