"""What has compiled code in it works in an isolated worker as it does in any: real wheels, really used."""

import asyncio
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from assess_core.host import CallReport, Isolation, Supervisor
from assess_plugin import ActionInput, Subject
from tests.acceptance.test_real_wheels import downloaded
from tests.support.installed import host_config, make_program

SAYS = {
    "numpy": (("numpy",), "64.0"),
    "cryptography": (("cryptography", "cffi"), "64"),
    "lxml": (("lxml",), "<a><b/></a>"),
    "yaml": (("PyYAML",), "{'a': 1}"),
    "pydantic": (("pydantic", "pydantic-core", "typing-extensions", "annotated-types", "typing-inspection"), "3"),
    "greenlet": (("greenlet",), "5"),
    "grpc": (("grpcio", "typing-extensions"), "True"),
    "sqlite": ((), "7"),
}
"""Check -> projects, answer."""


def used(root: Path, name: str, projects: tuple[str, ...], isolation: Isolation) -> CallReport:
    installed = make_program(root, "native")
    installed = replace(
        installed, manifest=replace(installed.manifest, limits=replace(installed.manifest.limits, memory_mib=1024))
    )
    for project in projects:
        with zipfile.ZipFile(downloaded(project)) as wheel:
            wheel.extractall(installed.site_packages)

    async def run() -> CallReport:
        host = Supervisor(installed, host_config(root, isolation=isolation))
        try:
            given = ActionInput(subject=Subject(id="x", type="component", title="x"), checks=(name,), settings={})
            return await host.execute("it", given, timeout_s=60)
        finally:
            await host.stop()

    return asyncio.run(run())


@pytest.mark.parametrize("name", SAYS)
def test_it_works_isolated(tmp_path: Path, name: str) -> None:
    projects, says = SAYS[name]
    report = used(tmp_path, name, projects, "required")
    assert report.held.isolation == "full"
    assert report.output.results[0].actual == says


@pytest.mark.parametrize(("isolation", "says"), [("required", "/proc/meminfo"), ("off", "all of it")])
def test_psutil_is_told_that_other_processes_are_none_of_its_business(
    tmp_path: Path, isolation: Isolation, says: str
) -> None:
    report = used(tmp_path, "psutil", ("psutil",), isolation)
    assert report.output.results[0].actual == says
    assert report.held.user != f"uid:{os.getuid()}" or isolation == "off" or os.getuid() != 0
