"""detect-secrets as a program that passes by quickly what holds no secret: the same arguments, the same answers.

The tool asks each of its detectors about each line through a function that works out anew which arguments it takes,
and guesses at what a line means before anything was seen in it: that is nine tenths of its time (measured:
docs/benchmarks.md). Here a line is first searched for what the detectors' own expressions look for; where one of them
matches, the line goes the tool's way, with all its filters, and others are passed by.

That is true of the version it was written against, and a test compares both on the same files. Of any other version
nothing is changed, nor where a detector is of a kind that is not known here: it takes longer then.
"""

import re
import sys
from collections.abc import Callable, Generator, Sequence
from functools import lru_cache

try:
    from detect_secrets.__version__ import VERSION
    from detect_secrets.core import scan
    from detect_secrets.core.potential_secret import PotentialSecret
    from detect_secrets.main import main
    from detect_secrets.plugins import keyword
    from detect_secrets.plugins.base import RegexBasedDetector
    from detect_secrets.plugins.high_entropy_strings import HighEntropyStringsPlugin
    from detect_secrets.settings import get_plugins
    from detect_secrets.util.filetype import FileType, determine_file_type
except ModuleNotFoundError:
    sys.exit("No module named detect_secrets")  # in the interpreter's words, by which a missing tool is known

QUICKENED = ("1.5.0",)
"""Versions whose detectors, and what calls them, were compared with what stands here."""

MAX_REMEMBERED = 1 << 15
MAX_REMEMBERED_CHARS = 256
"""Of a line that is remembered: many are alike, and those are short."""

Sees = Callable[[str], object]

_whole = scan._process_line_based_plugins  # noqa: SLF001  what is to be quickened


class UnknownDetectorError(TypeError):
    """A detector of which it is not known what it looks for."""


def quickly(lines: list[tuple[int, str]], filename: str) -> Generator[PotentialSecret, None, None]:
    """What the tool finds in these lines, numbered from 1 on and all there are."""
    try:
        sees = _sees(determine_file_type(filename))
    except UnknownDetectorError:
        yield from _whole(lines, filename)
        return
    interesting = [(number, line) for number, line in lines if sees(line.rstrip())]
    # What stands around a line is given to the tool's verification only, which `--no-verify` has switched off.
    yield from _whole(interesting, filename)


@lru_cache(maxsize=len(FileType))
def _sees(kind: FileType) -> Sees:
    """Whether any detector matches a line of a file of this kind."""
    searches = [search for plugin in get_plugins() for search in _searches(plugin, kind)]

    def look(line: str) -> bool:
        return any(search(line) for search in searches)

    remembered = lru_cache(maxsize=MAX_REMEMBERED)(look)

    def sees(line: str) -> bool:
        return remembered(line) if len(line) <= MAX_REMEMBERED_CHARS else look(line)

    return sees


def _searches(plugin: object, kind: FileType) -> Sequence[Sees]:
    """What a detector searches a line for before it does anything else; nothing is seen where none of it matches."""
    if isinstance(plugin, RegexBasedDetector):
        return [regex.search for regex in plugin.denylist]
    if isinstance(plugin, HighEntropyStringsPlugin):
        return [plugin.regex.search]
    if isinstance(plugin, keyword.KeywordDetector) and plugin.keyword_exclude is None:
        regexes = keyword.REGEX_BY_FILETYPE.get(kind, keyword.QUOTES_REQUIRED_DENYLIST_REGEX_TO_GROUP)
        return [_with_a_word([regex.search for regex in regexes])]
    raise UnknownDetectorError(type(plugin).__name__)


def _with_a_word(searches: Sequence[Sees]) -> Sees:
    """The searches of the detector of keywords, each of which begins with one of them: `api_?key` needs a `key`."""
    ends = {each.rpartition("_?")[2] for each in keyword.DENYLIST}
    words = sorted(each for each in ends if not any(other in each for other in ends - {each}))
    if any(re.escape(word) != word for word in words):
        raise UnknownDetectorError("keywords")

    def search(line: str) -> bool:
        if line.isascii():  # a long s and the sign of Kelvin are letters of keywords, too, where case is ignored
            lower = line.lower()
            if not any(word in lower for word in words):
                return False
        return any(each(line) for each in searches)

    return search


if __name__ == "__main__":
    if VERSION in QUICKENED:
        # Workers are forked, and have it from here; where they are not, they take longer.
        scan._process_line_based_plugins = quickly  # noqa: SLF001
    sys.exit(main())
