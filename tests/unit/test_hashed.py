"""What workflows install beside our own wheels (`ci/hashed`) is all of it, by digest, in versions that are tested."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT = Path(__file__).parents[2]
FILES = {"commands": (), "audit": ("audit",)}
"""Name of the file -> extras of the commands that it is for."""

OURS = {"assess-plugin", "assess-runtime"}
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def pinned(text: str) -> Iterator[tuple[Requirement, tuple[str, ...]]]:
    """Each requirement, and the options behind it."""
    lines = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    for line in lines.replace("\\\n", " ").splitlines():
        said, *options = re.split(r"\s+(?=--)", line.strip())
        yield Requirement(said), tuple(options)


def read(name: str) -> Mapping[NormalizedName, tuple[Requirement, tuple[str, ...]]]:
    found = [*pinned((ROOT / "ci" / "hashed" / f"{name}.txt").read_text())]
    by_name = {canonicalize_name(requirement.name): (requirement, options) for requirement, options in found}
    assert len(by_name) == len(found), "a project twice"
    return by_name


def of_project(path: Path, extras: tuple[str, ...] = ()) -> Iterator[Requirement]:
    """What a project of ours declares: to run, for the extras, and to be built."""
    document = tomllib.loads((path / "pyproject.toml").read_text())
    project = document["project"]
    for text in [*project["dependencies"], *document["build-system"]["requires"]]:
        yield Requirement(text)
    for extra in extras:
        yield from map(Requirement, project["optional-dependencies"][extra])


@pytest.mark.parametrize("name", FILES)
def test_every_project_has_one_version_and_digests_and_nothing_else_is_said(name: str) -> None:
    text = (ROOT / "ci" / "hashed" / f"{name}.txt").read_text()
    assert "://" not in text
    for requirement, options in read(name).values():
        assert [each.operator for each in requirement.specifier] == ["=="]
        assert not requirement.url
        assert options, f"{requirement.name} has no digest"
        assert all(HASH.fullmatch(each) for each in options), options


@pytest.mark.parametrize("name", FILES)
def test_versions_are_those_that_are_tested(name: str) -> None:
    tested = {
        canonicalize_name(requirement.name): requirement.specifier
        for requirement, _ in pinned((ROOT / "ci" / "constraints.txt").read_text())
    }
    assert {each: requirement.specifier for each, (requirement, _) in read(name).items()} == {
        each: tested[each] for each in read(name)
    }


@pytest.mark.parametrize(("name", "extras"), FILES.items())
def test_it_is_all_that_our_commands_need_and_no_more(name: str, extras: tuple[str, ...]) -> None:
    """`make hashes` after a change of dependencies. Requirements of others are read where they are installed."""
    there = {each: requirement for each, (requirement, _) in read(name).items()}
    waiting = [*of_project(ROOT, extras), *of_project(ROOT / "sdk")]
    reached: dict[str, set[str]] = {}
    while waiting:
        wanted = waiting.pop()
        project = canonicalize_name(wanted.name)
        if project in OURS or (wanted.marker is not None and not wanted.marker.evaluate()):
            continue
        assert project in there, f"{project} is missing"
        (version,) = (each.version for each in there[project].specifier)
        assert wanted.specifier.contains(version), f"{wanted} is not met by {version}"
        new = {"", *wanted.extras} - reached.setdefault(project, set())
        reached[project] |= new
        for requirement in map(Requirement, requires(project) or ()):
            marker = requirement.marker
            if any(marker is None or marker.evaluate({"extra": extra}) for extra in new):
                requirement.marker = None
                waiting.append(requirement)
    here = {each for each, said in there.items() if said.marker is None or said.marker.evaluate()}
    assert reached.keys() == here
