"""The fixtures of `assess_plugin.testing`, bound to this provider."""

from importlib.resources import as_file, files
from pathlib import Path

import pytest

from assess_plugin.testing import PlantedHost, PluginManifest, load_manifest


@pytest.fixture(scope="session")
def assess_manifest() -> PluginManifest:
    # not by the ini option `assess_manifest`: these tests also run from the repository's root, under its ini file
    with as_file(files("assess_inventory") / "assess-plugin.toml") as path:
        return load_manifest(path)


@pytest.fixture
def host(tmp_path: Path, assess_manifest: PluginManifest) -> PlantedHost:
    """A host without an inventory."""
    return PlantedHost(tmp_path / "host", manifest=assess_manifest)
