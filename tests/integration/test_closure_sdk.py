"""A closure may hold `assess-plugin` itself, as pip needs it; what a worker runs is the runtime's own."""

import asyncio
from pathlib import Path

import pytest

from assess_core.errors import PluginFault
from assess_core.host import health_check
from assess_core.store import InstalledPlugin, Store
from assess_registry.errors import PublishError
from tests.support.installed import host_config
from tests.support.installing import demo_registry, install_here
from tests.support.wheels import DEMO_SOURCE, WheelBuilder, demo_plugin_wheel

ENDS = "raise SystemExit('imported')\n"
"""Ends whatever process imports it."""

LATER = WheelBuilder.dependency("assess-plugin", "1.99.0", files={"assess_plugin/__init__.py": ENDS})
OTHER = WheelBuilder.dependency("other", files={"other/__init__.py": ENDS})
REQUIRES = ("assess-plugin>=1.0,<2", "other")


def installed(directory: Path, source: str) -> InstalledPlugin:
    closure = {each.filename: each.build() for each in (LATER, OTHER)}
    plugin = demo_plugin_wheel(source=source, requires=REQUIRES)
    wheel = demo_registry(directory / "registry", plugin, **closure).verified()
    assert {each.inspected.version for each in wheel.closure if each.inspected.project == "assess-plugin"} == {"1.99.0"}
    return install_here(wheel, Store(directory / "state"))


def test_a_worker_runs_the_runtimes_own_sdk_whatever_the_closure_brings(tmp_path: Path) -> None:
    plugin = installed(tmp_path, DEMO_SOURCE)
    assert (plugin.site_packages / "assess_plugin" / "__init__.py").read_text() == ENDS
    asyncio.run(health_check(plugin, host_config(tmp_path)))


def test_everything_else_of_the_closure_is_what_the_plugin_imports(tmp_path: Path) -> None:
    with pytest.raises(PluginFault, match="imported"):
        asyncio.run(health_check(installed(tmp_path, f"import other\n{DEMO_SOURCE}"), host_config(tmp_path)))


def test_a_plugin_that_does_not_admit_the_sdk_at_hand_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(PublishError, match=r"demo-plugin 1\.0\.0 requires assess-plugin>=9; offered: 1\."):
        demo_registry(tmp_path / "one", demo_plugin_wheel(requires=("assess-plugin>=9",)))
    fits = demo_registry(tmp_path / "two", demo_plugin_wheel(requires=("assess-plugin>=1.0,<2",))).verified()
    assert "assess-plugin" in {each.inspected.project for each in fits.closure}
