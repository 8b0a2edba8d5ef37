"""What the store remembers of an environment, as `installed/<env key>.json`, and back.

Paths are not stored: they follow from the state directory and the key, so a state directory may be moved. The manifest
is stored as its text and parsed again by the one parser that read it from the wheel.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, get_args

from packaging.version import Version

from assess_core.store.jsontext import json_of
from assess_core.store.values import EntryKind, InstalledPlugin, Interpreter, PluginEntry
from assess_registry.client import (
    ProjectName,
    Sha256,
    parse_manifest,
    parse_plugin_name,
    parse_project,
    parse_sha256,
)

SCHEMA = 1

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredWheel:
    """One wheel of an environment; its original bytes lie in the store under this digest."""

    project: ProjectName
    version: str
    filename: str
    sha256: Sha256


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """Everything known of one environment.

    Attributes:
        manifest_text: `assess-plugin.toml` of the plugin's wheel, verbatim.
        wheels: everything installed in it, the plugin's own wheel first.
    """

    plugin: InstalledPlugin
    manifest_text: str
    wheels: tuple[StoredWheel, ...]

    @property
    def interpreter(self) -> Interpreter:
        """Whom the environment was built for."""
        return self.plugin.interpreter


def encode_record(record: Record) -> bytes:
    """The record as JSON."""
    plugin = record.plugin
    return json.dumps(
        {
            "schema": SCHEMA,
            "distribution": plugin.distribution,
            "version": plugin.version,
            "sha256": plugin.sha256,
            "lock_sha256": plugin.lock_sha256,
            "signer": plugin.signer,
            "development": plugin.development,
            "installed_at": plugin.installed_at.isoformat(),
            "interpreter": {
                "path": str(record.interpreter.path),
                "version": record.interpreter.version,
                "cache_tag": record.interpreter.cache_tag,
                "soabi": record.interpreter.soabi,
                "platform": record.interpreter.platform,
                "site_packages": record.interpreter.site_packages,
            },
            "entries": [
                {"name": entry.name, "kind": entry.kind, "module": entry.module, "attr": entry.attr}
                for entry in plugin.entries
            ],
            "wheels": [
                {"project": w.project, "version": w.version, "filename": w.filename, "sha256": w.sha256}
                for w in record.wheels
            ],
            "manifest": record.manifest_text,
        },
        indent=1,
    ).encode()


def decode_record(data: bytes, *, env_key: str, environment: Path) -> Record:
    """The record of the environment with this key, which lies at `environment`.

    Raises:
        ValueError: it is not a record of this schema; the message names the key path.
        ManifestError: its manifest is not acceptable to this release.
    """
    fields = _table(json_of(data), "", _RECORD_KEYS)
    if _take(fields, "schema", int) != SCHEMA:
        raise ValueError(f"schema: expected {SCHEMA}, got {fields['schema']!r}")
    interpreter = _interpreter(fields["interpreter"])
    manifest_text = _take(fields, "manifest", str)
    installed_at = datetime.fromisoformat(_take(fields, "installed_at", str))
    if installed_at.tzinfo is None:
        raise ValueError(f"installed_at: expected a time with its zone, got {installed_at.isoformat()!r}")
    plugin = InstalledPlugin(
        distribution=parse_project(_take(fields, "distribution", str)),
        version=_version(_take(fields, "version", str)),
        sha256=parse_sha256(_take(fields, "sha256", str)),
        env_key=env_key,
        interpreter=interpreter,
        environment=environment,
        python=environment / "bin" / "python",
        site_packages=environment / interpreter.site_packages,
        entries=tuple(_entry(value, f"entries[{i}]") for i, value in enumerate(_take(fields, "entries", list))),
        manifest=parse_manifest(manifest_text.encode()),
        lock_sha256=parse_sha256(_take(fields, "lock_sha256", str)),
        signer=_take(fields, "signer", str),
        development=_take(fields, "development", bool),
        installed_at=installed_at,
    )
    wheels = tuple(_wheel(value, f"wheels[{i}]") for i, value in enumerate(_take(fields, "wheels", list)))
    return Record(plugin=plugin, manifest_text=manifest_text, wheels=wheels)


_RECORD_KEYS = frozenset(
    (
        *("schema", "distribution", "version", "sha256", "lock_sha256", "signer", "development", "installed_at"),
        *("interpreter", "entries", "wheels", "manifest"),
    )
)
_INTERPRETER_KEYS = frozenset(("path", "version", "cache_tag", "soabi", "platform", "site_packages"))
_ENTRY_KEYS = frozenset(("name", "kind", "module", "attr"))
_WHEEL_KEYS = frozenset(("project", "version", "filename", "sha256"))


def _interpreter(value: object) -> Interpreter:
    fields = _table(value, "interpreter", _INTERPRETER_KEYS)
    texts = {key: _take(fields, key, str, "interpreter") for key in _INTERPRETER_KEYS - {"path"}}
    site_packages = Path(texts["site_packages"])
    if site_packages.is_absolute() or ".." in site_packages.parts:
        raise ValueError(f"interpreter.site_packages: expected a path inside the environment, got {site_packages}")
    return Interpreter(path=Path(_take(fields, "path", str, "interpreter")), **texts)


def _version(text: str) -> str:
    Version(text)  # InvalidVersion is a ValueError; the spelling stays
    return text


def _entry(value: object, where: str) -> PluginEntry:
    fields = _table(value, where, _ENTRY_KEYS)
    kinds: tuple[EntryKind, ...] = get_args(EntryKind)
    for kind in kinds:
        if fields["kind"] == kind:
            return PluginEntry(
                name=parse_plugin_name(_take(fields, "name", str, where)),
                kind=kind,
                module=_take(fields, "module", str, where),
                attr=_take(fields, "attr", str, where),
            )
    raise ValueError(f"{where}.kind: expected one of {', '.join(kinds)}, got {fields['kind']!r}")


def _wheel(value: object, where: str) -> StoredWheel:
    fields = _table(value, where, _WHEEL_KEYS)
    filename = _take(fields, "filename", str, where)
    if "/" in filename:
        raise ValueError(f"{where}.filename: expected a bare file name, got {filename!r}")
    return StoredWheel(
        project=parse_project(_take(fields, "project", str, where)),
        version=_take(fields, "version", str, where),
        filename=filename,
        sha256=parse_sha256(_take(fields, "sha256", str, where)),
    )


def _table(value: object, where: str, keys: frozenset[str]) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{where or 'the file'}: expected a table, got {type(value).__name__}")
    if value.keys() != keys:
        wrong = ", ".join(sorted(value.keys() ^ keys))
        raise ValueError(f"{where or 'the file'}: keys missing or unknown: {wrong}")
    return value


def _take(fields: Mapping[str, Any], key: str, kind: type[T], where: str = "") -> T:
    value = fields[key]
    if type(value) is not kind:  # not isinstance: True is an int
        path = f"{where}.{key}" if where else key
        raise ValueError(f"{path}: expected {kind.__name__}, got {type(value).__name__}")
    return value
