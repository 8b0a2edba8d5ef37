"""One run in every form: valid, harmless, and never better than it was."""

import json
import re
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assess_core.formats import FORMATS, json_document, render, table
from assess_core.formats.layout import columns, wrap
from assess_core.results import SEVERITIES, Narrowed, Result, ResultOutcome, Run, Severity, WaitingVersion, WaiverState
from assess_plugin.models import Subject
from tests.support.results import (
    WAIVER,
    hostile_run,
    make_assessment,
    make_result,
    make_run,
    make_standing,
    outcomes,
    results_of,
    runs,
)

ODD_TEXT = st.text(st.characters(codec=None) | st.sampled_from("\x1b\x9b\u202e\ud800\r\n\t<[|`"), max_size=12)
FAIL_ON = st.sampled_from([None, *SEVERITIES])
ANSI = re.compile(r"\x1b\[[0-9]+m")


def every_outcome() -> Run:
    results = tuple(
        make_result(check=f"check-{outcome.value}", outcome=outcome, reason=f"reason of {outcome.value}", actual="0")
        for outcome in ResultOutcome
    )
    return make_run(results=results)


@st.composite
def odd_runs(draw: st.DrawFn) -> Run:
    """A run in which every text that comes from outside is odd."""
    result = replace(
        draw(results_of("one", "check-a")),
        title=draw(ODD_TEXT),
        reason=draw(ODD_TEXT) + "x",
        actual=draw(st.none() | ODD_TEXT),
        remediation=draw(ODD_TEXT),
        controls=tuple(draw(st.lists(ODD_TEXT, max_size=2))),
        subject=Subject(id="host:a", type=draw(st.sampled_from(["component", "user"])), title=draw(ODD_TEXT)),
        provenance=({draw(ODD_TEXT): draw(st.floats() | ODD_TEXT | st.integers())},),
    )
    problem = draw(st.none() | ODD_TEXT.map(lambda text: text + "x"))
    return make_run(results=(result,), assessments=(make_assessment(assessment="one", problem=problem),))


@settings(max_examples=20, deadline=None)
@given(runs() | odd_runs(), FAIL_ON)
def test_every_form_renders_every_run_as_printable_lines(run: Run, fail_on: Severity | None) -> None:
    for form in FORMATS:
        text = render(form, run, fail_on=fail_on)
        assert text == render(form, run, fail_on=fail_on)
        assert text.endswith("\n")
        assert all(line.isprintable() for line in text.split("\n"))
        assert text.encode()


def test_forms_that_do_not_exist_are_refused() -> None:
    with pytest.raises(
        ValueError, match="'yaml' is not one of table, json, jsonl, oscal, sarif, junit, ocsf, csv, html"
    ):
        render("yaml", make_run(), fail_on=None)


# ---- json


@settings(max_examples=20, deadline=None)
@given(runs() | odd_runs(), FAIL_ON)
def test_json_is_one_valid_document_with_the_runs_own_words(run: Run, fail_on: Severity | None) -> None:
    text = json_document.render(run, fail_on=fail_on)
    assert text.isascii()
    document = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert document["run"]["exit"] == run.exit_code(fail_on)
    assert document["run"]["counts"] == {outcome.value: run.counts[outcome] for outcome in ResultOutcome}
    assert [entry["outcome"] for entry in document["results"]] == [result.outcome for result in run.results]
    assert json.dumps(document).encode()  # no lone surrogate is left


def test_json_keeps_what_json_can_hold_and_says_what_it_cannot() -> None:
    odd: dict[str, Any] = {
        "a": float("nan"),
        "b": 10**5000,
        "c": ["\ud800x", (1, None, True)],
        "d": 2**62,
        "e": "é\x1b",
    }
    document = json.loads(json_document.render(make_run(results=(make_result(provenance=(odd,)),)), fail_on=None))
    assert document["results"][0]["provenance"] == [
        {"a": "nan", "b": hex(10**5000), "c": ["\ufffdx", [1, None, True]], "d": 2**62, "e": "é\x1b"}
    ]


# ---- table


def _table(run: Run, fail_on: Severity | None = "low", **options: Any) -> list[str]:
    return table.render(run, fail_on=fail_on, **options).splitlines()


def test_the_worst_comes_first() -> None:
    lines = _table(every_outcome())
    assert lines[0] == "host:web-01"
    shown = [line.split()[0] for line in lines if line.startswith("  ") and not line.startswith("   ")]
    assert shown == ["error", "timeout", "fail", "skipped", "not-applicable", "pass"]
    ranked = [make_result(check=s, severity=s, outcome=ResultOutcome.FAIL) for s in SEVERITIES]
    assert [line.split()[1] for line in _table(make_run(results=tuple(ranked))) if line.startswith("  fail")] == [
        *reversed(SEVERITIES)
    ]


def test_subjects_are_grouped_and_the_worst_of_them_comes_first() -> None:
    good, bad = (Subject(id=f"host:{name}", type="inventory-item", title=f"the {name} one") for name in ("a", "b"))
    results = (
        make_result(subject=good),
        make_result(subject=bad, outcome=ResultOutcome.FAIL),
        make_result(subject=good, check="x"),
    )
    headings = [line for line in _table(make_run(results=results)) if line.startswith("host:")]
    assert headings == ["host:b (the b one)", "host:a (the a one)"]


def test_a_failed_check_says_everything_a_person_needs() -> None:
    failed = make_result(outcome=ResultOutcome.FAIL, reason="fs.protected_symlinks is 0", actual="0")
    assert _table(make_run(results=(failed,))) == [
        "host:web-01",
        "  fail            medium    check-a",
        "                            Title of check-a",
        "                            fs.protected_symlinks is 0",
        "                            expected 1, got 0",
        "                            fix: set it",
        "",
        "1 result on 1 subject:",
        "0 pass, 1 fail, 0 not-applicable, 0 skipped, 0 error, 0 timeout",
        "exit 3: 1 finding of severity low or above",
    ]


@pytest.mark.parametrize(
    ("results", "fail_on", "last"),
    [
        ((make_result(),), "low", "exit 0: complete, and nothing failed"),
        (
            (make_result(outcome=ResultOutcome.FAIL),),
            "high",
            "exit 0: complete; 1 check failed, none of severity high or above",
        ),
        (
            (make_result(outcome=ResultOutcome.FAIL),),
            None,
            "exit 0: complete; 1 check failed, which --fail-on none does not count",
        ),
        ((make_result(outcome=ResultOutcome.FAIL),), "medium", "exit 3: 1 finding of severity medium or above"),
        ((), "low", "exit 4: incomplete, so what passed is not the whole answer"),
    ],
)
def test_the_last_line_explains_the_exit_code(results: tuple[Result, ...], fail_on: Severity | None, last: str) -> None:
    assert _table(make_run(results=results), fail_on)[-1] == last


def test_every_shortcoming_is_shown() -> None:
    run = make_run(assessments=(make_assessment(problem="provider raised KeyError: 'x'"),))
    assert "incomplete: assessment 'host' is not whole: provider raised KeyError:" in _table(run)[-5:][1]


def test_hostile_text_is_shown_and_fits() -> None:
    for width in (60, 80, 120):
        lines = _table(hostile_run(), width=width)
        assert all(columns(line) <= width and line.isprintable() for line in lines)
    assert any(r"\x1b]0;owned\x07" in line for line in lines)
    wide = make_result(
        check="c" * 100, reason="検査" * 100, title="一" * 300, outcome=ResultOutcome.FAIL, actual="x" * 4000
    )
    lines = _table(make_run(results=(wide,)))
    assert max(columns(line) for line in lines) <= 80
    assert len(lines) < 60


def test_colour_only_when_asked_for_and_only_beside_the_same_words() -> None:
    plain_text, coloured = (table.render(every_outcome(), fail_on="low", colour=colour) for colour in (False, True))
    assert not ANSI.search(plain_text)
    assert ANSI.search(coloured)
    assert ANSI.sub("", coloured).replace(" \n", "\n") == plain_text
    assert set(ANSI.findall(table.render(hostile_run(), fail_on="low", colour=True))) <= {
        f"\x1b[{code}m" for code in (0, 1, 2, 31, 32, 33, 35)
    }


@settings(max_examples=30)
@given(st.text(max_size=40), st.integers(4, 20))
def test_wrapped_lines_fit_and_lose_nothing(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert all(columns(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@settings(max_examples=20, deadline=None)
@given(runs(), outcomes(set(ResultOutcome) - {ResultOutcome.PASS}))
def test_no_form_shows_a_pass_that_was_none(run: Run, outcome: ResultOutcome) -> None:
    run = replace(run, results=tuple(replace(x, outcome=outcome, reason="why", waiver=None) for x in run.results))
    assert not any(line.startswith("  pass") for line in _table(run))
    oscal = json.loads(render("oscal", run, fail_on=None))["assessment-results"]["results"][0]
    assert all(finding["target"]["status"]["state"] == "not-satisfied" for finding in oscal.get("findings", ()))


def test_six_thousand_results_take_no_time_worth_noticing() -> None:
    subjects = [Subject(id=f"host:{n}", type="inventory-item", title=f"host {n}") for n in range(20)]
    results = tuple(
        make_result(subject=s, check=f"check-{n}", outcome=ResultOutcome.FAIL) for s in subjects for n in range(60)
    )
    started = time.process_time()
    lines = _table(make_run(results=results))
    assert len(lines) > 1200
    assert time.process_time() - started < 2


def test_a_version_that_waits_for_consent_is_said_in_each_run_and_changes_no_exit_code() -> None:
    waits = WaitingVersion(
        distribution="demo-plugin",
        version="1.1.0",
        running="1.0.0",
        added=("read /var", "run sh -c '\x1b[2J'"),
        consent="assess plugins consent demo-plugin==1.1.0 --to " + "ab" * 32,
    )
    quiet, told = make_run(), replace(make_run(), waiting=(waits,))
    line = "waiting: demo-plugin 1.1.0 asks for more than 1.0.0, which ran: read /var"
    text = " ".join(table.render(told, fail_on="low", width=200).split())
    assert line in text
    assert "\x1b" not in text
    assert line not in table.render(quiet, fail_on="low", width=200)
    (entry,) = json_document.document(told, fail_on="low")["run"]["waiting"]
    assert (entry["version"], entry["running"], entry["consent"]) == ("1.1.0", "1.0.0", waits.consent)
    assert json_document.document(quiet, fail_on="low")["run"]["waiting"] == []
    assert told.exit_code("low") == quiet.exit_code("low")


def test_what_a_call_used_is_said_and_null_where_nobody_measured_it() -> None:
    measured, unmeasured = make_result(cpu_ms=3.412, memory_mib=17), make_result(cpu_ms=None, memory_mib=None)
    said = []
    for result in (measured, unmeasured):
        run = make_run(results=(result,))
        document = json.loads(json_document.render(run, fail_on="low"))["results"][0]
        oscal = json.loads(render("oscal", run, fail_on=None))
        (observation,) = oscal["assessment-results"]["results"][0]["observations"]
        props = {prop["name"]: prop["value"] for prop in observation["props"]}
        said.append((document["cpu_ms"], document["memory_mib"], props.get("cpu-ms"), props.get("memory-mib")))
    assert said == [(3.412, 17, "3.412", "17"), (None, None, None, None)]


def test_what_is_relaxed_and_what_was_not_isolated_is_said_in_every_format() -> None:
    text = "runtime.run_plugins_without_isolation = true"
    held, not_held = make_result(), make_result(isolation="none", landlock_abi=0, relaxed=(text,))
    usual, shown = (
        " ".join(table.render(make_run(results=(each,)), fail_on="low").split()) for each in (held, not_held)
    )
    assert f"relaxed: {text}" in shown
    assert "not isolated: 1 result of plugins that ran with all rights of the runtime's user" in shown
    assert "isolated" not in usual
    assert "relaxed" not in usual
    document = json.loads(json_document.render(make_run(results=(not_held,)), fail_on="low"))["results"][0]
    assert (document["isolation"], document["landlock_abi"], document["relaxed"]) == ("none", 0, [text])
    oscal = json.loads(render("oscal", make_run(results=(not_held,)), fail_on=None))
    (observation,) = oscal["assessment-results"]["results"][0]["observations"]
    props = {prop["name"]: prop["value"] for prop in observation["props"]}
    assert (props["isolation"], props["landlock-abi"], props["relaxed"]) == ("none", "0", text)


@pytest.mark.parametrize(("memory_mib", "counted"), [(None, False), (17, True)])
def test_of_a_call_that_came_to_no_process_nobody_is_told_that_it_ran_with_all_rights(
    memory_mib: int | None, counted: bool
) -> None:
    result = make_result(
        outcome=ResultOutcome.ERROR, reason="it is quarantined", isolation="none", landlock_abi=0, memory_mib=memory_mib
    )
    shown = " ".join(table.render(make_run(results=(result,)), fail_on="low").split())
    assert ("not isolated: 1 result" in shown) == counted


def test_results_of_before_anything_was_measured_are_counted_as_not_isolated_all_the_same() -> None:
    old = make_result(isolation="none", landlock_abi=0, cpu_ms=None, memory_mib=None)
    assert "not isolated: 1 result" in " ".join(table.render(make_run(results=(old,)), fail_on="low").split())


def test_a_waived_failure_says_who_answers_for_it_and_is_a_failure_in_every_form() -> None:
    failed = make_result(outcome=ResultOutcome.FAIL, reason="it is 0")
    plain_run = make_run(results=(failed,))
    run = make_run(results=(replace(failed, waiver=WAIVER),))
    assert run.exit_code("low") == plain_run.exit_code("low") == 3
    text = render("table", run, fail_on="low", width=200)
    assert "waived until 2027-03-31 by ops@example.org, and still a failure: legacy agent, CHG-1182" in text
    assert "1 of 1 failure is waived, and a failure all the same" in text
    assert "exit 3: 1 finding of severity low or above" in text
    assert "waived" not in render("table", plain_run, fail_on="low")
    document = json.loads(render("json", run, fail_on="low"))
    assert document["results"][0]["waiver"] == {
        "owner": "ops@example.org",
        "reason": "legacy agent, CHG-1182",
        "expires": "2027-03-31",
    }
    assert (document["run"]["exit"], document["run"]["counts"]["fail"], document["run"]["counts"]["pass"]) == (3, 1, 0)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("active", None),
        ("expiring", "waiver of check-a on host:web-01 (ops@example.org) ends after 2027-03-31: renew it"),
        ("expired", "waiver of check-a on host:web-01 (ops@example.org) ended after 2027-03-31: renew it"),
        ("unused", "waiver of check-a on host:web-01 (ops@example.org) is not needed: nothing failed there"),
    ],
)
def test_of_waivers_those_are_said_that_somebody_has_to_look_at(state: WaiverState, words: str | None) -> None:
    run = make_run(waivers=(make_standing(state=state),))
    text = render("table", run, fail_on="low", width=200)
    assert (words in text) if words else ("waiver" not in text)
    (standing,) = json.loads(render("json", run, fail_on="low"))["run"]["waivers"]
    assert standing == {
        "check": "check-a",
        "subject": "host:web-01",
        "owner": "ops@example.org",
        "reason": "legacy agent, CHG-1182",
        "expires": "2027-03-31",
        "state": state,
    }


@pytest.mark.parametrize("outcome", list(ResultOutcome))
def test_what_was_asked_for_again_says_so_a_pass_too(outcome: ResultOutcome) -> None:
    result = make_result(outcome=outcome, reason="now", attempts=3, earlier=("too slow", "too slow"))
    text = render("table", make_run(results=(result,)), fail_on="low", width=200)
    assert "asked 3 times; before: too slow\n" in text
    document = json.loads(render("json", make_run(results=(result,)), fail_on="low"))
    assert (document["results"][0]["attempts"], document["results"][0]["earlier"]) == (3, ["too slow", "too slow"])


@pytest.mark.parametrize("form", FORMATS)
def test_a_narrowed_run_says_so(form: str) -> None:
    narrowed = Narrowed(checks=("check-*",), subjects=("host:\x1b[2J",))
    whole, part = (make_run(assessments=(make_assessment(narrowed=each),)) for each in (None, narrowed))
    said = [" ".join(render(form, run, fail_on="low").split()) for run in (whole, part)]
    if form == "ocsf":  # an event a result, and none for the run
        assert said[0] == said[1]
        return
    assert "check-*" in said[1]
    assert "check-*" not in said[0]
    assert "\x1b" not in said[1]
    assert part.exit_code("low") == whole.exit_code("low")
