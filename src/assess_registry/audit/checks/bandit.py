"""Code that is dangerous as written: bandit over every Python file, deaf to whatever the wheel says to it.

What a wheel could use to silence it, and what is done about each:

- `# nosec` comments: `--ignore-nosec`;
- a `.bandit` file, which bandit searches for below its targets: `--ini` with an empty file, and targets are files;
- `pyproject.toml`, `setup.cfg`, YAML: read for `-c` alone, which is not given: built-in defaults, all tests on;
- names: the default exclusions match any part of a path (`demo/.tox/…`, but `demo/CVSparser.py`, too): `-x ''`;
- modules called like bandit's own: `-I` keeps the wheel off the import path;
- files it cannot parse: bandit lists them and ends well; here each one is an `incomplete`. Files that it says nothing
  about, neither metrics nor an error, are, too;
- code on which a test of it breaks: it says so on standard error alone, and goes on; each such file is an `incomplete`,
  and so is a run that said more there than is read;
- size: a file beyond `BOUNDS` is not given to it, and is an `incomplete`, however fast the machine is.

Severity is bandit's own, weighed by its confidence in what it saw. Ids are `bandit-` and the test's: `bandit-b602`.

    severity, confidence:   HIGH     MEDIUM   LOW
    HIGH                    high     high     medium
    MEDIUM, UNDEFINED       medium   low      low
    LOW                     low      low      info
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assess_registry.audit.batches import Bounds, UnreliableError, examine_batches, installed
from assess_registry.audit.context import Context
from assess_registry.audit.findings import in_order
from assess_registry.audit.values import Examination, Finding, Subject
from assess_registry.manifest import Severity
from assess_registry.tools import ToolLimits, ToolRun
from assess_registry.wheel import UnpackedFile

NAME = "bandit"

PROGRAM = "assess_registry.audit.programs.bandit"
"""The tool itself, without its quadratic part."""

_ARGV = ("-m", PROGRAM, "-q", "-f", "json", "-n", "1", "--ignore-nosec", "--ini", "/dev/null", "-x", "")
# -q also keeps the progress bar out of the JSON, which bandit draws on standard output for more than 50 files.

BOUNDS = Bounds(max_bytes=512 << 10, max_lines=100_000)
"""Measured: calls in calls in calls, the slowest code there is, take it 20 s."""

_LIMITS = ToolLimits(stderr_bytes=4 << 20)
_BROKEN_TEST = re.compile(rb"^\[tester\]\tERROR\t.* running: (\w+) on file (.+?) at line (\d+): ", re.MULTILINE)
_OTHER_ERROR = re.compile(rb"^\[(?!tester\]|manager\])\w+\]\t(?:ERROR|CRITICAL)\t(.*)", re.MULTILINE)
"""What its log says; of what `manager` says there the files are in the report's own errors."""

_SEVERITIES: Mapping[str, Mapping[str, Severity]] = {
    "HIGH": {"HIGH": "high", "MEDIUM": "high", "UNDEFINED": "high", "LOW": "medium"},
    "MEDIUM": {"HIGH": "medium", "MEDIUM": "low", "UNDEFINED": "low", "LOW": "low"},
    "UNDEFINED": {"HIGH": "medium", "MEDIUM": "low", "UNDEFINED": "low", "LOW": "low"},
    "LOW": {"HIGH": "low", "MEDIUM": "low", "UNDEFINED": "low", "LOW": "info"},
}
"""bandit's severity -> its confidence -> our severity."""

_QUOTES_SECRETS = ("B105", "B106", "B107")
"""Tests whose text contains the password they found: a report is shown to more people than a wheel's code."""

_MAX_MESSAGE = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    findings: tuple[Finding, ...]
    skipped: tuple[str, ...]
    lines: int


def examine(subject: Subject, context: Context) -> Examination:
    """Every finding of bandit in the wheel's Python files, and every file it did not get through."""
    files = [file for file in subject.files if _is_python(file)]

    def run(batch: Sequence[UnpackedFile]) -> ToolRun:
        targets = [f"./{file.path}" for file in batch]
        return context.run_tool([sys.executable, "-I", *_ARGV, *targets], cwd=subject.unpacked, limits=_LIMITS)

    examined = examine_batches(files, run, _parse, bounds=BOUNDS)
    skipped = sorted(reason for answer in examined.answers for reason in answer.skipped)
    return Examination(
        check=NAME,
        findings=in_order(finding for answer in examined.answers for finding in answer.findings),
        incomplete=(*examined.incomplete, *skipped),
        facts={"files": len(files), "lines": sum(answer.lines for answer in examined.answers)},
        tool=installed("bandit"),
    )


def _is_python(file: UnpackedFile) -> bool:
    first_line = file.data[:200].partition(b"\n")[0]
    return file.path.endswith((".py", ".pyw")) or (first_line.startswith(b"#!") and b"python" in first_line)


def _parse(ran: ToolRun, batch: Sequence[UnpackedFile]) -> _Answer:
    if ran.exit_code not in (0, 1):
        raise UnreliableError(f"bandit: ended with exit code {ran.exit_code}")
    try:
        document = json.loads(ran.stdout)
        errors = {_path(error["filename"]): str(error["reason"]) for error in document["errors"]}
        counted = {_path(name): metrics for name, metrics in document["metrics"].items() if name != "_totals"}
        findings = tuple(_finding(result) for result in document["results"])
        lines = sum(int(metrics["loc"]) for metrics in counted.values())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnreliableError("bandit: its output is not the JSON report that was asked for") from error
    if bool(findings) != (ran.exit_code == 1):
        raise UnreliableError(f"bandit: {len(findings)} findings, but exit code {ran.exit_code}")
    silent = {file.path for file in batch} - counted.keys() - errors.keys()
    return _Answer(
        findings=findings,
        skipped=(
            *(f"bandit: {path}: {reason[:200]}" for path, reason in errors.items()),
            *(f"bandit: {path}: not in its report" for path in silent),
            *_broken(ran.stderr),
        ),
        lines=lines,
    )


def _broken(stderr: bytes) -> Iterator[str]:
    """Tests that did not look at a file to its end, by what the log says of them."""
    tests: dict[str, list[tuple[int, str]]] = {}
    for name, file, line in _BROKEN_TEST.findall(stderr):
        tests.setdefault(_path(file.decode("utf-8", "replace")), []).append((int(line), name.decode()))
    for path, found in tests.items():
        names = sorted({name for _, name in found})
        yield f"bandit: {path}:{min(found)[0]}: its own test broke on this file: {', '.join(names)}"
    for said in sorted(set(_OTHER_ERROR.findall(stderr))):
        yield f"bandit: {said.decode('utf-8', 'replace')[:200]}"
    if len(stderr) >= _LIMITS.stderr_bytes:
        yield f"bandit: it wrote more than {_LIMITS.stderr_bytes} bytes of errors and warnings, and not all were read"


def _finding(result: Mapping[str, Any]) -> Finding:
    test, name = str(result["test_id"]), str(result["test_name"])
    text = "possible hard-coded password" if test in _QUOTES_SECRETS else str(result["issue_text"])
    return Finding(
        id=f"bandit-{test.lower()}",
        severity=_SEVERITIES[result["issue_severity"]][result["issue_confidence"]],
        entry=_path(result["filename"]),
        line=int(result["line_number"]),
        message=" ".join(text.split())[:_MAX_MESSAGE],
        rule=f"bandit {test} {name}",
    )


def _path(name: str) -> str:
    # bandit puts its own "./" in front of ours
    while name.startswith("./"):
        name = name[2:]
    return name
