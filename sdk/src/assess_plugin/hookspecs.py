"""The hooks a plugin implements, in pluggy's words. Project name: `assess`.

Each entry point gets a plugin manager of its own, so `firstresult` means "the one result". Wrappers are refused when
the plugin is loaded: nothing stands between a plugin and its caller.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pluggy
else:
    try:  # inside a worker: the runtime's own copy, under a name that leaves the plugin's `pluggy` alone
        import _assess_pluggy as pluggy
    except ImportError:
        import pluggy

from assess_plugin.models import ActionInput, ActionOutput, EvaluateInput, EvaluateResult

PROJECT = "assess"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
PluggyManager = pluggy.PluginManager


@hookspec(firstresult=True)
def assess_evaluate(input: EvaluateInput) -> EvaluateResult | None:
    """Provider: return the subjects that the selector matches."""


@hookspec(firstresult=True)
def assess_execute(input: ActionInput) -> ActionOutput | None:
    """Plugin: assess one subject and return one result for each check asked for."""


@hookspec
def assess_shutdown() -> None:
    """The worker is about to end; release what is held. Has a few seconds, and no host."""
