"""Lists in parts: bounded, complete, the same whatever came first, and one branch for one row more."""

import random
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assess_registry.errors import ConfigError
from assess_registry.status.shelf import PART_ROWS, Part, Row, all_parts, beginning_with, part_place, read_part
from assess_registry.status.shelf_changes import Gone, with_row, without_row

SHELF = "names"


class Files:
    """A shelf as its files."""

    def __init__(self, parts: Iterable[Part] = ()) -> None:
        self.files: dict[str, bytes] = {}
        self.put(parts)

    def put(self, changes: Iterable[Part | Gone]) -> list[Part]:
        written = []
        for change in changes:
            path = f"{part_place(SHELF, change.prefix)}/index.json"
            if isinstance(change, Part):
                self.files[path] = change.data()
                written.append(change)
            else:
                del self.files[path]
        return written

    def read(self, path: str) -> bytes | None:
        return self.files.get(path)

    def add(self, key: str, title: str = "") -> list[Part]:
        return self.put(with_row(SHELF, row(key, title), read=self.read))

    def part(self, prefix: str) -> Part:
        part = read_part(SHELF, prefix, read=self.read)
        assert part is not None, prefix
        return part

    def walk(self, prefix: str = "") -> Iterator[Row]:
        part = self.part(prefix)
        yield from part.rows
        for jump in part.below.values():
            yield from self.walk(jump)


def row(key: str, title: str = "") -> Row:
    return Row(key=key, place=f"projects/{key}", title=title)


def names(count: int) -> list[str]:
    return [f"acme-{word}-{number:04}" for number in range(count // 4) for word in ("audit", "base", "cloud", "db")]


def test_a_short_list_is_one_part() -> None:
    (part,) = all_parts([row("b"), row("a")])
    assert part == Part(prefix="", rows=(row("a"), row("b")))


def test_a_long_list_is_reached_by_links_that_offer_a_choice() -> None:
    files = Files(all_parts(row(name) for name in names(1000)))
    assert files.part("").below == {"a": "acme-"}
    assert files.part("acme-").below == {
        "a": "acme-audit-0",
        "b": "acme-base-0",
        "c": "acme-cloud-0",
        "d": "acme-db-0",
    }
    assert files.part("").jump == "acme-"
    assert sorted(each.key for each in files.walk()) == sorted(names(1000))


def test_every_part_is_bounded() -> None:
    parts = list(all_parts(row(name) for name in names(1000)))
    assert max(len(part.rows) for part in parts) <= PART_ROWS
    assert len(parts) < 60


def test_parts_depend_on_the_rows_and_not_on_their_order() -> None:
    keys = [*names(240), "acme", "acme-", "acme-audit-0", "zebra"]
    whole = Files(all_parts(row(key) for key in keys))
    for seed in range(2):
        grown, order = Files(), list(keys)
        random.Random(seed).shuffle(order)
        for key in order:
            grown.add(key)
        assert grown.files == whole.files


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text("ab-", min_size=1, max_size=5), min_size=1, max_size=40, unique=True))
def test_rows_put_in_one_by_one_are_all_found(keys: list[str]) -> None:
    files = Files()
    for key in keys:
        files.add(key)
    assert sorted(each.key for each in files.walk()) == sorted(keys)


def test_one_more_among_ten_thousand_writes_one_branch() -> None:
    files = Files(all_parts(row(name) for name in names(10_000)))
    among_ten_thousand = files.add("acme-base-1234x")
    few = Files(all_parts(row(name) for name in names(100)))
    assert len(among_ten_thousand) <= len(few.add("acme-base-1234x")) + 2
    assert sum(len(part.data()) for part in among_ten_thousand) < 10_000


def test_a_row_takes_the_place_of_the_one_with_its_key() -> None:
    files = Files(all_parts([row("a", "old"), row("b")]))
    files.add("a", "new")
    assert list(files.walk()) == [row("a", "new"), row("b")]


def test_a_beginning_that_is_a_name_itself_is_kept_above_the_others() -> None:
    files = Files(all_parts(row(name) for name in names(200)))
    files.add("acme-")
    assert files.part("acme-").rows == (row("acme-"),)
    assert row("acme-") in list(files.walk())


@pytest.mark.parametrize("start", ["", "a", "acme-", "acme-base-000", "acme-base-0001", "acme-base-0001x", "b"])
def test_rows_are_found_by_how_they_begin(start: str) -> None:
    files = Files(all_parts(row(name) for name in [*names(1000), "acme-"]))
    found = [each.key for each in beginning_with(SHELF, start, read=files.read)]
    assert found == sorted(name for name in [*names(1000), "acme-"] if name.startswith(start))


def test_a_row_is_taken_out() -> None:
    files = Files(all_parts(row(name) for name in names(1000)))
    gone = names(1000)[17]
    files.put(without_row(SHELF, gone, read=files.read))
    assert gone not in [each.key for each in files.walk()]
    assert len(list(files.walk())) == 999


def test_parts_are_joined_again_when_rows_go() -> None:
    keys = [*names(240), "acme", "acme-", "zebra"]
    order = list(keys)
    random.Random(7).shuffle(order)
    files = Files(all_parts(row(key) for key in keys))
    for number, key in enumerate(order, 1):
        files.put(without_row(SHELF, key, read=files.read))
        if number % 20 == 0 or number == len(order):
            assert files.files == Files(all_parts(row(each) for each in order[number:])).files, number


def test_taking_out_what_is_not_there_changes_nothing() -> None:
    files = Files(all_parts(row(name) for name in names(1000)))
    before = dict(files.files)
    files.put(without_row(SHELF, names(1000)[3] + "x", read=files.read))
    assert files.files == before


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"schema":1,"prefix":"x","rows":[],"below":{}}',
        b'{"schema":1,"prefix":"","rows":[{}],"below":{}}',
    ],
)
def test_a_part_that_somebody_changed_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(ConfigError, match=r"names/index\.json: not what was written there"):
        read_part(SHELF, "", read=lambda _: data)
    assert read_part(SHELF, "", read=lambda _: Part(prefix="").data()) == Part(prefix="")
