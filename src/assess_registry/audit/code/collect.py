"""One walk over each file of a wheel, and all that any check asks of it.

Nothing here is recursive, each fact is kept once with its first lines, and every table has a bound: a file that passes
one is `unread`, with the reason, and whoever asks has to say so.
"""

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

from assess_registry.audit.code.mentions import (
    ALIAS,
    CALL,
    COMPUTED,
    INDEX,
    MAX_STEPS,
    MAX_TEXT,
    Argument,
    Call,
    Chain,
    Mention,
    argument,
    whole_text,
)
from assess_registry.audit.code.source import UnreadableError, parse_pieces
from assess_registry.wheel import UnpackedFile

MAX_WHEEL_SOURCE_BYTES = 48 << 20
"""Of all Python files of a wheel together; those behind it are unread."""

K = TypeVar("K")

MAX_LINES = 20
"""Lines kept of one fact."""

MAX_FACTS = 1_500_000
"""Different names, texts and calls of all files: a million lines that all differ are below it and take some 400 MiB."""

_CALLED = """
    run open stat connect check CheckResult Popen call check_call check_output system popen get getenv
    create_connection open_connection create_subprocess_exec execv execvp
"""
_ARGUMENTS_MATTER = frozenset(_CALLED.split())
"""Last names of calls whose arguments a check looks at; calls of a single name are kept as well, it may be an alias."""


@dataclass(slots=True)
class FileCode:
    """What one Python file mentions.

    Attributes:
        imports: dotted name -> where; a relative one begins with its dots, and `a.*` is everything of `a`.
        bound: local name -> dotted names it may stand for, from imports.
        aliases: local name -> chains that are assigned to it.
        stars: modules from which everything is imported.
        mentions: every chain of names that is read.
        calls: those whose arguments may matter.
        texts: every string up to 1,024 characters.
        constants: names assigned to a text or a list of texts.
        stores: how often a name is bound, wherever.
        top_level: names bound outside of functions and classes.
    """

    path: str
    imports: dict[str, Mention] = field(default_factory=dict)
    bound: dict[str, set[str]] = field(default_factory=dict)
    aliases: dict[str, set[Chain]] = field(default_factory=dict)
    stars: set[str] = field(default_factory=set)
    mentions: dict[Chain, Mention] = field(default_factory=dict)
    calls: dict[Call, Mention] = field(default_factory=dict)
    texts: set[str] = field(default_factory=set)
    constants: dict[str, Argument] = field(default_factory=dict)
    stores: dict[str, int] = field(default_factory=dict)
    top_level: set[str] = field(default_factory=set)

    @property
    def size(self) -> int:
        """Different facts."""
        return len(self.mentions) + len(self.calls) + len(self.texts) + len(self.stores) + len(self.imports)


@dataclass(frozen=True, kw_only=True, slots=True)
class WheelCode:
    """What the Python files of a wheel mention, and which of them could not be read: path -> why."""

    files: tuple[FileCode, ...]
    unread: dict[str, str]
    lines: int


@lru_cache(maxsize=1)
def read_code(files: tuple[UnpackedFile, ...]) -> WheelCode:
    """What every `.py` file mentions; made once for the checks that follow each other on the same wheel."""
    found: list[FileCode] = []
    unread: dict[str, str] = {}
    room = MAX_WHEEL_SOURCE_BYTES
    facts = MAX_FACTS
    lines = 0
    for file in sorted(files, key=lambda each: each.path):
        if not file.path.endswith(".py"):
            continue
        room -= len(file.data)
        try:
            if room < 0:
                raise UnreadableError(f"the Python files have more than {MAX_WHEEL_SOURCE_BYTES} bytes together")
            found.append(_read(file, facts))
            facts -= found[-1].size
        except UnreadableError as error:
            unread[file.path] = str(error)
        lines += file.data.count(b"\n")
    return WheelCode(files=tuple(found), unread=unread, lines=lines)


def _read(file: UnpackedFile, max_facts: int) -> FileCode:
    code = FileCode(path=file.path)
    for first_line, tree in parse_pieces(file.data):
        _Walk(code, first_line).walk(tree)
        if code.size > max_facts:
            raise UnreadableError(f"the Python files mention more than {MAX_FACTS} different names and texts")
    return code


class _Walk:
    """One piece of one file. Nodes that wait stand in two stacks: the top level's, and those inside definitions."""

    def __init__(self, code: FileCode, first_line: int) -> None:
        self._code = code
        self._first_line = first_line
        self._waiting: list[ast.AST] = []
        self._inner: list[ast.AST] = []
        self._is_top = True

    def walk(self, tree: ast.Module) -> None:
        """Note everything; in no order that matters."""
        self._waiting.extend(tree.body)
        self._drain()
        self._is_top = False
        self._waiting = self._inner
        self._drain()

    def _drain(self) -> None:
        waiting = self._waiting
        while waiting:
            node = waiting.pop()
            visit = _VISITORS.get(type(node))
            if visit is None or visit(self, node):
                for value in node.__dict__.values():
                    if value.__class__ is list:
                        waiting.extend([each for each in value if isinstance(each, ast.AST)])
                    elif isinstance(value, ast.AST):
                        waiting.append(value)

    # What a visitor returns: whether the node's children wait for their turn as usual.

    def constant(self, node: ast.Constant) -> bool:
        if isinstance(node.value, str) and 0 < len(node.value) <= MAX_TEXT:
            self._code.texts.add(node.value)
        return False

    def name(self, node: ast.Name) -> bool:
        if isinstance(node.ctx, ast.Load):
            self._note(self._code.mentions, (node.id,), node.lineno)
        else:
            self._store(node.id)
        return False

    def chain(self, node: ast.Attribute | ast.Subscript) -> bool:
        self._note(self._code.mentions, self._steps(node), node.lineno)
        return False

    def call(self, node: ast.Call) -> bool:
        self._call(node, is_decorator=False)
        return False

    def import_(self, node: ast.Import) -> bool:
        for alias in node.names:
            self._note(self._code.imports, alias.name, node.lineno)
            name = alias.asname or alias.name.partition(".")[0]
            self._code.bound.setdefault(name, set()).add(alias.name if alias.asname else name)
            self._store(name)
        return False

    def import_from(self, node: ast.ImportFrom) -> bool:
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            dotted = f"{module}{'' if module.endswith('.') else '.'}{alias.name}"
            self._note(self._code.imports, dotted, node.lineno)
            if alias.name == "*":
                self._code.stars.add(module)
                continue
            self._code.bound.setdefault(alias.asname or alias.name, set()).add(dotted)
            self._store(alias.asname or alias.name)
        return False

    def assign(self, node: ast.Assign) -> bool:
        pairs = [(target, node.value) for target in node.targets]
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
                if len(targets) == len(values):
                    pairs = list(zip(targets, values, strict=True))
        for target, value in pairs:
            self._waiting.append(target)
            if isinstance(target, ast.Name):
                self._constant_of(target.id, value)
        for value in {id(value): value for _, value in pairs}.values():
            names = [target.id for target, each in pairs if each is value and isinstance(target, ast.Name)]
            self._bind(names, value)
        return False

    def annotated(self, node: ast.AnnAssign) -> bool:
        if isinstance(node.target, ast.Name):
            self._of_type(node.target.id, node.annotation)
            if node.value is not None:
                self._constant_of(node.target.id, node.value)
                self._bind([node.target.id], node.value)
                self._waiting += [node.target, node.annotation]
                return False
        return True

    def named(self, node: ast.NamedExpr) -> bool:
        self._waiting.append(node.target)
        self._bind([node.target.id], node.value)
        return False

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
        self._store(node.name)
        self._decorators(node)
        positional = [*node.args.posonlyargs, *node.args.args]
        defaults = node.args.defaults
        given = list(zip(positional[len(positional) - len(defaults) :], defaults, strict=True))
        given += [
            (name, value)
            for name, value in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            if value is not None
        ]
        for name, value in given:
            self._bind([name.arg], value)
        arguments = [*positional, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
        self._later([*(each for each in arguments if each is not None), *node.body])
        self._later([node.returns] if node.returns else [])
        return False

    def class_(self, node: ast.ClassDef) -> bool:
        self._store(node.name)
        self._decorators(node)
        self._waiting += [*node.bases, *node.keywords]
        self._later(node.body)
        return False

    def parameter(self, node: ast.arg) -> bool:
        self._store(node.arg)
        if node.annotation is not None:
            self._of_type(node.arg, node.annotation)
        return True

    def handler(self, node: ast.ExceptHandler | ast.MatchAs | ast.MatchStar) -> bool:
        if node.name:
            self._store(node.name)
        return True

    def rest(self, node: ast.MatchMapping) -> bool:
        if node.rest:
            self._store(node.rest)
        return True

    def global_(self, node: ast.Global) -> bool:
        self._code.top_level.update(node.names)
        return False

    def _decorators(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        for each in node.decorator_list:
            if isinstance(each, ast.Call):
                self._call(each, is_decorator=True)
            else:
                self._waiting.append(each)

    def _later(self, nodes: list[Any]) -> None:
        (self._inner if self._is_top else self._waiting).extend(nodes)

    def _bind(self, names: list[str], value: ast.expr) -> None:
        """Remember what these names may stand for, and look at the value as usual."""
        if not isinstance(value, ast.Name | ast.Attribute | ast.Call | ast.Subscript | ast.BinOp):
            self._waiting.append(value)
            return
        if isinstance(value, ast.Call):
            steps = self._call(value, is_decorator=False)
        else:
            steps = self._steps(value)
            # `o = os` is followed by its name, which is no other use of `os` itself
            self._note(self._code.mentions, steps if len(steps) > 1 else (*steps, ALIAS), value.lineno)
        if steps[0]:
            for name in names:
                self._code.aliases.setdefault(name, set()).add(steps)

    def _of_type(self, name: str, annotation: ast.expr) -> None:
        steps: list[str] = []
        while isinstance(annotation, ast.Attribute) and len(steps) < MAX_STEPS:
            steps.append(annotation.attr)
            annotation = annotation.value
        if isinstance(annotation, ast.Name):
            self._code.aliases.setdefault(name, set()).add((annotation.id, *reversed(steps), CALL))

    def _constant_of(self, name: str, value: ast.expr) -> None:
        found = argument(value)
        if found.text is not None or found.items is not None or found.number is not None:
            self._code.constants[name] = found

    def _call(self, node: ast.Call, *, is_decorator: bool) -> Chain:
        chain = self._steps(node, is_decorator=is_decorator)
        self._note(self._code.mentions, chain, node.lineno)
        return chain

    def _steps(self, node: ast.expr, *, is_decorator: bool = False) -> Chain:
        """The longest chain that ends here; calls in it are noted, and what stands in brackets waits for its turn."""
        steps: list[str] = []
        calls: list[tuple[int, ast.Call]] = []
        root = ""
        while len(steps) < MAX_STEPS:
            match node:
                case ast.Name():
                    root = node.id
                    break
                case ast.Attribute():
                    steps.append(node.attr)
                    node = node.value
                case ast.Call(func=ast.Name(id="getattr"), args=[inner, name, *rest]):
                    text = whole_text(name)
                    steps.append(text if text is not None and text.isidentifier() else COMPUTED)
                    self._waiting += [name, *rest]
                    node = inner
                case ast.Call():
                    text = whole_text(node.args[0]) if node.args else None
                    steps.append(CALL if text is None else f"({text!r})")
                    calls.append((len(steps), node))
                    self._waiting += [*node.args, *node.keywords]
                    node = node.func
                case ast.Subscript():
                    text = whole_text(node.slice)
                    steps.append(INDEX if text is None else f"[{text!r}]")
                    self._waiting.append(node.slice)
                    node = node.value
                case ast.BinOp(op=ast.Div()):  # `(Path(a) / b).open`, `x = Path(a) / b`
                    self._waiting.append(node.right)
                    node = node.left
                case _:
                    break
        if not root:
            self._waiting.append(node)
        chain = (root, *reversed(steps))
        for behind, call in calls:
            self._note_call(call, chain[:-behind], is_decorator=is_decorator and behind == 1)
        return chain

    def _note_call(self, node: ast.Call, called: Chain, *, is_decorator: bool) -> None:
        if len(called) > 1 and called[-1] not in _ARGUMENTS_MATTER:
            return
        check_id = next((argument(each.value) for each in node.keywords if each.arg == "check_id"), None)
        arguments = tuple(argument(each) for each in node.args[:2])
        if arguments or check_id:
            self._note(self._code.calls, Call(called, arguments, check_id, is_decorator), node.lineno)

    def _store(self, name: str) -> None:
        self._code.stores[name] = self._code.stores.get(name, 0) + 1
        if self._is_top:
            self._code.top_level.add(name)

    def _note(self, table: dict[K, Mention], key: K, line: int) -> None:
        mention = table.get(key)
        if mention is None:
            table[key] = Mention([line + self._first_line], 1)
            return
        mention.count += 1
        if len(mention.lines) < MAX_LINES:
            mention.lines.append(line + self._first_line)


_VISITORS: Mapping[type, Callable[[Any, Any], bool]] = {
    ast.Constant: _Walk.constant,
    ast.Name: _Walk.name,
    ast.Attribute: _Walk.chain,
    ast.Subscript: _Walk.chain,
    ast.Call: _Walk.call,
    ast.Import: _Walk.import_,
    ast.ImportFrom: _Walk.import_from,
    ast.Assign: _Walk.assign,
    ast.AnnAssign: _Walk.annotated,
    ast.NamedExpr: _Walk.named,
    ast.FunctionDef: _Walk.function,
    ast.AsyncFunctionDef: _Walk.function,
    ast.ClassDef: _Walk.class_,
    ast.arg: _Walk.parameter,
    ast.ExceptHandler: _Walk.handler,
    ast.MatchAs: _Walk.handler,
    ast.MatchStar: _Walk.handler,
    ast.MatchMapping: _Walk.rest,
    ast.Global: _Walk.global_,
}
