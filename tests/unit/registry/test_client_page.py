"""A page is believed in every entry or not at all."""

import json
import re
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet

from assess_registry.client.location import parse_base
from assess_registry.client.page import MAX_FILES, PageWheel, parse_page
from assess_registry.client.strict_json import MAX_DEPTH, parse_json
from assess_registry.errors import TrustError
from assess_registry.names import ProjectName

BASE = parse_base("https://registry.example/assess")
DEMO = ProjectName("demo-plugin")
SHA = "ab" * 32


def entry(filename: str = "demo_plugin-1.0.0-py3-none-any.whl", **changes: Any) -> dict[str, Any]:
    version = filename.split("-")[1] if "-" in filename else "0"
    url = f"../../files/demo-plugin/{version}/{filename}"
    return {"filename": filename, "url": url, "hashes": {"sha256": SHA}, "size": 10} | changes


def page(*files: Any, **changes: Any) -> bytes:
    document = {"meta": {"api-version": "1.1"}, "name": "demo-plugin", "versions": [], "files": list(files)}
    return json.dumps(document | changes).encode()


def read(data: bytes) -> tuple[PageWheel, ...]:
    return parse_page(data, project=DEMO, base=BASE)


def refusal(data: bytes) -> TrustError:
    with pytest.raises(TrustError) as caught:
        read(data)
    assert caught.value.step == "index"
    assert caught.value.thing == "https://registry.example/assess/simple/demo-plugin/index.json"
    assert caught.value.issues
    return caught.value


def test_wheel_is_read_with_all_it_says() -> None:
    (wheel,) = read(page(entry(**{"requires-python": ">=3.11", "yanked": "broken"}, _private={"deep": [1, 2]})))
    assert wheel.location == "files/demo-plugin/1.0.0/demo_plugin-1.0.0-py3-none-any.whl"
    assert (str(wheel.version), wheel.sha256, wheel.size) == ("1.0.0", SHA, 10)
    assert wheel.requires_python == SpecifierSet(">=3.11")
    assert (wheel.yanked, wheel.yanked_reason) == (True, "broken")


@pytest.mark.parametrize(("value", "yanked"), [(False, False), (True, True), ("", True), ("why", True)])
def test_yanked_is_as_pep_592_says(value: Any, *, yanked: bool) -> None:
    (wheel,) = read(page(entry(yanked=value)))
    assert wheel.yanked is yanked


def test_files_that_are_no_wheels_are_left_out() -> None:
    assert read(page(entry("demo_plugin-1.0.0.tar.gz", url="https://elsewhere.example/x"))) == ()


def test_empty_page_offers_nothing() -> None:
    assert read(page()) == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"url": "https://evil.example/demo_plugin-1.0.0-py3-none-any.whl"}, "outside of the registry"),
        ({"url": "file:///srv/demo_plugin-1.0.0-py3-none-any.whl"}, "outside of the registry"),
        ({"url": "../../../demo_plugin-1.0.0-py3-none-any.whl"}, "outside of the registry"),
        ({"url": "../../files/demo-plugin/1.0.0/other-1.0.0-py3-none-any.whl"}, "does not end in the file's name"),
        ({"url": None}, "url: expected str"),
        ({"hashes": {}}, "hashes.sha256: expected str"),
        ({"hashes": {"sha256": SHA.upper()}}, "lower-case"),
        ({"hashes": {"sha256": "ab"}}, "64 lower-case"),
        ({"hashes": None}, "hashes: expected dict"),
        ({"url": entry()["url"] + "#sha256=" + "cd" * 32}, "and hashes say"),
        ({"url": entry()["url"] + "#egg=demo"}, "and hashes say"),
        ({"size": -1}, "number of bytes"),
        ({"size": True}, "number of bytes"),
        ({"size": 1.5}, "number of bytes"),
        ({"yanked": 1}, "true, false or a reason"),
        ({"requires-python": "three"}, "no version specifier"),
        ({"requires-python": 3}, "requires-python: expected str"),
        ({"filename": 7}, "filename: expected str"),
    ],
)
def test_one_wrong_value_refuses_the_page(changes: dict[str, Any], said: str) -> None:
    assert len(read(page(entry()))) == 1
    others = entry("demo_plugin-1.1.0-py3-none-any.whl"), entry("demo_plugin-2.0-py3-none-any.whl")
    error = refusal(page(*others, entry() | changes))
    assert [issue.entry for issue in error.issues] == ["files[2]"]
    assert said in error.issues[0].message


@pytest.mark.parametrize(
    ("filename", "said"),
    [
        ("other-1.0.0-py3-none-any.whl", "another project"),
        ("Demo_Plugin-1.0.0-py3-none-any.whl", "another project"),
        ("demo.plugin-1.0.0-py3-none-any.whl", "another project"),
        ("dem\u043e_plugin-1.0.0-py3-none-any.whl", "another project"),
        ("demo_plugin-01.0-py3-none-any.whl", "normal form"),
        ("demo_plugin-1.0.0-any.whl", "no wheel's name"),
        ("demo_plugin-1.0.0-b1-py3-none-any.whl", "no wheel's name"),
        (".whl", "no wheel's name"),
        ("demo_plugin-1.0.0-" + "-".join([".".join("abcdefgh")] * 3) + ".whl", "more tags"),
        ("demo_plugin-1.0.0-py3-none-" + "a" * 255 + ".whl", "longer"),
    ],
)
def test_names_have_one_spelling(filename: str, said: str) -> None:
    assert said in refusal(page(entry(filename))).issues[0].message


def test_one_version_in_two_spellings_is_refused() -> None:
    one, other = "demo_plugin-1.0-py3-none-any.whl", "demo_plugin-1.0.0-py3-none-any.whl"
    assert len(read(page(entry(one), entry("demo_plugin-1.1-py3-none-any.whl")))) == 2
    assert "two spellings" in str(refusal(page(entry(one), entry(other))))


def test_one_file_listed_twice_is_refused() -> None:
    assert "listed twice" in str(refusal(page(entry(), entry())))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "demo_plugin"}, "name: expected 'demo-plugin'"),
        ({"name": "other"}, "name: expected 'demo-plugin'"),
        ({"meta": {"api-version": "2.0"}}, "expected 1.x"),
        ({"meta": {"api-version": "1"}}, "expected 1.x"),
        ({"meta": {}}, "expected 1.x"),
        ({"meta": []}, "meta: expected dict"),
        ({"files": {}}, "files: expected list"),
        ({"files": None}, "files: expected list"),
        ({"files": [0] * (MAX_FILES + 1)}, f"at most {MAX_FILES}"),
    ],
)
def test_wrong_page_is_refused(changes: dict[str, Any], said: str) -> None:
    assert said in refusal(page(**changes)).issues[0].message


def test_every_problem_is_told_at_once() -> None:
    assert len(refusal(page(entry(size=0), 5, entry("demo_plugin-3.0-py3-none-any.whl", yanked=None))).issues) == 3


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"a": 1, "a": 1}', "'a' occurs twice"),
        (b'{"b": [{"a": 1, "\\u0061": 2}]}', "'a' occurs twice"),
        (b"[NaN]", "NaN is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b"[1e999]", "too large"),
        (b"[" + b"9" * 5000 + b"]", "4300"),
        (nested(MAX_DEPTH + 1), "nested deeper"),
        (nested(100_000), "nested deeper"),
        (b'{"a": 1} x', "Extra data"),
        (b"", "Expecting value"),
        (b'\xef\xbb\xbf{"a": 1}', "BOM"),
        ('{"a": 1}'.encode("utf-16"), "utf-8"),
        (b'{"a": "\xff"}', "utf-8"),
        (b"<html>not found</html>", "Expecting value"),
    ],
)
def test_json_with_two_meanings_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_json(data)
    assert said in refusal(data).issues[0].message


def test_plain_json_is_read() -> None:
    assert parse_json(b'{"a": [1, 2.5, null, true, "\\u00e9"], "b": {"a": {}}}') == {
        "a": [1, 2.5, None, True, "é"],
        "b": {"a": {}},
    }
    assert parse_json(nested(MAX_DEPTH)) is not None
