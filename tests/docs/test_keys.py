"""docs/keys.md is one story of commands; here it happens, with a client that reads all the while."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from assess_registry.cli import main
from assess_registry.config import Expiry
from assess_registry.keys import ROLES
from assess_registry.repository import Repository
from assess_registry.repository.state import read_roots
from tests.support.repositories import Reader

pytestmark = pytest.mark.timeout(1800)
"""A ceremony is some sixty commands, each a process."""

TEXT = (Path(__file__).parents[2] / "docs" / "keys.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
SECTIONS = re.findall(r"^## (.+)$", TEXT, re.MULTILINE)
CONTROL = "control/publishers.json"


def test_every_role_is_described() -> None:
    assert re.findall(r"^\| ([a-z]+) \| (?!signs)", TEXT, re.MULTILINE) == list(ROLES)


def test_the_terms_are_those_of_the_code() -> None:
    expiry = Expiry()
    assert f"good for {expiry.snapshot_d} and {expiry.timestamp_d} days" in TEXT


def test_the_loss_and_the_theft_of_each_key_has_its_section() -> None:
    assert [title for title in SECTIONS if re.search(r"lost|stolen|leaves", title)] == [
        "A keeper leaves, or a root key is lost or stolen",
        "The online key is lost",
        "The online key is stolen",
        "The release key is lost",
        "The release key is stolen",
    ]
    assert TEXT.index("**Lost**") < TEXT.index("**Stolen**")


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory in which every command was run, each as it had to be, each readable afterwards."""
    place = tmp_path_factory.mktemp("keys")
    registry, reader, seen = place / "desk" / "registry", None, []
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for block in BLOCKS:
        done = subprocess.run(
            ["sh", "-e", "-c", block],
            cwd=place,
            env=os.environ | {"PATH": path, "ASSESS_INDEX": "desk/registry"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        if reader is None and (registry / "metadata" / "timestamp.json").exists():
            reader = Reader(registry, place / "memory")
        if reader is not None:
            seen.append(reader.read(CONTROL)[CONTROL])
    assert len(seen) == len(BLOCKS) - 5  # the first five make the first root
    return place


def test_every_command_runs_and_no_client_is_ever_refused(story: Path) -> None:
    roots = read_roots(story / "desk" / "registry")
    assert [root.signed.version for root in roots] == [1, 2, 3, 4, 5, 6, 7]
    last = roots[-1].signed
    assert (last.roles["root"].threshold, last.roles["targets"].threshold) == (2, 2)
    assert not list((story / "desk" / "registry" / ".staged").iterdir())


def test_the_first_root_is_all_that_a_new_client_needs(story: Path) -> None:
    found = Reader(story / "desk" / "registry", story / "new").read(CONTROL)[CONTROL]
    assert found == Repository(story / "desk" / "registry").read(CONTROL)
    said = json.dumps(json.loads(found or b""))
    assert "stolen from a laptop" in said
    assert said.count("acme-*") == 1


@pytest.mark.parametrize(
    ("online", "release"),
    [("server", []), ("server-3", []), ("server-4", ["desk-3"]), ("server-4", ["desk-4"])],
    ids=["first", "before the theft", "lost release key", "one of two"],
)
def test_keys_that_were_replaced_sign_nothing_more(story: Path, online: str, release: list[str]) -> None:
    registry = story / "desk" / "registry"
    arguments = ["refresh", "--index", str(registry), "--passphrase-file", str(story / "desk" / "passphrase")]
    arguments += ["--online-key", str(story / "server" / "online" / f"{online}.key")]
    for name in release:
        arguments += ["--release-key", str(story / "desk" / "keys" / "release" / f"{name}.key")]
    # Bins are fresh, so release keys would have nothing to sign: let the publishers' list differ.
    config = registry / "registry.toml"
    before = config.read_bytes()
    config.write_bytes(before.replace(b'"acme-*"', b'"acme-*", "other"'))
    try:
        assert main([*arguments, "--accept-registry-changes"]) == 2
    finally:
        config.write_bytes(before)
