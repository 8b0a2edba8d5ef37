"""A run as JUnit XML, for build servers: a suite an assessment, a case a check on a subject.

fail                        failure, waived or not; who answers for it stands in its text and in properties
error, timeout              error
skipped, not-applicable     skipped
a shortcoming of the run    a case of its own, with an error: a run that assessed nothing must not be green
what it was narrowed to     a property of the suite
"""

from collections.abc import Iterable, Mapping
from xml.etree import ElementTree as Xml

from assess_core.clock import timestamp
from assess_core.formats.order import worst_first
from assess_core.formats.sentences import tries_line, waiver_line
from assess_core.results import BROKEN, Result, ResultOutcome, Run
from assess_registry.client import plain

_SKIPPED = frozenset((ResultOutcome.SKIPPED, ResultOutcome.NOT_APPLICABLE))


def render(run: Run) -> str:
    """The run as one XML document."""
    suites = Xml.Element("testsuites", name=plain(run.runtime))
    for assessment in dict.fromkeys((*(each.assessment for each in run.assessments), *_of(run.results))):
        results = [result for result in run.results if result.assessment == assessment]
        suite = Xml.SubElement(suites, "testsuite", name=plain(assessment), timestamp=timestamp(run.started_at))
        if narrowed := [
            str(each.narrowed) for each in run.assessments if each.assessment == assessment and each.narrowed
        ]:
            _say(suite, {"narrowed_to": "; ".join(narrowed)})
        _fill(suite, sorted(results, key=worst_first))
    shortcomings = run.shortcomings()
    if shortcomings:
        suite = Xml.SubElement(suites, "testsuite", name="complete-run")
        for number, sentence in enumerate(shortcomings, start=1):
            case = Xml.SubElement(suite, "testcase", classname="complete-run", name=f"shortcoming-{number}")
            Xml.SubElement(case, "error", type="incomplete", message=plain(sentence))
        _count(suite)
    _count(suites)
    Xml.indent(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{Xml.tostring(suites, encoding="unicode")}\n'


def _of(results: Iterable[Result]) -> Iterable[str]:
    return (result.assessment for result in results)


def _fill(suite: Xml.Element, results: list[Result]) -> None:
    for result in results:
        case = Xml.SubElement(
            suite,
            "testcase",
            classname=plain(result.subject.id),
            name=plain(result.check),
            time=f"{result.duration_ms / 1000:.3f}",
        )
        _properties(case, result)
        _outcome(case, result)
    _count(suite)


def _properties(case: Xml.Element, result: Result) -> None:
    given = {"severity": result.severity, "outcome": result.outcome.value, "finding_id": result.finding_id}
    if result.waiver is not None:
        given["waived_by"] = result.waiver.owner
        given["waived_because"] = result.waiver.reason
        given["waived_until"] = result.waiver.expires.isoformat()
    if result.earlier:
        given["attempts"] = str(result.attempts)
    _say(case, given)


def _say(element: Xml.Element, given: Mapping[str, str]) -> None:
    properties = Xml.SubElement(element, "properties")
    for name, value in given.items():
        Xml.SubElement(properties, "property", name=name, value=plain(value))


def _outcome(case: Xml.Element, result: Result) -> None:
    message = plain(result.reason) or plain(result.title)
    if result.outcome is ResultOutcome.FAIL:
        failure = Xml.SubElement(case, "failure", type=result.severity, message=message)
        said = [plain(result.remediation), waiver_line(result.waiver) if result.waiver else "", tries_line(result)]
        failure.text = "; ".join(filter(None, said))
    elif result.outcome in BROKEN:
        Xml.SubElement(case, "error", type=result.outcome.value, message=message).text = tries_line(result)
    elif result.outcome in _SKIPPED:
        Xml.SubElement(case, "skipped", message=f"{result.outcome.value}: {message}")


def _count(element: Xml.Element) -> None:
    """How many cases there are below it, and how they ended."""
    cases = list(element.iter("testcase"))
    element.set("tests", str(len(cases)))
    for attribute, child in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(attribute, str(sum(case.find(child) is not None for case in cases)))
