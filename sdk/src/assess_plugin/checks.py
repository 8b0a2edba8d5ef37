"""A table of checks, run so that one that breaks does not take the others with it.

checks = Checks()

@checks.check("sysctl-protected-symlinks")
def protected_symlinks(input: ActionInput) -> CheckResult: ...

@hookimpl
def assess_execute(input: ActionInput) -> ActionOutput:
    return checks.run(input)

Tables of several modules become one: `Checks().include(kernel.CHECKS).include(files.CHECKS)`.
"""

from collections.abc import Callable, Iterable
from typing import Self

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

    def include(self, other: "Checks") -> Self:
        """Add all checks that `other` has now, after those that are here; returns this table.

        Raises:
            ValueError: an id is in both tables; nothing was added.
        """
        added = other._functions  # noqa: SLF001  of the same class
        twice = sorted(self._functions.keys() & added.keys())
        if twice:
            raise ValueError(f"two checks have the id {', '.join(map(repr, twice))}")
        self._functions.update(added)
        return self

    def run(self, input: ActionInput) -> ActionOutput:
        """One result for each check of `input.checks` that is in the table; unknown ids are left unreported."""
        return ActionOutput(results=tuple(self._run(input)))

    def _run(self, input: ActionInput) -> Iterable[CheckResult]:
        known = [check_id for check_id in input.checks if check_id in self._functions]
        for done, check_id in enumerate(known):
            input.host.progress(done, len(known), check_id)
            with input.host.attribute(check_id):
                yield _guarded(self._functions[check_id], check_id, input)
        input.host.progress(len(known), len(known))


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
