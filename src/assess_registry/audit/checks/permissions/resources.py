"""Data of a plugin's own package: what stands in it is free to read, and what a path leads out of it to is not."""

import re

from assess_registry.audit.code import Chain, FileCode

RESOURCES: frozenset[str] = frozenset(("importlib.resources", "importlib_resources", "pkgutil.get_data"))

_UP = re.compile(r"(?:^|/)\.\.(?:/|$)")
_OUT = frozenset(("parent", "parents"))


def leads_out(path: str, rest: Chain, file: FileCode) -> bool:
    """Whether this use of a resource may go beyond the package.

    Args:
        path: what is used, as the rules know it.
        rest: what follows.
        file: where; a `..` in one of its texts may be handed on by any name.
    """
    if path not in RESOURCES or not any(step[0] == "(" for step in rest):
        return False
    texts = [step[2:-2] for step in rest if step[:2] == "('"]
    return (
        not _OUT.isdisjoint(rest)
        or any(text.startswith("/") for text in texts)
        or any(_UP.search(text) for text in (*texts, *file.texts))
    )
