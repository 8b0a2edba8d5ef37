"""The order in which findings are read, and what all forms say alike."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from assess_registry.audit.values import Judged, Report, Verdict
from assess_registry.manifest import SEVERITIES

_VERDICTS = tuple(Verdict)


def worst_first(report: Report) -> tuple[Judged, ...]:
    """Findings by verdict, then severity, worst first; then by check, place and id, so that the order is total."""
    return tuple(sorted(report.judged, key=_rank))


def groups(report: Report) -> tuple[tuple[Judged, ...], ...]:
    """Findings that differ in nothing but their place, together; groups and places worst first."""
    alike: dict[tuple[str, ...], list[Judged]] = {}
    for judged in worst_first(report):
        finding = judged.finding
        said = (finding.id, finding.severity, finding.message, finding.advice, finding.rule)
        alike.setdefault((judged.check, judged.verdict, judged.reason, *said), []).append(judged)
    return tuple(tuple(group) for group in alike.values())


def place(judged: Judged) -> str:
    """`entry:line`, as editors and people read it; empty when the finding is about the whole wheel."""
    finding = judged.finding
    return finding.entry if finding.line is None else f"{finding.entry}:{finding.line}"


def counts(report: Report) -> str:
    """How many findings of each verdict there are, worst first; `no findings` when there are none."""
    found = Counter(judged.verdict for judged in report.judged)
    return ", ".join(f"{found[each]} {each}" for each in reversed(_VERDICTS) if found[each]) or "no findings"


def incomplete(report: Report) -> Iterator[tuple[str, str]]:
    """Check and reason for everything that was not looked at."""
    for examination in report.examinations:
        for reason in examination.incomplete:
            yield examination.check, reason


def attachments(files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Documents that a check made, by digest; the documents themselves are handed over as files."""
    return [
        {"name": name, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        for name, data in sorted(files.items())
    ]


def dumps(document: Mapping[str, Any]) -> str:
    """JSON in ASCII, so that nothing in it can move a cursor or reorder a line, and that every reader accepts."""
    return json.dumps(_encodable(document), indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _rank(judged: Judged) -> tuple[Any, ...]:
    finding = judged.finding
    return (
        -_VERDICTS.index(judged.verdict),
        -SEVERITIES.index(finding.severity),
        judged.check,
        finding.entry,
        finding.line or 0,
        finding.id,
        finding.message,
        judged.reason,
        finding.advice,
        finding.rule,
    )


def _encodable(value: Any) -> Any:
    """The value without lone surrogates, which a source file may write as escapes and strict readers of JSON refuse."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, Mapping):
        return {_encodable(str(key)): _encodable(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encodable(each) for each in value]
    return value
