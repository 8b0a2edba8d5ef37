"""Laws of inspection under mutation: a wheel changed in any one place is refused with a WheelError, or harmless.

Harmless means that what would be unpacked is what RECORD lists and what another reader of the archive sees. Bytes of
the file as such are mutated in test_wheel_inspect.py; here it is header fields, rows of RECORD, lines of texts, files.
"""

import base64
import csv
import hashlib
import io
import zipfile
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from assess_registry.errors import WheelError
from assess_registry.wheel import InspectedWheel, Kind, inspect, unpacked_files
from tests.support.examples import examples
from tests.support.inspection import accepted
from tests.support.wheels import Row, WheelBuilder
from tests.support.zips import DEFLATED, STORED, Member

PLUGIN = WheelBuilder(files={"demo_plugin/__init__.py": "plugin = provider = 1\n", "demo_plugin/data.txt": "x"})
LIBRARY = WheelBuilder.dependency()
BUILDERS: dict[Kind, WheelBuilder] = {"plugin": PLUGIN, "dependency": LIBRARY}
INSTALLERS_OWN = ("RECORD", "RECORD.jws", "RECORD.p7s")

kinds = st.sampled_from(sorted(BUILDERS))


def inspected_or_refused(builder: WheelBuilder, kind: Kind) -> InspectedWheel | None:
    """The law. None when the wheel is refused."""
    data = builder.build()
    try:
        inspected = inspect(data, builder.filename, kind=kind)
    except WheelError:
        return None
    seen = {entry.path: entry for entry in inspected.entries}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}
        assert {path: hashlib.sha256(content).hexdigest() for path, content in files.items()} == {
            path: entry.sha256 for path, entry in seen.items()
        }
    (record,) = (path for path in files if path.endswith(".dist-info/RECORD"))
    rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(files[record].decode(), newline=""))}
    assert {path for path in rows if path.rpartition("/")[2] not in INSTALLERS_OWN} == {
        path for path in files if path.rpartition("/")[2] not in INSTALLERS_OWN
    }
    for path, (digest, _) in rows.items():
        if path != record:
            assert digest == "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(files[path]).digest()).decode()[:-1]
    for file in unpacked_files(data, inspected):
        assert file.data in files.values()
        assert not file.path.startswith("/")
        assert ".." not in file.path.split("/")
    return inspected


def test_control_the_unchanged_wheels_are_accepted() -> None:
    for kind, builder in BUILDERS.items():
        assert inspected_or_refused(builder, kind) is not None


SHORT, LONG = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "needed": SHORT,
    "flags": SHORT | st.sampled_from([1 << bit for bit in range(16)]),
    "method": SHORT | st.sampled_from([STORED, DEFLATED]),
    "time": SHORT,
    "date": SHORT,
    "crc": LONG,
    "compressed": LONG | st.integers(0, 300),
    "size": LONG | st.integers(0, 300),
    "name": st.binary(max_size=12) | st.sampled_from([b"demo_plugin/data.txt", b"../x", b"somelib/"]),
    "extra": st.binary(max_size=24) | st.sampled_from([b"UT\x01\x00\x00", b"\x01\x00\x10\x00" + bytes(16)]),
}
CENTRAL_FIELDS = FIELDS | {
    "made": SHORT,
    "comment": st.binary(max_size=4),
    "disk": SHORT,
    "internal": SHORT,
    "external": LONG | st.sampled_from([mode << 16 for mode in (0o100644, 0o120777, 0o040755, 0o104755)]),
    "offset": LONG | st.integers(0, 1000),
}
END_FIELDS = {
    "disk": SHORT,
    "start_disk": SHORT,
    "here": SHORT | st.integers(0, 9),
    "total": SHORT | st.integers(0, 9),
    "size": LONG | st.integers(0, 2000),
    "offset": LONG | st.integers(0, 4000),
    "comment_length": SHORT,
}


def one_field(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of([st.fixed_dictionaries({name: values}) for name, values in fields.items()])


local_changes = one_field(FIELDS).map(lambda change: {"local": change})
central_changes = one_field(CENTRAL_FIELDS).map(lambda change: {"central": change})
both_changes = one_field(FIELDS).map(lambda change: {"local": change, "central": change})
around_changes = st.fixed_dictionaries({"before": st.binary(max_size=4), "after": st.binary(max_size=16)})


@settings(max_examples=examples(150), deadline=None)
@given(kinds, st.integers(0, 4), local_changes | central_changes | both_changes | around_changes)
def test_no_header_field_changes_what_is_unpacked(kind: Kind, which: int, change: dict[str, Any]) -> None:
    builder = BUILDERS[kind]
    paths = [*builder.contents(), "RECORD"]
    chosen = paths[which % len(paths)]
    changed = builder.but(member=lambda member: replace(member, **change) if member.name.endswith(chosen) else member)
    inspected = inspected_or_refused(changed, kind)
    if inspected is not None:
        assert [entry.sha256 for entry in inspected.entries] == [
            entry.sha256 for entry in accepted(builder, kind).entries
        ]


@settings(max_examples=examples(60), deadline=None)
@given(kinds, one_field(END_FIELDS))
def test_no_field_of_the_end_record_changes_what_is_unpacked(kind: Kind, end: dict[str, int]) -> None:
    builder = BUILDERS[kind]
    inspected = inspected_or_refused(builder.but(zip_options={"end": end}), kind)
    assert inspected is None or inspected.entries == accepted(builder, kind).entries


paths = st.sampled_from(
    [*PLUGIN.contents(), *LIBRARY.contents(), "", "x", "../x", "/x", "demo_plugin/DATA.txt", "RECORD", 'a"b', "a\nb"]
) | st.text(max_size=5)
digests = st.sampled_from(["", "sha256=", "md5=AA", "sha256=" + "A" * 43]) | st.text(max_size=6)
sizes = st.sampled_from(["", "0", "1", "22", "-1", "1e3", "9" * 12]) | st.text(max_size=3)


@st.composite
def row_edits(draw: st.DrawFn) -> Any:
    """Take a row out, put one in, change one of its fields, or swap two."""
    at, other = draw(st.integers(0, 9)), draw(st.integers(0, 9))
    row = draw(st.tuples(paths, digests, sizes))
    field, action = draw(st.integers(0, 2)), draw(st.sampled_from(["drop", "insert", "change", "swap", "repeat"]))

    def edit(rows: list[Row]) -> list[Row]:
        i, j = at % len(rows), other % len(rows)
        changed = list(rows)
        if action == "drop":
            del changed[i]
        elif action == "insert":
            changed.insert(i, row)
        elif action == "repeat":
            changed.insert(j, rows[i])
        elif action == "swap":
            changed[i], changed[j] = (rows[i][0], *rows[j][1:]), (rows[j][0], *rows[i][1:])
        else:
            changed[i] = (*rows[i][:field], row[field], *rows[i][field + 1 :])  # type: ignore[assignment]
        return changed

    return edit


@settings(max_examples=examples(120), deadline=None)
@given(kinds, row_edits())
def test_no_row_of_record_lets_in_what_is_not_listed(kind: Kind, edit: Any) -> None:
    inspected_or_refused(BUILDERS[kind].but(record=edit), kind)


TEXTS = ("METADATA", "WHEEL", "entry_points.txt", "assess-plugin.toml")
VALUES = st.sampled_from(
    [
        "",
        "1.0.0",
        "2.0",
        "demo-plugin",
        "somelib",
        "py3-none-any",
        "--",
        "!-/-x",
        "true",
        "[",
        "]",
        "(((",
        "=?utf-8?q??=",
        "assess-plugin @ file:///x",
        "x; extra == 'y'",
        ">=3.11",
        "\x1b[2J",
        "demo_plugin:plugin",
        '"',
        "\u202e",
        "\ud7ff",
    ]
) | st.text(max_size=8)


@settings(max_examples=examples(200), deadline=None)
@given(
    kinds,
    st.sampled_from(TEXTS),
    st.integers(0, 60),
    st.sampled_from(["drop", "repeat", "value", "cut", "new"]),
    VALUES,
)
def test_no_line_of_a_text_crashes_the_inspector(kind: Kind, name: str, at: int, action: str, value: str) -> None:
    builder = BUILDERS[kind]
    path, old = next(
        ((path, content) for path, content in builder.contents().items() if path.endswith(f"/{name}")), ("", b"")
    )
    lines = old.decode().splitlines() or [""]
    i = at % len(lines)
    key, separator, _ = lines[i].partition(": ") if ": " in lines[i] else lines[i].partition(" = ")
    edits = {
        "drop": lines[:i] + lines[i + 1 :],
        "repeat": [*lines, lines[i]],
        "value": [*lines[:i], f"{key}{separator}{value}", *lines[i + 1 :]],
        "cut": [*lines[:i], lines[i][: len(value)]],
        "new": [*lines[:i], value, *lines[i:]],
    }
    text = "\n".join(edits[action]).encode("utf-8", "surrogatepass") + b"\n"
    field = {
        "METADATA": "metadata",
        "WHEEL": "wheel",
        "entry_points.txt": "entry_points",
        "assess-plugin.toml": "manifest",
    }
    given_text: Any = text.decode("utf-8", "replace") if name in TEXTS[2:] else text
    inspected = inspected_or_refused(builder.but(**{field[name]: given_text}), kind)
    if inspected is not None and path:
        assert inspected.project == builder.name
        assert inspected.version == "1.0.0"


names = st.text(alphabet="ab.AB/\\:_-~ é\u0301\u202e\0", min_size=1, max_size=10)


@settings(max_examples=examples(100), deadline=None)
@given(kinds, st.lists(st.tuples(names, st.binary(max_size=8)), max_size=3), st.booleans())
def test_no_added_file_is_unpacked_unlisted_or_outside(kind: Kind, more: list[tuple[str, bytes]], listed: bool) -> None:
    builder = BUILDERS[kind]
    root = builder.module
    files = {f"{root}/{name}": content for name, content in more}
    if listed:
        inspected_or_refused(builder.but(files=dict(builder.files or {}) | files), kind)
    else:
        inspected = inspected_or_refused(builder.but(extra=tuple(Member(*each) for each in files.items())), kind)
        assert (inspected is None) == bool(files) or all(name.endswith("/") for name in files)
