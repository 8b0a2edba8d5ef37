"""What comes first: the worst."""

from assess_core.results import Result, ResultOutcome, severity_rank

_WORST_FIRST = (
    ResultOutcome.ERROR,
    ResultOutcome.TIMEOUT,
    ResultOutcome.FAIL,
    ResultOutcome.SKIPPED,
    ResultOutcome.NOT_APPLICABLE,
    ResultOutcome.PASS,
)
"""As exit codes rank them: what was not answered outranks a bad answer."""

_RANK = {outcome: rank for rank, outcome in enumerate(_WORST_FIRST)}


def worst_first(result: Result) -> tuple[int, int, str]:
    """A sort key: by outcome, then by severity, then by check."""
    return _RANK[result.outcome], -severity_rank(result.severity), result.check
