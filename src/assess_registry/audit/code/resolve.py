"""Which well-known thing a chain of names stands for, whatever it was called on the way.

    import socket as s              s.create_connection     ->  socket.create_connection
    from subprocess import run      run                     ->  subprocess.run
    getattr(os, "system")                                   ->  os.system
    __import__("os").popen                                  ->  os.popen
    sys.modules["socket"]                                   ->  socket
    self.m = os                     anything.m.fork         ->  os.fork
    import random                   random._os.fork         ->  os.fork
    h = input.host                  h.run                   ->  @host.run

Names are followed without regard to scope and order: a name stands for everything it is bound to anywhere in the file,
and what one module of the wheel binds, others can import (`link`). Only what leads to a known name is kept, so the
work is bounded by the files and by what is known.
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from functools import cached_property
from typing import Protocol

from assess_registry.audit.code.facts import FileCode
from assess_registry.audit.code.host import HOST, is_host
from assess_registry.audit.code.known import OWN, Known
from assess_registry.audit.code.mentions import ALIAS, COMPUTED, NAMES, OWN_INDEX, Argument, Chain
from assess_registry.audit.code.typing_only import means_type_checking
from assess_registry.wheel.standard import STANDARD

_BUILTINS = frozenset(("eval", "exec", "compile", "open", "__import__", "__builtins__", "breakpoint", "getattr"))
_NAMESPACES = frozenset(("globals", "locals", "vars", "__loader__", "__spec__"))
_ROOTS = _BUILTINS | _NAMESPACES

_ANYWHERE = """
    os posix sys subprocess builtins importlib shutil socket ctypes pickle marshal multiprocessing pty tempfile
    """
_WITHIN = frozenset(_ANYWHERE.split())
"""Modules that are recognised behind every other name too: `helpers.os.system`, `anything._os`."""

_IMPORTING = frozenset(("import_module", "__import__", "modules"))
"""What turns a text into a module."""

_AMBIGUOUS = "code io types signal resource select typing inspect operator profile trace sh"
_WORDS = frozenset(_AMBIGUOUS.split())
"""Modules of which other libraries have a member of the same name that is something else: `scipy.signal`."""

STARS = "*"
"""Among the names that came to stand for more: a module has all names of another one."""

MAX_PATHS = 64
"""Known names that one chain is followed to."""


class Exports(Protocol):
    """What the modules of the wheel bind: `link.Exports`."""

    attributes: dict[str, set[str]]
    changes: list[str]

    def own(self, dotted: str, path: str) -> tuple[str, Chain]:
        """The longest beginning that is a module of the wheel."""
        ...

    def member(self, path: str, name: str) -> set[str]:
        """What a name of a module stands for."""
        ...

    def held(self, path: str) -> set[str]:
        """All that a module's names stand for."""
        ...

    def everything_of(self, dotted: str, path: str) -> Iterable["Resolver"]:
        """The module of the wheel from which everything is imported."""
        ...


class Resolver:
    """The names of one file, towards the known ones.

    Args:
        code: the file.
        known: dotted names that matter to the caller; whatever begins one of them is followed.
    """

    def __init__(self, code: FileCode, known: Iterable[str] | Known, exports: Exports | None = None) -> None:
        self._code = code
        self._known = known if isinstance(known, Known) else Known(known)
        self._exports = exports
        self._names: dict[str, set[str]] = {}
        self.stars = {module for module in code.stars if module[0] != "." and not self._is_own(module)}
        """Modules that are not the wheel's, of which all names are here; also those that come by its own modules."""
        self.is_followed = True
        self.is_type_checking = means_type_checking(code)
        if not self.is_type_checking:
            for name, dotted in code.only_typing:
                self._import(name, dotted)
        for name, targets in code.bound.items():
            for dotted in targets:
                self._import(name, dotted)
        self.has_links = bool(code.stars) or any(
            each.startswith(".") or self._is_own(each) for targets in code.bound.values() for each in targets
        )
        self._foreign: dict[str, bool] = {}
        self._asked_for = _words_of(code)
        self._seen_changes = -1
        self._by_name: dict[str, list[tuple[str, Chain]]] = {}
        for name, chains in code.aliases.items():
            for chain in chains:
                for each in {chain[0], f".[{chain[0]}", *(f".{step}" for step in chain[1:])}:
                    self._by_name.setdefault(each, []).append((name, chain))
        self.follow()
        self._seen_changes = -1  # what other modules bound before they were linked is news yet

    # What is asked of it

    def imported(self, dotted: str) -> set[str]:
        """The known names that an import of this leads to."""
        return {path for path, _ in self._absolute(dotted) if path and not path.startswith(OWN)}

    @cached_property
    def mentioned(self) -> dict[Chain, set[tuple[str, Chain]]]:
        """What the file's chains stand for; those that lead nowhere are left out."""
        return {chain: found for chain in self._code.mentions if (found := self.uses(chain))}

    def held(self, chain: Chain) -> set[str]:
        """The known names that a module of the wheel binds, when this chain is one and nothing more is said of it."""
        if self._exports is None or not (chain[-1].isidentifier() or _IMPORTING & set(chain)):
            return set()
        modules = {path for path, rest in self._ends(chain) if path.startswith(OWN) and not rest}
        return {known for path in modules for known in self._exports.held(path)}

    def paths(self, chain: Chain) -> set[str]:
        """The known names, or beginnings of such, that this chain may stand for."""
        return {path for path, _ in self.uses(chain)}

    def uses(self, chain: Chain) -> set[tuple[str, Chain]]:
        """The known names that this chain may stand for, each with the steps that follow it."""
        return {(path, rest) for path, rest in self._ends(chain) if path and not path.startswith(OWN)}

    def is_computed(self, chain: Chain) -> bool:
        """Whether a member of a module, of whichever, is taken by a computed name."""
        if COMPUTED not in chain:
            return False
        before = chain[: chain.index(COMPUTED)]
        return (len(before) == 1 and self.is_module(before[0])) or any(
            path.startswith(OWN) and not rest for path, rest in self._ends(before)
        )

    def is_own(self, dotted: str) -> bool:
        """Whether an import of this is one of a module of the wheel."""
        return dotted.startswith(".") or self._is_own(dotted)

    def is_module(self, name: str) -> bool:
        """Whether this name is certainly a module that is not the wheel's own."""
        return name in self._code.modules and self.is_foreign(name)

    def is_foreign(self, root: str) -> bool:
        """Whether this name was imported from elsewhere than the wheel."""
        if root not in self._foreign:
            bound = self._code.bound.get(root, ())
            self._foreign[root] = any(not dotted.startswith(".") and not self._is_own(dotted) for dotted in bound)
        return self._foreign[root]

    def is_shadowed(self, name: str) -> bool:
        """Whether something other than an import binds this name somewhere in the file."""
        return self._code.stores.get(name, 0) > len(self._code.bound.get(name, ()))

    def is_library(self, root: str) -> bool:
        """Whether this name is something of a library: imported from one, or made by what was."""
        names = {root} | {chain[0] for chain in self._code.aliases.get(root, ())}
        return any(
            self.is_foreign(name)
            and not any(each.partition(".")[0] in STANDARD for each in self._code.bound.get(name, ()))
            for name in names
        )

    def is_rebound(self, name: str) -> bool:
        """Whether a builtin's name may stand for something else here."""
        return name in self._code.stores or bool(self._code.stars)

    def is_host(self, chain: Chain) -> bool:
        """Whether this is the host that a plugin was given, by whatever name, and nothing of it."""
        if not chain:
            return False
        last = chain[-1]
        if is_host(self._code, chain, len(chain) - 1):
            return True
        return HOST in (self._names.get(last, ()) if len(chain) == 1 else self._attribute(last))

    def give(self, name: str, path: str) -> bool:
        """Make the name stand for this as well: a function is called with it. Whether that is new."""
        is_new = path not in self._names.get(name, ())
        self._add(name, path)
        return is_new and path in self._names[name]

    def value(self, given: Argument) -> Argument:
        """The argument, with a name replaced by the one constant that it stands for."""
        if given.name and self._code.stores.get(given.name) == 1:
            return self._code.constants.get(given.name, given)
        return given

    # What it knows

    def everything(self) -> set[str]:
        """All known names that the module binds."""
        return {path for name, paths in self._names.items() if name[0] != "." for path in paths} - {""}

    def exported(self, name: str) -> set[str]:
        """What another module gets that imports this name from here."""
        return {*self._names.get(name, ()), *self._from_stars(name)}

    def attributes(self) -> Mapping[str, Set[str]]:
        """What is kept in attributes, whosever they are."""
        found = {name: paths for name, paths in self._names.items() if name[0] == "." and name[1] != "["}
        found |= {f".{name}": self._names[name] for name in self._code.class_level if name in self._names}
        return found

    def take(self, other: "Resolver") -> None:
        """Everything that another module binds is here, too: `from .other import *`."""
        if not other.stars <= self.stars:
            self.stars |= other.stars
            self._note_change(STARS)
        for name, paths in other._names.items():  # noqa: SLF001  of the same class
            if name[0] != ".":
                for path in paths:
                    self._add(name, path)

    def follow(self) -> bool:
        """Follow every assignment as long as that adds something; whether it did."""
        if not self._has_news():
            return False
        before = self._size
        self._take_stars()
        for name, targets in self._code.bound.items():
            for dotted in targets:
                if dotted.startswith(".") or self._is_own(dotted):
                    self._import(name, dotted)
        waiting = [pair for name, chains in self._code.aliases.items() for pair in ((name, each) for each in chains)]
        while waiting:
            name, chain = waiting.pop()
            have = len(self._names.get(name, ()))
            for path, _ in self._ends(chain):
                self._add(name, path)
            if len(self._names.get(name, ())) > have:
                waiting += self._by_name.get(name, ())
                if name in self._code.class_level:
                    waiting += self._by_name.get(f".{name}", ())
        return self._size > before

    def _has_news(self) -> bool:
        """Whether anything that this file asks for by its name came to stand for more since it was last followed."""
        if self._exports is None:
            return True
        seen, self._seen_changes = self._seen_changes, len(self._exports.changes)
        if seen < 0 or self._code.stars or self.stars:
            return True
        return not self._asked_for.isdisjoint(self._exports.changes[seen:])

    def _take_stars(self) -> None:
        if self._exports is not None:
            for module in self._code.stars:
                for other in self._exports.everything_of(module, self._code.path):
                    self.take(other)

    @property
    def _size(self) -> int:
        return sum(map(len, self._names.values())) + len(self.stars)

    # How it finds out

    def _ends(self, chain: Chain) -> Iterator[tuple[str, Chain]]:
        root, *steps = chain
        if root == NAMES:
            yield from self._namespace(tuple(steps))
            return
        for path in self._roots(root):
            yield from self._walk(path, tuple(steps))
        yield from self._through(chain)

    def _namespace(self, steps: Chain) -> Iterator[tuple[str, Chain]]:
        """`globals()["os"]` is `os`; what is done with all names at once, or a computed one, is a use of its own."""
        if steps and steps[0][:2] in ("['", '["'):
            yield from self._ends((steps[0][2:-2], *steps[1:]))
        else:
            yield "builtins.globals", steps

    def _roots(self, root: str) -> set[str]:
        found = {*self._names.get(root, ()), *self._names.get(f".[{root}", ())}
        if is_host(self._code, (root,), 0):
            found.add(HOST)
        if root in _ROOTS and not (root == "compile" and root in self._code.stores):
            found.add("builtins" if root == "__builtins__" else f"builtins.{root}")
        found |= self._from_stars(root)
        return found

    def _from_stars(self, name: str) -> set[str]:
        return {path for module in self.stars for path, _ in self._absolute(f"{module}.{name}")}

    def _through(self, chain: Chain) -> Iterator[tuple[str, Chain]]:
        """What a chain means by the words in it, wherever it begins: `.host.`, `.os.`, an attribute that is known."""
        is_foreign = self.is_foreign(chain[0])
        is_standard = is_foreign and any(
            each.partition(".")[0] in STANDARD for each in self._code.bound.get(chain[0], ())
        )
        yield from self._words(chain, 1, is_foreign=is_foreign, is_standard=is_standard)
        if self._exports is not None:
            yield from self._by_text(chain, self._exports)
        for number, step in enumerate(chain[1:], 1):
            if is_host(self._code, chain, number):
                yield from self._walk(HOST, chain[number + 1 :])
            for path in self._attribute(step):
                yield from self._walk(path, chain[number + 1 :])

    def _by_text(self, chain: Chain, exports: Exports) -> Iterator[tuple[str, Chain]]:
        """`import_module("plugin.h")`, `sys.modules["plugin.h"]`, `sys.modules[__name__]`: modules of the wheel."""
        for number, step in enumerate(chain):
            if step == OWN_INDEX and chain[number + 1 :] and chain[number + 1].isidentifier():
                yield from self._ends(chain[number + 1 :])
            elif step[:2] in ("('", "['"):
                own, names = exports.own(step[2:-2], self._code.path)
                if own and not names:
                    yield from self._walk(own, chain[number + 1 :])

    def _attribute(self, step: str) -> set[str]:
        name = f".{step}"
        found = set(self._names.get(name, ()))
        if step in self._code.class_level:
            found |= self._names.get(step, set())
        if self._exports is not None:
            found |= self._exports.attributes.get(name, set())
        return found

    def _words(self, steps: Chain, first: int, *, is_foreign: bool, is_standard: bool) -> Iterator[tuple[str, Chain]]:
        for number, step in enumerate(steps[first:], first):
            if step == "platform" and steps[number - 1] == "sys":
                continue
            name = step.lstrip("_")
            is_module = name in _WITHIN or (
                is_foreign and name in self._known.modules and (is_standard or name not in _WORDS or step[0] == "_")
            )
            if is_module:
                yield from self._walk(name, steps[number + 1 :])

    def _walk(self, path: str, steps: Chain) -> Iterator[tuple[str, Chain]]:
        """To the longest known name on the way; through modules of the wheel by what they bind."""
        waiting = [(path, 0)]
        met = 0
        while waiting and met < MAX_PATHS:
            path, number = waiting.pop()
            met += 1
            if not path.startswith(OWN):
                yield self._known.walk(path, steps[number:])
            elif number == len(steps) or steps[number] == ALIAS:
                yield path, ()
            elif self._exports is not None:
                waiting += [(each, number + 1) for each in self._exports.member(path, steps[number])]

    def _absolute(self, dotted: str) -> Iterator[tuple[str, Chain]]:
        """What a dotted name of an import leads to: in the wheel, among the known names, or by the words in it."""
        if self._exports is not None:
            own, steps = self._exports.own(dotted, self._code.path)
            if own:
                yield from self._walk(own, steps)
        steps = tuple(dotted.lstrip(".").split("."))
        top = steps[0]
        is_relative = dotted.startswith(".")
        if not is_relative:
            yield self._known.walk("", steps)
        is_foreign = not is_relative and not self._is_own(dotted)
        yield from self._words(steps, 0 if is_relative else 1, is_foreign=is_foreign, is_standard=top in STANDARD)

    def _is_own(self, dotted: str) -> bool:
        return self._exports is not None and bool(self._exports.own(dotted, self._code.path)[0])

    def _import(self, name: str, dotted: str) -> None:
        for path, _ in self._absolute(dotted):
            self._add(name, path)

    def _add(self, name: str, path: str) -> None:
        if path:
            paths = self._names.setdefault(name, set())
            if len(paths) < MAX_PATHS and path not in paths:
                paths.add(path)
                self._note_change(name.lstrip(".["))

    def _note_change(self, name: str) -> None:
        if self._exports is not None:
            self._exports.changes.append(name)


def _words_of(code: FileCode) -> frozenset[str]:
    """All names by which this file can come to what another one binds: of its imports, and in its assignments."""
    imported = {step for targets in code.bound.values() for dotted in targets for step in dotted.split(".")}
    assigned = {step for chains in code.aliases.values() for chain in chains for step in chain}
    quoted = {part for step in assigned if step[:1] in ("(", "[") for part in step[2:-2].split(".")}
    return frozenset(imported | assigned | quoted | code.aliases.keys() | code.class_level | {STARS})
