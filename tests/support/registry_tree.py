"""A small real registry on disk: the demo plugin and its closure, published and signed as it is done in earnest.

    tree = make_registry_tree(tmp_path)
    registry = Registry(tree.config())
    tree.publish(*demo_plugin_wheel("1.1.0"))

For attacks it knows where everything lies, and can put other bytes into it with everything else made to agree:
`tree.forge(filename, data)` is what a publisher with a bad build, or with a stolen key, could do.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assess_registry.client.registry import RegistryConfig
from assess_registry.config import IndexConfig
from assess_registry.index.create import create_index
from assess_registry.keys import PrivateKey, generate_key
from assess_registry.lock import LOCK_NAME
from assess_registry.publish import publish
from assess_registry.signatures import sign_detached
from tests.support.wheels import WheelBuilder, demo_plugin_wheel

STAND_INS = (
    WheelBuilder.dependency("assess-plugin", "1.0.0", requires=("pluggy>=1.5,<2",)),
    WheelBuilder.dependency("pluggy", "1.6.0"),
)
"""What the demo plugin runs with, of one module each: the chain looks at bytes and never imports them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistryTree:
    """A registry, and what its one publisher has at home.

    Attributes:
        directory: holds all of it; may be copied.
        key: the publisher's; its public half is in `trusted_keys`.
    """

    directory: Path
    key: PrivateKey

    @property
    def root(self) -> Path:
        """The registry's root, what a web server would serve."""
        return self.directory / "simple-index"

    @property
    def trusted_keys(self) -> Path:
        return self.directory / "trusted-keys"

    @property
    def closure(self) -> Path:
        """The wheels a publish takes dependencies from."""
        return self.directory / "closure"

    def config(self, url: str | None = None, **changes: Any) -> RegistryConfig:
        """How a client is configured for it; over `file:` unless a URL is given."""
        values: dict[str, Any] = {"url": url or self.root.as_uri(), "trusted_keys": self.trusted_keys, **changes}
        return RegistryConfig(**{"development": True, **values})

    def trust(self, name: str, key: PrivateKey) -> None:
        """One more publisher whose signatures count."""
        (self.trusted_keys / f"{name}.pub").write_text(key.public.pem())

    def publish(self, filename: str, data: bytes, *, key: PrivateKey | None = None) -> Path:
        """Publish a wheel; gives its place in the registry."""
        built = self.directory / "dist" / filename
        built.parent.mkdir(exist_ok=True)
        built.write_bytes(data)
        publish(self.root, built, key=key or self.key, closure=self.closure)
        return self.path(filename)

    def path(self, filename: str) -> Path:
        """Where a published wheel lies."""
        name, version = filename.split("-")[:2]
        return self.root / "files" / name.replace("_", "-").lower() / version / filename

    def page(self, project: str = "demo-plugin") -> Path:
        """The JSON page of a project."""
        return self.root / "simple" / project / "index.json"

    def edit_page(self, change: Callable[[dict[str, Any]], object], project: str = "demo-plugin") -> None:
        """Let `change` have its way with the parsed page."""
        document = json.loads(self.page(project).read_bytes())
        change(document)
        self.page(project).write_text(json.dumps(document))

    def sign(self, path: Path, *, key: PrivateKey | None = None) -> None:
        """Write the `.sig` beside a file."""
        path.with_name(path.name + ".sig").write_bytes(sign_detached(path.read_bytes(), key or self.key))

    def edit_lock(self, filename: str, change: Callable[[str], str]) -> Path:
        """Let `change` have its way with the lock of a plugin's wheel, without signing it; gives the lock's place."""
        lock = self.path(filename).with_name(LOCK_NAME)
        lock.write_text(change(lock.read_text()))
        return lock

    def forge(self, filename: str, data: bytes, *, plugin: str | None = None) -> None:
        """Other bytes under a published name, with page, lock and signatures made to agree by the publisher's key.

        Args:
            filename: the wheel to exchange.
            data: its new bytes.
            plugin: filename of the plugin whose lock names it, when it is a dependency.
        """
        path = self.path(filename)
        path.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()

        def change_page(page: dict[str, Any]) -> None:
            entry = next(entry for entry in page["files"] if entry["filename"] == filename)
            entry.update(hashes={"sha256": digest}, size=len(data))

        def change_lock(text: str) -> str:
            head, tail = text.split(f'name = "{filename}"')
            tail = re.sub(r"size = \d+", f"size = {len(data)}", tail, count=1)
            tail = re.sub(r"[0-9a-f]{64}", digest, tail, count=1)
            return f'{head}name = "{filename}"{tail}'

        self.edit_page(change_page, project=path.parent.parent.name)
        self.sign(self.edit_lock(plugin or filename, change_lock))
        if plugin is None:
            self.sign(path)

    def copy(self, directory: Path) -> "RegistryTree":
        """The same, elsewhere: for a test that breaks it."""
        shutil.copytree(self.directory, directory, dirs_exist_ok=True)
        return RegistryTree(directory=directory, key=self.key)


def make_registry_tree(
    directory: Path,
    *,
    plugins: Sequence[tuple[str, bytes]] | None = None,
    closure: Mapping[str, bytes] | None = None,
) -> RegistryTree:
    """A registry below `directory` with these plugins published.

    Args:
        plugins: filename and bytes of each; the demo plugin 1.0.0 when not given.
        closure: filename -> bytes of wheels to lock against; `STAND_INS` when not given.
    """
    tree = RegistryTree(directory=directory, key=generate_key())
    for place in (tree.trusted_keys, tree.closure):
        place.mkdir(parents=True)
    tree.trust("publisher", tree.key)
    create_index(tree.root, IndexConfig(name="tests", development=True))
    for filename, data in (closure or {wheel.filename: wheel.build() for wheel in STAND_INS}).items():
        (tree.closure / filename).write_bytes(data)
    for filename, data in plugins if plugins is not None else [demo_plugin_wheel()]:
        tree.publish(filename, data)
    return tree
