"""The configuration file: model, loading, and what else people type that must match something."""

from assess_core.config.load import FILE_NAME, MAX_BYTES, config_path, load, parse
from assess_core.config.model import (
    AssessmentConfig,
    Config,
    MaintenanceConfig,
    ObserveConfig,
    PluginConfig,
    RegistrySettings,
    ResultsConfig,
    RuntimeConfig,
    WaiverConfig,
)
from assess_core.config.rewrite import rewrite
from assess_core.config.template import template
from assess_core.config.waiving import with_waiver, without_waiver
from assess_core.config.words import match_checks, nearest, unknown_name

__all__ = [
    "FILE_NAME",
    "MAX_BYTES",
    "AssessmentConfig",
    "Config",
    "MaintenanceConfig",
    "ObserveConfig",
    "PluginConfig",
    "RegistrySettings",
    "ResultsConfig",
    "RuntimeConfig",
    "WaiverConfig",
    "config_path",
    "load",
    "match_checks",
    "nearest",
    "parse",
    "rewrite",
    "template",
    "unknown_name",
    "with_waiver",
    "without_waiver",
]
