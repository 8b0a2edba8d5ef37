"""A file becomes a `Config`, or a `ConfigError` with everything that is wrong with it.

    config = load(config_path(None, os.environ))

Nothing outside the file decides what is in it: no variable is substituted, no other file is included.
"""

import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from assess_core.clock import utc_now
from assess_core.config.model import Config, Origin
from assess_core.config.problems import impossible_grants, invalid_values, named_twice, not_json, unclear_sources
from assess_core.config.timing import impossible_times, unclear_waivers
from assess_core.errors import ConfigError
from assess_registry.client import ConfigError as FileRefused
from assess_registry.client import plain, read_guarded

FILE_NAME = "assess.toml"

MAX_BYTES = 2 * 1024 * 1024
"""Ten thousand assessments take 1.2 MiB. The bound is what keeps a wrong path from being read to its end."""

MAX_DOTS = 100
"""In one line. tomllib keeps a tuple for each prefix of a dotted key, so that one key of 240 KB fills the memory."""

MAX_DOTS_IN_ALL = 100_000
"""Outside of comments: in lines of a hundred each they take tomllib 70 MiB, and a million 730."""

_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")


def config_path(flag: Path | None, environ: Mapping[str, str]) -> Path:
    """Which file to load: the flag, else `ASSESS_CONFIG`, else `assess.toml` in the working directory."""
    if flag is not None:
        return flag
    return Path(environ.get("ASSESS_CONFIG") or FILE_NAME)


def load(path: Path) -> Config:
    """The configuration in this file; relative paths in it are relative to the file's directory.

    Raises:
        ConfigError: every problem at once, each with the file, the key path (or line and column), what was expected,
            what was got and the nearest valid word.
        TrustError: step `configuration`; others can write to the file or to a directory on its path.
    """
    return parse(_read(path), path)


def parse(data: bytes, path: Path) -> Config:
    """The configuration that these bytes state; `path` is where they lie, for messages and relative paths.

    Raises:
        ConfigError: as for `load`.
    """
    document = _decode(data, path)
    problems: list[str] = []
    config: Config | None = None
    try:
        config = Config.model_validate(document, context=Origin(path))
    except ValidationError as error:
        problems += invalid_values(error)
    problems += [*unclear_sources(document), *named_twice(document), *not_json(document), *impossible_grants(document)]
    problems += [*impossible_times(document), *unclear_waivers(document, today=_today(path))]
    if problems or config is None:
        raise ConfigError(*(f"{plain(path)}: {problem}" for problem in problems))
    return config


def _today(path: Path) -> date:
    """By the clock, or by the file where that is later.

    A clock that was set back - the battery is dead, and no server has answered yet - must not make a mistake of what
    was none when it was written: nothing would be assessed until somebody comes.
    """
    now = utc_now().date()
    try:
        return max(now, datetime.fromtimestamp(path.stat().st_mtime, UTC).date())
    except (OSError, ValueError, OverflowError):  # not there, or of a time that is none
        return now


def _read(path: Path) -> bytes:
    try:
        return read_guarded(
            path, MAX_BYTES, step="configuration", decides="what is configured, what is trusted included"
        )
    except FileNotFoundError as error:
        raise ConfigError(f"{plain(path)}: there is no such file; run `assess init` to write one") from error
    except FileRefused as error:
        raise ConfigError(plain(error)) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"{plain(path)}: cannot be read: {reason}") from error


def _decode(data: bytes, path: Path) -> dict[str, Any]:
    try:
        text = data.decode("utf-8-sig")  # an editor's byte order mark is no reason to stop
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{plain(path)}: line {line}: not UTF-8 (byte 0x{data[error.start]:02x}); save the file as UTF-8"
        ) from error
    in_all = 0
    for number, content in enumerate(text.split("\n"), start=1):
        # A line of a text over several lines may look like a comment, and end that text.
        if content.lstrip().startswith("#") and "'''" not in content and '"""' not in content:
            continue
        dots = content.count(".")
        if dots > MAX_DOTS:
            raise ConfigError(f"{plain(path)}: line {number}: more than {MAX_DOTS} dots; break it into several lines")
        in_all += dots
        if in_all > MAX_DOTS_IN_ALL:
            raise ConfigError(
                f"{plain(path)}: line {number}: more than {MAX_DOTS_IN_ALL} dots so far; "
                "write tables instead of dotted keys"
            )
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ConfigError(f"{plain(path)}: not TOML: nested too deeply") from error
    except ValueError as error:  # also what is not a TOMLDecodeError: an integer of 5000 digits
        raise ConfigError(f"{plain(path)}: {_syntax(str(error))}") from error


def _syntax(message: str) -> str:
    position = _POSITION.search(message)
    if position is None:
        return f"not TOML: {plain(message)}"
    where = f"line {position[1]}, column {position[2]}" if position[1] else "at the end"
    return f"{where}: not TOML: {plain(message[: position.start()])}"
