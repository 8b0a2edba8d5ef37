"""Text from a plugin, made fit for a terminal: no escape sequences, no control or formatting characters."""

import re

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~])"
)
"""ECMA-48: CSI, OSC, the other string sequences, and the short ones."""


def clean_line(text: str) -> str:
    """One line: every run of what does not print becomes a space."""
    if text.isprintable():
        return text
    return " ".join("".join(char if char.isprintable() else " " for char in _ESCAPES.sub("", text)).split())


def clean_lines(text: str) -> str:
    """The same for several lines, which stay apart; tabs become spaces, other unprintable characters `?`."""
    kept = _ESCAPES.sub("", text).replace("\r\n", "\n").replace("\t", "    ")
    return "".join(char if char == "\n" or char.isprintable() else "?" for char in kept)
