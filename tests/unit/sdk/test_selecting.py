"""Selectors, against what each word says, one by one and together."""

import time
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assess_plugin.models import MAX_PROBLEMS, MAX_TEXT, EvaluateResult, Subject
from assess_plugin.selecting import OPERATORS, SelectorError, limited, parse_selector
from tests.support.examples import examples


def subject(name: str = "web-01", **labels: str) -> Subject:
    return Subject(id=f"host:{name}", type="inventory-item", title=name, labels=labels)


def expression(operator: str, *values: str, key: str = "env") -> dict[str, Any]:
    return {"expressions": [{"key": key, "operator": operator} | ({"values": list(values)} if values else {})]}


@pytest.mark.parametrize(
    ("selector", "prod", "test", "without"),
    [
        ({}, True, True, True),
        ({"labels": {"env": "prod"}}, True, False, False),
        ({"labels": {}}, True, True, True),
        (expression("in", "prod", "stage"), True, False, False),
        (expression("in", "test", "prod"), True, True, False),
        (expression("not in", "prod"), False, True, True),
        (expression("exists"), True, True, False),
        (expression("does not exist"), False, False, True),
        ({"ids": ["host:web-01"]}, True, True, True),
        ({"ids": ["host:web-02"]}, False, False, False),
        ({"ids": ["web-01"]}, False, False, False),
        ({"labels": {"env": "prod"}, **expression("not in", "prod")}, False, False, False),
        ({"labels": {"env": "prod"}, "ids": ["host:web-01"], **expression("exists")}, True, False, False),
    ],
    ids=str,
)
def test_what_matches(selector: Mapping[str, Any], *, prod: bool, test: bool, without: bool) -> None:
    parsed = parse_selector(selector)
    assert [parsed.matches(each) for each in (subject(env="prod"), subject(env="test"), subject(other="prod"))] == [
        prod,
        test,
        without,
    ]


LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xyz"), max_size=3)
EXPRESSIONS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(OPERATORS), st.lists(st.sampled_from("xyz"), min_size=1)),
    max_size=3,
)


@given(has=LABELS, labels=LABELS, expressions=EXPRESSIONS, ids=st.none() | st.lists(st.sampled_from("pq"), min_size=1))
@settings(max_examples=examples(150), deadline=None)
def test_everything_given_must_hold(
    has: dict[str, str], labels: dict[str, str], expressions: list[tuple[str, str, list[str]]], ids: list[str] | None
) -> None:
    """Against a reference that spells each operator out over the set of (key, value) pairs."""
    one = Subject(id="p", type="component", title="p", labels=has)
    given_: dict[str, Any] = {"labels": labels, "expressions": []} | ({} if ids is None else {"ids": ids})
    holds = set(labels.items()) <= set(has.items()) and (ids is None or "p" in ids)
    for key, operator, values in expressions:
        stated: dict[str, Any] = {"key": key, "operator": operator}
        among = any((key, value) in has.items() for value in values)
        there = key in set(has)
        if "in" in operator.split():
            stated["values"] = values
        holds &= {"in": among, "not in": not among, "exists": there, "does not exist": not there}[operator]
        given_["expressions"].append(stated)
    assert parse_selector(given_).matches(one) is holds


@pytest.mark.parametrize(
    ("selector", "words"),
    [
        ({"label": {}}, r"selector\.label: there is no such key \(did you mean 'labels'\?\)"),
        ({"labels": ["a"]}, r"selector\.labels must be a table of strings, got \['a'\]"),
        ({"labels": {"env": 1}}, r"selector\.labels\.env must be a string, got 1"),
        ({"expressions": {}}, r"selector\.expressions must be a list of tables"),
        ({"expressions": ["env"]}, r"selector\.expressions\[0\] must be a table with key and operator, got 'env'"),
        (
            expression("inn", "a"),
            r"expressions\[0\]\.operator must be one of 'in', .*got 'inn' \(did you mean 'in'\?\)",
        ),
        (expression("notin", "a"), r"did you mean 'not in'\?"),
        (expression("In", "a"), r"operator must be one of"),
        ({"expressions": [{"key": "env"}]}, r"expressions\[0\]\.operator must be one of .*got None"),
        ({"expressions": [{"key": "env", "operator": []}]}, r"operator must be one of .*got \[\]"),
        ({"expressions": [{"operator": "exists"}]}, r"expressions\[0\]\.key must be the name of a label, got None"),
        (expression("in"), r"expressions\[0\]\.values must be a list of at least one string, got None"),
        ({"expressions": [{"key": "a", "operator": "in", "values": []}]}, r"values must be a list of at least one"),
        ({"expressions": [{"key": "a", "operator": "in", "values": "prod"}]}, r"values must be a list .*got 'prod'"),
        ({"expressions": [{"key": "a", "operator": "in", "values": [1]}]}, r"values must be a list .*got \[1\]"),
        (expression("exists", "a"), r"values: 'exists' asks for the label alone"),
        ({"expressions": [{"key": "a", "operator": "exists", "value": 1}]}, r"\.value: .*did you mean 'values'"),
        ({"ids": []}, r"selector\.ids must be a list of at least one string, got \[\]"),
        ({"ids": "host:a"}, r"selector\.ids must be a list"),
        ({"ids": None}, r"selector\.ids must be a list"),
        ({"query": "role=web"}, r"selector\.query: this provider understands no queries"),
    ],
    ids=str,
)
def test_what_is_not_understood_is_refused_with_the_key_and_the_nearest_word(
    selector: Mapping[str, Any], words: str
) -> None:
    with pytest.raises(SelectorError, match=words):
        parse_selector(selector)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(SelectorError) as caught:
        parse_selector({"label": {}, "ids": [], **expression("inn", "a")})
    assert len(caught.value.problems) == 3


def test_a_query_is_kept_for_the_provider_that_has_queries() -> None:
    parsed = parse_selector({"query": "role=web"}, queries=True)
    assert parsed.query == "role=web"
    assert parsed.matches(subject())
    for wrong in (1, " ", ["a"]):
        with pytest.raises(SelectorError, match=r"selector\.query must be text"):
            parse_selector({"query": wrong}, queries=True)


def test_an_id_that_is_not_there_is_named_with_the_nearest_that_is() -> None:
    known = [subject("web-01"), subject("db-01", env="prod")]
    assert parse_selector({}).unknown(known) == ()
    assert parse_selector({"ids": ["host:db-01"], "labels": {"env": "x"}}).unknown(known) == ()
    asked = parse_selector({"ids": ["host:wed-01", "host:db-01", "zzz"]})
    assert asked.unknown(known) == (
        "there is no subject 'host:wed-01' (did you mean 'host:web-01'?)",
        "there is no subject 'zzz'",
    )


def test_problems_are_summed_up_to_what_a_result_takes() -> None:
    assert limited(["a"] * MAX_PROBLEMS) == ("a",) * MAX_PROBLEMS
    many = limited(f"{number} " + "x" * MAX_TEXT for number in range(1000))
    assert EvaluateResult(subjects=(), problems=many).problems[-1] == f"and {1000 - MAX_PROBLEMS + 1} more like these"


def test_slips_among_a_hundred_thousand_cost_no_call_its_time() -> None:
    """Hosts that are gone stay in a long list of ids: each is a problem, and the others are assessed."""
    known = [subject(f"web-{number:06}") for number in range(100_000)]
    gone = [f"host:wed-{number:06}" for number in range(20)]
    began = time.process_time()
    problems = parse_selector({"ids": gone}).unknown(known)
    assert time.process_time() - began < 2.0
    assert problems == tuple(f"there is no subject {name!r}" for name in gone)
    few = parse_selector({"ids": gone}).unknown(known[:1000])
    assert ["did you mean" in each for each in few] == [True] * 5 + [False] * 15, "the control"
