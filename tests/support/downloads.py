"""Wheels as the package index really serves them, downloaded by the test run itself and kept under `build/`."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.programs import installer_environment

NO_INDEX = "package index"
"""What a test needs that calls these, for `refuse_or_skip`."""

BUILD = Path(__file__).parents[2] / "build"

_REACH_THE_INDEX = ("http_proxy", "https_proxy", "no_proxy", "NO_PROXY", "SSL_CERT_FILE", "PIP_CERT")


def pip_download(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`pip download` of wheels alone, nothing of the machine's configuration but the way to the index."""
    way = {name: os.environ[name] for name in _REACH_THE_INDEX if name in os.environ}
    config = os.environ.get("ASSESS_PIP_CONFIG", os.devnull)
    environment = {**installer_environment(), "NO_PROXY": "", **way, "PIP_CONFIG_FILE": config}
    return subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary", ":all:", "-d", directory, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )
