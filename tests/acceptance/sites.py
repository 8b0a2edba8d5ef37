"""A registry, everybody's keys, a configuration and a state of their own, used by the installed commands.

    site = make_site(ran, directory)
    site.publish(WheelBuilder(...))
    site.configure(plugins=["demo-plugin"], assessments=[{...}])
    done = site.assess("run", "--output", "json")

`site.tree` is the same registry for those who want to break it. It is made and published to as in `registry_tree.py`:
with all that the commands do but the audit, which would take seconds for each plugin of each test.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tomli_w

from tests.support.checkout import Checkout
from tests.support.closure import closure_wheels
from tests.support.registry_tree import RegistryTree, make_registry_tree
from tests.support.wheels import WheelBuilder

DEMO = {"id": "demo", "plugin": "demo", "provider": "demo-subjects"}
"""The assessment that the demo plugin serves."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """One place where plugins are published and run.

    Attributes:
        place: the checkout whose commands are used.
        directory: holds everything else.
        tree: the registry, and what its people can do.
    """

    place: Checkout
    directory: Path
    tree: RegistryTree

    @property
    def root(self) -> Path:
        """What the registry's maintainer handed out."""
        return self.directory / "1.root.json"

    @property
    def config(self) -> Path:
        return self.directory / "assess.toml"

    @property
    def state(self) -> Path:
        return self.directory / "state"

    def publish(self, *wheels: WheelBuilder) -> None:
        """Submit, approve and publish these."""
        for wheel in wheels:
            self.tree.publish(wheel.filename, wheel.build())

    def configure(
        self,
        *,
        plugins: Sequence[str | Mapping[str, Any]] = ("demo-plugin",),
        assessments: Sequence[Mapping[str, Any]] = (DEMO,),
        registry: Mapping[str, Any] | None = None,
    ) -> None:
        """Write assess.toml."""
        named = [{"name": plugin} if isinstance(plugin, str) else plugin for plugin in plugins]
        document = {
            "runtime": {"id": "web-01", "state_dir": "state"},
            "registry": {"url": "file:simple-index", "root": self.root.name, "development": True}
            | dict(registry or {}),
            "plugins": named,
            "assessments": list(assessments),
        }
        self.config.write_text(tomli_w.dumps(document))

    def argv(self, verb: str, *argv: str | Path) -> list[str | Path]:
        """The command line of a verb, of one or two words, with this site's configuration."""
        return [self.place.bin / "assess", *verb.split(), "--config", self.config, *argv]

    def assess(self, verb: str, *argv: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
        """Run `assess` with this site's configuration."""
        return self.place.run(*self.argv(verb, *argv), **more)

    def copy(self, directory: Path) -> "Site":
        """The same, elsewhere, with a state of its own."""
        shutil.copytree(self.directory, directory, dirs_exist_ok=True, ignore=shutil.ignore_patterns("state"))
        return replace(self, directory=directory, tree=replace(self.tree, directory=directory))

    def unpacked(self) -> list[str]:
        """Everything that was built from wheels: nothing of a refused one may be here; an empty lock is none."""
        kept = ("wheels", "locks", "envs", "installed", "active", "staging")
        found = (path for kind in kept for path in (self.state / kind).rglob("*"))
        locks = {path for path in (self.state / "active").glob(".*.lock") if path.is_file() and not path.stat().st_size}
        return sorted(path.relative_to(self.state).as_posix() for path in found if path not in locks)


def make_site(place: Checkout, directory: Path) -> Site:
    """An empty registry whose people all have their keys."""
    closure = {path.name: path.read_bytes() for path in closure_wheels().glob("*.whl")}
    site = Site(place=place, directory=directory, tree=make_registry_tree(directory, plugins=[], closure=closure))
    shutil.copy2(site.tree.root_metadata, site.root)
    return site


def one_document(text: str) -> Any:
    """What stdout holds: exactly one JSON document and nothing else, in ASCII."""
    assert text.isascii(), text
    document, end = json.JSONDecoder(parse_constant=_refuse).raw_decode(text)
    assert text[end:] == "\n"
    return document


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")
