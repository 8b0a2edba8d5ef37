import io
import sys
import zipfile
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assess_registry.errors import WheelError
from assess_registry.wheel import InspectedWheel, Kind, UnpackedFile, inspect, unpacked_files
from tests.support.examples import examples
from tests.support.inspection import accepted, ids, refused
from tests.support.wheels import WheelBuilder, demo_manifest, demo_plugin_wheel
from tests.support.zips import EXECUTABLE, Member

PLUGIN = WheelBuilder(
    files={"demo_plugin/__init__.py": "plugin = provider = 1\n"},
    manifest=demo_manifest(checks=("demo-one",)),
    member=lambda member: replace(member, mode=EXECUTABLE) if member.name.endswith("toml") else member,
)
DATA = PLUGIN.build()
LIBRARY = WheelBuilder.dependency()
LIBRARY_DATA = LIBRARY.build()
CASES: list[tuple[bytes, str, Kind]] = [
    (DATA, PLUGIN.filename, "plugin"),
    (LIBRARY_DATA, LIBRARY.filename, "dependency"),
]


def contents(data: bytes, inspected: InspectedWheel) -> dict[str, bytes]:
    return {file.path: file.data for file in unpacked_files(data, inspected)}


def survives(original: bytes, changed: bytes, filename: str, kind: Kind) -> None:
    """A changed wheel is refused with a WheelError, or it unpacks to the same files, also with another zip reader."""
    try:
        inspected = inspect(changed, filename, kind=kind)
    except WheelError:
        return
    assert contents(changed, inspected) == contents(original, inspect(original, filename, kind=kind))
    with zipfile.ZipFile(io.BytesIO(changed)) as archive:
        assert archive.namelist() == [entry.path for entry in inspected.entries]


@settings(max_examples=examples(150), deadline=None)
@given(
    st.sampled_from(CASES), st.integers(0, min(len(DATA), len(LIBRARY_DATA)) - 1), st.integers(1, 255), st.booleans()
)
def test_no_changed_byte_is_unpacked(case: tuple[bytes, str, Kind], at: int, change: int, from_end: bool) -> None:
    data, filename, kind = case
    at = len(data) - 1 - at if from_end else at
    survives(data, data[:at] + bytes((data[at] ^ change,)) + data[at + 1 :], filename, kind)


@settings(max_examples=examples(80), deadline=None)
@given(st.sampled_from(CASES), st.data(), st.binary(max_size=6))
def test_no_cut_or_inserted_bytes_are_unpacked(case: tuple[bytes, str, Kind], draw: st.DataObject, new: bytes) -> None:
    data, filename, kind = case
    start = draw.draw(st.integers(0, len(data)))
    stop = draw.draw(st.integers(start, min(len(data), start + 60)))
    survives(data, data[:start] + new + data[stop:], filename, kind)


@given(st.binary(max_size=100))
def test_any_bytes_are_refused_with_a_wheel_error(data: bytes) -> None:
    with pytest.raises(WheelError):
        inspect(data, PLUGIN.filename, kind="plugin")


FIELDS = [
    "Metadata-Version",
    "Name",
    "Version",
    "Requires-Python",
    "Requires-Dist",
    "Import-Name",
    "License-File",
    "License-Expression",
    "Dynamic",
    "Wheel-Version",
    "Root-Is-Purelib",
    "Tag",
    "Build",
    "Keywords",
    "Project-URL",
    "Classifier",
    "Content-Type",
    "Provides-Extra",
]
words = st.sampled_from(
    ["1.0.0", "demo-plugin", "(", ")", ";", "=?utf-8?b?a?=", "[x]", ">=3", "@", "\n ", "\xfc", ":", " ", "py3-none-any"]
)
lines = st.tuples(st.sampled_from(FIELDS), st.lists(words, max_size=4)).map(
    lambda line: f"{line[0]}: {''.join(line[1])}"
)
texts = st.binary(max_size=40) | st.lists(lines | st.text(max_size=10), max_size=6).map(
    lambda each: "\n".join(each).encode()
)


@settings(max_examples=examples(150), deadline=None)
@given(st.sampled_from(["metadata", "wheel", "record", "entry_points", "manifest"]), texts)
def test_whatever_its_texts_say_a_wheel_is_accepted_or_refused_with_a_wheel_error(which: str, text: bytes) -> None:
    builder = PLUGIN.but(
        **{which: text if which not in ("entry_points", "manifest") else text.decode("utf-8", "ignore")}
    )
    for kind in ("plugin", "dependency"):
        try:
            inspected = inspect(builder.build(), builder.filename, kind=kind)
        except WheelError:
            continue
        assert inspected.project == "demo-plugin"


def test_an_accepted_wheel_says_what_zipfile_says() -> None:
    inspected = accepted(PLUGIN)
    with zipfile.ZipFile(io.BytesIO(DATA)) as archive:
        assert contents(DATA, inspected) == {
            info.filename: archive.read(info) for info in archive.infolist() if not info.filename.endswith("/RECORD")
        }
    assert inspected.size == len(DATA)
    assert (inspected.project, inspected.version) == ("demo-plugin", "1.0.0")
    assert [str(tag) for tag in inspected.tags] == ["py3-none-any"]


def test_unpacked_files_carry_their_mode_and_leave_record_out() -> None:
    files = list(unpacked_files(DATA, accepted(PLUGIN)))
    assert files[0] == UnpackedFile(path="demo_plugin/__init__.py", data=b"plugin = provider = 1\n", executable=False)
    assert [file.path for file in files if file.executable] == ["demo_plugin/assess-plugin.toml"]
    assert not any(file.path.endswith("RECORD") for file in files)


def test_other_bytes_than_the_inspected_ones_are_not_unpacked() -> None:
    other = PLUGIN.but(files={"demo_plugin/__init__.py": "plugin = provider = 2\n"}).build()
    with pytest.raises(WheelError, match="changed-since-inspection"):
        list(unpacked_files(other, accepted(PLUGIN)))


@pytest.mark.parametrize("change", [{"sha256": "0" * 64}, {"size": 3}, {"path": "demo_plugin/other.py"}])
def test_every_file_is_compared_again_while_it_is_unpacked(change: dict[str, Any]) -> None:
    inspected = accepted(PLUGIN)
    first, *rest = inspected.entries
    lying = replace(inspected, entries=(replace(first, **change), *rest))
    unpacking = unpacked_files(DATA, lying)
    with pytest.raises(WheelError, match="changed-since-inspection"):
        next(unpacking)
    assert len(list(unpacked_files(DATA, inspected))) == len(inspected.entries) - 1


def test_problems_of_all_kinds_come_at_once() -> None:
    builder = PLUGIN.but(
        metadata="Metadata-Version: 2.4\nName: other\nVersion: 1.0.0\n",
        wheel="Wheel-Version: 3.0\n",
        entry_points="[assess.plugins]\nDemo = os:system\n",
        manifest="schema = 1\n",
        extra=(Member("evil.py", b""),),
        given_filename="Demo_plugin-1.0.0-py3-none-any.whl",
    )
    found = ids(refused(builder))
    assert {
        "dist-info",
        "entry-point-module",
        "entry-point-name",
        "filename-not-normal",
        "manifest-missing-key",
        "metadata",
        "record-unlisted",
        "undeclared-top-level",
        "wheel-file",
    } <= set(found)


def test_the_error_names_the_wheel_and_every_issue() -> None:
    with pytest.raises(WheelError) as caught:
        inspect(b"", "x-1-py3-none-any.whl", kind="dependency")
    assert caught.value.filename == "x-1-py3-none-any.whl"
    assert "framing-end" in str(caught.value)


def test_hostile_names_reach_nobodys_terminal() -> None:
    builder = PLUGIN.but(
        extra=(Member("demo_plugin/\x1b]0;evil\x07.py", b""), Member("demo_plugin/\u202eyp.evil", b""))
    )
    with pytest.raises(WheelError) as caught:
        inspect(builder.build(), builder.filename, kind="plugin")
    assert all(line.isprintable() for line in str(caught.value).split("\n"))


def test_nothing_of_the_wheel_is_imported() -> None:
    before = set(sys.modules)
    filename, data = demo_plugin_wheel(source="raise SystemExit('imported')")
    inspect(data, filename, kind="plugin")
    assert "demo_plugin" not in set(sys.modules) - before


def test_the_demonstration_wheel_is_accepted_in_every_version() -> None:
    for version in ("1.0.0", "1.0", "2.0rc1", "1.0.post1", "1!2.0"):
        filename, data = demo_plugin_wheel(version)
        assert inspect(data, filename, kind="plugin").version == version
