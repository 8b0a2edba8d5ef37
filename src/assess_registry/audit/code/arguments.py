"""What is known of an argument without running anything.

"id -u".split()                     ["id", "-u"]
list(("id", "-u"))                  ["id", "-u"]
["id"] + ["-u", *more]              ["id", "-u", …]
f"/etc/{name}"                      "/etc/" and what follows
f(*["id"], **{"path": "/etc"})      f("id", path="/etc")
"""

import ast
from collections.abc import Sequence

from assess_registry.audit.code.mentions import MAX_TEXT, Argument

MAX_ITEMS = 64
"""Of a list that is read, and of a sum; nobody writes longer ones as an argument."""

_MAX_DEPTH = 4
_LISTS = frozenset(("list", "tuple"))


def argument(node: ast.expr, depth: int = 0) -> Argument:
    """What is known of this expression."""
    if depth > _MAX_DEPTH:
        return Argument()
    match node:
        case ast.Constant(value=str(text)) if len(text) <= MAX_TEXT:
            return Argument(text=text)
        case ast.Constant(value=int(number)) if not isinstance(number, bool):
            return Argument(number=number)
        case ast.Name(id=name):
            return Argument(name=name)
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]) if len(text) <= MAX_TEXT:
            return Argument(text=text, is_prefix=True)
        case ast.BinOp(op=ast.Add()):
            return _sum(node, depth)
        case ast.List(elts=elements) | ast.Tuple(elts=elements) if len(elements) <= MAX_ITEMS:
            return _items(elements, depth)
        case ast.Call(func=ast.Name(id=name), args=[inner], keywords=[]) if name in _LISTS:
            found = argument(inner, depth + 1)
            return found if found.items is not None else Argument()
        case ast.Call(func=ast.Attribute(attr="split", value=inner), args=separator, keywords=[]):
            return _split(whole_text(inner), [whole_text(each) for each in separator])
    return Argument()


def whole_text(node: ast.expr) -> str | None:
    """The string that this expression is; None where it is something else or is computed."""
    found = argument(node) if isinstance(node, ast.Constant | ast.BinOp) else None
    return found.text if found and not found.is_prefix else None


def spread(nodes: Sequence[ast.expr]) -> tuple[list[ast.expr], bool]:
    """The elements, with `*[a, b]` as `a, b`; up to the first one that is computed, and whether that is all."""
    found: list[ast.expr] = []
    for node in nodes:
        match node:
            case ast.Starred(value=ast.List(elts=inner) | ast.Tuple(elts=inner)):
                if any(isinstance(each, ast.Starred) for each in inner):
                    return found, False
                found += inner
            case ast.Starred():
                return found, False
            case _:
                found.append(node)
    return found, True


def by_name(nodes: Sequence[ast.keyword]) -> tuple[dict[str, ast.expr], bool]:
    """Arguments that are given by name, with `**{"a": b}` as `a=b`; and whether that is all."""
    found: dict[str, ast.expr] = {}
    is_whole = True
    for node in nodes:
        match node:
            case ast.keyword(arg=str(name), value=value):
                found[name] = value
            case ast.keyword(value=ast.Dict(keys=keys, values=values)):
                for key, value in zip(keys, values, strict=True):
                    if key is not None and (text := whole_text(key)) is not None:
                        found[text] = value
                    else:
                        is_whole = False
            case ast.keyword(value=ast.Call(func=ast.Name(id="dict"), args=[], keywords=inner)) if all(
                each.arg for each in inner
            ):
                found |= {each.arg: each.value for each in inner if each.arg}
            case _:
                is_whole = False
    return found, is_whole


def _items(elements: Sequence[ast.expr], depth: int) -> Argument:
    known, is_whole = spread(elements)
    second = argument(known[1], depth + 1).number if is_whole and len(known) == 2 else None
    return Argument(items=tuple(whole_text(each) for each in known), number=second, is_open_ended=not is_whole)


def _split(text: str | None, separators: Sequence[str | None]) -> Argument:
    if text is None or len(separators) > 1 or not all(separators):
        return Argument()
    return Argument(items=tuple(text.split(separators[0] if separators else None)[:MAX_ITEMS]))


def _sum(node: ast.expr, depth: int) -> Argument:
    """What is known of the beginning of `a + b + …`: a text, or a list."""
    terms: list[ast.expr] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and len(terms) < MAX_ITEMS:
        terms.append(node.right)
        node = node.left
    terms.append(node)
    first = argument(node, depth + 1) if not isinstance(node, ast.BinOp) else Argument()
    if first.items is not None:
        return _joined(terms[::-1], depth)
    if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        return first if first.is_prefix else Argument()
    text = ""
    for term in reversed(terms):
        if not (isinstance(term, ast.Constant) and isinstance(term.value, str)) or len(text) > MAX_TEXT:
            return Argument(text=text, is_prefix=True)
        text += term.value
    return Argument(text=text, is_prefix=len(text) > MAX_TEXT)


def _joined(terms: Sequence[ast.expr], depth: int) -> Argument:
    items: tuple[str | None, ...] = ()
    for term in terms:
        found = argument(term, depth + 1)
        if found.items is None or found.is_open_ended or len(items) > MAX_ITEMS:
            return Argument(items=items + (found.items or ()), is_open_ended=True)
        items += found.items
    return Argument(items=items)
