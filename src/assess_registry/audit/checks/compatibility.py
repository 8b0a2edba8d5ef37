"""Check `compatibility`: on which Pythons the author's tests passed, as `tox --result-json` says.

The document is given beside the wheel, never taken out of it: what is in the wheel would be a claim about itself.
It counts for this wheel only where tox installed this very file (`tox run --installpkg WHEEL --result-json FILE`),
which tox states with a digest; a pass of a wheel that tox built itself is listed and does not count.
"""

import re
from collections.abc import Mapping
from typing import Any

from assess_registry.audit.context import Context
from assess_registry.audit.values import Examination, Finding, Subject
from assess_registry.manifest import Severity
from assess_registry.strict_json import parse_json

NAME = "compatibility"

MISSING = "compatibility-unknown"
MALFORMED = "compatibility-malformed"
FAILED = "compatibility-failed"
OTHER_WHEEL = "compatibility-of-another-wheel"

MAX_BYTES = 32 << 20
"""tox copies every command's output into the document."""

MAX_DEPTH = 40
"""Levels of nesting; tox needs six."""

MAX_ENVIRONMENTS = 200
_PACKAGING = ".pkg"
"""How tox calls environments that build or take the wheel (`.pkg_external`): none of them tests anything."""

RULE = "assess: evidence is about the very wheel that is published"
_ADVICE = "tox run --installpkg WHEEL --result-json WHEEL.tox.json"
_API = re.compile(r"assess[-_.]plugin==([0-9][0-9A-Za-z.+!]{0,40})\Z", re.IGNORECASE)


def examine(subject: Subject, context: Context) -> Examination:
    """Passed and failed environments for each Python and version of the plugin API."""
    if context.evidence is None:
        finding = _finding(MISSING, "info", "nobody says on which Pythons its tests passed", _ADVICE)
        return Examination(check=NAME, findings=(finding,))
    try:
        environments = _environments(parse_json(context.evidence, max_bytes=MAX_BYTES, max_depth=MAX_DEPTH))
        rows = [_row(name, environments[name], subject.wheel.sha256) for name in sorted(environments)]
    except ValueError as error:
        finding = _finding(MALFORMED, "medium", f"what was given is no result of tox: {error}", _ADVICE)
        return Examination(check=NAME, findings=(finding,), incomplete=("the results of tox could not be read",))
    findings = [
        _finding(
            FAILED,
            "medium",
            f"the tests failed in environment {row['environment']!r}, Python {row['python']}",
            "repair it, or narrow Requires-Python",
        )
        for row in rows
        if row["outcome"] == "failed"
    ]
    if not any(row["outcome"] == "passed" and row["is_this_wheel"] for row in rows):
        message = "no environment passed in which tox had installed this very wheel"
        findings.append(_finding(OTHER_WHEEL, "info", message, _ADVICE))
    return Examination(
        check=NAME,
        findings=tuple(findings),
        facts={"environments": rows, "summary": _summary(rows)},
        attachments={"tox.json": context.evidence},
    )


def _environments(document: Any) -> Mapping[str, Any]:
    environments = document.get("testenvs") if isinstance(document, dict) else None
    if not isinstance(environments, dict) or not environments:
        raise ValueError("it has no table `testenvs`")
    if len(environments) > MAX_ENVIRONMENTS:
        raise ValueError(f"it has {len(environments)} environments, more than {MAX_ENVIRONMENTS}")
    return {name: value for name, value in environments.items() if not name.startswith(_PACKAGING)}


def _row(name: str, environment: Any, sha256: str) -> dict[str, Any]:
    if not isinstance(environment, dict):
        raise ValueError(f"environment {name[:80]!r} is no table")
    result = environment.get("result")
    if not isinstance(result, dict) or not isinstance(result.get("success"), bool):
        raise ValueError(f"environment {name[:80]!r} has no result")
    # Nothing ran: neither a pass nor a failure.
    ran = bool(environment.get("test")) and result.get("skipped") is not True
    outcome = "failed" if not result["success"] else "passed" if ran else "skipped"
    return {
        "environment": name[:80],
        "python": _python(environment.get("python")),
        "api": _api(environment.get("installed_packages")),
        "outcome": outcome,
        "is_this_wheel": _installed(environment.get("installpkg")) == sha256,
    }


def _python(value: Any) -> str:
    info = value.get("version_info") if isinstance(value, dict) else None
    name = value.get("implementation") if isinstance(value, dict) else None
    if not isinstance(info, list) or not all(type(part) is int for part in info[:2]) or len(info) < 2:
        return "unknown"
    prefix = "" if name in (None, "CPython") else f"{name!s:.20} "
    return f"{prefix}{info[0]}.{info[1]}"


def _api(packages: Any) -> str:
    for package in packages if isinstance(packages, list) else ():
        if isinstance(package, str) and (match := _API.match(package)):
            return match[1]
    return "unknown"


def _installed(package: Any) -> str:
    digest = package.get("sha256") if isinstance(package, dict) else None
    return digest if isinstance(digest, str) else ""


def _summary(rows: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        counts = found.setdefault(f"Python {row['python']}, API {row['api']}", {"passed": 0, "failed": 0, "skipped": 0})
        counts[row["outcome"]] += 1
    return dict(sorted(found.items()))


def _finding(kind: str, severity: Severity, message: str, advice: str) -> Finding:
    return Finding(id=kind, severity=severity, entry="", message=message, advice=advice, rule=RULE)
