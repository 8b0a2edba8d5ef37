"""What may stand in an environment around the packages, and what would let it run something else.

`python -m venv` and pip put more into an environment than wheels hold: links to the interpreter, activation scripts,
wrappers for console scripts, pip itself. These rules say which of it is harmless. Everything here judges names and
links; contents of packages are compared in `check.py`.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from assess_core.store.differences import Difference
from assess_registry.client import InspectedWheel, RegistryError, read_bounded

SEEDS: Mapping[str, tuple[str, ...]] = {
    "pip": ("pip/",),
    "setuptools": ("setuptools/", "pkg_resources/", "_distutils_hack/"),
    "wheel": ("wheel/",),
}
"""Distributions that `python -m venv` or `virtualenv` seed, and the directories that are theirs (ensurepip)."""

SEED_PTH = "distutils-precedence.pth"
SEED_PTH_SHA256 = "2638ce9e2500e572a5e0de7faed6661eb569d1b696fcba07b0dd223da5f5d224"
"""setuptools' one `.pth` file, unchanged since version 60. Any other `.pth` runs code of its own at every start."""

MAX_CFG_BYTES = 64 << 10

_SEED_SCRIPTS = re.compile(r"(pip|pip3|pip3\.\d+|wheel|easy_install|easy_install-3\.\d+)\Z", re.ASCII)
_PYTHON = re.compile(r"bin/python(3(\.\d+)?t?)?\Z", re.ASCII)
_INERT = frozenset((".gitignore", "CACHEDIR.TAG", ".lock"))  # at the top: of venv 3.13, virtualenv and uv
_ACTIVATION = frozenset(
    f"bin/{name}"
    for name in (
        *("activate", "activate.csh", "activate.fish", "Activate.ps1"),  # venv
        *("activate.bat", "activate.nu", "activate.ps1", "activate.xsh", "activate_this.py", "deactivate.bat"),
        "pydoc.bat",  # with the line before: virtualenv and uv
    )
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Extra:
    """A file that an ordinary installer puts beside the packages; without a digest any content is harmless there."""

    path: str
    sha256: str | None = None


def check_config(environment: Path) -> list[Difference]:
    """`pyvenv.cfg` keeps the environment closed and names the interpreter that `bin/python` links to."""
    path = "pyvenv.cfg"
    try:
        text = read_bounded(environment / path, MAX_CFG_BYTES).decode()
    except (OSError, RegistryError, UnicodeDecodeError) as error:
        return [Difference(kind="missing", path=path, message=f"not readable: {error}")]
    pairs = [
        (key.strip().lower(), value.strip()) for key, _, value in (line.partition("=") for line in text.splitlines())
    ]
    values = dict(pairs)
    problems = []
    if len(values) < len(pairs):
        problems.append("a key stands in it twice; Python's parts do not agree which one counts")
    if values.get("include-system-site-packages", "").lower() != "false":
        problems.append("include-system-site-packages must be false: packages from outside would be imported")
    # Python takes its standard library from `home`, not from where the link leads.
    directories = {str(hop.parent) for hop in _hops(environment / "bin" / "python")}
    if os.path.normpath(values.get("home", "")) not in directories:
        problems.append(f"home is {values.get('home')!r}, but bin/python links to {', '.join(sorted(directories))}")
    return [Difference(kind="altered", path=path, message=problem) for problem in problems]


def check_interpreter_links(environment: Path, paths: Iterable[str], *, expected: Path | None) -> list[Difference]:
    """Every `bin/python*` is a link that ends at an interpreter outside of the environment: at `expected`, if given."""
    found = []
    for path in (path for path in paths if _PYTHON.match(path)):
        link = environment / path
        end = Path(os.path.realpath(link))
        if not link.is_symlink():
            message = "expected a link to an interpreter, got a file; make the environment without --copies"
        elif expected is not None and end != expected:
            message = f"expected a link to {expected}, got one to {end}"
        elif end.is_relative_to(os.path.realpath(environment)) or not end.is_file():
            message = f"expected a link to an interpreter outside of the environment, got one to {end}"
        else:
            continue
        found.append(Difference(kind="altered", path=path, message=message))
    return found


def is_surrounding(path: str, environment: Path, *, ours: bool) -> bool:
    """Whether this path, outside of site-packages, is a part of every virtual environment."""
    if path == "pyvenv.cfg" or _PYTHON.match(path):
        return True  # judged above
    if path == "lib64":
        return (environment / path).is_symlink() and (environment / path).readlink() == Path("lib")
    return not ours and (path in _INERT or path in _ACTIVATION) and not (environment / path).is_symlink()


def is_seed(path: str, seeds: Iterable[str]) -> bool:
    """Whether this path, relative to site-packages, belongs to one of these seeded distributions."""
    for seed in seeds:
        top = path.partition("/")[0]
        if path.startswith(SEEDS[seed]) or (top.startswith(f"{seed}-") and top.endswith(".dist-info")):
            return True
    return False


def extras_of(inspected: InspectedWheel, site_packages: str) -> tuple[Extra, ...]:
    """What pip installs of a wheel and the store leaves out: script wrappers, `.data` beyond pure/platlib, `.pth`."""
    scripts = (
        Extra(path=f"bin/{point.name}")
        for point in inspected.entry_points
        if point.group in ("console_scripts", "gui_scripts")
    )
    digests = {entry.path: str(entry.sha256) for entry in inspected.entries}
    left_out = (_left_out(path, digests.get(path), site_packages) for path in inspected.left_out)
    # A wheel that calls a script so must not be able to replace the environment's own: Python looks there first.
    return tuple(extra for extra in (*scripts, *left_out) if extra is not None and extra.path != "bin/pyvenv.cfg")


def seed_scripts(paths: Iterable[str]) -> tuple[str, ...]:
    """The wrappers of seeded distributions among these paths."""
    return tuple(path for path in paths if path.startswith("bin/") and _SEED_SCRIPTS.match(path[4:]))


def _left_out(path: str, sha256: str | None, site_packages: str) -> Extra | None:
    top, _, rest = path.partition("/")
    if not top.endswith(".data"):
        return Extra(path=f"{site_packages}/{path}", sha256=sha256)
    scheme, _, name = rest.partition("/")
    if scheme == "scripts":  # pip rewrites its first line
        return Extra(path=f"bin/{PurePosixPath(name).name}")
    return Extra(path=name, sha256=sha256) if scheme == "data" else None


def _hops(link: Path) -> list[Path]:
    """Each path that a chain of links leads over, absolute, the first link itself left out."""
    hops: list[Path] = []
    while link.is_symlink() and len(hops) < 40:  # as many as Linux follows
        link = Path(os.path.normpath(link.parent / link.readlink()))
        hops.append(link)
    return hops
