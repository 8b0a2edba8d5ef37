"""`registry.toml`, the one file of a registry's root that a person writes, read whole or refused with every reason.

    [registry]
    name = "local"
    development = true       # bytes of a published version may be replaced, on request; results say `development`

Every mistake in it is reported at once, with its key path and the nearest valid word.
"""

import tomllib
from collections.abc import Iterable
from pathlib import Path

from assess_registry.config.people import read_people
from assess_registry.config.place import CONFIG_NAME, NO_REGISTRY, is_site
from assess_registry.config.policy import read_policy
from assess_registry.config.registry import read_expiry, read_registry, read_targets
from assess_registry.config.values import IndexConfig, PolicyFile
from assess_registry.errors import ConfigError, Issue
from assess_registry.files import read_bounded
from assess_registry.manifest.reader import Reader

MAX_CONFIG_BYTES = 256 << 10

TABLES = ("registry", "publishers", "reviewers", "audit", "policy", "targets", "expiry")


def load_config(root: Path) -> IndexConfig:
    """The configuration of the registry at `root`.

    Raises:
        ConfigError: there is none, it cannot be read, or something in it is wrong.
    """
    path = root / CONFIG_NAME
    try:
        data = read_bounded(path, MAX_CONFIG_BYTES)
    except FileNotFoundError as error:
        if path.is_symlink():
            raise ConfigError(f"{path}: is a symbolic link to {path.readlink()}, where nothing is") from error
        if is_site(root):
            raise ConfigError(f"{root}: {NO_REGISTRY}") from error
        raise ConfigError(f"{path}: no registry here; make one with: assess-registry init {root}") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    return parse_config(data, source=str(path))


def parse_config(data: bytes, *, source: str) -> IndexConfig:
    """The values in a `registry.toml`; `source` names it in messages.

    Raises:
        ConfigError: every problem in it, each with its key path.
    """
    issues: list[Issue] = []
    document = _document(data, source, issues)
    name, development, base_url = read_registry(document)
    people = read_people(document)
    policy = read_policy(document, {each.name for each in people.publishers})
    targets, expiry = read_targets(document), read_expiry(document)
    _refuse(issues, source)
    return IndexConfig(
        name=name,
        development=development,
        base_url=base_url,
        publishers=people.publishers,
        reviewers=people.reviewers,
        audit_keys=people.audit_keys,
        policy=policy,
        targets=targets,
        expiry=expiry,
    )


def load_policy_file(path: Path) -> PolicyFile:
    """As `parse_policy_file`, of a file.

    Raises:
        ConfigError: it cannot be read, or something in it is wrong.
    """
    try:
        data = read_bounded(path, MAX_CONFIG_BYTES)
    except OSError as error:
        raise ConfigError(f"{path}: the policy cannot be read: {error.strerror}") from error
    return parse_policy_file(data, source=str(path))


def parse_policy_file(data: bytes, *, source: str) -> PolicyFile:
    """What a verdict follows from in a `registry.toml`, or in a file that has only `[policy]`.

    Raises:
        ConfigError: every problem in it, or that it has no `[policy]`: the default is never meant by another file.
    """
    issues: list[Issue] = []
    document = _document(data, source, issues)
    if "registry" in document.table:
        read_registry(document)
    publishers = read_people(document).publishers
    policy = read_policy(document, {each.name for each in publishers} if "publishers" in document.table else None)
    targets, _ = read_targets(document), read_expiry(document)
    if "policy" not in document.table:
        document.refuse("missing-key", "policy", "expected a table [policy], got nothing")
    _refuse(issues, source)
    return PolicyFile(
        policy=policy,
        publishers=publishers if "publishers" in document.table else None,
        targets=targets if "targets" in document.table else None,
    )


def _document(data: bytes, source: str, issues: list[Issue]) -> Reader:
    try:
        table = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{source}: not TOML: {error}") from error
    document = Reader(table, "", issues)
    document.only(TABLES)
    return document


def _refuse(issues: Iterable[Issue], source: str) -> None:
    problems = tuple(f"{source}: {issue.entry}: {issue.message}" for issue in issues)
    if problems:
        raise ConfigError(*problems)
