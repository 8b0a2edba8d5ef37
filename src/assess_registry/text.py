"""Text that strangers wrote, made harmless for a terminal.

A wheel's summary, a check's title or a file name may hold escape sequences that recolour, overwrite or forge what a
person reads. `plain` is applied wherever such text is printed; HTML is escaped where it is written.
"""

import unicodedata
from collections.abc import Iterable, Sequence

MAX_PLAIN = 500
"""Characters of one printed text; more is not read by anybody and may be meant to hide what follows."""

_UNSAFE = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
"""Unicode categories that move the cursor, reorder the line or show nothing: controls, formats (bidi), surrogates,
private use, unassigned, line and paragraph separators."""


def plain(text: object, *, max_chars: int = MAX_PLAIN) -> str:
    """`str(text)` on one line; every control, escape, bidi and invisible character is shown by its code."""
    cut = str(text)[: max_chars + 1]
    if len(cut) > max_chars:
        cut = cut[: max_chars - 1] + "…"
    return "".join(_visible(character) for character in cut)


def plain_lines(text: object, *, max_chars: int = 20_000) -> str:
    """`plain`, but keeping line breaks: for our own messages of several lines that quote strangers."""
    return "\n".join(plain(line, max_chars=max_chars) for line in str(text)[:max_chars].split("\n"))


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows under headings in aligned columns, each cell `plain`, without trailing blanks."""
    cells = [tuple(headings), *(tuple(plain(cell) for cell in row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _UNSAFE:
        return character
    return character.encode("unicode_escape").decode("ascii")
