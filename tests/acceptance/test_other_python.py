"""A plugin that is locked for one Python only runs under it, whichever runs the runtime; with that gone it says so."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.interpreters import another_python, copied
from tests.support.programs import installer_environment
from tests.support.registry_tree import RegistryTree, make_registry_tree
from tests.support.wheels import DEMO_CHECKS, DEMO_SOURCE, demo_plugin_wheel

TELLS = "import sys\n" + DEMO_SOURCE.replace(
    'return CheckResult(check_id=check_id, outcome=Outcome.PASS, expected="any", actual=kernel)',
    "return CheckResult(check_id=check_id, outcome=Outcome.PASS, expected=kernel, actual=sys.version.split()[0])",
)
"""The demo plugin, of which one check says under which Python it runs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What a command said and how it ended."""

    code: int
    text: str
    output: str

    @property
    def document(self) -> Any:
        return json.loads(self.output)


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """A runtime on one Python, and another Python beside it that may go.

    Attributes:
        python: the other one; a copy.
        minor: of it, for example `3.13`.
    """

    directory: Path
    tree: RegistryTree
    python: Path
    minor: str

    def configure(self, *interpreters: Path) -> None:
        named = f"interpreters = {json.dumps([str(path) for path in interpreters])}" if interpreters else ""
        (self.directory / "assess.toml").write_text(
            f'[runtime]\nid = "web-01"\n{named}\n[registry]\nurl = "{self.tree.root.as_uri()}"\n'
            f'root = "{self.tree.root_metadata}"\ndevelopment = true\n'
            '[[plugins]]\nname = "demo-plugin"\nsettings = {greeting = "hello"}\n'
            '[[assessments]]\nid = "demo"\nplugin = "demo"\nprovider = "demo-subjects"\n'
        )

    def assess(self, *arguments: str) -> Said:
        place = ["--config", "assess.toml", "--state-dir", str(self.directory / "state")]
        done = subprocess.run(
            [Path(sys.executable).with_name("assess"), *arguments, *place],
            cwd=self.directory,
            env={**installer_environment(), "HOME": str(self.directory)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Said(code=done.returncode, text=done.stdout + done.stderr, output=done.stdout)

    def synced(self, *arguments: str) -> tuple[int, Mapping[str, Any]]:
        said = self.assess("sync", "--output", "json", *arguments)
        assert "plugins" in said.document, said.text
        (line,) = said.document["plugins"]
        return said.code, line


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    python = copied(another_python(), tmp_path / "another")
    minor = python.name.removeprefix("python")
    wheel = demo_plugin_wheel("1.0.0", source=TELLS, requires_python=f"=={minor}.*")
    made = Machine(
        directory=tmp_path,
        tree=make_registry_tree(tmp_path / "registry", plugins=[wheel]),
        python=python,
        minor=minor,
    )
    made.configure(python)
    return made


def version_of(python: Path) -> str:
    return subprocess.run(
        [python, "-I", "-S", "-c", "import platform; print(platform.python_version())"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout.strip()


def test_it_runs_under_the_one_it_is_locked_for_and_with_that_gone_says_so(machine: Machine) -> None:
    assert not machine.minor.startswith(".".join(map(str, sys.version_info[:2])))
    version = version_of(machine.python)

    # Nowhere that is looked at: refused, and it says which Python it wants.
    machine.configure()
    code, line = machine.synced()
    assert (code, line["action"]) == (5, "refused")
    assert f"it runs under Python {machine.minor}, which is not on this machine: install it" in line["reason"]

    # Named: installed, and it runs under that one while the runtime goes on under its own.
    machine.configure(machine.python)
    code, line = machine.synced()
    assert (code, line["action"], line["version"]) == (0, "installed", "1.0.0")
    run = machine.assess("run", "--output", "json", "--fail-on", "none")
    assert run.code == 0, run.text
    found = {result["check"]: result for result in run.document["results"]}
    assert found.keys() == set(DEMO_CHECKS)
    assert found["demo-kernel"]["actual"] == version
    assert {result["outcome"] for result in found.values()} == {"pass"}
    assert found["demo-kernel"]["isolation"] == "full"
    (verified,) = machine.assess("plugins", "verify", "--output", "json").document["environments"]
    assert verified["differences"] == []
    assert machine.synced()[1]["action"] == "present"

    # Gone: nothing of it runs, and everything that is asked says what is missing.
    shutil.move(machine.python.parent.parent, machine.directory / "away")
    missing = f"its environment needs Python {version}, which was {machine.python}; that is gone"
    code, line = machine.synced()
    assert (code, line["action"]) == (1, "failed"), line
    assert missing in line["reason"]
    assert f"It runs under Python {machine.minor} only" in line["reason"]
    for offline in ((), ("--offline",)):
        run = machine.assess("run", "--output", "json", "--fail-on", "none", *offline)
        assert run.code != 0
        assert missing in run.output, run.text
        assert run.document["results"] == []
    assert missing in machine.assess("plugins", "list").text
    doctor = {line["topic"]: line for line in machine.assess("doctor", "--output", "json").document["lines"]}
    assert doctor["demo-plugin"]["state"] == "fail"
    assert doctor["demo-plugin"]["text"] == missing
    assert "install that Python again" in doctor["demo-plugin"]["fix"]

    # Back again: what was built for it is used as it is.
    shutil.move(machine.directory / "away", machine.python.parent.parent)
    code, line = machine.synced()
    assert (code, line["action"]) == (0, "present")
    assert len([each for each in (machine.directory / "state" / "envs").iterdir() if each.is_dir()]) == 1


def test_one_whose_lock_serves_the_runtimes_own_stays_with_that(machine: Machine) -> None:
    """The control: another release of the same plugin, for any Python."""
    machine.tree.publish(*demo_plugin_wheel("1.1.0", source=TELLS))
    machine.configure()  # else the configured one would be the best
    assert machine.synced()[1]["version"] == "1.1.0"
    run = machine.assess("run", "--output", "json", "--fail-on", "none")
    found = {result["check"]: result for result in run.document["results"]}
    assert found["demo-kernel"]["actual"] == version_of(Path(sys.executable))


def test_an_older_version_is_never_taken_because_another_python_would_take_it(machine: Machine) -> None:
    """No silent downgrade: 2.0.0 is for a Python that is not here, 1.0.0 for one that is."""
    assert machine.synced()[1]["version"] == "1.0.0"
    machine.tree.publish(*demo_plugin_wheel("2.0.0", source=TELLS, requires_python="==3.19.*"))
    code, line = machine.synced()
    assert (code, line["action"], line["previous"]) == (5, "refused", "1.0.0")
    assert "3.19" in line["reason"]
    assert str(machine.python) in line["reason"]
