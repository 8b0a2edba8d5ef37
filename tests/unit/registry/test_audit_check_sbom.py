"""The bill of materials is valid CycloneDX 1.6, the same for the same wheels, and takes in what the wheel brings."""

import json
from dataclasses import replace
from importlib import resources
from typing import Any

import jsonschema_rs
import pytest

from assess_registry.audit.checks import sbom
from assess_registry.audit.context import Context
from tests.support.examining import examined, ids, only, plugin_with, subject_of
from tests.support.wheels import WheelBuilder

CLOSURE = (
    WheelBuilder.dependency("somelib", requires=("other-lib>=1",), metadata_lines=("License-Expression: MIT OR ISC",)),
    WheelBuilder.dependency("other-lib", "2.0+local.1"),
)


def plugin(**sboms: str | bytes) -> WheelBuilder:
    builder = plugin_with("").but(requires=("assess-plugin>=1.0,<2", "somelib"))
    added = {f"{builder.dist_info}/sboms/{name.replace('__', '.')}": data for name, data in sboms.items()}
    return builder.but(files={**(builder.files or {}), **added})


def document(*closure: WheelBuilder) -> dict[str, Any]:
    found = sbom.examine(subject_of(plugin(), closure=closure), Context())
    made: dict[str, Any] = json.loads(found.attachments["sbom.cdx.json"])
    return made


def test_it_is_valid_by_the_published_schema() -> None:
    schemas = resources.files("cyclonedx.schema._res")

    def schema(name: str) -> Any:
        return json.loads((schemas / f"{name}.SNAPSHOT.schema.json").read_text())

    def local(uri: str) -> Any:
        return schema("spdx" if "spdx" in uri else "jsf-0.82")

    validator = jsonschema_rs.Draft7Validator(schema("bom-1.6"), retriever=local)
    made = document(*CLOSURE)
    assert [error.message for error in validator.iter_errors(made)] == []
    assert list(validator.iter_errors(made | {"components": [{"name": "no type"}]}))


def test_it_names_everything_with_hash_licence_and_purl() -> None:
    made = document(*CLOSURE)
    other, somelib = made["components"]
    assert (somelib["name"], somelib["version"]) == ("somelib", "1.0.0")
    assert somelib["licenses"] == [{"expression": "MIT OR ISC"}]
    assert other["purl"] == "pkg:pypi/other-lib@2.0%2Blocal.1?file_name=other_lib-2.0%2Blocal.1-py3-none-any.whl"
    assert all(len(each["hashes"][0]["content"]) == 64 for each in (other, somelib))
    edges = {each["ref"].partition("-")[0]: each["dependsOn"] for each in made["dependencies"]}
    assert edges == {"demo_plugin": [somelib["bom-ref"]], "somelib": [other["bom-ref"]], "other_lib": []}


def test_the_same_wheels_give_the_same_bytes_and_others_another_serial_number() -> None:
    assert document(*CLOSURE) == document(*reversed(CLOSURE))
    assert document(*CLOSURE)["serialNumber"] != document(*CLOSURE[:1])["serialNumber"]
    assert "timestamp" not in json.dumps(document(*CLOSURE))


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ('{"bomFormat": "CycloneDX", "specVersion": "1.5", "components": [{}, {}]}', ("CycloneDX", "1.5", 2)),
        ('{"spdxVersion": "SPDX-2.3", "packages": [{}]}', ("SPDX", "SPDX-2.3", 1)),
        ('{"@context": "x", "@graph": []}', ("SPDX", "3", 0)),
    ],
)
def test_what_the_wheel_brings_is_attached_and_summarised(text: str, summary: tuple[str, str, int]) -> None:
    found = examined(sbom, plugin(a__json=text))
    (listed,) = found.facts["documents_of_the_wheel"]
    assert (listed["format"], listed["version"], listed["components"]) == summary
    assert found.attachments["sbom-of-wheel-1.json"] == text.encode()
    assert ids(found) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "no json",
        '{"bomFormat": "CycloneDX", "specVersion": 1}',
        '{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": {}}',
        '{"bomFormat": "CycloneDX", "specVersion": "1.6", "x": NaN}',
        '{"bomFormat": "CycloneDX", "specVersion": "1.6", "specVersion": "1.5"}',
        '{"a":' * 100_000,
        '{"bomFormat": "CycloneDX", "specVersion": "1.6", "x": ' + "[" * 50 + "]" * 50 + "}",
        '{"bomFormat": "CycloneDX", "specVersion": "1.6", "x": 1' + "0" * 5000 + "}",
    ],
)
def test_a_malformed_one_is_said_and_not_attached(text: str) -> None:
    found = examined(sbom, plugin(a__json=text))
    assert only(found, "sbom-malformed").entry.endswith(".dist-info/sboms/a.json")
    assert list(found.attachments) == ["sbom.cdx.json"]


def test_more_documents_than_anybody_reads() -> None:
    good = '{"spdxVersion": "SPDX-2.3"}'
    many = examined(sbom, plugin(**{f"d{number}__json": good for number in range(21)}))
    assert (ids(many), len(many.incomplete)) == (["sbom-malformed"], 1)
    few = examined(sbom, plugin(**{f"d{number}__json": good for number in range(20)}))
    assert (ids(few), few.incomplete) == ([], ())


def test_documents_of_dependencies_are_listed() -> None:
    dependency = WheelBuilder.dependency()
    dependency = dependency.but(files={**(dependency.files or {}), f"{dependency.dist_info}/sboms/x.json": "{}"})
    subject = subject_of(plugin(), closure=(dependency,))
    (listed,) = sbom.examine(subject, Context()).facts["documents_of_dependencies"]
    assert listed["path"] == "somelib-1.0.0.dist-info/sboms/x.json"
    assert sbom.examine(replace(subject, closure=()), Context()).facts["documents_of_dependencies"] == []
