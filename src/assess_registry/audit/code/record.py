"""Notes of what one piece of a file mentions, binds and calls; which statement does so is the walk's business."""

import ast
import re
from collections.abc import Mapping
from typing import Any

from assess_registry.audit.code.arguments import argument, by_name, spread
from assess_registry.audit.code.bindings import types
from assess_registry.audit.code.chains import CHAINED, GATHERED, spell
from assess_registry.audit.code.facts import FileCode, note
from assess_registry.audit.code.mentions import ALIAS, ASKED, CALL, INDEX, MAX_STEPS, Argument, Call, Chain, Handed

_CALLED = """
    run open stat connect check CheckResult Popen call check_call check_output system popen getenv secret
    create_connection open_connection create_subprocess_exec execv execvp basicConfig
"""
_ARGUMENTS_MATTER = frozenset(_CALLED.split())
"""Last names of calls whose arguments a check looks at; calls of a single name are kept as well, it may be an alias."""

_ASKERS = frozenset(
    (
        "isinstance",
        "issubclass",
        "hasattr",
        "len",
        "list",
        "tuple",
        "set",
        "frozenset",
        "sorted",
        "enumerate",
        "print",
        "repr",
    )
)
"""Builtins that ask something of a value and hand it to nobody."""

PLAIN = (ast.Name, ast.Attribute)

_NAMED = frozenset(("argv", "path", "host", "port", "name", "args", "check_id", "filename"))
"""Names of arguments that a check looks at."""

_DERIVING = frozenset(("replace", "_replace", "__replace__", "evolve", "model_copy"))
"""What makes a value out of another one; kept where it is called with `**x`."""

_HANDING = frozenset(("partial", "submit", "to_thread"))
"""What calls its first argument with the others."""

_ID = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,126}[a-z0-9])?\Z")
"""Texts that are kept of what is handed to functions: those that can be the id of a check."""

MAX_HANDED = 6
"""Arguments by position that are followed into a function."""


class Recorder:
    """Notes of one piece. What belongs to no chain waits in one of two stacks, so that nothing is recursive."""

    def __init__(self, code: FileCode, first_line: int) -> None:
        self.code = code
        self.first_line = first_line
        self.waiting: list[ast.AST] = []
        self.inner: list[ast.AST] = []
        self.is_top = True

    def later(self, nodes: list[Any]) -> None:
        """These wait until the top level was walked."""
        (self.inner if self.is_top else self.waiting).extend(nodes)

    def bind(self, names: list[str], value: ast.expr) -> None:
        """Remember what these names may stand for, and look at the value as usual."""
        if not isinstance(value, (*CHAINED, *GATHERED, ast.BinOp)):
            self.waiting.append(value)
            return
        # `o = os` is followed by its name, which is no other use of `os`; kept elsewhere, it can be had by other ways
        is_followed = (
            bool(names)
            and not any(name[0] == "." for name in names)
            and isinstance(value, (*CHAINED, ast.BinOp, ast.IfExp, ast.BoolOp))
        )
        for steps in self.expression(value, (ALIAS,) if is_followed else ()):
            if steps[0]:
                for name in names:
                    self.code.aliases.setdefault(name, set()).add(steps)

    def of_type(self, name: str, annotation: ast.expr) -> None:
        """What is annotated with a type is what calling that type makes."""
        for each in types(annotation):
            self.code.aliases.setdefault(name, set()).add((*each, CALL))

    def annotation(self, node: ast.expr) -> None:
        """A type alone says nothing; what is computed in it is code like any other."""
        parts: list[ast.expr] = [node]
        while parts:
            match parts.pop():
                case ast.BinOp(op=ast.BitOr(), left=left, right=right):
                    parts += [left, right]
                case ast.Name() | ast.Attribute() as plain:
                    self.asked([plain], "annotation")
                case other:
                    self.waiting.append(other)

    def constant_of(self, name: str, value: ast.expr) -> None:
        """Remember a text, a number or a list of texts under its name."""
        found = argument(value)
        if found.number is None and found.items is None:
            self.code.values.add((name, found))
        if found.text is not None or found.items is not None or found.number is not None:
            self.code.constants[name] = found

    def runs_over(self, target: ast.expr, value: ast.expr) -> None:
        """Remember where the names of this target get their values from."""
        waiting, steps = [target], steps_of(value)
        while waiting:
            match waiting.pop():
                case ast.Name(id=name):
                    self.code.looped.setdefault(name, set()).add(steps)
                case ast.Tuple(elts=parts) | ast.List(elts=parts):
                    waiting += parts
                case ast.Starred(value=inner):
                    waiting.append(inner)

    def asked(self, nodes: list[ast.expr], asker: str) -> None:
        """Of plain names something harmless is asked; the rest is looked at as usual."""
        for node in nodes:
            if isinstance(node, ast.Tuple) and asker in ("isinstance", "issubclass"):
                self.asked([each for each in node.elts if not isinstance(each, ast.Tuple)], asker)
                self.waiting += [each for each in node.elts if isinstance(each, ast.Tuple)]
            elif isinstance(node, PLAIN):
                self.expression(node, (ASKED + asker,))
            else:
                self.waiting.append(node)

    def expression(self, node: ast.expr, ending: Chain = (), *, is_decorator: bool = False) -> list[Chain]:
        """Note every chain of it with its calls; what belongs to none waits for its turn."""
        found = spell(node)
        line = self.line(node)
        for chain in found.chains:
            note(self.code.mentions, chain + ending, line)
        for call, called, is_last in found.calls:
            self._note_call(call, called, is_decorator=is_decorator and is_last)
        for name, chain in found.named:
            if chain[0]:
                self.code.aliases.setdefault(name, set()).add(chain)
        asked: dict[int, str] = {}
        for call, called, _ in found.calls:
            if len(called) == 1 and called[0] in _ASKERS:
                wanted = call.args[1:] if called[0] in ("isinstance", "issubclass") else call.args
                asked.update({id(each): called[0] for each in wanted})
        for each in found.rest:
            if isinstance(each, ast.expr) and id(each) in asked:
                self.asked([each], asked[id(each)])
            else:
                self.waiting.append(each)
        return found.chains

    def _note_call(self, node: ast.Call, called: Chain, *, is_decorator: bool) -> None:
        positional, is_whole = spread(node.args)
        named, is_named_whole = by_name(node.keywords)
        self._note_handed(called, positional, named, self.line(node))
        is_derived = called[-1] in _DERIVING and not is_named_whole
        if (
            len(called) > 1
            and called[-1] not in _ARGUMENTS_MATTER
            and not _NAMED.intersection(named)
            and not is_derived
        ):
            return
        arguments = tuple(argument(each) for each in positional[:2])
        matters = tuple((name, argument(value)) for name, value in named.items() if name in _NAMED)
        is_whole = is_whole and is_named_whole
        if arguments or matters or not is_whole:
            note(self.code.calls, Call(called, arguments, matters, is_whole, is_decorator), self.line(node))

    def _note_handed(self, called: Chain, positional: list[ast.expr], named: Mapping[str, ast.expr], line: int) -> None:
        callee = called[-1]
        if callee in _HANDING and positional:
            callee, positional = _name(positional[0]), positional[1:]
        if not callee.isidentifier():
            return
        given_at: list[tuple[int | str, ast.expr]] = [*enumerate(positional[:MAX_HANDED]), *named.items()]
        for place, value in given_at:
            given, steps = argument(value), steps_of(value)
            if given.text is not None and not given.is_prefix:
                if not _ID.match(given.text):
                    continue
            elif isinstance(value, ast.Constant):
                continue
            elif not given.name:
                given = Argument()
            note(self.code.handed, Handed(callee, place, given, steps), line)

    def store(self, name: str) -> None:
        """A name is bound here."""
        self.code.stores[name] = self.code.stores.get(name, 0) + 1
        if self.is_top:
            self.code.top_level.add(name)

    def line(self, node: ast.expr | ast.stmt) -> int:
        """Of the whole file."""
        return node.lineno + self.first_line


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def steps_of(node: ast.expr) -> Chain:
    """The names of an argument: `input.checks[0]` is `input.checks[]`; empty where it begins with none."""
    steps: list[str] = []
    while len(steps) < MAX_STEPS:
        match node:
            case ast.Name(id=name):
                return (name, *reversed(steps))
            case ast.Attribute(attr=name, value=node):
                steps.append(name)
            case ast.Subscript(value=node):
                steps.append(INDEX)
            case ast.Call(func=node):
                steps.append(CALL)
            case _:
                break
    return ()
