"""Chains of names as they stand in code: `host.run`, `pathlib.Path("/etc").read_text`, `os.environ["HOME"]`.

A chain is its root's name and its steps, outermost last: an attribute is its name; a call is `()`, or `('text')` with
the text of its first argument; an index is `[]` or `['text']`. `getattr(x, "y")` is the attribute `y`; a computed one
is `?`, and a name that is given another name ends in `=`. The root is empty where it is not a name, and `@names` for
the names of the module itself: `globals()`. A chain that is written to ends in `:=`; one of which only something
harmless is asked, in `<` and what asks: `<isinstance`, `<in`.
"""

import ast
from dataclasses import dataclass

CALL, INDEX, COMPUTED, ALIAS, WRITE, ASKED = "()", "[]", "?", "=", ":=", "<"
STREAM_CALL, OWN_INDEX = "(~)", "[@]"
"""A call whose first argument is data in memory, and `[__name__]`."""

NAMES = "@names"

MAX_STEPS = 32
"""Of a chain; a longer one is followed from its middle. Nobody writes it, and each prefix of it would cost again."""

MAX_TEXT = 1024
"""Characters of a text that can be a name, a path or an argument."""

Chain = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Argument:
    """What is known of one argument without running anything.

    Attributes:
        text: of a string; the beginning that is known when `is_prefix`.
        items: of a list or tuple: each text, None where it is computed.
        name: of a variable.
        number: of a whole number, or of the second of two items: an address.
        is_open_ended: more items follow that are computed.
    """

    text: str | None = None
    is_prefix: bool = False
    items: tuple[str | None, ...] | None = None
    name: str = ""
    number: int | None = None
    is_open_ended: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A call: the chain of what is called, its first two arguments, and `check_id=` when it has that."""

    chain: Chain
    arguments: tuple[Argument, ...]
    check_id: Argument | None
    is_decorator: bool


@dataclass(slots=True)
class Mention:
    """Where something stands: its first lines, and how often in all."""

    lines: list[int]
    count: int


def argument(node: ast.expr) -> Argument:
    """What is known of this expression."""
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
            text, whole = _sum(node)
            return Argument(text=text, is_prefix=not whole) if text else Argument()
        case ast.List(elts=elements) | ast.Tuple(elts=elements) if len(elements) <= 64:
            starred = [number for number, each in enumerate(elements) if isinstance(each, ast.Starred)]
            known = elements[: starred[0]] if starred else elements
            second = argument(known[1]).number if len(known) == 2 else None
            items = tuple(whole_text(each) for each in known)
            return Argument(items=items, number=second, is_open_ended=bool(starred))
    return Argument()


def whole_text(node: ast.expr) -> str | None:
    """The string that this expression is; None where it is something else or is computed."""
    found = argument(node) if isinstance(node, ast.Constant | ast.BinOp) else None
    return found.text if found and not found.is_prefix else None


def _sum(node: ast.expr) -> tuple[str, bool]:
    """What is known of the beginning of `"a" + "b" + …`, and whether it is all of it."""
    terms: list[ast.expr] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and len(terms) < 64:
        terms.append(node.right)
        node = node.left
    text = ""
    for term in [node, *reversed(terms)]:
        if not (isinstance(term, ast.Constant) and isinstance(term.value, str)) or len(text) > MAX_TEXT:
            return text, False
        text += term.value
    return text, len(text) <= MAX_TEXT
