"""What changed between two runs of an assessment: what fails now and did not, what is resolved, and what nobody knows.

Pure. A failure is resolved by a pass or `not-applicable` and by nothing else: an error, a timeout, a check that was
skipped or not asked says nothing of the subject, and what is unknown is never shown as better.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from assess_core.results.values import EXIT_CLEAN, EXIT_FINDINGS, EXIT_INCOMPLETE, Result, ResultOutcome, Run, Severity
from assess_core.results.values import severity_rank as rank

_CLEAR = frozenset((ResultOutcome.PASS, ResultOutcome.NOT_APPLICABLE))


class Change(StrEnum):
    """What became of a check on a subject that failed before, or fails now."""

    NEW = "new"
    RESOLVED = "resolved"
    UNCHANGED = "unchanged"
    UNKNOWN = "unknown"
    GONE = "gone"


@dataclass(frozen=True, kw_only=True, slots=True)
class Changed:
    """One check on one subject, before and now.

    Attributes:
        change: what became of it.
        before: what it ended as before; None where there was no result.
        now: what it ended as now; None where there was none.
        result: the newer result, or the older where there is none.
        why: what makes it unknown or gone; the newer result's reason otherwise.
    """

    change: Change
    before: ResultOutcome | None
    now: ResultOutcome | None
    result: Result
    why: str

    @property
    def may_be_new(self) -> bool:
        """It fails now, and nobody knows that it did before."""
        return self.change is Change.NEW or (self.change is Change.UNKNOWN and self.now is ResultOutcome.FAIL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Diff:
    """One assessment, then and now.

    Attributes:
        older: the run that was compared with; None when there was none, and then everything that fails is new.
        shortcomings: why the newer run is incomplete; nothing when it is complete.
    """

    newer: Run
    older: Run | None
    changes: tuple[Changed, ...]

    @property
    def shortcomings(self) -> tuple[str, ...]:
        """Why the newer run is incomplete, a sentence each."""
        return self.newer.shortcomings()

    def of(self, change: Change) -> tuple[Changed, ...]:
        """All that became this."""
        return tuple(each for each in self.changes if each.change is change)


def compare(newer: Run, older: Run | None) -> Diff:
    """What became of each failure of either run; by rising change, then as the runs have it.

    Args:
        newer: of one assessment.
        older: of the same one, or None if there is nothing to compare with.
    """
    before = _by_finding(older.results if older else ())
    now = _by_finding(newer.results)
    changes = [
        _changed(before.get(key), result, was_asked=older is None or _asked(older, result))
        for key, result in now.items()
    ]
    subjects = {result.subject.id for result in newer.results}
    changes += [_absent(result, newer, subjects) for key, result in before.items() if key not in now]
    order = list(Change)
    found = [each for each in changes if each is not None]
    return Diff(newer=newer, older=older, changes=tuple(sorted(found, key=lambda each: order.index(each.change))))


def exit_code(diffs: Iterable[Diff], fail_on: Severity | None) -> int:
    """4 if a newer run is incomplete, which outranks 3: something new at or above `fail_on`; else 0.

    What fails and may be new counts as new.
    """
    diffs = tuple(diffs)
    if any(diff.shortcomings for diff in diffs):
        return EXIT_INCOMPLETE
    new = [each.result for diff in diffs for each in diff.changes if each.may_be_new]
    if fail_on is not None and any(rank(result.severity) >= rank(fail_on) for result in new):
        return EXIT_FINDINGS
    return EXIT_CLEAN


def _by_finding(results: Iterable[Result]) -> Mapping[str, Result]:
    return {result.finding_id: result for result in results}


def _asked(run: Run, result: Result) -> bool:
    """Whether that run was asked for the check of this result on its subject."""
    return all(each.narrowed is None or each.narrowed.asks(result.subject.id, result.check) for each in run.assessments)


def _changed(before: Result | None, now: Result, *, was_asked: bool) -> Changed | None:
    """What became of a check that was asked now; None of what failed at neither time."""
    failed = before is not None and before.outcome is ResultOutcome.FAIL
    was = before.outcome if before is not None else None
    why = now.reason
    if now.outcome is ResultOutcome.FAIL:
        change = Change.UNCHANGED if failed else Change.NEW
        if before is None and not was_asked:
            change, why = Change.UNKNOWN, "it fails, and was not asked before: that run was narrowed"
    elif not failed:
        return None
    else:
        change = Change.RESOLVED if now.outcome in _CLEAR else Change.UNKNOWN
    return Changed(change=change, before=was, now=now.outcome, result=now, why=why)


def _absent(before: Result, newer: Run, subjects: Collection[str]) -> Changed | None:
    """What became of a failure of which there is no result now."""
    if before.outcome is not ResultOutcome.FAIL:
        return None
    if not _asked(newer, before):
        change, why = Change.UNKNOWN, "not asked this time: the run was narrowed"
    elif before.subject.id in subjects:
        change, why = Change.UNKNOWN, "this check was not asked this time"
    elif any(run.problem is not None for run in newer.assessments):
        change, why = Change.UNKNOWN, "this subject was not found this time, and the run had a problem"
    else:
        change, why = Change.GONE, "this subject was not found this time"
    return Changed(change=change, before=before.outcome, now=None, result=before, why=why)
