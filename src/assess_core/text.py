"""Text that strangers wrote, made harmless for whoever shows it.

A check's reason or a subject's title may hold escape sequences that recolour, overwrite or forge what a person reads,
bidirectional controls that reorder it, and surrogates that no encoder takes. `plain` is applied wherever such text
meets a terminal or a line of its own; JSON and OSCAL have rules of their own on top.
"""


def plain(text: object) -> str:
    """`str(text)` on one line: any run of white space is one blank, every character that shows nothing is its code.

    What `str.isprintable` refuses is exactly what moves a cursor, reorders a line or hides: the categories Cc, Cf, Cs,
    Co, Cn, Zl and Zp, and every space but the plain one.
    """
    line = " ".join(str(text).split())
    return line if line.isprintable() else "".join(_visible(character) for character in line)


def plain_lines(text: object) -> str:
    """`plain` for each line, keeping the line breaks; blank lines at both ends are dropped."""
    return "\n".join(plain(line) for line in str(text).strip().splitlines())


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")
