"""A call made by the kit is judged as the runtime judges it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assess_plugin import (
    ActionInput,
    ActionOutput,
    CheckResult,
    EvaluateInput,
    EvaluateResult,
    Outcome,
    Subject,
    hookimpl,
)
from assess_plugin.testing import Permissions, PlantedHost, PluginManifest, evaluate, execute

MANIFEST = PluginManifest(checks={"demo": ("one", "two")}, defaults={"depth": 3}, permissions=Permissions())


@pytest.fixture
def host(tmp_path: Path) -> PlantedHost:
    return PlantedHost(tmp_path / "host", manifest=MANIFEST)


def reporting(*ids: str) -> Any:
    @hookimpl
    def assess_execute(input: ActionInput) -> ActionOutput:
        reason = f"{input.subject.id} {sorted(input.settings.items())}"
        return ActionOutput(
            results=tuple(CheckResult(check_id=check_id, outcome=Outcome.PASS, reason=reason) for check_id in ids)
        )

    return SimpleNamespace(assess_execute=assess_execute)


def test_all_checks_and_default_settings_unless_given(host: PlantedHost) -> None:
    assert list(execute(reporting("two", "one"), "demo", host)) == ["two", "one"]
    result = execute(reporting("one"), "demo", host, checks=["one"], settings={"x": 1})["one"]
    assert result.reason == "host:planted [('depth', 3), ('x', 1)]"


@pytest.mark.parametrize(
    ("ids", "complaint"),
    [(("one",), r"not reported: \['two'\]"), (("one", "two", "x"), r"not asked for: \['x'\]"),
     (("one", "one", "two"), r"reported twice: \['one'\]")],
)  # fmt: skip
def test_an_incomplete_reply_fails(host: PlantedHost, ids: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        execute(reporting(*ids), "demo", host)


def test_a_hook_without_its_mark_is_found(host: PlantedHost) -> None:
    unmarked = SimpleNamespace(assess_execute=lambda: ActionOutput(results=()))
    with pytest.raises(AssertionError, match="not an ActionOutput"):
        execute(unmarked, "demo", host)


def test_a_provider_is_asked_with_selector_and_labels(host: PlantedHost) -> None:
    @hookimpl
    def assess_evaluate(input: EvaluateInput) -> EvaluateResult:
        title = f"{input.runtime} {dict(input.selector)} {dict(input.labels)}"
        return EvaluateResult(subjects=(Subject(id="host:a", type="component", title=title),))

    (subject,) = evaluate(SimpleNamespace(assess_evaluate=assess_evaluate), host, selector={"a": 1}, labels={"b": "c"})
    assert subject.title == "planted {'a': 1} {'b': 'c'}"
    with pytest.raises(AssertionError, match="not an EvaluateResult"):
        evaluate(SimpleNamespace(), host)
