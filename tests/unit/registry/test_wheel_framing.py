import io
import struct
import zipfile
import zlib
from dataclasses import replace
from typing import Any

import pytest

from assess_registry.errors import WheelError
from assess_registry.wheel import inspect
from assess_registry.wheel.framing import MAX_ENTRIES, MAX_UNPACKED_BYTES, inflate, read_members
from tests.support.inspection import accepted, ids, on, refused, refused_bytes
from tests.support.wheels import WheelBuilder
from tests.support.zips import DEFLATED, EXECUTABLE, STORED, Member, deflate, write_zip

PLUGIN = WheelBuilder()
LIBRARY = WheelBuilder.dependency()
SOURCE = "__init__.py"
DATA = PLUGIN.build()
END = DATA[-22:]


def test_control_a_plain_wheel_is_accepted() -> None:
    inspected = accepted(PLUGIN)
    with zipfile.ZipFile(io.BytesIO(DATA)) as archive:
        assert [entry.path for entry in inspected.entries] == archive.namelist()


def test_control_stored_and_executable_members_are_accepted() -> None:
    inspected = accepted(PLUGIN.but(member=on(SOURCE, method=STORED, mode=EXECUTABLE)))
    assert [entry.executable for entry in inspected.entries][:2] == [True, False]


WHOLE = {
    "empty": (b"", "framing-end"),
    "end record alone": (END, "framing-gap"),
    "cut by one byte": (DATA[:-1], "framing-end"),
    "cut in the middle": (DATA[: len(DATA) // 2], "framing-end"),
    "cut at the front": (DATA[1:], "framing-gap"),
    "one byte behind": (DATA + b"\n", "framing-end"),
    "one byte in front": (b"\n" + DATA, "framing-gap"),
    "another archive in front": (DATA + DATA, "framing-gap"),
    "a second end record": (DATA + END, "framing-gap"),
    "an empty archive": (write_zip([]), "too-many-entries"),
    "no archive": (b"<!doctype html>" * 10, "framing-end"),
}


@pytest.mark.parametrize(("data", "expected"), WHOLE.values(), ids=WHOLE.keys())
def test_bytes_around_or_missing_from_the_archive_are_refused(data: bytes, expected: str) -> None:
    assert ids(refused_bytes(data, PLUGIN.filename)) == [expected]


END_LIES: dict[str, tuple[dict[str, int], str]] = {
    "one member fewer": ({"here": 5, "total": 5}, "framing-directory"),
    "one member more": ({"here": 7, "total": 7}, "framing-directory"),
    "two counts": ({"here": 5}, "framing-end"),
    "disk number": ({"disk": 1}, "framing-end"),
    "start disk": ({"start_disk": 1}, "framing-end"),
    "offset": ({"offset": 0}, "framing-gap"),
    "size": ({"size": 46}, "framing-gap"),
    "comment length": ({"comment_length": 3}, "framing-comment"),
    "zip64 offset": ({"offset": 0xFFFFFFFF}, "framing-zip64"),
    "zip64 count": ({"here": 0xFFFF, "total": 0xFFFF}, "framing-zip64"),
    "too many": ({"here": MAX_ENTRIES + 1, "total": MAX_ENTRIES + 1}, "too-many-entries"),
}


@pytest.mark.parametrize(("end", "expected"), END_LIES.values(), ids=END_LIES.keys())
def test_an_end_record_that_lies_is_refused(end: dict[str, int], expected: str) -> None:
    assert ids(refused(PLUGIN.but(zip_options={"end": end}))) == [expected]


def test_an_archive_comment_is_refused_even_one_that_is_an_end_record() -> None:
    assert ids(refused(PLUGIN.but(zip_options={"comment": b"hello"}))) == ["framing-end"]
    assert ids(refused(PLUGIN.but(zip_options={"comment": END}))) == ["framing-gap"]


def test_gaps_between_members_and_before_the_directory_are_refused() -> None:
    assert ids(refused(PLUGIN.but(member=on("METADATA", before=b"hidden")))) == ["framing-gap"]
    assert ids(refused(PLUGIN.but(member=on("METADATA", after=b"hidden")))) == ["framing-gap"]
    assert ids(refused(PLUGIN.but(zip_options={"middle": b"hidden"}))) == ["framing-gap"]
    assert ids(refused(PLUGIN.but(first=(Member("x.py", before=b"#!/bin/sh\n"),)))) == ["framing-gap"]


def test_members_that_share_a_body_are_refused() -> None:
    assert ids(refused(PLUGIN.but(extra=(Member("demo_plugin/copy.py", central={"offset": 0}),)))) == ["framing-gap"]


def test_a_directory_in_another_order_than_the_file_is_refused() -> None:
    first, second = Member("a.py", b"1"), Member("b.py", b"2")
    swapped = write_zip([replace(first, central={"offset": 35}), replace(second, central={"offset": 0})])
    issues: list[Any] = []
    assert read_members(swapped, kind="dependency", issues=issues) == ()
    assert ids(tuple(issues)) == ["framing-gap"]


@pytest.mark.parametrize("kind", ["plugin", "dependency"])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("needed", 10),
        ("flags", 2),
        ("method", STORED),
        ("time", 1),
        ("date", 1),
        ("crc", 1),
        ("crc", 0),
        ("size", 1),
        ("size", 0),
        ("size", 0xFFFFFFFF),
        ("compressed", 1),
        ("compressed", 0),
        ("name", b"demo_plugin/__evil__.py"),
        ("name", b"demo_plugin/__init__.p"),
    ],
)
def test_headers_that_disagree_are_refused(field: str, value: Any, kind: Any) -> None:
    builder = PLUGIN if kind == "plugin" else LIBRARY
    name = builder.contents()[f"{builder.module}/{SOURCE}"]
    assert ids(refused(builder.but(member=on(SOURCE, local={field: value})), kind))[0] in (
        "framing-gap",  # a name of another length moves everything behind it
        "headers-disagree",
    ), name


def test_a_longer_local_name_hides_nothing() -> None:
    builder = PLUGIN.but(member=on(SOURCE, local={"name": b"demo_plugin/__init__.py\0.txt"}))
    assert ids(refused(builder)) == ["headers-disagree"]


FEATURES: dict[str, tuple[dict[str, Any], str]] = {
    "encrypted": ({"flags": 1}, "framing-flags"),
    "strongly encrypted": ({"flags": 1 << 6}, "framing-flags"),
    "masked header": ({"flags": 1 << 13}, "framing-flags"),
    "patch data": ({"flags": 1 << 5}, "framing-flags"),
    "data descriptor": ({"flags": 1 << 3}, "framing-descriptor"),
    "bzip2": ({"method": 12}, "framing-method"),
    "lzma": ({"method": 14}, "framing-method"),
    "deflate64": ({"method": 9}, "framing-method"),
    "new zip version": ({"needed": 63}, "framing-version"),
    "second name": ({"extra": b"\x75\x70\x06\x00\x01\x00\x00\x00\x00x"}, "framing-extra"),
    "zip64 field": ({"extra": struct.pack("<HHQQ", 1, 16, 1, 1)}, "framing-extra"),
    "malformed extra field": ({"extra": b"\x55\x54\xff\x00"}, "framing-extra"),
    "half an extra field": ({"extra": b"\x55"}, "framing-extra"),
}


@pytest.mark.parametrize("kind", ["plugin", "dependency"])
@pytest.mark.parametrize(("change", "expected"), FEATURES.values(), ids=FEATURES.keys())
def test_features_that_readers_treat_differently_are_refused(change: dict[str, Any], expected: str, kind: Any) -> None:
    builder = PLUGIN if kind == "plugin" else LIBRARY
    assert expected in ids(refused(builder.but(member=on(SOURCE, local=change, central=change)), kind))


CENTRAL: dict[str, tuple[dict[str, Any], str]] = {
    "member comment": ({"comment": b"hidden"}, "framing-comment"),
    "another disk": ({"disk": 1}, "framing-version"),
    "made on another system": ({"made": 19 << 8 | 20}, "framing-version"),
    "symbolic link": ({"external": 0o120777 << 16}, "not-a-regular-file"),
    "fifo": ({"external": 0o010644 << 16}, "not-a-regular-file"),
    "device": ({"external": 0o020644 << 16}, "not-a-regular-file"),
    "socket": ({"external": 0o140644 << 16}, "not-a-regular-file"),
    "a directory by its mode": ({"external": 0o040755 << 16}, "not-a-regular-file"),
    "a directory to DOS": ({"external": 0o100644 << 16 | 0x10}, "not-a-regular-file"),
    "setuid": ({"external": 0o104755 << 16}, "not-a-regular-file"),
    "setgid": ({"external": 0o102755 << 16}, "not-a-regular-file"),
    "sticky": ({"external": 0o101644 << 16}, "not-a-regular-file"),
    "extra in the directory only": ({"extra": b"\xfe\xca\x00\x00"}, "framing-extra"),
    "header behind the directory": ({"offset": 1 << 30}, "framing-gap"),
}


@pytest.mark.parametrize("kind", ["plugin", "dependency"])
@pytest.mark.parametrize(("change", "expected"), CENTRAL.values(), ids=CENTRAL.keys())
def test_a_directory_header_that_asks_for_more_is_refused(change: dict[str, Any], expected: str, kind: Any) -> None:
    builder = PLUGIN if kind == "plugin" else LIBRARY
    assert ids(refused(builder.but(member=on(SOURCE, central=change)), kind)) == [expected]


def test_control_modes_without_a_file_type_are_accepted_as_some_builders_write_them() -> None:
    assert accepted(PLUGIN.but(member=on(SOURCE, central={"external": 0o644 << 16}))).entries
    assert accepted(PLUGIN.but(member=on(SOURCE, central={"external": 0, "made": 20}))).entries


def test_a_zip64_locator_inside_the_last_header_is_refused() -> None:
    # Python's zipfile looks for one right before the end record and would follow it to another directory.
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 0, 2)
    extra = struct.pack("<HH", 0x5455, len(locator)) + locator
    hidden = LIBRARY.but(member=on("RECORD", central={"extra": extra}))
    with pytest.raises(zipfile.BadZipFile, match="span multiple disks"):
        zipfile.ZipFile(io.BytesIO(hidden.build()))
    assert ids(refused(hidden, "dependency")) == ["framing-zip64"]
    harmless = LIBRARY.but(member=on("RECORD", central={"extra": extra.replace(b"PK\6\7", b"PK\0\0")}))
    assert accepted(harmless, "dependency").entries


def described(member: Member, *, signature: bytes = b"PK\7\10", **lies: int) -> Member:
    """The member as a builder writes it that cannot seek: sizes behind the body."""
    body = deflate(member.data)
    truth = {"crc": zlib.crc32(member.data), "compressed": len(body), "size": len(member.data)} | lies
    zeros = {"crc": 0, "compressed": 0, "size": 0, "flags": 8}
    return replace(member, local=zeros, central={"flags": 8}, after=signature + struct.pack("<3L", *truth.values()))


def streamed(**options: Any) -> WheelBuilder:
    return LIBRARY.but(member=lambda member: described(member, **options))


def test_of_dependencies_data_descriptors_that_tell_the_truth_are_accepted() -> None:
    assert len(accepted(streamed(), "dependency").entries) == 4
    assert len(accepted(streamed(signature=b""), "dependency").entries) == 4
    assert ids(refused(PLUGIN.but(member=described))) == ["framing-descriptor", "framing-gap"]


@pytest.mark.parametrize("lie", ["crc", "compressed", "size"])
def test_data_descriptors_that_lie_are_refused(lie: str) -> None:
    assert "framing-descriptor" in ids(refused(streamed(**{lie: 3}), "dependency"))


def test_a_stored_body_with_a_data_descriptor_is_refused() -> None:
    builder = LIBRARY.but(
        member=lambda member: replace(described(member), method=STORED, body=member.data, central={"flags": 8})
    )
    assert "framing-descriptor" in ids(refused(builder, "dependency"))


def test_wheels_that_zipfile_writes_to_a_stream_are_accepted_as_dependencies() -> None:
    class Pipe(io.RawIOBase):
        written = b""

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            self.written += bytes(data)
            return len(data)

    builder, pipe = LIBRARY, Pipe()
    with (
        zipfile.ZipFile(io.BytesIO(builder.build())) as source,
        zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for info in source.infolist():
            target.writestr(info.filename, source.read(info), zipfile.ZIP_DEFLATED)
    issues: list[Any] = []
    members = read_members(pipe.written, kind="dependency", issues=issues)
    assert issues == []
    assert [inflate(pipe.written, member) for member in members][:3] == list(builder.contents().values())


def test_a_zip64_field_in_a_local_header_is_accepted_of_a_dependency_if_it_tells_the_truth() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, archive.open("a.py", "w", force_zip64=True) as file:
        file.write(b"x = 1")
    data = out.getvalue()
    issues: list[Any] = []
    (member,) = read_members(data, kind="dependency", issues=issues)
    assert (issues, inflate(data, member)) == ([], b"x = 1")
    read_members(data, kind="plugin", issues=issues)
    assert "framing-extra" in ids(tuple(issues))
    at = data.index(struct.pack("<QQ", 5, 5))
    lie = data[:at] + struct.pack("<QQ", 6, 5) + data[at + 16 :]
    lies: list[Any] = []
    read_members(lie, kind="dependency", issues=lies)
    # Newer Pythons leave the sizes to the field alone, and then it is the headers that disagree, too.
    assert ids(tuple(lies)) in (["framing-extra"], ["framing-extra", "headers-disagree"])


def test_directories_are_accepted_of_dependencies_only_and_only_empty() -> None:
    directory = Member("somelib/", mode=0o040755, method=STORED)
    assert len(accepted(LIBRARY.but(first=(directory,)), "dependency").entries) == 4
    assert len(accepted(LIBRARY.but(first=(replace(directory, mode=0),)), "dependency").entries) == 4
    assert ids(refused(LIBRARY.but(first=(replace(directory, data=b"x"),)), "dependency")) == ["directory-entry"]
    assert ids(refused(PLUGIN.but(first=(Member("demo_plugin/", mode=0o040755),)))) == ["directory-entry"]


BODIES: dict[str, dict[str, Any]] = {
    "garbage": {"body": b"\xff" * 50},
    "a stream cut short": {"body": deflate(b"x" * 5000)[:-4]},
    "bytes behind the stream": {"body": deflate(b"x" * 5000) + b"hidden"},
    "a longer stream": {"body": deflate(b"x" * 5001)},
    "a shorter stream": {"body": deflate(b"x" * 4999)},
    "another content": {"body": deflate(b"y" * 5000)},
    "a bomb": {"body": deflate(b"x" * 2_000_000)},
    "nothing": {"body": b""},
}


@pytest.mark.parametrize("change", BODIES.values(), ids=BODIES.keys())
def test_a_body_that_is_not_what_both_headers_declare_is_refused(change: dict[str, Any]) -> None:
    big = PLUGIN.but(files={"demo_plugin/__init__.py": "x" * 5000})
    assert accepted(big).entries[0].size == 5000
    assert ids(refused(big.but(member=on(SOURCE, **change)))) == ["body-corrupt"]


def test_a_wrong_checksum_in_both_headers_is_refused() -> None:
    assert ids(refused(PLUGIN.but(member=on(SOURCE, local={"crc": 7}, central={"crc": 7})))) == ["body-corrupt"]


def test_a_stored_body_of_another_size_is_refused() -> None:
    lie = {"size": 7}
    assert ids(refused(PLUGIN.but(member=on(SOURCE, method=STORED, local=lie, central=lie)))) == ["headers-disagree"]


def test_no_more_than_the_declared_size_is_inflated() -> None:
    bomb = deflate(bytes(20 << 20))
    data = write_zip([Member("a", b"tiny", body=bomb)])
    (member,) = read_members(data, kind="plugin", issues=[])
    engine = zlib.decompressobj(-15)
    assert len(engine.decompress(data[member.start : member.stop], member.size + 1)) == 5
    with pytest.raises(Exception, match="not exactly one deflate stream"):
        inflate(data, member)


def test_bombs_are_refused_by_ratio_and_by_size_before_anything_is_inflated() -> None:
    zeros = {"demo_plugin/__init__.py": "", "demo_plugin/zeros.bin": bytes(11 << 20)}
    assert ids(refused(PLUGIN.but(files=zeros))) == ["bomb"]
    assert accepted(PLUGIN.but(files=zeros | {"demo_plugin/zeros.bin": bytes(9 << 20)})).entries
    huge = {"size": MAX_UNPACKED_BYTES + 1}
    assert ids(refused(PLUGIN.but(member=on(SOURCE, method=DEFLATED, local=huge, central=huge)))) == ["bomb"]


NAMES = {
    "code page 437": ({"name": "demo_plugin/\xfcber.py".encode("cp437")}, "name-encoding"),
    "UTF-8 without its flag": ({"name": "demo_plugin/\xfcber.py".encode()}, "name-encoding"),
    "no UTF-8 with the flag": ({"name": b"demo_plugin/\xff.py", "flags": 0x800}, "name-encoding"),
}


@pytest.mark.parametrize(("change", "expected"), NAMES.values(), ids=NAMES.keys())
def test_names_in_another_encoding_are_refused(change: dict[str, Any], expected: str) -> None:
    assert expected in ids(refused(PLUGIN.but(member=on(SOURCE, local=change, central=change))))
    with_umlaut = {"demo_plugin/__init__.py": "", "demo_plugin/\xfcber.txt": "x"}
    assert accepted(PLUGIN.but(files=with_umlaut)).entries[1].path == "demo_plugin/\xfcber.txt"


def test_a_wheel_beyond_the_callers_bound_is_refused_before_it_is_read() -> None:
    assert inspect(DATA, PLUGIN.filename, kind="plugin", max_bytes=len(DATA)).size == len(DATA)
    with pytest.raises(WheelError, match="too-large"):
        inspect(DATA, PLUGIN.filename, kind="plugin", max_bytes=len(DATA) - 1)
