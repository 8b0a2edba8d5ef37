"""The client that tuf-conformance runs: its three commands, and what their exit codes mean."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.http_registry import HttpRegistry, serve
from tests.support.trust_client import DEMO
from tests.support.tuf_tree import TufTree, make_tuf_tree, stored

CLIENT = Path(__file__).parents[1] / "conformance" / "client.py"


def run(directory: Path, http: HttpRegistry, *arguments: str) -> int:
    command = [
        *(sys.executable, str(CLIENT), "--metadata-dir", str(directory), "--metadata-url", f"{http.url}metadata"),
        *("--target-base-url", http.url, "--target-dir", str(directory.parent / "targets"), *arguments),
    ]
    return subprocess.run(command, check=False, timeout=60, capture_output=True).returncode


@pytest.fixture
def tree(tmp_path: Path) -> TufTree:
    for name in ("client", "targets"):
        (tmp_path / name).mkdir()
    tree = make_tuf_tree(tmp_path / "registry")
    tree.put({DEMO: b"demo 1"})
    return tree


def test_three_commands_tell_success_from_refusal(tree: TufTree, tmp_path: Path) -> None:
    client, root = tmp_path / "client", str(tree.metadata / "1.root.json")
    with serve(tree.root) as http:
        assert run(client, http, "init", root) == 0
        assert http.requests == []
        assert run(client, http, "refresh") == 0
        assert {path.name for path in client.glob("*.json")} == {
            *("root.json", "timestamp.json", "snapshot.json", "targets.json")
        }
        assert run(client, http, "--target-name", DEMO, "download") == 0
        downloads = [path for path in http.requests if path == f"/{stored(DEMO, b'demo 1')}"]
        assert run(client, http, "--target-name", DEMO, "download") == 0
        assert [path for path in http.requests if path == f"/{stored(DEMO, b'demo 1')}"] == downloads
        assert [path.read_bytes() for path in (tmp_path / "targets").iterdir()] == [b"demo 1"]
        assert run(client, http, "--target-name", "catalog/nothing.json", "download") == 1
        tree.write_timestamp(keys=[])
        assert run(client, http, "refresh") == 1
