"""Which names a statement binds, and under which name what was bound can be found again."""

import ast
from collections.abc import Iterator

from assess_registry.audit.code.mentions import MAX_STEPS, Chain

_BLOCKS = (ast.If, ast.Try, ast.With, ast.For, ast.While, ast.ExceptHandler, ast.TryStar)


def imported(node: ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """Local name and dotted name; a relative one begins with its dots."""
    module = "." * node.level + (node.module or "")
    for alias in node.names:
        yield alias.asname or alias.name, f"{module}{'' if module.endswith('.') else '.'}{alias.name}"


def name_of(target: ast.expr) -> str:
    """Under which name it can be found again: `a`, `.a` of an attribute; what is put into `a[…]` is in `a`."""
    steps = 0
    while isinstance(target, ast.Subscript) and steps < MAX_STEPS:
        target = target.value
        steps += 1
    match target:
        case ast.Name(id=name):
            # in front of a dot it is no name of the file's: what is in a container can be had by other ways, too
            return name if not steps else f".[{name}"
        case ast.Attribute(attr=name):
            return f".{name}"
    return ""


def class_body_names(node: ast.ClassDef) -> Iterator[tuple[str, ast.expr | None]]:
    """Names that the class's own body binds, and to what."""
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        match waiting.pop():
            case ast.Assign(targets=targets, value=value):
                yield from ((each.id, value) for each in targets if isinstance(each, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name), value=value):
                yield name, value
            case ast.Import(names=names):
                for alias in names:
                    name = alias.asname or alias.name.partition(".")[0]
                    yield name, ast.Name(id=name, ctx=ast.Load(), lineno=node.lineno)
            case ast.ImportFrom(names=names):
                yield from ((alias.asname or alias.name, None) for alias in names)
            case block if isinstance(block, _BLOCKS):
                for part in ("body", "orelse", "finalbody", "handlers"):
                    waiting += getattr(block, part, [])


def fields_of(node: ast.ClassDef) -> tuple[str, ...]:
    """What the class declares, in order: the parameters of a dataclass."""
    return tuple(
        each.target.id for each in node.body if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    )


def types(annotation: ast.expr) -> Iterator[Chain]:
    """The types that an annotation names: `a.B`, `a.B | None`, `"a.B | None"`."""
    waiting: list[ast.expr] = [annotation]
    while waiting:
        node = waiting.pop()
        match node:
            case ast.BinOp(op=ast.BitOr(), left=left, right=right):
                waiting += [left, right]
            case ast.Constant(value=str(text)):
                dotted = (tuple(part.strip().split(".")) for part in text.split("|"))
                yield from (each[:MAX_STEPS] for each in dotted if all(step.isidentifier() for step in each))
            case ast.Name() | ast.Attribute():
                steps: list[str] = []
                while isinstance(node, ast.Attribute) and len(steps) < MAX_STEPS:
                    steps.append(node.attr)
                    node = node.value
                if isinstance(node, ast.Name):
                    yield (node.id, *reversed(steps))
