"""Root pages name every project; up to a number of them with each publish, and then whenever they are refreshed."""

import json
from pathlib import Path

import pytest

from assess_registry.index.pages import HTML_NAME, JSON_NAME
from assess_registry.index.root_pages import AT_ONCE, MARK_BYTES, is_late, projects_on_root, root_html, root_json
from assess_registry.index.root_tree import add_to_root_pages, write_root_pages
from assess_registry.index.tree import SIMPLE, Tree
from assess_registry.names import ProjectName
from tests.unit.registry.test_pages import Anchors

DEMO = ProjectName("demo-plugin")
MANY = [ProjectName(f"project-{number:05}") for number in range(AT_ONCE)]


def linked(page: bytes) -> list[tuple[str | None, str]]:
    return [(attributes["href"], text) for attributes, text in Anchors(page).anchors]


def test_the_root_links_each_project_to_its_page() -> None:
    names = [ProjectName("pluggy"), DEMO]
    assert linked(root_html(names)) == [("demo-plugin/", "demo-plugin"), ("pluggy/", "pluggy")]
    assert json.loads(root_json(names)) == {
        "meta": {"api-version": "1.4"},
        "projects": [{"name": "demo-plugin"}, {"name": "pluggy"}],
    }


def test_an_empty_index_is_a_valid_one() -> None:
    assert json.loads(root_json([]))["projects"] == []
    assert linked(root_html([])) == []


def test_the_same_names_in_any_order_give_the_same_bytes() -> None:
    names = [ProjectName(name) for name in ("b", "a-c", "a")]
    assert root_html(names) == root_html(names[::-1])
    assert root_json(names) == root_json(names[::-1])


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_root_page_is_written_as_every_other_json(count: int) -> None:
    page = root_json([ProjectName(f'demo-{number}"') for number in range(count)])
    assert page == (json.dumps(json.loads(page), indent=1) + "\n").encode()


def test_a_name_cannot_become_markup() -> None:
    assert "script" not in Anchors(root_html([ProjectName('x"><script>alert(1)</script>')])).tags


def test_a_root_page_gives_back_the_projects_it_was_made_from() -> None:
    other = ProjectName("another")
    assert projects_on_root(root_json([DEMO, other])) == (other, DEMO)
    for bad in (b"", b"[]", b"{}", b'{"projects": [{}]}', b'{"projects": [{"name": "A"}]}'):
        with pytest.raises(ValueError, match=r"."):
            projects_on_root(bad)


def test_both_pages_say_from_when_on_they_are_late_and_clients_do_not_mind() -> None:
    assert not is_late(root_json(MANY)[:MARK_BYTES])
    assert b"last refresh" not in root_html(MANY)
    late = [*MANY, DEMO]
    assert is_late(root_json(late)[:MARK_BYTES])
    assert b"<p>Lists the projects of the last refresh" in root_html(late)
    assert len(json.loads(root_json(late))["projects"]) == len(linked(root_html(late))) == len(late)


class Index:
    """Root pages in a directory, and pages of projects that are empty files."""

    def __init__(self, root: Path) -> None:
        self.tree = Tree(root)

    def publish(self, *names: ProjectName) -> list[str]:
        for name in names:
            for page in (HTML_NAME, JSON_NAME):
                path = self.tree.root / SIMPLE / name / page
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        add_to_root_pages(self.tree, names)
        return self.taken()

    def refresh(self) -> list[str]:
        write_root_pages(self.tree)
        return self.taken()

    def fill(self, names: list[ProjectName]) -> None:
        """As if `names` had been listed, without the files of their pages."""
        (self.tree.root / SIMPLE).mkdir(exist_ok=True)
        self.page(JSON_NAME).write_bytes(root_json(names))
        self.page(HTML_NAME).write_bytes(root_html(names))

    def page(self, name: str) -> Path:
        return self.tree.root / SIMPLE / name

    def names(self) -> tuple[ProjectName, ...]:
        return projects_on_root(self.page(JSON_NAME).read_bytes())

    def taken(self) -> list[str]:
        written = list(self.tree.written)
        self.tree.written.clear()
        return written


BOTH = ["simple/index.json", "simple/index.html"]


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(tmp_path)


def test_a_publish_adds_to_short_root_pages_and_writes_them_only_when_something_is_new(index: Index) -> None:
    assert index.publish(DEMO) == BOTH
    assert index.publish(DEMO) == []
    assert index.publish(MANY[0], DEMO) == BOTH
    assert index.names() == (DEMO, MANY[0])
    assert index.refresh() == []


def test_the_publish_that_makes_them_long_writes_them_once_more(index: Index) -> None:
    index.fill(MANY)
    assert index.publish(DEMO) == BOTH
    assert len(index.names()) == AT_ONCE + 1
    assert is_late(index.page(JSON_NAME).read_bytes()[:MARK_BYTES])


def test_a_publish_leaves_long_root_pages_to_a_refresh(index: Index) -> None:
    index.fill([*MANY, ProjectName("other")])
    before = index.page(JSON_NAME).read_bytes()
    assert index.publish(DEMO) == []
    assert index.page(JSON_NAME).read_bytes() == before
    assert index.refresh() == BOTH
    assert index.names() == (DEMO,)  # the only one that has pages


@pytest.mark.parametrize("damage", [b"", b"{}", b"x" * (2 << 20)], ids=["empty", "another", "longer than any"])
def test_short_root_pages_that_somebody_changed_are_made_from_what_there_is(index: Index, damage: bytes) -> None:
    index.publish(MANY[0])
    index.page(JSON_NAME).write_bytes(damage)
    index.publish(DEMO)
    assert index.names() == (DEMO, MANY[0])


@pytest.mark.parametrize("name", [HTML_NAME, JSON_NAME])
def test_one_that_is_missing_is_made(index: Index, name: str) -> None:
    index.publish(MANY[0])
    index.page(name).unlink()
    index.publish(DEMO)
    assert linked(index.page(HTML_NAME).read_bytes()) == [("demo-plugin/", "demo-plugin"), (f"{MANY[0]}/", MANY[0])]
    assert index.names() == (DEMO, MANY[0])
