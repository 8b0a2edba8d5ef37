"""pip and uv, unmodified, at every kind of host of our files: what they take, and what they leave alone."""

import contextlib
import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assess_registry.index.pages import HTML_TYPE, JSON_TYPE
from assess_registry.names import ProjectName
from assess_registry.publish.after import revoke, yank
from assess_registry.publish.mark import mark
from tests.support.closure import closure_wheels
from tests.support.nginx import nginx
from tests.support.programs import installer_environment, require_program
from tests.support.registry_tree import RegistryTree, make_registry_tree
from tests.support.served import free_port, other_server, registry_server
from tests.support.wheels import WheelBuilder, demo_plugin_wheel

PIP_JSON = f"{JSON_TYPE}, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"
"""What pip says it accepts; uv's differs in white space."""


def plugin(name: str) -> tuple[str, bytes]:
    module = name.replace("-", "_")
    wheel = WheelBuilder(
        name=name,
        files={f"{module}/__init__.py": "plugin = provider = None\n"},
        entry_points={
            "assess.plugins": {"demo": f"{module}:plugin"},
            "assess.providers": {"demo-subjects": f"{module}:provider"},
        },
    )
    return wheel.filename, wheel.build()


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> RegistryTree:
    """demo-plugin 1.0.0 and, yanked, 1.1.0; one project that is revoked, one in quarantine; the real closure."""
    closure = {path.name: path.read_bytes() for path in closure_wheels().glob("*.whl")}
    plugins = [demo_plugin_wheel(), demo_plugin_wheel("1.1.0"), plugin("revoked-plugin"), plugin("held-plugin")]
    tree = make_registry_tree(tmp_path_factory.mktemp("interop"), plugins=plugins, closure=closure)
    keys, now = tree.everybody.release_keys, datetime.now(UTC)
    yank(tree.root, ProjectName("demo-plugin"), "1.1.0", reason="wrong on Debian 11", keys=keys, now=now)
    revoke(tree.root, ProjectName("revoked-plugin"), "1.0.0", reason="bad", severity="high", keys=keys, now=now)
    mark(tree.root, ProjectName("held-plugin"), "quarantined", reason="who knows", keys=keys, now=now)
    return tree


# --- hosts ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def from_disk(root: Path) -> Iterator[str]:
    yield f"{root.as_uri()}/"


@contextlib.contextmanager
def plain_host(root: Path) -> Iterator[str]:
    """As the simplest hosts are: files, and `index.html` for a directory."""
    port = free_port()
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(root), str(port)]
    with other_server(command, port, installer_environment()) as url:
        yield url


Host = Callable[[Path], AbstractContextManager[str]]
HOSTS: dict[str, Host] = {"file": from_disk, "plain": plain_host, "serve": registry_server, "nginx": nginx}


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    kind: str
    url: str

    def page(self, project: str) -> tuple[str, bytes]:
        """Its media type and content, as pip asks for it."""
        if self.kind == "file":  # installers read this one there
            with urllib.request.urlopen(f"{self.url}simple/{project}/index.html", timeout=60) as answer:
                return HTML_TYPE, answer.read()
        request = urllib.request.Request(f"{self.url}simple/{project}/", headers={"Accept": PIP_JSON})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.headers.get_content_type(), answer.read()


@pytest.fixture(scope="module", params=HOSTS)
def served(request: pytest.FixtureRequest, tree: RegistryTree) -> Iterator[Served]:
    with HOSTS[request.param](tree.root) as url:
        yield Served(kind=request.param, url=url)


# --- clients --------------------------------------------------------------------------------------------------------


def pip(into: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", "--isolated", "install", "--target", str(into), "--no-compile"]
    return run([*command, "--only-binary", ":all:", *arguments])


def uv(into: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        require_program("uv"),
        "pip",
        "install",
        "--no-config",
        "--python",
        sys.executable,
        "--target",
        str(into),
    ]
    return run([*command, "--only-binary", ":all:", *arguments])


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, timeout=100, check=False, env=dict(installer_environment())
    )


Client = Callable[..., subprocess.CompletedProcess[str]]
CLIENTS = pytest.mark.parametrize("client", [pip, uv])


def installed(into: Path) -> dict[str, str]:
    names = (path.name.removesuffix(".dist-info").split("-") for path in into.glob("*.dist-info"))
    return {name: version for name, version, *_ in names}


@CLIENTS
def test_the_newest_that_is_not_yanked_is_installed_with_its_closure(
    client: Client, served: Served, tmp_path: Path
) -> None:
    done = client(tmp_path, "--index-url", f"{served.url}simple/", "demo-plugin")
    assert done.returncode == 0, done.stderr
    found = installed(tmp_path)
    assert found.keys() == {"demo_plugin", "assess_plugin", "pluggy"}
    assert found["demo_plugin"] == "1.0.0"


@CLIENTS
def test_a_yanked_one_is_installed_for_who_pins_it_and_the_reason_is_said(
    client: Client, served: Served, tmp_path: Path
) -> None:
    done = client(tmp_path, "--index-url", f"{served.url}simple/", "--no-deps", "demo-plugin==1.1.0")
    assert done.returncode == 0, done.stderr
    assert installed(tmp_path) == {"demo_plugin": "1.1.0"}
    assert "wrong on Debian 11" in done.stderr + done.stdout


@CLIENTS
@pytest.mark.parametrize("project", ["revoked-plugin", "held-plugin"])
def test_what_is_revoked_or_quarantined_cannot_be_had_also_when_pinned(
    project: str, client: Client, served: Served, tmp_path: Path
) -> None:
    done = client(tmp_path, "--index-url", f"{served.url}simple/", "--no-deps", f"{project}==1.0.0")
    assert done.returncode != 0
    assert installed(tmp_path) == {}
    # It is the page that offers nothing; the wheel is where it always was, for who has to find out what happened.
    assert project in (done.stderr + done.stdout).replace("_", "-")


def test_json_comes_where_the_type_can_be_set_and_only_there(served: Served) -> None:
    kind, page = served.page("held-plugin")
    if served.kind in ("file", "plain"):
        assert kind == HTML_TYPE
        assert b'<meta name="pypi:project-status" content="quarantined">' in page
    else:
        assert kind == JSON_TYPE
        assert json.loads(page)["project-status"] == {"status": "quarantined", "reason": "who knows"}


@CLIENTS
def test_a_time_that_is_signed_can_be_asked_for_where_pages_are_json(
    client: Client, tree: RegistryTree, tmp_path: Path
) -> None:
    option = {"pip": "--uploaded-prior-to", "uv": "--exclude-newer"}[client.__name__]
    with registry_server(tree.root) as url:
        found = []
        for limit in ("2020-01-01T00:00:00Z", "2120-01-01T00:00:00Z"):
            into = tmp_path / limit[:4]
            client(into, "--index-url", f"{url}simple/", "--no-deps", option, limit, "demo-plugin")
            found.append(installed(into))
    assert found == [{}, {"demo_plugin": "1.0.0"}]


@CLIENTS
def test_a_tree_that_was_copied_is_an_index_elsewhere(client: Client, tree: RegistryTree, tmp_path: Path) -> None:
    copied = tmp_path / "another place" / "with+odd%20names"
    shutil.copytree(tree.root, copied)
    done = client(tmp_path / "into", "--index-url", f"{copied.as_uri()}/simple/", "demo-plugin")
    assert done.returncode == 0, done.stderr


def test_nginx_serves_what_is_published_and_nothing_beside_it(tree: RegistryTree) -> None:
    (tree.root / ".submissions" / "secret").write_text("nobody approved it")
    (tree.root / "files" / "link").symlink_to("../.submissions")
    try:
        with nginx(tree.root) as url:
            for path in ("registry.toml", ".submissions/secret", "files/../.submissions/secret", "files/link/secret",
                         "files/%2e%2e/.submissions/secret", ".lock", "simple/.x"):  # fmt: skip
                with pytest.raises(urllib.error.HTTPError) as refused:
                    urllib.request.urlopen(url + path, timeout=60)
                assert refused.value.code in (400, 403, 404)
                refused.value.close()
            with urllib.request.urlopen(f"{url}plugins.json", timeout=60) as answer:
                assert answer.headers.get_content_type() == "application/json"
    finally:
        (tree.root / "files" / "link").unlink()
