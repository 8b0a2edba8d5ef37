"""Each change is told of once, when it has come to rest."""

import os
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from assess_core.config import parse
from assess_core.live.changes import Changes, Look, Noticing, Stamp, Topic, places_of, stamp_of
from tests.support.examples import examples

FILE = (Topic.CONFIGURATION, Path("/assess.toml"))
FOLDER = (Topic.FOLDERS, Path("/plugins"))


def at(number: int) -> Stamp:
    return (("", 1, number, 1, 1),) if number else ()


def look(file: int, folder: int = 1) -> Look:
    return {FILE: at(file), FOLDER: at(folder)}


def test_a_change_is_told_of_at_the_second_look_that_sees_it_and_never_again() -> None:
    noticing = Noticing()
    noticing.expect(look(1))
    told = [noticing.changed(look(number)) for number in (1, 2, 2, 2, 3, 4, 4, 0, 0, 4)]
    change = frozenset({Topic.CONFIGURATION})
    nothing = frozenset[Topic]()
    assert told == [nothing, nothing, change, nothing, nothing, nothing, change, nothing, change, nothing]


def test_what_was_changed_back_before_it_was_told_of_is_no_change() -> None:
    noticing = Noticing()
    noticing.expect(look(1))
    assert [noticing.changed(look(number)) for number in (2, 1, 1)] == [frozenset()] * 3


def test_a_place_that_is_new_is_as_it_is_to_be_and_one_that_is_gone_says_nothing() -> None:
    noticing = Noticing()
    noticing.expect({FILE: at(1)})
    assert noticing.changed(look(1, 5)) == frozenset()
    noticing.expect(look(1, 7))
    noticing.changed(look(1, 8))
    assert noticing.changed(look(1, 8)) == {Topic.FOLDERS}
    noticing.expect({FILE: at(9)})  # watched already: a change since the last look is not forgotten
    assert [noticing.changed(look(2, 9)), noticing.changed(look(2, 9))] == [frozenset(), {Topic.CONFIGURATION}]


@settings(max_examples=examples(50))
@given(st.lists(st.integers(min_value=0, max_value=2), max_size=12))
def test_whatever_came_before_two_equal_looks_end_at_what_is(numbers: list[int]) -> None:
    noticing = Noticing()
    noticing.expect(look(0))
    told = 0
    for number in (*numbers, 2, 2):
        if noticing.changed(look(number)):
            told = number
    assert told == 2


def test_a_configuration_goes_by_its_files_folders_and_the_state(tmp_path: Path) -> None:
    text = (
        '[registry]\nurl = "file:r"\nroot = "1.root.json"\nca_file = "ca.pem"\n'
        '[[plugins]]\ndir = "plugins"\ntrusted_keys = "keys"\n'
    )
    places = places_of(
        parse(text.encode(), tmp_path / "assess.toml"), state=tmp_path / "state", interpreters=[Path("/p")]
    )
    by_topic = {topic: {path.name for of, path in places if of is topic} for topic in Topic}
    assert by_topic == {
        Topic.CONFIGURATION: {"assess.toml", "1.root.json", "ca.pem"},
        Topic.FOLDERS: {"plugins", "keys"},
        Topic.INTERPRETERS: {"p"},
        Topic.STATE: {"active", "choices", "consents", "quarantine"},
    }


def test_files_that_are_replaced_removed_or_come_change_a_folder_and_hidden_ones_do_not(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "a").write_text("a")
    before = stamp_of(tmp_path)
    (inner / ".tmp-b").write_text("b")
    (inner / ".demo.lock").touch()
    (inner / ".demo.lock").unlink()
    assert stamp_of(tmp_path) == before
    (inner / ".tmp-b").rename(inner / "a")
    replaced = stamp_of(tmp_path)
    assert [entry[0] for entry in replaced] == [entry[0] for entry in before] == ["", "inner", "inner/a"]
    assert replaced != before
    (inner / "b").touch()
    assert len(stamp_of(tmp_path)) == 4
    (inner / "a").unlink()
    assert "inner/a" not in {entry[0] for entry in stamp_of(tmp_path)}
    assert stamp_of(tmp_path / "gone") == ()


def test_a_file_of_the_same_length_and_time_under_the_same_name_is_another(tmp_path: Path) -> None:
    path, other = tmp_path / "assess.toml", tmp_path / "other"
    for each in (path, other):
        each.write_text("same")
        os.utime(each, ns=(1, 1))
    changes = Changes()
    changes.watch([(Topic.CONFIGURATION, path)])
    other.replace(path)
    assert [changes.look(), changes.look(), changes.look()] == [frozenset(), {Topic.CONFIGURATION}, frozenset()]
