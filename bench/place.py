"""A directory with a real registry, a store and an installed plugin: what the benchmarks run on.

Everything goes the way it goes for a user: built as a wheel, published, signed, resolved, fetched, verified, installed.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from tests.support.closure import closure_wheels
from tests.support.registry_tree import make_registry_tree
from tests.support.wheels import WheelBuilder, demo_manifest

from assess_core.host import HostConfig
from assess_core.store import InstalledPlugin, Kits, Store, install, running_interpreter
from assess_registry.client import Registry, Target, VerifiedWheel, fetch, resolve, verify
from bench.programs.bench_plugin import CHECKS, FINDINGS

ROOT = Path(__file__).parents[1]
PROGRAMS = ROOT / "bench" / "programs"


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A registry, and a state directory of a runtime that uses it."""

    directory: Path
    registry: Registry
    target: Target

    @property
    def state(self) -> Path:
        """The state directory."""
        return self.directory / "state"

    @property
    def store(self) -> Store:
        """The store in it."""
        return Store(self.state)

    def verified(self, project: str) -> VerifiedWheel:
        """This plugin, through all steps of the client."""
        resolved = resolve(Requirement(project), registry=self.registry, target=self.target)
        return verify(fetch(resolved, registry=self.registry), registry=self.registry, target=self.target)

    def installed(self, project: str) -> InstalledPlugin:
        """This plugin, through all steps of the client and into the store."""
        return install(self.verified(project), store=self.store, interpreter=running_interpreter(), development=True)

    def host(self) -> HostConfig:
        """How workers are started."""
        scratch = self.state / "scratch"
        scratch.mkdir(parents=True, exist_ok=True)
        kits = Kits(self.store)
        kits(running_interpreter())  # built before anything is measured
        return HostConfig(kits=kits, scratch_root=scratch)


@contextmanager
def temporary_directory() -> Iterator[Path]:
    """An empty directory, gone afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="assess-bench-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


@contextmanager
def place(plugins: Sequence[WheelBuilder], dependencies: Mapping[str, bytes] | None = None) -> Iterator[Place]:
    """A place in which these plugins are published; none is installed."""
    with temporary_directory() as directory:
        wheels = {path.name: path.read_bytes() for path in closure_wheels().glob("*.whl")}
        tree = make_registry_tree(
            directory / "registry",
            plugins=[(wheel.filename, wheel.build()) for wheel in plugins],
            closure=wheels | dict(dependencies or {}),
        )
        with Registry(tree.approved_config(directory / "trust")) as registry:
            yield Place(directory=directory, registry=registry, target=Target.running())


def bench_plugin() -> WheelBuilder:
    """The plugin of `programs/bench_plugin.py`."""
    manifest = demo_manifest([*CHECKS, *FINDINGS], plugin="bench")
    return WheelBuilder(
        name="bench-plugin",
        files={"bench_plugin/__init__.py": (PROGRAMS / "bench_plugin.py").read_text()},
        manifest=f'{manifest}\n[settings.pause_ms]\ntype = "number"\nminimum = 0\ndefault = 0\n',
        entry_points={
            "assess.plugins": {"bench": "bench_plugin:plugin"},
            "assess.providers": {"bench-subjects": "bench_plugin:provider"},
        },
    )
