"""The fixtures of `assess_plugin.testing`, bound to this plugin."""

from importlib.resources import as_file, files
from pathlib import Path

import pytest
from good_host import plant_good_host

from assess_plugin.testing import PlantedHost, PluginManifest, load_manifest


@pytest.fixture(scope="session")
def assess_manifest() -> PluginManifest:
    # not by the ini option `assess_manifest`: these tests also run from the repository's root, under its ini file
    with as_file(files("assess_host_baseline") / "assess-plugin.toml") as path:
        return load_manifest(path)


@pytest.fixture(scope="session")
def good_tree(tmp_path_factory: pytest.TempPathFactory, assess_manifest: PluginManifest) -> PlantedHost:
    """The files of the good host, planted once; tests change a `good_host` of their own."""
    host = PlantedHost(tmp_path_factory.mktemp("good"), manifest=assess_manifest)
    plant_good_host(host)
    return host


@pytest.fixture
def good_host(tmp_path: Path, good_tree: PlantedHost) -> PlantedHost:
    """A Linux host on which every check passes."""
    return PlantedHost(tmp_path / "host", manifest=good_tree.manifest, base=good_tree)
