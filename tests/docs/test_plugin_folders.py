"""docs/plugin-folders.md shows pages as they are written, and names that exist."""

import json
import re
from pathlib import Path

import assess_registry
from assess_registry.client import parse_base
from assess_registry.index import flat
from assess_registry.names import ProjectName
from assess_registry.simple.pages import parse_entries, parse_names, parse_root

TEXT = (Path(__file__).parents[2] / "docs" / "plugin-folders.md").read_text()
BASE = parse_base("https://plugins.example.org")
DEMO = ProjectName("demo-plugin")


def test_the_pages_shown_are_read_by_the_strict_reader_and_agree() -> None:
    root, page, names = (
        block.encode() for block in re.findall(r"^```json\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    )
    (shard,) = parse_root(root, BASE)
    assert parse_names(names, shard, BASE) == (DEMO,)
    (entry,) = parse_entries(page, DEMO, BASE)
    assert entry.artifact == f"{BASE.url}files/demo-plugin/1.2.0/{entry.filename}"
    assert json.loads(root) == json.loads(flat.flat_root([shard]))
    assert json.loads(names) == json.loads(flat.flat_names([DEMO]))


def test_the_names_shown_are_those_that_programs_have() -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    imported = re.findall(r"^from assess_registry import (.+)$", block, re.MULTILINE)[0].split(", ")
    of_folders = set(assess_registry.__all__) - {"ScaffoldReport", "scaffold"}  # docs/plugin-authors.md
    assert set(imported) == {name for name in of_folders if name.islower()}
    for name in of_folders - set(imported):
        assert re.search(rf"\b{name}\b", TEXT)
    compile(block, "docs/plugin-folders.md", "exec")
