"""Check `sbom`: a bill of materials for the wheel and its closure, and those that the wheel brings itself (PEP 770).

Ours is attached as `sbom.cdx.json`. The wheel's own documents, `<dist-info>/sboms/*`, say what is inside files that
nobody can look into; they are attached as they are and summarised, and count for nothing beyond that.
"""

import hashlib
from typing import Any

from assess_registry.audit.context import Context
from assess_registry.audit.cyclonedx import bill_of_materials
from assess_registry.audit.values import Examination, Finding, Subject
from assess_registry.strict_json import parse_json
from assess_registry.wheel import UnpackedFile

NAME = "sbom"

MALFORMED = "sbom-malformed"
ATTACHMENT = "sbom.cdx.json"

MAX_BYTES = 8 << 20
MAX_DEPTH = 40
"""Levels of nesting: CycloneDX nests components in components."""
MAX_DOCUMENTS = 20
RULE = "PEP 770, SBOM files in wheels"


def examine(subject: Subject, context: Context) -> Examination:  # noqa: ARG001  the checks' one signature
    """Make the bill of materials, and look at the wheel's own."""
    document = bill_of_materials(subject.wheel, subject.closure)
    attachments = {ATTACHMENT: document}
    findings: list[Finding] = []
    own: list[dict[str, Any]] = []
    files = sorted((file for file in subject.files if _is_sbom(file.path)), key=lambda each: each.path)
    for number, file in enumerate(files[:MAX_DOCUMENTS], 1):
        facts = {"path": file.path, "sha256": hashlib.sha256(file.data).hexdigest()}
        try:
            own.append(facts | _summary(file))
        except ValueError as error:
            findings.append(_finding(file.path, f"this bill of materials cannot be read: {error}"))
            own.append(facts | {"format": "unreadable"})
            continue
        # by number: a name out of the wheel is no name for a file of ours
        attachments[f"sbom-of-wheel-{number}.json"] = file.data
    if len(files) > MAX_DOCUMENTS:
        findings.append(_finding("", f"the wheel brings {len(files)} bills of materials, more than {MAX_DOCUMENTS}"))
    return Examination(
        check=NAME,
        findings=tuple(findings),
        incomplete=tuple(f"{file.path} was not looked at" for file in files[MAX_DOCUMENTS:]),
        facts={
            "sha256": hashlib.sha256(document).hexdigest(),
            "components": len(subject.closure) + 1,
            "closure": "as given" if subject.closure else "none was given",
            "documents_of_the_wheel": own,
            "documents_of_dependencies": [
                {"wheel": wheel.filename, "path": entry.path, "sha256": entry.sha256}
                for wheel in sorted(subject.closure, key=lambda each: each.filename)
                for entry in wheel.entries
                if _is_sbom(entry.path)
            ],
        },
        attachments=attachments,
    )


def _is_sbom(path: str) -> bool:
    top, slash, rest = path.partition("/")
    return top.endswith(".dist-info") and bool(slash) and rest.startswith("sboms/")


def _summary(file: UnpackedFile) -> dict[str, Any]:
    """Format, version and number of components.

    Raises:
        ValueError: it is neither CycloneDX nor SPDX in JSON.
    """
    document = parse_json(file.data, max_bytes=MAX_BYTES, max_depth=MAX_DEPTH)
    if not isinstance(document, dict):
        raise ValueError("it is no JSON object")
    if document.get("bomFormat") == "CycloneDX":
        name, version, parts = "CycloneDX", document.get("specVersion"), document.get("components", [])
    elif isinstance(document.get("spdxVersion"), str):
        name, version, parts = "SPDX", document["spdxVersion"], document.get("packages", [])
    elif isinstance(document.get("@graph"), list):
        name, version, parts = "SPDX", "3", document["@graph"]
    else:
        raise ValueError("it is neither CycloneDX nor SPDX")
    if not isinstance(version, str) or not isinstance(parts, list):
        raise ValueError(f"it is no {name}: its version or its list of components is of another type")
    return {"format": name, "version": version[:40], "components": len(parts)}


def _finding(entry: str, message: str) -> Finding:
    return Finding(
        id=MALFORMED,
        severity="medium",
        entry=entry,
        message=message,
        advice="write it as CycloneDX or SPDX in JSON, or leave it out",
        rule=RULE,
    )
