"""Every command of docs/air-gap.md does what it says, in the order of the page, with a plugin of our own.

With the sample plugin, and in a checkout as a stranger has it, `acceptance/test_documents.py` runs them.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.support.installing import demo_registry
from tests.support.served import first_line, free_port

DOCUMENT = Path(__file__).parents[2] / "docs" / "air-gap.md"
BLOCKS = re.findall(r"^```(console|sh)\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
BIN = Path(sys.executable).parent


def commands() -> list[str]:
    lines = [
        line.removeprefix("$ ")
        for kind, block in BLOCKS
        for line in block.splitlines()
        if kind == "sh" or line.startswith("$ ")
    ]
    return [line.replace("assess-host-baseline", "demo-plugin").replace(".venv/bin/", "") for line in lines]


def test_every_command_of_the_page(tmp_path: Path) -> None:
    shutil.copytree(demo_registry(tmp_path / "made").tree.root, tmp_path / "simple-index")
    environment = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    said: dict[str, str] = {}
    for line in commands():
        if " serve " in line:
            served(line, tmp_path, environment)
            continue
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        said.setdefault(line.split()[0] + line.split()[1], "")
        said[line.split()[0] + line.split()[1]] += done.stdout
    assert said["sha256sum.assess/baseline.assess"].split()[0] in said["assess-registryexport"]
    assert "nothing, it was there already" in said["assess-registryimport"]
    assert "demo-plugin" in said["assess-registrylist"]
    assert "installed" in said["assesssync"]
    assert "online" in said["assess-registryrefresh"]
    assert (tmp_path / ".assess/far-site/metadata/1.root.json").is_file(), "what the page gives the site's clients"


def served(line: str, place: Path, environment: dict[str, str]) -> None:
    command = shlex.split(line.replace("8080", str(free_port())))
    with subprocess.Popen(command, cwd=place, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = first_line(process.stdout).strip()
        with urllib.request.urlopen(f"{url}simple/demo-plugin/", timeout=60) as answer:
            assert answer.read() == (place / ".assess/site/simple/demo-plugin/index.html").read_bytes()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def test_the_page_shows_what_it_needs() -> None:
    """The test above cannot pass by finding nothing."""
    typed = "\n".join(commands())
    for verb in ("export", "import", "list", "serve", "keys new", "refresh", "assess sync", "sha256sum"):
        assert verb in typed
