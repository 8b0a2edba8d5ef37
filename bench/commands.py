"""Whole commands, from the shell's point of view: `sync` with nothing to do, and `--version`."""

import os
import subprocess
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

from assess_core.config import parse
from assess_core.runtime import Runtime
from bench.effort import Effort, seconds
from bench.machine import versions
from bench.place import Place, bench_plugin, place
from bench.plugins import COUNT, dependencies, plugins
from bench.rows import Goal, Report, Row, paragraphs
from bench.stats import Sample, difference, ratio

TITLE = "Commands with nothing to do"
NOTES = """
Whole processes, from the same virtual environment, registry on this machine. `sync` asks the registry: it reads for its
signed word, reads each plugin's page and lock from it, and verifies the lock's signature and the approval.
"""
SCRIPTS = Path(sysconfig.get_path("scripts"))


def run(effort: Effort) -> Report:
    """All commands alternately, each a whole process."""
    few, many = [bench_plugin()], plugins(effort.of(COUNT, 3))
    with place(few) as one, place(many, dependencies()) as twenty:
        commands: dict[str, tuple[Sequence[str], Place]] = {
            "version": (("assess", "--version"), one),
            "one": (("assess", "sync", "--quiet"), one),
            "many": (("assess", "sync", "--quiet"), twenty),
            "pip": (("pip", "--version"), one),
        }
        for here, wheels in ((one, few), (twenty, many)):
            _prepare(here, [wheel.name for wheel in wheels])
        taken: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(effort.of(21, 3) + 1):
            for name, (argv, here) in commands.items():
                taken[name].append(_timed(argv, here) * 1000)
    samples = {name: Sample(unit="ms", values=tuple(values[1:])) for name, values in taken.items()}
    return _report(samples, len(many))


def _report(taken: Mapping[str, Sample], count: int) -> Report:
    version, pip = taken["version"], taken["pip"]
    goal = Goal(limit=100, unit="ms", text="<= 100 ms more")
    rows = [
        Row(
            what=f"`assess sync`, {plugins} installed, nothing to do",
            ours=taken[name],
            peer="`assess --version`",
            theirs=version,
            measured=difference(taken[name], version),
            goal=goal,
        )
        for name, plugins in (("one", "1 plugin"), ("many", f"{count} plugins"))
    ]
    rows.append(
        Row(
            what="`assess --version`",
            ours=version,
            peer="`pip --version`",
            theirs=pip,
            measured=ratio(version, pip),
            goal=Goal(limit=1, unit="x"),
        )
    )
    return Report(
        rows=tuple(rows),
        notes=paragraphs(NOTES),
        versions=versions("pip"),
    )


def _prepare(here: Place, projects: Sequence[str]) -> None:
    """Everything the configuration asks for is installed."""
    tables = "".join(f'\n[[plugins]]\nname = "{project}"\n' for project in projects)
    url, root = here.registry.config.url, here.registry.config.root
    text = f'[registry]\nurl = "{url}"\nroot = "{root}"\ndevelopment = true\n{tables}'
    path = here.directory / "assess.toml"
    path.write_text(text)
    with Runtime(parse(text.encode(), path), state=here.state) as runtime:
        failed = [line for line in runtime.sync() if line.reason]
    if failed:
        raise RuntimeError(f"not installed: {failed}")


def _timed(argv: Sequence[str], here: Place) -> float:
    return seconds(lambda: _run(argv, here))


def _run(argv: Sequence[str], here: Place) -> None:
    environment = {
        "PATH": os.defpath,
        "HOME": str(here.directory),
        "LANG": "C.UTF-8",
        "PIP_CONFIG_FILE": os.devnull,
        "ASSESS_CONFIG": str(here.directory / "assess.toml"),
        "ASSESS_STATE_DIR": str(here.state),
    }
    subprocess.run([SCRIPTS / argv[0], *argv[1:]], env=environment, capture_output=True, timeout=60, check=True)
