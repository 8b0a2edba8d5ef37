"""`docs/benchmarks.md`: what the program writes stands between markers, what people write stands outside and stays.

<!-- bench:roundtrip -->      opens the part of the benchmark `roundtrip`
<!-- /bench:roundtrip -->     closes it
"""


class MarkerError(ValueError):
    """The document's markers are not pairs; nothing was replaced."""


def replaced(document: str, name: str, text: str) -> str:
    """The document with `text` between the markers of `name`, and everything else as it was.

    A document without these markers gets them at its end.

    Raises:
        MarkerError: one of the two is missing, they are in the wrong order, or one is there twice.
    """
    opening, closing = f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"
    part = f"{opening}\n{text.strip()}\n{closing}"
    counts = document.count(opening), document.count(closing)
    if counts == (0, 0):
        return f"{document.rstrip()}\n\n{part}\n".lstrip()
    if counts != (1, 1) or document.index(opening) > document.index(closing):
        raise MarkerError(f"expected {opening} once and {closing} once behind it, found {counts[0]} and {counts[1]}")
    before, rest = document.split(opening)
    return before + part + rest.split(closing)[1]
