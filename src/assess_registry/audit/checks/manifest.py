"""Check `manifest`: does the manifest describe this code, and the code this manifest?

The code is read as syntax. An id counts as known to the code when it stands there as a text, or in a data file of the
wheel; a permission as used when its program, host, variable or a beginning or continuation of its path does.
"""

import json
import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property

from assess_plugin.permissions import ANY_CHARACTERS
from assess_registry.audit.code import WheelCode, read_code, reported
from assess_registry.audit.context import Context
from assess_registry.audit.findings import in_order
from assess_registry.audit.values import Examination, Finding, Subject
from assess_registry.manifest import Manifest, Permissions, SettingSpec
from assess_registry.names import PLUGIN_GROUP, parse_id

NAME = "manifest"

UNDECLARED_CHECK = "undeclared-check"
COMPUTED_CHECK = "computed-check"
CHECK_WITHOUT_CODE = "check-without-code"
ENTRY_POINT_ATTRIBUTE = "entry-point-attribute"
OPEN_SETTING = "setting-accepts-anything"
UNUSED_PERMISSION = "unused-permission"

RULE = "assess: the manifest describes the code"

MAX_DATA_BYTES = 4 << 20
"""Of data files, the smallest first, in all of which each of up to 2,000 ids is looked for."""

_SAYS_NOTHING = frozenset(("title", "description", "deprecated", "examples"))
_INNER = {
    "object": ("properties", "patternProperties", "additionalProperties", "unevaluatedProperties", "propertyNames"),
    "array": ("items", "prefixItems", "contains", "unevaluatedItems"),
}
_NATIVE = re.compile(r"\.(so|pyd|dylib|dll|wasm)\Z")
_MANIFEST = "assess-plugin.toml"


def examine(subject: Subject, context: Context) -> Examination:  # noqa: ARG001  the checks' one signature
    """What the manifest declares and the code does not know, and the other way round."""
    manifest = subject.wheel.manifest
    if manifest is None:
        return Examination(check=NAME, incomplete=("the wheel has no manifest",))
    code = read_code(subject)
    words = _Words(subject, code)
    plugins = tuple(entry.name for entry in subject.wheel.entry_points if entry.group == PLUGIN_GROUP)
    place = next((each.path for each in subject.files if each.path.rpartition("/")[2] == _MANIFEST), _MANIFEST)
    findings = [
        *_undeclared(code, manifest, plugins, place),
        *_without_code(manifest, words, place),
        *_entry_points(subject, code),
        *_settings(manifest, place),
        *_unused(manifest.permissions, words, place),
    ]
    return Examination(
        check=NAME,
        findings=in_order(findings),
        incomplete=tuple(f"{path} was not compared with the manifest: {why}" for path, why in code.unread.items()),
        facts={
            "checks": len(manifest.checks),
            "settings": [setting.name for setting in manifest.settings],
            "permissions": {
                "read": list(manifest.permissions.read),
                "stat": list(manifest.permissions.stat),
                "commands": [list(command) for command in manifest.permissions.commands],
                "network": list(manifest.permissions.network),
                "env": list(manifest.permissions.env),
                "secrets": list(manifest.permissions.secrets),
            },
            "limits": asdict(manifest.limits),
        },
    )


@dataclass(frozen=True)
class _Words:
    """What stands in the wheel as text: in code, and in data files that are neither compiled nor metadata."""

    subject: Subject
    code: WheelCode

    @cached_property
    def texts(self) -> frozenset[str]:
        return frozenset(text for file in self.code.files for text in file.texts)

    @cached_property
    def _data(self) -> bytes:
        found: list[bytes] = []
        room = MAX_DATA_BYTES
        for file in sorted(self.subject.files, key=lambda each: (len(each.data), each.path)):
            room -= len(file.data) if (wanted := _is_data(file.path)) else 0
            if wanted and room >= 0:
                found.append(file.data)
        return b"\0".join(found)

    def has(self, word: str) -> bool:
        """Whether this stands somewhere as a whole text, or anywhere in a data file."""
        return word in self.texts or word.encode() in self._data

    def has_path(self, path: str) -> bool:
        """Whether this path, what is below it, or a beginning of it that is a directory, stands somewhere.

        Of a path with `*` it is enough when its beginning stands somewhere as the beginning of a path.
        """
        if ANY_CHARACTERS in path:
            beginning = path.partition(ANY_CHARACTERS)[0].rpartition("/")[0]
            return self.has(path) or (beginning != "" and self.has_path(beginning))
        below = path.rstrip("/") + "/"
        place = bisect_left(self._paths, below)
        if place < len(self._paths) and self._paths[place].startswith(below):
            return True
        steps = path.split("/")
        above = ("/".join(steps[:number]) + "/" for number in range(2, len(steps)))
        return self.has(path) or any(directory in self.texts for directory in above)

    @cached_property
    def _paths(self) -> tuple[str, ...]:
        return tuple(sorted(text for text in self.texts if text.startswith("/")))


def _is_data(path: str) -> bool:
    return not (
        path.endswith(".py") or _NATIVE.search(path) or ".dist-info/" in path or path.rpartition("/")[2] == _MANIFEST
    )


def _undeclared(code: WheelCode, manifest: Manifest, plugins: tuple[str, ...], place: str) -> Iterator[Finding]:
    declared = frozenset(check.id for check in manifest.checks)
    plugin = plugins[0] if len(plugins) == 1 else "|".join(plugins) or "?"
    for each in reported(code.files, declared):
        if not each.check_id:
            yield Finding(
                id=COMPUTED_CHECK,
                severity="medium",
                entry=each.path,
                line=each.line,
                message=f"{each.what}, so that nobody can tell whether {place} declares it",
                advice="write each id out, hand it on as `check_id`, or take it from `input.checks`",
                rule=RULE,
            )
        elif each.check_id not in declared and _is_id(each.check_id):
            shown = json.dumps(each.check_id, ensure_ascii=False)
            yield Finding(
                id=UNDECLARED_CHECK,
                severity="high",
                entry=each.path,
                line=each.line,
                message=f"reports check {shown}, which {place} does not declare; such a reply fails the call",
                advice=f'[[checks]] id = {shown}, plugin = "{plugin}", and title, severity and remediation',
                rule=RULE,
            )


def _is_id(text: str) -> bool:
    try:
        parse_id(text)
    except ValueError:
        return False
    return True


def _without_code(manifest: Manifest, words: _Words, place: str) -> Iterator[Finding]:
    for check in manifest.checks:
        if not words.has(check.id):
            yield Finding(
                id=CHECK_WITHOUT_CODE,
                severity="medium",
                entry=place,
                message=f"check {check.id!r} is declared, and its id stands nowhere in the plugin's code",
                advice="remove it from the manifest, or write its id out where it is reported",
                rule=RULE,
            )


def _entry_points(subject: Subject, code: WheelCode) -> Iterator[Finding]:
    files = {file.path: file for file in code.files}
    for entry in subject.wheel.entry_points:
        if not entry.attr:
            continue
        base = entry.module.replace(".", "/")
        file = files.get(f"{base}.py") or files.get(f"{base}/__init__.py")
        name = entry.attr.partition(".")[0]
        if file is None or name in file.top_level or "__getattr__" in file.top_level or file.stars:
            continue  # a compiled module, or one that makes its names when asked, tells us nothing
        yield Finding(
            id=ENTRY_POINT_ATTRIBUTE,
            severity="high",
            entry=file.path,
            message=f"entry point {entry.name!r} names {entry.value!r}, and the module binds no {name!r}",
            advice="name an object that the module has, or the module alone",
            rule="entry points specification",
        )


def _settings(manifest: Manifest, place: str) -> Iterator[Finding]:
    for setting in manifest.settings:
        if why := _accepts(setting):
            yield Finding(
                id=OPEN_SETTING,
                severity="low",
                entry=f"{place}: settings.{setting.name}",
                message=f"setting {setting.name!r} accepts {why}",
                advice='say what a value is, for example `type = "array"` and `items = { type = "string" }`',
                rule="docs/manifest.md, settings",
            )


def _accepts(setting: SettingSpec) -> str:
    """What the schema lets through unseen; empty when it says something of every value."""
    said = setting.schema.keys() - _SAYS_NOTHING
    if not said:
        return "anything: its schema has no type"
    kind = setting.schema.get("type")
    if (
        isinstance(kind, str)
        and kind in _INNER
        and not (said - {"type"}).intersection((*_INNER[kind], "enum", "const"))
    ):
        return f"every {kind}, whatever is in it"
    return ""


def _unused(permissions: Permissions, words: _Words, place: str) -> Iterator[Finding]:
    wanted = [
        *(("read", json.dumps(path), words.has_path(path)) for path in permissions.read),
        *(("stat", json.dumps(path), words.has_path(path)) for path in permissions.stat),
        *(("commands", json.dumps(list(argv)), words.has(argv[0])) for argv in permissions.commands),
        *(("network", json.dumps(peer), words.has(peer) or words.has(_host(peer))) for peer in permissions.network),
        *(("env", json.dumps(name), words.has(name)) for name in permissions.env),
        *(("secrets", json.dumps(name), words.has(name)) for name in permissions.secrets),
    ]
    for key, shown, is_used in wanted:
        if not is_used:
            yield Finding(
                id=UNUSED_PERMISSION,
                severity="low",
                entry=f"{place}: permissions.{key}",
                message=f"{shown[:400]} is asked for, and nothing in the plugin's code names it",
                advice="ask for what is needed, so that reviewers approve nothing else",
                rule=RULE,
            )


def _host(peer: str) -> str:
    return peer.rpartition(":")[0].strip("[]")
