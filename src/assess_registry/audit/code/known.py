"""The dotted names that matter, and the way from a beginning of one towards its end."""

import ast
from collections.abc import Iterable

from assess_registry.audit.code.host import HOST
from assess_registry.audit.code.mentions import ALIAS, ASKED, COMPUTED, INDEX, OWN_INDEX, STREAM_CALL, WRITE, Chain
from assess_registry.wheel.standard import STANDARD

PATH = "pathlib.Path"
OWN = "~"
"""In front of the name of a module of the wheel."""

NAMESPACE = "builtins.globals"
"""All names of a module at once."""

MEMBER = "_"
"""Stands for whatever private member of a module of the standard library."""

_WHOLE_IMPORTERS = frozenset(("importlib.import_module",))
_TOP_IMPORTERS = frozenset(("builtins.__import__", "importlib.__import__"))
_SAME = {
    "posix": "os", "_io": "io", "_socket": "socket", "_ssl": "ssl", "_ctypes": "ctypes", "_pickle": "pickle",
    "__builtin__": "builtins", "_pyio": "io", "_posixsubprocess": "subprocess", "_sqlite3": "sqlite3",
    "_operator": "operator", "_signal": "signal", "_tkinter": "tkinter", "posixpath": "os.path",
    "genericpath": "os.path",
}  # fmt: skip
_HOST_TYPES = frozenset(("assess_plugin.Host", "assess_plugin.models.Host"))
_PATHS = frozenset(("Path", "PosixPath", "WindowsPath"))
_ELEMENTS = frozenset(("sys.path",))
"""What is in them is text."""


class Known:
    """Names that matter to a caller, and all beginnings of them.

    Args:
        names: dotted names.
        words: those of them that are words like others, and no module where somebody else's member has that name.
    """

    def __init__(self, names: Iterable[str], words: Iterable[str] = ()) -> None:
        self.names = frozenset(names)
        self._leads = {dotted.rpartition(".")[0] for dotted in self.names} | self.names
        while missing := {dotted.rpartition(".")[0] for dotted in self._leads} - self._leads:
            self._leads |= missing
        self._leads |= {*_WHOLE_IMPORTERS, *_TOP_IMPORTERS, "importlib", "builtins", "sys", "sys.modules", HOST}
        self._leads |= {"assess_plugin", "assess_plugin.models"}
        self.modules = frozenset({each.partition(".")[0] for each in self._leads} - {"", HOST, *words})
        self._leads |= {name for name in STANDARD if name[0] != "_"}

    def walk(self, path: str, steps: Chain) -> tuple[str, Chain]:
        """The longest known name on the way, and the steps behind it; an empty name when the way leads nowhere."""
        best, number = path, 0
        for behind, step in enumerate(steps, 1):
            # An empty step is a name that nothing can have, as in `os.__dict__['']`.
            if path not in self._leads or not step or step in (ALIAS, WRITE) or step[0] == ASKED:
                break
            if step == COMPUTED:
                return (f"{path}.{COMPUTED}", steps[behind:]) if path else ("", ())
            if step[0] in "([":
                path = self._into(path, step)
                if path.endswith(f".{COMPUTED}"):
                    return path, steps[behind:]
                if path != best:
                    best, number = path, behind
                continue
            if path == PATH and f"{PATH}.{step}" not in self.names:
                number = behind
                continue  # whatever is made of a path is one
            is_plain = path not in self.names and f"{path}.{step}" not in self._leads
            if is_plain and is_private(step) and path.partition(".")[0] in STANDARD:
                return f"{path}.{MEMBER}", steps[behind - 1 :]
            path = _canonical(f"{path}.{step}" if path else step)
            best, number = path, behind
        return self._known(best, steps, number)

    def _known(self, path: str, steps: Chain, number: int) -> tuple[str, Chain]:
        """The path itself when it leads on, else the longest known beginning of it."""
        if path in self._leads:
            return path, steps[number:]
        while path:
            path = path.rpartition(".")[0]
            if path in self._leads:
                return (path, steps[number - 1 :]) if path in self.names else ("", ())
        return "", ()

    def _into(self, path: str, step: str) -> str:
        """Where a call or an index leads; what is made by calling a name is known by that name."""
        if step == OWN_INDEX:
            return NAMESPACE if path == "sys.modules" else path
        text = "" if step == STREAM_CALL or len(step) <= 2 else str(ast.literal_eval(step[1:-1]))
        if step[0] == "[" and path in _ELEMENTS:
            return ""
        if step[0] == "[" and (path in ("sys.modules", "builtins") or path.endswith(".__dict__")):
            if step == INDEX:
                return f"{path}.{COMPUTED}"
            return _canonical(text if path == "sys.modules" else f"{path.removesuffix('.__dict__')}.{text}")
        if text and step[0] == "(" and path in _WHOLE_IMPORTERS:
            return _canonical(text)
        if text and step[0] == "(" and path in _TOP_IMPORTERS:
            return _canonical(text.partition(".")[0])
        return path


def is_private(name: str) -> bool:
    """`_name`, which is neither `__name__` nor `_name_`."""
    return name[:1] == "_" and name[:2] != "__" and name[-1:] != "_"


def _canonical(path: str) -> str:
    head, dot, tail = path.partition(".")
    path = f"{_SAME.get(head, head)}{dot}{tail}"
    if path in _HOST_TYPES:  # what is annotated as a host is one
        return HOST
    return PATH if head == "pathlib" and tail in _PATHS else path
