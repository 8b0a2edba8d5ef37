"""An audit's findings on a page: once each, with all the places they were found in."""

from dataclasses import replace

from assess_registry.status.pages.release import release_page
from assess_registry.status.report import FindingWords, ReportWords
from tests.support.status_pages import house, report_words, view


def finding(place: str, *, message: str = "ELF file, which no other check can read") -> FindingWords:
    return FindingWords(
        id="dependency-native-code", severity="medium", verdict="flagged", reason="the policy flags it",
        place=place, message=message, advice="look at it",
    )  # fmt: skip


def page(*findings: FindingWords) -> str:
    report: ReportWords = replace(report_words("plain words"), findings=findings)
    shown = view()
    return release_page(house(), replace(shown, wheels=(replace(shown.wheels[0], report=report),))).decode()


def test_what_is_found_in_a_wheel_for_each_platform_is_said_once_with_every_place() -> None:
    places = [f"lib-1.0-cp3{minor}-{machine}.whl" for minor in (11, 12, 13) for machine in ("x86_64", "aarch64")]
    text = page(*(finding(place) for place in places))
    assert text.count("ELF file, which no other check can read") == 1
    assert all(text.count(place) == 1 for place in places)
    assert "and in 4 more places" in text


def test_another_dependency_is_another_line() -> None:
    text = page(finding("one-1.0-py3-none-any.whl: a.so"), finding("two-1.0-py3-none-any.whl: a.so"))
    assert text.count("ELF file, which no other check can read") == 2


def test_findings_that_differ_stay_apart_and_in_order() -> None:
    text = page(finding("a.py:1", message="worse"), finding("b.py:2"), finding("c.py:3", message="worse"))
    assert text.count(">worse<") == 1
    assert text.index("a.py:1") < text.index("c.py:3") < text.index("b.py:2")
    assert "more place" not in text
