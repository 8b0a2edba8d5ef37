"""What is said of a run in words, the same in every form: its exit code, what it was narrowed to, waivers, retries."""

from collections.abc import Iterator

from assess_core.results import (
    EXIT_FINDINGS,
    EXIT_INCOMPLETE,
    Result,
    ResultOutcome,
    Run,
    Severity,
    WaiverRef,
    WaiverStanding,
)
from assess_registry.client import plain


def explain(run: Run, fail_on: Severity | None) -> str:
    """What the exit code of this run means, in one sentence."""
    code = run.exit_code(fail_on)
    failed = run.counts[ResultOutcome.FAIL]
    if code == EXIT_INCOMPLETE:
        return f"exit {code}: incomplete, so what passed is not the whole answer"
    if code == EXIT_FINDINGS:
        return f"exit {code}: {number(len(run.findings(fail_on)), 'finding')} of severity {fail_on} or above"
    if not failed:
        return f"exit {code}: complete, and nothing failed"
    if fail_on is None:
        return f"exit {code}: complete; {number(failed, 'check')} failed, which --fail-on none does not count"
    return f"exit {code}: complete; {number(failed, 'check')} failed, none of severity {fail_on} or above"


def narrowed_lines(run: Run) -> Iterator[str]:
    """What the run says nothing of, because nobody asked."""
    for each in run.assessments:
        if each.narrowed is not None:
            yield f"{plain(each.assessment)} was narrowed to {plain(str(each.narrowed))}; the rest was not asked"


def waiver_line(waiver: WaiverRef) -> str:
    """Who answers for a failure, until when and why, on one line; it says that it is a failure all the same."""
    return f"waived until {waiver.expires} by {plain(waiver.owner)}, and still a failure: {plain(waiver.reason)}"


def waived_line(run: Run) -> str:
    """How many of those that failed somebody answers for."""
    are = "is waived, and a failure" if run.waived == 1 else "are waived, and failures"
    return f"{run.waived} of {number(run.counts[ResultOutcome.FAIL], 'failure')} {are} all the same"


def waiver_lines(run: Run) -> Iterator[str]:
    """Those that somebody has to look at."""
    return filter(None, map(waiver_reminder, run.waivers))


def waiver_reminder(standing: WaiverStanding) -> str:
    """Why somebody has to look at it, and what to do; empty where nobody has to."""
    what = f"waiver of {plain(standing.check)} on {plain(standing.subject)} ({plain(standing.waiver.owner)})"
    match standing.state:
        case "expiring":
            return f"{what} ends after {standing.waiver.expires}: renew it, or mend what it is about"
        case "expired":
            return f"{what} ended after {standing.waiver.expires}: renew it, or `assess waive remove`"
        case "unused":
            return f"{what} is not needed: nothing failed there; `assess waive remove`"
        case "active":
            return ""


def tries_line(result: Result) -> str:
    """How often it was asked for, and what came of it before; empty where the first answer counts."""
    if not result.earlier:
        return ""
    return f"asked {result.attempts} times; before: {'; '.join(dict.fromkeys(map(plain, result.earlier)))}"


def number(count: int, noun: str) -> str:
    """So many of them, in the plural but for one."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
