"""What one file does itself: every mention of something that the sandbox refuses, and of what nobody can follow."""

from collections.abc import Iterator
from itertools import pairwise

from assess_registry.audit.checks.permissions.kinds import (
    DYNAMIC,
    ENVIRONMENT,
    FILE,
    PASSED_ON,
    PRIVATE,
    TAMPERING,
    Kind,
)
from assess_registry.audit.checks.permissions.resources import leads_out
from assess_registry.audit.checks.permissions.rules import (
    HARMLESS,
    INNER_NAMES,
    KINDS,
    LOGS,
    METHODS,
    MODULES_WITH_MEMBERS,
    PLAIN_MODULES,
    STREAMABLE,
    kind_of,
)
from assess_registry.audit.checks.permissions.standard import of_chain, of_import
from assess_registry.audit.code import FileCode, Mention, Resolver
from assess_registry.audit.code.known import MEMBER, NAMESPACE
from assess_registry.audit.code.mentions import ALIAS, ASKED, COMPUTED, INDEX, STREAM_CALL, WRITE, Chain

Use = tuple[Kind, str, Mention]
_ELSEWHERE = frozenset(("in", "is", "annotation"))
"""What asks that is no name, which could be given to something else."""

_NAMESPACES = frozenset(("sys.path", "sys.modules", NAMESPACE))
"""What is put into them changes what names mean."""

_REACHING = frozenset(("os", "sys", "builtins", "importlib"))
"""Modules that make a module of the wheel which has them worth a look when it is handed on."""

_DUNDERS = INNER_NAMES | {"__dict__", "__spec__"}

_GETTERS = ("attrgetter", "methodcaller")


def uses(file: FileCode, resolver: Resolver, functions: frozenset[str]) -> Iterator[Use]:
    """Each use of something, by what name, and where.

    Args:
        file: what to look at.
        resolver: its names.
        functions: names of functions of the whole wheel.
    """
    harmless_only = _harmless_only(file, resolver)
    yield from _of_imports(file, resolver, harmless_only)
    for chain, mention in file.mentions.items():
        if chain[-1][:1] == ASKED and _is_asked_only(chain[-1][1:], resolver):
            continue
        for kind, what in _of_chain(chain, resolver, functions):
            if kind is not ENVIRONMENT and (what.partition(".")[0] not in harmless_only or kind is PASSED_ON):
                yield kind, what, mention
        for kind, what in of_chain(chain, file):
            yield kind, what, mention
        if any(leads_out(path, rest, file) for path, rest in resolver.mentioned.get(chain, ())):
            yield FILE, "a resource outside of its package", mention
    for call, mention in file.calls.items():
        if ("filename" in dict(call.named) or not call.is_whole) and LOGS in resolver.paths(call.chain):
            yield FILE, f"{LOGS}(filename=…)", mention


def _of_imports(file: FileCode, resolver: Resolver, harmless_only: frozenset[str]) -> Iterator[Use]:
    imports = dict(file.imports)
    if not resolver.is_type_checking:
        imports |= {dotted: mention for (_, dotted), mention in file.only_typing.items()}
    for dotted, mention in imports.items():
        if dotted.rpartition(".")[2] in _DUNDERS:
            yield TAMPERING, dotted, mention
        known = resolver.imported(dotted)
        if not any(map(kind_of, known)) and not resolver.is_own(dotted) and (kind := of_import(dotted)):
            yield kind, dotted, mention
        for path in known:
            kind = kind_of(path)
            if kind and kind is not ENVIRONMENT and path.partition(".")[0] not in harmless_only:
                yield kind, path, mention


def _is_asked_only(asker: str, resolver: Resolver) -> bool:
    return asker in _ELSEWHERE or not resolver.is_rebound(asker)


def _of_chain(chain: Chain, resolver: Resolver, functions: frozenset[str]) -> Iterator[tuple[Kind, str]]:
    found = resolver.mentioned.get(chain, set())
    for path, rest in found:
        yield from _of_path(path, rest, chain, resolver)
    if not any(path in HARMLESS or kind_of(path) for path, _ in found):
        yield from _by_method(chain, resolver, functions)
    if resolver.is_computed(chain):
        yield DYNAMIC, f"getattr({chain[0]}, …)"
    is_followed = any(path in MODULES_WITH_MEMBERS or kind_of(path) for path, _ in found)
    if len(chain) == 1 and not is_followed and chain[0] not in PLAIN_MODULES and _is_only_a_module(chain[0], resolver):
        yield PASSED_ON, chain[0]
    if not _REACHING.isdisjoint(resolver.held(chain)):
        yield PASSED_ON, chain[-1]
    yield from _by_words(chain, resolver)


def _is_only_a_module(name: str, resolver: Resolver) -> bool:
    return resolver.is_module(name) and not resolver.is_shadowed(name)


def _by_words(chain: Chain, resolver: Resolver) -> Iterator[tuple[Kind, str]]:
    """What the steps say by themselves, whatever they are steps of."""
    if inner := INNER_NAMES.intersection(chain[1:]):
        yield TAMPERING, min(inner)
    if "__spec__" in chain and "loader" in chain:
        yield TAMPERING, "__spec__.loader"
    if chain[1:2] == ("__dict__",) and resolver.is_module(chain[0]):
        yield DYNAMIC, f"{chain[0]}.__dict__"
    if chain[-1] == WRITE:
        yield from _written(chain, resolver)
    yield from _getter(chain)


def _written(chain: Chain, resolver: Resolver) -> Iterator[tuple[Kind, str]]:
    """Into all names of a module, or into a module that is somebody else's."""
    if chain[-2][0] == "[":
        for path in resolver.paths(chain[:-2]) & _NAMESPACES:
            yield TAMPERING, path
    elif len(chain) > 2 and (resolver.is_module(chain[0]) or chain[-2] == "TYPE_CHECKING"):
        yield TAMPERING, ".".join(chain[:2])


def _of_path(path: str, rest: Chain, chain: Chain, resolver: Resolver) -> Iterator[tuple[Kind, str]]:
    base, _, last = path.rpartition(".")
    kind = kind_of(path)
    if path in _NAMESPACES:
        yield from _of_namespace(path, rest, chain)
    elif last == COMPUTED and (base in MODULES_WITH_MEMBERS or base == "sys.modules" or base in _DICTS):
        yield DYNAMIC, f"getattr({base}, …)"
    elif last == MEMBER:
        yield PRIVATE, f"{base}.{rest[0]}"
    elif last == "__dict__" and base in MODULES_WITH_MEMBERS:
        yield DYNAMIC, path
    elif not rest and path in MODULES_WITH_MEMBERS:
        if path in _REACHING or not resolver.is_shadowed(chain[0]):
            yield PASSED_ON, path
    elif kind and not _is_in_memory(path, rest):
        yield kind, path.removesuffix(f".{COMPUTED}")


def _of_namespace(path: str, rest: Chain, chain: Chain) -> Iterator[tuple[Kind, str]]:
    """All names of a module, all modules, or where they come from: reading one by its name is a chain of its own."""
    if path == NAMESPACE:
        yield (DYNAMIC, "globals()[…]") if rest[:1] in ((INDEX,), (COMPUTED,)) else (PASSED_ON, "globals()")
    elif (
        WRITE in rest
        or not rest
        or (path == "sys.modules" and chain[-1][:1] != ASKED and rest[0] not in (ALIAS, "keys"))
    ):
        yield TAMPERING, path


def _is_in_memory(path: str, rest: Chain) -> bool:
    """Whether what is opened is no file."""
    if path == "sqlite3.connect":
        return rest[:1] == ("(':memory:')",)
    return path in STREAMABLE and rest[:1] == (STREAM_CALL,)


_DICTS = frozenset(f"{module}.__dict__" for module in MODULES_WITH_MEMBERS)


def _by_method(chain: Chain, resolver: Resolver, functions: frozenset[str]) -> Iterator[tuple[Kind, str]]:
    """Of something that cannot be followed: names of which there is one meaning, or that are called."""
    for number, step in enumerate(chain[1:], 1):
        kind = METHODS.get(step)
        if kind is None or (step in functions and not resolver.is_foreign(chain[0])):
            continue
        behind = chain[number + 1] if number + 1 < len(chain) else ""
        if step in ("import_module", "__import__") and behind[:2] in ("('", '("'):
            continue  # a module that is named, and was looked up by its name
        if behind[:1] == "(" or step != "system":
            yield kind, step


def _getter(chain: Chain) -> Iterator[tuple[Kind, str]]:
    """`attrgetter("system")`: as if it stood there; a computed name could be any."""
    for step, given in pairwise(chain):
        if step not in _GETTERS or given[0] != "(":
            continue
        names = [] if len(given) < 4 else given[2:-2].split(".")
        if not names:
            yield DYNAMIC, f"operator.{step}(…)"
        for name in names:
            if name in METHODS:
                yield METHODS[name], f"operator.{step}({name!r})"
            elif name in INNER_NAMES:
                yield TAMPERING, name


def _harmless_only(file: FileCode, resolver: Resolver) -> frozenset[str]:
    """Modules of which a file uses harmless members only, and at least one."""
    harmless: dict[str, bool] = {}
    used = {path for found in resolver.mentioned.values() for path, _ in found}
    # `from socket import x` uses x; `import socket` alone uses nothing yet
    used |= {path for dotted in file.imports if dotted not in KINDS for path in resolver.imported(dotted)}
    for path in used:
        top = path.partition(".")[0]
        harmless[top] = harmless.get(top, True) and path in HARMLESS
    return frozenset(top for top, is_harmless in harmless.items() if is_harmless)
