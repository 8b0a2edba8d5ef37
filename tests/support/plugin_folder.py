"""A folder of plugins made by real installs from a real registry, and what attackers do to it.

place = make_folder(tmp_path)           demo-plugin 1.0.0 in a folder, from a registry that has 0.9.0 too
place.open()                            every plugin, proven, or a refusal
"""

from dataclasses import dataclass
from pathlib import Path

from assess_registry.folder import FolderPlugin, open_folder
from assess_registry.simple import InstallReport, install
from tests.support.client_place import DEMO, TARGET, publish_two_releases
from tests.support.registry_tree import RegistryTree
from tests.support.wheels import DEMO_SOURCE, WheelBuilder, demo_manifest

OTHER = WheelBuilder(
    name="other-plugin",
    files={"other_plugin/__init__.py": DEMO_SOURCE},
    manifest=demo_manifest(("other-greeting",), plugin="other"),
    entry_points={
        "assess.plugins": {"other": "other_plugin:plugin"},
        "assess.providers": {"other-subjects": "other_plugin:provider"},
    },
)
"""Another plugin."""


@dataclass(frozen=True, kw_only=True)
class PluginFolder:
    """A folder, and the registry it was filled from."""

    path: Path
    tree: RegistryTree

    @property
    def demo(self) -> Path:
        """The demo plugin's directory."""
        return self.path / "demo-plugin"

    @property
    def wheel(self) -> Path:
        return self.demo / DEMO

    def install(self, requirement: str = "demo-plugin", *, index: str | Path | None = None) -> InstallReport:
        return install(requirement, index=index or self.tree.root, to=self.path, trusted_keys=self.tree.trusted_keys)

    def open(self) -> tuple[FolderPlugin, ...]:
        return open_folder(self.path, trusted_keys=self.tree.trusted_keys, target=TARGET)

    def versions(self) -> dict[str, str]:
        """What is in it, proven."""
        return {plugin.project: plugin.version for plugin in self.open()}

    def sign(self, path: Path) -> None:
        """By the publisher."""
        self.tree.sign(path)


def make_folder(directory: Path, tree: RegistryTree | None = None) -> PluginFolder:
    """The demo plugin 1.0.0, installed into a folder below `directory`."""
    registry = tree if tree is not None else publish_two_releases(directory / "registry")
    folder = PluginFolder(path=directory / "plugins", tree=registry)
    folder.install("demo-plugin==1.0.0")
    return folder
