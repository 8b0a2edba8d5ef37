"""The fixtures of `assess_plugin.testing`, bound to this plugin."""

from importlib.resources import as_file, files

import pytest
from good_host import plant_good_host

from assess_plugin.testing import PlantedHost, PluginManifest, load_manifest


@pytest.fixture(scope="session")
def assess_manifest() -> PluginManifest:
    # not by the ini option `assess_manifest`: these tests also run from the repository's root, under its ini file
    with as_file(files("assess_host_baseline") / "assess-plugin.toml") as path:
        return load_manifest(path)


@pytest.fixture
def good_host(planted_host: PlantedHost) -> PlantedHost:
    """A Linux host on which every check passes."""
    plant_good_host(planted_host)
    return planted_host
