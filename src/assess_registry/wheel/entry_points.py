"""The entry points of a wheel, read strictly enough that nobody can read them differently.

The standard library alone has two parsers for `entry_points.txt` (configparser, importlib.metadata), which disagree
about continuation lines, `:` as a separator, comments, names that differ in case, `%` and a group `DEFAULT`.
A plugin's file keeps to what both read alike.

    [assess.plugins]
    host-baseline = assess_host_baseline.plugin
"""

import re
from collections.abc import Iterator

from assess_registry.errors import Issue
from assess_registry.names import PLUGIN_GROUP, PROVIDER_GROUP, parse_plugin_name
from assess_registry.wheel.names import printable
from assess_registry.wheel.values import EntryPoint, Kind

RULE = "entry points specification; assess: plugins and providers"
GROUPS = (PLUGIN_GROUP, PROVIDER_GROUP)
MAX_ENTRY_POINTS_BYTES = 64 * 1024
_MAX_LINE = 1000

_GROUP = re.compile(r"\[(\w+(?:\.\w+)*)\]\Z", re.ASCII)
_LINE = re.compile(r"([\w][\w.-]*(?: [\w.-]+)*) ?= ?(\S.*)\Z", re.ASCII)
_VALUE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*(:[^\W\d]\w*(\.[^\W\d]\w*)*)?\Z", re.ASCII)


def read_entry_points(data: bytes, path: str, *, kind: Kind, issues: list[Issue]) -> tuple[EntryPoint, ...]:
    """The entry points in `data`, which stands at `path`.

    Of a plugin every line must be plain. Of a dependency, which nobody asks for entry points, what is odd is skipped.
    """
    found: list[EntryPoint] = []
    problems = list(_read(data, path, found))
    if kind == "plugin":
        issues += problems
        issues += _check_assess(found, path)
    return tuple(found)


def _read(data: bytes, path: str, found: list[EntryPoint]) -> Iterator[Issue]:
    if len(data) > MAX_ENTRY_POINTS_BYTES:
        yield _issue("entry-points", path, f"expected at most {MAX_ENTRY_POINTS_BYTES} bytes, got {len(data)}")
        return
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        yield _issue("entry-points", path, f"it is not UTF-8: {error}")
        return
    group, groups, names = "", set[str](), set[tuple[str, str]]()
    for number, raw in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        line = raw.rstrip(" ")
        if not line or line.startswith("#"):
            continue
        # To configparser `[DEFAULT]` is in every group, and `%(x)s` stands for the value of `x`.
        plain = len(line) <= _MAX_LINE and line.isprintable() and "%" not in line and line != "[DEFAULT]"
        if plain and (match := _GROUP.match(line)):
            group = match[1]
            if group in groups:
                yield _issue("entry-point-twice", path, f"line {number}: group {group!r} stands here twice")
            groups.add(group)
        elif plain and group and (match := _LINE.match(line)):
            if (group, match[1].lower()) in names:
                yield _issue("entry-point-twice", path, f"line {number}: {match[1]!r} stands in {group!r} twice")
            names.add((group, match[1].lower()))
            found.append(EntryPoint(group=group, name=match[1], value=match[2]))
        else:
            yield _issue(
                "entry-points", path, f"line {number}: expected '[group]' or 'name = value', got {line!r:.100}"
            )


def _check_assess(found: list[EntryPoint], path: str) -> Iterator[Issue]:
    ours = [entry for entry in found if entry.group in GROUPS]
    if not ours:
        yield _issue("entry-point-missing", path, f"expected at least one entry point in {' or '.join(GROUPS)}")
    names = set[str]()
    for entry in ours:
        try:
            parse_plugin_name(entry.name)
        except ValueError as error:
            yield _issue("entry-point-name", path, f"{entry.group}: {error}")
        if not _VALUE.match(entry.value):
            yield _issue(
                "entry-point-value", path, f"{entry.name}: expected 'module:attribute', got {entry.value!r:.100}"
            )
        if entry.name in names:
            yield _issue("entry-point-twice", path, f"{entry.name!r} is a plugin and a provider: one name, one thing")
        names.add(entry.name)
    for group in sorted({entry.group for entry in found}):
        if group.partition(".")[0] == "assess" and group not in GROUPS:
            yield _issue("entry-point-group", path, f"there is no group {group!r}; expected {' or '.join(GROUPS)}")


def _issue(kind: str, entry: str, message: str) -> Issue:
    return Issue(id=kind, entry=printable(entry), message=message, rule=RULE)
