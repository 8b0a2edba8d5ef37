"""Names people typed, held against the names there are."""

import difflib
import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from assess_core.errors import ConfigError
from assess_registry.client import plain

MAX_LISTED = 12
"""Names listed when none is near; more would hide the sentence they belong to."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+\Z", re.ASCII)


def match_checks(
    patterns: Sequence[str], ids: Sequence[str], *, where: str = "checks", required: bool = True
) -> tuple[str, ...]:
    """The ids that any of the patterns matches, each once, in the order of `ids`.

    Args:
        patterns: ids, or patterns of ids in which `*` is any text and `?` any one character.
        ids: what there is.
        where: file and key path of the patterns, for the message.
        required: whether every pattern must match something.

    Raises:
        ConfigError: a pattern matches nothing; one problem each, with the nearest id.
    """
    matched: set[str] = set()
    problems: list[str] = []
    for index, pattern in enumerate(patterns):
        found = {name for name in ids if fnmatchcase(name, pattern)}
        matched |= found
        if required and not found:
            problems.append(f"{where}[{index}]: no check matches {quoted(pattern)}{nearest(pattern, ids)}")
    if problems:
        raise ConfigError(*problems)
    return tuple(name for name in dict.fromkeys(ids) if name in matched)


def unknown_name(kind: str, name: str, known: Iterable[str], *, where: str) -> str:
    """The sentence that says that there is no `kind` of this name, and which are near."""
    return f"{where}: unknown {kind} {quoted(name)}{nearest(name, known)}"


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or what there is when nothing is near, or that there is nothing."""
    names = sorted(set(known))
    near = difflib.get_close_matches(word[:200], names, n=1)
    if near:
        return f"; did you mean {quoted(near[0])}?"
    if not names:
        return "; there are none"
    rest = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return f"; expected one of: {', '.join(plain(name) for name in names[:MAX_LISTED])}{rest}"


def key_path(parts: Sequence[str | int]) -> str:
    """The path of a key as the file writes it: `assessments[0].plugin`; a key that is not bare is quoted."""
    path = ""
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += ("." if path else "") + (part if _BARE_KEY.match(part) else quoted(part, mark='"'))
    return path


def quoted(text: str, *, mark: str = "'") -> str:
    """The text between quotation marks, harmless for a terminal and not too long."""
    shown = plain(text)
    return f"{mark}{shown if len(shown) <= 100 else shown[:99] + '…'}{mark}"
