from typing import Any

import pytest
import tomli_w

from assess_registry.manifest import Manifest, ManifestError, SettingsError, parse_manifest

VERSIONS = {
    "type": "object",
    "additionalProperties": {"type": "string", "pattern": "^[0-9]"},
    "default": {"openssl": "3.0.0"},
}
TOKEN = {"type": "string", "minLength": 20, "secret": True}


def manifest(**settings: Any) -> Manifest:
    document = {"schema": 1, "api": ">=1", "title": "T", "summary": "S", "settings": settings}
    return parse_manifest(tomli_w.dumps(document).encode())


def refused(**settings: Any) -> list[tuple[str, str]]:
    with pytest.raises(ManifestError) as caught:
        manifest(**settings)
    return [(issue.entry, issue.message) for issue in caught.value.issues]


def problems(given: dict[str, Any], **settings: Any) -> list[tuple[str, str]]:
    with pytest.raises(SettingsError) as caught:
        manifest(**settings).setting_values(given)
    return list(caught.value.problems)


def test_defaults_are_merged_in_by_setting() -> None:
    plugin = manifest(versions=VERSIONS, token=TOKEN, level={"enum": [1, 2], "default": 1})
    token = "t" * 20
    assert plugin.setting_values({"token": token}) == {"versions": {"openssl": "3.0.0"}, "token": token, "level": 1}
    assert plugin.setting_values({"token": token, "versions": {"bash": "5"}})["versions"] == {"bash": "5"}


def test_a_changed_value_does_not_change_the_default() -> None:
    plugin = manifest(versions=VERSIONS)
    plugin.setting_values({})["versions"]["openssl"] = "0"
    assert plugin.setting_values({}) == {"versions": {"openssl": "3.0.0"}}


def test_every_problem_of_given_settings_comes_at_once() -> None:
    found = problems({"version": 1, "versions": {"a": "x", "b": 2}}, versions=VERSIONS, token=TOKEN)
    assert [path for path, _ in found] == ["version", "versions.a", "versions.b", "token"]
    assert "did you mean 'versions'?" in found[0][1]
    assert "no default" in found[3][1]


def test_array_positions_are_named() -> None:
    ((path, _),) = problems({"a": ["x", 1]}, a={"type": "array", "items": {"type": "string"}})
    assert path == "a[1]"


@pytest.mark.parametrize("value", ["short", "\ud800", 3, ["nested secret"], {"k": float("nan")}])
def test_a_secret_is_never_printed(value: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        manifest(token=TOKEN).setting_values({"token": value})
    (problem,) = caught.value.problems
    assert problem[0] == "token"
    assert not any(text in str(caught.value) for text in ("short", "ud800", "3 ", "nested", "nan"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", b"x", {1: 2}, object(), {"a": {"b": {1}}}])
def test_what_json_cannot_say_is_refused_even_where_anything_is_allowed(value: Any) -> None:
    assert problems({"a": value}, a={"title": "anything"})
    assert manifest(a={"title": "anything"}).setting_values({"a": [None, 1, "x", 1.5]}) == {"a": [None, 1, "x", 1.5]}


def test_depth_of_given_values_is_bounded() -> None:
    value: Any = 1
    for _ in range(10_000):
        value = [value]
    assert problems({"a": value}, a={"title": "anything"})


BAD_SCHEMAS: dict[str, tuple[dict[str, Any], str]] = {
    "misspelt keyword": ({"minimun": 3}, "settings.a.minimun"),
    "unknown type": ({"type": "strin"}, "settings.a"),
    "keyword of a wrong type": ({"minLength": "3"}, "settings.a"),
    "remote reference": ({"$ref": "http://127.0.0.1:1/schema"}, "settings.a.'$ref'"),
    "file reference": ({"items": {"$ref": "file:///etc/passwd"}}, "settings.a.items.'$ref'"),
    "own reference": ({"properties": {"x": {"$ref": "#"}}}, "settings.a.properties.x.'$ref'"),
    "dynamic reference": ({"anyOf": [{"$dynamicRef": "#x"}]}, "settings.a.anyOf[0].'$dynamicRef'"),
    "base address": ({"$id": "http://127.0.0.1:1/"}, "settings.a.'$id'"),
    "other draft": ({"$schema": "http://json-schema.org/draft-04/schema#"}, "settings.a.'$schema'"),
    "unknown format": ({"format": "nope"}, "settings.a"),
    "pattern with back reference": ({"pattern": r"(a)\1"}, "settings.a"),
    "pattern that explodes": ({"pattern": "(a{1000}){1000}"}, "settings.a"),
    "schema that is none": ({"items": 3}, "settings.a.items"),
    "default that does not fit": ({"type": "string", "default": 3}, "settings.a.default"),
    "default that does not fit below": (VERSIONS | {"default": {"x": "y"}}, "settings.a.default.x"),
    "nested default, which nobody would apply": (
        {"properties": {"x": {"default": 1}}},
        "settings.a.properties.x.default",
    ),
    "infinite number": ({"maximum": float("inf")}, "settings.a.maximum"),
    "too many values": ({"enum": list(range(500))}, "settings.a"),
}


@pytest.mark.parametrize(("schema", "entry"), BAD_SCHEMAS.values(), ids=BAD_SCHEMAS.keys())
def test_a_bad_schema_is_refused_where_it_stands(schema: dict[str, Any], entry: str) -> None:
    assert [place for place, _ in refused(a=schema)] == [entry]


def test_depth_of_schemas_is_bounded() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(7):
        schema = {"items": schema}
    manifest(a=schema)
    assert "at most 8 schemas" in refused(a={"items": schema})[0][1]


def test_patterns_run_in_linear_time() -> None:
    evil = {"type": "string", "pattern": "^(a+)+$"}
    ((path, _),) = problems({"a": "a" * 100_000 + "!"}, a=evil)  # a backtracking engine would never return
    assert path == "a"


def test_formats_are_checked() -> None:
    ((path, message),) = problems({"a": "not an address"}, a={"format": "ipv4"})
    assert (path, "ipv4" in message) == ("a", True)
    assert manifest(a={"format": "ipv4"}).setting_values({"a": "127.0.0.1"}) == {"a": "127.0.0.1"}
