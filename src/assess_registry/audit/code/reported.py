"""Which ids of checks the code reports, and where that is computed so that nobody can say.

CheckResult(check_id="a")                                   reports a
def make(c): return CheckResult(check_id=c)                 make("a") reports a, and make(x + "b") what nobody knows
for c in input.checks: CheckResult(check_id=c)              what it was asked for
for row in ROWS: CheckResult(check_id=row.check_id)         Row(check_id="a") reports a

Names are taken without regard to scope, so a function's parameter stands for what is handed to every function of its
name that has one like it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from assess_registry.audit.code.facts import FileCode
from assess_registry.audit.code.mentions import Argument, Call, Chain, Handed, Mention
from assess_registry.audit.code.resolve import Resolver

RESULT = "assess_plugin.CheckResult"
_TABLE = "assess_plugin.Checks"
_KNOWN = (RESULT, "assess_plugin.models.CheckResult", _TABLE, "assess_plugin.checks.Checks")

ID = "check_id"

_DERIVING = frozenset(("replace", "_replace", "__replace__", "evolve", "model_construct", "model_copy", "construct"))
"""What makes a value out of another one, with `check_id=` as an argument."""

_PAST = frozenset((*_DERIVING, "__new__", "__init__", "__dict__", "__setattr__"))
"""Members of the class by which a result is made in another way than by calling it."""

_SETTERS = frozenset(("setattr", "__setattr__"))
_GIVEN = frozenset(("checks", ID))
"""Attributes that hold ids which were asked for, or are judged where they are put in."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reported:
    """One place. `check_id` is empty when it is computed, or `what` says why nobody can tell."""

    path: str
    line: int
    check_id: str = ""
    what: str = ""


def reported(files: Sequence[FileCode], declared: frozenset[str]) -> Iterator[Reported]:
    """Every place at which an id is reported; `declared` are those that a table in a file is known by."""
    return iter(dict.fromkeys(_Search(files, declared).run()))


class _Search:
    """What is known so far: functions by which ids go into results, and their parameters."""

    def __init__(self, files: Sequence[FileCode], declared: frozenset[str]) -> None:
        self._files = [(file, Resolver(file, _KNOWN)) for file in files]
        self._declared = declared
        self._values: dict[str, set[Argument]] = {}
        self._handed: dict[str, list[tuple[FileCode, Resolver, Handed, Mention]]] = {}
        self._parameters: dict[str, set[tuple[str, ...]]] = {}
        for file, resolver in self._files:
            for name, value in file.values:
                self._values.setdefault(name, set()).add(value)
            for name, parameters in file.parameters.items():
                self._parameters.setdefault(name, set()).update(parameters)
            for handed, mention in file.handed.items():
                self._handed.setdefault(handed.callee, []).append((file, resolver, handed, mention))
        self._carriers: set[tuple[str, str]] = set()
        self._waiting: list[tuple[str, str]] = []
        for name, each in self._parameters.items():
            if any(ID in parameters for parameters in each):
                self._carry(name, ID)

    def run(self) -> Iterator[Reported]:
        for file, resolver in self._files:
            yield from self._results(file, resolver)
            yield from self._past(file, resolver)
        while self._waiting:
            function, parameter = self._waiting.pop()
            for file, resolver, handed, mention in self._handed.get(function, ()):
                if self._is_for(function, parameter, handed.place):
                    yield from self._judge(file, resolver, handed.argument, handed.chain, mention)

    def _results(self, file: FileCode, resolver: Resolver) -> Iterator[Reported]:
        """Where results are made, derived, or announced by a table of checks."""
        uses_results = "CheckResult" in file.stores or any("CheckResult" in chain for chain in file.mentions)
        for call, mention in file.calls.items():
            names_id = ID in dict(call.named)
            is_derived = call.chain[-1] in _DERIVING and uses_results
            if _is_result(call.chain, resolver) or is_derived or (_of_class(call.chain, resolver) and names_id):
                if names_id:
                    yield from self._of_call(file, resolver, call, ID)
                elif not call.is_whole:
                    yield from _unknown(file, mention, "the arguments of a CheckResult are computed")
            elif (
                call.chain[-1] == "check" and call.arguments and (call.is_decorator or _is_table(call.chain, resolver))
            ):
                yield from self._of_call(file, resolver, call, 0)

    def _past(self, file: FileCode, resolver: Resolver) -> Iterator[Reported]:
        """Where results are made or changed without a call of their class."""
        for handed, mention in file.handed.items():
            if handed.callee in _SETTERS and handed.argument.text == ID:
                yield from _unknown(file, mention, "the check_id of a result is set behind its back")
            if handed.place == ID and _is_result((handed.callee,), resolver):  # also `partial(CheckResult, …)`
                yield from self._judge(file, resolver, handed.argument, handed.chain, mention)
        for chain, mention in file.mentions.items():
            if _of_class(chain, resolver):
                yield from _unknown(file, mention, "a CheckResult is made in another way than by calling it")

    def _of_call(self, file: FileCode, resolver: Resolver, call: Call, place: int | str) -> Iterator[Reported]:
        """The argument of this call; how it is written, where that is more than a name, stands beside the call."""
        mention = file.calls[call]
        given = dict(call.named)[ID] if place == ID else call.arguments[0]
        chains = {
            handed.chain
            for handed, where in file.handed.items()
            if handed.place == place and handed.callee == call.chain[-1] and set(where.lines) & set(mention.lines)
        }
        if given.text is not None or given.name or not chains:
            yield from self._judge(file, resolver, given, (given.name,) if given.name else (), mention)
            return
        for chain in chains:
            yield from self._judge(file, resolver, given, chain, mention)

    def _judge(
        self, file: FileCode, resolver: Resolver, given: Argument, chain: Chain, mention: Mention
    ) -> Iterator[Reported]:
        value = resolver.value(given)
        if value.text is not None and not value.is_prefix:
            yield from (Reported(path=file.path, line=line, check_id=value.text) for line in mention.lines)
        elif texts := self._sources(file, chain):
            for text in texts - {""}:
                yield from (Reported(path=file.path, line=line, check_id=text) for line in mention.lines)
        elif texts is None:
            yield from _unknown(file, mention, "the id of a check is computed")

    def _sources(self, file: FileCode, chain: Chain) -> set[str] | None:
        """Texts that this may stand for, or none where it comes from elsewhere by a known way; None: nobody knows."""
        if _GIVEN.intersection(chain[1:]):
            return set()
        if len(chain) == 1:
            return self._named(file, chain[0], frozenset())
        if chain and chain[-1].isidentifier():  # `ids.KERNEL`, `Ids.KERNEL.value`
            for step in reversed(chain[1:]):
                if texts := _texts(self._values.get(step, set())):
                    return texts
        return set() if chain[1:] == ("[]",) and self._shows_ids(file) else None

    def _named(self, file: FileCode, name: str, seen: frozenset[str]) -> set[str] | None:
        """What a name of the file stands for."""
        if name in seen:
            return set()
        functions = [each for each, known in file.parameters.items() if any(name in names for names in known)]
        for function in functions:
            self._carry(function, name)
        values = {value for each, value in file.values if each == name}
        if not values and name in file.bound:
            values = {value for dotted in file.bound[name] for value in self._values.get(dotted.rpartition(".")[2], ())}
        loops = file.looped.get(name, set())
        if not functions and not values and not loops:
            return None
        if not functions and not all(_GIVEN.intersection(chain[1:]) for chain in loops) and not self._shows_ids(file):
            return None
        found: set[str] = set()
        for value in values:
            texts = self._of_value(file, name, value, seen | {name})
            if texts is None:
                return None
            found |= texts
        # a parameter of one function, and a text's name in another: nobody can say which of them it is
        return None if functions and name != ID and found - self._declared else found

    def _of_value(self, file: FileCode, name: str, value: Argument, seen: frozenset[str]) -> set[str] | None:
        if value.text is not None:
            return None if value.is_prefix else {value.text}
        if value.name:
            return self._named(file, value.name, seen)
        chains = file.aliases.get(name, set())
        return set() if chains and all(_GIVEN.intersection(chain[1:]) for chain in chains) else None

    def _shows_ids(self, file: FileCode) -> bool:
        return not self._declared.isdisjoint(file.texts)

    def _carry(self, function: str, parameter: str) -> None:
        if (function, parameter) not in self._carriers:
            self._carriers.add((function, parameter))
            self._waiting.append((function, parameter))

    def _is_for(self, function: str, parameter: str, place: int | str) -> bool:
        if isinstance(place, str):
            return place == parameter
        return any(place < len(names) and names[place] == parameter for names in self._parameters[function])


def _unknown(file: FileCode, mention: Mention, what: str) -> Iterator[Reported]:
    return (Reported(path=file.path, line=line, what=what) for line in mention.lines)


def _texts(values: set[Argument]) -> set[str]:
    return {value.text for value in values if value.text is not None and not value.is_prefix}


def _is_result(chain: Chain, resolver: Resolver) -> bool:
    return chain[-1] == "CheckResult" or any(
        path.endswith(".CheckResult") and not rest for path, rest in resolver.uses(chain)
    )


def _of_class(chain: Chain, resolver: Resolver) -> bool:
    """`CheckResult.__new__`, by whatever name."""
    if "CheckResult" in chain[:-1] and chain[chain.index("CheckResult") + 1] in _PAST:
        return True
    return any(path.endswith(".CheckResult") and rest[:1] and rest[0] in _PAST for path, rest in resolver.uses(chain))


def _is_table(chain: Chain, resolver: Resolver) -> bool:
    return any(path.endswith(".Checks") for path in resolver.paths(chain[:-1]))
