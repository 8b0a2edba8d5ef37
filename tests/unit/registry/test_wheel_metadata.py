from typing import Any

import pytest

from tests.support.inspection import accepted, ids, refused
from tests.support.wheels import WheelBuilder

PLUGIN = WheelBuilder()
LIBRARY = WheelBuilder.dependency()
HEAD = "Metadata-Version: 2.4\nName: demo-plugin\nVersion: 1.0.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def test_control_requirements_are_read() -> None:
    inspected = accepted(PLUGIN.but(requires=("assess-plugin>=1.0,<2", 'tomli>=2; python_version < "3.11"')))
    assert [each.name for each in inspected.requires_dist] == ["assess-plugin", "tomli"]
    assert str(inspected.requires_python) == ">=3.11"
    assert inspected.metadata.startswith(b"Metadata-Version: 2.4\nName: demo-plugin\n")
    assert accepted(PLUGIN.but(requires_python=None)).requires_python.contains("3.9")


def test_control_a_long_description_in_any_language_is_accepted() -> None:
    text = HEAD + "Author: J\xfcrgen\nDescription-Content-Type: text/markdown\n\n# Hello\n\nName: other\n\xe4\xf6\xfc\n"
    assert accepted(PLUGIN.but(metadata=text)).version == "1.0.0"


BAD_METADATA: dict[str, str | bytes] = {
    "another name": HEAD.replace("demo-plugin", "other"),
    "another version": HEAD.replace("1.0.0", "1.0.1"),
    "an alias of the version": HEAD.replace("1.0.0", "1.0"),
    "name twice": HEAD + "Name: other\n",
    "version twice": HEAD + "Version: 2\n",
    "no name": HEAD.replace("Name: demo-plugin\n", ""),
    "no version": HEAD.replace("Version: 1.0.0\n", ""),
    "no metadata version": HEAD.replace("Metadata-Version: 2.4\n", ""),
    "future metadata version": HEAD.replace("2.4", "9.9"),
    "unknown field": HEAD + "Evil: yes\n",
    "bad requirement": HEAD + "Requires-Dist: not a requirement\n",
    "requirement from an address": HEAD + "Requires-Dist: x @ https://example.org/x.whl\n",
    "bad Requires-Python": HEAD + "Requires-Python: three\n",
    "Requires-Python twice": HEAD + "Requires-Python: >=3\nRequires-Python: >=2\n",
    "a line that is no header": HEAD + "no colon here\nRequires-Dist: hidden\n",
    "a blank before the colon": HEAD + "Keywords : x\nRequires-Dist: hidden\n",
    "a header's name with a blank": HEAD + "From x: y\nRequires-Dist: hidden\n",
    "a header's name that is not ASCII": HEAD + "K\xe9ywords: x\nRequires-Dist: hidden\n",
    "a header without a name": HEAD + ": x\nRequires-Dist: hidden\n",
    "a continuation of nothing": " x\n" + HEAD,
    "a stray carriage return": HEAD + "Summary: a\rName: other\n",
    "no UTF-8": HEAD.encode() + b"Summary: \xff\n",
    "no UTF-8 in the description": HEAD.encode() + b"\n\xff\n",
    "NUL": HEAD + "Summary: a\0b\n",
    "too many fields": HEAD + "".join(f"X{number}: 1\n" for number in range(100)),
    "a marker that nests too deep": HEAD + "Requires-Dist: a; " + "(" * 2000 + "\n",
    "a long marker": HEAD + "Requires-Dist: a; " + " and ".join(["os_name == 'x'"] * 500) + "\n",
    "a licence that nests too deep": HEAD + "License-Expression: " + "(" * 2000 + "MIT" + ")" * 2000 + "\n",
    "too much": HEAD + "\n" + "x" * (5 << 20),
    "nothing": "",
}


@pytest.mark.parametrize("metadata", BAD_METADATA.values(), ids=BAD_METADATA.keys())
def test_metadata_that_does_not_agree_or_is_not_valid_is_refused(metadata: str | bytes) -> None:
    assert ids(refused(PLUGIN.but(metadata=metadata))) == ["metadata"]


LENIENT = {"unknown field", "future metadata version", "no metadata version", "an alias of the version"}


@pytest.mark.parametrize("name", BAD_METADATA.keys())
def test_of_a_dependency_only_what_is_used_must_be_right(name: str) -> None:
    text = BAD_METADATA[name]
    ours = text.replace("demo-plugin", "somelib") if isinstance(text, str) else text.replace(b"demo-plugin", b"somelib")
    builder = LIBRARY.but(metadata=ours)
    if name in LENIENT:
        assert accepted(builder, "dependency").project == "somelib"
    else:
        assert ids(refused(builder, "dependency")) == ["metadata"]


def test_control_what_looks_like_those_headers_is_text_in_the_body_and_in_values() -> None:
    text = HEAD + "Keywords: x : y\nLicense: caf\xe9: one\n two : three\nRequires-Dist: seen\n\nKeywords : x\n: y\n"
    assert [each.name for each in accepted(PLUGIN.but(metadata=text)).requires_dist] == ["seen"]


BAD_WHEEL: dict[str, str | bytes] = {
    "no version": WHEEL.replace("Wheel-Version: 1.0\n", ""),
    "version 2": WHEEL.replace("1.0", "2.0"),
    "version twice": WHEEL + "Wheel-Version: 1.0\n",
    "no root": WHEEL.replace("Root-Is-Purelib: true\n", ""),
    "root twice": WHEEL + "Root-Is-Purelib: false\n",
    "root maybe": WHEEL.replace("true", "maybe"),
    "no tag": WHEEL.replace("Tag: py3-none-any\n", ""),
    "another tag": WHEEL.replace("py3-none-any", "cp311-cp311-manylinux_2_28_x86_64"),
    "one tag more": WHEEL + "Tag: py2-none-any\n",
    "a compressed tag": WHEEL.replace("py3-none-any", "py2.py3-none-any"),
    "a tag in capitals": WHEEL.replace("py3-none-any", "PY3-none-any"),
    "a tag that is none": WHEEL.replace("py3-none-any", "py3"),
    "a tag of nothing": WHEEL.replace("py3-none-any", "--"),
    "a tag that no interpreter has": WHEEL.replace("py3-none-any", "!- -/"),
    "a build tag": WHEEL + "Build: 1\n",
    "garbage": b"\x00\xff",
    "nothing": "",
}


@pytest.mark.parametrize("wheel", BAD_WHEEL.values(), ids=BAD_WHEEL.keys())
def test_a_wheel_file_that_does_not_agree_is_refused(wheel: str | bytes) -> None:
    assert ids(refused(PLUGIN.but(wheel=wheel))) == ["wheel-file"]


def test_control_tags_and_build_of_the_filename_are_those_of_the_wheel_file() -> None:
    assert accepted(PLUGIN.but(wheel=WHEEL)).root_is_purelib
    built = accepted(PLUGIN.but(build_tag="3abc", tag="py2.py3-none-any"))
    assert built.build == (3, "abc")
    assert sorted(map(str, built.tags)) == ["py2-none-any", "py3-none-any"]


@pytest.mark.parametrize("wheel", ["Wheel-Version: 2.0\nRoot-Is-Purelib: true\n", "Wheel-Version: 1.0\n", ""])
def test_of_a_dependency_version_and_root_must_be_there(wheel: str) -> None:
    assert ids(refused(LIBRARY.but(wheel=wheel), "dependency")) == ["wheel-file"]
    control = "Wheel-Version: 1.9\nRoot-Is-Purelib: False\n\n"
    assert not accepted(LIBRARY.but(wheel=control), "dependency").root_is_purelib


FILENAMES = {
    "no wheel": "demo_plugin-1.0.0.tar.gz",
    "too few parts": "demo_plugin-1.0.0-any.whl",
    "too many parts": "demo_plugin-1.0.0-1-2-py3-none-any.whl",
    "a directory": "x/demo_plugin-1.0.0-py3-none-any.whl",
    "a parent": "../demo_plugin-1.0.0-py3-none-any.whl",
    "a space": "demo_plugin-1.0.0-py3-none-any .whl",
    "NUL": "demo_plugin-1.0.0-py3-none-any.whl\0.whl",
    "no ASCII": "demo_plug\u0456n-1.0.0-py3-none-any.whl",
    "no version": "demo_plugin-one-py3-none-any.whl",
    "too long": "d" * 300 + "-1.0.0-py3-none-any.whl",
    "a long name": "d" * 101 + "-1.0.0-py3-none-any.whl",
    "a product of tags": "demo_plugin-1.0.0-" + "-".join([".".join("abcdefghi")] * 3) + ".whl",
    "nothing": "",
}


@pytest.mark.parametrize("kind", ["plugin", "dependency"])
@pytest.mark.parametrize("filename", FILENAMES.values(), ids=FILENAMES.keys())
def test_a_filename_outside_the_grammar_is_refused(filename: str, kind: Any) -> None:
    assert ids(refused(PLUGIN.but(given_filename=filename) if filename else _Nameless(), kind)) == ["filename"]


class _Nameless(WheelBuilder):
    @property
    def filename(self) -> str:
        return ""


NOT_NORMAL = {
    "Demo_Plugin-1.0.0-py3-none-any.whl": "expected name and version in normal form, 'demo_plugin-1.0.0'",
    "demo.plugin-1.0.0-py3-none-any.whl": "expected name and version in normal form",
    "demo_plugin-01.0.0-py3-none-any.whl": "expected name and version in normal form",
    "demo_plugin-1.0.0.RC1-py3-none-any.whl": "expected name and version in normal form, 'demo_plugin-1.0.0rc1'",
    "demo_plugin-1.0.0-Py3-none-any.whl": "'demo_plugin-1.0.0-py3-none-any.whl'",
    "demo_plugin-1.0.0-py3-None-any.whl": "'demo_plugin-1.0.0-py3-none-any.whl'",
    "demo_plugin-1.0.0-py3-none-ANY.whl": "'demo_plugin-1.0.0-py3-none-any.whl'",
    "demo_plugin-1.0.0-py3.py3-none-any.whl": "'demo_plugin-1.0.0-py3-none-any.whl'",
    "demo_plugin-1.0.0-py3-none.none-any.any.whl": "'demo_plugin-1.0.0-py3-none-any.whl'",
    "demo_plugin-1.0.0-01-py3-none-any.whl": "'demo_plugin-1.0.0-1-py3-none-any.whl'",
    "demo_plugin-1.0.0-1A-py3-none-any.whl": "'demo_plugin-1.0.0-1a-py3-none-any.whl'",
    "demo_plugin-1.0.0-00-py3-none-any.whl": "'demo_plugin-1.0.0-0-py3-none-any.whl'",
}


@pytest.mark.parametrize(("filename", "says"), NOT_NORMAL.items())
def test_of_a_plugin_the_filename_is_in_normal_form(filename: str, says: str) -> None:
    wheel = PLUGIN.but(given_filename=filename)
    (issue,) = (each for each in refused(wheel) if each.id == "filename-not-normal")
    assert says in issue.message
    assert filename.partition("-")[0] in issue.message


@pytest.mark.parametrize("build", ["0", "1", "10", "1a", "20261121.local"])
@pytest.mark.parametrize("tag", ["py2.py3-none-any", "py3.py2-none-any", "cp312-abi3-linux_x86_64"])
def test_control_a_filename_in_normal_form_is_as_it_is(tag: str, build: str) -> None:
    accepted(PLUGIN.but(tag=tag, build_tag=build))


def test_of_a_dependency_it_need_not_be_as_real_ones_are_not() -> None:
    filename = "SomeLib-1.0.0-Py3-none-any.whl"
    assert accepted(LIBRARY.but(given_filename=filename), "dependency").filename == filename
