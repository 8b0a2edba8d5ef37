"""A source tree becomes the wheel that `audit .` audits.

Building runs the tree's build backend, so this is for one's own tree: whoever audits somebody else's plugin audits the
wheel. The tree is built where it is, without a network and without anything that this machine's pip is configured to
do, by the backend that is installed beside us.
"""

import importlib.util
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assess_registry.errors import ConfigError
from assess_registry.files import read_bounded
from assess_registry.tools import ToolLimits, run_tool
from assess_registry.wheel import MAX_WHEEL_BYTES

PROJECT_FILE = "pyproject.toml"
LIMITS = ToolLimits(timeout_s=600, cpu_s=600, memory_mib=4096, file_mib=256, open_files=1024)

_MAX_PROJECT_BYTES = 1 << 20
_DEFAULT_BACKEND = "setuptools.build_meta"  # PEP 517, when the table is absent
_LAST_LINES = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class BuiltWheel:
    """What came out of a source tree."""

    filename: str
    data: bytes


def build_wheel(tree: Path, scratch: Path) -> BuiltWheel:
    """The wheel of the project at `tree`, made in `scratch`, an empty directory.

    Raises:
        ConfigError: there is no project, its build backend is not installed here, or the build failed.
    """
    backend = _backend(tree)
    argv = [sys.executable, "-I", "-m", "pip", "wheel", "--quiet", "--isolated", "--no-input", "--no-cache-dir"]
    argv += [
        "--disable-pip-version-check",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
        "--check-build-dependencies",
    ]
    # 1980, the first year a zip can hold: two builds of one tree are one wheel, with backends that keep to it.
    environment = {"PIP_CONFIG_FILE": "/dev/null", "SOURCE_DATE_EPOCH": "315532800"}
    target = [f"--wheel-dir={scratch}", str(tree.absolute())]
    ran = run_tool([*argv, *target], cwd=scratch, limits=LIMITS, environment=environment)
    if ran.problem or ran.exit_code:
        said = "\n".join(f"  {line}" for line in ran.stderr.decode(errors="replace").splitlines()[-_LAST_LINES:])
        raise ConfigError(
            f"{tree}: {backend} did not build a wheel: {ran.problem or f'exit code {ran.exit_code}'}\n{said}"
        )
    wheels = sorted(scratch.glob("*.whl"))
    if len(wheels) != 1:
        raise ConfigError(f"{tree}: expected one wheel from {backend}, got {len(wheels)}")
    return BuiltWheel(filename=wheels[0].name, data=read_bounded(wheels[0], MAX_WHEEL_BYTES))


def _backend(tree: Path) -> str:
    """The build backend's name; it is installed here, or part of the tree."""
    path = tree / PROJECT_FILE
    try:
        document = tomllib.loads(read_bounded(path, _MAX_PROJECT_BYTES).decode())
    except FileNotFoundError as error:
        raise ConfigError(f"{tree}: no {PROJECT_FILE}: expected a wheel, or the source tree of a plugin") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    table: Any = document.get("build-system", {})
    backend = table.get("build-backend", _DEFAULT_BACKEND) if isinstance(table, dict) else None
    if not isinstance(backend, str) or not backend:
        raise ConfigError(f"{path}: build-system.build-backend: expected the name of a module (PEP 517)")
    top = backend.partition(":")[0].partition(".")[0]
    if "backend-path" not in table and not _is_installed(top):
        raise ConfigError(
            f"{path}: its build backend {backend} is not installed beside assess-registry, and nothing is fetched for "
            f"an audit: install what build-system.requires names, or build the wheel and audit that"
        )
    return backend


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
