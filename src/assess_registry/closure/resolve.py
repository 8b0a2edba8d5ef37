"""The one resolver: uv in universal mode, on a folder of wheels, and on what a server on loopback has besides.

uv chooses versions, and says under which markers. Nothing it says is believed: digests are our own, of bytes that are
inspected here, and `walk` has to come to the same closure. What configures uv elsewhere - files of the user or of the
machine, variables, caches, other interpreters - has no say, and wheels alone are considered, so nothing is ever built.

    choice = resolve(wheel, folder, targets)          without a network
"""

import contextlib
import re
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Protocol, runtime_checkable

import tomli_w
from packaging.markers import InvalidMarker
from packaging.pylock import Pylock, PylockValidationError
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from assess_registry.closure.environments import pythons_of, resolver_environments
from assess_registry.closure.stubs import plain_metadata, stub_for, stub_wheel
from assess_registry.errors import ConfigError, PublishError, RegistryError
from assess_registry.names import ProjectName, normalize_project
from assess_registry.targets import RegistryTarget
from assess_registry.text import plain_lines
from assess_registry.tools import ToolLimits, ToolRun, run_tool
from assess_registry.wheel import InspectedWheel

MAX_WHEELS = 20_000
"""In one folder; uv reads the names of all of them."""

_LIMITS = ToolLimits(timeout_s=120.0, cpu_s=120, memory_mib=4096, file_mib=512, open_files=1024, stdout_bytes=16 << 20)
# Address space, which uv reserves for every thread: measured, 35 MiB resident for 23 wheels, and aborted with 512 MiB.

_MAX_SAID = 4000
_SPLIT = re.compile(r" for split \(markers: .*?\)(?=\n|$)", re.DOTALL)


@runtime_checkable
class OnDisk(Protocol):
    """A folder of wheels whose files have paths, so that nothing has to be copied for uv."""

    def path(self, filename: str) -> Path:
        """Where a wheel lies."""
        ...


def resolve(
    wheel: InspectedWheel,
    folder: Mapping[str, bytes],
    targets: Sequence[RegistryTarget],
    *,
    index: str = "",
    timeout_s: float = _LIMITS.timeout_s,
) -> Pylock:
    """What uv chose for a plugin's wheel on these targets; the plugin itself is left out of it.

    Args:
        wheel: the plugin.
        folder: filename -> bytes of the wheels to choose from. Of its projects no other wheel is considered.
        targets: Pythons and platforms, of Pythons that the plugin admits.
        index: where other projects may come from, on loopback: uv connects to whatever it is sent to. Empty: nowhere.
        timeout_s: for all of it.

    Raises:
        PublishError: it cannot be resolved; the message is uv's explanation.
        RegistryError: uv is not there, or did not do its work.
    """
    with tempfile.TemporaryDirectory(prefix="assess-resolve-", ignore_cleanup_errors=True) as place:
        work = Path(place)
        _give(wheel, folder, work, targets)
        ran = run_tool(
            [uv_program(), *_arguments(work, targets, index)],
            cwd=work,
            limits=replace(_LIMITS, timeout_s=timeout_s),
            environment=_environment(work),
        )
    if ran.problem:
        raise RegistryError(f"{wheel.filename}: its closure was not resolved: {ran.problem}")
    if ran.exit_code != 0:
        raise PublishError(f"{wheel.filename}: its closure cannot be resolved:\n{_explanation(ran)}")
    return _parse(wheel, ran.stdout)


def uv_program() -> str:
    """The uv that was installed with this program, and no other that happens to be on the path.

    Raises:
        RegistryError: there is none.
    """
    with contextlib.suppress(PackageNotFoundError):
        for file in files("uv") or ():
            if file.name == "uv" and file.parent.name == "bin":
                return str(file.locate())
    raise RegistryError("closures are resolved by uv, which is not installed: pip install 'assess-runtime[audit]'")


def _give(wheel: InspectedWheel, folder: Mapping[str, bytes], work: Path, targets: Sequence[RegistryTarget]) -> None:
    """Put what uv may see where it looks."""
    for name in ("wheels", "plugin", "config/uv", "cache"):
        (work / name).mkdir(parents=True)
    # An empty configuration of the machine is found before the machine's own (`/etc/uv/uv.toml`).
    (work / "config" / "uv" / "uv.toml").touch()
    # For every platform: which wheels of the plugin there are is no question of its closure.
    stem = f"{wheel.project.replace('-', '_')}-{wheel.version}"
    itself = work / "plugin" / f"{stem}-py3-none-any.whl"
    said = plain_metadata(wheel.project, wheel.version, wheel.requires_python, wheel.requires_dist)
    itself.write_bytes(stub_wheel(stem, said))
    for filename, project, _ in wheels_in(folder):
        # The plugin stands for itself; its older wheels are no candidates.
        if project != wheel.project:
            _place(folder, filename, work / "wheels" / filename)
    (work / "in.txt").write_text(f"{wheel.project} @ {itself.as_uri()}\n")
    lowest = pythons_of(targets)[0]
    document = {
        "project": {"name": "closure", "version": "0", "requires-python": f">={lowest}"},
        "tool": {"uv": {"environments": list(resolver_environments(targets))}},
    }
    (work / "pyproject.toml").write_bytes(tomli_w.dumps(document).encode())


def wheels_in(folder: Mapping[str, bytes]) -> Iterator[tuple[str, ProjectName, Version]]:
    """Filename, project and version of what has a wheel's name; other files are no candidates."""
    if len(folder) > MAX_WHEELS:
        raise PublishError(f"the closure's folder has {len(folder)} wheels, more than {MAX_WHEELS}")
    for filename in sorted(folder):
        with contextlib.suppress(InvalidWheelFilename, ValueError):
            name, version, _, _ = parse_wheel_filename(filename)
            yield filename, normalize_project(name), version


def _place(folder: Mapping[str, bytes], filename: str, path: Path) -> None:
    if isinstance(folder, OnDisk):
        found = folder.path(filename).resolve()
        if not found.is_file():  # uv would wait for what a pipe never says
            raise ConfigError(f"{found}: expected a wheel, and it is no regular file")
        stub = None
        with contextlib.suppress(ConfigError, OSError):  # too large, say: the inspection tells, if it is chosen
            stub = stub_for(filename, folder[filename])
        path.symlink_to(found) if stub is None else path.write_bytes(stub)
    else:
        path.write_bytes(stub_for(filename, folder[filename]) or folder[filename])


def _arguments(work: Path, targets: Sequence[RegistryTarget], index: str) -> list[str]:
    where = ["--default-index", index] if index else ["--offline", "--no-index"]
    return [
        *("pip", "compile", "--quiet", "--universal", "--format", "pylock.toml", "--generate-hashes"),
        *("--no-header", "--no-annotate", "--no-sources", "--only-binary", ":all:"),
        # As few versions of a project as possible: a closure is looked at by people.
        *("--fork-strategy", "fewest", "--python-version", pythons_of(targets)[0]),
        # It wants an interpreter even so; ours, so that it looks for no other.
        *("--python", sys.executable, "--cache-dir", str(work / "cache")),
        *where,
        *("--find-links", str(work / "wheels"), "in.txt"),
    ]


def _environment(work: Path) -> dict[str, str]:
    return {
        "XDG_CONFIG_DIRS": str(work / "config"),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
        # As many threads everywhere, or the limit on address space would depend on the machine.
        "RAYON_NUM_THREADS": "2",
        "TOKIO_WORKER_THREADS": "2",
        "NO_COLOR": "1",
    }


def _explanation(ran: ToolRun) -> str:
    text = ran.stderr.decode("utf-8", "replace").strip().removeprefix("error: ")
    lines = [line.strip().removeprefix("cause: ") for line in _SPLIT.sub("", text).splitlines()]
    return plain_lines("\n".join(f"  {line}" for line in lines if line), max_chars=_MAX_SAID).rstrip()


def _parse(wheel: InspectedWheel, said: bytes) -> Pylock:
    try:
        pylock = Pylock.from_dict(tomllib.loads(said.decode("utf-8")))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, PylockValidationError, InvalidMarker) as error:
        raise RegistryError(f"{wheel.filename}: what uv wrote is no lock file: {str(error)[:500]}") from error
    packages = [package for package in pylock.packages if normalize_project(package.name) != wheel.project]
    for package in packages:
        if not package.wheels or package.version is None:
            raise PublishError(f"{package.name} {package.version}: not a wheel; a closure consists of wheels alone")
    return Pylock(
        lock_version=pylock.lock_version,
        created_by=pylock.created_by,
        requires_python=pylock.requires_python,
        packages=packages,
    )
