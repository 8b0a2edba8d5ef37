"""Selectors: which of the subjects that a provider knows an assessment is about. Plugin API 1.3.

    selector = parse_selector(input.selector)
    found = [subject for subject in known if selector.matches(subject)]
    return EvaluateResult(subjects=tuple(found), problems=limited(selector.unknown(known)))

    { labels = { env = "prod" } }                                              every one of these labels, exactly
    { expressions = [{ key = "role", operator = "in", values = ["web", "db"] }] }
    { expressions = [{ key = "retired", operator = "does not exist" }] }
    { ids = ["host:web-01"] }                                                  these subjects and no others

What is given must hold all together; what is not given excludes nothing. As in Kubernetes, `not in` also takes a
subject that lacks the label. `query` is each provider's own, and most have none: it is kept as text, `matches` does not
look at it. The same words mean the same with every provider that reads its selector here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal, cast

from assess_plugin.models import MAX_PROBLEMS, MAX_TEXT, Subject

Operator = Literal["in", "not in", "exists", "does not exist"]
OPERATORS: tuple[Operator, ...] = ("in", "not in", "exists", "does not exist")

WITH_VALUES: frozenset[str] = frozenset(("in", "not in"))
"""Operators that compare with values; the others ask whether there is such a label."""

_SEARCHED, _HINTS = 1_000, 5
"""Ids among which the nearest is looked for, and for how many slips: among 100,000 each took 8 s of a call's time."""

_KEYS = ("labels", "expressions", "ids", "query")
_EXPRESSION_KEYS = ("key", "operator", "values")
_SHOWN = 100
"""Characters shown of a value that is not what it should be."""


class SelectorError(ValueError):
    """The selector is not understood; `problems` says everything that is wrong, each with the key it is about."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, kw_only=True, slots=True)
class Expression:
    """A condition on one label."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels meet it."""
        match self.operator:
            case "in":
                return labels.get(self.key) in self.values  # no label is None, and None is no value
            case "not in":
                return labels.get(self.key) not in self.values
            case "exists":
                return self.key in labels
            case "does not exist":
                return self.key not in labels


@dataclass(frozen=True, kw_only=True, slots=True)
class Selector:
    """What a subject must be like. Without anything in it, every subject is."""

    labels: Mapping[str, str] = field(default_factory=dict)
    expressions: tuple[Expression, ...] = ()
    ids: frozenset[str] = frozenset()
    query: str | None = None

    def matches(self, subject: Subject) -> bool:
        """Whether it has the labels, meets the expressions, and is one of the ids; `query` is not looked at."""
        has = subject.labels
        return (
            (not self.ids or subject.id in self.ids)
            and all(has.get(key) == value for key, value in self.labels.items())
            and all(expression.holds(has) for expression in self.expressions)
        )

    def unknown(self, known: Iterable[Subject]) -> tuple[str, ...]:
        """A sentence for each id that was asked for by name and is not there: for `EvaluateResult.problems`.

        Args:
            known: all subjects there are, whether they match or not.
        """
        if not self.ids:
            return ()
        there = {subject.id for subject in known}
        hinted = there if len(there) <= _SEARCHED else ()
        return tuple(
            f"there is no subject {name!r}{_nearest(name, hinted if position < _HINTS else ())}"
            for position, name in enumerate(sorted(self.ids - there))
        )


def parse_selector(given: Mapping[str, Any], *, queries: bool = False) -> Selector:
    """The selector that an assessment's `selector` states.

    Args:
        given: `EvaluateInput.selector`.
        queries: whether the provider understands `query`, which it then reads itself.

    Raises:
        SelectorError: a key or operator that there is not, a value of another type, no values where there must be some.
    """
    problems: list[str] = []
    if "query" in given and not queries:
        problems.append("selector.query: this provider understands no queries; use labels, expressions and ids")
    known = _KEYS if queries else _KEYS[:-1]
    problems += [_unknown_key(f"selector.{key}", key, known) for key in given if key not in _KEYS]
    labels = _labels(given.get("labels", {}), problems)
    expressions = _expressions(given.get("expressions", ()), problems)
    ids = _texts("selector.ids", given["ids"], problems) if "ids" in given else ()
    query = given.get("query")
    if queries and query is not None and not (isinstance(query, str) and query.strip()):
        problems.append(f"selector.query must be text, got {_shown(query)}")
    if problems:
        raise SelectorError(*problems)
    return Selector(labels=labels, expressions=expressions, ids=frozenset(ids), query=query)


def limited(problems: Iterable[str]) -> tuple[str, ...]:
    """As many of these as an `EvaluateResult` takes, each cut where it is too long; the last says how many more."""
    texts = [text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…" for text in problems]
    if len(texts) <= MAX_PROBLEMS:
        return tuple(texts)
    return (*texts[: MAX_PROBLEMS - 1], f"and {len(texts) - MAX_PROBLEMS + 1} more like these")


def _labels(given: object, problems: list[str]) -> Mapping[str, str]:
    if not isinstance(given, Mapping):
        problems.append(f"selector.labels must be a table of strings, got {_shown(given)}")
        return {}
    problems += [
        f"selector.labels.{key} must be a string, got {_shown(value)}"
        for key, value in given.items()
        if not isinstance(value, str)
    ]
    return dict(given)


def _expressions(given: object, problems: list[str]) -> tuple[Expression, ...]:
    if not isinstance(given, list | tuple):
        problems.append(f"selector.expressions must be a list of tables, got {_shown(given)}")
        return ()
    found = [_expression(f"selector.expressions[{index}]", each, problems) for index, each in enumerate(given)]
    return tuple(expression for expression in found if expression is not None)


def _expression(where: str, given: object, problems: list[str]) -> Expression | None:
    if not isinstance(given, Mapping):
        problems.append(f"{where} must be a table with key and operator, got {_shown(given)}")
        return None
    before = len(problems)
    problems += [_unknown_key(f"{where}.{key}", key, _EXPRESSION_KEYS) for key in given if key not in _EXPRESSION_KEYS]
    key, operator = given.get("key"), given.get("operator")
    if not isinstance(key, str) or not key:
        problems.append(f"{where}.key must be the name of a label, got {_shown(key)}")
    if operator not in OPERATORS:
        listed = ", ".join(map(repr, OPERATORS))
        problems.append(
            f"{where}.operator must be one of {listed}, got {_shown(operator)}{_nearest(operator, OPERATORS)}"
        )
    elif operator in WITH_VALUES:
        _texts(f"{where}.values", given.get("values"), problems)
    elif "values" in given:
        problems.append(f"{where}.values: {operator!r} asks for the label alone; leave the values out")
    if len(problems) > before:
        return None
    return Expression(key=str(key), operator=cast(Operator, operator), values=tuple(given.get("values", ())))


def _texts(where: str, given: object, problems: list[str]) -> tuple[str, ...]:
    if not isinstance(given, list | tuple) or not given or not all(isinstance(each, str) and each for each in given):
        problems.append(f"{where} must be a list of at least one string, got {_shown(given)}")
        return ()
    return tuple(given)


def _unknown_key(where: str, key: object, known: Iterable[str]) -> str:
    return f"{where}: there is no such key{_nearest(key, known)}; there are {', '.join(known)}"


def _nearest(word: object, known: Iterable[str]) -> str:
    near = get_close_matches(str(word)[:_SHOWN], list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _shown(value: object) -> str:
    return repr(value)[:_SHOWN]
