"""Which uses of dynamic code run or load what stands nowhere in the wheel, rather than look at what does.

`exec(base64.b64decode(...))` may be anything; `getattr(thing, name)` is one of the members that the code has. In a
plugin both are findings. Every library looks at itself, though, and few run text: so this tells the two apart.
"""

from collections.abc import Iterable, Iterator

from assess_registry.audit.checks.permissions.kinds import DYNAMIC
from assess_registry.audit.checks.permissions.uses import Use
from assess_registry.audit.code import FileCode, Resolver

FACT = "runs_hidden_code"
"""Of the check's facts: where, as `path:line what`, the first places of the wheel."""

_LOOKING = """
    builtins.getattr typing typing_extensions annotationlib inspect pydoc doctest unittest trace timeit cProfile profile
    rlcompleter logging.config importlib.metadata importlib_metadata pkg_resources stevedore importlib.reload
    pkgutil.find_loader pkgutil.get_loader pkgutil.get_importer pkgutil.walk_packages get_type_hints
"""
LOOKING: frozenset[str] = frozenset(_LOOKING.split())
"""Names of dynamic code that only look at what is there; whatever stands nowhere here is taken to run something."""

_REACHING = tuple(f"getattr({module}, " for module in ("builtins", "os", "posix", "sys.modules", "importlib"))
"""Computed members of these can be everything that a plain call would be."""


_MADE_OF_BYTES = frozenset(("types.CodeType", "types.FunctionType", "types.LambdaType"))
"""Types that everybody compares with; to call one is another thing."""


def hidden_code(file: FileCode, resolver: Resolver, used: Iterable[Use]) -> Iterator[tuple[str, int, str]]:
    """Path, line and name of each use in this file that may run or load any code at all."""
    names = {what: min(mention.lines) for kind, what, mention in used if kind is DYNAMIC and _runs(what)}
    if not _MADE_OF_BYTES.isdisjoint(names):
        mentioned = (each for found in resolver.mentioned.values() for each in found)
        called = {path for path, rest in mentioned if rest and rest[0].startswith("(")}
        names = {what: line for what, line in names.items() if what not in _MADE_OF_BYTES or what in called}
    return ((file.path, line, what) for what, line in names.items())


def _runs(what: str) -> bool:
    if not what.replace(".", "").replace("_", "").isalnum():  # getattr(thing, …), globals()[…], operator.attrgetter(…)
        return what.startswith(_REACHING)
    parts = what.split(".")
    beginnings = {".".join(parts[:end]) for end in range(1, len(parts) + 1)}
    return LOOKING.isdisjoint(beginnings) and parts[-1] != "__dict__"
