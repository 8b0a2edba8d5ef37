"""Every chain of names that an expression may stand for, spelled without recursion.

getattr(os, "system")("id")      os.system('id')
(a if x else b).run              a.run, b.run
[os, 1][0].system                os[].system
vars(random)["_os"]              random._os
x.__getattribute__("y")          x.y
globals()["os"].fork             @names['os'].fork
"""

import ast
from dataclasses import dataclass, field

from assess_registry.audit.code.arguments import whole_text
from assess_registry.audit.code.mentions import (
    CALL,
    COMPUTED,
    INDEX,
    MAX_STEPS,
    NAMES,
    OWN_INDEX,
    STREAM_CALL,
    Chain,
)

MAX_WAYS = 16
"""Alternatives followed of one expression; what stands in further ones is looked at by itself."""

CHAINED = (ast.Name, ast.Attribute, ast.Call, ast.Subscript)
GATHERED = (ast.List, ast.Tuple, ast.Set, ast.Dict, ast.IfExp, ast.BoolOp, ast.Await, ast.Starred, ast.NamedExpr)
_NAMESPACES = frozenset(("globals", "locals", "vars"))
_LOOKUPS = frozenset(("get", "pop", "setdefault", "__getitem__"))
_GETTERS = frozenset(("__getattribute__", "__getattr__"))


@dataclass(frozen=True, slots=True)
class Spelled:
    """What was found in one expression.

    Attributes:
        chains: each way of reading it.
        calls: calls on the way, and the chain of what is called.
        named: names that are bound on the way, and to what.
        rest: parts that belong to no chain.
    """

    chains: list[Chain] = field(default_factory=list)
    calls: list[tuple[ast.Call, Chain, bool]] = field(default_factory=list)
    named: list[tuple[str, Chain]] = field(default_factory=list)
    rest: list[ast.AST] = field(default_factory=list)


@dataclass(slots=True)
class _Way:
    """One way so far: steps from the outermost inwards, and how many of them stand behind a call or a name."""

    node: ast.expr
    steps: list[str]
    calls: list[tuple[int, ast.Call]]
    named: list[tuple[int, str]]

    def through(self, node: ast.expr) -> "_Way":
        return _Way(node, list(self.steps), list(self.calls), list(self.named))


def spell(node: ast.expr) -> Spelled:
    """All that this expression may be."""
    found = Spelled()
    waiting = [_Way(node, [], [], [])]
    ways = 1
    while waiting:
        way = waiting.pop()
        root = _descend(way, found.rest)
        if root is None:
            if way.steps and not isinstance(way.node, ast.NamedExpr):  # what is done with it, whatever it holds
                found.chains.append(_chain("", way.steps))
            for each in _alternatives(way, found.rest):
                if ways < MAX_WAYS and isinstance(each, (*CHAINED, *GATHERED)):
                    ways += 1
                    waiting.append(way.through(each))
                else:
                    found.rest.append(each)
            continue
        chain = _chain(root, way.steps)
        found.chains.append(chain)
        for behind, call in way.calls:
            found.calls.append((call, _chain(root, way.steps[behind:]), behind == 1))
        found.named.extend((name, _chain(root, way.steps[behind:])) for behind, name in way.named)
    return found


def _alternatives(way: _Way, rest: list[ast.AST]) -> list[ast.expr]:
    match way.node:
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            return parts
        case ast.Dict(keys=keys, values=parts):
            rest += [key for key in keys if key is not None]
            return parts
        case ast.BoolOp(values=parts):
            return parts
        case ast.IfExp(test=test, body=body, orelse=other):
            rest.append(test)
            return [body, other]
        case ast.NamedExpr(target=target, value=value):
            way.named.append((len(way.steps), target.id))
            rest.append(target)
            return [value]
        case ast.Await(value=value) | ast.Starred(value=value):
            return [value]
    raise AssertionError(way.node)


def _descend(way: _Way, rest: list[ast.AST]) -> str | None:  # noqa: C901, PLR0912  one case for each way to write it
    """Down to the root, whose name is returned: empty when it has none; None where the way forks."""
    steps = way.steps
    while len(steps) < MAX_STEPS:
        node = way.node
        match node:
            case ast.Name(id=name):
                return name
            case ast.Attribute(attr=name, value=inner):
                steps.append(name)
                way.node = inner
            case ast.Call(func=ast.Name(id="getattr"), args=[inner, name, *others]):
                steps.append(_attribute(name))
                rest += [name, *others, *node.keywords]
                way.node = inner
            case ast.Call(func=ast.Name(id="vars"), args=[inner], keywords=[]):
                steps.append("__dict__")
                way.node = inner
            case ast.Call(func=ast.Name(id=name), args=[], keywords=[]) if name in _NAMESPACES:
                return NAMES
            case ast.Call(func=ast.Attribute(attr=getter, value=inner), args=[name]) if getter in _GETTERS:
                steps.append(_attribute(name))
                rest.append(name)
                way.node = inner
            case ast.Call(func=ast.Attribute(attr=getter, value=outer), args=[inner, name]) if getter in _GETTERS:
                steps.append(_attribute(name))
                rest += [outer, name]
                way.node = inner
            case ast.Call(func=ast.Attribute(attr=lookup, value=inner), args=[key, *others]) if (
                lookup in _LOOKUPS and _is_mapping(inner)
            ):
                steps.append(_index(key))
                rest += [key, *others, *node.keywords]
                way.node = inner
            case ast.Call(func=called):
                text = whole_text(node.args[0]) if node.args else None
                steps.append((STREAM_CALL if _takes_stream(node) else CALL) if text is None else f"({text!r})")
                way.calls.append((len(steps), node))
                rest += [*node.args, *node.keywords]
                way.node = called
            case ast.Subscript(value=inner, slice=key):
                steps.append(_index(key))
                rest.append(key)
                way.node = inner
            case ast.BinOp(op=ast.Div(), left=inner, right=right):  # `(Path(a) / b).open`, `x = Path(a) / b`
                rest.append(right)
                way.node = inner
            case _ if isinstance(node, GATHERED):
                return None
            case _:
                break
    rest.append(way.node)
    return ""


def _chain(root: str, steps: list[str]) -> Chain:
    """Outermost last, with `__dict__["y"]` as the attribute `y`."""
    if "__dict__" not in steps:
        return (root, *reversed(steps))
    merged = [root]
    for step in reversed(steps):
        if merged[-1] == "__dict__" and len(merged) > 1 and step[0] == "[":
            merged[-1] = COMPUTED if step == INDEX else step[2:-2]
        else:
            merged.append(step)
    return tuple(merged)


def _attribute(name: ast.expr) -> str:
    text = whole_text(name)
    return text if text is not None and text.isidentifier() else COMPUTED


def _index(key: ast.expr) -> str:
    if isinstance(key, ast.Name) and key.id == "__name__":
        return OWN_INDEX
    text = whole_text(key)
    return INDEX if text is None else f"[{text!r}]"


def _is_mapping(node: ast.expr) -> bool:
    """Whether `.get(x)` of this is one of a namespace: `sys.modules`, `__dict__`, `vars(…)`, a plain name."""
    match node:
        case ast.Attribute(attr=name):
            return name in ("modules", "__dict__", "environ", "environb", "__builtins__")
        case ast.Call(func=ast.Name(id=name)):
            return name in _NAMESPACES
        case ast.Name():
            return True
    return False


def _takes_stream(node: ast.Call) -> bool:
    """Whether what is opened is data at hand: `ZipFile(BytesIO(data))`, `tarfile.open(fileobj=…)`."""
    if not node.args:
        return any(each.arg == "fileobj" for each in node.keywords)
    match node.args[0]:
        case ast.Call(func=ast.Name(id="BytesIO" | "StringIO") | ast.Attribute(attr="BytesIO" | "StringIO")):
            return True
    return False
