"""Flat pages: what is written can be read, one more costs the same among ten and 100,000, and lies are refused."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from assess_registry.client import parse_base
from assess_registry.errors import ConfigError, TrustError
from assess_registry.index import flat
from assess_registry.index.flat_tree import write_all_flat_pages, write_flat_pages
from assess_registry.index.pages import PageFile
from assess_registry.index.tree import Tree
from assess_registry.names import ProjectName, Sha256
from assess_registry.simple.index import MAX_ROOT_BYTES
from assess_registry.simple.pages import parse_entries, parse_names, parse_root

DEMO = ProjectName("demo-plugin")
BASE = parse_base("https://registry.example/assess")
MANY = 100_000


def wheel(
    version: str = "1.0.0", project: ProjectName = DEMO, *, python: str = "", yanked: str | None = None
) -> PageFile:
    filename = f"{project.replace('-', '_')}-{version}-py3-none-any.whl"
    digest = Sha256(hashlib.sha256(filename.encode()).hexdigest())
    return PageFile(
        project=project,
        version=version,
        filename=filename,
        sha256=digest,
        size=1234,
        metadata_sha256=digest,
        requires_python=SpecifierSet(python),
        yanked=yanked,
    )


class Published(dict[str, bytes]):
    """Files by path, and what was written to them."""

    def publish(self, project: ProjectName, *files: PageFile) -> list[str]:
        """Write what has to be; gives the paths whose content changed."""
        changed = []
        for path, data in flat.changed_flat_files(project, files, read=self.get):
            if self.get(path) != data:
                changed.append(path)
            if data is None:
                self.pop(path, None)
            else:
                self[path] = data
        return changed


def test_an_entry_says_what_a_simple_client_needs() -> None:
    (entry,) = json.loads(flat.flat_page(DEMO, [wheel(python=">=3.11,<4")]))["plugins"]
    artifact = "../files/demo-plugin/1.0.0/demo_plugin-1.0.0-py3-none-any.whl"
    assert entry == {
        "name": "demo-plugin",
        "version": "1.0.0",
        "artifact": artifact,
        "size": 1234,
        "sha256": wheel().sha256,
        "signature": artifact + ".sig",
        "lock": "../files/demo-plugin/1.0.0/pylock.toml",
        "requires_python": "<4,>=3.11",
    }


def test_what_is_written_is_what_is_read() -> None:
    files = [wheel("1.10.0"), wheel("1.9.0", yanked="it lies"), wheel("2.0.0+local.1", python=">=3.11")]
    entries = parse_entries(flat.flat_page(DEMO, files), DEMO, BASE)
    assert [(entry.version, entry.yanked, entry.requires_python) for entry in entries] == [
        ("1.9.0", "it lies", ""),
        ("1.10.0", None, ""),
        ("2.0.0+local.1", None, ">=3.11"),
    ]
    assert entries[2].artifact.startswith("https://registry.example/assess/files/demo-plugin/2.0.0+local.1/demo_plugin")
    assert entries[2].signature == entries[2].artifact + ".sig"


NAMES = st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,8}){0,2}", fullmatch=True).map(ProjectName)


@settings(max_examples=25, deadline=None)
@given(st.lists(NAMES, unique=True, max_size=20), st.randoms())
def test_publishing_in_any_order_gives_what_is_made_from_scratch(names: list[ProjectName], random: Any) -> None:
    published = Published()
    random.shuffle(names)
    for name in names:
        published.publish(name, wheel(project=name))
    scratch = dict(flat.all_flat_files((name, [wheel(project=name)]) for name in names))
    assert dict(published) == (scratch if names else {})
    shards = parse_root(published[flat.FLAT_ROOT], BASE) if names else ()
    found = [name for shard in shards for name in parse_names(published[flat.names_path(shard)], shard, BASE)]
    assert sorted(found) == sorted(names)


def test_a_page_comes_before_the_list_that_names_it_and_that_before_the_root() -> None:
    assert Published().publish(DEMO, wheel()) == [
        "plugins/demo-plugin.json",
        f"plugins/names/{flat.shard_of(DEMO)}.json",
        "plugins.json",
    ]


def test_a_new_version_changes_one_page_and_the_same_again_none() -> None:
    published = Published()
    published.publish(DEMO, wheel())
    assert published.publish(DEMO, wheel(), wheel("1.1.0")) == ["plugins/demo-plugin.json"]
    assert published.publish(DEMO, wheel(), wheel("1.1.0")) == []


def test_a_plugin_without_wheels_is_in_no_list_and_its_page_stays() -> None:
    published = Published()
    published.publish(DEMO, wheel())
    assert published.publish(DEMO) == [flat.page_path(DEMO), flat.FLAT_ROOT, flat.names_path(flat.shard_of(DEMO))]
    assert parse_root(published[flat.FLAT_ROOT], BASE) == ()
    assert parse_entries(published[flat.page_path(DEMO)], DEMO, BASE) == ()
    assert dict(published) == dict(flat.all_flat_files([(DEMO, [])]))


def test_the_list_stays_while_it_has_another_name() -> None:
    published = Published()
    beside = next(
        name
        for name in map(ProjectName, (f"other-{number}" for number in range(9999)))
        if flat.shard_of(name) == flat.shard_of(DEMO)
    )
    published.publish(DEMO, wheel())
    published.publish(beside, wheel(project=beside))
    published.publish(DEMO)
    (shard,) = parse_root(published[flat.FLAT_ROOT], BASE)
    assert parse_names(published[flat.names_path(shard)], shard, BASE) == (beside,)


def test_among_a_hundred_thousand_the_root_stays_small_and_one_more_writes_a_256th_of_the_names() -> None:
    shards: dict[str, list[ProjectName]] = {}
    for number in range(MANY):
        name = ProjectName(f"some-plugin-{number}")
        shards.setdefault(flat.shard_of(name), []).append(name)
    published = Published({flat.names_path(shard): flat.flat_names(names) for shard, names in shards.items()})
    published[flat.FLAT_ROOT] = flat.flat_root(shards)
    assert len(shards) == 256
    assert len(published[flat.FLAT_ROOT]) < 20_000 < MAX_ROOT_BYTES
    changed = published.publish(DEMO, wheel())
    assert changed == [flat.page_path(DEMO), flat.names_path(flat.shard_of(DEMO))]
    assert sum(len(published[path]) for path in changed) < 40_000


@pytest.mark.parametrize(
    "damage",
    [b"", b"[]", b"{}", b'{"plugins": []}', b'{"plugins": {"Not_Normal": ""}}', b"[" * 100_000],
)
def test_a_damaged_list_is_not_built_upon(damage: bytes) -> None:
    published = Published()
    published.publish(DEMO, wheel())
    path = flat.names_path(flat.shard_of(DEMO))
    published[path] = damage
    with pytest.raises(ConfigError, match=path):
        published.publish(DEMO, wheel())


def test_on_disk_only_what_differs_is_written(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    write_all_flat_pages(tree, ())
    assert tree.written == ["plugins.json"]
    write_flat_pages(tree, DEMO, [wheel()])
    assert tree.written[1:] == ["plugins/demo-plugin.json", f"plugins/names/{flat.shard_of(DEMO)}.json", "plugins.json"]
    again = Tree(tmp_path)
    write_flat_pages(again, DEMO, [wheel()])
    assert again.written == []


def entry(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda page: page["plugins"][0].update(changes)


def without(key: str) -> Callable[[dict[str, Any]], None]:
    return lambda page: page["plugins"][0].pop(key)


WHEEL = "demo_plugin-1.0.0-py3-none-any.whl"
ELSEWHERE = f"../files/demo-plugin/1.0.0/{WHEEL}"
LIES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "schema": (lambda page: page.update(schema=2), "schema: expected 1, got 2"),
    "schema is true": (lambda page: page.update(schema=True), "schema: expected 1, got True"),
    "another project": (lambda page: page.update(name="demo-plugim"), "name: expected 'demo-plugin'"),
    "unknown key": (lambda page: page.update(more=1), "expected the keys"),
    "no list": (lambda page: page.update(plugins={}), "plugins: expected list"),
    "twice": (lambda page: page["plugins"].append(dict(page["plugins"][0])), "listed twice"),
    "entry of another project": (entry(name="demo-plugim"), "plugins[0].name"),
    "version of another": (entry(version="1.1.0"), "plugins[0].version"),
    "link to another host": (entry(artifact="https://evil.example/" + ELSEWHERE[3:]), "outside of the registry"),
    "link to a file": (entry(artifact="file:///etc/" + ELSEWHERE[3:]), "outside of the registry"),
    "link to a parent": (entry(artifact="../../" + ELSEWHERE), "outside of the registry"),
    "link to another place": (entry(artifact="../files/x/1.0.0/" + WHEEL), "plugins[0].artifact"),
    "signature of another": (entry(signature=ELSEWHERE + "x.sig"), "plugins[0].signature"),
    "lock elsewhere": (entry(lock="../files/demo-plugin/1.1.0/pylock.toml"), "plugins[0].lock"),
    "no digest": (without("sha256"), "expected artifact"),
    "short digest": (entry(sha256="ab"), "sha256"),
    "size nothing": (entry(size=0), "plugins[0].size"),
    "size is true": (entry(size=True), "plugins[0].size"),
    "yanked a number": (entry(yanked=1), "plugins[0].yanked"),
    "python nonsense": (entry(requires_python="later"), "later"),
    "entry key": (entry(more=1), "plugins[0]: expected"),
    "another spelling": (
        entry(artifact="../files/demo-plugin/1.0.0/Demo_Plugin-1.0.0-py3-none-any.whl"),
        "filename: expected 'demo_plugin'",
    ),
    "version alias": (
        entry(artifact="../files/demo-plugin/01.0/demo_plugin-01.0-py3-none-any.whl", version="01.0"),
        "not in normal form",
    ),
    "tags without end": (
        entry(artifact="../files/demo-plugin/1.0.0/demo_plugin-1.0.0-" + ".".join("abcdefghijklmnop") + "-"
              + ".".join("abcdefghijklmnop") + "-any.whl"),
        "more tags",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_a_page_that_lies_is_refused(name: str) -> None:
    change, said = LIES[name]
    honest = flat.flat_page(DEMO, [wheel()])
    assert parse_entries(honest, DEMO, BASE)[0].version == "1.0.0"
    page = json.loads(honest)
    change(page)
    with pytest.raises(TrustError) as caught:
        parse_entries(json.dumps(page).encode(), DEMO, BASE)
    assert (caught.value.step, caught.value.thing) == ("index", f"{BASE.url}plugins/demo-plugin.json")
    assert said in str(caught.value)
    assert caught.value.next_step


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"schema": 1, "schema": 1, "plugins": {}}', "occurs twice"),
        ('{"schema": 1, "plugins": {"demo-plugin": "https://evil.example/demo-plugin.json"}}', "demo-plugin: expected"),
        ('{"schema": 1, "plugins": {"demo-plugin": "../other.json"}}', "demo-plugin: expected"),
        ('{"schema": 1, "plugins": {"Demo_Plugin": "../Demo_Plugin.json"}}', "not a normalised"),
        ('{"schema": 1, "plugins": {"other": "../other.json"}}', "does not belong into list"),
        ('{"schema": NaN, "plugins": {}}', "NaN"),
        ("[" * 50_000, "nested"),
    ],
)
def test_a_list_of_names_that_lies_is_refused(text: str, said: str) -> None:
    shard = flat.shard_of(DEMO)
    assert parse_names(flat.flat_names([DEMO]), shard, BASE) == (DEMO,)
    with pytest.raises(TrustError, match=said) as caught:
        parse_names(text.encode(), shard, BASE)
    assert caught.value.step == "index"


@pytest.mark.parametrize(
    "change",
    [
        {"page": "https://evil.example/{name}.json"},
        {"names": {"../x": "plugins/names/../x.json"}},
        {"names": {"3f": "https://evil.example/3f.json"}},
        {"names": {"3F": "plugins/names/3F.json"}},
        {"schema": "1"},
    ],
)
def test_a_root_that_lies_is_refused(change: dict[str, Any]) -> None:
    honest = flat.flat_root(["3f"])
    assert parse_root(honest, BASE) == ("3f",)
    with pytest.raises(TrustError) as caught:
        parse_root(json.dumps(json.loads(honest) | change).encode(), BASE)
    assert (caught.value.step, caught.value.thing) == ("index", f"{BASE.url}plugins.json")
