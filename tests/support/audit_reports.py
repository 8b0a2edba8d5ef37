"""Reports for tests of whatever shows them: one of each verdict, and one whose every text is hostile."""

from dataclasses import replace
from datetime import date
from typing import Any

from assess_registry.audit.values import Examination, Finding, Judged, Report, Verdict

HOSTILE = "\x1b]0;evil\x07\u202e<script>alert(1)</script>\"'`&\r\n=cmd|x\ud800"
"""What a wheel may call a file, write in a string, or put into its metadata."""

SOCKET = Finding(
    id="undeclared-socket",
    severity="high",
    entry="demo_plugin/__init__.py",
    line=12,
    message="it opens a socket, and the manifest asks for no network",
    advice='declare it in assess-plugin.toml: [permissions] network = ["HOST:PORT"]',
    rule="docs/manifest.md",
)
ASSERTS = tuple(
    Finding(
        id="bandit-b101",
        severity="low",
        entry="demo_plugin/checks.py",
        line=line,
        message="Use of assert detected.",
        rule="bandit B101",
    )
    for line in range(1, 9)
)
UNLICENSED = Finding(
    id="licence-missing", severity="info", entry="", message="METADATA names no licence", rule="PEP 639"
)
KEYED = Finding(
    id="unused-permission",
    severity="medium",
    entry="demo_plugin/assess-plugin.toml: permissions: read",
    message="nothing in the wheel reads /etc/shadow",
    rule="docs/manifest.md",
)

APPROVED = Report(
    filename="demo_plugin-1.0.0-py3-none-any.whl",
    project="demo-plugin",
    version="1.0.0",
    sha256="ab" * 32,
    size=12345,
    as_of=date(2026, 11, 21),
    verdict=Verdict.APPROVED,
    reasons=(),
    judged=(),
    examinations=(Examination(check="structure"), Examination(check="bandit", tool="bandit 1.9.4")),
    policy_sha256="cd" * 32,
    advisories="sha256:ef of 12,000 advisories, newest 2026-11-20",
)


def judged(finding: Finding, check: str, verdict: Verdict, reason: str) -> Judged:
    return Judged(finding=finding, check=check, verdict=verdict, reason=reason)


FLAGGED = replace(
    APPROVED,
    verdict=Verdict.FLAGGED,
    reasons=("bandit did not look at everything: it was killed after 60 s",),
    examinations=(
        Examination(check="structure"),
        Examination(check="bandit", tool="bandit 1.9.4", incomplete=("it was killed after 60 s",)),
    ),
)
REJECTED = replace(
    FLAGGED,
    verdict=Verdict.REJECTED,
    reasons=("undeclared-socket at demo_plugin/__init__.py:12", *FLAGGED.reasons),
    judged=(
        judged(UNLICENSED, "licence", Verdict.APPROVED, "accepted until 2027-01-01: asked for"),
        *(judged(each, "bandit", Verdict.FLAGGED, "severity low is flagged") for each in ASSERTS),
        judged(KEYED, "permissions", Verdict.FLAGGED, "severity medium is flagged"),
        judged(SOCKET, "permissions", Verdict.REJECTED, "severity high is rejected"),
    ),
    examinations=(
        *FLAGGED.examinations[:1],
        replace(FLAGGED.examinations[1], findings=ASSERTS),
        Examination(check="permissions", findings=(SOCKET, KEYED)),
        Examination(
            check="sbom",
            facts={"licences": ["MIT"], "components": 2},
            attachments={"sbom.cdx.json": b'{"bomFormat": "CycloneDX"}'},
        ),
    ),
)


def report_saying(text: str, **changes: Any) -> Report:
    """A rejected report in which everything that may come from a wheel is this text."""
    finding = Finding(id="x", severity="high", entry=text, line=3, message=text, advice=text, rule=text)
    whole = replace(finding, id="y", line=None)
    examination = Examination(
        check="bandit", findings=(finding, whole), incomplete=(text,), facts={text: [text]}, tool=text
    )
    said = replace(
        REJECTED,
        filename=text,
        project=text,
        version=text,
        reasons=(text,),
        judged=tuple(judged(each, "bandit", Verdict.REJECTED, text) for each in (finding, whole)),
        examinations=(examination,),
        advisories=text,
    )
    return replace(said, **changes)
