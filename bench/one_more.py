"""One more approved wheel among up to 100,000, beside dumb-pypi; and what pip and uv take to resolve one of them."""

import importlib
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path

from tests.support.programs import installer_environment
from tests.support.served import registry_server
from tests.support.wheels import WheelBuilder

from assess_registry.index.root_tree import write_root_pages
from assess_registry.index.tree import Tree
from bench.effort import Effort, seconds
from bench.machine import versions
from bench.many_releases import Filled, filled
from bench.rows import Goal, Report, Row, paragraphs
from bench.stats import Sample, Unit, ratio

TITLE = "One more among many"
NOTES = """
A registry as for *Many releases*, each generated project with two empty pages.

*Add*: one approved wheel becomes the registry's word and is on its pages, in one process: submission, closure,
reviews and all metadata that it builds on are verified anew, and every file is on the disk with fsync before the
next. Beside it `dumb-pypi` with `--previous-package-list-json`, told the digests of all wheels, without its JSON for
each release; it signs and verifies nothing and waits for no disk. The audit, before, is not in it. *Written* is what
was put on the disk by one of these: wheel, lock, signature, verdict and report, pages, catalogue, and metadata with
its snapshot of all bins; of dumb-pypi the files that are newer afterwards.

*Root pages* are written by a refresh: all names are listed from the disk and both pages written with fsync.

*Resolve*: `pip install --dry-run` and `uv pip install --dry-run` as whole processes, without caches, of `demo-plugin`
with its two dependencies, over http from `assess-registry serve`; beside it the same from a registry that holds nothing
else.
"""


MANY = 100_000
GOAL = Goal(limit=0.02, unit="x", text="<= 1/50 (0.02x)")
"""Among `MANY`; what dumb-pypi takes grows with the number, so a ratio among fewer says little."""


@dataclass(kw_only=True)
class Added:
    """What adding took, round by round."""

    took_s: list[float] = field(default_factory=list)
    wrote: list[tuple[int, int]] = field(default_factory=list)

    def after_first(self, what: str, beside: "Added", goal: Goal | None) -> Iterator[Row]:
        """Rows without the first round, which warms caches."""
        times, theirs = (
            _sample("ms", [1000 * one for one in self.took_s[1:]]),
            [1000 * one for one in beside.took_s[1:]],
        )
        their_times = _sample("ms", theirs)
        yield Row(
            what=what,
            ours=times,
            peer="dumb-pypi, incremental",
            theirs=their_times,
            measured=ratio(times, their_times),
            goal=goal,
        )
        kinds: tuple[tuple[int, Unit, int], ...] = ((0, "KiB", 1024), (1, "files", 1))
        for number, unit, scale in kinds:
            ours, others = (_sample(unit, [one[number] / scale for one in each.wrote[1:]]) for each in (self, beside))
            yield Row(what=f"{what}: written", ours=ours, peer="dumb-pypi", theirs=others, measured=ratio(ours, others))


class DumbPypi:
    """The same wheels as a static index made by dumb-pypi, and one more at a time."""

    def __init__(self, directory: Path, releases: int) -> None:
        self.directory = directory
        self.lines = [_package(f"project_{number}-1.0.0") for number in range(releases)]
        self._write("0.json")
        self._main("--package-list-json", str(directory / "0.json"))

    def add(self, stem: str) -> tuple[float, tuple[int, int]]:
        """How long one more takes, in seconds, and the bytes and files that it wrote."""
        self._write("before.json")
        self.lines.append(_package(stem))
        self._write("after.json")
        before, after = (str(self.directory / name) for name in ("before.json", "after.json"))
        since = _newest(self.directory / "after.json")
        took = seconds(lambda: self._main("--previous-package-list-json", before, "--package-list-json", after))
        sizes = [one.st_size for one in _statuses(self.directory / "out") if one.st_mtime_ns > since]
        return took, (sum(sizes), len(sizes))

    def _write(self, name: str) -> None:
        (self.directory / name).write_text("".join(self.lines))

    def _main(self, *argv: str) -> None:
        main: Callable[[Sequence[str]], int] = importlib.import_module("dumb_pypi.main").main
        output = ("--output-dir", str(self.directory / "out"), "--packages-url", "../../files")
        if main([*argv, *output, "--no-per-release-json", "--no-generate-timestamp"]):
            raise RuntimeError("dumb-pypi failed")


def run(effort: Effort) -> Report:
    """Adding to two sizes; then what installers take among the most, and among nothing."""
    rows: list[Row] = []
    sizes = (100, 2_300) if effort.quick else (10_000, MANY)
    for size in sizes:
        with filled(size) as registry:
            rows += _adding(registry, size, effort.of(3, 1))
            rows.append(_root_pages(registry, size, effort.of(3, 1)))
            if size == sizes[-1]:
                rows += _resolving(registry, size, effort.of(7, 1))
    return Report(rows=tuple(rows), notes=paragraphs(NOTES), versions=versions("dumb-pypi", "pip", "uv"))


def _adding(registry: Filled, releases: int, rounds: int) -> Iterator[Row]:
    taken = {name: Added() for name in ("version", "project", "their version", "their project")}
    with tempfile.TemporaryDirectory() as directory:
        theirs = DumbPypi(Path(directory), releases)
        for number in range(rounds + 1):
            _add(registry, WheelBuilder(version=f"1.1.{number}"), taken["version"])
            other = random.Random(number).randrange(releases)
            _record(taken["their version"], *theirs.add(f"project_{other}-1.1.0"))
            _add(registry, _new(number), taken["project"])
            _record(taken["their project"], *theirs.add(f"new_{number}-1.0.0"))
    for name, what in (("version", "a new version"), ("project", "a new project")):
        goal = GOAL if releases >= MANY else None
        yield from taken[name].after_first(f"add to {releases:,}: {what}", taken[f"their {name}"], goal)


def _add(registry: Filled, wheel: WheelBuilder, added: Added) -> None:
    submitted, written = registry.approved(wheel), list[str]()
    took = seconds(lambda: written.extend(registry.publish(submitted).written))
    sizes = [(registry.tree.root / name).stat().st_size for name in set(written)]
    _record(added, took, (sum(sizes), len(sizes)))


def _record(added: Added, took_s: float, wrote: tuple[int, int]) -> None:
    added.took_s.append(took_s)
    added.wrote.append(wrote)


def _root_pages(registry: Filled, releases: int, rounds: int) -> Row:
    values = []
    for _ in range(rounds):
        tree = Tree(registry.tree.root)
        for name in ("index.html", "index.json"):
            (tree.root / "simple" / name).write_bytes(b"")
        values.append(1000 * seconds(partial(write_root_pages, tree)))
    return Row(what=f"root pages of {releases:,}", ours=_sample("ms", values))


def _resolving(registry: Filled, releases: int, rounds: int) -> Iterator[Row]:
    with filled(1) as alone, _served(registry) as many, _served(alone) as one:
        for name, command in _clients().items():
            taken: dict[str, list[float]] = {many: [], one: []}
            for number in range(rounds + 1):
                for url in (many, one) if number % 2 else (one, many):
                    taken[url].append(1000 * seconds(partial(_run, command, url)))
            among, beside = (_sample("ms", taken[url][1:]) for url in (many, one))
            yield Row(
                what=f"{name} resolves, among {releases:,}",
                ours=among,
                peer="in an index of one",
                theirs=beside,
                measured=ratio(among, beside),
                goal=Goal(limit=1.1, unit="x", text="flat: <= 1.1x"),
            )


@contextmanager
def _served(registry: Filled) -> Iterator[str]:
    with registry_server(registry.tree.root) as url:
        yield f"{url}simple/"


def _clients() -> dict[str, Sequence[str]]:
    options = ("install", "--dry-run", "--only-binary", ":all:")
    with_pip = (sys.executable, "-m", "pip", "--isolated", *options, "--ignore-installed")
    return {
        "pip": with_pip,
        "uv": (str(Path(sys.executable).with_name("uv")), "pip", *options, "--reinstall", "--python", sys.executable),
    }


def _run(command: Sequence[str], url: str) -> None:
    environment = dict(installer_environment())
    done = [*command, "--index-url", url, "demo-plugin==1.0.0"]
    subprocess.run(done, check=True, capture_output=True, timeout=100, env=environment)


def _new(number: int) -> WheelBuilder:
    return WheelBuilder(
        name=f"new-{number}",
        files={f"new_{number}/__init__.py": "plugin = provider = None\n"},
        entry_points={
            "assess.plugins": {"demo": f"new_{number}:plugin"},
            "assess.providers": {"demo-subjects": f"new_{number}:provider"},
        },
    )


def _package(stem: str) -> str:
    digest = sha256(stem.encode()).hexdigest()
    return json.dumps({"filename": f"{stem}-py3-none-any.whl", "hash": f"sha256={digest}"}) + "\n"


def _newest(path: Path) -> int:
    return path.stat().st_mtime_ns


def _statuses(top: Path) -> Iterator[os.stat_result]:
    for directory, _, names in os.walk(top):
        yield from (os.stat(os.path.join(directory, name)) for name in names)  # noqa: PTH116, PTH118  100,000 of them


def _sample(unit: Unit, values: Sequence[float]) -> Sample:
    return Sample(unit=unit, values=tuple(values))
