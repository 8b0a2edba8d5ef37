"""What the Python files of a wheel mention: one walk over each, and every table has a bound.

A file that passes a bound is `unread`, with the reason, and whoever asks has to say so.
"""

from dataclasses import dataclass

from assess_registry.audit.code.facts import FileCode
from assess_registry.audit.code.source import UnreadableError, parse_pieces
from assess_registry.audit.code.walk import walk
from assess_registry.audit.values import Subject
from assess_registry.wheel import UnpackedFile

MAX_WHEEL_SOURCE_BYTES = 48 << 20
"""Of all Python files of a wheel together; those behind it are unread."""

MAX_FACTS = 1_500_000
"""Different names, texts and calls of all files: a million lines that all differ are below it and take some 400 MiB."""

_READ = "code"


@dataclass(frozen=True, kw_only=True, slots=True)
class WheelCode:
    """What the Python files of a wheel mention, and which of them could not be read: path -> why."""

    files: tuple[FileCode, ...]
    unread: dict[str, str]
    lines: int


def read_code(subject: Subject) -> WheelCode:
    """What every `.py` file mentions; read once for the checks that follow each other on the same files."""
    of, code = subject.read.get(_READ, (None, None))
    if of is not subject.files:  # a subject may have been made out of another one
        code = _read_all(subject.files)
        subject.read[_READ] = (subject.files, code)
    read: WheelCode = code
    return read


def _read_all(files: tuple[UnpackedFile, ...]) -> WheelCode:
    found: list[FileCode] = []
    unread: dict[str, str] = {}
    room = MAX_WHEEL_SOURCE_BYTES
    facts = MAX_FACTS
    lines = 0
    for file in sorted(files, key=lambda each: each.path):
        if not file.path.endswith(".py"):
            continue
        room -= len(file.data)
        try:
            if room < 0:
                raise UnreadableError(f"the Python files have more than {MAX_WHEEL_SOURCE_BYTES} bytes together")
            found.append(_read(file, facts))
            facts -= found[-1].size
        except UnreadableError as error:
            unread[file.path] = str(error)
        lines += file.data.count(b"\n")
    return WheelCode(files=tuple(found), unread=unread, lines=lines)


def _read(file: UnpackedFile, max_facts: int) -> FileCode:
    code = FileCode(path=file.path)
    for first_line, tree in parse_pieces(file.data):
        walk(code, first_line, tree)
        if code.size > max_facts:
            raise UnreadableError(f"the Python files mention more than {MAX_FACTS} different names and texts")
    return code
