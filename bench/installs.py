"""Twenty plugins installed one after another from a warm store, beside uv, pip and pipx from warm caches."""

import asyncio
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.closure import closure_wheels, rebuilt_wheel
from tests.support.wheels import WheelBuilder

from assess_core.host import health_check
from assess_core.store import install, running_interpreter
from assess_registry.client import ProjectName
from bench.effort import Effort, seconds
from bench.machine import versions
from bench.place import Place, place
from bench.plugins import COUNT, OWN_DEPENDENCIES, dependencies, plugins
from bench.rows import Goal, Report, Row, paragraphs
from bench.stats import Sample, ratio

TITLE = "Installing"
NOTES = """
Of assess: resolve, fetch, verify (signatures, hashes, wheels inspected) and install, one plugin after another, from a
store that has every wheel unpacked and no environment; the environments hold bytecode. Of the others: offline, from a
directory of the same wheels, configuration of the machine kept out, caches warm, no bytecode from uv.

pipx is measured with {few} plugins and pip with one, then multiplied; pipx checks no hashes.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Installer:
    """One of the others: told to install each plugin into an environment of its own, offline, from one directory.

    Everything a machine's owner may have configured is kept out (`environment`).
    """

    directory: Path
    wheels: Path
    plugins: tuple[WheelBuilder, ...]

    def uv(self, number: int) -> None:
        """`uv venv` and `uv pip install --require-hashes`, hard links from its own cache."""
        target = self._target("uv", number)
        self._run(sys.executable, "-m", "uv", "venv", "-q", "--python", self._python(), str(target))
        self._run(
            *(sys.executable, "-m", "uv", "pip", "install", "-q", "--python", str(target / "bin" / "python")),
            *("--offline", "--no-index", "--find-links", str(self.wheels)),
            *("--require-hashes", "-r", str(self._requirements(number))),
        )

    def pip(self, number: int) -> None:
        """`python -m venv` and its pip, with hashes."""
        target = self._target("pip", number)
        self._run(self._python(), "-m", "venv", str(target))
        self._run(
            *(str(target / "bin" / "python"), "-m", "pip", "--isolated", "install", "-q"),
            *("--no-index", "--find-links", str(self.wheels)),
            *("--require-hashes", "-r", str(self._requirements(number))),
        )

    def pipx(self, number: int) -> None:
        """`pipx install`, without hashes, for which it has no option of its own."""
        arguments = f"--pip-args=--no-index --find-links={self.wheels}"
        name = self.plugins[number].name
        self._run(sys.executable, "-m", "pipx", "install", "-q", "--force", "--python", self._python(), arguments, name)

    def _requirements(self, number: int) -> Path:
        path = self.directory / f"requirements-{number}.txt"
        if not path.exists():
            needed = {self.plugins[number].filename, *closure_of(self.plugins[number], self.wheels)}
            path.write_text("".join(_requirement(self.wheels / name) for name in sorted(needed)))
        return path

    def _target(self, kind: str, number: int) -> Path:
        target = self.directory / kind / str(number)
        shutil.rmtree(target, ignore_errors=True)
        return target

    @staticmethod
    def _python() -> str:
        return str(running_interpreter().path)

    def _run(self, *argv: str) -> None:
        done = subprocess.run(argv, env=self._environment(), capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")

    def _environment(self) -> Mapping[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.directory / "home"),
            "LANG": "C.UTF-8",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INPUT": "1",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheels),
            "UV_NO_CONFIG": "1",
            "UV_CACHE_DIR": str(self.directory / "uv-cache"),
            "UV_PYTHON_DOWNLOADS": "never",
            "PIPX_HOME": str(self.directory / "pipx"),
            "PIPX_BIN_DIR": str(self.directory / "pipx-bin"),
            "PIPX_MAN_DIR": str(self.directory / "pipx-man"),
            "PIPX_DEFAULT_BACKEND": "pip",
        }


def closure_of(plugin: WheelBuilder, wheels: Path) -> Sequence[str]:
    """Filenames of what a plugin needs: `assess-plugin`, pluggy, and its own choice."""
    names = {requirement.partition(">")[0].replace("-", "_") for requirement in plugin.requires} | {"pluggy"}
    return [path.name for path in wheels.glob("*.whl") if path.name.split("-")[0] in names]


def run(effort: Effort) -> Report:
    """All ways alternately; the slow ones for a few plugins only, and multiplied."""
    count, few = effort.of(COUNT, 3), effort.of(2, 1)
    built = plugins(count)
    with place(built, dependencies()) as here:
        others = _others(here, built)
        _sync(here, built, healthy=False)  # unpacks and compiles every wheel: from here on the store is warm
        _uv(others, count)
        others.pipx(0)
        taken: dict[str, list[float]] = {name: [] for name in ("whole", "install", "healthy", "uv", "pip", "pipx")}
        for _ in range(effort.of(3, 1)):
            for name, work, times in (
                ("whole", lambda: _sync(here, built, healthy=False), 1.0),
                ("uv", lambda: _uv(others, count), 1.0),
                ("healthy", lambda: _sync(here, built, healthy=True), 1.0),
            ):
                _forget(here)
                taken[name].append(seconds(work) * times)
            taken["install"].append(_install_only(here, built))
            taken["pipx"].append(seconds(lambda: _pipx(others, few)) * count / few)
            taken["pip"].append(seconds(lambda: others.pip(0)) * count)
    return _report({name: Sample(unit="s", values=tuple(values)) for name, values in taken.items()}, count, few)


def _report(taken: Mapping[str, Sample], count: int, few: int) -> Report:
    what = f"{count} plugins, {OWN_DEPENDENCIES + 2} dependencies each"
    whole = taken["whole"]
    goals = {
        "uv": ("uv venv + uv pip install, with hashes", Goal(limit=0.5, unit="x", text="<= 1/2 (0.5x)")),
        "pipx": ("pipx", Goal(limit=0.05, unit="x", text="<= 1/20 (0.05x)")),
        "pip": ("venv + pip, with hashes", None),
    }
    rows = [
        Row(what=what, ours=whole, peer=peer, theirs=taken[name], measured=ratio(whole, taken[name]), goal=goal)
        for name, (peer, goal) in goals.items()
    ]
    for name, label in (("install", "of which building the environments"), ("healthy", "and each started once")):
        ours = taken[name]
        rows.append(
            Row(what=label, ours=ours, peer=goals["uv"][0], theirs=taken["uv"], measured=ratio(ours, taken["uv"]))
        )
    return Report(
        rows=tuple(rows),
        notes=paragraphs(NOTES, few=few),
        versions=versions("uv", "pip", "pipx"),
    )


def _others(here: Place, built: Sequence[WheelBuilder]) -> Installer:
    wheels = here.directory / "wheels"
    shutil.copytree(closure_wheels(), wheels)
    for name, data in (*dependencies().items(), *((wheel.filename, wheel.build()) for wheel in built)):
        (wheels / name).write_bytes(data)
    name, data = rebuilt_wheel("pip")  # pipx brings its pip up to date before it installs anything
    (wheels / name).write_bytes(data)
    (here.directory / "home").mkdir()
    return Installer(directory=here.directory, wheels=wheels, plugins=tuple(built))


def _sync(here: Place, built: Sequence[WheelBuilder], *, healthy: bool) -> None:
    for wheel in built:
        installed = here.installed(wheel.name)
        if healthy:
            asyncio.run(health_check(installed, here.host()))
        here.store.activate(installed)


def _install_only(here: Place, built: Sequence[WheelBuilder]) -> float:
    _forget(here)
    verified = [here.verified(wheel.name) for wheel in built]
    store, interpreter = here.store, running_interpreter()
    return seconds(
        lambda: [install(wheel, store=store, interpreter=interpreter, development=True) for wheel in verified]
    )


def _forget(here: Place) -> None:
    """No environment is there any more; the unpacked wheels stay."""
    for plugin in here.store.active():
        here.store.deactivate(ProjectName(plugin.distribution))
    for record in here.store.records():
        here.store.layout.record(record.plugin.env_key).unlink()
        shutil.rmtree(record.plugin.environment)


def _uv(others: Installer, count: int) -> None:
    for number in range(count):
        others.uv(number)


def _pipx(others: Installer, count: int) -> None:
    for number in range(count):
        others.pipx(number)


def _requirement(wheel: Path) -> str:
    name, version = wheel.name.split("-")[:2]
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"
