"""detect-secrets as a program that passes by quickly what holds no secret: the same arguments, the same answers.

The tool asks each of its detectors about each line through a function that works out anew which arguments it takes,
and guesses at what a line means before anything was seen in it: that is nine tenths of its time (measured:
docs/benchmarks.md). Here a line is first searched for what a detector's own expressions look for; where one matches,
that detector is asked in the tool's way, with all its filters, and lines in which none does are passed by.

That is true of the version it was written against, and a test compares both on the same files. Of any other version
nothing is changed, nor where a detector is of a kind that is not known here: it takes longer then.
"""

import re
import sys
from collections.abc import Callable, Generator, Sequence
from functools import lru_cache

from assess_registry.audit.programs import DETECT_SECRETS_VERSIONS

try:
    from detect_secrets.__version__ import VERSION
    from detect_secrets.core import scan
    from detect_secrets.core.potential_secret import PotentialSecret
    from detect_secrets.main import main
    from detect_secrets.plugins import keyword
    from detect_secrets.plugins.base import BasePlugin, RegexBasedDetector
    from detect_secrets.plugins.high_entropy_strings import HighEntropyStringsPlugin
    from detect_secrets.settings import get_plugins
    from detect_secrets.util.code_snippet import CodeSnippet
    from detect_secrets.util.filetype import FileType, determine_file_type
except ModuleNotFoundError:
    sys.exit("No module named detect_secrets")  # in the interpreter's words, by which a missing tool is known

MAX_REMEMBERED = 1 << 15
MAX_REMEMBERED_CHARS = 256
"""Of a line that is remembered: many are alike, and those are short."""

_ROUNDING = 1e-6

Sees = Callable[[str], object]
Seers = tuple[BasePlugin, ...]

_whole = scan._process_line_based_plugins  # noqa: SLF001  what is to be quickened
_scan_line = scan._scan_line  # noqa: SLF001  one detector on one line
_is_filtered_out = scan._is_filtered_out  # noqa: SLF001


class UnknownDetectorError(TypeError):
    """A detector of which it is not known what it looks for."""


def quickly(lines: list[tuple[int, str]], filename: str) -> Generator[PotentialSecret, None, None]:
    """What the tool finds in these lines, numbered from 1 on and all there are."""
    try:
        seers = _seers(determine_file_type(filename))
    except UnknownDetectorError:
        yield from _whole(lines, filename)
        return
    # What stands around a line is given to the tool's verification only, which `--no-verify` has switched off.
    nothing = CodeSnippet(snippet=[], start_line=0, target_index=0)
    for number, text in lines:
        line = text.rstrip()
        seen_by = seers(line)
        if not seen_by or _is_filtered_out(["line"], filename=filename, line=line, context=nothing):
            continue
        for plugin in seen_by:
            for secret in _scan_line(plugin, filename=filename, line=line, line_number=number, context=nothing):
                value = secret.secret_value
                if not _is_filtered_out(
                    ["context"], filename=filename, secret=value, plugin=plugin, line=line, context=nothing
                ):
                    yield secret


@lru_cache(maxsize=len(FileType))
def _seers(kind: FileType) -> Callable[[str], Seers]:
    """Which detectors see anything in a line of a file of this kind."""
    every = [(plugin, _search(plugin, kind)) for plugin in get_plugins()]

    def look(line: str) -> Seers:
        return tuple([plugin for plugin, sees in every if sees(line)])

    remembered = lru_cache(maxsize=MAX_REMEMBERED)(look)

    def seers(line: str) -> Seers:
        return remembered(line) if len(line) <= MAX_REMEMBERED_CHARS else look(line)

    return seers


def _search(plugin: object, kind: FileType) -> Sees:
    """Whether a detector may find anything in a line: nothing is lost where this says no."""
    if isinstance(plugin, RegexBasedDetector):
        return _any([regex.search for regex in plugin.denylist])
    if isinstance(plugin, HighEntropyStringsPlugin):
        return _varied(plugin)
    if isinstance(plugin, keyword.KeywordDetector) and plugin.keyword_exclude is None:
        regexes = keyword.REGEX_BY_FILETYPE.get(kind, keyword.QUOTES_REQUIRED_DENYLIST_REGEX_TO_GROUP)
        return _with_a_word([regex.search for regex in regexes])
    raise UnknownDetectorError(type(plugin).__name__)


def _any(searches: Sequence[Sees]) -> Sees:
    if len(searches) == 1:
        return searches[0]
    return lambda line: any(search(line) for search in searches)


def _varied(plugin: HighEntropyStringsPlugin) -> Sees:
    """No text has more entropy, in bits, than one in which each of its characters stands equally often."""
    enough = int(2 ** (plugin.entropy_limit - _ROUNDING))

    def search(line: str) -> bool:
        return any(len(set(text)) > enough for _, text, _ in plugin.regex.findall(line))

    return search


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
    if VERSION in DETECT_SECRETS_VERSIONS:
        # Workers are forked, and have it from here; where they are not, they take longer.
        scan._process_line_based_plugins = quickly  # noqa: SLF001
    sys.exit(main())
