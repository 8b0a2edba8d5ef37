"""Entry points become callable hooks, or a reason why not.

Each entry point has a pluggy manager of its own, so that `firstresult` means the one result of the one plugin.
Refused while loading, not while assessing: a class instead of an object, a hook nobody calls, a hook that wraps
another, an entry point without the hook it is there for.
"""

import sys
from collections.abc import Iterable
from typing import Any

from assess_plugin import hookspecs
from assess_plugin.asking import clip
from assess_plugin.hookspecs import PROJECT, PluggyManager

KNOWN_HOOKS = ("assess_evaluate", "assess_execute", "assess_shutdown")
_OURS = frozenset(("assess_plugin", "_assess_pluggy"))

REQUIRED_HOOK = {"plugin": "assess_execute", "provider": "assess_evaluate"}


class UnloadableError(Exception):
    """An entry point cannot be served.

    Attributes:
        entry: its name.
    """

    def __init__(self, entry: str, reason: str) -> None:
        super().__init__(reason)
        self.entry = entry


def load(entries: Iterable[dict[str, str]]) -> dict[str, Any]:
    """A hook relay for each entry point, by name.

    Raises:
        UnloadableError: the first entry point that cannot be served.
    """
    return {entry["name"]: _load(**entry) for entry in entries}


def describe(error: BaseException) -> str:
    """`ValueError: text (file.py:12)`, whatever the exception's own `__str__` does."""
    try:
        text = str(error)
    except BaseException as broken:  # a plugin's class, asked for its text
        text = f"<its text could not be had: {type(broken).__name__}>"
    trace, place = error.__traceback__, ""
    while trace is not None:
        code = trace.tb_frame.f_code
        place = f" ({code.co_filename.rpartition('/')[2]}:{trace.tb_lineno})"
        trace = trace.tb_next
    return f"{type(error).__name__}{': ' if text else ''}{clip(text)[:3000]}{place}"


def log_traceback(error: BaseException) -> None:
    """Write the traceback to the worker's log, from the plugin's first frame on: ours would only push it out."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] in _OURS:
        trace = trace.tb_next
    sys.__excepthook__(type(error), error.with_traceback(trace or error.__traceback__), None)


def _load(*, name: str, kind: str, module: str, attr: str) -> Any:
    try:
        plugin = _find(module, attr)
        if isinstance(plugin, type):
            raise UnloadableError(
                name,
                f"{module}:{attr} is a class, and its hooks need an object: write `PLUGIN = {attr}()` in {module} "
                f"and name `{module}:PLUGIN` in the entry point",
            )
        manager = PluggyManager(PROJECT)
        manager.add_hookspecs(hookspecs)
        _refuse_unknown(name, manager, plugin)
        manager.register(plugin, name)
        _require(name, kind, manager)
    except UnloadableError:
        raise
    except BaseException as error:
        log_traceback(error)
        raise UnloadableError(name, describe(error)) from error
    return manager.hook


def _find(module: str, attr: str) -> Any:
    __import__(module)
    found: Any = sys.modules[module]
    for part in filter(None, attr.split(".")):
        found = getattr(found, part)
    return found


def _refuse_unknown(name: str, manager: Any, plugin: Any) -> None:
    for found in dir(plugin):
        options = manager.parse_hookimpl_opts(plugin, found)
        if options is None:
            continue
        hook = options.get("specname") or found
        if hook not in KNOWN_HOOKS:
            raise UnloadableError(name, f"{hook} is not a hook; there are {', '.join(KNOWN_HOOKS)}")
        if options["hookwrapper"] or options["wrapper"]:
            raise UnloadableError(name, f"{hook} is a hook wrapper; nothing may stand between a plugin and its caller")


def _require(name: str, kind: str, manager: Any) -> None:
    hook = REQUIRED_HOOK[kind]
    if not getattr(manager.hook, hook).get_hookimpls():
        raise UnloadableError(name, f"a {kind} must implement {hook}: decorate it with `hookimpl`")
