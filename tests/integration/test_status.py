"""The catalogue of a real registry: it follows every change of the registry's word, whatever kills who writes it."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assess_registry.audit.values import Verdict
from assess_registry.catalogue import Marker
from assess_registry.config import load_config
from assess_registry.errors import ConfigError
from assess_registry.index.tree import Tree
from assess_registry.manifest import Severity
from assess_registry.names import ProjectName
from assess_registry.publish import after
from assess_registry.publish import mark as project_status
from assess_registry.publish.garbage import collect_garbage
from assess_registry.publish.transaction import transaction
from assess_registry.repository import Repository
from assess_registry.status import pages_of
from assess_registry.status.marks import announce, announced
from tests.support.kills import steps, stride
from tests.support.registry_tree import RegistryTree, found, make_registry_tree
from tests.support.status_pages import read_page
from tests.support.wheels import WheelBuilder, demo_manifest, demo_plugin_wheel

PROJECT = ProjectName("demo-plugin")
PAGE = "projects/demo-plugin/index.html"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> RegistryTree:
    return make_registry_tree(tmp_path_factory.mktemp("made"))


@pytest.fixture
def tree(made: RegistryTree, tmp_path: Path) -> RegistryTree:
    return made.copy(tmp_path)


def shown(tree: RegistryTree, path: str = PAGE) -> str:
    page = read_page((tree.root / "status" / path).read_bytes())
    assert not page.problems
    return page.text


def files(tree: RegistryTree) -> dict[str, bytes]:
    top = tree.root / "status"
    return {path.relative_to(top).as_posix(): path.read_bytes() for path in top.rglob("*") if path.is_file()}


def anew(tree: RegistryTree, copy: Path) -> dict[str, bytes]:
    """What the catalogue would be if there had never been one."""
    other = tree.copy(copy)
    shutil.rmtree(other.root / "status")
    refresh(other)
    return files(other)


def refresh(tree: RegistryTree) -> tuple[str, ...]:
    on_disk = Tree(tree.root)
    pages = pages_of(on_disk, load_config(tree.root), Repository.holding(tree.root))
    assert pages is not None
    pages.refresh()
    return tuple(on_disk.written)


def yank(tree: RegistryTree, version: str, reason: str | None = "it never ends") -> after.Changed:
    keys = tree.everybody.release_keys
    return after.yank(tree.root, PROJECT, version, reason=reason, keys=keys, now=datetime.now(UTC))


def revoke(tree: RegistryTree, project: str, version: str, severity: Severity = "high") -> after.Changed:
    keys, now = tree.everybody.release_keys, datetime.now(UTC)
    return after.revoke(
        tree.root, ProjectName(project), version, reason="it lied", severity=severity, keys=keys, now=now
    )


def test_what_was_published_has_a_page_that_says_who_approved_it(tree: RegistryTree) -> None:
    page = shown(tree)
    for words in (
        "demo-plugin 1.0.0 approved",
        "approved by the audit, reviewed by rita",
        "It may read these files, and everything below them:",
        "uname -s",
        "About demo-greeting",
        "Besides itself, 2 wheels are locked.",
        "Development registry.",
        "Nobody has shown tests that passed with this very wheel.",
    ):
        assert words in page
    assert "1.0.0" in shown(tree, "projects/demo-plugin/1.0.0/index.html")


@pytest.mark.parametrize(
    "path",
    [
        "index.html",
        "names/index.html",
        "kinds/plugin/index.html",
        "kinds/provider/index.html",
        "controls/nist-800-53/cm-6/index.html",
        "dependencies/pluggy/index.html",
    ],
)
def test_it_stands_in_every_list_that_it_belongs_to(tree: RegistryTree, path: str) -> None:
    assert "demo-plugin" in shown(tree, path)
    assert "demo-plugin" not in shown(tree, "attention/index.html")


def test_every_link_leads_to_a_file(tree: RegistryTree) -> None:
    yank(tree, "1.0.0")
    for path in (tree.root / "status").rglob("*.html"):
        for tag, attributes in read_page(path.read_bytes()).starts:
            link = dict(attributes).get("href") or dict(attributes).get("action")
            if tag in ("a", "form") and link and not link.startswith("#"):
                assert (path.parent / link).is_file(), f"{path}: {link}"


def test_one_more_release_leaves_the_page_of_the_one_before_alone(tree: RegistryTree) -> None:
    before = files(tree)["projects/demo-plugin/1.0.0/index.html"]
    tree.publish(*demo_plugin_wheel("1.1.0"))
    assert files(tree)["projects/demo-plugin/1.0.0/index.html"] == before
    assert "demo-plugin 1.1.0 approved" in shown(tree)
    assert "Versions (2)" in shown(tree)


def test_publishing_the_same_again_writes_nothing(tree: RegistryTree) -> None:
    before = files(tree)
    tree.publish(*demo_plugin_wheel("1.0.0"))
    assert files(tree) == before


def test_a_yanked_release_is_loud_and_an_older_one_is_shown_in_its_place(tree: RegistryTree) -> None:
    tree.publish(*demo_plugin_wheel("1.1.0"))
    changed = yank(tree, "1.1.0")
    assert "status/projects/demo-plugin/1.1.0/index.html" in changed.written
    assert "Yanked. " in shown(tree, "projects/demo-plugin/1.1.0/index.html")
    assert "it never ends" in shown(tree, "projects/demo-plugin/1.1.0/index.html")
    assert "demo-plugin 1.0.0 approved" in shown(tree)
    yank(tree, "1.1.0", reason=None)
    assert "Yanked. " not in shown(tree, "projects/demo-plugin/1.1.0/index.html")


def test_a_revoked_release_is_loud_and_needs_attention(tree: RegistryTree) -> None:
    revoke(tree, "demo-plugin", "1.0.0")
    assert "Revoked. Nobody gets this release any more" in shown(tree)
    assert "it lied" in shown(tree)
    assert "Nothing is left. " in shown(tree)
    assert "demo-plugin" in shown(tree, "attention/index.html")


def test_a_revoked_dependency_is_loud_on_the_page_of_who_runs_with_it(tree: RegistryTree) -> None:
    assert "revoked wheel" not in shown(tree)
    revoke(tree, "pluggy", "1.6.0")
    assert "It runs with a revoked wheel: pluggy 1.6.0. " in shown(tree)
    assert "demo-plugin" in shown(tree, "attention/index.html")


def test_a_quarantined_dependency_is_loud_on_the_page_of_who_runs_with_it_until_it_is_taken_back(
    tree: RegistryTree, tmp_path: Path
) -> None:
    def mark(marker: Marker | None) -> None:
        keys, now = tree.everybody.release_keys, datetime.now(UTC)
        project_status.mark(tree.root, ProjectName("pluggy"), marker, reason="a key was stolen", keys=keys, now=now)

    before = files(tree)
    mark("quarantined")
    assert "pluggy, which it runs with, is quarantined. Nothing new is published with it." in shown(tree)
    assert "a key was stolen" in shown(tree)
    assert files(tree) == anew(tree, tmp_path / "anew")
    mark(None)
    assert files(tree) == before


def test_a_quarantined_project_is_loud_and_offers_no_way_to_install_it(tree: RegistryTree) -> None:
    keys, now = tree.everybody.release_keys, datetime.now(UTC)
    project_status.mark(tree.root, PROJECT, "quarantined", reason="a key was stolen", keys=keys, now=now)
    assert "Quarantined. Nobody gets anything of this project" in shown(tree)
    assert "Clients refuse this release" in shown(tree)
    assert "demo-plugin" in shown(tree, "attention/index.html")


def test_what_people_approved_although_it_was_flagged_is_loud(tree: RegistryTree) -> None:
    name, data = demo_plugin_wheel("1.1.0")
    submitted = tree.submit({name: data}, judge=found(Verdict.FLAGGED))
    tree.approve(*submitted)
    tree.release(*submitted)
    assert "Flagged, then approved by people. rita looked" in shown(tree)
    assert "something is odd" in shown(tree)


@pytest.mark.parametrize("name", ["pylock.toml", "audit.json", "demo_plugin-1.0.0-py3-none-any.whl.verdict.json"])
def test_no_word_of_a_file_that_is_not_the_signed_one_is_shown(tree: RegistryTree, name: str) -> None:
    path = tree.root / "files" / "demo-plugin" / "1.0.0" / name
    path.write_bytes(path.read_bytes().replace(b"pluggy", b"evilly").replace(b"structure", b"evilly") + b" ")
    shutil.rmtree(tree.root / "status")
    refresh(tree)
    page = shown(tree)
    assert f"Not shown: {name}. it is not the file that the signed catalogue names." in page
    assert "evilly" not in page


def test_hostile_words_of_a_manifest_stay_words(tree: RegistryTree) -> None:
    manifest = demo_manifest(plugin="demo").replace("Demonstration", "<script>alert(1)</script>")
    wheel = WheelBuilder(version="1.1.0", manifest=manifest)
    tree.publish(wheel.filename, wheel.build())
    assert "<script>alert(1)</script>" in shown(tree)
    for path, data in files(tree).items():
        assert b"<script" not in data, path
        assert b"alert(1)" in data or "demo-plugin/" not in path or "1.0.0" in path


def test_the_same_pages_whatever_happened_first(tree: RegistryTree, tmp_path: Path) -> None:
    tree.publish(*demo_plugin_wheel("1.1.0"))
    one = WheelBuilder(name="other-plugin", version="1.0.0", files={"other_plugin/__init__.py": "plugin = None\n"},
                       entry_points={"assess.plugins": {"demo": "other_plugin:plugin"}})  # fmt: skip
    tree.publish(one.filename, one.build())
    yank(tree, "1.1.0")
    revoke(tree, "demo-plugin", "1.0.0")
    assert files(tree) == anew(tree, tmp_path / "anew")


def test_a_refresh_with_nothing_new_writes_nothing(tree: RegistryTree) -> None:
    assert refresh(tree) == ()


def test_a_refresh_makes_all_pages_anew_where_what_they_all_depend_on_has_changed(tree: RegistryTree) -> None:
    tree.configure(replace(load_config(tree.root), base_url="https://plugins.example.org/"))
    assert "status/index.json" in refresh(tree)
    assert "https://plugins.example.org/simple/" in shown(tree)
    assert refresh(tree) == ()


def test_pages_that_a_killed_publish_left_are_made_by_the_next_of_another_project(tree: RegistryTree) -> None:
    catalogue = json.loads((tree.root / "status" / "names" / "index.json").read_bytes())
    assert [row["notes"][0] for row in catalogue["rows"]] == ["1.0.0"]
    shutil.rmtree(tree.root / "status" / "projects")
    announce(tree.root, [PROJECT])
    one = WheelBuilder(name="other-plugin", version="1.0.0", files={"other_plugin/__init__.py": "plugin = None\n"},
                       entry_points={"assess.plugins": {"demo": "other_plugin:plugin"}})  # fmt: skip
    tree.publish(one.filename, one.build())
    assert "demo-plugin 1.0.0 approved" in shown(tree)
    assert announced(tree.root) == ()


def test_killed_at_any_point_of_a_yank_the_next_refresh_makes_the_pages_right(
    made: RegistryTree, tmp_path: Path
) -> None:
    number = 0

    def prepare() -> None:
        nonlocal number
        number += 1
        made.copy(tmp_path / str(number))

    def work() -> None:
        yank(current(), "1.0.0")

    def current() -> RegistryTree:
        return replace(made, directory=tmp_path / str(number))

    killed = 0
    for _ in steps(work, prepare, every=stride(23)):
        tree = current()
        refresh(tree)
        release = tree.catalogue().release("1.0.0")
        assert release is not None
        assert ("Yanked. " in shown(tree)) == bool(release.yanked)
        assert files(tree) == anew(tree, tmp_path / f"anew-{number}") | {
            name: data for name, data in files(tree).items() if "/.tmp-" in f"/{name}"
        }
        shutil.rmtree(tree.directory)
        shutil.rmtree(tmp_path / f"anew-{number}")
        killed += 1
    assert killed > 3


def test_what_a_killed_writer_left_is_collected(tree: RegistryTree) -> None:
    left = tree.root / "status" / "names" / ".tmp-0123456789abcdef"
    left.write_bytes(b"half")
    stray = tree.root / "status" / "projects" / "gone-plugin"
    stray.mkdir()
    (stray / "index.html").write_bytes(b"gone")
    removed = collect_garbage(tree.root, keep_s=0, now=datetime(2100, 1, 1, tzinfo=UTC))
    assert {"status/names/.tmp-0123456789abcdef", "status/projects/gone-plugin"} <= set(removed)
    assert not stray.exists()
    assert (tree.root / "status" / PAGE).is_file()


def test_a_list_that_somebody_changed_is_named_and_the_release_is_published_all_the_same(tree: RegistryTree) -> None:
    (tree.root / "status" / "names" / "index.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"status/names/index.json: not what was written there.*refresh"):
        tree.publish(*demo_plugin_wheel("1.1.0"))
    assert tree.catalogue().release("1.1.0") is not None
    shutil.rmtree(tree.root / "status")
    refresh(tree)
    assert "demo-plugin 1.1.0 approved" in shown(tree)


def test_a_change_that_is_refused_changes_no_page(tree: RegistryTree) -> None:
    before = files(tree)
    with pytest.raises(ConfigError, match="no such release"):
        yank(tree, "9.9")
    with transaction(tree.root, keys=tree.everybody.release_keys, now=datetime.now(UTC)) as work:
        work.commit({})
    assert files(tree) == before
