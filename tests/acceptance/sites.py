"""A registry, its publisher's key, a configuration and a state of their own, made and used by the installed commands.

    site = make_site(ran, directory)
    site.publish(WheelBuilder(...))
    site.configure(plugins=["demo-plugin"], assessments=[{...}])
    done = site.assess("run", "--output", "json")

`site.tree` is the same registry for those who want to break it.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tomli_w

from assess_registry.keys import load_private_key
from tests.support.checkout import Checkout
from tests.support.registry_tree import RegistryTree
from tests.support.wheels import WheelBuilder

KEY = "trusted-keys/publisher/local.key"
DEMO = {"id": "demo", "plugin": "demo", "provider": "demo-subjects"}
"""The assessment that the demo plugin serves."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """One place where plugins are published and run.

    Attributes:
        place: the checkout whose commands are used.
        directory: holds everything else.
    """

    place: Checkout
    directory: Path

    @property
    def tree(self) -> RegistryTree:
        """The registry, and what its publisher can do."""
        return RegistryTree(directory=self.directory, key=load_private_key(self.directory / KEY))

    @property
    def config(self) -> Path:
        return self.directory / "assess.toml"

    @property
    def state(self) -> Path:
        return self.directory / "state"

    def publish(self, *wheels: WheelBuilder, closure: Path | None = None) -> None:
        """Publish these with `assess-registry publish`."""
        (self.directory / "dist").mkdir(exist_ok=True)
        for wheel in wheels:
            built = self.directory / "dist" / wheel.filename
            built.write_bytes(wheel.build())
            self.registry(
                "publish", built, "--index", self.tree.root, "--key", self.directory / KEY,
                "--closure", closure or self.place.path / ".assess/closure",
            )  # fmt: skip

    def registry(self, *argv: str | Path) -> None:
        """Run `assess-registry` with these arguments; it must succeed."""
        done = self.place.run(self.place.bin / "assess-registry", *argv)
        assert done.returncode == 0, done.stdout + done.stderr

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
            "registry": {"url": "file:simple-index", "trusted_keys": "trusted-keys/publisher", "development": True}
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
        return replace(self, directory=directory)

    def unpacked(self) -> list[str]:
        """Everything that was built from wheels: nothing of a refused one may be here."""
        kept = ("wheels", "locks", "envs", "installed", "active", "staging")
        found = (path for kind in kept for path in (self.state / kind).rglob("*"))
        return sorted(path.relative_to(self.state).as_posix() for path in found)


def make_site(place: Checkout, directory: Path) -> Site:
    """An empty registry and a new publisher, whose key is trusted."""
    site = Site(place=place, directory=directory)
    directory.mkdir(parents=True, exist_ok=True)
    site.registry("init", directory / "simple-index", "--development", "--name", "acceptance")
    site.registry("keys", "new", "local", "--directory", directory / "trusted-keys", "--unencrypted")
    return site


def one_document(text: str) -> Any:
    """What stdout holds: exactly one JSON document and nothing else, in ASCII."""
    assert text.isascii(), text
    document, end = json.JSONDecoder(parse_constant=_refuse).raw_decode(text)
    assert text[end:] == "\n"
    return document


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")
