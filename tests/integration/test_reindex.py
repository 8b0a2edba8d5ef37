"""Pages follow from the signed word and the files: whatever came first, and made all at once or one by one."""

import json
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assess_registry.errors import TrustError
from assess_registry.index import root_pages
from assess_registry.index.root_pages import projects_on_root
from assess_registry.names import ProjectName
from assess_registry.publish.after import revoke, yank
from assess_registry.publish.mark import mark
from assess_registry.publish.reindex import reindex
from tests.support.registry_tree import RegistryTree, make_registry_tree
from tests.support.wheels import WheelBuilder, demo_plugin_wheel

DEMO, OTHER = ProjectName("demo-plugin"), ProjectName("other-plugin")

Step = Callable[[RegistryTree], object]


def publishing(name: str, version: str) -> Step:
    """As approved at a time that is the version's, so that what is signed is the same in any order."""
    module = name.replace("-", "_")
    wheel = WheelBuilder(
        name=name,
        version=version,
        files={f"{module}/__init__.py": "plugin = provider = None\n"},
        entry_points={
            "assess.plugins": {"demo": f"{module}:plugin"},
            "assess.providers": {"demo-subjects": f"{module}:provider"},
        },
    )

    def step(tree: RegistryTree) -> None:
        submitted = tree.submit({wheel.filename: wheel.build()})
        tree.approve(*submitted)
        tree.release(*submitted)

    return step


def yanking(version: str, reason: str | None) -> Step:
    return lambda tree: yank(
        tree.root, DEMO, version, reason=reason, keys=tree.everybody.release_keys, now=datetime.now(UTC)
    )


def revoking(project: ProjectName, version: str) -> Step:
    return lambda tree: revoke(
        tree.root,
        project,
        version,
        reason="bad",
        severity="high",
        keys=tree.everybody.release_keys,
        now=datetime.now(UTC),
    )


def marking(marker: str | None) -> Step:
    return lambda tree: mark(
        tree.root,
        OTHER,
        None if marker is None else "quarantined",
        reason="who knows",
        keys=tree.everybody.release_keys,
        now=datetime.now(UTC),
    )


FIRST, SECOND, THIRD = publishing(DEMO, "1.0.0"), publishing(DEMO, "1.1.0"), publishing(OTHER, "1.0.0")


def registry(directory: Path, *steps: Step) -> RegistryTree:
    tree = make_registry_tree(directory, plugins=[])
    for step in steps:
        step(tree)
    return tree


def pages(tree: RegistryTree) -> dict[str, bytes]:
    """Every page, its times of publishing aside: these are signed, and differ by when the test ran."""
    found = [*(tree.root / "simple").rglob("*"), *(tree.root / "plugins").rglob("*"), tree.root / "plugins.json"]
    return {path.relative_to(tree.root).as_posix(): _timeless(path.read_bytes()) for path in found if path.is_file()}


def _timeless(page: bytes) -> bytes:
    return b"\n".join(line for line in page.split(b"\n") if b'"upload-time"' not in line)


@pytest.mark.parametrize(
    ("one", "another"),
    [
        pytest.param((FIRST, SECOND, THIRD), (THIRD, SECOND, FIRST), id="order"),
        pytest.param(
            (FIRST, yanking("1.0.0", "a"), yanking("1.0.0", None), SECOND, THIRD), (FIRST, SECOND, THIRD), id="unyanked"
        ),
        pytest.param(
            (FIRST, THIRD, marking("quarantined"), SECOND, marking(None)), (THIRD, FIRST, SECOND), id="unquarantined"
        ),
        pytest.param((FIRST, revoking(DEMO, "1.0.0"), SECOND), (SECOND, FIRST, revoking(DEMO, "1.0.0")), id="revoked"),
        pytest.param(
            (THIRD, FIRST, revoking(DEMO, "1.0.0")), (FIRST, revoking(DEMO, "1.0.0"), THIRD), id="all of it revoked"
        ),
        pytest.param((THIRD, marking("quarantined"), FIRST), (FIRST, THIRD, marking("quarantined")), id="quarantined"),
    ],
)
def test_pages_do_not_tell_in_which_order_things_happened(
    one: Sequence[Step], another: Sequence[Step], tmp_path: Path
) -> None:
    trees = registry(tmp_path / "one", *one), registry(tmp_path / "another", *another)
    first, second = (pages(tree) for tree in trees)
    # Signatures are by other keys in each; pages name wheels, which are the same.
    assert first == second
    for tree in trees:
        exact = {path: path.read_bytes() for path in (tree.root / "simple").rglob("*.json")}
        assert reindex(tree.root) == ()
        shutil.rmtree(tree.root / "simple")
        shutil.rmtree(tree.root / "plugins", ignore_errors=True)
        (tree.root / "plugins.json").unlink()
        reindex(tree.root)
        assert pages(tree) == first
        assert {path: path.read_bytes() for path in exact} == exact


def test_what_somebody_changed_is_named_and_repaired(tmp_path: Path) -> None:
    tree = registry(tmp_path, FIRST)
    before = pages(tree)
    changed = ["plugins/demo-plugin.json", "plugins/names/00.json", "plugins/stray.json", "simple/stray/index.html",
               "simple/demo-plugin/index.html", "simple/index.json"]  # fmt: skip
    for name in changed:
        (tree.root / name).parent.mkdir(exist_ok=True)
        (tree.root / name).write_text("what somebody wrote")
    damaged = pages(tree)
    assert sorted(reindex(tree.root, only_compare=True)) == sorted(changed)
    assert pages(tree) == damaged
    assert sorted(reindex(tree.root)) == sorted(changed)
    assert pages(tree) == before
    assert reindex(tree.root, only_compare=True) == ()


def test_nothing_is_written_from_a_word_that_was_not_signed(tmp_path: Path) -> None:
    tree = registry(tmp_path, FIRST)
    (page,) = (tree.root / "catalog").glob("*.demo-plugin.json")
    page.write_bytes(page.read_bytes().replace(b"1.0.0", b"1.0.1"))
    shutil.rmtree(tree.root / "simple")
    with pytest.raises(TrustError):
        reindex(tree.root)
    assert not (tree.root / "simple").exists()


@pytest.mark.parametrize("development", [False, True])
def test_a_wheel_that_nobody_approved_is_on_a_page_in_a_development_registry_only(
    development: bool, tmp_path: Path
) -> None:
    tree = registry(tmp_path, FIRST)
    filename, data = demo_plugin_wheel("1.1.0")
    path = tree.path(filename)  # as a publish that was killed before its commit leaves it
    path.parent.mkdir()
    path.write_bytes(data)
    path.with_name(f"{filename}.sig").write_bytes(b"")
    path.with_name(f"{filename}.metadata").write_bytes(b"Metadata-Version: 2.1\nName: demo-plugin\nVersion: 1.1.0\n")
    config = tree.root / "registry.toml"
    config.write_text(config.read_text().replace("development = true", f"development = {str(development).lower()}"))
    reindex(tree.root)
    listed = [file["filename"] for file in json.loads(tree.page().read_bytes())["files"]]
    assert (filename in listed) is development
    assert "demo_plugin-1.0.0-py3-none-any.whl" in listed


def test_one_more_among_many_changes_no_file_that_names_them_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(root_pages, "AT_ONCE", 2)
    tree = registry(tmp_path, FIRST)  # with two dependencies: three projects
    root = tree.root / "simple/index.json"
    before = root.read_bytes()
    THIRD(tree)
    assert root.read_bytes() == before
    assert (tree.root / "simple/other-plugin/index.html").is_file()
    assert reindex(tree.root) == ("simple/index.json", "simple/index.html")
    assert OTHER in projects_on_root(root.read_bytes())
