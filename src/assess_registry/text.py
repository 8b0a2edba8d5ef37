"""Text that strangers wrote, made harmless for whoever shows it.

A wheel's summary, a check's title or a result's reason may hold escape sequences that recolour, overwrite or forge what
a person reads, bidirectional controls that reorder it, and surrogates that no encoder takes. `plain` is applied
wherever such text meets a terminal or a line of its own; HTML, JSON and OSCAL have rules of their own on top.
"""

import re
from collections.abc import Iterable, Sequence

MAX_CELL = 500
"""Characters of one cell of a table; more is not read by anybody and may be meant to hide what follows."""

_BLANK = re.compile(
    r"[\u034F\u115F\u1160\u17B4\u17B5\u180B-\u180D\u180F\u2800\u3164\uFE00-\uFE0F\uFFA0\U000E0100-\U000E01EF]"
)
"""Letters, marks and symbols that `str.isprintable` takes and nobody sees: those that Unicode calls default-ignorable,
variation selectors among them, and the empty pattern of Braille."""


def plain(text: object, *, max_chars: int | None = None) -> str:
    """`str(text)` on one line: any run of white space is one blank, every character that shows nothing is its code.

    What `str.isprintable` refuses moves a cursor, reorders a line or hides: the categories Cc, Cf, Cs, Co, Cn, Zl and
    Zp, and every space but the plain one. So do the letters that show nothing. Longer text than `max_chars` is cut,
    visibly.
    """
    return _shown(_cut(" ".join(str(text).split()), max_chars))


def escaped(text: object) -> str:
    """`str(text)` with every character that shows nothing as its code, breaks of lines and other white space, too.

    For names inside messages: what `plain` makes a blank is told from one here, and no name makes a line of its own.
    """
    return _shown(str(text))


def indented(text: object) -> str:
    """The same, but for breaks of lines that are followed by two blanks: what a program said, under what we say."""
    return "\n  ".join(_shown(part) for part in str(text).split("\n  "))


def plain_lines(text: object, *, max_chars: int = 20_000) -> str:
    """The same for text of several lines, which keep their breaks and blanks; blank lines at both ends are dropped."""
    return "\n".join(_shown(line.rstrip()) for line in _cut(str(text), max_chars).strip("\n").splitlines())


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, whole: bool = False) -> str:
    """Rows under headings in aligned columns, each cell `plain`, without trailing blanks and empty columns.

    Empty text when there are no rows; else every line ends with a break. Cells are cut after `MAX_CELL` characters,
    unless somebody decides upon the `whole` of what is shown.
    """
    cells = [tuple(plain(cell, max_chars=None if whole else MAX_CELL) for cell in row) for row in rows]
    used = [column for column in range(len(headings)) if any(row[column] for row in cells)]
    lines = [tuple(headings), *cells] if cells else []
    widths = {column: max(len(line[column]) for line in lines) for column in used}
    return "".join("  ".join(line[column].ljust(widths[column]) for column in used).rstrip() + "\n" for line in lines)


def _cut(text: str, max_chars: int | None) -> str:
    return text if max_chars is None or len(text) <= max_chars else text[: max_chars - 1] + "…"


def _shown(line: str) -> str:
    if line.isprintable() and not _BLANK.search(line):
        return line
    return "".join(_visible(character) for character in line)


def _visible(character: str) -> str:
    shows = character.isprintable() and not _BLANK.match(character)
    return character if shows else character.encode("unicode_escape").decode("ascii")
