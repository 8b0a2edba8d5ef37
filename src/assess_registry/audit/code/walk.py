"""One walk over one piece of a file, which notes all that any check asks of it.

Nothing here is recursive: nodes that wait stand in two stacks, the top level's and those inside definitions.
"""

import ast
from collections.abc import Callable, Mapping
from typing import Any

from assess_registry.audit.code.arguments import argument
from assess_registry.audit.code.bindings import class_body_names, fields_of, imported, name_of
from assess_registry.audit.code.facts import FileCode, note
from assess_registry.audit.code.mentions import MAX_TEXT, WRITE, Argument
from assess_registry.audit.code.record import PLAIN, Recorder


def walk(code: FileCode, first_line: int, tree: ast.Module) -> None:
    """Add to `code` what this piece of its file mentions; `first_line` lines are in front of it."""
    _Walk(code, first_line).walk(tree)


class _Walk(Recorder):
    """The walk over one piece."""

    def walk(self, tree: ast.Module) -> None:
        """Note everything; in no order that matters."""
        self.waiting.extend(tree.body)
        self._drain()
        self.is_top = False
        self.waiting = self.inner
        self._drain()

    def _drain(self) -> None:
        waiting = self.waiting
        while waiting:
            node = waiting.pop()
            visit = _VISITORS.get(type(node))
            if visit is None or visit(self, node):
                for field in node._fields:  # not all of `__dict__`: most of that is where the node stands
                    value = getattr(node, field, None)
                    if value.__class__ is list:
                        waiting.extend([each for each in value if isinstance(each, ast.AST)])
                    elif isinstance(value, ast.AST):
                        waiting.append(value)

    # What a visitor returns: whether the node's children wait for their turn as usual.

    def constant(self, node: ast.Constant) -> bool:
        if isinstance(node.value, str) and 0 < len(node.value) <= MAX_TEXT:
            self.code.texts.add(node.value)
        return False

    def name(self, node: ast.Name) -> bool:
        if isinstance(node.ctx, ast.Load):
            note(self.code.mentions, (node.id,), self.line(node))
        else:
            self.store(node.id)
        return False

    def chain(self, node: ast.Attribute | ast.Subscript) -> bool:
        self.expression(node, () if isinstance(node.ctx, ast.Load) else (WRITE,))
        return False

    def call(self, node: ast.Call) -> bool:
        self.expression(node)
        return False

    def compare(self, node: ast.Compare) -> bool:
        """`x in sys.modules` and `x is os` tell nobody of `sys.modules` and `os`."""
        self.waiting.append(node.left)
        for operator, value in zip(node.ops, node.comparators, strict=True):
            if isinstance(operator, ast.In | ast.NotIn | ast.Is | ast.IsNot):
                self.asked([value], "in" if isinstance(operator, ast.In | ast.NotIn) else "is")
            else:
                self.waiting.append(value)
        return False

    def loop(self, node: ast.For | ast.AsyncFor | ast.comprehension) -> bool:
        self.runs_over(node.target, node.iter)
        if not isinstance(node.iter, PLAIN):
            return True
        self.asked([node.iter], "in")
        self.waiting.append(node.target)
        self.waiting += node.ifs if isinstance(node, ast.comprehension) else [*node.body, *node.orelse]
        return False

    def import_(self, node: ast.Import) -> bool:
        for alias in node.names:
            note(self.code.imports, alias.name, self.line(node))
            name = alias.asname or alias.name.partition(".")[0]
            self.code.modules.add(name)
            self.code.bound.setdefault(name, set()).add(alias.name if alias.asname else name)
            self.store(name)
        return False

    def import_from(self, node: ast.ImportFrom) -> bool:
        for name, dotted in imported(node):
            note(self.code.imports, dotted, self.line(node))
            if name == "*":
                self.code.stars.add(dotted.removesuffix("*").rstrip(".") or dotted.removesuffix("*"))
                continue
            self.code.bound.setdefault(name, set()).add(dotted)
            self.store(name)
        return False

    def condition(self, node: ast.If) -> bool:
        """What is imported below `if TYPE_CHECKING` is kept apart; whether that means anything is said elsewhere."""
        match node.test:
            case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING", value=ast.Name()):
                pass
            case _:
                return True
        self.waiting += [node.test, *node.orelse]
        for each in node.body:
            match each:
                case ast.Import(names=names):
                    pairs = [(one.asname or one.name.partition(".")[0], one.name) for one in names]
                case ast.ImportFrom():
                    pairs = list(imported(each))
                case _:
                    self.waiting.append(each)
                    continue
            for pair in pairs:
                note(self.code.only_typing, pair, self.line(each))
                if self.is_top:
                    self.code.top_level.add(pair[0])
        return False

    def assign(self, node: ast.Assign) -> bool:
        pairs = [(target, node.value) for target in node.targets]
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
                if len(targets) == len(values):
                    pairs = list(zip(targets, values, strict=True))
        for target, value in pairs:
            self.waiting.append(target)
            if isinstance(target, ast.Name):
                self.constant_of(target.id, value)
            else:
                self.runs_over(target, value)
        for value in {id(value): value for _, value in pairs}.values():
            targets = [target for target, each in pairs if each is value]
            self.bind([name for target in targets if (name := name_of(target))], value)
        return False

    def annotated(self, node: ast.AnnAssign) -> bool:
        name = name_of(node.target)
        if name and isinstance(node.target, ast.Name):
            self.of_type(name, node.annotation)
            if node.value is not None:
                self.constant_of(name, node.value)
        self.waiting.append(node.target)
        self.annotation(node.annotation)
        if node.value is not None:
            self.bind([name] if name else [], node.value)
        return False

    def named(self, node: ast.NamedExpr) -> bool:
        self.waiting.append(node.target)
        self.constant_of(node.target.id, node.value)
        self.bind([node.target.id], node.value)
        return False

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
        self.store(node.name)
        self.code.functions.add(node.name)
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
            self.code.values.add((name.arg, argument(value)))
            self.bind([name.arg], value)
        self._parameters(node.name, node)
        arguments = [*positional, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
        self.later([*(each for each in arguments if each is not None), *node.body])
        if node.returns:
            self.annotation(node.returns)
        return False

    def class_(self, node: ast.ClassDef) -> bool:
        self.store(node.name)
        self._decorators(node)
        self.waiting += [*node.bases, *node.keywords]
        for name, value in class_body_names(node):
            self.code.class_level.add(name)
            if isinstance(value, ast.Name):  # followed as an attribute, and who computes that attribute's name has it
                note(self.code.mentions, (value.id,), self.line(value))
        makers = [each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
        for maker in makers:
            self._parameters(node.name, maker)
        if not makers:
            fields = fields_of(node)
            self.code.fields.update(fields)
            self.code.parameters.setdefault(node.name, set()).add(fields)
        self.later(node.body)
        return False

    def _parameters(self, name: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        names = [each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        self.code.parameters.setdefault(name, set()).add(
            tuple(names[1:] if names[:1] in (["self"], ["cls"]) else names)
        )

    def parameter(self, node: ast.arg) -> bool:
        self.store(node.arg)
        if node.annotation is not None:
            self.of_type(node.arg, node.annotation)
            self.annotation(node.annotation)
        return False

    def handler(self, node: ast.ExceptHandler | ast.MatchAs | ast.MatchStar) -> bool:
        if node.name:
            self.store(node.name)
        return True

    def rest(self, node: ast.MatchMapping) -> bool:
        if node.rest:
            self.store(node.rest)
        return True

    def added(self, node: ast.AugAssign) -> bool:
        """What becomes of the name is computed."""
        if isinstance(node.target, ast.Name):
            self.code.values.add((node.target.id, Argument()))
        return True

    def global_(self, node: ast.Global) -> bool:
        self.code.top_level.update(node.names)
        return False

    def _decorators(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        for each in node.decorator_list:
            if isinstance(each, ast.Call):
                self.expression(each, is_decorator=True)
            else:
                self.waiting.append(each)


_VISITORS: Mapping[type, Callable[[Any, Any], bool]] = {
    ast.Constant: _Walk.constant,
    ast.Name: _Walk.name,
    ast.Attribute: _Walk.chain,
    ast.Subscript: _Walk.chain,
    ast.Call: _Walk.call,
    ast.Compare: _Walk.compare,
    ast.For: _Walk.loop,
    ast.AsyncFor: _Walk.loop,
    ast.comprehension: _Walk.loop,
    ast.Import: _Walk.import_,
    ast.ImportFrom: _Walk.import_from,
    ast.If: _Walk.condition,
    ast.Assign: _Walk.assign,
    ast.AnnAssign: _Walk.annotated,
    ast.AugAssign: _Walk.added,
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
