"""What is kept of one Python file: each fact once, with its first lines."""

from dataclasses import dataclass, field
from typing import TypeVar

from assess_registry.audit.code.mentions import Argument, Call, Chain, Handed, Mention

K = TypeVar("K")

MAX_LINES = 20
"""Lines kept of one fact."""


@dataclass(slots=True)
class FileCode:
    """What one Python file mentions.

    Attributes:
        imports: dotted name -> where; a relative one begins with its dots, and `a.*` is everything of `a`.
        modules: local names bound by `import`, which are modules and nothing else.
        bound: local name -> dotted names it may stand for, from imports.
        aliases: local name -> chains that are assigned to it; an attribute's name begins with a dot.
        stars: modules from which everything is imported.
        mentions: every chain of names that is read.
        calls: those whose arguments may matter.
        handed: arguments of calls that may be those of functions of the wheel.
        texts: every string up to 1,024 characters.
        constants: names assigned to a text or a list of texts.
        values: names and what is known of each value that they are given, where that can be a text.
        looped: name -> chains over which it runs, or which are unpacked into it.
        stores: how often a name is bound, wherever.
        top_level: names bound outside of functions and classes.
        class_level: names bound in the bodies of classes, which are attributes as well.
        functions: names of functions and methods.
        parameters: function, method or class -> names of its parameters, without `self`.
        fields: names of what classes declare and have no `__init__` for.
        only_typing: local name -> dotted names imported below `if TYPE_CHECKING`, and where.
    """

    path: str
    imports: dict[str, Mention] = field(default_factory=dict)
    modules: set[str] = field(default_factory=set)
    bound: dict[str, set[str]] = field(default_factory=dict)
    aliases: dict[str, set[Chain]] = field(default_factory=dict)
    stars: set[str] = field(default_factory=set)
    mentions: dict[Chain, Mention] = field(default_factory=dict)
    calls: dict[Call, Mention] = field(default_factory=dict)
    handed: dict[Handed, Mention] = field(default_factory=dict)
    texts: set[str] = field(default_factory=set)
    constants: dict[str, Argument] = field(default_factory=dict)
    values: set[tuple[str, Argument]] = field(default_factory=set)
    looped: dict[str, set[Chain]] = field(default_factory=dict)
    stores: dict[str, int] = field(default_factory=dict)
    top_level: set[str] = field(default_factory=set)
    class_level: set[str] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)
    parameters: dict[str, set[tuple[str, ...]]] = field(default_factory=dict)
    fields: set[str] = field(default_factory=set)
    only_typing: dict[tuple[str, str], Mention] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Different facts."""
        names = len(self.mentions) + len(self.texts) + len(self.stores) + len(self.imports)
        return names + len(self.calls) + len(self.handed) + len(self.values)


def note(table: dict[K, Mention], key: K, line: int) -> None:
    """Remember that this stands on this line, too."""
    mention = table.get(key)
    if mention is None:
        table[key] = Mention([line], 1)
        return
    mention.count += 1
    if len(mention.lines) < MAX_LINES:
        mention.lines.append(line)
