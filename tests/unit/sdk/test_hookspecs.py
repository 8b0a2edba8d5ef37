"""The hooks' names and shapes, which plugins in the field rely on."""

import inspect

import pluggy
import pytest

from assess_plugin import hookimpl, hookspecs
from assess_plugin.hookspecs import PROJECT, PluggyManager
from assess_plugin.worker.plugins import KNOWN_HOOKS, REQUIRED_HOOK


def manager() -> pluggy.PluginManager:
    made = PluggyManager(PROJECT)
    made.add_hookspecs(hookspecs)
    return made


def specified() -> dict[str, pluggy.HookCaller]:
    made = manager()
    return {name: getattr(made.hook, name) for name in dir(hookspecs) if name.startswith("assess_")}


def test_the_loader_knows_the_hooks_there_are() -> None:
    assert set(specified()) == set(KNOWN_HOOKS)
    assert set(REQUIRED_HOOK.values()) < set(KNOWN_HOOKS)


@pytest.mark.parametrize(("name", "arguments"), [("assess_execute", ["input"]), ("assess_evaluate", ["input"])])
def test_a_call_has_one_input_and_one_result(name: str, arguments: list[str]) -> None:
    spec = specified()[name].spec
    assert spec is not None
    assert spec.opts["firstresult"] is True
    assert list(inspect.signature(spec.function).parameters) == arguments


def test_shutdown_takes_nothing() -> None:
    spec = specified()["assess_shutdown"].spec
    assert spec is not None
    assert not inspect.signature(spec.function).parameters


def test_an_implementation_with_another_argument_is_refused() -> None:
    class Wrong:
        @hookimpl
        def assess_execute(self, other: object) -> None: ...

    with pytest.raises(pluggy.PluginValidationError, match="other"):
        manager().register(Wrong())
