"""`mark`, `reindex` and the root pages of `refresh`, as they are typed: what they print, and their exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest

from assess_registry.cli import main
from assess_registry.index import root_pages
from assess_registry.index.root_pages import projects_on_root
from assess_registry.keys import write_private_key
from tests.support.registry_tree import RegistryTree, copy_registry_tree
from tests.support.wheels import demo_plugin_wheel


class Desk:
    """A registry in which demo-plugin 1.0.0 is published, and the keys that sign its word."""

    def __init__(self, tree: RegistryTree, capsys: pytest.CaptureFixture[str]) -> None:
        self.tree, self._capsys = tree, capsys
        self.signed: list[str] = []
        for option, key in (("--release-key", tree.everybody.release), ("--online-key", tree.everybody.online)):
            path = tree.directory / f"{option.strip('-')}.key"
            write_private_key(path, key, passphrase=None)
            self.signed += [option, str(path)]

    def run(self, *arguments: str, expect: int = 0) -> tuple[str, str]:
        assert main([*arguments, "--index", str(self.tree.root)]) == expect
        said = self._capsys.readouterr()
        return said.out, said.err

    def mark(self, *arguments: str, expect: int = 0) -> Any:
        out, _ = self.run("mark", "Demo_Plugin", *arguments, *self.signed, "--output", "json", expect=expect)
        return json.loads(out)

    def root_page(self) -> bytes:
        return (self.tree.root / "simple/index.json").read_bytes()


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(copy_registry_tree(tmp_path, plugins=[demo_plugin_wheel()]), capsys)


def test_a_project_is_marked_and_taken_back(desk: Desk) -> None:
    marked = desk.mark("quarantined", "--reason", "its key may be stolen")["marked"]
    since = marked.pop("since")
    assert marked == {"project": "demo-plugin", "marker": "quarantined", "reason": "its key may be stolen",
                      "changed": True}  # fmt: skip
    assert since.endswith("Z")
    again = desk.mark("quarantined", "--reason", "its key may be stolen")["marked"]
    assert (again["changed"], again["since"]) == (False, since)
    assert desk.mark("active")["marked"] == {"project": "demo-plugin", "marker": "active", "changed": True}


def test_in_words_it_says_what_it_did(desk: Desk) -> None:
    out, _ = desk.run("mark", "demo-plugin", "archived", "--reason", "no maintainer", *desk.signed)
    for said in ("demo-plugin", "archived", "no maintainer", "files"):
        assert said in out
    out, _ = desk.run("mark", "demo-plugin", "archived", "--reason", "no maintainer", *desk.signed)
    assert "it was so already" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("quarantined",), "--reason"),
        (("active", "--reason", "why"), "--reason"),
        (("lost", "--reason", "why"), "lost"),
        (("archived", "--reason", "two\nlines"), "--reason"),
    ],
)
def test_what_is_no_marking_changes_nothing(arguments: tuple[str, ...], said: str, desk: Desk) -> None:
    before = desk.tree.page().read_bytes()
    _, error = desk.run("mark", "demo-plugin", *arguments, *desk.signed, expect=2)
    assert said in error
    assert desk.tree.page().read_bytes() == before


def test_without_the_release_keys_nothing_is_marked(desk: Desk) -> None:
    _, error = desk.run("mark", "demo-plugin", "quarantined", "--reason", "x", *desk.signed[2:], expect=2)
    assert "--release-key" in error


def test_reindex_names_what_differs_and_writes_it(desk: Desk) -> None:
    assert desk.run("reindex", "--check") == ("", "0 pages are not what they would be\n")
    desk.tree.page().write_text("{}")
    assert json.loads(desk.run("reindex", "--check", "--output", "json", expect=1)[0])["different"] == [
        "simple/demo-plugin/index.json"
    ]
    assert desk.tree.page().read_text() == "{}"
    assert desk.run("reindex") == ("simple/demo-plugin/index.json\n", "1 pages written\n")
    assert json.loads(desk.run("reindex", "--output", "json")[0])["written"] == []
    desk.run("reindex", "--check")


def test_a_refresh_writes_the_root_pages_that_publishes_left_alone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(root_pages, "AT_ONCE", 2)
    desk.run("reindex")  # from now on they bear the mark: there are three projects
    short = projects_on_root(desk.root_page())
    page = desk.tree.root / "simple/another-plugin"
    page.mkdir()
    for name in ("index.html", "index.json"):
        (page / name).touch()
    assert projects_on_root(desk.root_page()) == short
    out, _ = desk.run("refresh", "--online-key", desk.signed[3], "--output", "json")
    assert {"simple/index.json", "simple/index.html", "metadata/timestamp.json"} <= set(json.loads(out)["written"])
    assert set(projects_on_root(desk.root_page())) == {*short, "another-plugin"}
