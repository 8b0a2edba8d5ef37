"""A bill of materials in CycloneDX 1.6 JSON: the wheel, its closure, what each is made of and under which licence.

Written by hand: the format's few fields that are needed are fewer than the options one would have to switch off for
equal bytes. There is no time in it, the serial number is derived from the wheel's digest, and everything is sorted, so
the same wheel and closure give the same document.
"""

import json
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from packaging.utils import canonicalize_name

from assess_registry.audit.licences import read_licence
from assess_registry.wheel import InspectedWheel

SPEC_VERSION = "1.6"
_NAMESPACE = uuid.UUID("6f4f1c5e-3a53-5c0e-9f0b-5d8d5c0c6a11")
"""Ours, chosen once, for serial numbers."""


def bill_of_materials(wheel: InspectedWheel, closure: Iterable[InspectedWheel]) -> bytes:
    """The document, with a final line break."""
    dependencies = sorted(closure, key=lambda each: each.filename)
    digests = "".join(each.sha256 for each in [wheel, *dependencies])
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, digests)}",
        "version": 1,
        "metadata": {"component": _component(wheel, kind="application")},
        "components": [_component(each, kind="library") for each in dependencies],
        "dependencies": _edges([wheel, *dependencies]),
    }
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=True).encode() + b"\n"


def reference(wheel: InspectedWheel) -> str:
    """The name of this wheel's component within the document."""
    return f"{wheel.filename}#{wheel.sha256}"


def purl(wheel: InspectedWheel) -> str:
    """The package URL (purl-spec, type `pypi`); the filename tells the wheels of one version apart."""
    return f"pkg:pypi/{wheel.project}@{_quoted(wheel.version)}?file_name={_quoted(wheel.filename)}"


def _component(wheel: InspectedWheel, *, kind: str) -> dict[str, Any]:
    licence = read_licence(wheel.metadata)
    component: dict[str, Any] = {
        "type": kind,
        "bom-ref": reference(wheel),
        "name": wheel.project,
        "version": wheel.version,
        "hashes": [{"alg": "SHA-256", "content": wheel.sha256}],
        "purl": purl(wheel),
    }
    if licence.expression:
        component["licenses"] = [{"expression": licence.expression}]
    return component


def _edges(wheels: list[InspectedWheel]) -> list[dict[str, Any]]:
    """Who names whom as a requirement, markers not evaluated: an edge too many is better than one too few."""
    by_project: dict[str, list[str]] = {}
    for wheel in wheels:
        by_project.setdefault(wheel.project, []).append(reference(wheel))
    return [
        {"ref": reference(wheel), "dependsOn": sorted(_required(wheel, by_project) - {reference(wheel)})}
        for wheel in wheels
    ]


def _required(wheel: InspectedWheel, by_project: Mapping[str, list[str]]) -> set[str]:
    names = {str(canonicalize_name(requirement.name)) for requirement in wheel.requires_dist}
    return {ref for name in names for ref in by_project.get(name, ())}


def _quoted(text: str) -> str:
    return text.replace("+", "%2B").replace("!", "%21")
