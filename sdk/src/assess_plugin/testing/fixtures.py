"""The kit as pytest fixtures, found by pytest itself once `assess-plugin` is installed.

The one ini option says where the plugin's manifest lies, relative to the ini file:

    [tool.pytest.ini_options]
    assess_manifest = "src/my_plugin/assess-plugin.toml"
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from assess_plugin.testing.isolated import IsolatedPlugin
from assess_plugin.testing.local import LocalHost
from assess_plugin.testing.manifest import PluginManifest, load_manifest
from assess_plugin.testing.planted import PlantedHost

OPTION = "assess_manifest"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Make the ini option known."""
    parser.addini(
        OPTION, "path of the plugin's assess-plugin.toml, relative to the ini file", type="string", default=""
    )


@pytest.fixture(scope="session")
def assess_manifest(pytestconfig: pytest.Config) -> PluginManifest:
    """The manifest that the ini option names; override this fixture where several plugins share one test run."""
    name = str(pytestconfig.getini(OPTION))
    if not name:
        pytest.fail(f"no `{OPTION}` in the pytest configuration: it is the path of the plugin's assess-plugin.toml")
    return load_manifest((pytestconfig.inipath or pytestconfig.rootpath / "-").parent / name)


@pytest.fixture
def planted_host(tmp_path: Path, assess_manifest: PluginManifest) -> PlantedHost:
    """An empty planted host under the plugin's own manifest."""
    return PlantedHost(tmp_path / "host", manifest=assess_manifest)


@pytest.fixture
def local_host(assess_manifest: PluginManifest) -> LocalHost:
    """The machine at hand under the plugin's own manifest."""
    return LocalHost(assess_manifest)


@pytest.fixture
def isolated_plugin(assess_manifest: PluginManifest) -> Iterator[Callable[..., IsolatedPlugin]]:
    """Starts the plugin in a worker, held as in earnest: `isolated_plugin("my_plugin.plugin", name="mine")`."""
    with ExitStack() as closing:

        def start(entry: str, *, name: str) -> IsolatedPlugin:
            return closing.enter_context(IsolatedPlugin(entry, name=name, manifest=assess_manifest))

        yield start
