"""`registry.toml`, the one file of a registry's root that a person writes.

    [registry]
    name = "local"
    development = true       # bytes of a published version may be replaced, on request; results say `development`

Every mistake in it is reported at once, with its key path and the nearest valid word.
"""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from assess_registry.errors import ConfigError
from assess_registry.files import read_bounded
from assess_registry.names import parse_id

CONFIG_NAME = "registry.toml"
MAX_CONFIG_BYTES = 256 << 10

_KEYS = ("name", "development")


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexConfig:
    """What a registry is called, and whether it is a toy of one machine."""

    name: str
    development: bool = False

    def text(self) -> str:
        """The file that `parse_config` reads back as this value."""
        return tomli_w.dumps({"registry": {"name": self.name, "development": self.development}})


def load_config(root: Path) -> IndexConfig:
    """The configuration of the registry at `root`.

    Raises:
        ConfigError: there is none, it cannot be read, or something in it is wrong.
    """
    path = root / CONFIG_NAME
    try:
        data = read_bounded(path, MAX_CONFIG_BYTES)
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no registry here; make one with: assess-registry init {root}") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    return parse_config(data, source=str(path))


def parse_config(data: bytes, *, source: str) -> IndexConfig:
    """The values in a `registry.toml`; `source` names it in messages.

    Raises:
        ConfigError: every problem in it, each with its key path.
    """
    try:
        document = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{source}: not TOML: {error}") from error
    problems = _unknown(document, ("registry",), "")
    table = document.get("registry")
    if not isinstance(table, dict):
        problems.append(f"registry: expected a table, got {_shown(table)}")
        table = {}
    else:
        problems += _unknown(table, _KEYS, "registry.") + _wrong(table)
    if problems:
        raise ConfigError(*(f"{source}: {problem}" for problem in problems))
    return IndexConfig(name=table["name"], development=table.get("development", False))


def _wrong(table: Mapping[str, Any]) -> list[str]:
    problems: list[str] = []
    try:
        parse_id(_string(table.get("name")))
    except ValueError as error:
        problems.append(f"registry.name: {error}")
    development = table.get("development", False)
    if not isinstance(development, bool):
        problems.append(f"registry.development: expected true or false, got {_shown(development)}")
    return problems


def _unknown(table: Mapping[str, Any], known: tuple[str, ...], prefix: str) -> list[str]:
    return [f"{prefix}{key}: unknown key{_nearest(key, known)}" for key in table if key not in known]


def _nearest(word: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known here: {', '.join(known)}"


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a name in quotes, got {_shown(value)}")
    return value


def _shown(value: object) -> str:
    return "nothing" if value is None else f"{value!r}"[:80]
