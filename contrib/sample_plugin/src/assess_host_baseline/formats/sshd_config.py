"""sshd_config(5), as far as it decides the value of a keyword for every connection.

- "For each keyword, the first obtained value will be used."
- `Include` is read where it stands. What it names is found by the caller, when it is reached and not before: a file
  that nobody may read does not matter for a keyword that was set above it.
- What follows `Match` holds for some connections only and is passed over, to the end of its file or to `Match all`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from assess_host_baseline.formats.text import Malformed

MAX_DEPTH = 16
"""Of files that include files (OpenSSH, servconf.h: SERVCONF_MAX_DEPTH)."""

Included = Callable[[str], Iterable[tuple[str, str]]]
"""Path and text of each file that a pattern of `Include` names, in lexical order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Directive:
    """One line: the keyword in lower case, its arguments, and where it stands."""

    keyword: str
    arguments: tuple[str, ...]
    path: str
    line: int


def first_value(directives: Iterable[Directive], keyword: str) -> Directive | None:
    """The directive that decides, or None when the default does. Reads no further than it must."""
    return next((directive for directive in directives if directive.keyword == keyword.lower()), None)


def directives_for_all(text: str, path: str, included: Included, *, depth: int = 0) -> Iterator[Directive]:
    """Every directive that holds for all connections, in the order in which sshd meets them.

    Raises:
        Malformed: a line has no argument or an open quote, or files include each other too deeply.
    """
    if depth > MAX_DEPTH:
        raise Malformed(f"{path}: files include each other more than {MAX_DEPTH} deep")
    for_all = True
    for directive in _directives(text, path):
        if directive.keyword == "match":
            for_all = [word.lower() for word in directive.arguments] == ["all"]
        elif for_all and directive.keyword == "include":
            for pattern in directive.arguments:
                for name, content in included(pattern):
                    yield from directives_for_all(content, name, included, depth=depth + 1)
        elif for_all:
            yield directive


def _directives(text: str, path: str) -> Iterator[Directive]:
    for number, line in enumerate(text.split("\n"), start=1):
        words = _words(line, f"{path} line {number}")
        if not words:
            continue
        if len(words) < 2:
            raise Malformed(f"{path} line {number}: a keyword without a value")
        yield Directive(keyword=words[0].lower(), arguments=tuple(words[1:]), path=path, line=number)


def _words(line: str, where: str) -> list[str]:
    """Words of a line; double quotes hold one together, `#` ends the line, one `=` may follow the keyword."""
    words: list[str] = []
    rest = line.strip()
    while rest and not rest.startswith("#"):
        if rest.startswith('"'):
            word, quote, rest = rest[1:].partition('"')
            if not quote:
                raise Malformed(f"{where}: a quote is not closed")
        else:
            end = next((i for i, c in enumerate(rest) if c.isspace() or (c == "=" and not words)), len(rest))
            word, rest = rest[:end], rest[end:]
        words.append(word)
        rest = rest.lstrip()
        if len(words) == 1 and rest.startswith("="):
            rest = rest[1:].lstrip()
    return words
