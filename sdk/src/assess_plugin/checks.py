"""A table of checks, run so that one that breaks does not take the others with it.

checks = Checks()

@checks.check("sysctl-protected-symlinks")
def protected_symlinks(input: ActionInput) -> CheckResult: ...

@hookimpl
def assess_execute(input: ActionInput) -> ActionOutput:
    return checks.run(input)
"""

from collections.abc import Callable, Iterable

from assess_plugin.models import MAX_TEXT, ActionInput, ActionOutput, CheckResult, Denied, Outcome

CheckFunction = Callable[[ActionInput], CheckResult]


class Checks:
    """Check functions by id, in the order in which they were added."""

    def __init__(self) -> None:
        self._functions: dict[str, CheckFunction] = {}

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all checks in the table."""
        return tuple(self._functions)

    def check(self, check_id: str) -> Callable[[CheckFunction], CheckFunction]:
        """Add the decorated function as the check with this id.

        Raises:
            ValueError: the id is in the table already.
        """

        def add(function: CheckFunction) -> CheckFunction:
            if check_id in self._functions:
                raise ValueError(f"two checks have the id {check_id!r}")
            self._functions[check_id] = function
            return function

        return add

    def run(self, input: ActionInput) -> ActionOutput:
        """One result for each check of `input.checks` that is in the table; unknown ids are left unreported."""
        return ActionOutput(results=tuple(self._run(input, input.checks)))

    def _run(self, input: ActionInput, ids: Iterable[str]) -> Iterable[CheckResult]:
        for done, check_id in enumerate(ids):
            function = self._functions.get(check_id)
            if function is None:
                continue
            input.host.progress(done, len(input.checks), check_id)
            with input.host.attribute(check_id):
                yield _guarded(function, check_id, input)


def _guarded(function: CheckFunction, check_id: str, input: ActionInput) -> CheckResult:
    try:
        result = function(input)
    except Denied as error:
        return CheckResult(check_id=check_id, outcome=Outcome.ERROR, reason=_cut(str(error)))
    except PermissionError as error:
        reason = f"{error.filename or 'a file'} may not be read by this user"
        return CheckResult(check_id=check_id, outcome=Outcome.SKIPPED, reason=_cut(reason))
    except Exception as error:  # the boundary this class exists for: one check's bug is one check's error
        reason = f"{type(error).__name__}: {error}"
        return CheckResult(check_id=check_id, outcome=Outcome.ERROR, reason=_cut(reason))
    if type(result) is not CheckResult or result.check_id != check_id:
        return CheckResult(check_id=check_id, outcome=Outcome.ERROR, reason=_cut(f"returned {result!r}"))
    return result


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
