"""docs/plugin-authors.md, typed as it is written: a project from a name, green, approved and submitted untouched.

A block fenced as `sh` is typed as a whole; `# exits N` at its end says with what it ends, 0 if absent. What one block
exports, and where it goes, holds for the next. The export of advisories, which the page fetches, is put in its place.
"""

import json
import re
import shlex
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from assess_plugin.models import API_VERSIONS
from tests.support.checkout import ROOT, Checkout
from tests.support.osv import about_others

DOCUMENT = ROOT / "docs" / "plugin-authors.md"
KINDS = {"demo": "plugin", "local-people": "provider"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Typed:
    """All blocks, and what they left."""

    place: Path
    steps: tuple[tuple[str, subprocess.CompletedProcess[str]], ...]

    def said(self, command: str) -> list[str]:
        """What blocks with this command printed, in order."""
        return [done.stdout for text, done in self.steps if command in text]


@pytest.fixture(scope="module")
def typed(ran: Checkout) -> Typed:
    place, memory = ran.path.parent / "authors", ran.path.parent / "shell-of-authors"
    memory.write_text(f"cd {shlex.quote(str(ran.path))}\n")
    steps = []
    for text, announced in blocks():
        keep = f'code=$?; {{ export -p; echo "cd $(printf %q "$PWD")"; }} > {memory}; exit $code'
        done = ran.run("bash", "-c", f". {memory}\nset -e\ntrap '{keep}' EXIT\n{text}", timeout_s=600)
        assert done.returncode == announced, f"{text}\n{done.stdout}{done.stderr}"
        steps.append((text, done))
        if "mkdir ../authors" in text:
            with zipfile.ZipFile(place / "advisories.zip", "w") as export:
                for document in about_others():
                    export.writestr(f"{document['id']}.json", json.dumps(document))
    return Typed(place=place, steps=tuple(steps))


def blocks() -> list[tuple[str, int]]:
    """What is to be typed, and the exit code it announces."""
    found = []
    for block in re.findall(r"^```sh\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL):
        announced = re.search(r"# exits (\d+)\n\Z", block)
        found.append((block, int(announced.group(1)) if announced else 0))
    return found


def test_every_station_has_its_command() -> None:
    text, at = "".join(block for block, _ in blocks()), 0
    for station in ("new demo", "tox", "--kind provider", "tox", "pip wheel", "audit .", "audit .", "submit"):
        assert station in text[at:], station
        at = text.index(station, at) + 1


def test_tox_was_green_with_every_plugin_api(typed: Typed) -> None:
    for said, name in zip(typed.said("\ntox\n"), KINDS, strict=True):
        assert "congratulations" in said
        for api in API_VERSIONS:
            assert re.search(rf"py311-api{api.replace('.', '')}: OK", said), name
        assert not re.search(r"\d+ (skipped|failed|xfailed)", said)


def test_the_audit_approved_it_untouched(typed: Typed) -> None:
    without, with_advisories = typed.said("audit .")
    assert without.startswith("FLAGGED")
    assert with_advisories.startswith("APPROVED  demo-0.1.0-py3-none-any.whl")
    assert "incomplete" not in with_advisories


def test_the_submission_was_accepted(typed: Typed) -> None:
    (said,) = typed.said("submit ")
    assert re.search(r"^audit +approved$", said, re.MULTILINE)
    assert re.search(r"^plugin +demo 0\.1\.0$", said, re.MULTILINE)


def test_evidence_is_about_this_wheel_and_every_api(typed: Typed) -> None:
    tested = json.loads((typed.place / "demo" / "dist" / "tox.json").read_text())["testenvs"]
    installed = {name: package for name, each in tested.items() for package in each.get("installed_packages", [])
                 if package.startswith("assess-plugin==")}  # fmt: skip
    assert {package.partition("==")[2][:3] for package in installed.values()} == set(API_VERSIONS)


@pytest.mark.parametrize("name", KINDS)
def test_no_file_of_it_names_a_host_that_packages_come_from(typed: Typed, name: str) -> None:
    made = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard", "."],
        cwd=_with_git(typed.place / name), capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert "tox.ini" in made
    for path in made:
        text = (typed.place / name / path).read_text()
        assert not re.search(r"pypi|index-url\s*=|https?://(?!www\.apache\.org/)", text), path


def _with_git(directory: Path) -> Path:
    """The directory, a repository: `.gitignore` says what is generated."""
    subprocess.run(["git", "init", "--quiet", "."], cwd=directory, check=True, capture_output=True)
    return directory
