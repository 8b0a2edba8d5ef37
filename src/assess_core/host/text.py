"""Text from a plugin, as all text of strangers is shown here, after its escape sequences were taken out.

Programs colour their output where they should not; shown character by character, as `plain` shows what does not print,
the sequences would bury what a log or a traceback says. What is no whole sequence stays, and stays visible.
"""

import re

from assess_registry.client import plain, plain_lines

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~])"
)
"""ECMA-48: CSI, OSC, the other string sequences, and the short ones."""


def clean_line(text: str) -> str:
    """`plain` text of one line."""
    return plain(_ESCAPES.sub("", text))


def clean_lines(text: str) -> str:
    """`plain` text of several lines."""
    return plain_lines(_ESCAPES.sub("", text).expandtabs(4))


def sentence(text: str) -> str:
    """With a full stop, unless it ends as a sentence does already."""
    return text if text.endswith((".", "?", "!")) else f"{text}."
