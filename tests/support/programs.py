"""Programs that a test needs from the system, and the environment they are started in.

A machine without one skips the test by the program's name; under `ASSESS_TEST_REQUIRE=all` that is a failure, so that
CI cannot grow green by losing a tool.
"""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

REQUIRE_VARIABLE = "ASSESS_TEST_REQUIRE"

_PASSED_ON = ("PATH", "LANG", "LC_ALL", "SSL_CERT_FILE", "TMPDIR")


def require_program(name: str) -> str:
    """The absolute path of a program, or a skip (a failure, under `ASSESS_TEST_REQUIRE=all`) that names it.

    Programs that the test environment itself installs, such as uv, are found beside its interpreter.
    """
    found = shutil.which(name, path=os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))))
    if found is None:
        refuse_or_skip(name)
    assert found is not None
    return found


def refuse_or_skip(what: str) -> None:
    """End the test because `what` is not there: skipped by name, or failed where everything is required."""
    message = f"needs {what}, which is not on this machine"
    if os.environ.get(REQUIRE_VARIABLE) == "all":
        pytest.fail(f"{message} ({REQUIRE_VARIABLE}=all)", pytrace=False)
    pytest.skip(message)


def installer_environment(**more: str) -> Mapping[str, str]:
    """An environment for pip and uv in which no configuration, cache, index or proxy of the machine's has a say."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    neutral = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_NO_CACHE_DIR": "1",
        "UV_NO_CONFIG": "1",
        "UV_NO_CACHE": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "NO_PROXY": "*",
    }
    return kept | neutral | more
