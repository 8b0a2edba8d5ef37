import base64
import hashlib
from collections.abc import Callable, Iterable

import pytest

from tests.support.inspection import accepted, ids, refused
from tests.support.wheels import Row, WheelBuilder, record_row
from tests.support.zips import Member

PLUGIN = WheelBuilder()
LIBRARY = WheelBuilder.dependency()
RECORD = f"{PLUGIN.dist_info}/RECORD"

Edit = Callable[[list[Row]], Iterable[Row]]


def first(edit: Callable[[Row], Row]) -> Edit:
    """Change the row of the module."""
    return lambda rows: [edit(rows[0]), *rows[1:]]


def padded(row: Row) -> Row:
    return (row[0], row[1] + "=", row[2])


ATTACKS: dict[str, tuple[Edit, list[str]]] = {
    "unlisted file": (lambda rows: rows[1:], ["record-unlisted"]),
    "phantom row": (lambda rows: [*rows, record_row("demo_plugin/more.py", b"x")], ["record-phantom"]),
    "phantom row outside": (lambda rows: [*rows, record_row("../../etc/passwd", b"x")], ["record-phantom"]),
    "phantom absolute row": (lambda rows: [*rows, ("/etc/passwd", "", "")], ["record-phantom"]),
    "row twice": (lambda rows: [rows[0], *rows], ["record-twice"]),
    "wrong hash": (first(lambda row: (row[0], record_row("x", b"other")[1], row[2])), ["record-hash-mismatch"]),
    "no hash": (first(lambda row: (row[0], "", row[2])), ["record-hash"]),
    "md5": (first(lambda row: (row[0], "md5=1B2M2Y8AsgTpgAmY7PhCfg", row[2])), ["record-hash"]),
    "upper-case algorithm": (first(lambda row: (row[0], row[1].replace("sha256", "SHA256"), row[2])), ["record-hash"]),
    "padded hash": (first(padded), ["record-hash"]),
    "hexadecimal hash": (
        first(lambda row: (row[0], "sha256=" + hashlib.sha256(b"").hexdigest(), row[2])),
        ["record-hash"],
    ),
    "wrong size": (first(lambda row: (row[0], row[1], str(int(row[2]) + 1))), ["record-size-mismatch"]),
    "size with zeros": (first(lambda row: (row[0], row[1], "0" + row[2])), ["record-size-mismatch"]),
    "size with a sign": (first(lambda row: (row[0], row[1], "+" + row[2])), ["record-size-mismatch"]),
    "no size": (first(lambda row: (row[0], row[1], "")), ["record-size-mismatch"]),
    "another spelling": (first(lambda row: ("./" + row[0], *row[1:])), ["record-phantom", "record-unlisted"]),
    "backslashes": (first(lambda row: (row[0].replace("/", "\\"), *row[1:])), ["record-phantom", "record-unlisted"]),
    "RECORD not listed": (lambda rows: rows[:-1], ["record-unlisted"]),
    "RECORD with a hash": (lambda rows: [*rows[:-1], record_row(RECORD, b"")], ["record-self"]),
    "RECORD with a size": (lambda rows: [*rows[:-1], (RECORD, "", "5")], ["record-self"]),
}


@pytest.mark.parametrize(("edit", "expected"), ATTACKS.values(), ids=ATTACKS.keys())
def test_a_record_that_differs_from_the_archive_is_refused(edit: Edit, expected: list[str]) -> None:
    assert ids(refused(PLUGIN.but(record=edit))) == expected


@pytest.mark.parametrize("name", [name for name in ATTACKS if name != "no size"])
def test_it_is_refused_of_a_dependency_too(name: str) -> None:
    edit, expected = ATTACKS[name]
    rename = LIBRARY.but(record=lambda rows: _rows(edit, rows))
    assert ids(refused(rename, "dependency")) == expected


def _rows(edit: Edit, rows: list[Row]) -> list[Row]:
    ours = f"{LIBRARY.dist_info}/RECORD"
    return [(path.replace(RECORD, ours), digest, size) for path, digest, size in edit(rows)]


def test_control_of_a_dependency_a_missing_size_is_accepted_as_some_builders_leave_it_out() -> None:
    builder = LIBRARY.but(record=first(lambda row: (row[0], row[1], "")))
    assert accepted(builder, "dependency").entries


RAW: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "two fields": (lambda text: text.replace(b",,\n", b",\n"), "record-syntax"),
    "four fields": (lambda text: text.replace(b",,\n", b",,,\n"), "record-syntax"),
    "an empty line": (lambda text: b"\n" + text, "record-syntax"),
    "no UTF-8": (lambda text: b"\xff" + text, "record-syntax"),
    "an open quote": (lambda text: b'"' + text, "record-syntax"),
    "a huge field": (lambda text: b"a" * 200_000 + text, "record-syntax"),
    "nothing": (lambda _: b"", "record-unlisted"),
}


def raw_record(builder: WheelBuilder) -> bytes:
    contents = builder.contents()
    rows = [record_row(path, data) for path, data in contents.items()]
    return "".join(f"{','.join(row)}\n" for row in [*rows, (RECORD, "", "")]).encode()


@pytest.mark.parametrize(("edit", "expected"), RAW.values(), ids=RAW.keys())
def test_a_record_that_cannot_be_read_is_refused(edit: Callable[[bytes], bytes], expected: str) -> None:
    assert expected in ids(refused(PLUGIN.but(record=edit(raw_record(PLUGIN)))))


def test_control_line_ends_quotes_and_commas_in_names_are_read_as_csv() -> None:
    assert accepted(PLUGIN.but(record=raw_record(PLUGIN))).entries
    assert accepted(PLUGIN.but(record=raw_record(PLUGIN).replace(b"\n", b"\r\n"))).entries
    assert accepted(PLUGIN.but(record=raw_record(PLUGIN).rstrip(b"\n"))).entries
    name, data = "demo_plugin/a,b.txt", b"x"
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
    files = {"demo_plugin/__init__.py": "", name: data}
    builder = PLUGIN.but(files=files)
    row = f"{name},".encode()
    text = raw_record(builder).replace(row, f'"{name}",'.encode())
    assert digest in text
    assert accepted(builder.but(record=text)).entries[1].path == name


def test_a_file_that_record_does_not_know_is_refused_wherever_it_stands() -> None:
    extra = Member("demo_plugin/more.py", b"evil = 1")
    assert ids(refused(PLUGIN.but(extra=(extra,)))) == ["record-unlisted"]
    assert ids(refused(PLUGIN.but(first=(extra,)))) == ["record-unlisted"]
    known = PLUGIN.but(extra=(extra,), record=lambda rows: [*rows, record_row(extra.name, extra.data)])
    assert accepted(known).entries[-1].path == extra.name


def test_every_difference_is_listed_at_once() -> None:
    builder = PLUGIN.but(record=lambda rows: [*rows[2:], record_row("a", b""), record_row("b", b"")])
    assert [issue.id for issue in refused(builder)].count("record-unlisted") == 2
    assert [issue.id for issue in refused(builder)].count("record-phantom") == 2
