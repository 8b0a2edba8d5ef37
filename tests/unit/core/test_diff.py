"""What became of a failure: resolved by a verdict alone, and never better than it is."""

from hypothesis import given, settings
from hypothesis import strategies as st

from assess_core.results import Narrowed, Result, ResultOutcome, Run
from assess_core.results.diff import Change, compare, exit_code
from assess_plugin.models import Subject
from tests.support.results import make_assessment, make_result, make_run

SUBJECTS = {name: Subject(id=name, type="inventory-item", title=name) for name in "ab"}
CLEAR = (ResultOutcome.PASS, ResultOutcome.NOT_APPLICABLE)


def result(subject: str, check: str, outcome: ResultOutcome, severity: str = "medium") -> Result:
    return make_result(check=check, subject=SUBJECTS[subject], outcome=outcome, reason="so it is", severity=severity)


def run(*results: Result, problem: str | None = None, narrowed: Narrowed | None = None) -> Run:
    return make_run(results=results, assessments=(make_assessment(problem=problem, narrowed=narrowed),))


@st.composite
def runs(draw: st.DrawFn) -> Run:
    found = draw(
        st.dictionaries(
            st.tuples(st.sampled_from("ab"), st.sampled_from(["x", "y", "z"])), st.sampled_from(list(ResultOutcome))
        )
    )
    problem = draw(st.none() | st.just("the provider failed"))
    return run(*(result(*key, outcome) for key, outcome in found.items()), problem=problem)


@settings(max_examples=25)
@given(older=runs(), newer=runs())
def test_every_failure_of_either_run_has_one_word_and_the_right_one(older: Run, newer: Run) -> None:
    diff = compare(newer, older)
    said = {each.result.finding_id: each for each in diff.changes}
    then = {each.finding_id: each.outcome for each in older.results}
    now = {each.finding_id: each.outcome for each in newer.results}
    failing = {key for found in (then, now) for key, outcome in found.items() if outcome is ResultOutcome.FAIL}
    assert said.keys() == failing
    assert len(diff.changes) == len(failing)
    for key, each in said.items():
        assert (each.change is Change.RESOLVED) == (then.get(key) is ResultOutcome.FAIL and now.get(key) in CLEAR)
        assert (each.change is Change.NEW) == (
            now.get(key) is ResultOutcome.FAIL and then.get(key) is not ResultOutcome.FAIL
        )
        assert (each.change is Change.UNCHANGED) == (now.get(key) is then.get(key) is ResultOutcome.FAIL)
        if each.change is Change.GONE:
            assert key not in now
            assert all(run.problem is None for run in newer.assessments)
            assert each.result.subject.id not in {one.subject.id for one in newer.results}


@settings(max_examples=25)
@given(older=runs(), newer=runs(), fail_on=st.sampled_from([None, "low", "medium", "high"]))
def test_exit_0_means_that_it_is_complete_and_nothing_new_fails(older: Run, newer: Run, fail_on: str | None) -> None:
    diff = compare(newer, older)
    code = exit_code([diff], fail_on)  # type: ignore[arg-type]
    assert (code == 4) == bool(newer.shortcomings())
    if code == 0:
        assert fail_on in (None, "high") or not diff.of(Change.NEW)


def test_one_incomplete_run_of_several_decides() -> None:
    good = compare(run(result("a", "x", ResultOutcome.PASS)), None)
    new = compare(run(result("a", "x", ResultOutcome.FAIL)), None)
    broken = compare(run(result("a", "x", ResultOutcome.ERROR)), None)
    assert exit_code([good, good], "low") == 0
    assert exit_code([good, new], "low") == 3
    assert exit_code([good, new, broken], "low") == 4
    assert exit_code([good, new], None) == 0


FAIL, PASS = ResultOutcome.FAIL, ResultOutcome.PASS


def words(newer: Run, older: Run) -> dict[tuple[str, str], str]:
    return {(each.result.subject.id, each.result.check): each.change.value for each in compare(newer, older).changes}


def test_what_a_narrowed_run_did_not_ask_is_unknown_and_what_it_asked_is_compared() -> None:
    older = run(result("a", "x", FAIL), result("a", "y", FAIL), result("b", "x", FAIL), result("b", "y", FAIL))
    by_subject = run(result("a", "x", PASS), result("a", "y", FAIL), narrowed=Narrowed(subjects=("a",)))
    assert words(by_subject, older) == {
        ("a", "x"): "resolved", ("a", "y"): "unchanged", ("b", "x"): "unknown", ("b", "y"): "unknown"
    }  # fmt: skip
    by_check = run(result("a", "x", PASS), narrowed=Narrowed(checks=("x*",)))
    assert words(by_check, older) == {
        ("a", "x"): "resolved", ("b", "x"): "gone", ("a", "y"): "unknown", ("b", "y"): "unknown"
    }  # fmt: skip
    (why,) = {each.why for each in compare(by_subject, older).of(Change.UNKNOWN)}
    assert why == "not asked this time: the run was narrowed"
    # the same, and whole
    assert words(run(result("a", "x", PASS), result("a", "y", FAIL)), older)["b", "x"] == "gone"


def test_what_a_narrowed_run_before_did_not_ask_is_not_new_but_counts_as_if_it_were() -> None:
    now = run(result("a", "x", FAIL), result("b", "x", FAIL))
    only_a = run(result("a", "x", PASS), narrowed=Narrowed(subjects=("a",)))
    assert words(now, only_a) == {("a", "x"): "new", ("b", "x"): "unknown"}
    assert words(now, run(result("a", "x", PASS))) == {("a", "x"): "new", ("b", "x"): "new"}
    failed = run(result("a", "x", FAIL), narrowed=Narrowed(subjects=("a",)))
    assert words(now, failed) == {("a", "x"): "unchanged", ("b", "x"): "unknown"}
    assert exit_code([compare(now, failed)], "low") == 3
    assert exit_code([compare(run(result("a", "x", FAIL)), failed)], "low") == 0
