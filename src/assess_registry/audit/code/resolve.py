"""Which well-known thing a chain of names stands for, whatever it was called on the way.

    import socket as s              s.create_connection     ->  socket.create_connection
    from subprocess import run      run                     ->  subprocess.run
    getattr(os, "system")                                   ->  os.system
    __import__("os").popen                                  ->  os.popen
    sys.modules["socket"]                                   ->  socket
    h = input.host                  h.run                   ->  @host.run

Names are followed without regard to scope and order: a name stands for everything it is bound to anywhere in the file.
Only what leads to a known name is kept, so the work is bounded by the file and by what is known.
"""

import ast
from collections.abc import Iterable, Iterator

from assess_registry.audit.code.collect import FileCode
from assess_registry.audit.code.mentions import ALIAS, COMPUTED, Argument, Chain

HOST = "@host"
"""What every chain through a name or attribute `host` or `_host` stands for."""

_HOST_NAMES = frozenset(("host", "_host"))
_BUILTINS = frozenset(("eval", "exec", "compile", "open", "__import__", "__builtins__", "breakpoint"))
_WHOLE_IMPORTERS = frozenset(("importlib.import_module",))
_TOP_IMPORTERS = frozenset(("builtins.__import__", "importlib.__import__"))
_SAME = {"posix": "os", "_io": "io", "_socket": "socket", "_ssl": "ssl", "_ctypes": "ctypes", "_pickle": "pickle"}
_WITHIN = frozenset(("os", "sys", "subprocess", "builtins", "importlib", "shutil"))
"""Modules that are recognised behind another name too: `helpers.os.system`."""

_PATHS = frozenset(("Path", "PosixPath", "WindowsPath"))
PATH = "pathlib.Path"


class Resolver:
    """The names of one file, towards the known ones.

    Args:
        code: the file.
        known: dotted names that matter to the caller; whatever begins one of them is followed.
    """

    def __init__(self, code: FileCode, known: Iterable[str]) -> None:
        self._code = code
        self._known = frozenset(known)
        self._leads = {dotted.rpartition(".")[0] for dotted in self._known} | self._known
        while missing := {dotted.rpartition(".")[0] for dotted in self._leads} - self._leads:
            self._leads |= missing
        self._leads |= {*_WHOLE_IMPORTERS, *_TOP_IMPORTERS, "importlib", "builtins", "sys", "sys.modules", HOST}
        self._names: dict[str, set[str]] = {}
        self._follow()

    def imported(self, dotted: str) -> str:
        """The known name that an import of this leads to; empty when to none."""
        return self._absolute(dotted)

    def paths(self, chain: Chain) -> set[str]:
        """The known names, or beginnings of such, that this chain may stand for."""
        root, *steps = chain
        found = {self._walk(path, steps) for path in self._roots(root)}
        found |= set(self._through(chain))
        return found - {""}

    def value(self, given: Argument) -> Argument:
        """The argument, with a name replaced by the one constant that it stands for."""
        if given.name and self._code.stores.get(given.name) == 1:
            return self._code.constants.get(given.name, given)
        return given

    def _roots(self, root: str) -> set[str]:
        found = set(self._names.get(root, ()))
        if root in _HOST_NAMES:
            found.add(HOST)
        if root in _BUILTINS and not self._is_shadowed(root):
            found.add("builtins" if root == "__builtins__" else f"builtins.{root}")
        if not found and root not in self._code.stores:
            for module in self._code.stars:
                found.add(self._absolute(f"{module}.{root}"))
        return found

    def _is_shadowed(self, name: str) -> bool:
        """A file that imports its own `open` means that one; a `compile` that is not `exec`uted does nothing."""
        return (name in self._code.bound and name == "open") or (name in self._code.stores and name == "compile")

    def _through(self, chain: Chain) -> Iterator[str]:
        """What a chain means by the words in it, wherever it begins: a module at its root, `.host.`, `.os.`."""
        for number, step in enumerate(chain):
            if step in _HOST_NAMES and number:
                yield self._walk(HOST, chain[number + 1 :])
            elif step in _WITHIN and number:
                yield self._walk(step, chain[number + 1 :])

    def _walk(self, path: str, steps: Iterable[str]) -> str:
        """The longest known name on the way; empty when the way leads nowhere."""
        for step in steps:
            if path not in self._leads:
                break
            if step == ALIAS:
                continue
            if step == COMPUTED:
                return f"{path}.{COMPUTED}"
            if step[0] in "([":
                path = self._canonical(_into(path, step))
                continue
            if path == PATH and f"{PATH}.{step}" not in self._known:
                continue  # whatever is made of a path is one
            path = self._canonical(f"{path}.{step}" if path else step)
        return self._best(path)

    def _canonical(self, path: str) -> str:
        head, dot, tail = path.partition(".")
        path = f"{_SAME.get(head, head)}{dot}{tail}"
        return PATH if head == "pathlib" and tail in _PATHS else path

    def _best(self, path: str) -> str:
        """The path itself when it leads on, else the longest known beginning of it."""
        while path and path not in self._leads:
            path = path.rpartition(".")[0]
            if path in self._leads:
                return path if path in self._known else ""
        return path

    def _follow(self) -> None:
        """What each name stands for: imports first, then assignments as long as they add something."""
        for name, dotted in self._code.bound.items():
            for each in dotted:
                self._add(name, self._absolute(each))
        by_root: dict[str, list[tuple[str, Chain]]] = {}
        for name, chains in self._code.aliases.items():
            for chain in chains:
                by_root.setdefault(chain[0], []).append((name, chain))
                for path in self.paths(chain):
                    self._add(name, path)
        waiting = list(self._names)
        while waiting:
            for name, chain in by_root.get(waiting.pop(), ()):
                before = len(self._names.get(name, ()))
                for path in self.paths(chain):
                    self._add(name, path)
                if len(self._names.get(name, ())) > before:
                    waiting.append(name)

    def _absolute(self, dotted: str) -> str:
        steps = _steps_of(dotted)
        if dotted.startswith("."):
            return next(self._through(steps), "")
        return self._walk("", steps) or next(self._through(steps), "")

    def _add(self, name: str, path: str) -> None:
        if path:
            self._names.setdefault(name, set()).add(path)


def _steps_of(dotted: str) -> Chain:
    return tuple(dotted.split("."))


def _into(path: str, step: str) -> str:
    """Where a call or an index leads; what is made by calling a name is known by that name."""
    text = ast.literal_eval(step[1:-1]) if len(step) > 2 else ""
    if not text:
        return path
    if step[0] == "(" and path in _WHOLE_IMPORTERS:
        return str(text)
    if step[0] == "(" and path in _TOP_IMPORTERS:
        return str(text).partition(".")[0]
    if step[0] == "[" and path == "sys.modules":
        return str(text)
    if step[0] == "[" and (path == "builtins" or path.endswith(".__dict__")):
        return f"{path.removesuffix('.__dict__')}.{text}"
    return path
