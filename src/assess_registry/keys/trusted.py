"""The keys whose signatures count where nothing but a folder of `*.pub` files says so."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from assess_registry.errors import ConfigError, Issue, TrustError
from assess_registry.keys.public import MAX_PEM_BYTES, PUBLIC_SUFFIX, PublicKey, parse_public_key
from assess_registry.keys.way import open_guarded, read_guarded

MAX_TRUSTED_KEYS = 1000
"""A signature names no key, so each is tried at 65 us: more than this is a mistake."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrustedKey:
    """A public key and the name it was filed under; the name is for people and decides nothing."""

    name: str
    key: PublicKey


@dataclass(frozen=True, slots=True)
class TrustedKeys:
    """The keys whose signatures count, each once.

    Raises:
        ValueError: one key is in it twice.
    """

    keys: tuple[TrustedKey, ...]

    def __post_init__(self) -> None:
        if len({trusted.key.raw for trusted in self.keys}) != len(self.keys):
            raise ValueError("one key stands under two names")

    @classmethod
    def of(cls, *keys: PublicKey) -> Self:
        """Trust these, named by their ids."""
        return cls(tuple(TrustedKey(name=key.id, key=key) for key in keys))

    def __iter__(self) -> Iterator[TrustedKey]:
        return iter(self.keys)

    def signer(self, signature: bytes, data: bytes) -> TrustedKey | None:
        """The key that made this signature, or None. A bare signature names no key, so each is tried."""
        return next((trusted for trusted in self.keys if trusted.key.verifies(signature, data)), None)

    def describe(self) -> str:
        """Names and short ids, for messages."""
        return ", ".join(f"{trusted.name} ({trusted.key.id[:19]}…)" for trusted in self.keys) or "none"


def load_trusted_keys(directory: Path) -> TrustedKeys:
    """Every `*.pub` of a directory, in the order of their names.

    Raises:
        ConfigError: there is no such directory, or no key in it.
        TrustError: step `keys`; somebody else can change the directory or a file, a file is not a safe key, or one key
            is filed under two names. Lists all of them.
    """
    try:
        with open_guarded(directory) as descriptor:
            names = os.listdir(descriptor)  # noqa: PTH208  by the descriptor that was looked at
        paths = sorted(directory / name for name in names if Path(name).suffix == PUBLIC_SUFFIX)
    except OSError as error:
        raise ConfigError(f"{directory}: trusted keys cannot be read: {error.strerror}") from error
    if not paths or len(paths) > MAX_TRUSTED_KEYS:
        raise ConfigError(f"{directory}: expected 1 to {MAX_TRUSTED_KEYS} trusted keys (*.pub), found {len(paths)}")
    issues: list[Issue] = []
    found: dict[bytes, TrustedKey] = {}
    for path in paths:
        try:
            text = read_guarded(path, MAX_PEM_BYTES).decode("ascii")
            trusted = TrustedKey(name=path.stem, key=parse_public_key(text))
        except (ValueError, ConfigError, OSError) as error:
            message = (error.strerror if isinstance(error, OSError) else None) or str(error)
            issues.append(Issue(id="key-unusable", entry=path.name, message=message, rule="RFC 8032, RFC 8410"))
            continue
        first = found.setdefault(trusted.key.raw, trusted)
        if first is not trusted:
            message = f"the same key as {first.name}{PUBLIC_SUFFIX}"
            issues.append(Issue(id="key-duplicate", entry=path.name, message=message, rule="assess: one file a key"))
    if issues:
        next_step = "remove or replace the files named; trust nothing signed by them until their owners confirm"
        message = "trusted keys are not usable"
        raise TrustError(message, step="keys", thing=str(directory), next_step=next_step, issues=tuple(issues))
    return TrustedKeys(tuple(found.values()))
