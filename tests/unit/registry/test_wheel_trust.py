"""The table of `docs/trust.md`: each class of attack on a wheel, the test that covers it, and what inspection says.

The document is made from `ROWS`: `python -m tests.unit.registry.test_wheel_trust` writes it. Each row's wheel is built
here for real and refused with the message that the document quotes, beside a control that differs in one thing.
"""

import importlib
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from assess_registry.errors import Issue, WheelError
from assess_registry.wheel import Kind, inspect
from assess_registry.wheel.framing import MAX_ENTRIES, MAX_UNPACKED_BYTES
from assess_registry.wheel.inspect import STAGES
from tests.support.inspection import on
from tests.support.wheels import WheelBuilder, demo_manifest, record_row
from tests.support.zips import Member

DOCUMENT = Path(__file__).parents[3] / "docs" / "trust.md"
TESTS = "tests.unit.registry."
PLUGIN = WheelBuilder()
LIBRARY = WheelBuilder.dependency()
MODULE = "plugin = provider = None\n"
DATA = "demo_plugin-1.0.0.data"
INIT = "__init__.py"
HEAD = "Metadata-Version: 2.4\nName: demo-plugin\nVersion: 1.0.0\n"
END = PLUGIN.build()[-22:]


def having(path: str, content: str | bytes = "x", **changes: object) -> WheelBuilder:
    return replace(PLUGIN, files={"demo_plugin/__init__.py": MODULE, path: content}, **changes)  # type: ignore[arg-type]


def listed(*members: Member) -> WheelBuilder:
    """With more members, which RECORD lists."""
    return PLUGIN.but(
        extra=members, record=lambda rows: [*rows, *(record_row(each.name, each.data) for each in members)]
    )


def saying(field: str, value: object) -> WheelBuilder:
    """With one field of both headers of one member another than the truth."""
    return PLUGIN.but(member=on(INIT, local={field: value}, central={field: value}))


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One class. `test` is `module::function`, the test that tries all its examples; `says` the id and message here."""

    about: str
    test: str
    says: str
    attack: WheelBuilder
    control: WheelBuilder = PLUGIN
    kind: Kind = "plugin"
    around: tuple[bytes, bytes] = (b"", b"")

    def issues(self, builder: WheelBuilder, around: tuple[bytes, bytes] = (b"", b"")) -> tuple[Issue, ...]:
        data = around[0] + builder.build() + around[1]
        try:
            inspect(data, builder.filename, kind=self.kind)
        except WheelError as error:
            return error.issues
        return ()


ROWS = (
    Row(
        about="filename grammar",
        test="test_wheel_metadata::test_a_filename_outside_the_grammar_is_refused",
        says="filename: Invalid wheel filename",
        attack=PLUGIN.but(given_filename="demo_plugin-1.0.0-any.whl"),
    ),
    Row(
        about="name and version not in normal form",
        test="test_wheel_metadata::test_of_a_plugin_the_filename_is_in_normal_form",
        says="filename-not-normal: expected name and version in normal form, 'demo_plugin-1.0', got 'demo_plugin-01.0'",
        attack=PLUGIN.but(version="01.0", metadata=HEAD.replace("1.0.0", "1.0")),
        control=PLUGIN.but(version="1.0"),
    ),
    Row(
        about="local headers not contiguous",
        test="test_wheel_framing::test_gaps_between_members_and_before_the_directory_are_refused",
        says="framing-gap: expected its header at byte",
        attack=PLUGIN.but(member=on("METADATA", before=b"hidden")),
    ),
    Row(
        about="end record that lies",
        test="test_wheel_framing::test_an_end_record_that_lies_is_refused",
        says="framing-directory: expected 5 headers and no more",
        attack=PLUGIN.but(zip_options={"end": {"here": 5, "total": 5}}),
    ),
    Row(
        about="comment of the archive",
        test="test_wheel_framing::test_an_archive_comment_is_refused_even_one_that_is_an_end_record",
        says="framing-end: the file does not end with a zip end record",
        attack=PLUGIN.but(zip_options={"comment": b"hello"}),
    ),
    Row(
        about="bytes in front",
        test="test_wheel_framing::test_bytes_around_or_missing_from_the_archive_are_refused",
        says="framing-gap: expected the directory from byte",
        attack=PLUGIN,
        around=(b"#!/bin/sh\n", b""),
    ),
    Row(
        about="bytes behind",
        test="test_wheel_framing::test_bytes_around_or_missing_from_the_archive_are_refused",
        says="framing-end: the file does not end with a zip end record: it is cut short, or something follows it",
        attack=PLUGIN,
        around=(b"", b"\n"),
    ),
    Row(
        about="second end record",
        test="test_wheel_framing::test_bytes_around_or_missing_from_the_archive_are_refused",
        says="framing-gap: expected the directory from byte",
        attack=PLUGIN,
        around=(b"", END),
    ),
    Row(
        about="zip64 end record",
        test="test_wheel_framing::test_an_end_record_that_lies_is_refused",
        says="framing-zip64: the archive has a zip64 end record, which no wheel of bearable size needs",
        attack=PLUGIN.but(zip_options={"end": {"offset": 0xFFFFFFFF}}),
    ),
    Row(
        about="encryption",
        test="test_wheel_framing::test_features_that_readers_treat_differently_are_refused",
        says="framing-flags: expected neither encryption nor unknown flags, got 0x0001",
        attack=saying("flags", 1),
    ),
    Row(
        about="compression other than stored or deflated",
        test="test_wheel_framing::test_features_that_readers_treat_differently_are_refused",
        says="framing-method: expected stored or deflated, got compression method 14",
        attack=saying("method", 14),
    ),
    Row(
        about="second name in an extra field",
        test="test_wheel_framing::test_features_that_readers_treat_differently_are_refused",
        says="framing-extra: a wheel has no use for its extra fields 0x7075",
        attack=saying("extra", b"\x75\x70\x06\x00\x01\x00\x00\x00\x00x"),
    ),
    Row(
        about="header and directory disagree",
        test="test_wheel_framing::test_headers_that_disagree_are_refused",
        says="headers-disagree: its local header says crc 1, the directory",
        attack=PLUGIN.but(member=on(INIT, local={"crc": 1})),
    ),
    Row(
        about="body that is not what the headers declare",
        test="test_wheel_framing::test_a_body_that_is_not_what_both_headers_declare_is_refused",
        says="body-corrupt: it cannot be inflated",
        attack=PLUGIN.but(member=on(INIT, body=b"\xff" * 50)),
    ),
    Row(
        about="bomb: entries",
        test="test_wheel_framing::test_an_end_record_that_lies_is_refused",
        says=f"too-many-entries: expected 1 to {MAX_ENTRIES} members, got {MAX_ENTRIES + 1}",
        attack=PLUGIN.but(zip_options={"end": {"here": MAX_ENTRIES + 1, "total": MAX_ENTRIES + 1}}),
    ),
    Row(
        about="bomb: total size",
        test="test_wheel_framing::test_bombs_are_refused_by_ratio_and_by_size_before_anything_is_inflated",
        says=f"bomb: expected at most {MAX_UNPACKED_BYTES} bytes unpacked",
        attack=saying("size", MAX_UNPACKED_BYTES + 1),
    ),
    Row(
        about="bomb: ratio",
        test="test_wheel_framing::test_bombs_are_refused_by_ratio_and_by_size_before_anything_is_inflated",
        says="bomb: expected at most 100 times its size unpacked",
        attack=having("demo_plugin/zeros.bin", bytes(11 << 20)),
        control=having("demo_plugin/zeros.bin", bytes(9 << 20)),
    ),
    Row(
        about="bomb: overlap",
        test="test_wheel_framing::test_members_that_share_a_body_are_refused",
        says="framing-gap: expected its header at byte",
        attack=PLUGIN.but(extra=(Member("demo_plugin/copy.py", central={"offset": 0}),)),
    ),
    Row(
        about="name with `..`",
        test="test_wheel_names::test_a_name_that_is_not_plain_is_refused",
        says="name: it has a '..' part",
        attack=listed(Member("demo_plugin/../../evil.py")),
        control=listed(Member("demo_plugin/good.py")),
    ),
    Row(
        about="absolute name",
        test="test_wheel_names::test_a_name_that_is_not_plain_is_refused",
        says="name: it is absolute or has an empty part",
        attack=listed(Member("/etc/cron.d/evil")),
    ),
    Row(
        about="name with a backslash",
        test="test_wheel_names::test_a_name_that_is_not_plain_is_refused",
        says="name: it has \\ in it",
        attack=listed(Member("demo_plugin\\evil.py")),
    ),
    Row(
        about="name with a drive",
        test="test_wheel_names::test_a_name_that_is_not_plain_is_refused",
        says="name: it has : in it",
        attack=listed(Member("C:/evil.py")),
    ),
    Row(
        about="name with NUL or control characters",
        test="test_wheel_names::test_a_name_that_is_not_plain_is_refused",
        says="name: it has control or invisible characters",
        attack=listed(Member("demo_plugin/a.py\0.txt")),
    ),
    Row(
        about="reserved name",
        test="test_wheel_names::test_a_name_that_is_not_plain_is_refused",
        says="name: a part is the name of a device",
        attack=listed(Member("demo_plugin/aux.py")),
    ),
    Row(
        about="names that are one after NFKC and case folding",
        test="test_wheel_names::test_two_names_for_one_file_are_refused",
        says="name-collision: it is the same as",
        attack=listed(Member("demo_plugin/a.txt"), Member("demo_plugin/A.txt")),
        control=listed(Member("demo_plugin/a.txt"), Member("demo_plugin/b.txt")),
    ),
    Row(
        about="file used as a directory",
        test="test_wheel_names::test_two_names_for_one_file_are_refused",
        says="name-file-as-directory: it is a file, and a directory in",
        attack=listed(Member("demo_plugin/a"), Member("demo_plugin/a/b.py")),
    ),
    Row(
        about="link, device, setuid file",
        test="test_wheel_framing::test_a_directory_header_that_asks_for_more_is_refused",
        says="not-a-regular-file: expected a regular file without special bits, got mode 0o120777",
        attack=PLUGIN.but(member=on(INIT, central={"external": 0o120777 << 16})),
    ),
    Row(
        about="more than one dist-info",
        test="test_wheel_layout::test_what_has_no_business_in_a_plugin_is_refused",
        says="dist-info: expected exactly one dist-info directory, got",
        attack=having("other-1.0.dist-info/METADATA"),
        control=having("demo_plugin/METADATA"),
    ),
    Row(
        about="`.data` beyond purelib and platlib",
        test="test_wheel_layout::test_what_has_no_business_in_a_plugin_is_refused",
        says="not-in-a-plugin: startup files, installers' notes and data but purelib and platlib are never unpacked",
        attack=having(f"{DATA}/scripts/evil"),
        control=having(f"{DATA}/purelib/demo_plugin/good.py"),
    ),
    Row(
        about="`.pth` and `.start` files",
        test="test_wheel_layout::test_what_has_no_business_in_a_plugin_is_refused",
        says="not-in-a-plugin: startup files, installers' notes and data but purelib and platlib are never unpacked",
        attack=having("evil.pth"),
    ),
    Row(
        about="sitecustomize",
        test="test_wheel_layout::test_what_has_no_business_in_a_dependency_is_refused",
        says="startup-module: the interpreter would import it by itself",
        attack=LIBRARY.but(files={"somelib/__init__.py": "", "sitecustomize.py": ""}),
        control=LIBRARY.but(files={"somelib/__init__.py": "", "customize.py": ""}),
        kind="dependency",
    ),
    Row(
        about="bytecode",
        test="test_wheel_layout::test_what_has_no_business_in_a_plugin_is_refused",
        says="bytecode: bytecode runs instead of the source that was audited",
        attack=having("demo_plugin/__pycache__/__init__.cpython-311.pyc"),
    ),
    Row(
        about="names of the standard library",
        test="test_wheel_layout::test_what_has_no_business_in_a_plugin_is_refused",
        says="shadows-stdlib: 'json' is a module of the standard library",
        attack=having("json.py"),
    ),
    Row(
        about="names of the runtime",
        test="test_wheel_layout::test_what_has_no_business_in_a_dependency_is_refused",
        says="reserved-name: 'assess_plugin' is a package of the runtime",
        attack=LIBRARY.but(files={"somelib.py": "", "assess_plugin/__init__.py": ""}),
        control=LIBRARY.but(files={"somelib.py": "", "assess_plugins/__init__.py": ""}),
        kind="dependency",
    ),
    Row(
        about="undeclared top-level names",
        test="test_wheel_layout::test_what_has_no_business_in_a_plugin_is_refused",
        says="undeclared-top-level: 'requests' is neither the package of an entry point nor an Import-Name of METADATA",
        attack=having("requests/__init__.py"),
        control=having("demo_plugin/requests/__init__.py"),
    ),
    Row(
        about="forged INSTALLER, direct_url.json",
        test="test_wheel_layout::test_what_has_no_business_in_a_plugin_is_refused",
        says="not-in-a-plugin: startup files, installers' notes",
        attack=having(f"{PLUGIN.dist_info}/direct_url.json"),
        control=having(f"{PLUGIN.dist_info}/licenses/LICENSE"),
    ),
    Row(
        about="METADATA disagrees with the filename",
        test="test_wheel_metadata::test_metadata_that_does_not_agree_or_is_not_valid_is_refused",
        says="metadata: expected Name demo-plugin, as the filename says, got 'other'",
        attack=PLUGIN.but(metadata=HEAD.replace("demo-plugin", "other")),
        control=PLUGIN.but(metadata=HEAD),
    ),
    Row(
        about="WHEEL disagrees with the filename",
        test="test_wheel_metadata::test_a_wheel_file_that_does_not_agree_is_refused",
        says="wheel-file: expected the tags of the filename, py3-none-any, got py2-none-any",
        attack=PLUGIN.but(wheel="Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py2-none-any\n"),
        control=PLUGIN.but(wheel="Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
    ),
    Row(
        about="native code in a wheel for any platform",
        test="test_wheel_layout::test_native_code_stands_only_in_wheels_that_say_so",
        says="native-code-in-pure-wheel: native code stands in a wheel for any platform",
        attack=having("demo_plugin/data.bin", b"\x7fELF\x02\x01\x01"),
        control=having("demo_plugin/data.bin", b"\x7felf\x02\x01\x01"),
    ),
    Row(
        about="native code where WHEEL declares none",
        test="test_wheel_layout::test_native_code_stands_only_in_wheels_that_say_so",
        says="native-code-in-pure-wheel: native code stands in a wheel whose WHEEL says Root-Is-Purelib: true",
        attack=having("demo_plugin/x.so", b"\x7fELF", tag="cp311-cp311-manylinux_2_28_x86_64"),
        control=having("demo_plugin/x.so", b"\x7fELF", tag="cp311-cp311-manylinux_2_28_x86_64", purelib=False),
    ),
    Row(
        about="file that RECORD does not list",
        test="test_wheel_record::test_a_file_that_record_does_not_know_is_refused_wherever_it_stands",
        says="record-unlisted: the archive has it and RECORD does not list it",
        attack=PLUGIN.but(extra=(Member("demo_plugin/more.py"),)),
        control=listed(Member("demo_plugin/more.py")),
    ),
    Row(
        about="row of RECORD without a file",
        test="test_wheel_record::test_a_record_that_differs_from_the_archive_is_refused",
        says="record-phantom: RECORD lists it and the archive has no such file",
        attack=PLUGIN.but(record=lambda rows: [record_row("../../etc/passwd", b""), *rows]),
    ),
    Row(
        about="hash in RECORD",
        test="test_wheel_record::test_a_record_that_differs_from_the_archive_is_refused",
        says="record-hash-mismatch: RECORD says sha256=",
        attack=PLUGIN.but(record=lambda rows: [(rows[0][0], rows[1][1], rows[0][2]), *rows[1:]]),
    ),
    Row(
        about="size in RECORD",
        test="test_wheel_record::test_a_record_that_differs_from_the_archive_is_refused",
        says="record-size-mismatch: RECORD says '1' bytes, the file has",
        attack=PLUGIN.but(record=lambda rows: [(*rows[0][:2], "1"), *rows[1:]]),
    ),
    Row(
        about="entry points that can be read in two ways",
        test="test_wheel_entry_points::test_entry_points_that_can_be_read_in_two_ways_or_lead_nowhere_are_refused",
        says="entry-points: line 3: expected '[group]' or 'name = value', got 'other: demo_plugin:x'",
        attack=PLUGIN.but(entry_points="[assess.plugins]\ndemo = demo_plugin:plugin\nother: demo_plugin:x\n"),
        control=PLUGIN.but(entry_points="[assess.plugins]\ndemo = demo_plugin:plugin\nother = demo_plugin:x\n"),
    ),
    Row(
        about="entry points that lead out of the wheel",
        test="test_wheel_entry_points::test_entry_points_that_can_be_read_in_two_ways_or_lead_nowhere_are_refused",
        says="entry-point-module: 'demo' names module 'os', which is not here",
        attack=PLUGIN.but(entry_points="[assess.plugins]\ndemo = os:system\n"),
    ),
    Row(
        about="checks of a plugin that is not declared",
        test="test_wheel_entry_points::test_every_check_names_a_plugin_of_the_wheel",
        says="manifest-plugin: there is no entry point 'dmeo' in assess.plugins; did you mean 'demo'?",
        attack=PLUGIN.but(manifest=demo_manifest(plugin="dmeo")),
    ),
    Row(
        about="manifest missing or there twice",
        test="test_wheel_layout::test_there_is_exactly_one_manifest_and_it_is_package_data",
        says="manifest-count: expected exactly one assess-plugin.toml in a package of the wheel, got 0",
        attack=PLUGIN.but(manifest=None),
    ),
)
IDS = [row.about.replace(" ", "-") for row in ROWS]


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_the_class_is_refused_with_the_message_that_the_document_quotes(row: Row) -> None:
    assert row.issues(row.control) == ()
    said = [f"{issue.id}: {issue.message}" for issue in row.issues(row.attack, row.around)]
    assert any(each.startswith(row.says) for each in said), said


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_the_test_that_the_document_names_exists(row: Row) -> None:
    module, _, function = row.test.partition("::")
    assert callable(getattr(importlib.import_module(TESTS + module), function))


def parts() -> dict[str, str]:
    """What the document has between its markers."""
    cells = [(row.about, f"`{row.test.replace('::', '`<br>`')}`", f"`{row.says}`") for row in ROWS]
    lines = [("class", "test, in `tests/unit/registry/`", "what inspection says"), ("---",) * 3, *cells]
    steps = [step for stage in STAGES for step in stage]
    return {
        "classes": "\n".join(f"| {' | '.join(line)} |" for line in lines),
        "steps": "\n".join(f"{n}. `{step.__name__}`: {one_line(step.__doc__)}" for n, step in enumerate(steps, 1)),
    }


def one_line(text: str | None) -> str:
    return (text or "").strip().splitlines()[0]


def written(text: str) -> str:
    """The document with its parts between `<!-- name -->` and `<!-- /name -->` as they must be."""
    for name, part in parts().items():
        before, rest = text.split(f"<!-- {name} -->")
        text = f"{before}<!-- {name} -->\n\n{part}\n\n<!-- /{name} -->{rest.split(f'<!-- /{name} -->')[1]}"
    return text


def test_the_document_says_what_inspection_does() -> None:
    text = DOCUMENT.read_text()
    assert written(text) == text, "run python -m tests.unit.registry.test_wheel_trust"


def test_the_document_names_every_step_of_the_client() -> None:
    text = DOCUMENT.read_text()
    sources = [*Path(DOCUMENT.parents[1], "src/assess_registry/client").rglob("*.py")]
    named = {step for path in sources for step in re.findall(r'\bstep="([a-z]+)"', path.read_text())}
    assert {"index", "hash", "signer", "closure"} <= named
    for step in sorted(named | {"signature"}):
        assert f"`{step}`" in text, step


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text()))
    sys.stdout.write(f"{DOCUMENT} is up to date\n")
