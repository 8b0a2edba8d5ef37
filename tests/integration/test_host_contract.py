"""One contract, three hosts: a worker's in a real process, and the two of the testing kit."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from assess_core.host import Supervisor
from assess_plugin import ActionInput, CheckResult, Host, Outcome, Subject
from assess_plugin.permissions import Permissions
from assess_plugin.testing import LocalHost, PlantedHost, PluginManifest, execute
from tests.support import host_contract
from tests.support.host_contract import CASES, CASES_THAT_RUN, COMMANDS, LINKS, OUTPUT, PLACE
from tests.support.installed import host_config, make_installed

SUBJECT = Subject(id="host:test", type="inventory-item", title="test")
HOSTS = ("worker", "local", "planted")
ASKED = [(host, case) for host in HOSTS for case in (*CASES, *(() if host == "planted" else CASES_THAT_RUN))]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("contract").resolve()
    for path, content in PLACE.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_bytes(content)
    for path, target in LINKS.items():
        (root / path).symlink_to(target)
    return root


@pytest.fixture(scope="module")
def found(place: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, CheckResult]]:
    """What each host's cases came to, by host and case."""
    root = str(place)
    manifest = PluginManifest(
        checks={"it": (*CASES, *CASES_THAT_RUN)},
        defaults={"root": root},
        permissions=Permissions(**host_contract.permissions(root)),
    )
    planted = PlantedHost(tmp_path_factory.mktemp("planted"), OUTPUT, manifest=manifest)
    for path, content in PLACE.items():
        planted.plant(f"{root}/{path}", content)
    for path, target in LINKS.items():
        planted.plant_link(f"{root}/{path}", target)
    return {
        "worker": in_a_worker(root, tmp_path_factory.mktemp("worker")),
        "local": execute(host_contract, "it", LocalHost(manifest)),
        "planted": execute(host_contract, "it", planted, checks=tuple(CASES)),
    }


def in_a_worker(root: str, top: Path) -> dict[str, CheckResult]:
    lists = {"read": [f"{root}/in"], "stat": [f"{root}/looked"], "commands": [list(command) for command in COMMANDS]}
    installed = make_installed(
        top,
        {"contract": Path(host_contract.__file__).read_text()},
        plugins={"it": "contract"},
        permissions="\n".join(f"{key} = {toml(value)}" for key, value in lists.items()),
    )
    given = ActionInput(subject=SUBJECT, checks=(*CASES, *CASES_THAT_RUN), settings={"root": root})

    async def run() -> dict[str, CheckResult]:
        supervisor = Supervisor(installed, host_config(top))
        try:
            report = await supervisor.execute("it", given, timeout_s=60)
        finally:
            await supervisor.stop()
        return {result.check_id: result for result in report.output.results}

    return asyncio.run(run())


def toml(value: Any) -> str:
    return f"[{', '.join(map(toml, value))}]" if isinstance(value, list) else f"'{value}'"


@pytest.mark.parametrize(("host", "case"), ASKED)
def test_every_host_keeps_the_contract(found: dict[str, dict[str, CheckResult]], host: str, case: str) -> None:
    result = found[host][case]
    assert result.outcome is Outcome.PASS, result.reason


def test_the_contract_finds_a_host_that_does_not_keep_it(place: Path) -> None:
    class Lax(LocalHost):
        def attribute(self, check_id: str) -> Any:
            return super().attribute(next(iter(CASES)))

    manifest = PluginManifest(
        checks={"it": tuple(CASES)},
        defaults={"root": str(place)},
        permissions=Permissions(**host_contract.permissions(str(place))),
    )
    lax: Host = Lax(manifest)
    failed = {result.check_id for result in execute(host_contract, "it", lax).values() if result.outcome != "pass"}  # type: ignore[arg-type]
    assert failed == {"only-checks-that-were-asked-for-are-attributed-to"}


def test_the_local_host_does_not_show_its_own_process() -> None:
    manifest = PluginManifest(checks={}, defaults={}, permissions=Permissions(read=("/proc",)))
    with pytest.raises(Exception, match="own process"):
        LocalHost(manifest).open(f"/proc/{os.getpid()}/environ")
    with LocalHost(manifest).open("/proc/sys/kernel/ostype") as control:
        assert control.read() == b"Linux\n"
