"""What a worker starts from, as the runtime makes it: its own `assess_plugin` and pluggy, and nothing else of ours."""

import importlib.util
import shutil
from pathlib import Path

_PACKAGES = {"assess_plugin": "assess_plugin", "_assess_pluggy": "pluggy"}
"""Name in the kit -> package at hand."""

_LEFT_OUT = shutil.ignore_patterns("__pycache__", "testing", "isolation")


def make_kit(directory: Path) -> Path:
    """The directory, which is new, has what a worker needs."""
    for name, package in _PACKAGES.items():
        shutil.copytree(source_of(package), directory / name, ignore=_LEFT_OUT)
    return directory


def source_of(package: str) -> Path:
    """The directory of an installed package.

    Raises:
        LookupError: there is none.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise LookupError(f"package {package!r} is not installed here")
    return Path(next(iter(spec.submodule_search_locations)))


def place_of(module: str) -> Path:
    """The directory from which a module is imported, as it stands in `sys.path`.

    Raises:
        LookupError: there is no such module.
    """
    top = module.partition(".")[0]
    spec = importlib.util.find_spec(top)
    if spec is None or spec.origin is None:
        raise LookupError(f"there is no module {top!r} here")
    origin = Path(spec.origin)
    return origin.parent.parent if spec.submodule_search_locations else origin.parent
