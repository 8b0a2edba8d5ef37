"""The law of the whole: nothing makes a check that did not pass count as a pass, or a run that is not clean exit 0.

Drawn: what each try of each subject comes to (any outcome, any fault, checks left out of the reply), what the provider
finds and fails to find, waivers of that pair, near it, and over, narrowing by check and subject, tries, severities and
`--fail-on`. It goes through `execute`, the journal and every form, by a supervisor without processes.
"""

import csv
import io
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assess_core.assessing.side_by_side import combine
from assess_core.assessing.values import Executed
from assess_core.errors import FaultKind
from assess_core.formats import render
from assess_core.journal import Journal
from assess_core.results import EXIT_CLEAN, SEVERITIES, Result, ResultOutcome, Run, Severity
from assess_core.results.waivers import Waiver, Waivers
from assess_plugin.models import Outcome
from assess_registry.client import CheckSpec
from tests.support.examples import examples
from tests.support.scripted import (
    NOW,
    Found,
    Said,
    Scripted,
    scripted_context,
    scripted_run,
    scripted_task,
    spec,
)

CHECKS = ("check-a", "check-b", "check-c")
SUBJECTS = ("host:a", "host:b")
EXAMPLES = examples(400)

_EACH_ONCE = itertools.count()
"""Runs that differ in nothing else are due at different times, or the journal has them already."""

# Mostly good: what nearly passes is where a pass could be made of what did not.
faults = st.sampled_from(list(FaultKind))
outcomes = st.sampled_from((*[Outcome.PASS] * 6, *[Outcome.FAIL] * 4, *Outcome, None))
replies = st.fixed_dictionaries(dict.fromkeys(CHECKS, outcomes))
tries = st.lists(replies | replies | replies | faults, min_size=1, max_size=3)
founds = st.builds(
    Found,
    subjects=st.sampled_from((SUBJECTS, SUBJECTS, SUBJECTS[:1], ())),
    problems=st.sampled_from(((), (), (), ("line 7 could not be read",))),
)
expires = st.sampled_from((date(2026, 11, 21), date(2026, 11, 22), date(2027, 3, 31)))
known = {"owner": st.just("ops"), "reason": st.just("known"), "expires": expires}
exact = st.builds(Waiver, check=st.sampled_from(CHECKS), subject=st.sampled_from(SUBJECTS), **known)
near = st.builds(
    Waiver,
    check=st.sampled_from(("check-a", "check-*", "*", "check", "Check-a", "")),
    subject=st.sampled_from((*SUBJECTS, "host:*", "*", "host", "HOST:A")),
    **known,
)
of_all = tuple(
    Waiver(check=check, subject=subject, owner="ops", reason="known", expires=date(2027, 3, 31))
    for check in CHECKS
    for subject in SUBJECTS
)
waivers = st.just(of_all) | st.lists(exact | exact | near, max_size=6).map(tuple)


@dataclass(frozen=True, kw_only=True)
class World:
    """Everything that may be different from one run to the next."""

    checks: tuple[CheckSpec, ...]
    found: Sequence[Found | FaultKind]
    said: Mapping[str, Sequence[Said]]
    waivers: tuple[Waiver, ...]
    narrowed: tuple[str, ...]
    retries: int
    caveat: str | None

    def run(self, assessment: str = "host", due_at: datetime = NOW) -> tuple[Executed, Scripted]:
        """What becomes of it, and who was asked for what."""
        script = Scripted(found=self.found, said=self.said)
        task = scripted_task(
            self.checks, assessment=assessment, subjects=self.narrowed, retries=self.retries, caveat=self.caveat
        )
        return scripted_run(script, task, scripted_context(waivers=Waivers(self.waivers)), due_at=due_at), script


@st.composite
def worlds(draw: st.DrawFn) -> World:
    names = draw(st.lists(st.sampled_from(CHECKS), min_size=1, unique=True))
    return World(
        checks=tuple(spec(name, draw(st.sampled_from(SEVERITIES))) for name in names),
        found=draw(st.lists(founds | founds | founds | faults, min_size=1, max_size=2)),
        said={name: draw(tries) for name in SUBJECTS},
        waivers=draw(waivers),
        narrowed=draw(st.sampled_from(((), (), ("host:a",), ("host:none",)))),
        retries=draw(st.integers(0, 3)),
        caveat=draw(st.sampled_from((None, None, None, "assessed with 1.0, not with what is asked for"))),
    )


def whole(executed: Executed) -> Run:
    return combine("web-01", [executed], started_at=NOW, ended_at=NOW)


def word(said: Said, check: str) -> str:
    """What one try says of one check, in the words of results."""
    if isinstance(said, FaultKind):
        return "timeout" if said is FaultKind.TIMEOUT else "error"
    return (said[check] or Outcome.ERROR).value


def laws(world: World, executed: Executed, script: Scripted, fail_on: Severity | None) -> None:
    run = whole(executed)
    seen = {(result.subject.id, result.check): result for result in executed.results}
    subjects = {result.subject.id for result in executed.results}
    asked = {(name, check.id) for name in subjects for check in world.checks}
    assert len(seen) == len(executed.results), "one result each"
    assert set(seen) == asked, "each check of each subject has one"
    for (name, check), result in seen.items():
        mine = [index for index, checks in enumerate(script.asked[name]) if check in checks]
        words = [word(world.said[name][min(index, len(world.said[name]) - 1)], check) for index in mine]
        assert result.outcome.value == words[-1], "the last word that was given"
        assert set(words[:-1]) <= {"error", "timeout"}, "what was answered was not asked again"
        assert (result.attempts, len(result.earlier)) == (len(words), len(words) - 1)
        assert len(words) <= world.retries + 1
    counted = run.counts[ResultOutcome.PASS]
    assert counted == sum(result.outcome is ResultOutcome.PASS for result in seen.values())
    if run.exit_code(fail_on) == EXIT_CLEAN:
        last = world.found[min(script.evaluated, len(world.found)) - 1]
        assert isinstance(last, Found), "the provider answered"
        assert not last.problems, "with all there is"
        assert world.caveat is None
        assert subjects == {name for name in last.subjects if not world.narrowed or name in world.narrowed}
        assert any(result.outcome in {"pass", "fail"} for result in seen.values()), "something was found out"
        assert not any(result.outcome in {"error", "timeout"} for result in seen.values())
        assert not any(_counts(result, fail_on) for result in seen.values()), "a failure, waived or not, is none"


def _counts(result: Result, fail_on: Severity | None) -> bool:
    return (
        fail_on is not None
        and result.outcome == "fail"
        and SEVERITIES.index(result.severity) >= SEVERITIES.index(fail_on)
    )


@given(world=worlds(), fail_on=st.none() | st.sampled_from(SEVERITIES))
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_pass_is_made_and_no_zero(world: World, fail_on: Severity | None) -> None:
    executed, script = world.run()
    laws(world, executed, script, fail_on)


@given(world=worlds(), fail_on=st.none() | st.sampled_from(SEVERITIES))
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_waivers_change_what_is_said_of_failures_and_nothing_else(world: World, fail_on: Severity | None) -> None:
    with_, without = whole(world.run()[0]), whole(replace(world, waivers=()).run()[0])
    assert with_.counts == without.counts
    assert with_.exit_code(fail_on) == without.exit_code(fail_on)
    assert tuple(replace(result, waiver=None) for result in with_.results) == without.results
    for result in with_.results:
        its = [each for each in world.waivers if each.pair == (result.check, result.subject.id)]
        holds = bool(its) and its[-1].expires >= NOW.date()
        assert (result.waiver is not None) is (holds and result.outcome == "fail")


@given(world=worlds(), kept=st.lists(st.sampled_from(CHECKS), min_size=1, unique=True))
@settings(max_examples=EXAMPLES // 2, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_looking_at_less_finds_no_more_passes(world: World, kept: list[str]) -> None:
    """Without retries: a try that asks for less may well come to something else."""
    world = replace(world, retries=0)
    fewer = tuple(check for check in world.checks if check.id in kept)
    if not fewer:
        return
    all_, some = (whole(each.run()[0]) for each in (world, replace(world, checks=fewer)))
    passes = {result.finding_id for result in all_.results if result.outcome == "pass"}
    assert {result.finding_id for result in some.results if result.outcome == "pass"} <= passes
    if not world.narrowed:
        narrow = whole(replace(world, narrowed=("host:a",)).run()[0])
        assert {result.finding_id for result in narrow.results if result.outcome == "pass"} <= passes


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    with Journal.open(tmp_path_factory.mktemp("law") / "journal.db") as journal:
        yield journal


@given(drawn=st.lists(worlds(), min_size=1, max_size=3), fail_on=st.none() | st.sampled_from(SEVERITIES))
@settings(max_examples=EXAMPLES // 4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_journal_and_every_form_say_the_same(
    journal: Journal, drawn: list[World], fail_on: Severity | None
) -> None:
    due_at = NOW + timedelta(microseconds=next(_EACH_ONCE))
    done = [world.run(f"number-{index}", due_at)[0] for index, world in enumerate(drawn)]
    for executed in done:
        journal.record(executed.run, executed.results, {})
        assert journal.results(executed.run.run_id) == executed.results
    run = combine("web-01", done, started_at=NOW, ended_at=NOW)
    passes = run.counts[ResultOutcome.PASS]
    assert json_says(render("json", run, fail_on=fail_on)) == (passes, run.exit_code(fail_on))
    assert table_says(render("table", run, fail_on=fail_on, width=200)) == (passes, run.exit_code(fail_on))
    satisfied = {result.finding_id for result in run.results if result.outcome in {"pass", "not-applicable"}} - {
        result.finding_id for result in run.results if result.outcome not in {"pass", "not-applicable"}
    }
    assert oscal_says(render("oscal", run, fail_on=fail_on)) <= satisfied
    for form, says in OTHERS.items():
        said, is_green = says(render(form, run, fail_on=fail_on))
        assert said == passes, f"{form} tells of another number of passes"
        assert not (is_green and run.exit_code(None) != EXIT_CLEAN), f"{form} is green, and the run is incomplete"


def jsonl_says(text: str) -> tuple[int, bool]:
    """How many passes it tells of, and whether it holds nothing else that keeps a run from being clean."""
    head, *results = map(json.loads, text.splitlines())
    return sum(each["outcome"] == "pass" for each in results), head["run"]["exit"] == EXIT_CLEAN


def csv_says(text: str) -> tuple[int, bool]:
    words = [row["outcome"] for row in csv.DictReader(io.StringIO(text))]
    return words.count("pass"), not {"incomplete", "error", "timeout"} & set(words)


def junit_says(text: str) -> tuple[int, bool]:
    cases = list(Xml.fromstring(text).iter("testcase"))
    tags = [{child.tag for child in case} & {"failure", "error", "skipped"} for case in cases]
    return tags.count(set()), not any("error" in each for each in tags)


def sarif_says(text: str) -> tuple[int, bool]:
    (run,) = json.loads(text)["runs"]
    return sum(each["kind"] == "pass" for each in run["results"]), run["invocations"][0]["executionSuccessful"]


def ocsf_says(text: str) -> tuple[int, bool]:
    words = [json.loads(line)["compliance"] for line in text.splitlines()]
    incomplete = any(each["control"] == "complete-run" for each in words)
    return sum(each["status"] == "Pass" for each in words), not incomplete


OTHERS: Mapping[str, Callable[[str], tuple[int, bool]]] = {
    "jsonl": jsonl_says,
    "csv": csv_says,
    "junit": junit_says,
    "sarif": sarif_says,
    "ocsf": ocsf_says,
}


def json_says(text: str) -> tuple[int, int]:
    document = json.loads(text)
    passes = [each for each in document["results"] if each["outcome"] == "pass"]
    assert document["run"]["counts"]["pass"] == len(passes)
    return len(passes), document["run"]["exit"]


def table_says(text: str) -> tuple[int, int]:
    (counted,) = re.findall(r"^(\d+) pass, ", text, re.MULTILINE)
    assert int(counted) == len(re.findall(r"^  pass ", text, re.MULTILINE))
    (code,) = re.findall(r"^exit (\d): ", text, re.MULTILINE)
    return int(counted), int(code)


def oscal_says(text: str) -> set[str]:
    (result,) = json.loads(text)["assessment-results"]["results"]
    findings = result.get("findings", [])
    return {each["uuid"] for each in findings if each["target"]["status"]["state"] == "satisfied"}
