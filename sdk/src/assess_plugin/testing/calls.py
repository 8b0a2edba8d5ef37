"""One call of a plugin's hook, made and judged as the runtime makes and judges it.

The module or object is registered with a plugin manager of its own, so a hook that lacks its `@hookimpl` is found
here and not by a user.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from assess_plugin import hookspecs
from assess_plugin.api import require_api, require_found_api
from assess_plugin.models import ActionInput, ActionOutput, CheckResult, EvaluateInput, EvaluateResult, Subject
from assess_plugin.testing.recording import RecordingHost

SUBJECT = Subject(id="host:planted", type="inventory-item", title="planted")


def execute(
    plugin: object,
    name: str,
    host: RecordingHost,
    *,
    checks: Sequence[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    subject: Subject = SUBJECT,
) -> dict[str, CheckResult]:
    """The result of each check asked for, by id; all checks of the manifest and its default settings unless given.

    Args:
        plugin: the module or object that the entry point names.
        name: the entry point's name, as the manifest's checks give it.
        host: a host of this kit.
        checks: ids to ask for.
        settings: values that replace defaults of the manifest.
        subject: what to assess.

    Raises:
        AssertionError: the reply is one the runtime would refuse or complete: no `ActionOutput`, or a check that is
            missing, unknown or reported twice.
        ApiError: a result uses a plugin API that the manifest does not ask for.
    """
    asked = tuple(host.manifest.checks.get(name, ()) if checks is None else checks)
    host.begin_call(asked)
    output = _hooks(plugin).assess_execute(
        input=ActionInput(
            subject=subject, checks=asked, settings={**host.manifest.defaults, **(settings or {})}, host=host
        )
    )
    if not isinstance(output, ActionOutput):
        raise AssertionError(f"assess_execute returned {output!r}, not an ActionOutput")
    return judged(output.results, asked, host.manifest.api)


def judged(results: Sequence[CheckResult], asked: Sequence[str], api: str) -> dict[str, CheckResult]:
    """The results by check, if the runtime would take them.

    Raises:
        AssertionError, ApiError: as for `execute`.
    """
    require_api(results, api)
    reported = [result.check_id for result in results]
    if sorted(reported) != sorted(asked):
        missing, unknown = sorted(set(asked) - set(reported)), sorted(set(reported) - set(asked))
        twice = sorted({check_id for check_id in reported if reported.count(check_id) > 1})
        raise AssertionError(f"not reported: {missing}; not asked for: {unknown}; reported twice: {twice}")
    return {result.check_id: result for result in results}


def evaluate(
    provider: object,
    host: RecordingHost,
    *,
    selector: Mapping[str, Any] | None = None,
    runtime: str = "planted",
    labels: Mapping[str, str] | None = None,
) -> tuple[Subject, ...]:
    """The subjects that a provider finds for this selector, all of them.

    Raises:
        AssertionError: the reply is not an `EvaluateResult`, or there are subjects that it could not find; what it says
            of those is in `evaluation(...).problems`.
        ApiError: as for `evaluation`.
    """
    result = evaluation(provider, host, selector=selector, runtime=runtime, labels=labels)
    return complete(result)


def evaluation(
    provider: object,
    host: RecordingHost,
    *,
    selector: Mapping[str, Any] | None = None,
    runtime: str = "planted",
    labels: Mapping[str, str] | None = None,
) -> EvaluateResult:
    """What a provider finds for this selector, and what it says it could not find.

    Raises:
        AssertionError: the reply is not an `EvaluateResult`.
        ApiError: it uses a plugin API that the manifest does not ask for.
    """
    host.begin_call(())
    result = _hooks(provider).assess_evaluate(
        input=EvaluateInput(
            selector=selector or {}, runtime=runtime, labels=labels or {}, settings=host.manifest.defaults, host=host
        )
    )
    if not isinstance(result, EvaluateResult):
        raise AssertionError(f"assess_evaluate returned {result!r}, not an EvaluateResult")
    require_found_api(result.problems, host.manifest.api)
    return result


def complete(result: EvaluateResult) -> tuple[Subject, ...]:
    """Its subjects.

    Raises:
        AssertionError: there are some that it could not find.
    """
    if result.problems:
        raise AssertionError(f"it could not find all: {'; '.join(result.problems)}")
    return result.subjects


def _hooks(plugin: object) -> Any:
    manager = hookspecs.PluggyManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    manager.check_pending()
    return manager.hook
