"""Where a runtime keeps what it knows, and who runs it."""

import os
import pwd
from collections.abc import Mapping
from pathlib import Path

from assess_core.config import Config
from assess_core.errors import ConfigError


def state_directory(flag: Path | None, environ: Mapping[str, str], config: Config | None) -> Path:
    """Where state lives: flag, `ASSESS_STATE_DIR`, `runtime.state_dir`, else the XDG state home.

    Raises:
        ConfigError: none of them is set and this user has no home directory.
    """
    if flag is not None:
        return flag.absolute()
    if environ.get("ASSESS_STATE_DIR"):
        return Path(environ["ASSESS_STATE_DIR"]).absolute()
    if config is not None and config.runtime.state_dir is not None:
        return config.runtime.state_dir
    if environ.get("XDG_STATE_HOME", "").startswith("/"):
        return Path(environ["XDG_STATE_HOME"], "assess")
    try:
        return Path("~/.local/state/assess").expanduser()
    except RuntimeError as error:
        raise ConfigError(
            "no state directory: this user has no home; give --state-dir or set ASSESS_STATE_DIR"
        ) from error


def user_name() -> str:
    """Who runs this, by the system's word and not by a variable's."""
    try:
        return f"{pwd.getpwuid(os.getuid()).pw_name} (uid {os.getuid()})"
    except KeyError:  # containers run users that no passwd file knows
        return f"uid {os.getuid()}"
