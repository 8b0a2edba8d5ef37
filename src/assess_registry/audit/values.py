"""What an audit works on, and what it says.

A check returns what it found and whether it looked at everything. Whether that means `approved`, `flagged` or
`rejected` is decided by the policy alone, and a check that did not look at everything can never end in `approved`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

from assess_registry.manifest import Severity
from assess_registry.wheel import InspectedWheel, UnpackedFile


class Verdict(StrEnum):
    """Would we publish this? In rising order of refusal."""

    APPROVED = "approved"
    FLAGGED = "flagged"
    REJECTED = "rejected"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that a reviewer should know.

    Attributes:
        id: stable and kebab-case, what policies name: `undeclared-socket`, `bandit-b602`, `known-vulnerability`.
        severity: of the finding as such; what follows from it is the policy's decision.
        entry: path in the wheel, or manifest key path; empty when it is about the whole.
        line: in that entry, counted from 1; None when it has none.
        message: what was found, one sentence.
        advice: what the author can do, for example the manifest line that would declare it; may be empty.
        rule: where the rule comes from.
    """

    id: str
    severity: Severity
    entry: str
    line: int | None = None
    message: str
    advice: str = ""
    rule: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Examination:
    """What one check did.

    Attributes:
        check: its name, as in `audit.checks.CHECKS`.
        findings: in the order of entry, line and id.
        incomplete: why it did not look at everything: a tool missing, crashed, timed out, a file it skipped; empty when
            it looked at everything. One sentence each.
        facts: what it established without judging (listed native files, licence, digest of the SBOM); JSON values.
        tool: name and version of the external program it used, empty for none.
        attachments: documents it made, by file name, for example `sbom.cdx.json`.
    """

    check: str
    findings: tuple[Finding, ...] = ()
    incomplete: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    tool: str = ""
    attachments: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """A wheel to audit. It has passed strict inspection; nothing of it has been imported.

    Attributes:
        wheel: what inspection says of it.
        data: its bytes, those that were inspected.
        files: its content as it would stand in a site directory.
        unpacked: the same on disk, for external tools: a private copy that is removed after the audit; read-only.
        closure: the dependencies at hand, inspected as such; empty when none were given.
        as_of: the day for which ages and expiries are judged (UTC).
        read: what was read of `files` for one check, for the next one; it goes when the subject goes.
    """

    wheel: InspectedWheel
    data: bytes
    files: tuple[UnpackedFile, ...]
    unpacked: Path
    closure: tuple[InspectedWheel, ...]
    as_of: date
    read: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """A finding and what the policy makes of it; `reason` names the policy's rule, or the acceptance and its expiry."""

    finding: Finding
    check: str
    verdict: Verdict
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """A verdict that can be defended. The same wheel, tools, advisories, policy and day give the same report.

    Attributes:
        reasons: why it is not `approved`, most severe first, one sentence each; empty for `approved`.
        policy_sha256: digest of the policy it was judged by.
        advisories: `sha256:… of N advisories about M projects of PyPI, newest 2026-11-20`, or why there are none.
    """

    filename: str
    project: str
    version: str
    sha256: str
    size: int
    as_of: date
    verdict: Verdict
    reasons: tuple[str, ...]
    judged: tuple[Judged, ...]
    examinations: tuple[Examination, ...]
    policy_sha256: str
    advisories: str
