"""A plugin's `assess-plugin.toml`: the values in it, and the parser that refuses everything else."""

from assess_plugin.permissions import Permissions
from assess_registry.manifest.ceiling import read_ceiling
from assess_registry.manifest.parse import ManifestError, parse_manifest
from assess_registry.manifest.schema import SCHEMA_KEYWORDS
from assess_registry.manifest.values import (
    SEVERITIES,
    CheckSpec,
    Limits,
    Manifest,
    SettingsError,
    SettingSpec,
    Severity,
    parse_severity,
)

__all__ = [
    "SCHEMA_KEYWORDS",
    "SEVERITIES",
    "CheckSpec",
    "Limits",
    "Manifest",
    "ManifestError",
    "Permissions",
    "SettingSpec",
    "SettingsError",
    "Severity",
    "parse_manifest",
    "parse_severity",
    "read_ceiling",
]
