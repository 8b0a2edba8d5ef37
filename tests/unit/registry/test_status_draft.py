"""Files that are written together: all of them, only those that differ, and none where only comparing was asked for."""

import os
from pathlib import Path

import pytest

from assess_registry.index.tree import Tree
from assess_registry.status.draft import Draft


def content(root: Path) -> dict[str, bytes]:
    top = root / "status"
    return {path.relative_to(top).as_posix(): path.read_bytes() for path in top.rglob("*") if path.is_file()}


def test_files_are_there_together_and_named_in_the_order_of_putting(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    draft = Draft(tree)
    for name in ("b/c/index.html", "a.json"):
        draft.put(name, name.encode())
    assert draft.read("a.json") == b"a.json"
    assert not (tmp_path / "status").exists()
    draft.write()
    assert content(tmp_path) == {"b/c/index.html": b"b/c/index.html", "a.json": b"a.json"}
    assert tree.written == ["status/b/c/index.html", "status/a.json"]
    assert (tmp_path / "status/a.json").stat().st_mode & 0o777 == 0o644


def test_what_is_right_already_is_not_touched(tmp_path: Path) -> None:
    first = Draft(Tree(tmp_path))
    first.put("a", b"one")
    first.put("b", b"two")
    first.write()
    before = (tmp_path / "status/a").stat().st_mtime_ns
    tree = Tree(tmp_path)
    again = Draft(tree)
    again.put("a", b"one")
    again.put("b", b"three")
    again.write()
    assert tree.written == ["status/b"]
    assert (tmp_path / "status/a").stat().st_mtime_ns == before


def test_a_file_that_is_put_twice_is_written_once_and_last(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    draft = Draft(tree)
    draft.put("a", b"one")
    draft.put("b", b"two")
    draft.put("a", b"three")
    draft.write()
    assert tree.written == ["status/b", "status/a"]
    assert content(tmp_path)["a"] == b"three"


def test_a_removed_file_is_gone_and_can_be_put_again(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    draft = Draft(tree)
    draft.put("a", b"one")
    draft.write()
    draft.remove("a")
    draft.remove("never-there")
    assert draft.read("a") is None
    draft.write()
    assert content(tmp_path) == {}
    assert tree.written == ["status/a", "status/a"]
    draft.remove("a")
    draft.put("a", b"two")
    draft.write()
    assert content(tmp_path) == {"a": b"two"}


def test_comparing_changes_nothing_and_names_what_differs(tmp_path: Path) -> None:
    draft = Draft(Tree(tmp_path))
    draft.put("same", b"one")
    draft.put("other", b"one")
    draft.write()
    before = content(tmp_path)
    tree = Tree(tmp_path, only_compares=True)
    compared = Draft(tree)
    compared.put("same", b"one")
    compared.put("other", b"two")
    compared.put("new/page", b"three")
    compared.write()
    assert tree.written == ["status/other", "status/new/page"]
    assert content(tmp_path) == before


def test_a_full_disk_leaves_every_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = Draft(Tree(tmp_path))
    draft.put("a", b"one")
    draft.write()

    def no_space(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    draft.put("a", b"two")
    with pytest.raises(OSError, match="No space"):
        draft.write()
    assert content(tmp_path) == {"a": b"one"}


def test_a_symbolic_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "status").mkdir()
    (tmp_path / "precious").write_bytes(b"one")
    (tmp_path / "status/a").symlink_to("../precious")
    draft = Draft(Tree(tmp_path))
    draft.put("a", b"one")
    draft.write()
    assert not (tmp_path / "status/a").is_symlink()
    assert (tmp_path / "precious").read_bytes() == b"one"
