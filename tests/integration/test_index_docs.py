"""Every command of docs/index.md does what it says, in the order of the page, in a directory as the page assumes."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.closure import closure_wheels
from tests.support.programs import installer_environment, require_program
from tests.support.registry_tree import make_registry_tree
from tests.support.served import free_port
from tests.support.wheels import demo_plugin_wheel

DOCUMENT = Path(__file__).parents[2] / "docs" / "index.md"
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
FRESH = f"rm -rf env && {sys.executable} -m venv --without-pip env"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """With `simple-index`, in which demo-plugin 1.0.0 and its real closure are."""
    require_program("uv")
    closure = {path.name: path.read_bytes() for path in closure_wheels().glob("*.whl")}
    tree = make_registry_tree(tmp_path / "made", plugins=[demo_plugin_wheel()], closure=closure)
    shutil.copytree(tree.root, tmp_path / "simple-index")
    return tmp_path


def run(block: str, place: Path) -> None:
    """Line by line, as one types it; what ends in `&` goes on until the others are done."""
    port = str(free_port())
    environment = dict(installer_environment(HOME=str(place)))
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    running = []
    try:
        for line in _commands(block.replace("8080", port)):
            if line.endswith(" &"):
                command = ["bash", "-c", f"exec {line.removesuffix(' &')}"]
                running.append(subprocess.Popen(command, cwd=place, env=environment, stdout=subprocess.DEVNULL))
                _wait(int(port))
                continue
            script = f"set -eu\n{FRESH if ' install ' in line else ''}\n{line}"
            done = subprocess.run(
                ["bash", "-c", script],
                cwd=place,
                env=environment,
                capture_output=True,
                text=True,
                timeout=100,
                check=False,
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            if " install " in line:
                assert list((place / "env").rglob("demo_plugin-1.0.0.dist-info")), line
    finally:
        for process in running:
            process.terminate()
            process.wait(60)


def _commands(block: str) -> list[str]:
    """Lines, with what is indented or closes a loop belonging to the one before."""
    joined = re.sub(r"\n(?=  |done)", "\x00", block.strip())
    return [command.replace("\x00", "\n") for command in joined.split("\n")]


def _wait(port: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.05)  # another's program says nowhere that it listens
    raise AssertionError(f"nobody listens at port {port}")


def test_the_commands_of_the_page_do_what_it_says(place: Path) -> None:
    assert len(BLOCKS) == 5
    for block in BLOCKS:
        run(block, place)
    assert not (place / "public" / ".submissions").exists()
    assert (place / "public" / "metadata" / "timestamp.json").is_file()


def test_a_command_that_fails_would_be_seen(place: Path) -> None:
    with pytest.raises(AssertionError, match="no-such-plugin"):
        run('uv pip install --python env --index-url "file://$PWD/simple-index/simple/" no-such-plugin\n', place)
