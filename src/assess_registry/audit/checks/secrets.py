"""Secrets left in the wheel: detect-secrets over the text of every file, whatever it is called; asks no network.

The tool skips by name (`*.lock`, `*.css`, anything with `swagger` in its path), drops files that are not UTF-8 without
a word, and reads configuration files by a parser that forgets their comments. So it is not given the wheel's files but
their text under numbered names: decoded, with an extension of code that it has a grammar for, else as text and as
configuration both; of binary files the printable runs. `pragma: allowlist secret` comments are switched off by their
filter, and no baseline is read. A key is planted behind each text, under such a comment: a file counts as read only if
that is found.

What is inside an archive in the wheel, and a text beyond `BOUNDS`, is not looked at: an `incomplete` for each. Never in
a report: the secret itself. Eight digits of its SHA-1, as the tool gives it, let two people see whether they speak of
the same one.

Severity: `high` for keys and tokens of a known form, `medium` for passwords by name of their variable or in a URL,
`low` for strings that merely look random, `info` for addresses. Ids are `secret-` and the detector: `secret-jwt`.
"""

import codecs
import hashlib
import json
import re
import secrets
import string
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from assess_registry.audit.batches import Bounds, UnreliableError, examine_batches, installed
from assess_registry.audit.context import Context
from assess_registry.audit.findings import in_order
from assess_registry.audit.values import Examination, Finding, Subject
from assess_registry.manifest import Severity
from assess_registry.tools import ToolRun
from assess_registry.wheel import UnpackedFile

NAME = "secrets"

PROGRAM = "assess_registry.audit.programs.detect_secrets"
"""The tool itself, which passes by quickly where no detector of it sees anything."""

_ARGV = (
    *("-m", PROGRAM, "--cores", "2", "scan", "--all-files", "--no-verify"),
    *("--disable-filter", "detect_secrets.filters.allowlist.is_line_allowlisted", "."),
)

BOUNDS = Bounds(max_bytes=4 << 20, max_lines=200_000)
"""Of the text it is given. Measured: 4 MiB of passwords, and of a library's printable runs, take it 40 s."""

MAX_LINE_CHARS, OVERLAP_CHARS = 4 << 10, 1 << 10
"""A longer line is given in windows; keys and tokens of known forms are shorter than the overlap.

Of characters, for the tool says nothing of a file in which a window ends within one.
"""

_SEVERITIES: Mapping[str, Severity] = {
    "Secret Keyword": "medium",
    "Basic Auth Credentials": "medium",
    "Base64 High Entropy String": "low",
    "Hex High Entropy String": "low",
    "Public IP (ipv4)": "info",
}
"""Detector -> severity; every other one looks for keys of a known form."""

_CODE = (".c", ".cls", ".cpp", ".cs", ".go", ".java", ".js", ".m", ".php", ".py", ".pyi", ".swift", ".tf")
_CONFIGURATION = (".cf", ".cfg", ".cnf", ".conf", ".eyaml", ".ini", ".properties", ".toml", ".yaml", ".yml")
"""Extensions for which the tool has a grammar of assignments."""

_PLANTED_TYPE = "AWS Access Key"
_PLANTED_CHARS = string.ascii_uppercase + string.digits

_ARCHIVES = (
    b"PK\3\4",
    b"PK\5\6",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ\0",
    b"\x28\xb5\x2f\xfd",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!",
)
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LINE_END = re.compile(r"\r\n|\r|\n")
_PRINTABLE = re.compile(rb"[\t\x20-\x7e]{6,}")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Text:
    """What the tool is given of a file: all of its text, or so many of the printable runs of a binary one.

    Attributes:
        lines: the file's own number of each line in `data`; empty for a binary file, which has none.
    """

    path: str
    data: bytes
    lines: Sequence[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    """Findings of one run, and the files that the tool did not read to their end."""

    findings: tuple[Finding, ...]
    unread: tuple[str, ...]


def examine(subject: Subject, context: Context) -> Examination:
    """Every string that looks like a secret, by file and line."""
    planted = _new_key()

    def run(batch: Sequence[_Text]) -> ToolRun:
        with tempfile.TemporaryDirectory(prefix="assess-secrets-") as place:
            _write(batch, Path(place), planted)
            return context.run_tool([sys.executable, "-I", *_ARGV], cwd=Path(place))

    def parse(ran: ToolRun, batch: Sequence[_Text]) -> _Answer:
        return _parse(ran, batch, planted)

    texts = (text for file in subject.files for text in _texts(file))
    examined = examine_batches(texts, run, parse, bounds=BOUNDS)
    archives = sorted(file.path for file in subject.files if _is_archive(file.data))
    unread = sorted({path for answer in examined.answers for path in answer.unread})
    return Examination(
        check=NAME,
        findings=in_order(finding for answer in examined.answers for finding in answer.findings),
        incomplete=(
            *examined.incomplete,
            *(f"detect-secrets: {path}: it did not find the key that was planted behind this text" for path in unread),
            *(f"{path}: an archive inside the wheel, whose content is not looked at" for path in archives),
        ),
        facts={"files": len(subject.files), "archives": archives},
        tool=installed("detect-secrets"),
    )


def _is_archive(data: bytes) -> bool:
    # A zip is found from its end, whatever stands in front of it; its comment has at most 64 KiB.
    return data.startswith(_ARCHIVES) or data[257:262] == b"ustar" or b"PK\5\6" in data[-0x10016:]


def _new_key() -> str:
    """Of a known form, and such that no wheel can hold it already."""
    return "AKIA" + "".join(secrets.choice(_PLANTED_CHARS) for _ in range(16))


def _write(batch: Sequence[_Text], place: Path, planted: str) -> None:
    # The first line fits no `key = value`: what the tool takes for a configuration it reads without its comments.
    behind = f"\nplanted\n# {planted}  # pragma: allowlist secret\n".encode()
    for number, file in enumerate(batch):
        suffix = PurePosixPath(file.path).suffix
        is_code = suffix in _CODE
        (place / f"{number}{suffix if is_code else '.txt'}").write_bytes(file.data + behind)
        if file.lines and not is_code:
            # As a configuration, too, by the tool's guess and by its grammar: then values need no quotes.
            for twin in {".as-is", suffix} & {".as-is", *_CONFIGURATION}:
                (place / f"{number}{twin}").write_bytes(file.data)


def _texts(file: UnpackedFile) -> Iterator[_Text]:
    text = _text(file.data)
    if _has_lines(file.data):
        windows = [(number, window) for number, line in enumerate(_LINE_END.split(text), 1) for window in _cut(line)]
        data = _encoded(window for _, window in windows)
        yield _Text(path=file.path, data=data, lines=[number for number, _ in windows])
        return
    # Printable runs stand for themselves, so a large library's are looked at in parts.
    part: list[str] = []
    size = 0
    for run in (window for line in text.split("\n") for window in _cut(line)):
        if part and (size + len(run) >= BOUNDS.max_bytes or len(part) >= BOUNDS.max_lines):
            yield _Text(path=file.path, data=_encoded(part), lines=())
            part, size = [], 0
        part.append(run)
        size += len(run) + 1
    yield _Text(path=file.path, data=_encoded(part), lines=())


def _encoded(lines: Iterable[str]) -> bytes:
    return "\n".join(lines).encode("utf-8", "replace")


def _cut(line: str) -> Iterator[str]:
    """The line in windows that overlap: for one of 2 MB the tool takes ten minutes, for its windows a few seconds."""
    yield line[:MAX_LINE_CHARS]
    for start in range(MAX_LINE_CHARS - OVERLAP_CHARS, len(line) - OVERLAP_CHARS, MAX_LINE_CHARS - OVERLAP_CHARS):
        yield line[start : start + MAX_LINE_CHARS]


def _text(data: bytes) -> str:
    for mark, codec in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data.decode(codec, "replace")
    if not _has_lines(data):
        return "\n".join(dict.fromkeys(_runs(data)))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _has_lines(data: bytes) -> bool:
    """Whether lines of its text are lines of the file; not so for the printable runs of a binary one."""
    return b"\0" not in data or data.startswith(tuple(mark for mark, _ in _BYTE_ORDER_MARKS))


def _runs(data: bytes) -> Iterator[str]:
    """Printable runs as they stand, and as they read when every other byte is zero (UTF-16)."""
    for seen in (data, data.replace(b"\0", b"")):
        yield from (run.group().decode("ascii") for run in _PRINTABLE.finditer(seen))


def _parse(ran: ToolRun, batch: Sequence[_Text], planted: str) -> _Answer:
    if ran.exit_code != 0:
        raise UnreliableError(f"detect-secrets: ended with exit code {ran.exit_code}")
    digest = hashlib.sha1(planted.encode()).hexdigest()  # noqa: S324  the tool's own way to name what it found
    findings: set[Finding] = set()
    read: set[int] = set()
    try:
        for name, found in json.loads(ran.stdout)["results"].items():
            number = int(PurePosixPath(name).stem)
            behind = batch[number].data.count(b"\n") + 3
            if any(secret["type"] == _PLANTED_TYPE and secret["hashed_secret"] == digest for secret in found):
                read.add(number)
            findings |= {_finding(batch[number], secret) for secret in found if secret["line_number"] != behind}
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise UnreliableError("detect-secrets: its output is not the JSON report that was asked for") from error
    if not read:
        raise UnreliableError("detect-secrets: it did not find the keys that were planted for it")
    unread = tuple(file.path for number, file in enumerate(batch) if number not in read)
    return _Answer(findings=tuple(findings), unread=unread)


def _finding(file: _Text, secret: Mapping[str, Any]) -> Finding:
    kind, digest, line = str(secret["type"]), str(secret["hashed_secret"]), int(secret["line_number"])
    name = "-".join(re.findall(r"[a-z0-9]+", kind.lower()))
    return Finding(
        id=f"secret-{name}",
        severity=_SEVERITIES.get(kind, "high"),
        entry=file.path,
        line=file.lines[line - 1] if file.lines else None,
        message=f"looks like a secret: {kind}, sha1 {digest[:8]}…",
        advice="revoke it, then remove it; if it is none, the policy can accept this id with a reason",
        rule=f"detect-secrets: {kind}",
    )
