r"""The bytes of an `assess-plugin.toml` become a `Manifest`, or every reason why not.

parse_manifest(b'schema = 1\napi = ">=1.0,<2"\ntitle = "T"\nsummary = "S"\n').title    ->    "T"
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from assess_plugin.api import WITHOUT_CONNECT
from assess_plugin.models import API_VERSIONS
from assess_registry.errors import Issue, RegistryError
from assess_registry.manifest.permissions import PERMISSION_KEYS, needs_connect_api, read_permissions
from assess_registry.manifest.reader import Reader, below, issue, join, show
from assess_registry.manifest.schema import problems, schema_problems
from assess_registry.manifest.values import (
    CheckSpec,
    Limits,
    Manifest,
    SettingSpec,
    parse_severity,
)
from assess_registry.names import PluginName, parse_id, parse_plugin_name

SCHEMA = 1

KEYS: Mapping[str, tuple[str, ...]] = {
    "": ("schema", "api", "title", "summary", "checks", "settings", "permissions", "limits"),
    "checks": ("id", "plugin", "title", "severity", "controls", "remediation"),
    "settings": ("default", "secret"),  # beside the schema's own keywords
    "permissions": PERMISSION_KEYS,
    "limits": ("memory_mib", "timeout_s", "cpu_s", "scratch_mib", "threads", "descriptors"),
}
"""Every key there is, by table; docs/manifest.md describes each of them."""

MAX_MANIFEST_BYTES = 256 * 1024
MAX_CHECKS = 2000
MAX_SETTINGS = 100
MAX_CONTROLS = 32
MAX_TITLE = 200
MAX_SUMMARY = 500
MAX_REMEDIATION = 2000
MEMORY_MIB = (16, 65536)
TIMEOUT_S = (1, 86400)
CPU_S = (1, 86400)
SCRATCH_MIB = (1, 65536)
THREADS = (1, 1024)
DESCRIPTORS = (32, 4096)

# tomllib walks a dotted key for each key below it: 100,000 short keys below a key of 4,000 parts take minutes.
_MAX_LINE = 8192
_MAX_LINE_DOTS = 200

_SETTING = re.compile(r"[a-z][a-z0-9_-]{0,63}\Z")
_CONTROL = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*:[A-Za-z0-9][A-Za-z0-9._()-]*\Z")


class ManifestError(RegistryError):
    """A manifest cannot be used.

    Attributes:
        issues: everything that is wrong with it, at least one; `entry` is the key path.
    """

    def __init__(self, issues: tuple[Issue, ...]) -> None:
        super().__init__(f"assess-plugin.toml: {len(issues)} issue(s)\n" + "\n".join(f"  - {each}" for each in issues))
        self.issues = issues


def parse_manifest(data: bytes) -> Manifest:
    """The manifest in `data`, with every default filled in.

    Raises:
        ManifestError: it is not TOML, or a key is unknown, missing, of a wrong type or out of bounds.
    """
    issues: list[Issue] = []
    top = Reader(_load(data), "", issues)
    top.only(KEYS[""])
    if top.integer("schema", low=SCHEMA, high=SCHEMA, default=0) == 0 and "schema" not in top.table:
        top.refuse("missing-key", "schema", f"this key is required: the layout of the file, {SCHEMA}")
    manifest = Manifest(
        api=top.parsed("api", _api, SpecifierSet()),
        title=top.text("title", max_chars=MAX_TITLE),
        summary=top.text("summary", max_chars=MAX_SUMMARY),
        checks=_checks(top),
        settings=_settings(top.table_of("settings")),
        permissions=read_permissions(top.table_of("permissions")),
        limits=_limits(top.table_of("limits")),
    )
    issues += _too_new(manifest)
    if issues:
        raise ManifestError(tuple(issues))
    return manifest


def _too_new(manifest: Manifest) -> Iterator[Issue]:
    """Permissions that the plugin API which it is served has not."""
    served = next(filter(manifest.api.contains, API_VERSIONS), None)
    if served not in WITHOUT_CONNECT:
        return
    for key, what in needs_connect_api(manifest.permissions):
        message = f"{what} needs plugin API 1.2, and `api` admits {served}: begin it at 1.2, as in '>=1.2,<2'"
        yield issue("bad-value", below("permissions", key), message)


def _load(data: bytes) -> Mapping[str, Any]:
    if len(data) > MAX_MANIFEST_BYTES:
        raise ManifestError((issue("too-large", "", f"expected at most {MAX_MANIFEST_BYTES} bytes, got {len(data)}"),))
    for number, line in enumerate(data.split(b"\n"), 1):
        if len(line) > _MAX_LINE or line.count(b".") > _MAX_LINE_DOTS:
            message = f"expected at most {_MAX_LINE} bytes and {_MAX_LINE_DOTS} dots in a line: break the line"
            raise ManifestError((issue("syntax", f"line {number}", message),))
    try:
        return tomllib.loads(data.decode())
    except RecursionError as error:
        raise ManifestError((issue("syntax", "", "values stand too deep inside each other"),)) from error
    except ValueError as error:  # no UTF-8, no TOML, or a number of more digits than Python converts
        raise ManifestError((issue("syntax", "", f"this is not TOML: {error}"),)) from error


def _api(text: str) -> SpecifierSet:
    try:
        specifier = SpecifierSet(text)
    except InvalidSpecifier as error:
        raise ValueError(f"{show(text)} is not a version specifier (PEP 440), for example '>=1.0,<2'") from error
    if not text.strip() or not any(specifier.contains(version) for version in API_VERSIONS):
        raise ValueError(f"{show(text)} admits none of the plugin APIs there are: {', '.join(API_VERSIONS)}")
    return specifier


def _checks(top: Reader) -> tuple[CheckSpec, ...]:
    taken: dict[str, CheckSpec] = {}
    for reader in top.tables_of("checks", max_items=MAX_CHECKS):
        check = _check(reader)
        if check.id and check.id in taken:
            reader.refuse("duplicate", "id", f"two checks have the id {check.id!r}")
        taken[check.id] = check
    return tuple(taken.values())


def _check(reader: Reader) -> CheckSpec:
    reader.only(KEYS["checks"])
    return CheckSpec(
        id=reader.parsed("id", parse_id, ""),
        plugin=reader.parsed("plugin", parse_plugin_name, PluginName("")),
        title=reader.text("title", max_chars=MAX_TITLE),
        severity=reader.parsed("severity", parse_severity, "info"),
        controls=reader.items("controls", _control, max_items=MAX_CONTROLS),
        remediation=reader.text("remediation", max_chars=MAX_REMEDIATION, lines=50),
    )


def _control(value: Any) -> str:
    if isinstance(value, str) and len(value) <= MAX_TITLE and _CONTROL.match(value):
        return value
    raise ValueError(f"expected '<catalogue>:<control>', for example 'nist-800-53:cm-6', got {show(value)}")


def _settings(table: Reader) -> tuple[SettingSpec, ...]:
    if len(table.table) > MAX_SETTINGS:
        table.refuse("bad-value", "", f"expected at most {MAX_SETTINGS} settings, got {len(table.table)}")
    settings = []
    for name in list(table.table)[:MAX_SETTINGS]:
        place = join("", name)
        if not _SETTING.match(name):
            table.refuse("bad-value", place, "expected a name of lower-case letters, digits, '_' and '-', 64 at most")
        if not isinstance(table.table[name], dict):
            table.refuse("wrong-type", place, f"expected a table, got {show(table.table[name])}")
            continue
        settings.append(_setting(name, table.table_of(name)))
    return tuple(settings)


def _setting(name: str, reader: Reader) -> SettingSpec:
    schema = {key: value for key, value in reader.table.items() if key not in KEYS["settings"]}
    secret = reader.boolean("secret", default=False)
    has_default = "default" in reader.table
    bad = schema_problems(schema)
    for path, message in bad:
        reader.refuse("schema", path, message)
    if has_default and secret:
        reader.refuse("bad-value", "default", "a secret has no default: everybody can read this file")
    elif has_default and not bad:
        for path, message in problems(schema, reader.table["default"]):
            reader.refuse("schema", below("default", path), message)
    default = reader.table.get("default")
    return SettingSpec(name=name, schema=schema, default=default, has_default=has_default, secret=secret)


def _limits(reader: Reader) -> Limits:
    reader.only(KEYS["limits"])
    default = Limits()

    def whole(key: str, bounds: tuple[int, int], default: int) -> int:
        return reader.integer(key, low=bounds[0], high=bounds[1], default=default)

    def number(key: str, bounds: tuple[int, int], default: float) -> float:
        return reader.number(key, low=bounds[0], high=bounds[1], default=default)

    return Limits(
        memory_mib=whole("memory_mib", MEMORY_MIB, default.memory_mib),
        timeout_s=number("timeout_s", TIMEOUT_S, default.timeout_s),
        cpu_s=number("cpu_s", CPU_S, CPU_S[0]) if "cpu_s" in reader.table else default.cpu_s,
        scratch_mib=whole("scratch_mib", SCRATCH_MIB, default.scratch_mib),
        threads=whole("threads", THREADS, default.threads),
        descriptors=whole("descriptors", DESCRIPTORS, default.descriptors),
    )
