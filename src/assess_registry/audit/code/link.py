"""The modules of one wheel know each other: what one binds, others import, and attributes are anybody's.

h.py: import os as m            from .h import m; m.fork        ->  os.fork
h.py: from os import *          from pkg import h; h.fork       ->  os.fork
h.py: Holder.m = os             Holder().m.fork                 ->  os.fork
"""

from collections.abc import Iterable, Iterator, Sequence

from assess_registry.audit.code.facts import FileCode
from assess_registry.audit.code.host import HOST
from assess_registry.audit.code.known import OWN, PATH, Known
from assess_registry.audit.code.mentions import Chain, Handed
from assess_registry.audit.code.resolve import Resolver

MAX_ROUNDS = 64
"""Of two passes each, once forwards and once backwards through the files."""


class Exports:
    """What the modules of a wheel bind, by dotted name.

    Attributes:
        attributes: `.name` -> known names that are kept under it in any file.
        changes: names that came to stand for more, wherever, in the order in which that was found.
    """

    def __init__(self, files: Sequence[FileCode]) -> None:
        self._modules: dict[str, list[Resolver]] = {}
        for file in files:
            for prefix in _prefixes(_module_of(file.path)):
                self._modules.setdefault(prefix, [])
        self.attributes: dict[str, set[str]] = {}
        self.changes: list[str] = []
        self._owned: dict[tuple[str, str], tuple[str, Chain]] = {}

    def add(self, resolver: Resolver, path: str) -> None:
        """Make it known as its module."""
        self._modules[_module_of(path)].append(resolver)

    def own(self, dotted: str, path: str) -> tuple[str, Chain]:
        """The longest beginning that is a module of the wheel, seen from a file; and the names behind it."""
        key = (dotted, path if dotted[:1] == "." else "")
        if key not in self._owned:
            self._owned[key] = self._find_own(dotted, path)
        return self._owned[key]

    def _find_own(self, dotted: str, path: str) -> tuple[str, Chain]:
        level = len(dotted) - len(dotted.lstrip("."))
        steps = [step for step in dotted.lstrip(".").split(".") if step]
        if level:
            package = _module_of(path).split(".")
            if path.rpartition("/")[2] == "__init__.py":
                level -= 1
            steps = [*(package[: len(package) - level] if level else package), *steps]
        for end in range(len(steps), 0, -1):
            if ".".join(steps[:end]) in self._modules:
                return OWN + ".".join(steps[:end]), tuple(steps[end:])
        return "", ()

    def member(self, path: str, name: str) -> set[str]:
        """What a module's name stands for: a module in it, or what it binds."""
        module = path.removeprefix(OWN)
        found = {known for resolver in self._modules.get(module, ()) for known in resolver.exported(name)}
        return found | ({f"{OWN}{module}.{name}"} if f"{module}.{name}" in self._modules else set())

    def held(self, path: str) -> set[str]:
        """All that a module's names stand for."""
        return {known for each in self._modules.get(path.removeprefix(OWN), ()) for known in each.everything()}

    def everything_of(self, dotted: str, path: str) -> Iterable[Resolver]:
        """The module of the wheel from which everything is imported."""
        own, names = self.own(dotted, path)
        return () if names else self._modules.get(own.removeprefix(OWN), ())

    def gather(self, resolvers: Iterable[Resolver]) -> bool:
        """Take in what is kept in attributes now; whether that is more than before."""
        before = sum(map(len, self.attributes.values()))
        for resolver in resolvers:
            for name, paths in resolver.attributes().items():
                # what is a path in one class is something else in another; in its own file it is followed
                kept = {path for path in paths if path != PATH} - self.attributes.get(name, set())
                if kept:
                    self.attributes.setdefault(name, set()).update(kept)
                    self.changes.append(name[1:])
        return sum(map(len, self.attributes.values())) > before


class _Hosts:
    """The host as functions of the wheel are given it: `helper(input.host)` makes it the `h` of `def helper(h)`."""

    def __init__(self, files: Sequence[FileCode], made: Sequence[Resolver]) -> None:
        self._pairs = list(zip(files, made, strict=True))
        self._takers: dict[str, list[tuple[Resolver, FileCode, tuple[str, ...]]]] = {}
        for file, resolver in self._pairs:
            for name, known in file.parameters.items():
                self._takers.setdefault(name, []).extend((resolver, file, each) for each in known)
        self._waiting = [
            (resolver, handed)
            for file, resolver in self._pairs
            for handed in file.handed
            if handed.callee in self._takers
        ]

    def hand_on(self) -> bool:
        """Give it to whoever is called with it, as far as that goes; whether anybody had not got it before."""
        is_more = False
        while True:
            found = {handed for resolver, handed in self._waiting if resolver.is_host(handed.chain)}
            self._waiting = [pair for pair in self._waiting if pair[1] not in found]
            taken = [resolver for handed in found for resolver in self._give(handed)]
            if not taken:
                return is_more
            is_more = True
            for resolver in {id(each): each for each in taken}.values():
                resolver.follow()

    def _give(self, handed: Handed) -> Iterator[Resolver]:
        for resolver, file, names in self._takers[handed.callee]:
            if isinstance(handed.place, int):
                name = names[handed.place] if handed.place < len(names) else ""
            else:
                name = handed.place if handed.place in names else ""
            for each in (name, f".{name}") if name in file.fields else (name,):
                if name and resolver.give(each, HOST):
                    yield resolver


def resolvers(
    files: Sequence[FileCode], known: Iterable[str], words: Iterable[str] = ()
) -> Iterator[tuple[FileCode, Resolver]]:
    """Each file with its names followed through all files; of `known` and `words`, see `Known`."""
    exports, names = Exports(files), Known(known, words)
    made = [Resolver(file, names, exports) for file in files]
    for file, resolver in zip(files, made, strict=True):
        exports.add(resolver, file.path)
    hosts = _Hosts(files, made)
    for _ in range(MAX_ROUNDS):
        has_more = hosts.hand_on()
        has_more = exports.gather(made) or has_more
        followed = [resolver.follow() for resolver in made if resolver.has_links or exports.attributes]
        if not any(followed) and not has_more:
            break
        made_in_turn = made[::-1]  # whichever way names lead, every other round goes with it
        for resolver in made_in_turn:
            if resolver.has_links or exports.attributes:
                resolver.follow()
    else:
        for resolver in made:
            resolver.is_followed = False
    return zip(files, made, strict=True)


def _module_of(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _prefixes(dotted: str) -> Iterator[str]:
    while dotted:
        yield dotted
        dotted = dotted.rpartition(".")[0]
