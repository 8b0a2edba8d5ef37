"""Text in columns of a terminal: how wide it is shown, cut, wrapped and padded. It was made harmless before."""

import unicodedata


def columns(text: str) -> int:
    """How many columns a terminal gives to the text (East Asian wide characters two, combining ones none)."""
    return len(text) if text.isascii() else sum(_columns(character) for character in text)


def pad(text: str, width: int) -> str:
    """The text, filled with blanks to this many columns."""
    return text + " " * (width - columns(text))


def cut(text: str, width: int) -> str:
    """As much of the text as fits; what is missing is marked."""
    return text if columns(text) <= width else _head(text, width - 1) + "…"


def wrap(text: str, width: int) -> list[str]:
    """Lines of at most this many columns, broken at blanks where there are any."""
    lines = [""]
    for word in text.split():
        if columns(lines[-1]) + 1 + columns(word) <= width and lines[-1]:
            lines[-1] += " " + word
            continue
        rest = word
        while columns(rest) > width:
            head = _head(rest, width)
            lines.append(head)
            rest = rest[len(head) :]
        lines.append(rest)
    return [line for line in lines if line]


def _head(text: str, width: int) -> str:
    taken = 0
    for index, character in enumerate(text):
        taken += _columns(character)
        if taken > width:
            return text[: max(index, 1)]
    return text


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
