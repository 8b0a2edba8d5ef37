"""What a registry judges submissions by at one moment: its configuration, and the people in it."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from assess_registry.config import IndexConfig, load_config
from assess_registry.control import Publishers


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """The rules of a registry, and when they are applied.

    Attributes:
        config: `registry.toml`.
        control: publishers, reviewers and audit keys of it, as clients will read them.
        now: aware; keys are valid at this time or not.
    """

    config: IndexConfig
    control: Publishers
    now: datetime


def rules_of(root: Path, now: datetime) -> Rules:
    """The rules in the registry's `registry.toml`.

    Raises:
        ConfigError: there is none, or something in it is wrong.
    """
    config = load_config(root)
    return Rules(config=config, control=Publishers.from_config(config), now=now)
