"""A Python file of any size becomes syntax trees, a piece at a time.

A tree takes two hundred times the memory of its text: a million lines parsed at once take 2 to 5 GiB (measured,
CPython 3.11). So a file is cut between statements of its top level and each piece is parsed alone. A piece that parses
and ends with its line is a prefix of the file's statements; what follows it in column 0 starts the next ones, since a
bracket there would be no statement of its own and fail; before `else` and the like nothing is cut. So the pieces
together are the file, or the file is refused.

The text is decoded as the interpreter would decode it, by its own coding line: what we read is what would run.
"""

import ast
import io
import re
import tokenize
import warnings
from collections.abc import Iterator

MAX_FILE_BYTES = 16 << 20
"""Of one file: a million lines of fourteen characters are 14 MB."""

PIECE_CHARS = 64 << 10
"""What a piece has at least, unless the file ends; measured: larger ones are no faster."""

MAX_STATEMENT_CHARS = 1 << 20
"""Without comments. A longer one is given up: its tree alone could take 600 MiB."""

_NO_CODE = re.compile(r"^(?:[ \t\f]*#[^\n]*)?\n", re.MULTILINE)
_NO_STATEMENT = frozenset(" \t\f\n#)]}'\"\\")
"""What a line that begins a piece does not begin with; quotes mostly end a long text."""

_GOES_ON = re.compile(r"(?:else|elif|except|finally)\b")
"""What continues the statement above it: that one parses without it, and it never does without that one."""


class UnreadableError(ValueError):
    """The file cannot be read as Python; the message says why."""


def parse_pieces(data: bytes) -> Iterator[tuple[int, ast.Module]]:
    """The file's statements: number of lines in front of a piece, and its tree.

    Raises:
        UnreadableError: too large, not Python as this interpreter knows it, or too deeply nested.
    """
    if len(data) > MAX_FILE_BYTES:
        raise UnreadableError(f"it has {len(data)} bytes, more than {MAX_FILE_BYTES}")
    text = _decode(data)
    if len(text) <= PIECE_CHARS:
        yield 0, _parse(text)
        return
    start = first_line = 0
    while start < len(text):
        end, tree = _next_piece(text, start)
        yield first_line, tree
        first_line += text.count("\n", start, end)
        start = end


def _next_piece(text: str, start: int) -> tuple[int, ast.Module]:
    end, wanted = start, PIECE_CHARS
    while True:
        end = _boundary(text, max(end + 1, start + wanted))
        if _weight(text[start:end]) > MAX_STATEMENT_CHARS:
            line = text.count("\n", 0, start) + 1
            raise UnreadableError(f"from line {line} on {MAX_STATEMENT_CHARS} characters are no whole statement")
        try:
            return end, _parse(text[start:end])
        except UnreadableError:
            # A boundary inside a text of several lines, or a real error; the next try is twice as long, so that all
            # tries together cost no more than twice the last one.
            if end == len(text):
                raise
            wanted = (end - start) * 2


def _weight(piece: str) -> int:
    """Characters that can become nodes of a tree: a line that begins with `#` is a comment, or part of a text."""
    return len(piece) if len(piece) <= MAX_STATEMENT_CHARS else len(_NO_CODE.sub("", piece))


def _boundary(text: str, position: int) -> int:
    """The next start of a line, at or behind `position`, that may begin a statement; the end where there is none."""
    while 0 <= (found := text.find("\n", position - 1)) < len(text) - 1:
        position = found + 2
        if text[found + 1] not in _NO_STATEMENT and not _GOES_ON.match(text, found + 1):
            return found + 1
    return len(text)


def _decode(data: bytes) -> str:
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
    except (SyntaxError, LookupError, ValueError) as error:
        raise UnreadableError(f"it cannot be decoded: {_shown(error)}") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _parse(text: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            # About escapes and comparisons in a stranger's file: said to nobody who could repair it.
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise UnreadableError(f"it is no Python: {_shown(error)}") from error
    except (RecursionError, MemoryError) as error:  # what the parser says of nesting deeper than its stack
        raise UnreadableError("it is nested too deeply to be parsed") from error


def _shown(error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return str(error.msg)[:200]
    return str(error)[:200] if isinstance(error, LookupError) else type(error).__name__
