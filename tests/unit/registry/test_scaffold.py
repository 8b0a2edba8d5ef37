"""A project from a name: what names are refused, what is in it, and that it is made whole or not at all."""

import ast
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import assess_registry
from assess_plugin.models import API_VERSIONS
from assess_registry.audit.context import Context
from assess_registry.config import Policy
from assess_registry.errors import ConfigError
from assess_registry.files import atomic_write
from assess_registry.manifest import parse_manifest
from assess_registry.scaffolding import contents, create, scaffold
from assess_registry.scaffolding.contents import KINDS, Kind, project_files
from assess_registry.scaffolding.naming import MAX_NEW_NAME, parse_new_name

NAME = parse_new_name("acme-patch-level", Context(reserved=Policy().reserved))
both = pytest.mark.parametrize("kind", KINDS)


def tree(directory: Path) -> dict[str, bytes]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in files}


# names


def test_a_name_is_a_project_a_module_and_a_title() -> None:
    assert (NAME.project, NAME.module, NAME.title) == ("acme-patch-level", "acme_patch_level", "Acme patch level")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "not a normalised project name"),
        ("Demo", "write 'demo'"),
        ("a_b", "write 'a-b'"),
        ("a--b", "write 'a-b'"),
        ("a.b", "write 'a-b'"),
        ("../demo", "not a normalised project name"),
        ("/demo", "not a normalised project name"),
        ("demo/x", "not a normalised project name"),
        ("demo\\x", "not a normalised project name"),
        ("demo\n", "not a normalised project name"),
        ("demo\0", "not a normalised project name"),
        ("-demo", "not a normalised project name"),
        ("$(id)", "not a normalised project name"),
        ("${{github}}", "not a normalised project name"),
        ("@@{project}", "not a normalised project name"),
        ("d\u00e9mo", "not a normalised project name"),
        ("d\u0435mo", "not a normalised project name"),
        ("x" * (MAX_NEW_NAME + 1), f"more than {MAX_NEW_NAME}"),
        ("3com", "has to begin with a letter"),
        ("class", "a word of Python"),
        ("match", "a word of Python"),
        ("json", "one of the standard library"),
        ("compression", "one of the standard library"),  # since 3.14
        ("asyncore", "one of the standard library"),  # until 3.11
        ("pluggy", "taken wherever a plugin runs"),
        ("tests", "taken wherever a plugin runs"),
        ("test", "taken wherever a plugin runs"),
        ("pip", "taken wherever a plugin runs"),
        ("con", "the name of a device"),
        ("lpt1", "the name of a device"),
        ("assess-plugin", "the name assess-plugin is reserved"),
        ("assess-p1ugin", "looks like assess-plugin"),
        ("assess-plugins", "1 letter away from assess-plugin"),
    ],
)
def test_a_name_that_would_be_refused_later_is_refused_now(tmp_path: Path, name: str, says: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)):
        scaffold(name, to=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["demo", "a1", "acme-x-y", "x" * MAX_NEW_NAME, "assess-disk-space"])
def test_other_names_are_fine(tmp_path: Path, name: str) -> None:
    assert scaffold(name, to=tmp_path).directory == tmp_path / name


def registry(tmp_path: Path, text: str, *published: str) -> Path:
    root = tmp_path / "registry"
    for project in published:
        page = root / "simple" / project
        page.mkdir(parents=True)
        (page / "index.html").write_text("")
        (page / "index.json").write_text("")
    root.mkdir(exist_ok=True)
    (root / "registry.toml").write_text('[registry]\nname = "acme"\n' + text)
    return root


OWNED = '[publishers.acme]\nprojects = ["acme-*"]\n'


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("house-rules", "reserved"),
        ("corp-thing", "names that begin with 'corp-' are reserved"),
        ("disk-space", "a project called disk-space is published already"),
        ("disk-spce", "1 letter away from disk-space"),
        ("disk-sqace", "disk-space"),
        ("shelf-space", ""),
        ("corporate", ""),
    ],
)
def test_a_registry_has_names_of_its_own(tmp_path: Path, name: str, says: str) -> None:
    policy = '[policy]\nreserved = ["house-rules"]\nreserved_prefixes = ["corp-"]\n'
    root = registry(tmp_path, OWNED + policy, "disk-space")
    if not says:
        assert scaffold(name, to=tmp_path, index=root).project == name
        return
    with pytest.raises(ConfigError, match=re.escape(says)):
        scaffold(name, to=tmp_path, index=root)


# contents


@both
def test_every_word_is_filled_in_and_every_file_is_what_its_name_says(kind: Kind) -> None:
    for path, data in project_files(NAME, kind).items():
        text = data.decode()
        assert "@@" not in text
        assert path.isascii()
        if path.endswith(".py"):
            ast.parse(text, path)
        if path.endswith(".toml"):
            tomllib.loads(text)
        assert not re.search(r"https?://(?!www\.apache\.org/)", text), path


@both
def test_the_manifest_is_good_and_asks_for_little(kind: Kind) -> None:
    manifest = parse_manifest(project_files(NAME, kind)["src/acme_patch_level/assess-plugin.toml"])
    assert [str(each.plugin) for each in manifest.checks] == (["acme-patch-level"] if kind == "plugin" else [])
    assert (len(manifest.permissions.read), manifest.permissions.commands, manifest.permissions.network) == (1, (), ())


@both
def test_the_entry_point_is_there(kind: Kind) -> None:
    made = project_files(NAME, kind)
    project = tomllib.loads(made["pyproject.toml"].decode())["project"]
    assert project["entry-points"] == {f"assess.{kind}s": {"acme-patch-level": f"acme_patch_level.{kind}"}}
    assert f"src/acme_patch_level/{kind}.py" in made


def test_the_matrix_has_every_plugin_api_there_is() -> None:
    text = project_files(NAME, "plugin")["tox.ini"].decode()
    tested = re.findall(r"^ +api\d+: assess-plugin>=([\d.]+),<", text, re.MULTILINE)
    assert tuple(tested) == API_VERSIONS
    assert "api{" + ",".join(each.replace(".", "") for each in API_VERSIONS) + "}" in text


def test_the_same_name_gives_the_same_bytes_and_no_template_is_left_over() -> None:
    assert project_files(NAME, "plugin") == project_files(NAME, "plugin")
    directory = Path(contents.__file__).parent / "templates"
    there = {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}
    used = {source for each in (contents._COMMON, *contents._OF_KIND.values()) for source in each.values()}
    assert there == used


@both
def test_both_kinds_have_what_every_project_has(kind: Kind) -> None:
    assert set(project_files(NAME, kind)) >= {
        ".github/workflows/plugin.yml", ".gitignore", "CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml",
        "tox.ini", "src/acme_patch_level/__init__.py", "src/acme_patch_level/py.typed", "tests/test_manifest.py",
    }  # fmt: skip


# on disk


def test_it_is_written_as_it_was_made(tmp_path: Path) -> None:
    report = scaffold("acme-patch-level", to=tmp_path)
    assert tree(report.directory) == project_files(NAME, "plugin")
    assert list(report.files) == sorted(tree(report.directory))
    assert [path.name for path in tmp_path.iterdir()] == ["acme-patch-level"]


@pytest.mark.parametrize("there", ["directory", "full", "file", "link", "dangling"])
def test_nothing_is_ever_written_over(tmp_path: Path, there: str) -> None:
    target, elsewhere = tmp_path / "demo", tmp_path / "elsewhere"
    elsewhere.mkdir()
    match there:
        case "directory":
            target.mkdir()
        case "full":
            target.mkdir()
            (target / "tox.ini").write_text("mine")
        case "file":
            target.write_text("mine")
        case "link":
            target.symlink_to(elsewhere)
        case "dangling":
            target.symlink_to(tmp_path / "nowhere")
    before = sorted(path.name for path in tmp_path.iterdir()), tree(tmp_path)
    with pytest.raises(ConfigError, match="is there already, and nothing is ever written over"):
        scaffold("demo", to=tmp_path)
    assert (sorted(path.name for path in tmp_path.iterdir()), tree(tmp_path)) == before


@pytest.mark.parametrize("there", ["directory", "file", "link"])
def test_who_is_quicker_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: str) -> None:
    """Somebody makes it between our look and our rename."""
    target, write = tmp_path / "demo", atomic_write

    def writes(path: Path, data: bytes) -> None:
        write(path, data)
        if not target.exists():
            if there == "directory":
                target.mkdir()
            elif there == "link":
                target.symlink_to(tmp_path)
                return
            (target / "mine" if there == "directory" else target).write_text("mine")

    monkeypatch.setattr(create, "atomic_write", writes)
    with pytest.raises(ConfigError, match="is there already"):
        scaffold("demo", to=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
    if there != "link":
        assert (target / "mine" if there == "directory" else target).read_text() == "mine"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_whatever_goes_wrong_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    write = atomic_write

    def writes(path: Path, data: bytes) -> None:
        if path.name == "tox.ini":
            raise error
        write(path, data)

    monkeypatch.setattr(create, "atomic_write", writes)
    with pytest.raises(type(error)):
        scaffold("demo", to=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere: no directory"):
        scaffold("demo", to=tmp_path / "nowhere")


def test_programs_have_it_too() -> None:
    exported: Any = assess_registry
    assert exported.scaffold is scaffold
    assert exported.ScaffoldReport.__name__ == "ScaffoldReport"
