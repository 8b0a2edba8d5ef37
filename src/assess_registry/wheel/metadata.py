"""METADATA and WHEEL, which must say what the filename says.

Only the headers of METADATA are given to a mail parser: its body is text for people, and a mail parser would look for
parts in it. The parser's cost grows with the square of different headers, so these are counted first.
"""

import re
from dataclasses import dataclass

from packaging.metadata import InvalidMetadata, Metadata, RawMetadata, parse_email
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from assess_registry.errors import Issue
from assess_registry.wheel.filename import WheelName
from assess_registry.wheel.names import printable
from assess_registry.wheel.values import Kind

METADATA_RULE = "core metadata specification"
WHEEL_RULE = "PEP 427, WHEEL"
MAX_METADATA_BYTES = 4 * 1024 * 1024
MAX_WHEEL_FILE_BYTES = 64 * 1024
_MAX_HEAD_BYTES = 1024 * 1024
_MAX_DIFFERENT_HEADERS = 64
_MAX_TAGS = 500
_MAX_EXPRESSION = 4096
_MAX_PARENTHESES = 32
_ONCE = ("name", "version", "requires-python")
_HEADER = re.compile(rb"[!-9;-~]+:")  # RFC 5322, 3.6.8: printable ASCII but the colon
_WHEEL_LINE = re.compile(r"([A-Za-z][A-Za-z0-9-]*): ?([!-~][ -~]*)\Z")


@dataclass(frozen=True, kw_only=True, slots=True)
class CoreMetadata:
    """What METADATA says that the filename does not; `imports` are the top-level names it declares (PEP 794)."""

    requires_python: SpecifierSet
    requires_dist: tuple[Requirement, ...]
    imports: frozenset[str]


_NOTHING = CoreMetadata(requires_python=SpecifierSet(), requires_dist=(), imports=frozenset())


def read_metadata(data: bytes, path: str, name: WheelName, *, kind: Kind, issues: list[Issue]) -> CoreMetadata:
    """The requirements in `data`; a plugin's METADATA must be valid in every field, a dependency's in those used."""
    try:
        raw, unparsed = parse_email(_head(data))
        _check_nesting(raw)
    except ValueError as error:
        issues.append(_issue("metadata", path, str(error)))
        return _NOTHING
    problems = _agreement(raw, name, kind)
    problems += [f"{key!r} stands there twice or is malformed" for key in _ONCE if key in unparsed]
    if kind == "plugin":
        problems += [
            f"{key!r:.80} is no metadata field, or stands there twice" for key in sorted(unparsed.keys() - {*_ONCE})
        ]
    try:
        metadata = Metadata.from_raw(raw, validate=kind == "plugin")
        found = CoreMetadata(
            requires_python=metadata.requires_python or SpecifierSet(),
            requires_dist=tuple(metadata.requires_dist or ()),
            imports=frozenset(
                each.partition(";")[0].strip().partition(".")[0]
                for each in [*(metadata.import_names or ()), *(metadata.import_namespaces or ())]
            ),
        )
    except (ExceptionGroup, InvalidMetadata) as error:
        found = _NOTHING
        problems += [str(each) for each in (error.exceptions if isinstance(error, ExceptionGroup) else (error,))]
    problems += [
        f"{each.name!r} is required from an address, not from an index" for each in found.requires_dist if each.url
    ]
    issues += [_issue("metadata", path, problem) for problem in problems]
    return found


def read_wheel_file(data: bytes, path: str, name: WheelName, *, kind: Kind, issues: list[Issue]) -> bool:
    """Whether the root is purelib, as WHEEL says; a plugin's tags and build must be those of the filename."""
    fields: dict[str, list[str]] = {}
    problems: list[str] = []
    text = data[:MAX_WHEEL_FILE_BYTES].decode("ascii", "replace").replace("\r\n", "\n").rstrip("\n")
    for number, line in enumerate(text.split("\n"), 1):
        if match := _WHEEL_LINE.match(line):
            fields.setdefault(match[1].lower(), []).append(match[2].rstrip())
        elif kind == "plugin" or line.strip():
            problems.append(f"line {number}: expected 'Key: value', got {line!r:.80}")
    version, pure = fields.get("wheel-version", []), [value.lower() for value in fields.get("root-is-purelib", [])]
    if len(version) != 1 or version[0].split(".")[0] != "1":
        problems.append(f"expected one Wheel-Version 1.x, got {version!r:.80}")
    if pure not in (["true"], ["false"]):
        problems.append(f"expected one Root-Is-Purelib, true or false, got {pure!r:.80}")
    if kind == "plugin":
        problems += _wheel_agreement(fields, name)
    issues += [Issue(id="wheel-file", entry=printable(path), message=each, rule=WHEEL_RULE) for each in problems]
    return pure == ["true"]


def _head(data: bytes) -> bytes:
    """The headers, up to the first empty line.

    Raises:
        ValueError: the file is no UTF-8, too large, or has more kinds of headers than there are fields.
    """
    if len(data) > MAX_METADATA_BYTES:
        raise ValueError(f"expected at most {MAX_METADATA_BYTES} bytes, got {len(data)}")
    data.decode("utf-8")
    head = data.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    if len(head) > _MAX_HEAD_BYTES or b"\r" in head or b"\0" in head:
        raise ValueError(f"expected at most {_MAX_HEAD_BYTES} bytes of headers without stray carriage returns or NUL")
    if head[:1] in b" \t" and head:
        raise ValueError("the first line continues a header, and there is none before it")
    lines = [line for line in head.split(b"\n") if line[:1] not in b" \t"]
    if bad := [line for line in lines if not _HEADER.match(line)]:
        # A mail parser would take the rest for the body, and the next parser would not; `Foo : bar` is no header to it.
        raise ValueError(f"expected a 'Header: value' in every line before the first empty one, got {bad[0][:80]!r}")
    if len({line.partition(b":")[0].lower() for line in lines}) > _MAX_DIFFERENT_HEADERS:
        raise ValueError(f"expected at most {_MAX_DIFFERENT_HEADERS} different headers")
    return head + b"\n\n"


def _check_nesting(raw: RawMetadata) -> None:
    """Refuse what would exhaust the stack of the recursive parsers for markers and licences.

    Raises:
        ValueError: an expression is longer, or nests deeper, than any that a person wrote.
    """
    for text in [*raw.get("requires_dist", []), raw.get("license_expression", "")]:
        if len(text) > _MAX_EXPRESSION or text.count("(") > _MAX_PARENTHESES:
            raise ValueError(
                f"expected requirements and licences of at most {_MAX_EXPRESSION} characters and "
                f"{_MAX_PARENTHESES} parentheses, got {text[:80]!r}"
            )


def _agreement(raw: RawMetadata, name: WheelName, kind: Kind) -> list[str]:
    problems = []
    if str(canonicalize_name(raw.get("name", ""))) != name.project:
        problems.append(f"expected Name {name.project}, as the filename says, got {raw.get('name')!r:.120}")
    text = raw.get("version", "")
    try:
        agrees = Version(text) == name.version and (kind == "dependency" or text == str(name.version))
    except InvalidVersion:
        agrees = False
    if not agrees:
        problems.append(f"expected Version {name.version}, as the filename says, got {text!r:.120}")
    return problems


def _wheel_agreement(fields: dict[str, list[str]], name: WheelName) -> list[str]:
    problems = []
    texts = fields.get("tag", [])
    if len(texts) > _MAX_TAGS or not all(text.count("-") == 2 and "." not in text for text in texts):
        problems.append("expected single tags, one in a line")
    elif {*texts} != (tags := {str(tag) for tag in name.tags}):
        expected = ", ".join(sorted(tags))
        problems.append(f"expected the tags of the filename, {expected}, got {', '.join(texts) or 'none'}"[:400])
    build = f"{name.build[0]}{name.build[1]}" if name.build else None
    if fields.get("build", []) != ([build] if build else []):
        problems.append(f"expected Build {build or 'absent'}, as the filename says, got {fields.get('build')!r:.80}")
    return problems


def _issue(kind: str, entry: str, message: str) -> Issue:
    return Issue(id=kind, entry=printable(entry), message=message, rule=METADATA_RULE)
