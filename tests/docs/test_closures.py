"""docs/closures.md: every command in it is run, in its order, and does what is said beside it."""

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from assess_registry.audit.finding_ids import unknown_finding
from assess_registry.config import Targets, parse_config
from assess_registry.keys import write_private_key
from tests.support.closure import closure_wheels
from tests.support.osv import about_others
from tests.support.registry_tree import make_registry_tree
from tests.support.wheels import WheelBuilder

TEXT = (Path(__file__).parents[2] / "docs" / "closures.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
(TABLE,) = re.findall(r"^```text\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
(CONFIG,) = re.findall(r"^```toml\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
LICENSED = ("License-Expression: MIT",)
PLUGIN = WheelBuilder(
    requires=("assess-plugin>=1.0,<2", "somelib", 'backport; python_version < "3.12"'), metadata_lines=LICENSED
)
CHOICE = (
    *(WheelBuilder.dependency("somelib", version, metadata_lines=LICENSED) for version in ("1.0", "2.0")),
    WheelBuilder.dependency("backport", "1.0", metadata_lines=LICENSED),
)


def test_the_targets_shown_are_those_by_default() -> None:
    config = parse_config(f'[registry]\nname = "local"\n{CONFIG}'.encode(), source="docs")
    assert config.targets == Targets()


def test_the_finding_that_is_named_exists() -> None:
    (named,) = set(re.findall(r"`(closure-[a-z-]+)`", TEXT))
    assert not unknown_finding(named)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What each command printed, by its verb; each ran as it had to."""
    place = tmp_path_factory.mktemp("closures")
    tree = make_registry_tree(place / "tree", plugins=[])
    (place / "registry").symlink_to(tree.root)
    for name, key in (("acme.key", tree.key), ("audit.key", tree.everybody.audit)):
        write_private_key(place / name, key)
    for directory in ("dist", "wheels"):
        (place / directory).mkdir()
    (place / "dist" / PLUGIN.filename).write_bytes(PLUGIN.build())
    for wheel in CHOICE:
        (place / "wheels" / wheel.filename).write_bytes(wheel.build())
    for path in closure_wheels().glob("*.whl"):
        (place / "wheels" / path.name).write_bytes(path.read_bytes())
    with zipfile.ZipFile(place / "advisories.zip", "w") as export:
        for each in about_others():
            export.writestr(f"{each['id']}.json", json.dumps(each))
    told = {}
    for block in BLOCKS:
        for line in block.splitlines():
            done = subprocess.run(
                ["sh", "-e", "-c", line],
                cwd=place,
                env=os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            verb = line.split()[1]
            # An audit without advisories, or with those of a test, leaves something for people to look at.
            assert done.returncode in ((0, 4) if verb == "submit" else (0,)), f"{line}\n{done.stdout}{done.stderr}"
            told[verb] = done.stdout
    return told


def test_every_command_does_what_is_said(said: Mapping[str, str]) -> None:
    assert list(said) == ["lock", "submit", "advisories", "reaudit"]
    assert PLUGIN.filename in said["submit"]


def test_what_lock_prints_is_what_is_shown(said: Mapping[str, str]) -> None:
    shown = [line.split(maxsplit=3) for line in TABLE.partition("\n\n")[0].splitlines()]
    printed = [line.split(maxsplit=3) for line in said["lock"].partition("\n\n")[0].splitlines()]
    # The versions of what every plugin needs are others one day.
    assert [(row[0], row[2:]) for row in shown] == [(row[0], row[2:]) for row in printed]
    targets = re.findall(r"^Python 3\.\d+ on \S+ +\d", TABLE, re.MULTILINE)
    assert targets
    assert all(each in said["lock"] for each in targets)
    assert "by packaging.pylock only" in said["lock"]
