"""Searching the catalogue of a real registry, and over the development server."""

import urllib.error
import urllib.request
from pathlib import Path

import pytest

from assess_registry.index.tree import Tree
from assess_registry.status.search import answer, search
from tests.support.registry_tree import RegistryTree, make_registry_tree
from tests.support.served import registry_server
from tests.support.status_pages import read_page


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> RegistryTree:
    return make_registry_tree(tmp_path_factory.mktemp("searched"))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("demo", {"Names": ["demo-plugin"]}),
        ("Demo_Plugin", {"Names": ["demo-plugin"]}),
        (" demo-plugin ", {"Names": ["demo-plugin"]}),
        ("cm-6", {"Controls": ["nist-800-53:cm-6"]}),
        ("CM", {"Controls": ["nist-800-53:cm-6"]}),
        ("nist-800-53:cm", {"Controls": ["nist-800-53:cm-6"]}),
        ("other:cm-6", {}),
        ("plug", {"Dependencies": ["pluggy"]}),
        ("emo", {}),
        ("", {}),
        ("../../../etc/passwd", {}),
        ("~demo", {}),
        ("x" * 10_000, {}),
        ("\x00", {}),
    ],
)
def test_what_begins_so_is_found(query: str, found: dict[str, list[str]], tree: RegistryTree) -> None:
    got = {title: [row.key for row in rows] for title, rows in search(Tree(tree.root), query) if rows}
    assert got == found


@pytest.mark.parametrize("query", ["<script>alert(1)</script>", '"onmouseover="x', "\u202edemo"])
def test_what_was_asked_for_stays_words(query: str, tree: RegistryTree) -> None:
    page = read_page(answer(tree.root, query))
    assert not page.problems
    assert {tag for tag, _ in page.starts}.isdisjoint({"script", "img"})
    assert not [name for _, attributes in page.starts for name, _ in attributes if name.startswith("on")]


def test_the_development_server_searches(tree: RegistryTree) -> None:
    with registry_server(tree.root) as url:
        base = url.rstrip("/")
        for path in ("/status/search/index.html?q=demo", "/status/search/?q=demo", "/status/search?q=demo"):
            with urllib.request.urlopen(base + path, timeout=60) as got:
                data = got.read()
                assert got.headers["content-type"].startswith("text/html")
                assert "form-action 'self'" in got.headers["content-security-policy"]
            assert "demo-plugin" in read_page(data).text
        with urllib.request.urlopen(base + "/status/index.html", timeout=60) as got:
            assert b"demo-plugin" in got.read()


def test_damaged_lists_are_no_server_error_without_a_word(tree: RegistryTree, tmp_path: Path) -> None:
    other = tree.copy(tmp_path)
    (other.root / "status" / "names" / "index.json").write_text("{}")
    with registry_server(other.root) as url, pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url.rstrip("/") + "/status/search/?q=demo", timeout=60)
    assert refused.value.code == 503
    assert b"assess-registry refresh" in refused.value.read()
    refused.value.close()
