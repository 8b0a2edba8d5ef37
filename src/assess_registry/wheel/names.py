"""The names of an archive's members: plain, relative, and distinct on every file system.

A name that is harmless here may be something else on a system that folds case, normalises Unicode, strips trailing
dots or knows devices by name. A wheel is refused everywhere if it would unpack differently anywhere.

    list(name_problems("../evil.py"))    ->    ["it has a '..' part"]
"""

import unicodedata
from collections.abc import Iterable, Iterator

from assess_registry.errors import Issue

RULE = "assess: names unpack alike everywhere"

MAX_PATH_BYTES = 512
MAX_PART_BYTES = 255
MAX_DEPTH = 32
_FORBIDDEN = frozenset('<>:"|?*\\')
"""Separators, drives, streams and wildcards of other systems."""

_DEVICES = frozenset(
    (
        "con",
        "prn",
        "aux",
        "nul",
        "conin$",
        "conout$",
        *(f"{name}{n}" for name in ("com", "lpt") for n in "123456789¹²³"),
    )
)


def check_names(names: Iterable[str]) -> Iterator[Issue]:
    """What is wrong with each name, and with all of them together; a trailing slash marks a directory."""
    spelt: dict[str, str] = {}
    files: dict[str, str] = {}
    directories: dict[str, str] = {}
    seen: set[str] = set()
    for name in names:
        path = name.removesuffix("/")
        problems = list(name_problems(path))
        if problems:
            yield _issue("name", name, "; ".join(problems))
            continue
        if name in seen:
            yield _issue("name-twice", name, "two members have this name")
        seen.add(name)
        folded = fold(path)
        yield from _spelling(path, folded, spelt)
        if name.endswith("/"):
            directories[folded] = name
        else:
            files[folded] = name
            directories.setdefault(folded.rpartition("/")[0], name)
    for folded, name in directories.items():
        if file := next((files[parent] for parent in _with_parents(folded) if parent in files), None):
            yield _issue("name-file-as-directory", file, f"it is a file, and a directory in {name!r}")


def name_problems(path: str) -> Iterator[str]:
    """Why this relative path cannot be unpacked alike everywhere."""
    if len(path.encode("utf-8", "surrogatepass")) > MAX_PATH_BYTES:
        yield f"it has more than {MAX_PATH_BYTES} bytes"
    if not path.isprintable():
        yield "it has control or invisible characters"
    if bad := sorted(_FORBIDDEN & set(path)):
        yield f"it has {' '.join(bad)} in it"
    parts = path.split("/")
    if len(parts) > MAX_DEPTH:
        yield f"it is more than {MAX_DEPTH} directories deep"
        return
    for part in parts:
        if problem := _part_problem(part):
            yield problem


def fold(path: str) -> str:
    """The form under which two names are the same to some file system (NFKC, case folded, and NFKC again)."""
    # ASCII first: nearly every name is, and lower() is then the whole of it.
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", path).casefold())


def printable(name: str) -> str:
    """A name as it may be shown: on one line, escaped where needed, short."""
    return name[:200] if name.isprintable() else ascii(name[:200])[1:-1]


def _part_problem(part: str) -> str:
    if not part:
        return "it is absolute or has an empty part"
    if part in (".", ".."):
        return f"it has a {part!r} part"
    if part[-1] in ". " or part[0] == " ":
        return "a part begins or ends with a space, or ends with a dot"
    if len(part.encode("utf-8", "surrogatepass")) > MAX_PART_BYTES:
        return f"a part has more than {MAX_PART_BYTES} bytes"
    # A name that becomes something with a separator when it is normalised (U+2025 is two dots, U+FF0F a slash).
    if not part.isascii() and (set(fold(part)) & set("/\\:") or fold(part) in (".", "..")):
        return "it has a look-alike of a separator or of '..'"
    if part.partition(".")[0].rstrip(" ").casefold() in _DEVICES:
        return "a part is the name of a device"
    return ""


def _with_parents(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition("/")[0]


def _spelling(path: str, folded: str, spelt: dict[str, str]) -> Iterator[Issue]:
    """A path and its parents must have one spelling each, or two directories are one on some systems."""
    while path:
        known = spelt.setdefault(folded, path)
        if known != path:
            yield _issue("name-collision", path, f"it is the same as {known!r} where case or Unicode form do not count")
            return
        path, folded = path.rpartition("/")[0], folded.rpartition("/")[0]


def _issue(kind: str, entry: str, message: str) -> Issue:
    return Issue(id=kind, entry=printable(entry), message=message, rule=RULE)
