"""The commands in the documentation are executed as they are written, in order, in one checkout.

A block fenced as `console` holds lines that begin with `$ ` and below each what it prints (not compared: figures differ
between machines). `# exits N` at a line's end says the exit code, 0 if absent. Commands that would test the tests, or
fetch the repository, are named in `NOT_HERE` and run by CI itself.
"""

import re
from pathlib import Path

import pytest

from tests.support.checkout import ROOT, Checkout

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "simple-index" / "README.md"]
NOT_HERE = ("git clone ", "cd assess", "make test", "make acceptance", "make bench", "tox -e bench")
_FENCE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
_EXITS = re.compile(r"\s+# exits (\d+)$")


def commands(document: Path) -> list[tuple[str, int]]:
    """Every command of a document with the exit code it announces."""
    found = []
    for block in _FENCE.findall(document.read_text()):
        for line in block.splitlines():
            if line.startswith("$ "):
                announced = _EXITS.search(line)
                found.append((_EXITS.sub("", line)[2:], int(announced.group(1)) if announced else 0))
    return found


WITH_COMMANDS = [document for document in DOCUMENTS if commands(document)]


def test_the_readme_shows_commands() -> None:
    assert len(commands(ROOT / "README.md")) >= 4


def test_the_readme_shows_real_output() -> None:
    """Some lines of what a run prints, not a placeholder for them."""
    text = (ROOT / "README.md").read_text()
    assert "@@" not in text
    assert re.search(r"^\d+ pass, \d+ fail, \d+ not-applicable, \d+ skipped, 0 error, 0 timeout$", text, re.MULTILINE)


@pytest.mark.parametrize("document", WITH_COMMANDS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_do_what_the_document_says(document: Path, ran: Checkout) -> None:
    for line, code in commands(document):
        if line.startswith(NOT_HERE):
            continue
        done = ran.shell(line)
        assert done.returncode == code, f"{document.name}: $ {line}\n{done.stdout}{done.stderr}"
