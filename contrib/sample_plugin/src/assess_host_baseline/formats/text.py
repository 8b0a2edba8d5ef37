"""Texts that somebody else wrote."""

MAX_SHOWN = 120
"""Characters of a foreign text in a reason or value."""


class Malformed(Exception):
    """Something on the host is not what its format says; the check that needed it ends as `error`."""


def shown(text: str) -> str:
    """A foreign text without line breaks, terminal escapes or invisible characters, cut to `MAX_SHOWN`.

    Names and contents come from the host, and somebody may have chosen them to look like something else.
    """
    cut = text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)
