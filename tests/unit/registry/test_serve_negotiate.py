"""Which form a client gets: what it likes best of what there is, or none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assess_registry.serve.negotiate import FORMS, negotiated
from tests.support.examples import examples

JSON, NAMED, HTML = FORMS
PIP = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"
UV = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (PIP, JSON),
        (UV, JSON),
        (FIREFOX, HTML),
        (None, HTML),
        ("  ", HTML),
        ("*/*", HTML),
        ("text/*", HTML),
        ("application/*", NAMED),
        ("application/vnd.pypi.simple.latest+json", JSON),
        ("application/vnd.pypi.simple.latest+html", NAMED),
        ("APPLICATION/vnd.PyPI.simple.v1+JSON;Q=0.5, text/html;q=0.4", JSON),
        ("text/html;q=0.4, application/vnd.pypi.simple.v1+json;q=0.5", JSON),
        ("text/html, application/vnd.pypi.simple.v1+json", JSON),
        ("text/html;q=0.9, application/vnd.pypi.simple.v1+json;q=0.8", HTML),
        ("text/html;q=0, */*", NAMED),
        ("*/*;q=0.1, text/html;q=0", NAMED),
        ("text/html;charset=utf-8;q=1.000", HTML),
        ("*/*;q=0", None),
        ("application/json", None),
        ("image/png", None),
        ("text/html;q=2", None),
        ("text/html;q=-1", None),
        ("text/html;q=nan", None),
        ("text/html;q=0.0001", None),
        ("text/html;q=", None),
        ("text/html;q=0", None),
        ("text/html;q=0.001", HTML),
        (",;,=;q=1,text/html", HTML),
    ],
)
def test_the_header(accept: str | None, form: str | None) -> None:
    assert negotiated(accept, None) == form


@pytest.mark.parametrize(
    ("wanted", "form"),
    [
        (JSON, JSON),
        (NAMED, NAMED),
        (HTML, HTML),
        ("application/vnd.pypi.simple.latest+json", JSON),
        ("application/json", None),
        ("json", None),
        ("", None),
        ("*/*", None),
    ],
)
def test_the_parameter_comes_before_the_header(wanted: str, form: str | None) -> None:
    assert negotiated(FIREFOX, wanted) == form
    assert negotiated(None, wanted) == form


@settings(max_examples=examples(100), deadline=None)
@given(st.text(max_size=60), st.integers(0, 3))
def test_whatever_is_said_the_answer_is_a_form_or_none_and_more_rubbish_changes_nothing(text: str, times: int) -> None:
    assert negotiated(text, None) in (*FORMS, None)
    assert negotiated("x/y;q=0.5," * times + JSON, None) == JSON
