"""`registry.toml`: what a registry is called, who may publish in it, and what it would publish (docs/policy.md)."""

from assess_registry.config.load import (
    MAX_CONFIG_BYTES,
    load_config,
    load_policy_file,
    parse_config,
    parse_policy_file,
)
from assess_registry.config.place import CONFIG_NAME, KEEPING, NO_REGISTRY, is_site
from assess_registry.config.values import (
    POLICY_DEFAULT,
    Acceptance,
    Expiry,
    IndexConfig,
    Policy,
    PolicyFile,
    Publisher,
    Reviewer,
    Targets,
)

__all__ = [
    "CONFIG_NAME",
    "KEEPING",
    "MAX_CONFIG_BYTES",
    "NO_REGISTRY",
    "POLICY_DEFAULT",
    "Acceptance",
    "Expiry",
    "IndexConfig",
    "Policy",
    "PolicyFile",
    "Publisher",
    "Reviewer",
    "Targets",
    "is_site",
    "load_config",
    "load_policy_file",
    "parse_config",
    "parse_policy_file",
]
