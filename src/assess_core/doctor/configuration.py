"""Where everything that is configured comes from: a flag, a variable, the file, or nobody said anything."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assess_core.doctor.values import Line
from assess_core.runtime import Runtime

TABLES = ("runtime", "registry")


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """How the command was told where things are; an empty word where it was not.

    Attributes:
        config: `--config` or `ASSESS_CONFIG`.
        state: `--state-dir` or `ASSESS_STATE_DIR`.
    """

    config: str = ""
    state: str = ""

    @classmethod
    def by(cls, *, config: Path | None, state: Path | None, environ: Mapping[str, str]) -> "Chosen":
        """As `config_path` and `state_directory` choose."""
        return cls(
            config="--config" if config else "ASSESS_CONFIG" if environ.get("ASSESS_CONFIG") else "",
            state="--state-dir" if state else "ASSESS_STATE_DIR" if environ.get("ASSESS_STATE_DIR") else "",
        )


def origins(runtime: Runtime, chosen: Chosen) -> Iterator[Line]:
    """The file, the state directory, and of each table which keys the file sets; all others are as documented."""
    source = runtime.config.source
    yield _ok(f"{source}, by {chosen.config or 'default: assess.toml in this directory'}")
    state = chosen.state or ("runtime.state_dir" if runtime.config.runtime.state_dir else "default, of this user")
    yield _ok(f"state directory {runtime.store.root}, by {state}")
    document = _document(source)
    for table in TABLES:
        keys = document.get(table)
        if isinstance(keys, dict):
            yield _ok(f"[{table}] from the file: {', '.join(sorted(keys))}; all others by default")
    plugins = document.get("plugins")
    yield _ok(f"[[plugins]] from the file: {len(plugins) if isinstance(plugins, list) else 0}")


def _ok(text: str) -> Line:
    return Line(topic="configuration", state="ok", text=text)


def _document(source: Path) -> Mapping[str, Any]:
    """The file as it is now, for which keys it names; what counts was read before, and was judged then."""
    try:
        return tomllib.loads(source.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, tomllib.TOMLDecodeError):
        return {}
