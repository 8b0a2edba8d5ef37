"""What a registry judges submissions by at one moment: its configuration, and the people in it."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from assess_registry.config import IndexConfig, load_config
from assess_registry.control import Publishers
from assess_registry.keys import TimedKey
from assess_registry.repository import Repository
from assess_registry.review.published import repository_of, signed_publishers


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """The rules of a registry, and when they are applied.

    Attributes:
        config: `registry.toml`.
        control: publishers, reviewers and audit keys of it, as clients will read them.
        audit_keys: whose reports are believed: the audit keys that the signed control files name, so that nobody who
            can write to `registry.toml` names their own. Where nothing is signed yet, those of `registry.toml`.
        now: aware; keys are valid at this time or not.
    """

    config: IndexConfig
    control: Publishers
    audit_keys: tuple[TimedKey, ...]
    now: datetime


def rules_of(root: Path, now: datetime, *, repository: Repository | None = None) -> Rules:
    """The rules of the registry at `root`; its signed word is read from `repository`, or from its disk.

    Raises:
        ConfigError: there is no `registry.toml`, or something in it is wrong.
        TrustError: its signed word is not what was signed.
    """
    config = load_config(root)
    control = Publishers.from_config(config)
    signed = signed_publishers(repository or repository_of(root))
    return Rules(config=config, control=control, audit_keys=(signed or control).audit_keys, now=now)
