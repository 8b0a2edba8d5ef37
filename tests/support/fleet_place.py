"""Many small plugins in a registry, a configuration that wants all of them, and a state in which they are installed.

    fleet = make_fleet(directory, count=50)     # published, resolved, verified, installed, started once: some 20 s
    mine = fleet.copy(tmp_path / "mine")        # another state beside the same registry, in a second

Plugin `fleet-07` of distribution `fleet-07` has the checks `fleet-07-a` to `fleet-07-c`, its own provider, and an
assessment of its own name.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tomli_w

from assess_core.config import Config, load
from assess_core.runtime import Runtime
from tests.support.closure import closure_wheels
from tests.support.installed import PROGRAMS
from tests.support.registry_tree import RegistryTree, make_registry_tree
from tests.support.wheels import WheelBuilder, demo_manifest

MANY = 50
SUBJECTS = 2
SOURCE = (PROGRAMS / "one_of_many.py").read_text()
RUNTIME = "fleet"
SETTINGS = """
[settings.pause_ms]
type = "number"
minimum = 0
default = 0

[settings.gate]
type = "string"
default = ""
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fleet:
    """A registry with many plugins, and a runtime's configuration and state.

    Attributes:
        names: of the distributions, their plugins and their assessments.
        directory: holds configuration and state.
        tree: the registry.
    """

    names: tuple[str, ...]
    directory: Path
    tree: RegistryTree

    @property
    def path(self) -> Path:
        """The configuration."""
        return self.directory / "assess.toml"

    @property
    def state(self) -> Path:
        return self.directory / "state"

    def config(self) -> Config:
        return load(self.path)

    def configure(
        self,
        *,
        plugins: Mapping[str, Mapping[str, Any]] | None = None,
        runtime: Mapping[str, Any] | None = None,
        assessments: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Write assess.toml.

        Args:
            plugins: distribution -> what its entry says beside its name.
            runtime: more of that table.
            assessments: beside the one of each plugin.
        """
        more = plugins or {}
        document = {
            "runtime": {"id": RUNTIME, "state_dir": "state"} | dict(runtime or {}),
            "registry": {"url": self.tree.root.as_uri(), "root": str(self.tree.root_metadata), "development": True},
            "plugins": [{"name": name} | dict(more.get(name, {})) for name in {**dict.fromkeys(self.names), **more}],
            "assessments": [assessment(name) for name in self.names] + list(assessments),
        }
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.write_text(tomli_w.dumps(document))

    def publish(self, *wheels: WheelBuilder) -> None:
        for wheel in wheels:
            self.tree.publish(wheel.filename, wheel.build())

    def copy(self, directory: Path, *, installed: bool = True) -> "Fleet":
        """The same registry, another configuration and another state."""
        other = replace(self, directory=directory)
        other.configure()
        if installed:
            subprocess.run(["cp", "-a", "--", self.state, other.state], check=True)
        return other

    def argv(self, *verb: str) -> list[str]:
        """The command `assess` on this state."""
        program = "import sys; from assess_core.cli import main; sys.exit(main())"
        return [sys.executable, "-c", program, *verb, "--config", str(self.path)]


def assessment(name: str, *, subjects: int = SUBJECTS, **more: Any) -> dict[str, Any]:
    """One of this plugin."""
    return {"id": name, "plugin": name, "provider": f"{name}-subjects", "selector": {"count": subjects}} | more


def checks(name: str) -> tuple[str, ...]:
    """Of one plugin."""
    return tuple(f"{name}-{letter}" for letter in "abc")


def one_of_many(name: str, version: str = "1.0.0", *, source: str = SOURCE) -> WheelBuilder:
    """The wheel of one plugin; `source` is of its module, which says its version when asked."""
    module = name.replace("-", "_")
    manifest = demo_manifest(checks(name), plugin=name, permissions=f"stat = [{json.dumps(tempfile.gettempdir())}]\n")
    return WheelBuilder(
        name=name,
        version=version,
        files={f"{module}/__init__.py": source.replace('VERSION = "1.0.0"', f'VERSION = "{version}"')},
        manifest=manifest + SETTINGS,
        entry_points={
            "assess.plugins": {name: f"{module}:plugin"},
            "assess.providers": {f"{name}-subjects": f"{module}:provider"},
        },
    )


def make_fleet(directory: Path, *, count: int = MANY, installed: bool = True) -> Fleet:
    """So many plugins, published; and all of them active in the state.

    Raises:
        AssertionError: one could not be installed.
    """
    names = tuple(f"fleet-{number:02}" for number in range(count))
    closure = {path.name: path.read_bytes() for path in closure_wheels().glob("*.whl")}
    wheels = [(wheel.filename, wheel.build()) for wheel in map(one_of_many, names)]
    tree = make_registry_tree(directory / "registry", plugins=wheels, closure=closure)
    fleet = Fleet(names=names, directory=directory / "made", tree=tree)
    fleet.configure()
    if installed:
        with Runtime(fleet.config(), state=fleet.state) as runtime:
            lines = runtime.sync()
        assert {line.action.value for line in lines} == {"installed"}, lines
    return fleet
