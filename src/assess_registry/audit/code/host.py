"""Which chains are the host that a plugin was given, and which merely have something else called `host`.

host.run              a name that stands for nothing else
input.host            of a parameter, or of anything called `input`
self.host, self._host
storage.host          not of what was imported or made by a call of something
"""

from assess_registry.audit.code.facts import FileCode
from assess_registry.audit.code.mentions import CALL, Chain

HOST = "@host"
"""What every such chain stands for."""

_NAMES = frozenset(("host", "_host"))
_INPUTS = frozenset(("input", "_input"))
_OWNERS = frozenset(("self", "cls"))
_INPUT_TYPES = frozenset(("ActionInput", "EvaluateInput", "Any"))
_HOST_TYPES = frozenset(("Host", "Any"))


def is_host(code: FileCode, chain: Chain, number: int) -> bool:
    """Whether the step of this number is the host."""
    if chain[number] not in _NAMES:
        return False
    root = chain[0]
    if root in code.bound:
        return False
    if number == 0:
        return _may_be(code, root, _NAMES, _HOST_TYPES)
    if chain[number - 1] in _INPUTS:
        return number > 1 or _may_be(code, root, _INPUTS, _INPUT_TYPES)
    return number == 1 and (root in _OWNERS or _may_be(code, root, _INPUTS, _INPUT_TYPES))


def _may_be(code: FileCode, name: str, names: frozenset[str], types: frozenset[str]) -> bool:
    """Whether nothing says that this is something else: neither a type nor what is assigned to it."""
    chains = code.aliases.get(name)
    return not chains or any(
        each[-1] in names or (each[-1] == CALL and len(each) > 1 and each[-2] in types) for each in chains
    )
