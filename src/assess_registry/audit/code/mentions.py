"""Chains of names as they stand in code: `host.run`, `pathlib.Path("/etc").read_text`, `os.environ["HOME"]`.

A chain is its root's name and its steps, outermost last: an attribute is its name; a call is `()`, or `('text')` with
the text of its first argument; an index is `[]` or `['text']`. `getattr(x, "y")` is the attribute `y`; a computed one
is `?`, and a name that is given another name ends in `=`. The root is empty where it is not a name, and `@names` for
the names of the module itself: `globals()`. A chain that is written to ends in `:=`; one of which only something
harmless is asked, in `<` and what asks: `<isinstance`, `<in`.
"""

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
    """A call: the chain of what is called, its first two arguments, and those given by a name that matters.

    Attributes:
        chain: of what is called.
        arguments: the first two by position.
        named: name -> argument, as pairs.
        is_whole: there are no others that are computed: `*x`, `**x`.
        is_decorator: it stands behind an `@`.
    """

    chain: Chain
    arguments: tuple[Argument, ...]
    named: tuple[tuple[str, Argument], ...]
    is_whole: bool
    is_decorator: bool

    def given(self, *names: str) -> tuple[Argument, ...]:
        """Arguments by these parameters' names, in order; what was not given, or not seen, is nothing known."""
        named = dict(self.named)
        positional = self.arguments[: len(names)]
        return (*positional, *(named.get(name, Argument()) for name in names[len(positional) :]))


@dataclass(frozen=True, slots=True)
class Handed:
    """An argument of a call that may be one of the wheel's own functions.

    Attributes:
        callee: the last name of what is called.
        place: the argument's number, or its name.
        argument: what is known of it: a text that can be an id, a name, or nothing.
        chain: how it is written, as far as that is names; calls and indices are without their arguments.
    """

    callee: str
    place: int | str
    argument: Argument
    chain: Chain


@dataclass(slots=True)
class Mention:
    """Where something stands: its first lines, and how often in all."""

    lines: list[int]
    count: int
