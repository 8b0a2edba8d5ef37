"""Our index as an independent implementation of PEP 691 reads it, and hands it on; our files as it serves them.

The other is `simple-repository-server`, named by `ASSESS_INDEX_PEER`: it parses our pages, checks what it parses, and
writes pages of its own from that, for pip and uv.
"""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from assess_registry.index.pages import HTML_TYPE, JSON_TYPE
from assess_registry.names import ProjectName
from assess_registry.publish.after import yank
from assess_registry.publish.mark import mark
from tests.support.closure import closure_wheels
from tests.support.nginx import nginx
from tests.support.programs import installer_environment, refuse_or_skip, require_program
from tests.support.registry_tree import RegistryTree, make_registry_tree
from tests.support.served import free_port, other_server, registry_server
from tests.support.wheels import demo_plugin_wheel

PROJECTS = {"demo-plugin", "assess-plugin", "pluggy"}


@pytest.fixture(scope="module")
def peer_program() -> str:
    program = os.environ.get("ASSESS_INDEX_PEER", "")
    if not os.access(program, os.X_OK):
        refuse_or_skip("simple-repository-server, named by ASSESS_INDEX_PEER,")
    return program


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> RegistryTree:
    """demo-plugin 1.0.0 and, yanked, 1.1.0, with the real closure."""
    closure = {path.name: path.read_bytes() for path in closure_wheels().glob("*.whl")}
    plugins = [demo_plugin_wheel(), demo_plugin_wheel("1.1.0")]
    tree = make_registry_tree(tmp_path_factory.mktemp("peer"), plugins=plugins, closure=closure)
    keys, now = tree.everybody.release_keys, datetime.now(UTC)
    yank(tree.root, ProjectName("demo-plugin"), "1.1.0", reason="wrong on Debian 11", keys=keys, now=now)
    return tree


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    ours: str
    theirs: str


def peer(program: str, source: str) -> Any:
    port = free_port()
    command = [program, "--host", "127.0.0.1", "--port", str(port), "--stream-http-resources", source]
    return other_server(command, port, installer_environment())


@pytest.fixture(scope="module", params=["json, by our server", "json, by nginx"])
def served(request: pytest.FixtureRequest, peer_program: str, tree: RegistryTree) -> Iterator[Peer]:
    """Our tree over http, and the other in front of it."""
    host = nginx if "nginx" in request.param else registry_server
    with host(tree.root) as ours, peer(peer_program, f"{ours}simple/") as theirs:
        yield Peer(ours=ours, theirs=theirs)


def page(url: str, accept: str = JSON_TYPE) -> Any:
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": accept}), timeout=60) as answer:
        assert answer.headers.get_content_type() == accept
        return json.loads(answer.read()) if accept == JSON_TYPE else answer.read()


def test_it_reads_in_our_pages_what_we_wrote(served: Peer) -> None:
    names = {project["name"] for project in page(f"{served.theirs}simple/")["projects"]}
    assert names == PROJECTS
    for project in PROJECTS:
        ours, theirs = (page(f"{base}simple/{project}/") for base in (served.ours, served.theirs))
        assert sorted(theirs["versions"]) == sorted(ours["versions"])
        assert len(theirs["files"]) == len(ours["files"]) > 0
        for mine, its in zip(ours["files"], theirs["files"], strict=True):
            keys = ("filename", "hashes", "size", "requires-python", "core-metadata", "yanked")
            assert {key: its.get(key) for key in keys} == {key: mine.get(key) for key in keys}
            assert (its.get("upload-time") or "")[:19] == (mine.get("upload-time") or "")[:19]  # it drops fractions
    yanked = {each["filename"]: each["yanked"] for each in page(f"{served.theirs}simple/demo-plugin/")["files"]}
    assert set(yanked.values()) == {False, "wrong on Debian 11"}


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_what_it_hands_on_is_installed(client: str, served: Peer, tmp_path: Path) -> None:
    assert install(client, f"{served.theirs}simple/", tmp_path) == {
        "demo_plugin-1.0.0", *(f"{path.name.split('-py')[0]}" for path in closure_wheels().glob("*.whl"))
    }  # fmt: skip


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_our_files_alone_are_served_by_it(client: str, peer_program: str, tree: RegistryTree, tmp_path: Path) -> None:
    for wheel in (tree.root / "files").glob("*/*/*.whl"):  # it wants one directory a project
        directory = tmp_path / "flat" / wheel.parent.parent.name
        directory.mkdir(parents=True, exist_ok=True)
        shutil.copy(wheel, directory)
    with peer(peer_program, str(tmp_path / "flat")) as theirs:
        assert page(f"{theirs}simple/demo-plugin/", HTML_TYPE)
        found = install(client, f"{theirs}simple/", tmp_path / "into")
    assert "demo_plugin-1.1.0" in found  # nobody told it what is yanked: that is on our pages


def test_of_a_quarantined_project_it_has_nothing_either(served: Peer, tree: RegistryTree) -> None:
    keys, now = tree.everybody.release_keys, datetime.now(UTC)
    before = len(page(f"{served.theirs}simple/demo-plugin/")["files"])
    mark(tree.root, ProjectName("demo-plugin"), "quarantined", reason="who knows", keys=keys, now=now)
    try:
        assert page(f"{served.theirs}simple/demo-plugin/")["files"] == []
    finally:
        mark(tree.root, ProjectName("demo-plugin"), None, reason="", keys=keys, now=now)
    assert len(page(f"{served.theirs}simple/demo-plugin/")["files"]) == before == 2


def install(client: str, index: str, into: Path) -> set[str]:
    """`NAME-VERSION` of what it installed."""
    with_pip = [sys.executable, "-m", "pip", "--isolated", "install", "--no-compile"]
    command = with_pip if client == "pip" else [require_program("uv"), "pip", "install", "--python", sys.executable]
    done = subprocess.run(
        [*command, "--target", str(into), "--only-binary", ":all:", "--index-url", index, "demo-plugin"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=dict(installer_environment()),
    )
    assert done.returncode == 0, done.stderr
    return {path.name.removesuffix(".dist-info") for path in into.glob("*.dist-info")}
