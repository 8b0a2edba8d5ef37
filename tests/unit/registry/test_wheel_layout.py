from collections.abc import Mapping
from typing import Any

import pytest

from assess_registry.wheel import unpacked_files
from tests.support.inspection import accepted, ids, refused
from tests.support.wheels import WheelBuilder

PLUGIN = WheelBuilder()
LIBRARY = WheelBuilder.dependency()
DATA = "demo_plugin-1.0.0.data"
LIBRARY_DATA = "somelib-1.0.0.data"


def plugin_with(files: Mapping[str, Any], **changes: Any) -> WheelBuilder:
    return PLUGIN.but(files={"demo_plugin/__init__.py": "plugin = provider = None\n", **files}, **changes)


def library_with(files: Mapping[str, Any], **changes: Any) -> WheelBuilder:
    return LIBRARY.but(files={"somelib/__init__.py": "", **files}, **changes)


def unpacked(builder: WheelBuilder, kind: Any) -> dict[str, bytes]:
    inspected = accepted(builder, kind)
    return {file.path: file.data for file in unpacked_files(builder.build(), inspected)}


IN_A_PLUGIN = {
    "a second dist-info": ("other-1.0.dist-info/METADATA", ["dist-info"]),
    "dist-info in other case": ("other-1.0.DIST-INFO/METADATA", ["dist-info"]),
    "a .pth file": ("evil.pth", ["not-in-a-plugin"]),
    "a .pth file by data": (f"{DATA}/purelib/evil.pth", ["not-in-a-plugin"]),
    "a .pth file in other case": ("evil.PTH", ["not-in-a-plugin"]),
    "a .pth file in a package": ("demo_plugin/evil.pth", ["startup-file"]),
    "a .start file": ("evil.start", ["not-in-a-plugin"]),
    "sitecustomize": ("sitecustomize.py", ["startup-module", "undeclared-top-level"]),
    "usercustomize package": ("usercustomize/__init__.py", ["startup-module", "undeclared-top-level"]),
    "sitecustomize by data": (f"{DATA}/platlib/sitecustomize.py", ["startup-module", "undeclared-top-level"]),
    "bytecode": ("demo_plugin/evil.pyc", ["bytecode"]),
    "optimised bytecode": ("demo_plugin/evil.pyo", ["bytecode"]),
    "cached bytecode": ("demo_plugin/__pycache__/__init__.cpython-311.pyc", ["bytecode"]),
    "anything in __pycache__": ("demo_plugin/__pycache__/x.txt", ["bytecode"]),
    "a standard module": ("json.py", ["shadows-stdlib", "undeclared-top-level"]),
    "a standard package": ("email/__init__.py", ["shadows-stdlib", "undeclared-top-level"]),
    "a standard module by data": (f"{DATA}/purelib/ssl.py", ["shadows-stdlib", "undeclared-top-level"]),
    "a module that was standard": ("imp.py", ["shadows-stdlib", "undeclared-top-level"]),
    "a package that will be standard": ("compression/x.py", ["shadows-stdlib", "undeclared-top-level"]),
    "our own package": ("assess_plugin/__init__.py", ["reserved-name", "undeclared-top-level"]),
    "our pluggy": ("_assess_pluggy/__init__.py", ["reserved-name", "undeclared-top-level"]),
    "another project's package": ("requests/__init__.py", ["undeclared-top-level"]),
    "a module beside": ("helper.py", ["undeclared-top-level"]),
    "a text beside": ("README.md", ["undeclared-top-level"]),
    "tests beside": ("tests/test_x.py", ["undeclared-top-level"]),
    "scripts": (f"{DATA}/scripts/evil", ["not-in-a-plugin"]),
    "headers": (f"{DATA}/headers/evil.h", ["not-in-a-plugin"]),
    "data": (f"{DATA}/data/etc/evil", ["not-in-a-plugin"]),
    "unknown scheme": (f"{DATA}/stdlib/json.py", ["not-in-a-plugin"]),
    "a file in .data itself": (f"{DATA}/x", ["not-in-a-plugin"]),
    "a scheme that is a file": (f"{DATA}/purelib", ["not-in-a-plugin"]),
    "another .data": ("other-1.0.data/purelib/x.py", ["undeclared-top-level"]),
    "dist-info by data": (f"{DATA}/purelib/other-1.0.dist-info/METADATA", ["dist-info", "undeclared-top-level"]),
    "own dist-info by data": (f"{DATA}/purelib/demo_plugin-1.0.0.dist-info/x", ["dist-info"]),
    "overwritten RECORD": (f"{DATA}/purelib/demo_plugin-1.0.0.dist-info/RECORD", ["dist-info", "name-twice"]),
    "overwritten module": (f"{DATA}/purelib/demo_plugin/__init__.py", ["name-twice"]),
    "overwritten in other case": (f"{DATA}/platlib/demo_plugin/__INIT__.py", ["name-collision"]),
    "forged INSTALLER": (f"{PLUGIN.dist_info}/INSTALLER", ["not-in-a-plugin"]),
    "forged REQUESTED": (f"{PLUGIN.dist_info}/REQUESTED", ["not-in-a-plugin"]),
    "forged direct_url.json": (f"{PLUGIN.dist_info}/direct_url.json", ["not-in-a-plugin"]),
    "signature of RECORD": (f"{PLUGIN.dist_info}/RECORD.jws", ["not-in-a-plugin"]),
}


@pytest.mark.parametrize(("path", "expected"), IN_A_PLUGIN.values(), ids=IN_A_PLUGIN.keys())
def test_what_has_no_business_in_a_plugin_is_refused(path: str, expected: list[str]) -> None:
    assert ids(refused(plugin_with({path: "x"}))) == expected


def test_control_the_same_wheel_with_package_data_is_accepted() -> None:
    files = {
        "demo_plugin/data/table.csv": "x",
        f"{DATA}/purelib/demo_plugin/more.py": "",
        "demo_plugin-1.0.0.dist-info/licenses/LICENSE": "x",
    }
    paths = list(unpacked(plugin_with(files), "plugin"))
    assert paths[:4] == [
        "demo_plugin/__init__.py",
        "demo_plugin/data/table.csv",
        "demo_plugin/more.py",
        "demo_plugin-1.0.0.dist-info/licenses/LICENSE",
    ]
    assert "demo_plugin-1.0.0.dist-info/RECORD" not in paths


def test_top_level_names_may_be_declared_in_metadata() -> None:
    builder = plugin_with({"demo_helpers/__init__.py": ""})
    assert ids(refused(builder)) == ["undeclared-top-level"]
    lines = ("Import-Name: demo_plugin", "Import-Name: demo_helpers")
    metadata = "Metadata-Version: 2.5\nName: demo-plugin\nVersion: 1.0.0\n" + "\n".join(lines) + "\n"
    assert accepted(builder.but(metadata=metadata)).entries


@pytest.mark.parametrize("name", ["METADATA", "WHEEL", "RECORD"])
@pytest.mark.parametrize("kind", ["plugin", "dependency"])
def test_a_wheel_without_one_of_its_three_files_is_refused(name: str, kind: Any) -> None:
    builder = PLUGIN if kind == "plugin" else LIBRARY
    without = builder.but(
        member=lambda member: None if member.name.endswith(f"/{name}") else member,
        record=lambda rows: [row for row in rows if not row[0].endswith(f"/{name}")],
    )
    assert "missing-file" in ids(refused(without, kind))


def test_a_wheel_without_dist_info_is_refused() -> None:
    without = PLUGIN.but(member=lambda member: None if "dist-info" in member.name else member)
    assert ids(refused(without)) == ["dist-info"]


@pytest.mark.parametrize("filename", ["demo_plugin-1.0.1-py3-none-any.whl", "demo_plugins-1.0.0-py3-none-any.whl"])
@pytest.mark.parametrize("kind", ["plugin", "dependency"])
def test_a_dist_info_of_another_name_or_version_is_refused(filename: str, kind: Any) -> None:
    assert "dist-info" in ids(refused(PLUGIN.but(given_filename=filename), kind))


def test_of_a_dependency_dist_info_may_be_spelt_otherwise() -> None:
    assert accepted(LIBRARY.but(given_filename="SomeLib-1.0-py3-none-any.whl"), "dependency").project == "somelib"


LEFT_OUT = [
    "distutils-precedence.pth",
    "evil.start",
    f"{LIBRARY_DATA}/purelib/evil.pth",
    f"{LIBRARY_DATA}/scripts/tool",
    f"{LIBRARY_DATA}/data/share/man/man1/tool.1",
    f"{LIBRARY_DATA}/headers/x.h",
    f"{LIBRARY.dist_info}/INSTALLER",
    f"{LIBRARY.dist_info}/direct_url.json",
    f"{LIBRARY.dist_info}/RECORD.jws",
]


@pytest.mark.parametrize("path", LEFT_OUT)
def test_of_a_dependency_it_is_listed_and_not_unpacked(path: str) -> None:
    builder = library_with({path: "x", "somelib/model.pth": "weights"})
    assert accepted(builder, "dependency").left_out == (path,)
    paths = unpacked(builder, "dependency")
    assert path not in paths
    assert "somelib/model.pth" in paths
    assert len(paths) == 4


IN_A_DEPENDENCY = {
    "sitecustomize": ("sitecustomize.py", ["startup-module"]),
    "bytecode": ("somelib/x.pyc", ["bytecode"]),
    "our own package": ("assess_plugin/__init__.py", ["reserved-name"]),
    "our own package in other case": ("Assess_Plugin/__init__.py", ["reserved-name"]),
    "our core": ("assess_core.py", ["reserved-name"]),
    "a second dist-info": ("other-1.0.dist-info/METADATA", ["dist-info"]),
    "dist-info by data": (f"{LIBRARY_DATA}/purelib/other-1.0.dist-info/METADATA", ["dist-info"]),
    "overwritten module": (f"{LIBRARY_DATA}/platlib/somelib/__init__.py", ["name-twice"]),
}


@pytest.mark.parametrize(("path", "expected"), IN_A_DEPENDENCY.values(), ids=IN_A_DEPENDENCY.keys())
def test_what_has_no_business_in_a_dependency_is_refused(path: str, expected: list[str]) -> None:
    assert ids(refused(library_with({path: "x"}), "dependency")) == expected


def test_control_a_dependency_may_hold_what_real_ones_do() -> None:
    files = {"other.py": "", "tests/test_x.py": "", "somelib/_vendor/x-1.0.dist-info/METADATA": "", "enum.py": ""}
    assert len(unpacked(library_with(files), "dependency")) == 7


def test_only_the_sdk_may_bring_the_sdk() -> None:
    sdk = WheelBuilder.dependency("assess-plugin")
    assert accepted(sdk, "dependency").entries[0].path == "assess_plugin/__init__.py"
    assert ids(refused(WheelBuilder.dependency("assess-plugins", files={"assess_plugin/a.py": ""}), "dependency")) == [
        "reserved-name"
    ]


PE = b"MZ" + b"\x90" * 58 + (80).to_bytes(4, "little") + b"\0" * 16 + b"PE\0\0"

NATIVE = {
    "ELF by suffix": ("demo_plugin/_x.cpython-311-x86_64-linux-gnu.so", b""),
    "ELF by content": ("demo_plugin/data.bin", b"\x7fELF\x02\x01\x01"),
    "Windows": ("demo_plugin/x.pyd", b"MZ\x90"),
    "Windows by content": ("demo_plugin/tool", PE),
    "macOS by content": ("demo_plugin/tool", b"\xcf\xfa\xed\xfe\x07"),
    "universal macOS by content": ("demo_plugin/tool", b"\xca\xfe\xba\xbe\0\0\0\2"),
    "shared library with its version": ("demo_plugin/libx.so.1.2", b""),
    "module of a kernel": ("demo_plugin/x.ko", b""),
    "archive": ("demo_plugin/libx.a", b""),
    "archive by content": ("demo_plugin/data.bin", b"!<arch>\n"),
    "thin archive by content": ("demo_plugin/data.bin", b"!<thin>\n"),
}


def test_a_java_class_begins_as_universal_code_does_and_is_none() -> None:
    (entry,) = accepted(plugin_with({"demo_plugin/X.class": b"\xca\xfe\xba\xbe\0\0\0\x34"})).entries[1:2]
    assert entry.path == "demo_plugin/X.class"
    universal = plugin_with({"demo_plugin/X.class": b"\xca\xfe\xba\xbe\0\0\0\x02"})
    assert ids(refused(universal)) == ["native-code-in-pure-wheel"]


@pytest.mark.parametrize(("path", "data"), NATIVE.values(), ids=NATIVE.keys())
def test_native_code_stands_only_in_wheels_that_say_so(path: str, data: bytes) -> None:
    portable = plugin_with({path: data})
    assert ids(refused(portable)) == ["native-code-in-pure-wheel"]
    platform = portable.but(tag="cp311-cp311-manylinux_2_28_x86_64")
    assert ids(refused(platform)) == ["native-code-in-pure-wheel"]
    assert accepted(platform.but(purelib=False)).entries[1].path == path


@pytest.mark.parametrize(
    "data",
    [
        b"MZ",
        b"MZ = 'the initials of somebody, and a long enough line to have an offset in it'\n",
        PE.replace(b"PE\0\0", b"NE\0\0"),
        PE.replace(b"MZ", b"ZM"),
        b"Text about \x7fELF",
    ],
)
def test_control_text_that_begins_like_native_code_is_text(data: bytes) -> None:
    assert accepted(plugin_with({"demo_plugin/names.txt": data})).tags


MANIFESTS = {
    "none": ({}, None, "manifest-count"),
    "two": ({"demo_plugin/sub/assess-plugin.toml": "x"}, ..., "manifest-count"),
    "another in other case": ({"demo_plugin/sub/Assess-Plugin.toml": "x"}, ..., "manifest-count"),
    "in other case": ({"demo_plugin/Assess-plugin.toml": "x"}, None, "manifest-place"),
    "at the top": ({"assess-plugin.toml": "x"}, None, "manifest-place"),
    "in dist-info": ({f"{PLUGIN.dist_info}/assess-plugin.toml": "x"}, None, "manifest-place"),
}


@pytest.mark.parametrize(("files", "manifest", "expected"), MANIFESTS.values(), ids=MANIFESTS.keys())
def test_there_is_exactly_one_manifest_and_it_is_package_data(files: Any, manifest: Any, expected: str) -> None:
    builder = plugin_with(files) if manifest is ... else plugin_with(files, manifest=None)
    assert expected in ids(refused(builder))
    assert accepted(plugin_with({})).manifest is not None
    assert accepted(LIBRARY, "dependency").manifest is None
